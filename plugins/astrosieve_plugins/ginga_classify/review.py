"""What is known of the detections of an image while somebody looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.table import Column, Table

from astrosieve.classes import UNSCORED
from astrosieve.exceptions import CatalogError
from astrosieve.source.classes import CLASSES
from astrosieve.source.labels import make_labels, match_labels, merge_labels
from astrosieve.tables.catalogs import fill_masked
from astrosieve_plugins.ginga_classify.classify import Result

__all__ = ['ORDERS', 'Review', 'Reviews']

ORDERS = ('id', 'doubtful first', 'certain first', 'class')
"""Orders of the rows of a list."""

_NOT_GIVEN = -1
_NO_LABEL = '-'  # in files; ECSV reads an empty text back as masked


class Review:
    """
    A classified catalogue of one image: which rows are shown, selected, labelled.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As from `~astrosieve.classify_sources`, or saved by `corrected`.
    exposure : str
        Name of the file.
    extver : int
        Version of the extension.

    Attributes
    ----------
    classes : tuple of str
        The classes that rows have or can be given, in the order of legends.
    xy : (N, 2) `~numpy.ndarray`
        Positions, pixels, 0-based.
    predicted : (N,) int `~numpy.ndarray`
        Numbers of the network's classes in ``classes``.
    p : (N,) float32 `~numpy.ndarray`
        Probability of the class that each row has; NaN where there is none.
    shown : (N,) bool `~numpy.ndarray`
        Rows of ticked classes whose probability reaches its threshold. A row with
        a label needs no probability.
    selected : (M,) int `~numpy.ndarray`
        The selected rows, in order.
    """

    def __init__(self, table: Table, exposure: str, extver: int) -> None:
        for name in ('x_centroid', 'y_centroid', 'class_name'):
            if name not in table.colnames:
                msg = f'the catalogue has no column {name}; classify it first'
                raise CatalogError(msg)
        self.table = table
        self.exposure = exposure
        self.extver = extver
        columns = ('x_centroid', 'y_centroid')
        self.xy = np.column_stack([fill_masked(table[name]) for name in columns])
        given = np.full(len(table), _NO_LABEL, dtype=object)
        if 'label' in table.colnames:
            given[:] = np.ma.filled(np.ma.asarray(table['label'], dtype=str), _NO_LABEL)
        names = np.asarray(table['class_name'], dtype=str)
        scored = [name[2:] for name in table.colnames if name.startswith('p_')]
        found = CLASSES.ordered([*names.tolist(), *given[given != _NO_LABEL]])
        self.classes = tuple(CLASSES.ordered([*scored, *CLASSES, UNSCORED, *found]))
        self._p = np.full((len(table), len(self.classes)), np.nan, dtype=np.float32)
        for name in scored:
            self._p[:, self.classes.index(name)] = fill_masked(table[f'p_{name}'])
        number = {name: i for i, name in enumerate(self.classes)}
        self.predicted = np.array([number[name] for name in names], dtype=np.int16)
        self._given = np.full(len(table), _NOT_GIVEN, dtype=np.int16)
        for row in np.flatnonzero(given != _NO_LABEL):
            self._given[row] = number[given[row]]
            if np.isfinite(self._p[row]).any():
                self.predicted[row] = np.nanargmax(self._p[row])
        self.ticked = dict.fromkeys(self.classes, True)
        self.thresholds = dict.fromkeys(self.classes, 0.0)
        self.selected = np.empty(0, dtype=np.intp)
        self._done: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._undone: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._saved = self._given.copy()
        self.update()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def codes(self) -> np.ndarray:
        """Numbers of the classes that rows have: the label's, else the network's."""
        return np.where(self.labelled, self._given, self.predicted)

    @property
    def labelled(self) -> np.ndarray:
        """Rows that somebody gave a class."""
        return self._given != _NOT_GIVEN

    @property
    def unsaved(self) -> bool:
        """Whether labels were given since they were last written."""
        return not np.array_equal(self._given, self._saved)

    def mark_saved(self) -> None:
        """Take the labels as they are for written."""
        self._saved = self._given.copy()

    def name(self, row: int) -> str:
        """Return the class that a row has."""
        return self.classes[self.codes[row]]

    def probabilities(self, row: int) -> dict[str, float]:
        """Return the probabilities of a row by class, of classes that have any."""
        pairs = zip(self.classes, self._p[row].tolist(), strict=True)
        return {name: p for name, p in pairs if not np.isnan(p)}

    def filter(
        self, ticked: Mapping[str, bool], thresholds: Mapping[str, float]
    ) -> None:
        """Show what ticks and thresholds say; those of other classes say nothing."""
        self.ticked.update({k: v for k, v in ticked.items() if k in self.ticked})
        self.thresholds.update(
            {k: v for k, v in thresholds.items() if k in self.thresholds}
        )
        self.update()

    def update(self) -> None:
        """Work out again which rows are shown."""
        codes = self.codes
        self.p = np.take_along_axis(self._p, codes[:, None].astype(np.intp), 1)[:, 0]
        ticked = np.array([self.ticked[name] for name in self.classes])
        least = np.array([self.thresholds[name] for name in self.classes])
        enough = (self.p >= least[codes]) | np.isnan(self.p) | self.labelled
        self.shown = ticked[codes] & enough & np.isfinite(self.xy).all(axis=1)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return for each class how many rows are shown, and how many there are."""
        codes = self.codes
        n = len(self.classes)
        shown = np.bincount(codes[self.shown], minlength=n)
        total = np.bincount(codes, minlength=n)
        return {
            name: (int(shown[i]), int(total[i])) for i, name in enumerate(self.classes)
        }

    def order(self, by: str) -> np.ndarray:
        """
        Return the rows that are shown.

        Parameters
        ----------
        by : str
            One of `ORDERS`.

        Returns
        -------
        rows : int `~numpy.ndarray`
        """
        rows = np.flatnonzero(self.shown)
        if by == 'class':
            return rows[np.argsort(self.codes[rows], kind='stable')]
        if by in ('doubtful first', 'certain first'):
            p = np.nan_to_num(self.p[rows], nan=-1)
            return rows[np.argsort(p if by == 'doubtful first' else -p, kind='stable')]
        return rows

    def nearest(
        self, x: float, y: float, radius: float, among: np.ndarray | None = None
    ) -> int | None:
        """Return the row shown next to a position, None beyond a radius (pixels)."""
        rows = np.flatnonzero(self.shown) if among is None else among
        if not len(rows):
            return None
        distance = np.hypot(self.xy[rows, 0] - x, self.xy[rows, 1] - y)
        best = int(distance.argmin())
        return int(rows[best]) if distance[best] <= radius else None

    def in_box(self, x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
        """Return the rows shown within a box."""
        (left, right), (low, high) = sorted((x1, x2)), sorted((y1, y2))
        x, y = self.xy.T
        with np.errstate(invalid='ignore'):
            inside = (x >= left) & (x <= right) & (y >= low) & (y <= high)
        return np.flatnonzero(inside & self.shown)

    def assign(self, rows: np.ndarray, name: str) -> None:
        """Give rows a class; the network's own class confirms it."""
        after = np.full(len(rows), self.classes.index(name), dtype=np.int16)
        self._change(np.asarray(rows, dtype=np.intp), after)

    def clear(self, rows: np.ndarray) -> None:
        """Take the labels of rows away."""
        after = np.full(len(rows), _NOT_GIVEN, dtype=np.int16)
        self._change(np.asarray(rows, dtype=np.intp), after)

    def _change(self, rows: np.ndarray, after: np.ndarray) -> None:
        before = self._given[rows]
        if np.array_equal(before, after):
            return
        self._given[rows] = after
        self._done.append((rows, before, after))
        self._undone.clear()
        self.update()

    def undo(self) -> np.ndarray | None:
        """Undo the last change; return its rows, None where there is none."""
        if not self._done:
            return None
        rows, before, after = self._done.pop()
        self._undone.append((rows, before, after))
        self._given[rows] = before
        self.update()
        return rows

    def redo(self) -> np.ndarray | None:
        """Do again what was undone; return its rows, None where there is nothing."""
        if not self._undone:
            return None
        rows, before, after = self._undone.pop()
        self._done.append((rows, before, after))
        self._given[rows] = after
        self.update()
        return rows

    def corrected(self, *, shown_only: bool = False) -> Table:
        """
        Return the catalogue with the labels in it.

        Parameters
        ----------
        shown_only : bool, optional
            Whether to leave out rows that are not shown.

        Returns
        -------
        table : `~astropy.table.Table`
            ``class_name`` is the label where there is one; ``label`` holds the
            labels, '-' elsewhere; without labels there is no such column.
        """
        table = self.table.copy()
        names = np.array(self.classes)
        table['class_name'] = names[self.codes]
        if self.labelled.any():
            labels = np.where(self.labelled, names[self._given], _NO_LABEL)
            table['label'] = Column(labels)
        elif 'label' in table.colnames:
            table.remove_column('label')
        return table[self.shown] if shown_only else table

    def labels(self) -> Table:
        """Return the labels, as `~astrosieve.source.labels.write_labels` takes them."""
        rows = np.flatnonzero(self.labelled)
        names = [self.classes[code] for code in self._given[rows]]
        return make_labels(self.exposure, self.extver, self.xy[rows], names)

    def apply_labels(self, labels: Table) -> int:
        """
        Give rows the labels of a table; return how many rows have one now.

        Parameters
        ----------
        labels : `~astropy.table.Table`
            As from `~astrosieve.source.labels.read_labels`.

        Returns
        -------
        n : int
        """
        rows, names = match_labels(labels, self.exposure, self.extver, self.xy)
        unknown = sorted(set(names.tolist()) - set(self.classes))
        if unknown:
            msg = (
                f'the labels have the class {unknown[0]}, which this catalogue does '
                'not; classify with the model that has it'
            )
            raise CatalogError(msg)
        if len(rows):
            numbers = [self.classes.index(name) for name in names]
            self._change(rows, np.array(numbers, dtype=np.int16))
            self.mark_saved()
        return len(rows)


class Reviews:
    """
    The classified images of a channel.

    Labels that were not saved stay when an image, or all of them, are forgotten.
    """

    def __init__(self) -> None:
        self._known: dict[tuple, tuple[Result, Review]] = {}
        self._labels = make_labels('none', 1, [], [])

    def get(self, key: tuple) -> tuple[Result, Review] | None:
        """Return what is known of an image, None where it was not classified."""
        return self._known.get(key)

    def take(self, result: Result) -> Review:
        """Take a result in; its detections keep the labels that are known."""
        review = Review(result.table, Path(str(result.key[0])).name, result.extver)
        if result.key in self._known:
            self._keep(self._known[result.key][1])
        review.apply_labels(self._labels)
        self._known[result.key] = (result, review)
        return review

    def drop_pixels(self, but: Review | None) -> None:
        """Let go of the pixels of all images but one."""
        for result, review in self._known.values():
            if review is not but:
                result.image = None

    def forget(self, name: str, path: str) -> None:
        """Forget an image that was removed from the channel, and its planes."""
        for key in list(self._known):
            whole = key[0] == name or not name.endswith(']')
            if key[0] in (name, path) and (whole or key[1] in name):
                self._keep(self._known.pop(key)[1])

    def clear(self) -> None:
        """Forget all images."""
        for _, review in self._known.values():
            self._keep(review)
        self._known.clear()

    def _keep(self, review: Review) -> None:
        """Keep the labels of a review that goes."""
        if review.unsaved:
            self._labels = merge_labels(self._labels, review.labels())
