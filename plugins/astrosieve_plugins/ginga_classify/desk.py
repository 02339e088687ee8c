"""The plugin at work in a channel: the parts of its panel, and what connects them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.exceptions import AstrosieveError, CatalogError, ExposureError
from astrosieve_plugins.ginga_classify.classify import Result, classify, load
from astrosieve_plugins.ginga_classify.files import FilesBox
from astrosieve_plugins.ginga_classify.layer import Layer
from astrosieve_plugins.ginga_classify.legend import Legend
from astrosieve_plugins.ginga_classify.options import OptionsBox, as_labels
from astrosieve_plugins.ginga_classify.review import Review, Reviews
from astrosieve_plugins.ginga_classify.settings import Settings
from astrosieve_plugins.ginga_classify.shown import Target, target_of
from astrosieve_plugins.ginga_classify.table import SourceTable
from astrosieve_plugins.ginga_classify.why import Question, WhyBox
from astrosieve_plugins.ginga_classify.widgets import WorkBox
from astrosieve_plugins.ginga_classify.work import Job, Worker, describe

__all__ = ['Desk']


class Desk:
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
    settings : `~astrosieve_plugins.ginga_classify.settings.Settings`
        What they say at first.
    reviews : `~astrosieve_plugins.ginga_classify.review.Reviews`
        What is known of the channel's images.
    tag : str
        Of the layer on the image.

    Attributes
    ----------
    target : `~astrosieve_plugins.ginga_classify.shown.Target` or None
        What the channel shows.
    review : `~astrosieve_plugins.ginga_classify.review.Review` or None
        Its detections, once they are classified.
    """

    def __init__(
        self,
        fv: Any,
        viewer: Any,
        box: Any,
        settings: Settings,
        reviews: Reviews,
        *,
        tag: str,
    ) -> None:
        self.target: Target | None = None
        self.review: Review | None = None
        self.reviews = reviews
        self._viewer = viewer
        self.worker = Worker(fv)
        self.options = OptionsBox(box, settings)
        self.work = WorkBox(
            box,
            'Classify',
            'Detect and classify',
            start=self.classify,
            cancel=self.cancel,
        )
        self.legend = Legend(
            box,
            settings,
            filtered=self._filter,
            recoloured=self._recolour,
            assign=self.assign,
            undo=self.undo,
            redo=self.redo,
            clear=self.clear_labels,
        )
        self.table = SourceTable(
            box, settings, viewer.make_timer(), select=self._rows_selected
        )
        self.why = WhyBox(box, self.worker, convention=lambda: self.legend.convention)
        self.files = FilesBox(
            box,
            settings.save_folder,
            fv.w.root,
            self.worker,
            say=self.say,
            save=self.save,
            load=self.load,
        )
        self.layer = Layer(
            fv, viewer, tag, settings.marker_size, select=self._taken, key=self._key
        )

    def close(self) -> None:
        """End the work, take the layer away, let go of the images."""
        self.worker.cancel_all()
        self.reviews.clear()
        self.table.close()
        self.layer.stop()
        self.why.close()
        self.files.close()
        self.review = self.target = None

    def say(self, text: str) -> None:
        """Show a text in the status line."""
        self.work.say(as_labels(text))

    # What the channel shows

    def look(self) -> None:
        """Show what is known of the image that the channel shows now."""
        try:
            self.target = target_of(self._viewer.get_image())
        except ExposureError as error:
            self.blank(describe(error))
            return
        known = self.reviews.get(self.target.key)
        if known is None:
            self.show(None)
            self.say(f'{self.target.name}: press Classify')
        elif known[1] is not self.review:
            self.show(known[1])
            self.say(_summary(known[1]))
        self.files.suggest(self.target)

    def blank(self, text: str) -> None:
        """Show nothing, and say why."""
        self.target = None
        self.files.suggest(None)
        self.show(None)
        self.say(text)

    def show(self, review: Review | None) -> None:
        """Put a catalogue on the image and in the widgets; None clears them."""
        self.reviews.drop_pixels(but=review)
        self.review = review
        if review is not None:
            if review.classes != self.legend.classes:
                self.legend.set_classes(review.classes)
            review.filter(self.legend.ticked, self.legend.thresholds)
        self.layer.show(review, self.legend.convention)
        self.table.show(review)
        self.why.clear()
        self._refresh()
        self.table.fill()

    def _refresh(self) -> None:
        """Bring markers and counts up to date."""
        self.legend.show_counts({} if self.review is None else self.review.counts())
        self.layer.update(on=self.legend.on)

    def _filter(self) -> None:
        """Follow the ticks and sliders; the table does after a moment."""
        if self.review is not None:
            self.review.filter(self.legend.ticked, self.legend.thresholds)
        self._refresh()
        self.table.fill_later()

    def _recolour(self) -> None:
        self.layer.recolour(self.legend.convention)
        self._explain()

    # Classify and load

    def classify(self) -> None:
        """Detect and classify what the channel shows."""
        all_chips = self.options.all_chips.get_state()
        if not self.worker.busy('classify'):
            self._start(
                lambda target, options, job: classify(
                    target, options, job, all_chips=all_chips
                ),
                self._classified,
            )

    def load(self) -> None:
        """Load a catalogue or labels for what the channel shows."""
        path = self.files.name
        if self.worker.busy('classify'):
            self.say('wait for the end of the classification, or press Cancel')
        elif not path:
            self.say('name the file to load')
        else:
            self._start(
                lambda target, options, job: load(path, target, options, job),
                self._loaded,
            )

    def _start(
        self,
        work: Callable[..., Any],
        done: Callable[[Any, Job], None],
    ) -> None:
        """Do work on what the channel shows that can be followed and cancelled."""
        try:
            target = target_of(self._viewer.get_image())
            options = self.options.options()
        except AstrosieveError as error:
            self.say(describe(error))
            return

        def well(result: Any, job: Job) -> None:
            self.work.end()
            done(result, job)

        def ill(text: str) -> None:
            self.work.end()
            self.say(text)

        self.target = target
        self.work.begin()
        self.worker.run(
            'classify',
            lambda job: work(target, options, job),
            well,
            failed=ill,
            progress=self.work.follow,
        )

    def cancel(self) -> None:
        """End the classification, or the loading."""
        if self.worker.cancel('classify'):
            self.work.end()
            self.say('cancelled')

    def _classified(self, results: list[Result], job: Job) -> None:
        reviews = [self.reviews.take(result) for result in results]
        key = results[0].key
        if self.target is None or key != self.target.key:
            self.say(f'{key[0]} is classified; go back to it to see')
            return
        self.show(reviews[0])
        self.say('\n'.join(dict.fromkeys([_summary(reviews[0]), *job.texts])))

    def _loaded(self, loaded: Result | Table, job: Job) -> None:
        try:
            if isinstance(loaded, Result):
                self._classified([loaded], job)
            elif self.review is None:
                self.say('classify the image before loading labels')
            else:
                n = self.review.apply_labels(loaded)
                self._changed(
                    f'{n} of {len(loaded)} labels are of detections in this image'
                )
        except CatalogError as error:
            self.say(describe(error))

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
        review = self.review
        if review is None:
            return
        review.selected = np.unique(np.asarray(rows, dtype=np.intp))
        self.layer.mark_selected()
        if not from_table:
            self.table.go_to_selected()
        if len(review.selected):
            self._explain()
            self.say(_about_selection(review))
        else:
            self.why.clear()

    def _explain(self) -> None:
        """Explain the first of the selected detections."""
        review, target = self.review, self.target
        if review is None or target is None or not len(review.selected):
            return
        known = self.reviews.get(target.key)
        if known is not None:
            self.why.ask(Question(int(review.selected[0]), review, known[0], target))

    def _rows_selected(self, rows: np.ndarray) -> None:
        """Select rows of the table, and move the image to the last of them."""
        self.select(rows, from_table=True)
        if self.review is not None:
            self._viewer.panset_xy(*self.review.xy[rows[-1]])

    def _taken(self, rows: np.ndarray, joins: bool) -> None:
        """Select what was clicked on the image."""
        if joins and self.review is not None:
            rows = np.union1d(self.review.selected, rows)
        self.select(rows)

    def _key(self, key: str) -> bool:
        """Do what a key typed over the image says; return whether it says anything."""
        if key in ('u', 'U'):
            (self.undo if key == 'u' else self.redo)()
        elif self.review is None or not len(self.review.selected):
            return False
        elif key == 'escape':
            self.select(np.empty(0, dtype=np.intp))
        elif key == '0':
            self.clear_labels()
        elif key.isdigit() and int(key) <= len(self.legend.keys):
            self.assign(self.legend.keys[int(key) - 1])
        else:
            return False
        return True

    # Labels

    def assign(self, name: str) -> None:
        """Label the selected detections."""
        review = self.review
        if review is None or not len(review.selected):
            self.say('select detections first')
            return
        review.assign(review.selected, name)
        self._changed(f'{len(review.selected)} labelled {name}')

    def clear_labels(self) -> None:
        """Take the labels of the selected detections away."""
        review = self.review
        if review is None or not len(review.selected):
            self.say('select detections first')
            return
        review.clear(review.selected)
        self._changed(f'{len(review.selected)} without label')

    def undo(self) -> None:
        """Undo the last change of labels."""
        rows = None if self.review is None else self.review.undo()
        n = 0 if rows is None else len(rows)
        self._changed(f'undone: {n}' if n else 'nothing to undo')

    def redo(self) -> None:
        """Do again what was undone."""
        rows = None if self.review is None else self.review.redo()
        n = 0 if rows is None else len(rows)
        self._changed(f'done again: {n}' if n else 'nothing to do again')

    def _changed(self, text: str) -> None:
        """Show labels that changed."""
        if self.review is not None:
            n = int(self.review.labelled.sum())
            unsaved = ', not saved' if self.review.unsaved else ''
            text += f'; {n} label{"" if n == 1 else "s"}{unsaved}'
        self._refresh()
        self.table.fill()
        self.say(text)

    # Files

    def save(self) -> None:
        """Write what the widgets say."""
        self.files.write(self.review)


def _summary(review: Review) -> str:
    if not len(review):
        return 'no detections: lower sigma, or choose another finder'
    text = ', '.join(
        f'{n} {name.replace("_", " ")}' for name, (_, n) in review.counts().items() if n
    )
    return f'{len(review)} detections: {text}'


def _about_selection(review: Review) -> str:
    if len(review.selected) > 1:
        return f'{len(review.selected)} selected'
    row = int(review.selected[0])
    x, y = review.xy[row]
    text = f'{review.table["id"][row]} at ({x:.1f}, {y:.1f}): {review.name(row)}'
    return text + (' (label)' if review.labelled[row] else '')
