"""Memory of the command: bounded by tiles and by the image's own pixels."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

RUN = """
import json, resource, sys
from astrosieve.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""
KIB = 1024 if sys.platform == 'linux' else 1
pytestmark = pytest.mark.skipif(
    sys.platform == 'win32', reason='needs the module resource'
)


def peak(image: Path, model: Path | str, *options: str) -> int:
    """Return the most bytes that ``astrosieve segment`` had while it ran."""
    target = image.with_name('map.fits')
    ran = subprocess.run(
        [
            *(sys.executable, '-c', RUN, 'segment', str(image), '--overwrite'),
            *('-o', str(target), '--model', str(model), *options),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(json.loads(ran.stdout.splitlines()[-1])) * KIB


def noise(ny: int, nx: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((ny, nx), dtype=np.float32)


def test_bytes_per_pixel(pixels_model: Path, tmp_path: Path) -> None:
    """
    A pixel of four bytes needs forty at most, in images larger than some tiles.

    What a process takes besides differs by some ten million bytes from run to run.
    """
    found, small, large = [], 4096, 12288
    for ny in (small, large):
        path = tmp_path / 'image.fits'
        fits.PrimaryHDU(noise(ny, 1664)).writeto(path, overwrite=True)
        found.append(peak(path, pixels_model))
    assert found[1] - found[0] < 40 * 1664 * (large - small)


@pytest.mark.slow
def test_an_flc_of_two_chips(write_flc: Callable[..., Path], tmp_path: Path) -> None:
    """1.5 GB at most, with the network that is shipped, DQ planes written too."""
    path = write_flc(tmp_path / 'j1_flc.fits', [noise(2051, 4096), noise(2051, 4096)])
    assert peak(path, 'contaminant', '--write-dq') < 1.5e9


@pytest.mark.slow
def test_a_mosaic(pixels_model: Path, tmp_path: Path) -> None:
    """A hundred million pixels need 2 GB, of which their own are 0.4."""
    path = tmp_path / 'mosaic.fits'
    fits.PrimaryHDU(noise(10_000, 10_000)).writeto(path)
    assert peak(path, pixels_model) < 2e9
    with fits.open(tmp_path / 'map.fits') as hdus:
        assert hdus['PROB', 1].shape == (15, 10_000, 10_000)
