"""Figures and the files that they are written to."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['new_figure', 'require_matplotlib', 'save_figure']


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
