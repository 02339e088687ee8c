"""What is saved and loaded: the widgets that name the file, and the writing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ginga.gw import Widgets

from astrosieve.exceptions import CatalogError
from astrosieve.images.exposures import root_name
from astrosieve.source.classes import CLASSES
from astrosieve.source.labels import merge_labels, read_labels, write_labels
from astrosieve.tables.catalogs import write_catalog
from astrosieve.tables.coordinate_files import write_coordinates
from astrosieve.tables.regions import write_regions
from astrosieve_plugins.ginga_classify.review import Review
from astrosieve_plugins.ginga_classify.shown import Target
from astrosieve_plugins.ginga_classify.widgets import button, check, choice, entry, row
from astrosieve_plugins.ginga_classify.work import Job, Worker

__all__ = ['FilesBox']

_LABELS = 'Labels'  # are added to those of their file
# Extensions that go without saying, also in names of files.
_WITHOUT_NAME = (('PRIMARY', 1), ('COMPRESSED_IMAGE', 1))
# What Save writes, and the end of the file's name.
_SAVES = {
    'Catalogue (ECSV)': '_sources.ecsv',
    'Catalogue (FITS)': '_sources.fits',
    'Regions (DS9)': '_sources.reg',
    'TweakReg catalogue': '_stars.coo',
    _LABELS: '_labels.ecsv',
}


class FilesBox:
    """
    What to save, and the file.

    Parameters
    ----------
    box : `ginga.gw.Widgets.VBox`
        Where to put it.
    folder : str
        Where files are suggested to go; empty for the current folder.
    parent : ginga widget
        Of the dialog that chooses a file.
    worker : `~astrosieve_plugins.ginga_classify.work.Worker`
        Does the writing.
    say : callable
        Called with what there is to say.
    save, load : callable
        What the buttons do.
    """

    def __init__(
        self,
        box: Any,
        folder: str,
        parent: Any,
        worker: Worker,
        *,
        say: Callable[[str], None],
        save: Callable[[], None],
        load: Callable[[], None],
    ) -> None:
        self._folder = Path(folder).expanduser()
        self._parent, self._worker, self._say = parent, worker, say
        self._of: Target | None = None
        self._replace: Path | None = None
        self._closed = False
        self.kind = choice(_SAVES, next(iter(_SAVES)), self._suggest)
        self.only_shown = check(
            'shown only', False, 'Leave out what the classes and sliders hide'
        )
        self.path = entry('', 'File to save to, or to load', 30)
        self.browse = button('...', self._browse, 'Choose a file')
        self.save = button('Save', save)
        self.load = button('Load', load, 'Load a catalogue or labels')
        buttons = ((self.browse, 30), (self.save, 60), (self.load, 60))
        for widget, width in buttons:
            widget.set_max_size(width, 30)
        box.add_widget(row((self.kind, 1), (self.only_shown, 0)))
        box.add_widget(row((self.path, 1), *((widget, 0) for widget, _ in buttons)))

    def close(self) -> None:
        """Hear no more of a dialog that is still open."""
        self._closed = True

    @property
    def name(self) -> str:
        """What is typed as the file's name."""
        return str(self.path.get_text().strip())

    def suggest(self, target: Target | None) -> None:
        """Name the file that Save would write of an image."""
        self._of = target
        self._suggest()

    def _suggest(self) -> None:
        if self._of is None:
            return
        kind, extension = self.kind.get_text(), (self._of.extname, self._of.extver)
        root = root_name(self._of.name)
        if kind != _LABELS and extension not in _WITHOUT_NAME:
            root += f'_{extension[0]}{extension[1]}'.lower()
        self.path.set_text(str(self._folder / f'{root}{_SAVES[kind]}'))

    def _browse(self) -> None:
        dialog = Widgets.FileDialog(title='File', parent=self._parent)
        dialog.set_mode('save')
        dialog.add_callback('activated', lambda _w, paths: self._chosen(paths))
        dialog.popup()

    def _chosen(self, paths: Any) -> None:
        if paths and not self._closed:
            self.path.set_text(str(paths[0]))

    def write(self, review: Review | None) -> None:
        """Write what is known of an image, in another thread, as the widgets say."""
        if review is None:
            self._say('nothing to save: press Classify first')
            return
        if not self.name:
            self._say('name the file to save to')
            return
        if self._worker.busy('save'):
            return
        path, kind = Path(self.name).expanduser(), self.kind.get_text()
        shown = None if self._of is None else self._of.path
        if shown is not None and path.exists() and path.samefile(shown):
            self._say(f'{path} is the image itself: name another file')
            return
        if path.exists() and kind != _LABELS and self._replace != path:
            self._replace = path
            self._say(f'{path} exists: press Save again to replace it')
            return
        self._replace = None

        def done(said: str, _job: Job) -> None:
            if kind == _LABELS:
                review.mark_saved()
            self._say(said)

        only_shown = self.only_shown.get_state()
        self._worker.run(
            'save',
            lambda _job: _write(review, kind, path, only_shown=only_shown),
            done,
            failed=self._say,
        )


def _write(review: Review, kind: str, path: Path, *, only_shown: bool) -> str:
    """Write a file; return what to say."""
    table = review.corrected(shown_only=only_shown)
    n = len(table)
    if kind == _LABELS:
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
