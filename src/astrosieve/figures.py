"""Figures and the files that they are written to."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    'COLOURS',
    'GREY',
    'INK',
    'SHARES',
    'line_styles',
    'new_figure',
    'require_matplotlib',
    'save_figure',
]

INK = '#202428'
"""Colour of frames, and of what has no class of its own."""
GREY = '#9aa0a6'
"""Colour of what one is to compare with: diagonals, limits."""
COLOURS = (
    '#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#202428',
)  # fmt: skip
"""
Colours of what is compared, in this order.

Those of Okabe & Ito (2008), which colour-blind eyes tell apart, without yellow, which
no eye sees on white.
"""
SHARES = 'Blues'
"""Colour map of shares, from none to all."""
_LINES = ('-', '--', ':', '-.')


def line_styles(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """
    Return how the curves of things are drawn, the same in every panel of a figure.

    Parameters
    ----------
    names : iterable of str
        Of the things; each counts once.

    Returns
    -------
    styles : dict of str to dict
        Colour and line of each, for `~matplotlib.axes.Axes.plot`; no two are alike.
    """
    return {
        name: {
            'color': COLOURS[number % len(COLOURS)],
            'linestyle': _LINES[number % len(_LINES)],
        }
        for number, name in enumerate(dict.fromkeys(names))
    }


def require_matplotlib() -> None:
    """Raise an error that says what to install where matplotlib is missing."""
    if find_spec('matplotlib') is None:
        msg = "pictures need matplotlib: pip install 'astrosieve[plot]'"
        raise AstrosieveError(msg)


def new_figure(width: float, height: float, *, dpi: float = 150) -> Figure:
    """Return a figure of that many inches, apart from pyplot's global state."""
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path, *, overwrite: bool = False) -> None:
    """
    Write a figure, as PNG, or as PDF or SVG where the name says so.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    suffix = Path(path).suffix.lower().removeprefix('.')
    format = suffix if suffix in ('pdf', 'svg') else 'png'
    with atomic_path(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, format=format, bbox_inches='tight')
