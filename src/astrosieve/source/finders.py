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
from astrosieve.images.background import Background, measure_background

__all__ = ['FinderFactory', 'detect', 'get_finder', 'list_finders']

ENTRY_POINT_GROUP = 'astrosieve.finders'


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


def detect(
    sci: np.ndarray,
    finder: str = 'dao',
    *,
    fwhm: float,
    nsigma: float = 5.0,
    scale: float = 1.0,
    spoilt: np.ndarray | None = None,
    background: Background | None = None,
) -> Table | None:
    """
    Detect sources in an image with a finder of the registry.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        The image, with or without its sky.
    finder : str, optional
        Name of the finder.
    fwhm : float
        FWHM of the point-spread function, pixels.
    nsigma : float, optional
        Threshold in units of the sky's noise.
    scale : float, optional
        Electrons per unit of ``sci``, for finders with a limit in electrons.
    spoilt : 2D `~numpy.ndarray`, optional
        Pixels that are not zero here are masked.
    background : `~astrosieve.images.background.Background`, optional
        Measured where it is not given.

    Returns
    -------
    detections : `~astropy.table.Table` or None
        What the finder returns.
    """
    if not fwhm > 0:
        msg = f'fwhm must be positive; got {fwhm}'
        raise ValueError(msg)
    if not nsigma > 0:
        msg = f'nsigma must be positive; got {nsigma}'
        raise ValueError(msg)
    factory = get_finder(finder)
    background = background or measure_background(sci, spoilt=spoilt)
    if not background.noise > 0:
        return None
    mask = None if spoilt is None else spoilt != 0
    data = sci - np.float32(background.level)
    if mask is not None:
        data[mask] = 0  # a NaN would spread through the finder's convolution
    find = factory(threshold=nsigma * background.noise, fwhm=fwhm, scale=scale)
    return find(data, mask=mask)
