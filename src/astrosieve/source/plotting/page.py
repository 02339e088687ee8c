"""
Overlays of classes on images as a page to pan and zoom.

It is one file of HTML that needs no network; OpenSeadragon, which moves the images,
is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.classes import CONVENTIONS
from astrosieve.images.mosaic import Place, arrange
from astrosieve.images.stretch import grey
from astrosieve.pages import encoded, grey_png, page_text
from astrosieve.source.classes import CLASSES
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.tables.catalogs import fill_masked

__all__ = ['overlay_page']

_PIXELS = 20_000_000  # of all images; beyond it they are reduced
_LEVELS = 64  # of grey: noise that no eye sees would make most of the file


def overlay_page(
    images: Sequence[np.ndarray],
    tables: Sequence[Table],
    titles: Sequence[str],
    places: Sequence[Place] | None = None,
    *,
    title: str = '',
) -> str:
    """
    Return a page of classified detections over the images of an exposure.

    Parameters
    ----------
    images : sequence of 2D `~numpy.ndarray`
        Images.
    tables : sequence of `~astropy.table.Table`
        Their classified detections.
    titles : sequence of str
        Their names.
    places : sequence of `~astrosieve.images.mosaic.Place`, optional
        Where they lie beside each other; one above the other by default.
    title : str, optional
        Of the page; the first image's name by default.

    Returns
    -------
    text : str
        HTML, for `astrosieve.pages.save_page`.
    """
    places = places or arrange([image.shape for image in images])
    pixels = sum(image.size for image in images)
    step = max(1, int(np.ceil((pixels / _PIXELS) ** 0.5)))
    names = [np.asarray(table['class_name'], dtype=str) for table in tables]
    classes = CLASSES.ordered(np.concatenate(names).tolist())
    data = {
        'images': [
            {'name': name, 'step': step, **_image(image, place, step)}
            for image, name, place in zip(images, titles, places, strict=True)
        ],
        'classes': [
            {
                'name': name.replace('_', ' '),
                'shape': CLASSES.marker(name).matplotlib,
                'colours': [CLASSES.marker(name, each).color for each in CONVENTIONS],
            }
            for name in classes
        ],
        'flags': [[flag.value, flag.name, flag.description] for flag in CLASS_FLAGS],
        **_columns(tables, names, classes, places),
    }
    return page_text(
        __package__, title=title or titles[0], data=data, images='data: blob:'
    )


def _image(image: np.ndarray, place: Place, step: int) -> dict[str, Any]:
    """Return an image, and where it lies: its middle, width and turn, y downwards."""
    levels = np.nan_to_num(grey(image, step))
    if not place.mirrored:
        levels = levels[::-1]
    ny, nx = levels.shape
    height = image.shape[0]
    # The blocks at the far edges reach beyond the image.
    middle = place(complex(nx * step - 1, ny * step - 1) / 2)
    shades = 255 / (_LEVELS - 1)
    png = grey_png(np.rint(np.rint(levels * (_LEVELS - 1)) * shades).astype(np.uint8))
    return {
        'png': encoded(png),
        'middle': [float(middle.real), -float(middle.imag)],
        'width': nx * step * abs(place.turn),
        'turn': -float(np.degrees(np.angle(place.turn))),
        'rows': ny * step,
        'height': height,
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
        'shareNames': [name.removeprefix('p_').replace('_', ' ') for name in known],
        'columns': {key: encoded(column) for key, column in columns.items()},
    }
