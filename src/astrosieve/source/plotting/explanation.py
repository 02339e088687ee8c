"""Why a detection has its class, as a picture."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from astrosieve.classes import words
from astrosieve.figures import new_figure
from astrosieve.source.classes import CLASSES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from astrosieve.source.explain import Explanation, View

__all__ = ['explanation_figure']

_LINE = 36  # letters of a line of flags


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
    figure = new_figure(10.5, 0.6 + 3.0 * n_views)
    grid = figure.add_gridspec(n_views, 3, width_ratios=(1, 1.25, 1))
    name = words(explanation.class_name)
    for row, view in enumerate(explanation.views):
        seen, why = (figure.add_subplot(grid[row, column]) for column in (0, 1))
        _draw_view(seen, why, view, explanation.position)
        seen.set_title(
            'as the network sees it'
            if view.scale == 1
            else f'in blocks of {view.scale}x{view.scale} pixels',
            fontsize=10,
        )
        why.set_title(f'what speaks for {name}', fontsize=10)
    odds = figure.add_subplot(grid[:, 2] if n_views == 1 else grid[0, 2])
    names = list(explanation.probabilities)
    odds.barh(
        [words(each) for each in names],
        [explanation.probabilities[each] for each in names],
        color=[CLASSES.marker(each, 'colour-blind').color for each in names],
        edgecolor='0.3',
    )
    for row, each in enumerate(names):
        value = explanation.probabilities[each]
        odds.text(min(value, 0.72) + 0.02, row, f'{value:.4f}', va='center', fontsize=9)
    odds.invert_yaxis()
    odds.set(xlim=(0, 1), xlabel='probability')
    flags = textwrap.fill(', '.join(explanation.flags) or 'no flags', _LINE)
    odds.set_title(flags, fontsize=8)
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
