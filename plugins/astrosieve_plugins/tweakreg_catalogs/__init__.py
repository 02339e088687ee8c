"""
TweakReg on stars: classified catalogues in place of all that a finder takes.

`write_catalogs` writes the files that go to ``TweakReg(catfile=...)``;
`filtered_tweakreg` leaves TweakReg its own finder and filters what it finds;
`classify_sources` stands for the cosmic-ray cut of the HAP pipeline;
`make_correctors` is for `tweakwcs`. drizzlepac is imported when it is used.
"""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.catalog_files': ('write_catalogs',),
        '.correctors': ('make_correctors',),
        '.hooks': ('classify_sources', 'filtered_hap', 'filtered_tweakreg'),
        '.running': ('run_tweakreg',),
    },
)
