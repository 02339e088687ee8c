"""
Find the sources of an image, classify them, look at the classes and correct them.

**Plugin Type: Local**

``ClassifySources`` is a local plugin: each channel has its own.

**Classify**

Open an exposure (FLT, FLC, DRC or any FITS image) and press *Classify*. Sources are
detected with the chosen finder and classified by the network, while the viewer stays
usable; *Cancel* ends it. The FWHM of the PSF is in pixels and is estimated if left
empty; sigma is the detection threshold in units of the sky's noise. ERR and DQ are
read from the file. *all chips* does every SCI extension of the file; change the
extension with MultiDim to see the others. A plane of a cube is classified as it is
shown, without ERR and DQ.

The finder ``peaks`` finds cosmic rays and spikes as well as stars; ``dao`` and
``iraf`` have cuts of their own that drop many of them before they are classified.

**Classes**

Each line has a class, its marker, how many of its detections are shown out of how
many, and the least probability at which they are shown: untick a class or move its
slider, and the view follows. Detections with a label are shown at any probability.

The colours are those of Okabe & Ito, distinct to colour-blind eyes, or those of WFC3
ISR 2024-14: green circles for stars, red crosses for cosmic rays, blue diamonds for
diffraction spikes.

**Select**

Click a marker, or drag a rectangle around several. With the right button they join the
selection. Click a row of the table and the image moves there. The picture shows the
detection as the network sees it (upper row, one cutout for each scale), what its class
rests on (lower row: red pixels speak for the class, blue ones against it), and the
probabilities. The table lists the detections shown, a page at a time; *doubtful
first* puts those on top that are most worth a look.

**Correct**

Give the selected detections a class with the numbered button at the end of its line,
or with that number typed over the image. To confirm a class, give it. *No label*, or
0, takes labels away. Undo and redo are buttons, and the keys u and U. The keys 0 to 9
zoom as ever where nothing is selected; escape ends the selection. Detections with a
label have double strokes.

**Save and load**

*Catalogue*: the table of the chip shown, with corrected classes and a column ``label``.
*Regions*: points for DS9. *TweakReg catalogue*: 1-based x, y, flux of the stars.
*Labels*: the labels alone, for ``astrosieve-train``; they are added to those that the
file has. With *shown only* what the classes and sliders hide is left out. An existing
file is replaced when Save is pressed again.

*Load* takes a catalogue of ``astrosieve classify`` or of this plugin for the image
shown, or labels for the detections shown. Labels that were not saved are kept until
the viewer ends, also when the plugin is closed.

**Settings**

Defaults are read from ``plugin_ClassifySources.cfg`` in ginga's folder of settings.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from ginga.GingaPlugin import LocalPlugin
from ginga.gw import Widgets
from ginga.misc.Bunch import Bunch

from astrosieve.classes import CONVENTIONS, UNSCORED
from astrosieve.exceptions import AstrosieveError, CatalogError, ExposureError
from astrosieve.images.exposures import root_name
from astrosieve.models.registry import list_models
from astrosieve.source.classes import CLASSES
from astrosieve.source.explain import Explanation
from astrosieve.source.exposures import ClassifyOptions
from astrosieve.source.finders import list_finders
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.labels import (
    make_labels,
    merge_labels,
    read_labels,
    write_labels,
)
from astrosieve.tables.catalogs import write_catalog
from astrosieve.tables.coordinate_files import write_coordinates
from astrosieve.tables.regions import write_regions
from astrosieve_plugins.ginga_classify.canvas import ClassMarkers, glyph
from astrosieve_plugins.ginga_classify.classify import (
    CancelledError,
    Job,
    Result,
    Target,
    classify,
    describe,
    explain,
    load,
    target_of,
)
from astrosieve_plugins.ginga_classify.picture import (
    explanation_picture,
    message_picture,
)
from astrosieve_plugins.ginga_classify.review import ORDERS, Review

__all__ = ['ClassifySources']

_DEFAULTS: dict[str, Any] = {
    'finder': 'peaks',
    'fwhm': 0.0,
    'nsigma': 5.0,
    'model': 'source',
    'all_chips': False,
    'convention': 'colour-blind',
    'marker_size': 1.0,
    'hidden_classes': [],
    'thresholds': {},
    'order': 'id',
    'page_rows': 500,
    'save_folder': '',
}
# What Save writes, and the end of the file's name.
_SAVES = {
    'Catalogue (ECSV)': '_sources.ecsv',
    'Catalogue (FITS)': '_sources.fits',
    'Regions (DS9)': '_sources.reg',
    'TweakReg catalogue': '_stars.coo',
    'Labels': '_labels.ecsv',
}
_COLUMNS = [
    ('id', 'id'),
    ('class', 'class'),
    ('p', 'p'),
    ('x', 'x'),
    ('y', 'y'),
]
_CLICK = 4  # screen pixels that a click may move
_PICTURE = 390  # width of the picture, screen pixels
_LATER = 0.15  # seconds before the table follows a slider
_BOX = 'selection-box'


@dataclass
class _Task:
    """Work on its way to another thread and back, whose threads remember it."""

    kind: str
    job: Job
    work: Callable[[Job], Any]
    done: Callable[[Any, Job], None]
    result: Any = None
    error: str | None = None

    def clear(self) -> None:
        """Let go of what the work holds."""
        self.work = lambda _job: None
        self.done = lambda _result, _job: None
        self.result = None


class ClassifySources(LocalPlugin):
    """
    The plugin.

    Parameters
    ----------
    fv : `ginga.rv.Control.GingaShell`
        The reference viewer.
    fitsimage : `ginga.Viewers.CanvasView`
        Viewer of the channel.
    ident : str, optional
        Name under which the viewer runs this instance.
    """

    def __init__(
        self, fv: Any, fitsimage: Any, *, ident: str = 'classifysources'
    ) -> None:
        super().__init__(fv, fitsimage)
        self.ident = ident
        self.settings = fv.get_preferences().create_category('plugin_ClassifySources')
        self.settings.add_defaults(**_DEFAULTS)
        self.settings.load(onError='silent')
        self.gui_up = False
        self.ticked: dict[str, bool] = {}
        self.thresholds: dict[str, float] = {}
        self.review: Review | None = None
        self.target: Target | None = None
        self.markers: ClassMarkers | None = None
        self._reviews: dict[tuple, tuple[Result, Review]] = {}
        self._labels: Table = make_labels('none', 1, [], [])
        self._jobs: dict[str, Job] = {}
        self._wanted: int | None = None
        self._rows: dict[str, int] = {}
        self._page = 0
        self._replace: Path | None = None
        self._pressed: tuple[float, float] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._timer: Any = None

        dc = fv.get_draw_classes()
        self._box_class = dc.Rectangle
        canvas = dc.DrawingCanvas()
        canvas.enable_draw(False)  # the right button is for selecting, too
        canvas.enable_edit(False)
        canvas.add_draw_mode(
            'select', down=self._down, move=self._move, up=self._up, key=self._key
        )
        canvas.register_for_cursor_drawing(fitsimage)
        canvas.set_surface(fitsimage)
        canvas.set_draw_mode('select')
        canvas.add_callback('draw-down', self._down, fitsimage)
        canvas.add_callback('draw-move', self._move, fitsimage)
        canvas.add_callback('draw-up', self._add, fitsimage)
        self.canvas = canvas
        self.layertag = f'{ident}-canvas'

    def __str__(self) -> str:
        return self.ident

    # Widgets

    def build_gui(self, container: Any) -> None:
        """Make the widgets."""
        self._read_settings()
        box = Widgets.VBox()
        box.set_border_width(4)
        box.set_spacing(4)
        self._build_run(box)
        self._build_classes(box)
        self._build_table(box)
        self._build_picture(box)
        self._build_files(box)
        scrolled = Widgets.ScrollArea()
        scrolled.set_widget(box)
        container.add_widget(scrolled, stretch=1)

        last = Widgets.HBox()
        last.set_spacing(3)
        for name, method in (('Close', self.close), ('Help', self.help)):
            last.add_widget(self._button(name, method), stretch=0)
        last.add_widget(Widgets.Label(''), stretch=1)
        container.add_widget(last, stretch=0)
        self.gui_up = True

    def _read_settings(self) -> None:
        """Take the settings; where one is no good, take the default."""
        settings = {
            key: self.settings.get(key, value) for key, value in _DEFAULTS.items()
        }
        checks: dict[str, Callable[[Any], bool]] = {
            'finder': lambda v: isinstance(v, str),
            'fwhm': lambda v: isinstance(v, (int, float)) and v >= 0,
            'nsigma': lambda v: isinstance(v, (int, float)) and v > 0,
            'model': lambda v: isinstance(v, str),
            'all_chips': lambda v: isinstance(v, bool),
            'convention': lambda v: v in CONVENTIONS,
            'marker_size': lambda v: isinstance(v, (int, float)) and 0.3 <= v <= 5,
            'hidden_classes': lambda v: isinstance(v, (list, tuple)),
            'thresholds': lambda v: (
                isinstance(v, dict)
                and all(isinstance(p, (int, float)) and 0 <= p <= 1 for p in v.values())
            ),
            'order': lambda v: v in ORDERS,
            'page_rows': lambda v: isinstance(v, int) and 1 <= v <= 5000,
            'save_folder': lambda v: isinstance(v, str),
        }
        self._bad_settings = [k for k, good in checks.items() if not good(settings[k])]
        for key in self._bad_settings:
            settings[key] = _DEFAULTS[key]
        self._set = settings
        self.thresholds = {k: float(v) for k, v in settings['thresholds'].items()}
        self.ticked = dict.fromkeys(settings['hidden_classes'], False)

    def _button(self, text: str, method: Callable[[], Any], tip: str = '') -> Any:
        button = Widgets.Button(text)
        button.add_callback('activated', lambda _w: method())
        if tip:
            button.set_tooltip(tip)
        return button

    def _label(self, text: str, align: str = 'left') -> Any:
        label = Widgets.Label(text, halign=align)
        label.set_valign('center')
        return label

    def _combo(self, items: list[str], chosen: str, method: Callable[..., Any]) -> Any:
        combo = Widgets.ComboBox()
        for item in items:
            combo.append_text(item)
        combo.set_index(items.index(chosen))
        combo.add_callback('activated', lambda _w, _i: method())
        return combo

    def _row(self, box: Any, *widgets: tuple[Any, int]) -> None:
        row = Widgets.HBox()
        row.set_spacing(4)
        for widget, stretch in widgets:
            row.add_widget(widget, stretch=stretch)
        box.add_widget(row, stretch=0)

    def _entry(self, text: str, tip: str, length: int = 6) -> Any:
        entry = Widgets.TextEntry()
        entry.set_text(text)
        entry.set_length(length)
        entry.set_tooltip(tip)
        return entry

    def _build_run(self, box: Any) -> None:
        w, chosen = self.w, self._set
        finders, models = self._choices()
        w.finder = self._combo(finders, chosen['finder'], lambda: None)
        w.finder.set_tooltip('peaks also finds cosmic rays and spikes')
        fwhm = f'{chosen["fwhm"]:g}' if chosen['fwhm'] else ''
        w.fwhm = self._entry(fwhm, 'FWHM of the PSF, pixels; empty: estimated', 4)
        w.nsigma = self._entry(f'{chosen["nsigma"]:g}', 'Threshold over the noise', 4)
        w.model = self._combo(models, chosen['model'], lambda: None)
        w.all_chips = Widgets.CheckBox('all chips')
        w.all_chips.set_state(chosen['all_chips'])
        w.all_chips.set_tooltip('Classify every SCI extension of the file')
        w.classify = self._button('Classify', self.classify, 'Detect and classify')
        w.cancel = self._button('Cancel', self.cancel)
        w.cancel.set_enabled(False)
        w.progress = Widgets.ProgressBar()
        w.status = Widgets.TextArea(wrap=True, editable=False)
        w.status.set_max_size(2000, 46)
        self._row(
            box,
            (self._label('finder'), 0),
            (w.finder, 1),
            (self._label('FWHM'), 0),
            (w.fwhm, 0),
            (self._label('sigma'), 0),
            (w.nsigma, 0),
        )
        self._row(box, (self._label('model'), 0), (w.model, 1), (w.all_chips, 0))
        self._row(box, (w.classify, 1), (w.cancel, 0), (w.progress, 1))
        box.add_widget(w.status, stretch=0)

    def _choices(self) -> tuple[list[str], list[str]]:
        """Return the finders and models to choose from, those of the settings too."""
        finders = list_finders()
        try:
            models = list_models()
        except AstrosieveError:
            models = []  # Classify will say what is wrong
        for names, key in ((finders, 'finder'), (models, 'model')):
            if self._set[key] not in names:
                names.append(self._set[key])
        return finders, models

    def _build_classes(self, box: Any) -> None:
        w = self.w
        w.convention = self._combo(
            list(CONVENTIONS), self._set['convention'], self._recolour
        )
        w.convention.set_tooltip('Colours of the markers')
        w.show = Widgets.CheckBox('markers')
        w.show.set_state(True)
        w.show.set_tooltip('Show the markers on the image')
        w.show.add_callback('activated', lambda _w, _on: self._filter())
        w.undo = self._button('Undo', self.undo, 'Undo the last label (u)')
        w.redo = self._button('Redo', self.redo_change, 'Label again (U)')
        w.unlabel = self._button('No label', self.clear_labels, 'Take labels away (0)')
        self._row(
            box,
            (w.show, 0),
            (w.convention, 1),
            (w.undo, 0),
            (w.redo, 0),
            (w.unlabel, 0),
        )
        w.legend_box = Widgets.VBox()
        box.add_widget(w.legend_box, stretch=0)
        self._build_legend((*CLASSES, UNSCORED))

    def _build_legend(self, classes: tuple[str, ...]) -> None:
        """Make a line for each class: marker, tick, counts, slider, button."""
        w = self.w
        w.legend_box.remove_all(delete=True)
        grid = Widgets.GridBox(rows=len(classes), columns=6)
        grid.set_column_spacing(6)
        grid.set_row_spacing(0)
        self._legend = classes
        self._keys = [name for name in classes if name != UNSCORED]
        w.tick, w.glyph, w.count, w.slider, w.least, w.assign = ({} for _ in range(6))
        for row, name in enumerate(classes):
            w.glyph[name] = self._label('', 'center')
            w.glyph[name].set_font('sans', 14)
            w.tick[name] = Widgets.CheckBox(name.replace('_', ' '))
            w.tick[name].set_state(self.ticked.get(name, True))
            w.tick[name].add_callback('activated', self._tick, name)
            w.count[name] = self._label('0', 'right')
            w.count[name].set_tooltip('shown of all')
            widgets = [w.glyph[name], w.tick[name], w.count[name]]
            if name != UNSCORED:
                slider = Widgets.Slider(orientation='horizontal', track=True)
                slider.set_limits(0, 100)
                slider.set_value(round(100 * self.thresholds.get(name, 0)))
                slider.set_tooltip('Least probability that is shown')
                slider.add_callback('value-changed', self._slide, name)
                w.slider[name] = slider
                least = self.thresholds.get(name, 0)
                w.least[name] = self._label(f'{least:.2f}', 'right')
                key = str(self._keys.index(name) + 1)
                button = self._button(key, partial(self.assign, name))
                button.set_tooltip(f'Label the selected detections {name} ({key})')
                button.set_max_size(34, 22)
                w.assign[name] = button
                widgets += [slider, w.least[name], button]
            for column, widget in enumerate(widgets):
                grid.add_widget(widget, row, column, stretch=int(column == 3))
        w.legend_box.add_widget(grid, stretch=0)
        self._colour_glyphs()

    def _build_table(self, box: Any) -> None:
        w = self.w
        w.order = self._combo(list(ORDERS), self._set['order'], self._reorder)
        w.order.set_tooltip('Order of the table')
        w.previous = self._button('<', lambda: self._turn(-1), 'Page before')
        w.next = self._button('>', lambda: self._turn(1), 'Next page')
        w.page = self._label('')
        self._row(box, (w.order, 0), (w.previous, 0), (w.next, 0), (w.page, 1))
        w.table = Widgets.TreeView(
            sortable=False, selection='multiple', use_alt_row_color=True
        )
        w.table.setup_table(_COLUMNS, 1, 'id')
        w.table.set_column_widths([60, 110, 60, 75, 75])
        w.table.add_callback('selected', self._table_selected)
        w.table.set_min_size(300, 150)
        box.add_widget(w.table, stretch=1)

    def _build_picture(self, box: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix='astrosieve-')
        self.w.picture = Widgets.Image()
        box.add_widget(self.w.picture, stretch=0)
        self._show_picture(message_picture('Select a detection to see why.'))

    def _build_files(self, box: Any) -> None:
        w = self.w
        w.kind = self._combo(list(_SAVES), next(iter(_SAVES)), self._suggest)
        w.only_shown = Widgets.CheckBox('shown only')
        w.only_shown.set_tooltip('Leave out what the classes and sliders hide')
        w.save = self._button('Save', self.save)
        w.load = self._button('Load', self.load, 'Load a catalogue or labels')
        w.browse = self._button('...', self._browse, 'Choose a file')
        for button, width in ((w.browse, 30), (w.save, 60), (w.load, 60)):
            button.set_max_size(width, 30)
        w.path = self._entry('', 'File to save to, or to load', 30)
        self._row(box, (w.kind, 1), (w.only_shown, 0))
        self._row(box, (w.path, 1), (w.browse, 0), (w.save, 0), (w.load, 0))

    # Life cycle, called by ginga

    def start(self) -> None:
        """Show the layer; called after `build_gui`."""
        canvas = self.fitsimage.get_canvas()
        if not canvas.has_tag(self.layertag):
            canvas.add(self.canvas, tag=self.layertag)
        self.fv.add_callback('remove-image', self._image_removed)
        self._timer = self.fitsimage.make_timer()
        self._timer.add_callback('expired', lambda _timer: self._fill())
        self.resume()
        self.redo()
        if self._bad_settings:
            names = ', '.join(self._bad_settings)
            self._say(f'settings that are no good, defaults are used: {names}')

    def resume(self) -> None:
        """Listen to mouse and keys."""
        self.modes_off()
        self.canvas.ui_set_active(True, viewer=self.fitsimage)

    def pause(self) -> None:
        """Leave mouse and keys to others."""
        self.canvas.ui_set_active(False)

    def stop(self) -> None:
        """Take the layer away and forget all but unsaved labels."""
        self.gui_up = False
        self.fv.remove_callback('remove-image', self._image_removed)
        for job in self._jobs.values():
            job.cancel()
        self._jobs.clear()
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        for _, review in self._reviews.values():
            self._keep(review)
        self._reviews.clear()
        self._show(None)
        self.target = None
        self.canvas.ui_set_active(False)
        self.fitsimage.get_canvas().delete_object_by_tag(self.layertag)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        self.w = Bunch()

    def close(self) -> bool:
        """Close the plugin."""
        self.fv.stop_local_plugin(self.chname, str(self))
        return True

    def help(self, text_kind: str = 'rst') -> None:
        """Show the help page."""
        self.fv.help_text('ClassifySources', __doc__, text_kind=text_kind)

    def redo(self) -> None:
        """Show what is known of the image that the channel shows now."""
        if not self.gui_up:
            return
        try:
            self.target = target_of(self.fitsimage.get_image())
        except ExposureError as error:
            self._blank(describe(error))
            return
        known = self._reviews.get(self.target.key)
        if known is None:
            self._show(None)
            self._say(f'{self.target.name}: press Classify')
        elif known[1] is not self.review:
            self._show(known[1])
            self._say(self._summary(known[0]))
        self._suggest()

    def blank(self) -> None:
        """The channel shows nothing."""
        if self.gui_up:
            self._blank('no image: open one in this channel first')

    def _blank(self, text: str) -> None:
        self.target = None
        self._show(None)
        self._say(text)

    def _image_removed(self, _fv: Any, chname: str, name: str, path: Any) -> None:
        """Forget an image that was removed from the channel."""
        if chname != self.chname or not self.gui_up:
            return
        for key in list(self._reviews):
            whole = key[0] == name or not name.endswith(']')
            if key[0] in (name, str(path)) and (whole or f'[{key[1]}]' in name):
                self._keep(self._reviews.pop(key)[1])
        self.fv.gui_do(self.redo)

    def _keep(self, review: Review) -> None:
        """Keep the labels of a review that goes."""
        if review.unsaved:
            self._labels = merge_labels(self._labels, review.labels())

    # Work off the GUI thread

    def _run(
        self, kind: str, work: Callable[[Job], Any], done: Callable[[Any, Job], None]
    ) -> None:
        """Do a piece of work in another thread, then ``done`` with it in this one."""

        def report(share: float, text: str) -> None:
            self.fv.gui_do(self._progress, kind, job, share, text)

        job = Job(report)
        self._jobs[kind] = job
        if kind == 'classify':
            self.w.classify.set_enabled(False)
            self.w.cancel.set_enabled(True)
        self.fv.nongui_do(self._work, _Task(kind, job, work, done))

    def _work(self, task: _Task) -> None:
        """In another thread: work, and hand back what came of it, even an error."""
        try:
            task.result = task.work(task.job)
        except CancelledError:
            task.clear()
            return
        except Exception as problem:  # whatever it is, the user shall read it
            task.error = describe(problem)
        self.fv.gui_do(self._finish, task)

    def _progress(self, kind: str, job: Job, share: float, text: str) -> None:
        if self._jobs.get(kind) is job and kind == 'classify':
            self.w.progress.set_value(share)
            self._say(text)

    def _finish(self, task: _Task) -> None:
        result, error, done, job = task.result, task.error, task.done, task.job
        task.clear()
        if self._jobs.get(task.kind) is not job:
            return
        del self._jobs[task.kind]
        if task.kind == 'classify':
            self._idle()
        if error is None:
            done(result, job)
        elif task.kind == 'explain':
            self._explained(error)
        else:
            self._say(error)

    def _idle(self) -> None:
        self.w.classify.set_enabled(True)
        self.w.cancel.set_enabled(False)
        self.w.progress.set_value(0.0)

    def _say(self, text: str) -> None:
        if self.gui_up:
            self.w.status.set_text(text)

    # Classify and load

    def _options(self) -> ClassifyOptions:
        """Return what the widgets say."""
        values: dict[str, float | None] = {}
        for name, entry in (('fwhm', self.w.fwhm), ('sigma', self.w.nsigma)):
            text = entry.get_text().strip()
            if name == 'fwhm' and not text:
                values[name] = None
                continue
            try:
                number = float(text)
            except ValueError:
                number = -1.0
            if not 0 < number < 1000:
                msg = f'{name} must be a positive number; got {text!r}'
                raise CatalogError(msg)
            values[name] = number
        return ClassifyOptions(
            finder=self.w.finder.get_text(),
            fwhm=values['fwhm'],
            nsigma=values['sigma'] or _DEFAULTS['nsigma'],
            model=self.w.model.get_text(),
        )

    def classify(self) -> None:
        """Detect and classify what the channel shows."""
        if 'classify' in self._jobs:
            return
        try:
            target = target_of(self.fitsimage.get_image())
            options = self._options()
        except AstrosieveError as error:
            self._say(describe(error))
            return
        self.target = target
        all_chips = self.w.all_chips.get_state()
        self._run(
            'classify',
            lambda job: classify(target, options, job, all_chips=all_chips),
            self._classified,
        )

    def cancel(self) -> None:
        """End the classification, or the loading."""
        job = self._jobs.pop('classify', None)
        if job is not None:
            job.cancel()
            self._idle()
            self._say('cancelled')

    def _classified(self, results: list[Result], job: Job) -> None:
        for result in results:
            self._take(result)
        first = results[0]
        if self.target is None or first.key != self.target.key:
            self._say(f'{first.key[0]} is classified; go back to it to see')
            return
        self._show(self._reviews[first.key][1])
        remarks = '; '.join(dict.fromkeys(job.texts))
        self._say(self._summary(first) + (f'. {remarks}' if remarks else ''))

    def _take(self, result: Result) -> None:
        """Take a result in; its detections keep the labels that are known."""
        review = Review(result.table, Path(str(result.key[0])).name, result.extver)
        if result.key in self._reviews:
            self._keep(self._reviews[result.key][1])
        review.apply_labels(self._labels)
        self._reviews[result.key] = (result, review)

    def _summary(self, result: Result) -> str:
        review = self._reviews[result.key][1]
        if not len(review):
            return 'no detections: lower sigma, or choose another finder'
        counts = review.counts()
        text = ', '.join(
            f'{n} {name.replace("_", " ")}' for name, (_, n) in counts.items() if n
        )
        return f'{len(review)} detections: {text}'

    def load(self) -> None:
        """Load a catalogue or labels for what the channel shows."""
        if 'classify' in self._jobs:
            self._say('wait for the end of the classification, or press Cancel')
            return
        path = self.w.path.get_text().strip()
        try:
            if not path:
                msg = 'name the file to load'
                raise CatalogError(msg)
            target = target_of(self.fitsimage.get_image())
            options = self._options()
        except AstrosieveError as error:
            self._say(describe(error))
            return
        self.target = target
        self._run(
            'classify', lambda job: load(path, target, options, job), self._loaded
        )

    def _loaded(self, loaded: Any, job: Job) -> None:
        try:
            if isinstance(loaded, Result):
                self._classified([loaded], job)
            elif self.review is None:
                self._say('classify the image before loading labels')
            else:
                n = self.review.apply_labels(loaded)
                self._after_change(
                    f'{n} of {len(loaded)} labels are of detections in this image'
                )
        except CatalogError as error:
            self._say(describe(error))

    # What is shown

    def _show(self, review: Review | None) -> None:
        """Put a review on the image and in the widgets; None clears them."""
        for result, other in self._reviews.values():
            if other is not review:
                result.chip = None
        self.review = review
        if self.markers is not None:
            self.canvas.delete_object(self.markers, redraw=review is None)
            self.markers = None
        self._page = 0
        self._wanted = None
        if not self.gui_up:
            return
        if review is not None:
            if review.classes != self._legend:
                self._build_legend(review.classes)
            x, y = review.xy.T
            self.markers = ClassMarkers(
                x,
                y,
                review.codes,
                review.classes,
                convention=self.w.convention.get_text(),
                size=self._set['marker_size'],
            )
            review.ticked.update(self._known(self.ticked))
            review.thresholds.update(self._known(self.thresholds))
            review.update()
            self.canvas.add(self.markers, redraw=False)
        self._show_picture(message_picture('Select a detection to see why.'))
        self._filter(at_once=True)

    def _known(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: v for name, v in values.items() if name in self._legend}

    def _filter(self, *, at_once: bool = False) -> None:
        """Bring markers and counts up to date, and the table after a moment."""
        review, markers = self.review, self.markers
        counts = {} if review is None else review.counts()
        for name, label in self.w.count.items():
            shown, total = counts.get(name, (0, 0))
            label.set_text(f'{shown}/{total}' if total else '0')
        if review is not None and markers is not None:
            on = self.w.show.get_state()
            markers.codes = review.codes
            markers.labelled = review.labelled
            markers.shown = review.shown if on else np.zeros(len(review), dtype=bool)
            markers.selected = review.selected
        self.canvas.update_canvas(whence=3)
        if at_once:
            self._fill()
        else:
            self._timer.set(_LATER)

    def _tick(self, _widget: Any, on: bool, name: str) -> None:
        self.ticked[name] = on
        if self.review is not None:
            self.review.ticked[name] = on
            self.review.update()
        self._filter()

    def _slide(self, _widget: Any, percent: int, name: str) -> None:
        self.thresholds[name] = percent / 100
        self.w.least[name].set_text(f'{percent / 100:.2f}')
        if self.review is not None:
            self.review.thresholds[name] = percent / 100
            self.review.update()
        self._filter()

    def _recolour(self) -> None:
        self._colour_glyphs()
        if self.markers is not None:
            self.markers.convention = self.w.convention.get_text()
            self.canvas.update_canvas(whence=3)
        if self.review is not None and len(self.review.selected):
            self._ask_why(int(self.review.selected[0]))

    def _colour_glyphs(self) -> None:
        for name, label in self.w.glyph.items():
            marker = CLASSES.marker(name, self.w.convention.get_text())
            label.set_text(glyph(marker))
            label.set_color(fg=marker.color, bg='#303030')

    # Table

    def _reorder(self) -> None:
        self._page = 0
        self._fill()

    def _turn(self, by: int) -> None:
        self._page += by
        self._fill()

    def _fill(self) -> None:
        """Fill the table with its page of the detections that are shown."""
        if not self.gui_up:
            return
        review, w = self.review, self.w
        rows = np.empty(0, dtype=int)
        if review is not None:
            rows = review.order(w.order.get_text())
        size = self._set['page_rows']
        pages = max(1, -(-len(rows) // size))
        self._page = min(max(self._page, 0), pages - 1)
        part = rows[self._page * size : (self._page + 1) * size]
        w.previous.set_enabled(self._page > 0)
        w.next.set_enabled(self._page < pages - 1)
        if len(rows) > size:
            first = self._page * size + 1
            w.page.set_text(f'{first} to {first + len(part) - 1} of {len(rows)}')
        else:
            w.page.set_text(f'{len(rows)} shown')
        self._rows = {}
        tree = {}
        if review is not None:
            codes, labelled = review.codes, review.labelled
            ids = np.asarray(review.table['id'])
            for row in part:
                key = str(ids[row])
                if key in tree:
                    key = f'{key}#{row}'
                self._rows[key] = int(row)
                name = review.classes[codes[row]].replace('_', ' ')
                p = review.p[row]
                tree[key] = {
                    'id': key,
                    'class': f'{name} *' if labelled[row] else name,
                    'p': '' if np.isnan(p) else f'{p:.3f}',
                    'x': f'{review.xy[row, 0]:.1f}',
                    'y': f'{review.xy[row, 1]:.1f}',
                }
        w.table.set_tree(tree)
        self._mark_rows()

    def _mark_rows(self) -> None:
        """Select in the table what is selected, as far as the page has it."""
        if self.review is None:
            return
        chosen = set(self.review.selected.tolist())
        paths = [[key] for key, row in self._rows.items() if row in chosen]
        self.w.table.clear_selection()
        if paths:
            self.w.table.select_paths(paths)
            self.w.table.scroll_to_path(paths[0])

    def _table_selected(self, _widget: Any, chosen: dict[str, Any]) -> None:
        rows = [self._rows[key] for key in chosen if key in self._rows]
        if self.review is None or not rows:
            return
        self.select(np.array(sorted(rows)), from_table=True)
        x, y = self.review.xy[rows[-1]]
        self.fitsimage.panset_xy(x, y)

    # Selection

    def select(self, rows: np.ndarray, *, from_table: bool = False) -> None:
        """
        Select detections.

        Parameters
        ----------
        rows : int `~numpy.ndarray`
            Rows of the catalogue.
        from_table : bool, optional
            Whether the table shows them already.
        """
        review, markers = self.review, self.markers
        if review is None or markers is None:
            return
        review.selected = np.unique(np.asarray(rows, dtype=np.intp))
        markers.selected = review.selected
        self.canvas.update_canvas(whence=3)
        if not from_table:
            if len(review.selected):
                order = review.order(self.w.order.get_text())
                place = np.flatnonzero(order == review.selected[0])
                page = int(place[0]) // self._set['page_rows'] if len(place) else 0
                if len(place) and page != self._page:
                    self._page = page
                    self._fill()
            self._mark_rows()
        if len(review.selected):
            self._ask_why(int(review.selected[0]))
            self._say(self._about_selection())
        else:
            self._wanted = None
            self._show_picture(message_picture('Select a detection to see why.'))

    def _about_selection(self) -> str:
        review = self.review
        if review is None or not len(review.selected):
            return ''
        if len(review.selected) > 1:
            return f'{len(review.selected)} selected'
        row = int(review.selected[0])
        x, y = review.xy[row]
        text = f'{review.table["id"][row]} at ({x:.1f}, {y:.1f}): {review.name(row)}'
        return text + (' (label)' if review.labelled[row] else '')

    def _down(self, _canvas: Any, event: Any, x: float, y: float, viewer: Any) -> bool:
        if event.viewer is not viewer:
            return False
        self._pressed = (x, y)
        return True

    def _move(self, _canvas: Any, event: Any, x: float, y: float, viewer: Any) -> bool:
        if self._pressed is None or event.viewer is not viewer:
            return False
        self.canvas.delete_object_by_tag(_BOX, redraw=False)
        box = self._box_class(*self._pressed, x, y, color='white', linestyle='dash')
        self.canvas.add(box, tag=_BOX)
        return True

    def _up(self, _canvas: Any, event: Any, x: float, y: float, viewer: Any) -> bool:
        rows = self._rows_under(event, x, y, viewer)
        if rows is not None:
            self.select(rows)
        return rows is not None

    def _add(self, _canvas: Any, event: Any, x: float, y: float, viewer: Any) -> bool:
        rows = self._rows_under(event, x, y, viewer)
        if rows is not None and self.review is not None:
            self.select(np.union1d(self.review.selected, rows))
        return rows is not None

    def _rows_under(
        self, event: Any, x: float, y: float, viewer: Any
    ) -> np.ndarray | None:
        """Return the rows that a click or a rectangle takes, None if it is not ours."""
        if self._pressed is None or event.viewer is not viewer:
            return None
        (x0, y0), self._pressed = self._pressed, None
        self.canvas.delete_object_by_tag(_BOX)
        if self.review is None or self.markers is None or not self.w.show.get_state():
            return None
        scale = viewer.get_scale_max()
        if max(abs(x - x0), abs(y - y0)) * scale > _CLICK:
            return self.review.in_box(x0, y0, x, y)
        reach = max(1.5 * self.markers.radius(viewer) / scale, 1.0)
        row = self.review.nearest(x, y, reach)
        return np.array([] if row is None else [row], dtype=np.intp)

    def _key(
        self, _canvas: Any, event: Any, _x: float, _y: float, _viewer: Any
    ) -> bool:
        if event.key in ('u', 'U'):
            (self.undo if event.key == 'u' else self.redo_change)()
            return True
        if self.review is None or not len(self.review.selected):
            return False
        if event.key == 'escape':
            self.select(np.empty(0, dtype=np.intp))
            return True
        if event.key == '0':
            self.clear_labels()
            return True
        if event.key.isdigit() and 1 <= int(event.key) <= len(self._keys):
            self.assign(self._keys[int(event.key) - 1])
            return True
        return False

    # Picture

    def _show_picture(self, picture: Any) -> None:
        if self._folder is None:
            return
        path = str(Path(self._folder.name) / 'picture.png')
        picture.save(path)
        self.w.picture.load_file(path)

    def _ask_why(self, row: int) -> None:
        """Explain a row, after what is being explained; the last one asked counts."""
        self._wanted = row
        if 'explain' not in self._jobs:
            self._explain_next()

    def _explain_next(self) -> None:
        row, review, target = self._wanted, self.review, self.target
        if row is None or review is None or target is None:
            return
        if review.classes[review.predicted[row]] == UNSCORED:
            flags = self._flags(row)
            self._show_picture(message_picture(f'Not scored: {flags}.'))
            return
        result = self._reviews[target.key][0]
        x, y = review.xy[row]
        self._run(
            'explain',
            lambda job: explain(result, target, (float(x), float(y)), job),
            lambda explanation, _job: self._explained(explanation, row, review),
        )

    def _flags(self, row: int) -> str:
        table = self.review.table if self.review is not None else None
        if table is None or 'class_flags' not in table.colnames:
            return 'no reason is given'
        names = CLASS_FLAGS.decode(int(table['class_flags'][row]))
        return ', '.join(name.replace('_', ' ') for name in names if name != UNSCORED)

    def _explained(
        self,
        explanation: Explanation | str,
        row: int | None = None,
        review: Review | None = None,
    ) -> None:
        """Show an explanation, or why there is none; then what was asked meanwhile."""
        if isinstance(explanation, str):
            self._wanted = None
            self._show_picture(message_picture(explanation))
            return
        if review is not self.review or row != self._wanted or row is None:
            self._explain_next()
            return
        if review is None:
            return
        title = f'{review.table["id"][row]}  {review.name(row).replace("_", " ")}'
        picture = explanation_picture(
            explanation,
            review.probabilities(row) or explanation.probabilities,
            title=f'{title}{" (label)" if review.labelled[row] else ""}',
            convention=self.w.convention.get_text(),
            width=_PICTURE,
        )
        self._show_picture(picture)

    # Labels

    def assign(self, name: str) -> None:
        """Label the selected detections."""
        review = self.review
        if review is None or not len(review.selected):
            self._say('select detections first')
            return
        review.assign(review.selected, name)
        self._after_change(f'{len(review.selected)} labelled {name}')

    def clear_labels(self) -> None:
        """Take the labels of the selected detections away."""
        review = self.review
        if review is None or not len(review.selected):
            self._say('select detections first')
            return
        review.clear(review.selected)
        self._after_change(f'{len(review.selected)} without label')

    def undo(self) -> None:
        """Undo the last change of labels."""
        rows = None if self.review is None else self.review.undo()
        n = 0 if rows is None else len(rows)
        self._after_change(f'undone: {n}' if n else 'nothing to undo')

    def redo_change(self) -> None:
        """Do again what was undone."""
        rows = None if self.review is None else self.review.redo()
        n = 0 if rows is None else len(rows)
        self._after_change(f'done again: {n}' if n else 'nothing to do again')

    def _after_change(self, text: str) -> None:
        if self.review is not None:
            n = int(self.review.labelled.sum())
            unsaved = ', not saved' if self.review.unsaved else ''
            text += f'; {n} label{"" if n == 1 else "s"}{unsaved}'
        self._filter(at_once=True)
        self._say(text)

    # Files

    def _suggest(self) -> None:
        """Name the file that Save would write."""
        if self.target is None:
            return
        kind = self.w.kind.get_text()
        root = root_name(self.target.name)
        ext = self.target.ext or ''
        if ',' in ext and kind != 'Labels':
            root += '_' + ext.replace(',', '').lower()
        folder = Path(self._set['save_folder']).expanduser()
        self.w.path.set_text(str(folder / f'{root}{_SAVES[kind]}'))

    def _browse(self) -> None:
        dialog = Widgets.FileDialog(title='File', parent=self.fv.w.root)
        dialog.set_mode('save')
        dialog.add_callback('activated', lambda _w, paths: self._chosen(paths))
        dialog.popup()

    def _chosen(self, paths: Any) -> None:
        if paths and self.gui_up:
            self.w.path.set_text(str(paths[0]))

    def save(self) -> None:
        """Write what the widgets say, in another thread."""
        review, text = self.review, self.w.path.get_text().strip()
        if review is None:
            self._say('nothing to save: press Classify first')
            return
        if not text:
            self._say('name the file to save to')
            return
        if 'save' in self._jobs:
            return
        path, kind = Path(text).expanduser(), self.w.kind.get_text()
        if path.exists() and kind != 'Labels' and self._replace != path:
            self._replace = path
            self._say(f'{path} exists: press Save again to replace it')
            return
        self._replace = None
        only_shown = self.w.only_shown.get_state()
        self._run(
            'save',
            lambda _job: _write(review, kind, path, only_shown),
            lambda said, _job: self._saved(review, kind, said),
        )

    def _saved(self, review: Review, kind: str, said: str) -> None:
        if kind == 'Labels':
            review.mark_saved()
        self._say(said)


def _write(review: Review, kind: str, path: Path, only_shown: bool) -> str:
    """Write a file; return what to say."""
    table = review.corrected(shown_only=only_shown)
    n = len(table)
    if kind == 'Labels':
        labels = review.labels()
        if not len(labels):
            msg = 'no labels: give some detections a class first'
            raise CatalogError(msg)
        n = len(labels)
        if path.exists():
            labels = merge_labels(read_labels(path), labels)
        write_labels(labels, path, overwrite=True)
        return f'{n} labels -> {path} ({len(labels)} in all)'
    if kind == 'Regions (DS9)':
        write_regions(table, path, CLASSES, overwrite=True)
    elif kind == 'TweakReg catalogue':
        stars = table[np.asarray(table['class_name'], dtype=str) == 'star']
        comments = {'image': review.exposure, 'extver': review.extver}
        n = write_coordinates(stars, path, comments=comments, overwrite=True)
        return f'{n} stars -> {path}'
    else:
        format = 'fits' if kind == 'Catalogue (FITS)' else 'ecsv'
        write_catalog(table, path, format=format, overwrite=True)
    return f'{n} rows -> {path}'
