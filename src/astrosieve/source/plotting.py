"""Overlays of classes on images (needs matplotlib, extra ``plot``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from astrosieve.figures import new_figure
from astrosieve.images.background import measure_background
from astrosieve.source.classes import CLASSES
from astrosieve.tables.catalogs import fill_masked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from astrosieve.source.explain import Explanation, View

__all__ = ['draw_overlay', 'explanation_figure', 'overlay_figure']

_PIXELS = 3_300  # longest side of an overlay, beyond which images are reduced


def overlay_figure(
    images: Sequence[np.ndarray], tables: Sequence[Table], titles: Sequence[str]
) -> Figure:
    """
    Draw classified detections over images, one panel each, top to bottom.

    Parameters
    ----------
    images : sequence of 2D `~numpy.ndarray`
        Images.
    tables : sequence of `~astropy.table.Table`
        Their classified detections.
    titles : sequence of str
        Their names.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`

    Raises
    ------
    AstrosieveError
        If matplotlib is not installed.
    """
    width = max(image.shape[1] for image in images)
    height = sum(image.shape[0] for image in images)
    longest = np.clip(max(width, height) / 160, 11, 22)
    inches = np.array([width, height]) * (longest / max(width, height))
    inches = np.maximum(inches, 6) + np.array([0.4, 0.9 * len(images)])
    figure = new_figure(inches[0], inches[1])
    rows = figure.subplots(len(images), 1, squeeze=False)[:, 0]
    for axes, image, table, title in zip(rows, images, tables, titles, strict=True):
        draw_overlay(axes, image, table)
        axes.set_title(title, fontsize=10, loc='left')
    return figure


def explanation_figure(explanation: Explanation, title: str = '') -> Figure:
    """
    Draw a cutout as the network sees it, what its class rests on, and the odds.

    Parameters
    ----------
    explanation : `~astrosieve.source.explain.Explanation`
        As from `~astrosieve.source.explain.explain_source`.
    title : str, optional
        Name of the detection.

    Returns
    -------
    figure : `~matplotlib.figure.Figure`

    Raises
    ------
    AstrosieveError
        If matplotlib is not installed.
    """
    n_views = len(explanation.views)
    figure = new_figure(10, 0.6 + 3.0 * n_views)
    grid = figure.add_gridspec(n_views, 3, width_ratios=(1, 1.25, 1))
    name = explanation.class_name.replace('_', ' ')
    for row, view in enumerate(explanation.views):
        seen, why = (figure.add_subplot(grid[row, column]) for column in (0, 1))
        _draw_view(seen, why, view, explanation.position)
        sides = '' if view.scale == 1 else f', {view.scale}x{view.scale} pixels in one'
        seen.set_title(f'as the network sees it{sides}', fontsize=10)
        why.set_title(f'what speaks for {name}', fontsize=10)
    odds = figure.add_subplot(grid[:, 2] if n_views == 1 else grid[0, 2])
    names = list(explanation.probabilities)
    odds.barh(
        [each.replace('_', ' ') for each in names],
        [explanation.probabilities[each] for each in names],
        color=[CLASSES.marker(each).color for each in names],
        edgecolor='0.3',
    )
    for row, each in enumerate(names):
        value = explanation.probabilities[each]
        odds.text(min(value, 0.72) + 0.02, row, f'{value:.4f}', va='center', fontsize=9)
    odds.invert_yaxis()
    odds.set(xlim=(0, 1), xlabel='probability')
    odds.set_title(', '.join(explanation.flags) or 'no flags', fontsize=8)
    odds.tick_params(labelsize=8)
    figure.suptitle(title, fontsize=11)
    return figure


def _draw_view(
    seen: Axes, why: Axes, view: View, position: tuple[float, float]
) -> None:
    """Draw one view and its saliency, on the pixels of the exposure."""
    x, y = (int(np.floor(value + 0.5)) for value in position)
    half = view.cutout.shape[0] // 2
    # The blocks of wider views lie on a grid of their own.
    left, low = ((value // view.scale - half) * view.scale - 0.5 for value in (x, y))
    side = view.cutout.shape[0] * view.scale
    extent = (left, left + side, low, low + side)
    seen.imshow(np.arcsinh(view.cutout), cmap='gray', origin='lower', extent=extent)
    limit = max(float(np.abs(view.saliency).max()), 1e-3)
    picture = why.imshow(
        view.saliency,
        cmap='RdBu_r',
        origin='lower',
        extent=extent,
        vmin=-limit,
        vmax=limit,
    )
    why.figure.colorbar(picture, ax=why, label='loss of log-odds when hidden')
    for axes in (seen, why):
        axes.tick_params(labelsize=8)


def draw_overlay(axes: Axes, image: np.ndarray, table: Table) -> None:
    """
    Draw an image and its classified detections on matplotlib axes.

    Stars are green circles, cosmic rays red crosses, spikes blue diamonds, as
    in figures 6 and 7 of WFC3 ISR 2024-14. The stretch is an inverse
    hyperbolic sine of the signal in units of the sky's noise.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
        Where to draw.
    image : 2D `~numpy.ndarray`
        The image.
    table : `~astropy.table.Table`
        With ``x_centroid``, ``y_centroid``, ``class_name``.
    """
    ny, nx = image.shape
    step = max(1, int(np.ceil(max(ny, nx) / _PIXELS)))
    finite = np.isfinite(image)
    sky = measure_background(image, spoilt=~finite)
    noise = sky.noise if sky.noise > 0 else 1.0
    signal = np.where(finite, (image - sky.level) / noise, np.nan)
    axes.imshow(
        np.arcsinh(_brightest(signal, step) / 3),
        cmap='gray',
        origin='lower',
        vmin=np.arcsinh(-2 / 3),
        vmax=np.arcsinh(100),
        extent=(-0.5, nx - 0.5, -0.5, ny - 0.5),
        interpolation='nearest',
    )
    names = np.asarray(table['class_name'], dtype=str)
    x, y = fill_masked(table['x_centroid']), fill_masked(table['y_centroid'])
    inside = (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    box = axes.get_window_extent()
    per_pixel = min(box.width / nx, box.height / ny) * 72 / axes.figure.dpi
    size = float(np.clip(9 * per_pixel, 2.5, 13)) ** 2
    for name in CLASSES.ordered(names[inside].tolist()):
        rows = (names == name) & inside
        marker = CLASSES.marker(name)
        hollow = marker.matplotlib in 'oDsp'
        axes.scatter(
            x[rows],
            y[rows],
            s=size,
            marker=marker.matplotlib,
            facecolors='none' if hollow else marker.color,
            edgecolors=marker.color if hollow else None,
            linewidths=float(np.clip(size**0.5 / 9, 0.5, 1.3)),
            label=f'{name.replace("_", " ")} ({int((names == name).sum())})',
        )
    if len(table):
        axes.legend(
            loc='upper center',
            bbox_to_anchor=(0.5, -0.04),
            ncols=4,
            fontsize=9,
            frameon=True,
            facecolor='0.25',
            labelcolor='white',
        )
    axes.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))
    axes.tick_params(labelsize=8)


def _brightest(image: np.ndarray, step: int) -> np.ndarray:
    """Reduce an image, each block to its brightest pixel, so that hits stay."""
    if step == 1:
        return image
    ny, nx = (n // step * step for n in image.shape)
    blocks = image[:ny, :nx].reshape(ny // step, step, nx // step, step)
    return np.fmax.reduce(np.fmax.reduce(blocks, axis=3), axis=1)
