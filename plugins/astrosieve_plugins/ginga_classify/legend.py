"""The legend: for each class its marker, tick, counts, least probability, button."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ginga.gw import Widgets

from astrosieve.classes import CONVENTIONS, UNSCORED, words
from astrosieve.source.classes import CLASSES
from astrosieve_plugins.ginga_classify.canvas import glyph
from astrosieve_plugins.ginga_classify.settings import Settings
from astrosieve_plugins.ginga_classify.widgets import button, check, choice, label, row

__all__ = ['Legend']


class Legend:
    """
    A line for each class, and what is done with labels.

    Parameters
    ----------
    box : `ginga.gw.Widgets.VBox`
        Where to put it.
    settings : `~astrosieve_plugins.ginga_classify.settings.Settings`
        What it says at first.
    filtered, recoloured : callable
        Called when what is shown changes, and when its colours do.
    assign : callable
        Called with the name of a class to give.
    undo, redo, clear : callable
        What the buttons do.

    Attributes
    ----------
    ticked : dict of str to bool
        Classes that were ticked or not.
    thresholds : dict of str to float
        Least probability at which a class is shown.
    """

    def __init__(
        self,
        box: Any,
        settings: Settings,
        *,
        filtered: Callable[[], None],
        recoloured: Callable[[], None],
        assign: Callable[[str], None],
        undo: Callable[[], None],
        redo: Callable[[], None],
        clear: Callable[[], None],
    ) -> None:
        self.ticked = dict.fromkeys(settings.hidden_classes, False)
        self.thresholds = {k: float(v) for k, v in settings.thresholds.items()}
        self._filtered, self._recoloured = filtered, recoloured
        self._assign = assign
        self.colours = choice(
            CONVENTIONS,
            settings.convention,
            self._recolour,
            'Colours of the markers',
        )
        self.show = check('markers', True, 'Show the markers on the image')
        self.show.add_callback('activated', lambda _w, _on: filtered())
        self.undo = button('Undo', undo, 'Undo the last label (u)')
        self.redo = button('Redo', redo, 'Label again (U)')
        self.unlabel = button('No label', clear, 'Take labels away (0)')
        widgets = (self.show, self.colours, self.undo, self.redo, self.unlabel)
        line = row(*((widget, int(widget is self.colours)) for widget in widgets))
        box.add_widget(line)
        self._lines = Widgets.VBox()
        box.add_widget(self._lines)
        self.set_classes((*CLASSES, UNSCORED))

    @property
    def convention(self) -> str:
        """Whose colours."""
        return str(self.colours.get_text())

    @property
    def on(self) -> bool:
        """Whether the markers are to be shown."""
        return bool(self.show.get_state())

    @property
    def keys(self) -> list[str]:
        """Classes that can be given, in the order of their numbers, from 1."""
        return [name for name in self.classes if name != UNSCORED]

    def set_classes(self, classes: tuple[str, ...]) -> None:
        """Make a line for each class."""
        self._lines.remove_all(delete=True)
        grid = Widgets.GridBox(rows=len(classes), columns=6)
        grid.set_column_spacing(6)
        grid.set_row_spacing(0)
        self.classes = classes
        self.glyph: dict[str, Any] = {}
        self.tick: dict[str, Any] = {}
        self.count: dict[str, Any] = {}
        self.slider: dict[str, Any] = {}
        self.least: dict[str, Any] = {}
        self.assign: dict[str, Any] = {}
        for number, name in enumerate(classes):
            for place, widget in enumerate(self._line(name)):
                grid.add_widget(widget, number, place, stretch=int(place == 3))
        self._lines.add_widget(grid)
        self._colour()

    def _line(self, name: str) -> list[Any]:
        """Return the widgets of a class; nothing is labelled 'unscored'."""
        self.glyph[name] = label('', 'center')
        self.glyph[name].set_font('sans', 14)
        self.tick[name] = check(words(name), self.ticked.get(name, True))
        self.tick[name].add_callback('activated', self._tick, name)
        self.count[name] = label('0', 'right', 'shown of all')
        first = [self.glyph[name], self.tick[name], self.count[name]]
        if name == UNSCORED:
            return first
        least = self.thresholds.get(name, 0)
        slider = Widgets.Slider(orientation='horizontal', track=True)
        slider.set_limits(0, 100)
        slider.set_value(round(100 * least))
        slider.set_tooltip('Least probability that is shown')
        slider.add_callback('value-changed', self._slide, name)
        self.slider[name] = slider
        self.least[name] = label(f'{least:.2f}', 'right')
        key = str(self.keys.index(name) + 1)
        tip = f'Label the selected detections {name} ({key})'
        self.assign[name] = button(key, partial(self._assign, name), tip)
        self.assign[name].set_max_size(34, 22)
        return [*first, slider, self.least[name], self.assign[name]]

    def show_counts(self, counts: Mapping[str, tuple[int, int]]) -> None:
        """Show for each class how many detections are shown, of how many."""
        for name, widget in self.count.items():
            shown, total = counts.get(name, (0, 0))
            widget.set_text(f'{shown}/{total}' if total else '0')

    def _tick(self, _widget: Any, on: bool, name: str) -> None:
        self.ticked[name] = on
        self._filtered()

    def _slide(self, _widget: Any, percent: int, name: str) -> None:
        self.thresholds[name] = percent / 100
        self.least[name].set_text(f'{percent / 100:.2f}')
        self._filtered()

    def _recolour(self) -> None:
        self._colour()
        self._recoloured()

    def _colour(self) -> None:
        for name, widget in self.glyph.items():
            marker = CLASSES.marker(name, self.convention)
            widget.set_text(glyph(marker))
            widget.set_color(fg=marker.color, bg='#303030')
