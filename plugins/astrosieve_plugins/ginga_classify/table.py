"""The table of the detections that are shown: pages, order, selected rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ginga.gw import Widgets

from astrosieve.classes import words
from astrosieve_plugins.ginga_classify.review import ORDERS, Review
from astrosieve_plugins.ginga_classify.settings import Settings
from astrosieve_plugins.ginga_classify.widgets import button, choice, label, row

__all__ = ['SourceTable']

_COLUMNS = ('id', 'class', 'p', 'x', 'y')
_LATER = 0.15  # seconds before the table follows a slider


class SourceTable:
    """
    A page of the detections that are shown.

    Parameters
    ----------
    box : `ginga.gw.Widgets.VBox`
        Where to put it.
    settings : `~astrosieve_plugins.ginga_classify.settings.Settings`
        Its order at first, and the rows of a page.
    timer : ginga timer
        For `fill_later`.
    select : callable
        Called with the rows of the catalogue that the user selects.
    """

    def __init__(
        self,
        box: Any,
        settings: Settings,
        timer: Any,
        *,
        select: Callable[[np.ndarray], None],
    ) -> None:
        self.page_rows = settings.page_rows
        self._select = select
        self._timer = timer
        self._timer.add_callback('expired', lambda _timer: self.fill())
        self._review: Review | None = None
        self._page = 0
        self._rows: dict[str, int] = {}
        self.order = choice(ORDERS, settings.order, self._reorder, 'Order of the table')
        self.previous = button('<', lambda: self._turn(-1), 'Page before')
        self.next = button('>', lambda: self._turn(1), 'Next page')
        self.page = label('')
        line = row((self.order, 0), (self.previous, 0), (self.next, 0), (self.page, 1))
        box.add_widget(line)
        self.table = Widgets.TreeView(
            sortable=False, selection='multiple', use_alt_row_color=True
        )
        self.table.setup_table([(name, name) for name in _COLUMNS], 1, 'id')
        self.table.set_column_widths([60, 110, 60, 75, 75])
        self.table.add_callback('selected', self._selected)
        self.table.set_min_size(300, 150)
        box.add_widget(self.table, stretch=1)

    def show(self, review: Review | None) -> None:
        """Take a catalogue; `fill` shows its first page."""
        self._review = review
        self._page = 0

    def close(self) -> None:
        """Let go of the catalogue."""
        self._timer.stop()
        self._review = None

    def fill_later(self) -> None:
        """Fill the table when nothing has changed for a moment."""
        self._timer.set(_LATER)

    def fill(self) -> None:
        """Fill the table with its page of the detections that are shown."""
        rows = self._ordered()
        pages = max(1, -(-len(rows) // self.page_rows))
        self._page = min(max(self._page, 0), pages - 1)
        first = self._page * self.page_rows
        part = rows[first : first + self.page_rows]
        self.previous.set_enabled(self._page > 0)
        self.next.set_enabled(self._page < pages - 1)
        if pages > 1:
            text = f'{first + 1} to {first + len(part)} of {len(rows)}'
        else:
            text = f'{len(rows)} shown'
        self.page.set_text(text)
        self._rows = {}
        self.table.set_tree({} if self._review is None else self._tree(part))
        self.mark()

    def _ordered(self) -> np.ndarray:
        if self._review is None:
            return np.empty(0, dtype=np.intp)
        return self._review.order(self.order.get_text())

    def _tree(self, rows: np.ndarray) -> dict[str, dict[str, str]]:
        """Return what the table shows of some rows; an id that comes again is told."""
        tree: dict[str, dict[str, str]] = {}
        review = self._review
        if review is None:
            return tree
        codes, labelled = review.codes, review.labelled
        ids = np.asarray(review.table['id'])
        for number in rows:
            key = str(ids[number])
            if key in tree:
                key = f'{key}#{number}'
            self._rows[key] = int(number)
            name = words(review.classes[codes[number]])
            p = review.p[number]
            tree[key] = {
                'id': key,
                'class': f'{name} *' if labelled[number] else name,
                'p': '' if np.isnan(p) else f'{p:.3f}',
                'x': f'{review.xy[number, 0]:.1f}',
                'y': f'{review.xy[number, 1]:.1f}',
            }
        return tree

    def go_to_selected(self) -> None:
        """Turn to the page of the first selected row, and mark the selected ones."""
        if self._review is not None and len(self._review.selected):
            place = np.flatnonzero(self._ordered() == self._review.selected[0])
            page = int(place[0]) // self.page_rows if len(place) else self._page
            if page != self._page:
                self._page = page
                self.fill()
                return
        self.mark()

    def mark(self) -> None:
        """Select in the table what is selected, as far as the page has it."""
        if self._review is None:
            return
        chosen = set(self._review.selected.tolist())
        paths = [[key] for key, number in self._rows.items() if number in chosen]
        self.table.clear_selection()
        if paths:
            self.table.select_paths(paths)
            self.table.scroll_to_path(paths[0])

    def _selected(self, _widget: Any, chosen: dict[str, Any]) -> None:
        rows = [self._rows[key] for key in chosen if key in self._rows]
        if rows:
            self._select(np.array(rows))

    def _reorder(self) -> None:
        self._page = 0
        self.fill()

    def _turn(self, by: int) -> None:
        self._page += by
        self.fill()
