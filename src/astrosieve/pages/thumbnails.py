"""Small pictures of places in images."""

from __future__ import annotations

import numpy as np

from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.stretch import grey
from astrosieve.pages import encoded, grey_png

__all__ = ['grey_url', 'thumbnail']

_SIDE = 41  # pixels about a position


def grey_url(image: np.ndarray) -> str:
    """Return an image in grey as the address of a picture that holds all of it."""
    levels = np.nan_to_num(255 * grey(image)).astype(np.uint8)
    return f'data:image/png;base64,{encoded(grey_png(levels[::-1]))}'


def thumbnail(image: np.ndarray, x: float, y: float, side: int = _SIDE) -> str:
    """
    Return the pixels about a place as the address of a picture that holds them.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The image.
    x, y : float
        The place, pixels, 0-based; the middle of the picture.
    side : int, optional
        Pixels of the picture, odd.

    Returns
    -------
    url : str
        Black beyond the image; empty where the place is not in it.
    """
    ix, iy, _, inside = pixel_indices(np.array([[x, y]]), image.shape)
    if not inside[0]:
        return ''
    return grey_url(extract_cutouts(image, ix, iy, side, fill=np.nan)[0])
