"""The picture of why the selected detection has its class."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ginga.gw import Widgets

from astrosieve.classes import UNSCORED, words
from astrosieve.source.explain import Explanation
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve_plugins.ginga_classify.classify import Result, explain
from astrosieve_plugins.ginga_classify.picture import (
    explanation_picture,
    message_picture,
)
from astrosieve_plugins.ginga_classify.review import Review
from astrosieve_plugins.ginga_classify.shown import Target
from astrosieve_plugins.ginga_classify.work import Worker

__all__ = ['Question', 'WhyBox']

_WIDTH = 390  # of the picture, screen pixels


@dataclass(frozen=True, eq=False)
class Question:
    """
    A detection, and what it takes to explain it.

    Parameters
    ----------
    row : int
        Row of the catalogue.
    review : `~astrosieve_plugins.ginga_classify.review.Review`
        The catalogue.
    result : `~astrosieve_plugins.ginga_classify.classify.Result`
        What it was made from.
    target : `~astrosieve_plugins.ginga_classify.shown.Target`
        The image.
    """

    row: int
    review: Review
    result: Result
    target: Target

    @property
    def unscored(self) -> str:
        """Why the row has no class of the network's; empty where it has one."""
        review = self.review
        if review.classes[review.predicted[self.row]] != UNSCORED:
            return ''
        if 'class_flags' not in review.table.colnames:
            return 'no reason is given'
        names = CLASS_FLAGS.decode(int(review.table['class_flags'][self.row]))
        return ', '.join(words(name) for name in names if name != UNSCORED)


class WhyBox:
    """
    The picture, and the detections that wait for it: the last one asked counts.

    Parameters
    ----------
    box : `ginga.gw.Widgets.VBox`
        Where to put it.
    worker : `~astrosieve_plugins.ginga_classify.work.Worker`
        Does the work.
    convention : callable
        Returns whose colours to use.
    """

    def __init__(
        self, box: Any, worker: Worker, *, convention: Callable[[], str]
    ) -> None:
        self._worker = worker
        self._convention = convention
        self._wanted: Question | None = None
        self._folder = tempfile.TemporaryDirectory(prefix='astrosieve-')
        self.picture = Widgets.Image()
        box.add_widget(self.picture)
        self.clear()

    def clear(self) -> None:
        """Explain nothing."""
        self._wanted = None
        self._show(message_picture('Select a detection to see why.'))

    def close(self) -> None:
        """Remove the picture's file."""
        self._wanted = None
        self._folder.cleanup()

    def ask(self, question: Question) -> None:
        """Explain a detection, after what is being explained."""
        self._wanted = question
        if not self._worker.busy('explain'):
            self._explain()

    def _explain(self) -> None:
        asked = self._wanted
        if asked is None:
            return
        if asked.unscored:
            self._show(message_picture(f'Not scored: {asked.unscored}.'))
            return
        x, y = asked.review.xy[asked.row]
        self._worker.run(
            'explain',
            lambda job: explain(asked.result, asked.target, (float(x), float(y)), job),
            lambda explanation, _job: self._explained(asked, explanation),
            failed=lambda text: self._failed(asked, text),
        )

    def _failed(self, asked: Question, text: str) -> None:
        if asked is not self._wanted:
            self._explain()
            return
        self._show(message_picture(text))

    def _explained(self, asked: Question, explanation: Explanation) -> None:
        """Show an explanation, unless another was asked for meanwhile."""
        if asked is not self._wanted:
            self._explain()
            return
        review, row = asked.review, asked.row
        title = f'{review.table["id"][row]}  {review.name(row).replace("_", " ")}'
        self._show(
            explanation_picture(
                explanation,
                review.probabilities(row) or explanation.probabilities,
                title=f'{title}{" (label)" if review.labelled[row] else ""}',
                convention=self._convention(),
                width=_WIDTH,
            )
        )

    def _show(self, picture: Any) -> None:
        path = str(Path(self._folder.name) / 'picture.png')
        picture.save(path)
        self.picture.load_file(path)
