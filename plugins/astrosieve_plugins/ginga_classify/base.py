"""What the plugins of a channel have in common: how they begin and end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ginga.GingaPlugin import LocalPlugin
from ginga.gw import Widgets

from astrosieve_plugins.ginga_classify.widgets import button, row

__all__ = ['CanvasLayer', 'ChannelPlugin', 'Layered']


class CanvasLayer:
    """
    A layer over the image of a channel, on a canvas with a mouse mode of its own.

    Parameters
    ----------
    fv : `ginga.rv.Control.GingaShell`
        The reference viewer.
    viewer : `ginga.Viewers.CanvasView`
        Viewer of the channel.
    tag : str
        Of the layer.
    mode : str
        Name of the mode.
    **handlers : callable
        What the mode does: ``down``, ``move``, ``up``, ``key``.
    """

    def __init__(
        self, fv: Any, viewer: Any, tag: str, mode: str, **handlers: Callable[..., bool]
    ) -> None:
        self._viewer, self._tag = viewer, tag
        self._shapes = fv.get_draw_classes()
        canvas = self._shapes.DrawingCanvas()
        canvas.enable_draw(False)  # the right button is for selecting, too
        canvas.enable_edit(False)
        canvas.add_draw_mode(mode, **handlers)
        canvas.register_for_cursor_drawing(viewer)
        canvas.set_surface(viewer)
        canvas.set_draw_mode(mode)
        self._canvas = canvas

    def clear(self) -> None:
        """Show nothing."""
        raise NotImplementedError

    def start(self) -> None:
        """Put the layer on the image."""
        canvas = self._viewer.get_canvas()
        if not canvas.has_tag(self._tag):
            canvas.add(self._canvas, tag=self._tag)

    def stop(self) -> None:
        """Take the layer away."""
        self.clear()
        self.listen(on=False)
        self._viewer.get_canvas().delete_object_by_tag(self._tag)

    def listen(self, *, on: bool) -> None:
        """Listen to mouse and keys, or leave them to others."""
        if on:
            self._canvas.ui_set_active(True, viewer=self._viewer)
        else:
            self._canvas.ui_set_active(False)


class Layered(Protocol):
    """What a plugin has from its start to its end: a panel, and a layer."""

    @property
    def layer(self) -> CanvasLayer:
        """Over the image."""

    def look(self) -> None:
        """Show what is known of the image that the channel shows now."""

    def blank(self, text: str) -> None:
        """Show nothing, and say why."""

    def say(self, text: str) -> None:
        """Show a text in the status line."""

    def close(self) -> None:
        """End the work, take the layer away."""


class ChannelPlugin(LocalPlugin):
    """
    A plugin with a panel and a layer, whose methods ginga calls.

    Parameters
    ----------
    fv : `ginga.rv.Control.GingaShell`
        The reference viewer.
    fitsimage : `ginga.Viewers.CanvasView`
        Viewer of the channel.
    ident : str
        Name under which the viewer runs this instance.

    Attributes
    ----------
    desk : `Layered` or None
        The panel and what it works on, from `build_gui` to `stop`.
    """

    def __init__(self, fv: Any, fitsimage: Any, *, ident: str) -> None:
        super().__init__(fv, fitsimage)
        self.ident = ident
        self.layertag = f'{ident}-canvas'
        self.desk: Any = None

    def __str__(self) -> str:
        return self.ident

    def make_desk(self, box: Any) -> Layered:
        """Put the widgets into a box."""
        raise NotImplementedError

    def forget(self, name: str, path: str) -> None:
        """Let go of an image that was removed from the channel."""
        raise NotImplementedError

    def help(self, text_kind: str = 'rst') -> None:
        """Show the help page."""
        raise NotImplementedError

    def build_gui(self, container: Any) -> None:
        """Make the widgets."""
        box = Widgets.VBox()
        box.set_border_width(4)
        box.set_spacing(4)
        self.desk = self.make_desk(box)
        scrolled = Widgets.ScrollArea()
        scrolled.set_widget(box)
        container.add_widget(scrolled, stretch=1)
        close, help_ = button('Close', self.close), button('Help', self.help)
        container.add_widget(row((close, 0), (help_, 0), (Widgets.Label(''), 1)))

    def start(self) -> None:
        """Show the layer; called after `build_gui`."""
        if self.desk is None:
            return
        self.fv.add_callback('remove-image', self._image_removed)
        self.desk.layer.start()
        self.resume()
        self.desk.look()

    def resume(self) -> None:
        """Listen to mouse and keys."""
        self.modes_off()
        if self.desk is not None:
            self.desk.layer.listen(on=True)

    def pause(self) -> None:
        """Leave mouse and keys to others."""
        if self.desk is not None:
            self.desk.layer.listen(on=False)

    def redo(self) -> None:
        """Show what is known of the image that the channel shows now."""
        if self.desk is not None:
            self.desk.look()

    def blank(self) -> None:
        """Show nothing, as the channel does."""
        if self.desk is not None:
            self.desk.blank('no image: open one in this channel first')

    def stop(self) -> None:
        """Take the layer away and let go of the images."""
        self.fv.remove_callback('remove-image', self._image_removed)
        if self.desk is not None:
            self.desk.close()
            self.desk = None

    def close(self) -> bool:
        """Close the plugin."""
        self.fv.stop_local_plugin(self.chname, str(self))
        return True

    def _image_removed(self, _fv: Any, chname: str, name: str, path: Any) -> None:
        """Forget an image that was removed from the channel."""
        if chname == self.chname and self.desk is not None:
            self.forget(name, str(path))
            self.fv.gui_do(self.redo)
