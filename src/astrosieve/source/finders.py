"""
Source finders by name, found through the entry-point group ``astrosieve.finders``.

An entry is a factory: called with ``threshold`` (above the sky, in the image's
unit), ``fwhm`` (pixels) and ``scale`` (electrons per image unit) it returns a
finder, which is called as photutils finders are, ``finder(data, mask=mask)``,
and returns a table or None.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, Protocol

import numpy as np
from astropy.table import Table

from astrosieve.exceptions import AstrosieveError
from astrosieve.images.measured import MeasuredImage

__all__ = [
    'DEFAULT_FWHM',
    'FinderFactory',
    'detect',
    'get_finder',
    'kernel_width',
    'list_finders',
]

ENTRY_POINT_GROUP = 'astrosieve.finders'

DEFAULT_FWHM = 2.0
"""Width that finders are given, pixels, where that of the PSF is not known."""


class FinderFactory(Protocol):
    """What the entry points are."""

    def __call__(
        self, *, threshold: float, fwhm: float, scale: float
    ) -> Callable[..., Table | None]:
        """Return a finder."""


def list_finders() -> list[str]:
    """Return the names of the finders that are installed."""
    return sorted({entry.name for entry in entry_points(group=ENTRY_POINT_GROUP)})


def get_finder(name: str) -> FinderFactory:
    """
    Return a finder factory by name.

    Raises
    ------
    AstrosieveError
        If no distribution registers one of that name.
    """
    found = entry_points(group=ENTRY_POINT_GROUP, name=name)
    if not found:
        msg = f'no finder {name!r}; installed are {", ".join(list_finders()) or "none"}'
        raise AstrosieveError(msg)
    factory: Any = next(iter(found)).load()
    return factory


def kernel_width(image: MeasuredImage) -> float:
    """Return the width that finders are given, pixels: the PSF's where it is known."""
    return DEFAULT_FWHM if image.fwhm is None else image.fwhm


def detect(
    image: MeasuredImage, finder: str = 'dao', *, nsigma: float = 5.0
) -> Table | None:
    """
    Detect sources in an image with a finder of the registry.

    Parameters
    ----------
    image : `~astrosieve.images.measured.MeasuredImage`
        The image, with or without its sky; pixels that are not usable are masked.
    finder : str, optional
        Name of the finder.
    nsigma : float, optional
        Threshold in units of the sky's noise.

    Returns
    -------
    detections : `~astropy.table.Table` or None
        What the finder returns.
    """
    if not nsigma > 0:
        msg = f'nsigma must be positive; got {nsigma}'
        raise ValueError(msg)
    factory = get_finder(finder)
    background = image.background
    if not background.noise > 0:
        return None
    mask = None if image.spoilt is None else image.spoilt != 0
    data = image.sci - np.float32(background.level)
    if mask is not None:
        data[mask] = 0  # a NaN would spread through the finder's convolution
    find = factory(
        threshold=nsigma * background.noise,
        fwhm=kernel_width(image),
        scale=image.electrons_per_unit,
    )
    return find(data, mask=mask)
