"""A map in colours over a channel's image, and what a click on it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ginga.RGBImage import RGBImage

from astrosieve.contaminant.plotting import paint
from astrosieve.contaminant.segment import Contaminants
from astrosieve_plugins.ginga_classify.base import CanvasLayer

__all__ = ['MapLayer']


class MapLayer(CanvasLayer):
    """
    A layer of colours over the image of a channel.

    Parameters
    ----------
    fv : `ginga.rv.Control.GingaShell`
        The reference viewer.
    viewer : `ginga.Viewers.CanvasView`
        Viewer of the channel.
    tag : str
        Of the layer.
    clicked : callable
        Called with the position of a click, pixels, 0-based.
    """

    def __init__(
        self, fv: Any, viewer: Any, tag: str, clicked: Callable[[float, float], None]
    ) -> None:
        super().__init__(fv, viewer, tag, 'probe', down=self._down)
        self._clicked = clicked
        self._found: Contaminants | None = None
        self.colours: Any = None
        self._point: Any = None

    def clear(self) -> None:
        """Show nothing."""
        self.show(None, {})

    def show(self, found: Contaminants | None, opacity: Mapping[str, float]) -> None:
        """Put a map on the image; None clears it."""
        self._found = found
        self._canvas.delete_all_objects(redraw=found is None)
        self.colours = self._point = None
        if found is not None:
            self.colours = self._shapes.Image(0, 0, self._painted(opacity))
            self._canvas.add(self.colours)

    def repaint(self, opacity: Mapping[str, float]) -> None:
        """Change how much of the image each class hides."""
        if self.colours is not None:
            self.colours.set_image(self._painted(opacity))
            self._canvas.update_canvas(whence=0)

    def mark(self, x: float, y: float) -> None:
        """Mark a pixel."""
        if self._point is not None:
            self._canvas.delete_object(self._point, redraw=False)
        self._point = self._shapes.Point(x, y, 10, color='white', style='cross')
        self._canvas.add(self._point)

    def _painted(self, opacity: Mapping[str, float]) -> RGBImage:
        assert self._found is not None
        colours = paint(self._found.mask, self._found.bits, opacity)
        image = RGBImage()
        image.set_data(np.rint(255 * colours).astype(np.uint8), order='RGBA')
        return image

    def _down(self, _canvas: Any, event: Any, x: float, y: float, viewer: Any) -> bool:
        if event.viewer is not viewer or self._found is None:
            return False
        self._clicked(x, y)
        return True
