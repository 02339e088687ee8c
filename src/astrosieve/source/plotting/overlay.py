"""Overlays of classes on images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from astrosieve.classes import words
from astrosieve.figures import new_figure
from astrosieve.images.mosaic import Place, arrange, bounds
from astrosieve.images.stretch import grey
from astrosieve.source.classes import CLASSES
from astrosieve.tables.catalogs import fill_masked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

__all__ = ['HOLLOW', 'add_legend', 'draw_overlay', 'overlay_figure']

HOLLOW = 'oDsp'
"""Shapes of markers, as matplotlib calls them, of which the outline is drawn."""

_PIXELS = 3_300  # longest side of an overlay, beyond which images are reduced
_INCHES = 11.0  # longest side on paper, for which texts and markers are made
_MARKER = 9.0  # pixels of the image across
_POINTS = (2.2, 13.0)  # least and most of a marker across
_CROWDED = 0.6  # of the distance of neighbours, below which markers do not shrink


def overlay_figure(
    images: Sequence[np.ndarray],
    tables: Sequence[Table],
    titles: Sequence[str],
    places: Sequence[Place] | None = None,
) -> Figure:
    """
    Draw classified detections over the images of an exposure.

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

    Returns
    -------
    figure : `~matplotlib.figure.Figure`

    Raises
    ------
    AstrosieveError
        If matplotlib is not installed.
    """
    places = places or arrange([image.shape for image in images])
    left, right, bottom, top = bounds(places)
    size = np.array([right - left, top - bottom])
    inches = size * (_INCHES / size.max())
    # The finest pixels of the images are those of the picture, where these are few.
    finest = min(abs(place.turn) for place in places)
    figure = new_figure(
        *np.maximum(inches, _INCHES / 3),
        dpi=float(np.clip(size.max() / finest, 1650, _PIXELS)) / _INCHES,
    )
    axes = figure.subplots()
    draw_overlay(axes, images, tables, places)
    if len(images) == 1:
        axes.set_title(titles[0], fontsize=10, loc='left')
    else:
        axes.set_axis_off()
        for place, title in zip(places, titles, strict=True):
            _name(axes, place, title)
    add_legend(figure, tables, counts=True)
    return figure


def draw_overlay(
    axes: Axes,
    images: Sequence[np.ndarray],
    tables: Sequence[Table],
    places: Sequence[Place] | None = None,
) -> None:
    """
    Draw images and their classified detections on matplotlib axes.

    Stars are green circles, cosmic rays red crosses, spikes blue diamonds, as
    in figures 6 and 7 of WFC3 ISR 2024-14. The stretch is an inverse
    hyperbolic sine of the signal in units of the sky's noise.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
        Where to draw.
    images : sequence of 2D `~numpy.ndarray`
        The images.
    tables : sequence of `~astropy.table.Table`
        With ``x_centroid``, ``y_centroid``, ``class_name``, one for each image.
    places : sequence of `~astrosieve.images.mosaic.Place`, optional
        Where the images lie beside each other; one above the other by default.
    """
    from matplotlib.transforms import Affine2D

    places = places or arrange([image.shape for image in images])
    left, right, bottom, top = bounds(places)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect='equal')
    axes.tick_params(labelsize=8)
    names, marks = [], []
    for image, table, place in zip(images, tables, places, strict=True):
        ny, nx = image.shape
        longest = max(right - left, top - bottom) / abs(place.turn)
        step = max(1, int(np.ceil(longest / _PIXELS)))
        # The blocks at the far edges reach beyond the image.
        edges = (-0.5, -(-nx // step) * step - 0.5, -0.5, -(-ny // step) * step - 0.5)
        picture = axes.imshow(
            grey(image, step),
            cmap='gray',
            origin='lower',
            vmin=0,
            vmax=1,
            extent=edges,
            interpolation='nearest',
            transform=Affine2D(_matrix(place)) + axes.transData,
        )
        picture.set_clip_path(_outline(place), axes.transData)
        z = fill_masked(table['x_centroid']) + 1j * fill_masked(table['y_centroid'])
        names.append(np.asarray(table['class_name'], dtype=str))
        marks.append(np.where(place.holds(place(z)), place(z), np.nan))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    _draw_markers(axes, np.concatenate(names), np.concatenate(marks))


def add_legend(
    figure: Figure, tables: Sequence[Table], *, counts: bool = False
) -> None:
    """
    Say below all axes what the markers are.

    Parameters
    ----------
    figure : `~matplotlib.figure.Figure`
        The figure.
    tables : sequence of `~astropy.table.Table`
        With ``class_name``: what the figure shows.
    counts : bool, optional
        Whether to say how many there are of each class.
    """
    from matplotlib.lines import Line2D

    names = [str(name) for table in tables for name in table['class_name']]
    handles = []
    for name in CLASSES.ordered(names):
        marker = CLASSES.marker(name)
        number = f' ({names.count(name)})' if counts else ''
        handles.append(
            Line2D(
                [],
                [],
                linestyle='none',
                marker=marker.matplotlib,
                markersize=7,
                color=marker.color,
                fillstyle='none' if marker.matplotlib in HOLLOW else 'full',
                label=words(name) + number,
            )
        )
    if handles:
        figure.legend(
            handles=handles,
            loc='outside lower center',
            ncols=4 if figure.get_figwidth() > 6 else 2,
            fontsize=9,
            facecolor='0.25',
            labelcolor='white',
        )


def _draw_markers(axes: Axes, names: np.ndarray, marks: np.ndarray) -> None:
    """Draw markers, as large as the picture and their number allow."""
    x, y = marks.real, marks.imag
    box, view = axes.get_window_extent(), axes.viewLim
    per_pixel = min(box.width / view.width, box.height / view.height)
    per_pixel *= 72 / axes.figure.dpi
    number = max(1, int(np.isfinite(x).sum()))
    apart = per_pixel * (view.width * view.height / number) ** 0.5
    least = np.clip(_CROWDED * apart, _POINTS[0], _POINTS[1] / 2)
    size = float(np.clip(_MARKER * per_pixel, least, _POINTS[1]))
    for name in CLASSES.ordered(names.tolist()):
        rows = (names == name) & np.isfinite(x)
        marker = CLASSES.marker(name)
        hollow = marker.matplotlib in HOLLOW
        axes.scatter(
            x[rows],
            y[rows],
            s=size**2,
            marker=marker.matplotlib,
            facecolors='none' if hollow else marker.color,
            edgecolors=marker.color if hollow else None,
            linewidths=float(np.clip(size / 9, 0.4, 1.3)),
        )


def _matrix(place: Place) -> np.ndarray:
    """Return the matrix that takes pixels to their place."""
    origin, right, up = place([0, 1, 1j])
    x, y = right - origin, up - origin
    return np.array(
        [[x.real, y.real, origin.real], [x.imag, y.imag, origin.imag], [0, 0, 1]]
    )


def _outline(place: Place) -> Path:
    from matplotlib.path import Path

    corners = place.corners
    return Path(np.column_stack([corners.real, corners.imag]), closed=False)


def _name(axes: Axes, place: Place, title: str) -> None:
    """Write a name into the upper left of an image."""
    corners = place.corners
    axes.annotate(
        title,
        (corners.real.min(), corners.imag.max()),
        (4, -4),
        textcoords='offset points',
        va='top',
        fontsize=8,
        color='white',
        bbox={'facecolor': '0.1', 'edgecolor': 'none', 'alpha': 0.75, 'pad': 2},
    )
