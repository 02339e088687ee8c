"""The classes of pixels, and their colours."""

from __future__ import annotations

import itertools

import numpy as np

from astrosieve.contaminant import CLASSES

_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
_VIEWS = {  # Machado, Oliveira & Fernandes 2009, severity 1
    'all cones': np.eye(3),
    'no red': np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    'no green': np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def lab(color: str, view: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b* of a colour as eyes see it."""
    rgb = np.array([int(color[n : n + 2], 16) for n in (1, 3, 5)]) / 255
    light = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(
        _TO_XYZ @ np.clip(view @ light, 0, 1) / np.array([0.9505, 1, 1.089])
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_names() -> None:
    """As promised, in the order of planes and bits."""
    assert CLASSES.names == (
        'cosmic_ray', 'hot_pixel', 'bad_pixel', 'hot_column', 'bad_column', 'bad_row',
        'persistence', 'satellite_trail', 'fringe', 'saturation', 'bleed', 'spike',
        'nebulosity', 'object', 'reflection',
    )  # fmt: skip


def test_colours_differ_to_all_eyes() -> None:
    """No two colours are near each other, with all cones, or without red or green."""
    for name, view in _VIEWS.items():
        seen = [lab(each.marker.color, view) for each in CLASSES.values()]
        pairs = itertools.combinations(seen, 2)
        least = min(float(np.linalg.norm(one - other)) for one, other in pairs)
        assert least > (40 if name == 'all cones' else 18), name


def test_ink_is_dark() -> None:
    """On white paper every class can be seen."""
    for name in CLASSES:
        assert lab(CLASSES.ink(name), np.eye(3))[0] < 75
