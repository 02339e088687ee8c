"""What is said of the PSF of an image, and which stars say it."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.measured import MeasuredImage
from astrosieve.pages.thumbnails import thumbnail

__all__ = ['psf_facts']

_SHOWN = 12  # stars
_SIDE = 21  # pixels of their pictures
_DRAWN = 30  # stars whose pixels are drawn
_REACH = 3.0  # FWHM from a star's middle
_NEAR = 1.5  # pixels between a star and its row


def psf_facts(name: str, image: MeasuredImage, table: Table) -> dict[str, Any]:
    """
    Return what a page says of the PSF of an image.

    Parameters
    ----------
    name : str
        Of the image.
    image : `~astrosieve.images.measured.MeasuredImage`
        The image.
    table : `~astropy.table.Table`
        Its detections.

    Returns
    -------
    facts : dict
        ``fwhm`` in pixels or None, ``said``, where it is from; ``stars``, those that it
        was measured on, with pictures; ``profile``, their pixels: distance from the
        star's fitted position, pixels, and share of its light in 5x5 pixels.
    """
    stars = image.psf_stars
    places = np.empty((0, 2), int) if stars is None else stars.places
    rows = _rows(places, table)
    return {
        'name': name,
        'fwhm': image.fwhm,
        'said': _said(image),
        'stars': [
            {
                'picture': thumbnail(image.sci, x, y, _SIDE),
                'id': '' if row < 0 else str(table['id'][row]),
                'place': f'{x}, {y}',
            }
            for (x, y), row in list(zip(places.tolist(), rows, strict=True))[:_SHOWN]
        ],
        'profile': _profile(image, table[rows[rows >= 0]][:_DRAWN]),
    }


def _said(image: MeasuredImage) -> str:
    stars = image.psf_stars
    measured = '' if stars is None else f'measured on {len(stars.places)} stars'
    if image.given_fwhm is not None:
        said = f'; {stars.fwhm:.2f} pixels where {measured}' if stars else ''
        return f'as it was given{said}'
    if measured:
        return measured
    if image.fwhm is None:
        return 'too few stars to measure it, and the camera is not known'
    return "the camera's nominal width: too few stars agree on another"


def _rows(places: np.ndarray, table: Table) -> np.ndarray:
    """Return the row of each star, -1 where it has none."""
    if not len(table):
        return np.full(len(places), -1)
    away = np.hypot(
        np.asarray(table['x_centroid'], float) - places[:, :1],
        np.asarray(table['y_centroid'], float) - places[:, 1:],
    )
    away = np.nan_to_num(away, nan=np.inf)
    return np.where(away.min(axis=1) < _NEAR, away.argmin(axis=1), -1)


def _profile(image: MeasuredImage, stars: Table) -> list[list[float]]:
    """Return the pixels of stars: how far they are, and what they hold of the light."""
    if image.fwhm is None or 'x_fit' not in stars.colnames:
        return []
    x, y = (np.asarray(stars[name], float) for name in ('x_fit', 'y_fit'))
    fitted = np.isfinite(x)
    x, y = x[fitted], y[fitted]
    if not len(x):
        return []
    half = int(np.ceil(_REACH * image.fwhm))
    shape = (image.sci.shape[0], image.sci.shape[1])
    ix, iy, _, _ = pixel_indices(np.column_stack([x, y]), shape)
    light = extract_cutouts(image.sci, ix, iy, 2 * half + 1, fill=np.nan)
    light = light - image.mesh.at(ix, iy)[0][:, None, None]
    core = slice(half - 2, half + 3)
    light /= light[:, core, core].sum(axis=(1, 2))[:, None, None]
    steps = np.arange(-half, half + 1)
    radius = np.hypot(
        (steps + (ix - x)[:, None])[:, None], (steps + (iy - y)[:, None])[:, :, None]
    )
    shown = (radius < _REACH * image.fwhm) & np.isfinite(light)
    return np.round(np.column_stack([radius[shown], light[shown]]), 4).tolist()
