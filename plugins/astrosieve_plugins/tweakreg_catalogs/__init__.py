"""
TweakReg on stars: classified catalogues in place of all that a finder takes.

`write_catalogs` writes the files that go to ``TweakReg(catfile=...)``;
`filtered_tweakreg` leaves TweakReg its own finder and filters what it finds;
`classify_sources` stands for the cosmic-ray cut of the HAP pipeline;
`make_correctors` is for `tweakwcs`. drizzlepac is imported when it is used.
"""

from __future__ import annotations

from astrosieve_plugins.tweakreg_catalogs.catalog_files import write_catalogs
from astrosieve_plugins.tweakreg_catalogs.correctors import make_correctors
from astrosieve_plugins.tweakreg_catalogs.hooks import (
    classify_sources,
    filtered_hap,
    filtered_tweakreg,
)
from astrosieve_plugins.tweakreg_catalogs.running import run_tweakreg

__all__ = [
    'classify_sources',
    'filtered_hap',
    'filtered_tweakreg',
    'make_correctors',
    'run_tweakreg',
    'write_catalogs',
]
