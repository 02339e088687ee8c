"""
Time to type the frames of a night.

Run with ``python -m pytest tests/benchmarks``; not among the pass/fail tests.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

N_FRAMES = 20
SHAPE = (2048, 4096)


def test_night_of_large_frames(tmp_path: Path) -> None:
    """Twenty frames of 2048 x 4096 in ten seconds, the start of the program too."""
    rng = np.random.default_rng(3)
    noise = rng.normal(1000, 5, SHAPE).astype(np.float32)
    light = 3000 * np.exp(-(((np.arange(SHAPE[0]) - 900) / 400) ** 2))[:, None]
    night = tmp_path / 'night'
    night.mkdir()
    for number in range(N_FRAMES):
        data = (noise + light * (number % 2)).astype(np.uint16)
        fits.PrimaryHDU(data).writeto(night / f'f{number:02d}.fits')
    command = Path(sys.executable).with_name('astrosieve')
    start = time.perf_counter()
    done = subprocess.run(
        [str(command), 'frametype', str(night)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    print(f'{N_FRAMES} frames of {SHAPE[0]} x {SHAPE[1]}: {seconds:.1f} s')
    assert seconds < 10
