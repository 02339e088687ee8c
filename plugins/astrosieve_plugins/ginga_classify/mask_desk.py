"""The plugin of maps at work in a channel: its panel, and what connects its parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ginga.gw import Widgets

from astrosieve.classes import words
from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.plotting import OPACITY
from astrosieve.exceptions import AstrosieveError, ExposureError
from astrosieve.images.exposures import root_name
from astrosieve.models.registry import list_models
from astrosieve_plugins.ginga_classify.contaminants import Mapped, map_image, save
from astrosieve_plugins.ginga_classify.map_layer import MapLayer
from astrosieve_plugins.ginga_classify.shown import Target, target_of
from astrosieve_plugins.ginga_classify.widgets import (
    WorkBox,
    button,
    check,
    choice,
    entry,
    label,
    row,
)
from astrosieve_plugins.ginga_classify.work import Job, Worker, describe

__all__ = ['MaskDesk', 'MaskLegend']

_SHORTLY = 0.1  # seconds that a slider rests before the colours follow


class MaskLegend:
    """
    A line for each class: colour, tick, share, opacity, probability where one clicked.

    Parameters
    ----------
    box : `ginga.gw.Widgets.VBox`
        Where to put it.
    changed : callable
        Called when an opacity changes.
    """

    def __init__(self, box: Any, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.tick: dict[str, Any] = {}
        self.share: dict[str, Any] = {}
        self.slider: dict[str, Any] = {}
        self.here: dict[str, Any] = {}
        grid = Widgets.GridBox(rows=len(CLASSES) + 1, columns=5)
        grid.set_column_spacing(6)
        grid.set_row_spacing(0)
        for place, text in ((2, 'pixels'), (3, 'opacity'), (4, 'p here')):
            grid.add_widget(label(text, 'center' if place == 3 else 'right'), 0, place)
        for number, name in enumerate(CLASSES, start=1):
            for place, widget in enumerate(self._line(name)):
                grid.add_widget(widget, number, place, stretch=int(place == 3))
        box.add_widget(grid)

    def _line(self, name: str) -> list[Any]:
        info = CLASSES[name]
        glyph = label('■', 'center', info.meaning)
        glyph.set_font('sans', 14)
        glyph.set_color(fg=info.marker.color, bg='#303030')
        self.tick[name] = check(words(name), True, info.meaning)
        self.tick[name].add_callback('activated', lambda _w, _on: self._changed())
        self.share[name] = label('', 'right', 'share of the pixels')
        slider = Widgets.Slider(orientation='horizontal', track=True)
        slider.set_limits(0, 100)
        slider.set_value(round(100 * OPACITY[name]))
        slider.set_tooltip('How much of the image it hides')
        slider.add_callback('value-changed', lambda _w, _v: self._changed())
        self.slider[name] = slider
        self.here[name] = label('', 'right', 'probability in the pixel clicked')
        return [glyph, self.tick[name], self.share[name], slider, self.here[name]]

    @property
    def opacity(self) -> dict[str, float]:
        """Of each class that is ticked."""
        return {
            name: self.slider[name].get_value() / 100
            for name in CLASSES
            if self.tick[name].get_state()
        }

    def show_shares(self, shares: dict[str, float]) -> None:
        """Show which share of the pixels each class holds."""
        for name, widget in self.share.items():
            known = name in shares
            widget.set_text(f'{100 * shares[name]:.2g} %' if known else '')

    def show_pixel(self, probabilities: dict[str, float]) -> None:
        """Show the probabilities in a pixel."""
        for name, widget in self.here.items():
            known = name in probabilities
            widget.set_text(f'{probabilities[name]:.2f}' if known else '')


class MaskDesk:
    """
    What the plugin has between its start and its end.

    Parameters
    ----------
    fv : `ginga.rv.Control.GingaShell`
        The reference viewer.
    viewer : `ginga.Viewers.CanvasView`
        Viewer of the channel.
    box : `ginga.gw.Widgets.VBox`
        Where to put the widgets.
    maps : dict of tuple to `~astrosieve_plugins.ginga_classify.contaminants.Mapped`
        What is known of the channel's images.
    tag : str
        Of the layer on the image.
    model, folder : str
        Model, and where files are suggested to go.

    Attributes
    ----------
    mapped : `~astrosieve_plugins.ginga_classify.contaminants.Mapped` or None
        The map that is shown.
    """

    def __init__(
        self,
        fv: Any,
        viewer: Any,
        box: Any,
        maps: dict[tuple, Mapped],
        *,
        tag: str,
        model: str,
        folder: str,
    ) -> None:
        self.mapped: Mapped | None = None
        self.target: Target | None = None
        self._maps, self._viewer = maps, viewer
        self._folder = Path(folder).expanduser()
        self._replace: Path | None = None
        self.worker = Worker(fv)
        names = _models(model)
        self.model = choice(names, model, tip='Model')
        box.add_widget(row((label('model'), 0), (self.model, 1)))
        self.work = WorkBox(
            box, 'Map', 'Say what spoils each pixel', start=self.map, cancel=self.cancel
        )
        self.legend = MaskLegend(box, self._recolour_shortly)
        self.path = entry('', 'File to save to', 30)
        self.save = button('Save', self.write, 'Write PROB and MASK')
        box.add_widget(row((self.path, 1), (self.save, 0)))
        box.add_widget(Widgets.Label(''), stretch=1)
        self.layer = MapLayer(fv, viewer, tag, self.probe)
        self._timer = viewer.make_timer()
        self._timer.add_callback('expired', lambda _timer: self._recolour())

    def close(self) -> None:
        """End the work, take the layer away."""
        self.worker.cancel_all()
        self._timer.stop()
        self.layer.stop()
        self.mapped = self.target = None

    def say(self, text: str) -> None:
        """Show a text in the status line."""
        self.work.say(text)

    def look(self) -> None:
        """Show what is known of the image that the channel shows now."""
        try:
            self.target = target_of(self._viewer.get_image())
        except ExposureError as error:
            self.blank(describe(error))
            return
        known = self._maps.get(self.target.key)
        if known is None or known is not self.mapped:
            self._show(known)
        text = f'{self.target.name}: press Map' if known is None else known.summary()
        self.say(text)
        root = root_name(self.target.name)
        self.path.set_text(str(self._folder / f'{root}_segment.fits'))

    def blank(self, text: str) -> None:
        """Show nothing, and say why."""
        self.target = None
        self.path.set_text('')
        self._show(None)
        self.say(text)

    def map(self) -> None:
        """Map what the channel shows."""
        if self.worker.busy('map'):
            return
        try:
            target = target_of(self._viewer.get_image())
        except AstrosieveError as error:
            self.say(describe(error))
            return
        self.target = target
        model = self.model.get_text()

        def ill(text: str) -> None:
            self.work.end()
            self.say(text)

        self.work.begin()
        self.worker.run(
            'map',
            lambda job: map_image(target, model, job),
            self._mapped,
            failed=ill,
            progress=self.work.follow,
        )

    def cancel(self) -> None:
        """End the work."""
        if self.worker.cancel('map'):
            self.work.end()
            self.say('cancelled')

    def probe(self, x: float, y: float) -> None:
        """Show the probabilities in a pixel."""
        if self.mapped is None:
            return
        here = self.mapped.at(x, y)
        self.legend.show_pixel(here)
        if here:
            self.layer.mark(x, y)
            said = self.mapped.found.mask[int(y + 0.5), int(x + 0.5)]
            bits = self.mapped.found.bits
            holds = [words(name) for name in here if said & bits[name]]
            self.say(f'({x:.0f}, {y:.0f}): {", ".join(holds) or "nothing"}')

    def write(self) -> None:
        """Save the map, in another thread."""
        name = str(self.path.get_text().strip())
        mapped = self.mapped
        if mapped is None or not name:
            missing = 'press Map first' if mapped is None else 'name the file'
            self.say(f'nothing to save: {missing}')
            return
        if self.worker.busy('save'):
            return
        path = Path(name).expanduser()
        shown = None if self.target is None else self.target.path
        if shown is not None and path.exists() and path.samefile(shown):
            self.say(f'{path} is the image itself: name another file')
            return
        if path.exists() and self._replace != path:
            self._replace = path
            self.say(f'{path} exists: press Save again to replace it')
            return
        self._replace = None
        self.worker.run(
            'save',
            lambda _job: save(mapped, path),
            lambda text, _job: self.say(text),
            failed=self.say,
        )

    def _show(self, mapped: Mapped | None) -> None:
        self.mapped = mapped
        self.legend.show_shares({} if mapped is None else mapped.shares())
        self.legend.show_pixel({})
        found = None if mapped is None else mapped.found
        self.layer.show(found, self.legend.opacity)

    def _mapped(self, mapped: Mapped, job: Job) -> None:
        self.work.end()
        self._maps[mapped.key] = mapped
        if self.target is None or mapped.key != self.target.key:
            self.say(f'{mapped.name} is mapped; go back to it to see')
            return
        self._show(mapped)
        self.say('\n'.join(dict.fromkeys([mapped.summary(), *job.texts])))

    def _recolour_shortly(self) -> None:
        self._timer.set(_SHORTLY)

    def _recolour(self) -> None:
        self.layer.repaint(self.legend.opacity)


def _models(chosen: str) -> list[str]:
    """Return the models there are, and the one of the settings."""
    try:
        names = list_models()
    except AstrosieveError:
        names = []  # Map will say what is wrong
    return names if chosen in names else [*names, chosen]
