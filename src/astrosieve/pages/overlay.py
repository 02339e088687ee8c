"""
Images of an exposure with what was found in them, to pan and zoom in a page.

The page names ``{{overlay.html}}``, ``{{overlay.css}}``, ``{{overlay-zoom.html}}`` and
``{{overlay-scripts.html}}``, and may go on from the functions of ``overlay.js``.
OpenSeadragon, which moves the images, is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.classes import CONVENTIONS, ClassSet, words
from astrosieve.flags import FlagSet
from astrosieve.images.mosaic import Place
from astrosieve.images.stretch import brightest, grey
from astrosieve.pages import encoded, grey_png, mask_png
from astrosieve.tables.catalogs import fill_masked

__all__ = ['IMAGES', 'Layer', 'overlay_data']

IMAGES = 'data: blob:'
"""Where images of such a page come from, for `astrosieve.pages.page_text`."""

_PIXELS = 20_000_000  # of all images; beyond it they are reduced
_LEVELS = 64  # of grey: noise that no eye sees would make most of the file


@dataclass(frozen=True, eq=False)
class Layer:
    """
    Pixels that can be shown in colour over the images.

    Parameters
    ----------
    name : str
        What they are.
    colour : str
        ``'#rrggbb'``.
    masks : sequence of 2D bool `~numpy.ndarray`
        Which pixels, for each image.
    said : str
        How much that is.
    opacity : float
        How much of the image they hide, of 1.
    """

    name: str
    colour: str
    masks: Sequence[np.ndarray]
    said: str = ''
    opacity: float = 0.7


def overlay_data(
    images: Sequence[np.ndarray],
    tables: Sequence[Table],
    titles: Sequence[str],
    places: Sequence[Place],
    *,
    classes: ClassSet,
    flags: FlagSet,
    layers: Sequence[Layer] = (),
) -> dict[str, Any]:
    """
    Return what the scripts of such a page need.

    Parameters
    ----------
    images : sequence of 2D `~numpy.ndarray`
        Images.
    tables : sequence of `~astropy.table.Table`
        What was found in each: ``id``, ``x_centroid``, ``y_centroid``, ``class_name``,
        ``p_<class>``, ``class_flags``, and ``sky_centroid`` where it is known.
    titles : sequence of str
        Their names.
    places : sequence of `~astrosieve.images.mosaic.Place`
        Where they lie beside each other.
    classes : `~astrosieve.classes.ClassSet`
        The classes.
    flags : `~astrosieve.flags.FlagSet`
        The bits of ``class_flags``.
    layers : sequence of `Layer`, optional
        What can be shown besides; none is at first.

    Returns
    -------
    data : dict
        What JSON holds.
    """
    pixels = sum(image.size for image in images)
    step = max(1, int(np.ceil((pixels / _PIXELS) ** 0.5)))
    names = [np.asarray(table['class_name'], dtype=str) for table in tables]
    found = classes.ordered(np.concatenate(names).tolist())
    return {
        'images': [
            {'name': name, **_image(image, place, step)}
            for image, name, place in zip(images, titles, places, strict=True)
        ],
        'layers': [
            {
                'name': layer.name,
                'colour': layer.colour,
                'said': layer.said,
                'opacity': layer.opacity,
                'pictures': [
                    _mask(mask, place, step, layer.colour)
                    for mask, place in zip(layer.masks, places, strict=True)
                    if mask.any()
                ],
            }
            for layer in layers
        ],
        'classes': [
            {
                'name': words(name),
                'shape': classes.marker(name).matplotlib,
                'colours': [classes.marker(name, each).color for each in CONVENTIONS],
            }
            for name in found
        ],
        'flags': [[flag.value, flag.name, flag.description] for flag in flags],
        **_columns(tables, names, found, places),
    }


def _image(image: np.ndarray, place: Place, step: int) -> dict[str, Any]:
    """Return an image in grey, where it lies."""
    levels = _upright(np.nan_to_num(grey(image, step)), place)
    shades = 255 / (_LEVELS - 1)
    png = grey_png(np.rint(np.rint(levels * (_LEVELS - 1)) * shades).astype(np.uint8))
    return _placed(png, image.shape, place, step)


def _mask(mask: np.ndarray, place: Place, step: int, colour: str) -> dict[str, Any]:
    """Return a mask in a colour, where it lies; a block holds what its pixels do."""
    reduced = _upright(brightest(mask.astype(np.float32), step) > 0, place)
    return _placed(mask_png(reduced, colour), mask.shape, place, step)


def _upright(picture: np.ndarray, place: Place) -> np.ndarray:
    """Return a picture with the row on top that a page has there."""
    return picture if place.mirrored else picture[::-1]


def _placed(
    png: bytes, shape: tuple[int, ...], place: Place, step: int
) -> dict[str, Any]:
    """Return a picture, and where it lies: its middle, width and turn, y downwards."""
    # The blocks at the far edges reach beyond the image.
    ny, nx = (-(-n // step) * step for n in shape)
    middle = place(complex(nx - 1, ny - 1) / 2)
    return {
        'png': encoded(png),
        'step': step,
        'middle': [float(middle.real), -float(middle.imag)],
        'width': nx * abs(place.turn),
        'turn': -float(np.degrees(np.angle(place.turn))),
        'rows': ny,
        'height': shape[0],
        'mirrored': place.mirrored,
    }


def _columns(
    tables: Sequence[Table],
    names: Sequence[np.ndarray],
    classes: Sequence[str],
    places: Sequence[Place],
) -> dict[str, Any]:
    """Return what is known of the detections, column by column."""
    number = {name: i for i, name in enumerate(classes)}
    each = {
        'kind': (np.array([number[n] for n in rows]) for rows in names),
        'image': (np.full(len(table), i) for i, table in enumerate(tables)),
        'bits': (np.asarray(table['class_flags']) for table in tables),
        'x': (fill_masked(table['x_centroid']) for table in tables),
        'y': (fill_masked(table['y_centroid']) for table in tables),
    }
    types = {'kind': 'u1', 'image': '<u2', 'bits': '<i4'}
    columns = {
        key: np.concatenate(list(values)).astype(types.get(key, '<f4'))
        for key, values in each.items()
    }
    z = [
        place(fill_masked(table['x_centroid']) + 1j * fill_masked(table['y_centroid']))
        for table, place in zip(tables, places, strict=True)
    ]
    ours = np.concatenate(z)
    columns['left'] = ours.real.astype('<f4')
    columns['down'] = (-ours.imag).astype('<f4')
    known = [n for n in tables[0].colnames if n.startswith('p_')]
    shares = [[fill_masked(table[name]) for name in known] for table in tables]
    columns['shares'] = np.hstack([np.array(s) for s in shares]).T.astype('<f4')
    if all('sky_centroid' in table.colnames for table in tables):
        for key in ('ra', 'dec'):
            values = [getattr(t['sky_centroid'].icrs, key).deg for t in tables]
            columns[key] = np.concatenate(values).astype('<f8')
    return {
        'ids': [str(name) for table in tables for name in table['id']],
        'shareNames': [words(name.removeprefix('p_')) for name in known],
        'columns': {key: encoded(column) for key, column in columns.items()},
    }
