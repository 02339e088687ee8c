"""
Time to classify, as a ratio to the time of detection in the same run.

Run with ``python -m pytest tests/benchmarks``; not among the pass/fail tests.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from photutils.detection import DAOStarFinder

from astrosieve import classify_sources, load_model

N_STARS = 36_000  # of which DAOStarFinder's defaults detect about 30,000


@pytest.fixture(scope='module')
def chip() -> np.ndarray:
    """A chip of 2048 x 4096 pixels with stars of FWHM 1.9 pixels, electrons."""
    rng = np.random.default_rng(2024)
    sci = rng.normal(0, 5, (2048, 4096)).astype(np.float32)
    y, x = np.mgrid[-4:5, -4:5]
    for x0, y0, flux in zip(
        rng.uniform(10, 4085, N_STARS),
        rng.uniform(10, 2037, N_STARS),
        10 ** rng.uniform(2.3, 4.5, N_STARS),
        strict=True,
    ):
        j, i = round(x0), round(y0)
        radius2 = (x - (x0 - j)) ** 2 + (y - (y0 - i)) ** 2
        star = flux / (2 * np.pi * 0.65) * np.exp(-radius2 / 1.3)
        sci[i - 4 : i + 5, j - 4 : j + 5] += star
    return sci


def seconds(work: Callable[[], object]) -> float:
    """Return the time that a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@pytest.mark.parametrize(
    ('model', 'limit'), [('source-multiscale', 0.4), ('source-isr2024', 0.5)]
)
def test_ratio_to_detection(
    benchmark, chip: np.ndarray, model: str, limit: float
) -> None:
    """Classification takes this share of DAOStarFinder's time, and 1 GB at most."""
    finder = DAOStarFinder(25, 1.9)
    loaded = load_model(model)
    catalog = finder(chip)
    classify_sources(chip, catalog, unit='electron', model=loaded)  # opens it
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ratios = []
    for _ in range(5):
        detection = seconds(lambda: finder(chip))
        classification = seconds(
            lambda: classify_sources(chip, catalog, unit='electron', model=loaded)
        )
        ratios.append(classification / detection)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    benchmark.extra_info.update(
        detections=len(catalog),
        median_ratio=statistics.median(ratios),
        memory_growth_mib=grown,
    )
    benchmark.pedantic(
        lambda: classify_sources(chip, catalog, unit='electron', model=loaded),
        rounds=3,
    )
    ratio = statistics.median(ratios)
    print(f'\n{model}: {len(catalog)} detections, ratio {ratio:.2f}')
    assert len(catalog) > 25_000
    assert ratio <= limit
    assert grown < 1024


def test_whole_exposure(benchmark, chip: np.ndarray, tmp_path: Path) -> None:
    """
    Two chips of 2051 x 4096 pixels take 6 s at most, from start to exit.

    With about 30,000 detections in all: half of each chip holds the stars.
    """
    chip = chip.copy()
    chip[:, 2048:] = np.random.default_rng(7).normal(0, 5, chip[:, 2048:].shape)
    path = tmp_path / 'two_flc.fits'
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update(
        INSTRUME='ACS', DETECTOR='WFC', EXPTIME=500.0, CCDGAIN=2.0, FILETYPE='SCI'
    )
    for extver in (1, 2):
        sci = np.pad(chip, ((0, 3), (0, 0)), mode='reflect')
        hdu = fits.ImageHDU(sci, name='SCI', ver=extver)
        hdu.header['BUNIT'] = 'ELECTRONS'
        dq = fits.ImageHDU(np.zeros(sci.shape, np.int16), name='DQ', ver=extver)
        hdus += [hdu, dq]
    hdus.writeto(path)
    program = Path(sys.executable).with_name('astrosieve')
    command = [str(program), 'classify', str(path)]

    def classify() -> None:
        subprocess.run([*command, '--overwrite'], cwd=tmp_path, check=True)

    benchmark.pedantic(classify, rounds=3, warmup_rounds=1)
    assert (tmp_path / 'two_flc_sources.ecsv').exists()
    assert benchmark.stats['median'] <= 6
