"""Figures and the files that they are written to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['save_figure']


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of that many inches, apart from pyplot's global state."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        msg = "pictures need matplotlib: pip install 'astrosieve[plot]'"
        raise AstrosieveError(msg) from None
    figure = Figure(figsize=(width, height), dpi=150, layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path, *, overwrite: bool = False) -> None:
    """
    Write a figure as PNG.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_path(path, overwrite=overwrite) as temporary:
        figure.savefig(temporary, format='png', bbox_inches='tight')
