"""How a map shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.plotting import painted
from astrosieve.pages import colour_png, encoded
from astrosieve.pages.snippets import SIDE, beside, table, text

__all__ = ['map_html']


def map_html(
    mask: np.ndarray,
    bits: Mapping[str, int],
    thresholds: Mapping[str, float],
    *,
    image: np.ndarray | None = None,
    model: str = '',
) -> str:
    """
    Return a map as a piece of HTML: in colours over its image, with a legend.

    Parameters
    ----------
    mask : (ny, nx) integer `~numpy.ndarray`
        Bits of the classes that hold.
    bits : dict of str to int
        Value of each class's bit.
    thresholds : dict of str to float
        From which probability a class holds, where that is known.
    image : 2D `~numpy.ndarray`, optional
        What was mapped; without it the colours are on black.
    model : str, optional
        What has mapped it.

    Returns
    -------
    content : str
        With which share of the pixels each class holds, and from which probability.
    """
    ny, nx = mask.shape
    image = np.full((ny, nx), np.nan) if image is None else image
    step = max(1, -(-max(ny, nx) // (2 * SIDE)))
    colours = np.rint(255 * painted(image, mask, bits, step))
    png = encoded(colour_png(colours[::-1].astype(np.uint8)))
    rows = []
    for name in CLASSES.ordered(bits):
        share = np.count_nonzero(mask & bits[name]) / mask.size
        if share:
            patch = f'<span style="color:{CLASSES.marker(name).color}">&#9632;</span>'
            limit = f'{thresholds[name]:.2f}' if name in thresholds else ''
            rows.append((patch, text(name), f'{100 * share:.2g} %', limit))
    picture = (
        f'<img alt="map of {nx} by {ny} pixels, in the colours of the legend" '
        f'src="data:image/png;base64,{png}" style="width:100%;image-rendering:'
        'pixelated">'
    )
    said = f'{nx} x {ny} pixels, {text(model)}'
    if not rows:
        return beside(picture, said, 'no pixel is spoilt')
    return beside(picture, said, table(rows, ('', 'class', 'pixels', 'from p')))
