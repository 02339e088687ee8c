"""The markers on a channel's image, and what mouse and keys do over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from astrosieve.tables.coordinate_files import detection_flux
from astrosieve_plugins.ginga_classify.base import CanvasLayer
from astrosieve_plugins.ginga_classify.canvas import ClassMarkers
from astrosieve_plugins.ginga_classify.review import Review

__all__ = ['Layer']

_CLICK = 4  # screen pixels that a click may move
_BOX = 'selection-box'


class Layer(CanvasLayer):
    """
    A layer over the image of a channel.

    Parameters
    ----------
    fv : `ginga.rv.Control.GingaShell`
        The reference viewer.
    viewer : `ginga.Viewers.CanvasView`
        Viewer of the channel.
    tag : str
        Of the layer.
    size : float
        Factor on the size of the markers.
    select : callable
        Called with the rows that a click or a rectangle takes, and whether they
        join the selection.
    key : callable
        Called with a key; returns whether it is taken.
    """

    def __init__(
        self,
        fv: Any,
        viewer: Any,
        tag: str,
        size: float,
        *,
        select: Callable[[np.ndarray, bool], None],
        key: Callable[[str], bool],
    ) -> None:
        super().__init__(
            fv, viewer, tag, 'select',
            down=self._down, move=self._move, up=self._up, key=self._key,
        )  # fmt: skip
        self.markers: ClassMarkers | None = None
        self._size, self._select, self._take_key = size, select, key
        self._review: Review | None = None
        self._pressed: tuple[float, float] | None = None
        self._on = True
        canvas = self._canvas
        canvas.add_callback('draw-down', self._down, viewer)
        canvas.add_callback('draw-move', self._move, viewer)
        canvas.add_callback('draw-up', self._add, viewer)

    def clear(self) -> None:
        """Show nothing."""
        self.show(None, '')

    def show(self, review: Review | None, convention: str) -> None:
        """Put the detections of a catalogue on the image; None clears it."""
        if self.markers is not None:
            self._canvas.delete_object(self.markers, redraw=review is None)
            self.markers = None
        self._review = review
        if review is None:
            return
        x, y = review.xy.T
        self.markers = ClassMarkers(
            x,
            y,
            review.codes,
            review.classes,
            brightness=detection_flux(review.table),
            convention=convention,
            size=self._size,
        )
        self._canvas.add(self.markers, redraw=False)

    def update(self, *, on: bool) -> None:
        """Show what the catalogue says now, or no markers."""
        self._on = on
        review, markers = self._review, self.markers
        if review is not None and markers is not None:
            markers.codes = review.codes
            markers.labelled = review.labelled
            markers.shown = review.shown if on else np.zeros(len(review), dtype=bool)
            markers.selected = review.selected
        self._redraw()

    def mark_selected(self) -> None:
        """Show what is selected."""
        if self._review is not None and self.markers is not None:
            self.markers.selected = self._review.selected
            self._redraw()

    def recolour(self, convention: str) -> None:
        """Change the colours."""
        if self.markers is not None:
            self.markers.convention = convention
            self._redraw()

    def _redraw(self) -> None:
        self._canvas.update_canvas(whence=3)

    def _down(self, _canvas: Any, event: Any, x: float, y: float, viewer: Any) -> bool:
        if event.viewer is not viewer:
            return False
        self._pressed = (x, y)
        return True

    def _move(self, _canvas: Any, event: Any, x: float, y: float, viewer: Any) -> bool:
        if self._pressed is None or event.viewer is not viewer:
            return False
        self._canvas.delete_object_by_tag(_BOX, redraw=False)
        box = self._shapes.Rectangle(
            *self._pressed, x, y, color='white', linestyle='dash'
        )
        self._canvas.add(box, tag=_BOX)
        return True

    def _up(self, _canvas: Any, event: Any, x: float, y: float, viewer: Any) -> bool:
        return self._taken(event, x, y, viewer, joins=False)

    def _add(self, _canvas: Any, event: Any, x: float, y: float, viewer: Any) -> bool:
        return self._taken(event, x, y, viewer, joins=True)

    def _taken(
        self, event: Any, x: float, y: float, viewer: Any, *, joins: bool
    ) -> bool:
        """Select what a click or a rectangle takes; return whether it is ours."""
        if self._pressed is None or event.viewer is not viewer:
            return False
        (x0, y0), self._pressed = self._pressed, None
        self._canvas.delete_object_by_tag(_BOX)
        if self._review is None or self.markers is None or not self._on:
            return False
        scale = viewer.get_scale_max()
        if max(abs(x - x0), abs(y - y0)) * scale > _CLICK:
            rows = self._review.in_box(x0, y0, x, y)
        else:
            reach = max(1.5 * self.markers.radius(viewer) / scale, 1.0)
            row = self._review.nearest(x, y, reach, self.markers.drawn(viewer))
            rows = np.array([] if row is None else [row], dtype=np.intp)
        self._select(rows, joins)
        return True

    def _key(
        self, _canvas: Any, event: Any, _x: float, _y: float, _viewer: Any
    ) -> bool:
        return self._take_key(event.key)
