"""A map in colours over a channel's image, and what a click on it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ginga.RGBImage import RGBImage

from astrosieve.contaminant.plotting import paint
from astrosieve.contaminant.segment import Contaminants

__all__ = ['MapLayer']


class MapLayer:
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
        self._viewer, self._tag, self._clicked = viewer, tag, clicked
        self._found: Contaminants | None = None
        dc = fv.get_draw_classes()
        self._image_class, self._point_class = dc.Image, dc.Point
        self.colours: Any = None
        self._point: Any = None
        canvas = dc.DrawingCanvas()
        canvas.enable_draw(False)
        canvas.enable_edit(False)
        canvas.add_draw_mode('probe', down=self._down)
        canvas.register_for_cursor_drawing(viewer)
        canvas.set_surface(viewer)
        canvas.set_draw_mode('probe')
        self._canvas = canvas

    def start(self) -> None:
        """Put the layer on the image."""
        canvas = self._viewer.get_canvas()
        if not canvas.has_tag(self._tag):
            canvas.add(self._canvas, tag=self._tag)

    def stop(self) -> None:
        """Take the layer away."""
        self.show(None, {})
        self.listen(on=False)
        self._viewer.get_canvas().delete_object_by_tag(self._tag)

    def listen(self, *, on: bool) -> None:
        """Listen to the mouse, or leave it to others."""
        if on:
            self._canvas.ui_set_active(True, viewer=self._viewer)
        else:
            self._canvas.ui_set_active(False)

    def show(self, found: Contaminants | None, opacity: Mapping[str, float]) -> None:
        """Put a map on the image; None clears it."""
        self._found = found
        self._canvas.delete_all_objects(redraw=found is None)
        self.colours = self._point = None
        if found is not None:
            self.colours = self._image_class(0, 0, self._painted(opacity))
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
        self._point = self._point_class(x, y, 10, color='white', style='cross')
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
