"""Overlays of classes on images as a page to pan and zoom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.table import Table

from astrosieve.images.mosaic import Place, arrange
from astrosieve.pages import page_text
from astrosieve.pages.overlay import IMAGES, overlay_data
from astrosieve.source.classes import CLASSES
from astrosieve.source.flags import CLASS_FLAGS

__all__ = ['overlay_page']


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
    data = overlay_data(
        images, tables, titles, places, classes=CLASSES, flags=CLASS_FLAGS
    )
    return page_text(__package__, title=title or titles[0], data=data, images=IMAGES)
