"""
Time to write TweakReg's catalogues of a full two-chip exposure.

Run with ``python -m pytest tests/benchmarks``; not among the pass/fail tests.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from pathlib import Path

import pytest

from astrosieve_plugins.tweakreg_catalogs import write_catalogs
from astrosieve_training.simulate.cameras import load_camera
from astrosieve_training.simulate.exposure import simulate_exposure

SHAPE = (2051, 4096)


@pytest.fixture(scope='module')
def exposure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """WFC3/UVIS, F606W, 500 s, two chips of 2051x4096 pixels."""
    path = tmp_path_factory.mktemp('flc') / 'full_flc.fits'
    camera = replace(load_camera('wfc3-uvis-f606w'), shape=SHAPE)
    simulate_exposure(camera, seed=5_100_000, exptime=500.0).write(path)
    return path


def test_two_chips(exposure: Path, tmp_path: Path) -> None:
    """Detection, classification and writing take at most 8 s on two cores."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        write_catalogs([exposure], tmp_path, overwrite=True)
        seconds.append(time.perf_counter() - start)
    n = sum(len(p.read_text().splitlines()) for p in tmp_path.glob('*.coo'))
    print(f'\n{statistics.median(seconds):.2f} s, {n} lines')
    assert statistics.median(seconds) <= 8
