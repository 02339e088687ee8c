"""Maps over images, in colours; figures by matplotlib (extra ``plot``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from astrosieve.contaminant.classes import CLASSES
from astrosieve.figures import new_figure
from astrosieve.images.stretch import grey

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['OPACITY', 'overlay_figure', 'paint', 'painted']

_BELOW = ('nebulosity', 'fringe', 'reflection', 'object', 'spike', 'persistence')
"""Drawn first, since they are large, and let the image show through."""

OPACITY = {name: 0.5 if name in _BELOW else 0.8 for name in CLASSES}
"""How much of the image each class hides, of 1."""

_SIDE = 1400  # pixels of a picture
_HEIGHT = 8.0  # inches of the longer side


def paint(
    mask: np.ndarray, bits: Mapping[str, int], opacity: Mapping[str, float] = OPACITY
) -> np.ndarray:
    """
    Return the colours of a map.

    Parameters
    ----------
    mask : (ny, nx) integer `~numpy.ndarray`
        Bits of the classes that hold.
    bits : dict of str to int
        Value of each class's bit; those of other people's models are left out.
    opacity : dict of str to float, optional
        Of each class, from 0 to 1; one that is not named is not drawn.

    Returns
    -------
    colours : (ny, nx, 4) float32 `~numpy.ndarray`
        Red, green, blue and opacity, from 0 to 1.
    """
    colours = np.zeros((*mask.shape, 4), np.float32)
    small = [name for name in reversed(CLASSES.names) if name not in _BELOW]
    for name in (*_BELOW, *small):
        share = opacity.get(name, 0.0)
        if name not in bits or not share:
            continue
        holds = (mask & bits[name]) != 0
        rgb = _rgb(CLASSES[name].marker.color)
        under = colours[holds]
        hidden = under[:, 3:] * (1 - share)
        total = share + hidden
        under[:, :3] = (share * rgb + hidden * under[:, :3]) / total
        under[:, 3:] = total
        colours[holds] = under
    return colours


def _rgb(color: str) -> np.ndarray:
    return np.array([int(color[n : n + 2], 16) for n in (1, 3, 5)], np.float32) / 255


def overlay_figure(
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    bits: Mapping[str, int],
    names: Sequence[str],
) -> Figure:
    """
    Draw the classes in colour over the images of an exposure.

    Parameters
    ----------
    images : sequence of 2D `~numpy.ndarray`
        Pixels.
    masks : sequence of 2D integer `~numpy.ndarray`
        Bits of the classes that hold.
    bits : dict of str to int
        Value of each class's bit.
    names : sequence of str
        Titles.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`
        With a legend that says which share of the pixels each class holds. Where
        several pixels become one, it has the classes of all.
    """
    from matplotlib.patches import Patch

    ny, nx = (max(image.shape[axis] for image in images) for axis in (0, 1))
    scale = _HEIGHT / max(ny * len(images), nx)
    figure = new_figure(
        max(nx * scale, 3.0) + 2.6, max(ny * len(images) * scale, 2.5) + 0.6
    )
    panels = figure.subplots(len(images), squeeze=False)[:, 0]
    for axes, image, mask, name in zip(panels, images, masks, names, strict=True):
        step = max(1, -(-max(image.shape) // _SIDE))
        height, width = image.shape
        shown = painted(image, mask, bits, step)
        axes.imshow(
            shown,
            origin='lower',
            interpolation='nearest',
            extent=tuple(
                edge - 0.5
                for edge in (0, shown.shape[1] * step, 0, shown.shape[0] * step)
            ),
        )
        axes.set(xlim=(-0.5, width - 0.5), ylim=(-0.5, height - 0.5), title=name)
        axes.set(xlabel='x (pixels)', ylabel='y (pixels)')
    pixels = sum(mask.size for mask in masks)
    handles = []
    for name in CLASSES.ordered(bits):
        held = sum(int(np.count_nonzero(mask & bits[name])) for mask in masks)
        if held and name in CLASSES:
            label = f'{CLASSES.plural(name)} {100 * held / pixels:.2g} %'
            color = CLASSES[name].marker.color
            handles.append(Patch(facecolor=color, edgecolor='0.4', label=label))
    if handles:
        figure.legend(handles=handles, loc='outside right upper', fontsize=9)
    return figure


def painted(
    image: np.ndarray, mask: np.ndarray, bits: Mapping[str, int], step: int
) -> np.ndarray:
    """
    Return an image in grey with the colours of a map over it.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        Pixels.
    mask : 2D integer `~numpy.ndarray`
        Bits of the classes that hold.
    bits : dict of str to int
        Value of each class's bit.
    step : int
        Blocks of so many pixels a side become one, which has the classes of all.

    Returns
    -------
    colours : (ny, nx, 3) float32 `~numpy.ndarray`
        Red, green and blue, from 0 to 1.
    """
    shades = np.nan_to_num(grey(image, step))[..., None]
    colours = paint(_any_bits(mask, step), bits)
    return shades * (1 - colours[..., 3:]) + colours[..., :3] * colours[..., 3:]


def _any_bits(mask: np.ndarray, step: int) -> np.ndarray:
    """Reduce a mask, each block to the bits of all its pixels."""
    if step == 1:
        return mask
    missing = [(0, -n % step) for n in mask.shape]
    wide = np.pad(mask, missing)
    blocks = wide.reshape(wide.shape[0] // step, step, wide.shape[1] // step, step)
    reduced: np.ndarray = np.bitwise_or.reduce(
        np.bitwise_or.reduce(blocks, axis=3), axis=1
    )
    return reduced
