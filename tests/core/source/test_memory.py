"""Memory of the command: bounded by the image, whatever is done with it."""

from __future__ import annotations

import json
import subprocess
import sys
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


def peak(image: Path, folder: Path) -> int:
    """Return the most bytes that ``astrosieve classify`` had while it ran."""
    arguments = ['classify', str(image), '-o', str(folder / 'out.fits'), '--overwrite']
    ran = subprocess.run(
        [sys.executable, '-c', RUN, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(json.loads(ran.stdout.splitlines()[-1])) * KIB


def save_field(path: Path, side: int) -> Path:
    """Write a field of stars, in electrons, with pixels that hold none."""
    rng = np.random.default_rng(3)
    data = rng.standard_normal((side, side), dtype=np.float32)
    data *= 4
    steps = np.arange(-5, 6)
    star = 4000 * np.exp(-np.add.outer(steps**2, steps**2) / 2).astype(np.float32)
    for x, y in rng.integers(8, side - 8, (side * side // 5000, 2)):
        data[y - 5 : y + 6, x - 5 : x + 6] += star
    data[::97, ::89] = np.nan
    hdu = fits.PrimaryHDU(data)
    hdu.header['BUNIT'] = 'electron'
    hdu.writeto(path)
    return path


def bytes_per_pixel(side: int, folder: Path) -> float:
    """Return what a pixel of a large image needs, above what a small image does."""
    small = save_field(folder / 'small.fits', 400)
    large = save_field(folder / 'large.fits', side)
    more = peak(large, folder) - peak(small, folder)
    return more / (side**2 - 400**2)


@pytest.mark.skipif(sys.platform == 'win32', reason='needs the module resource')
def test_bytes_per_pixel(tmp_path: Path) -> None:
    """A pixel of four bytes needs sixteen at most, masks and all."""
    assert bytes_per_pixel(3200, tmp_path) < 16


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == 'win32', reason='needs the module resource')
def test_bytes_per_pixel_of_a_mosaic(tmp_path: Path) -> None:
    """So does one of a hundred million."""
    assert bytes_per_pixel(10_000, tmp_path) < 16
