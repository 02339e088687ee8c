"""The stamps of Negm (2021): 69x69 pixels of three bands, from 0 to 1."""

from __future__ import annotations

import numpy as np

from astrosieve.models.inputs import Batch
from astrosieve.transient.flags import STAMP_FLAGS
from astrosieve.transient.preprocessing._base import Stamps, measure_levels

__all__ = ['Negm2021']

_SIDE = 69
_RANGE = 10.0  # noise, from the middle grey to black, or to white


class Negm2021:
    """
    Stamps of 69x69 pixels, grey levels from 0 to 1.

    Pictures are over their white. Other stamps are shown like those of the survey:
    the level of a plane is the middle grey, ten times its noise below is black, and
    above is white. Smaller stamps stand in the middle of grey ones.
    """

    name = 'negm2021-1'

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {'stamps': (3, _SIDE, _SIDE)}
        self.meanings = {
            'stamps': 'differences of three bands, or science, template, difference: '
            'grey levels from 0 to 1'
        }

    def __call__(self, stamps: Stamps) -> Batch:
        """Return the grey levels of stamps."""
        n, n_planes, ny, nx = stamps.planes.shape
        levels = measure_levels(stamps)
        if stamps.white is not None:
            grey_levels = stamps.planes / np.float32(stamps.white)
            grey = np.where(levels.usable, grey_levels, np.float32(0.5))
        else:
            grey = 0.5 + levels.signal(stamps.planes) / (2 * _RANGE)
        image = np.full((n, n_planes, _SIDE, _SIDE), 0.5, np.float32)
        rows, inside_rows = _overlap(ny)
        columns, inside_columns = _overlap(nx)
        image[:, :, rows, columns] = grey[:, :, inside_rows, inside_columns]
        blank = (~levels.there).all(axis=1)
        flags = np.where(blank, STAMP_FLAGS.blank, 0).astype(np.int32)
        return Batch({'stamps': image.clip(0, 1)}, flags, flags == 0)


def _overlap(n: int) -> tuple[slice, slice]:
    """Return where n pixels lie in the stamp, and which of them, centre on centre."""
    first = _SIDE // 2 - n // 2
    return slice(max(first, 0), first + n), slice(max(-first, 0), _SIDE - first)
