"""Classes over images: pictures by matplotlib (extra ``plot``), pages of HTML."""

from __future__ import annotations

from astrosieve.source.plotting.explanation import explanation_figure
from astrosieve.source.plotting.overlay import (
    add_legend,
    draw_overlay,
    overlay_figure,
)
from astrosieve.source.plotting.page import overlay_page

__all__ = [
    'add_legend',
    'draw_overlay',
    'explanation_figure',
    'overlay_figure',
    'overlay_page',
]
