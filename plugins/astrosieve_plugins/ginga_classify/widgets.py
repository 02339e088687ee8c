"""Widgets that the parts of the panel are made of, and the one that follows work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ginga.gw import Widgets

__all__ = ['WorkBox', 'button', 'check', 'choice', 'entry', 'label', 'row']

# Of the box of messages: characters in a line, its height in pixels, lines that there
# are room for at any time, and at most.
_LINE, _LINE_HEIGHT, _FEW, _MANY = 52, 17, 2, 8


def button(text: str, method: Callable[[], Any], tip: str = '') -> Any:
    """Return a button that calls a method."""
    widget = Widgets.Button(text)
    widget.add_callback('activated', lambda _w: method())
    return _with_tip(widget, tip)


def check(text: str, on: bool, tip: str = '') -> Any:
    """Return a tick box."""
    widget = Widgets.CheckBox(text)
    widget.set_state(on)
    return _with_tip(widget, tip)


def choice(
    items: Iterable[str],
    chosen: str,
    method: Callable[[], Any] | None = None,
    tip: str = '',
) -> Any:
    """Return a list to choose from, which calls a method after a choice."""
    widget = Widgets.ComboBox()
    for item in items:
        widget.append_text(item)
    widget.set_index(list(items).index(chosen))
    if method is not None:
        widget.add_callback('activated', lambda _w, _i: method())
    return _with_tip(widget, tip)


def entry(text: str, tip: str = '', length: int = 6) -> Any:
    """Return a line to type in, so many characters long."""
    widget = Widgets.TextEntry()
    widget.set_text(text)
    widget.set_length(length)
    return _with_tip(widget, tip)


def label(text: str, align: str = 'left', tip: str = '') -> Any:
    """Return a text."""
    widget = Widgets.Label(text, halign=align)
    widget.set_valign('center')
    return _with_tip(widget, tip)


def _with_tip(widget: Any, tip: str) -> Any:
    if tip:
        widget.set_tooltip(tip)
    return widget


def row(*widgets: tuple[Any, int]) -> Any:
    """Return widgets side by side, each with the share it takes of what is left."""
    box = Widgets.HBox()
    box.set_spacing(4)
    for widget, stretch in widgets:
        box.add_widget(widget, stretch=stretch)
    return box


class WorkBox:
    """
    The buttons that start and end work, how far it is, and what there is to say.

    Parameters
    ----------
    box : `ginga.gw.Widgets.VBox`
        Where to put it.
    name, tip : str
        What the button says that starts the work, and what that means.
    start, cancel : callable
        What the buttons do.
    """

    def __init__(
        self,
        box: Any,
        name: str,
        tip: str,
        *,
        start: Callable[[], Any],
        cancel: Callable[[], Any],
    ) -> None:
        self.start = button(name, start, tip)
        self.cancel = button('Cancel', cancel)
        self.cancel.set_enabled(False)
        self.progress = Widgets.ProgressBar()
        self.status = Widgets.TextArea(wrap=True, editable=False)
        self.say('')
        box.add_widget(row((self.start, 1), (self.cancel, 0), (self.progress, 1)))
        box.add_widget(self.status)

    def begin(self) -> None:
        """Show that work is under way."""
        self.start.set_enabled(False)
        self.cancel.set_enabled(True)

    def follow(self, share: float, text: str) -> None:
        """Show how far it is, 0 to 1."""
        self.progress.set_value(share)
        self.say(text)

    def end(self) -> None:
        """Show that there is no work."""
        self.start.set_enabled(True)
        self.cancel.set_enabled(False)
        self.progress.set_value(0.0)

    def say(self, text: str) -> None:
        """Show a text from its beginning, in as many lines as it takes."""
        lines = sum(1 + len(line) // _LINE for line in text.split('\n'))
        height = _LINE_HEIGHT * min(max(lines, _FEW), _MANY) + 12
        self.status.set_min_size(0, height)
        self.status.set_max_size(2000, height)
        self.status.set_text(text)
        self.status.set_scroll_pos(0)
