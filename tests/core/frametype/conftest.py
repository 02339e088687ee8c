"""Frames drawn by hand, and a model that tells them by one number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

SHAPE = (120, 300)


def drawn(kind: str, seed: int = 0, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """Return a frame of a long slit dispersed along x, in ADU."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = np.zeros(shape)
    slit = (y > 10) & (y < shape[0] - 10)
    if kind == 'flat':
        light = 20_000 * slit * np.exp(-(((x - 150) / 120.0) ** 2))
    elif kind == 'arc':
        for line in range(20, shape[1], 23):
            light += 9000 * slit * np.exp(-0.5 * ((x - line) / 1.2) ** 2)
    elif kind == 'standard':
        light = 8000 * np.exp(-0.5 * ((y - 60) / 2.0) ** 2)
    return 1000 + rng.normal(light, np.sqrt(light / 1.5 + 16))


@pytest.fixture(name='drawn')
def drawn_() -> Callable[..., np.ndarray]:
    """Return the function that draws frames."""
    return drawn


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A folder of frames, one of them broken and one with a wrong header."""
    folder = tmp_path / 'night'
    folder.mkdir()
    for number, (kind, said) in enumerate(
        [('bias', 'bias'), ('flat', 'flat'), ('arc', 'flat'), ('standard', '')]
    ):
        header = fits.Header({'IMAGETYP': said} if said else {})
        data = drawn(kind, number).round().astype(np.uint16)
        fits.PrimaryHDU(data, header).writeto(folder / f'f{number}.fits')
    (folder / 'f4.fits').write_bytes(b'no fits')
    (folder / 'log.txt').write_text('seeing 1.2')
    return folder
