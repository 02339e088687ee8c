"""What the examples of the pages are run on; pages whose host is missing are not."""

from __future__ import annotations

import gzip
import shutil
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import photutils
import pytest
from astropy.io import fits

from astrosieve.source.demo import demo_exposure

_NEEDED = {
    'hosts/ccdproc.md': 'ccdproc',
    'hosts/ginga.md': 'ginga',
    'hosts/jupyter.md': 'ipyevents',
    'many.md': 'distributed',
}


def _lacks_hap() -> bool:
    """Return whether there is no drizzlepac, or a photutils that breaks its HAP."""
    return (
        find_spec('drizzlepac') is None
        or int(photutils.__version__.partition('.')[0]) > 2
    )


collect_ignore = [
    '_build',
    'notebooks',
    *(['hosts/hap.md'] if _lacks_hap() else []),
    *(page for page, package in _NEEDED.items() if find_spec(package) is None),
]


@pytest.fixture(autouse=True)
def _quiet_host(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let HAP say what it does of the releases that it is not made for yet."""
    with warnings.catch_warnings():
        if request.path.name == 'hap.md':
            warnings.simplefilter('ignore')
        yield


@pytest.fixture(autouse=True)
def _surroundings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, doctest_namespace: dict[str, Any]
) -> None:
    """Let a page find the bundled exposure as a file, and its planes by name."""
    monkeypatch.chdir(tmp_path)
    with gzip.open(demo_exposure()) as packed, Path('j1_flc.fits').open('wb') as file:
        shutil.copyfileobj(packed, file)
    with fits.open('j1_flc.fits', memmap=False) as hdus:
        doctest_namespace |= {
            'data': hdus['SCI'].data,
            'dq': hdus['DQ'].data,
            'header': hdus['SCI'].header,
        }
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-31:32, -31:32]
    template = rng.normal(100, 5, (2, *x.shape))
    science = rng.normal(100, 5, (2, *x.shape))
    science[0] += 400 * np.exp(-(x**2 + y**2) / 2.9)
    planes = science, template, science - template
    doctest_namespace['stamps'] = np.stack(planes, axis=1).astype('f4')
