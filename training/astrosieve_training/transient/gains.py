"""What labels of a survey gain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from astrosieve.markdown import markdown_table
from astrosieve.models.registry import Model
from astrosieve_training.transient.datasets import Examples, p_real, truly_real
from astrosieve_training.transient.judged import Judged
from astrosieve_training.transient.tune import tuned_scores

__all__ = ['gains_of_labels']

_LABELS = (100, 300, 1000)


def gains_of_labels(model: Model, examples: Examples, folder: Path) -> list[str]:
    """
    Return a table of what labels of one survey gain on its other fields.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        What goes on learning.
    examples : `~astrosieve_training.transient.datasets.Examples`
        Of one survey; those of every second field are to be labelled, the others are
        judged.
    folder : `~pathlib.Path`
        Keeps the trainings.
    """
    survey = str(examples.facts.survey[0])
    sure, first = ~examples.contested, examples.facts.field % 2 == 0
    pool, rest = examples.take(sure & first), examples.take(sure & ~first)
    inputs, _, _ = rest.batch(np.arange(len(rest)), None)
    score = p_real(model.predict(inputs), model.card.classes)
    before = Judged(survey, 'none', score, truly_real(rest.facts.label), np.nan)
    rows = [before]
    for n in _LABELS:
        if n <= len(pool):
            score = tuned_scores(model, pool, rest, n, folder / f'labels-{n}')
            rows.append(replace(before, by=str(n), score=score))
    return markdown_table(
        (f'labels of {survey}', 'area under the ROC', 'kept at 2 % false',
         'calibration error'),
        [(each.by, each.auc, each.complete, each.error) for each in rows],
    )  # fmt: skip
