"""The judge of the task."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.judge.figures import figure_file
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.judge.report import Report, Section
from astrosieve_training.judge.scores import binned, rates_at, roc
from toytask.classes import CLASSES
from toytask.dataset import make_frames

__all__ = ['judge']


def judge(model: Model, folder: Path, *, n: int = 300, seed: int = 9) -> Report:
    """Judge a model on new frames."""
    classes = model.card.classes
    maps = model.card.activation == 'sigmoid'
    frames = make_frames('maps' if maps else 'frames', n, seed)
    inputs, target, weight = frames.batch(np.arange(n), None)
    p = np.moveaxis(model.predict(inputs, chunk_size=32), 1, 0)
    if weight is None:
        truth = target == np.arange(len(classes))[:, None]
        known = np.ones(n, dtype=bool)
    else:
        truth = np.moveaxis(target, 1, 0) > 0
        known = weight[:, 0] > 0
    point = model.card.operating_points['best'].threshold
    assert isinstance(point, dict)
    limits, rows, reliability = [], [], []
    path = folder / f'{model.card.name}-roc.png'
    with figure_file(path, size=(3, 3)) as (_, axes):
        for name, scores, members in zip(
            classes, p[:, known], truth[:, known], strict=True
        ):
            curve = roc(scores, members)
            axes[0, 0].plot(curve.leak, curve.completeness, color=CLASSES.ink(name))
            _, shares = rates_at(scores, members, 0.9, {'rest': ~members})
            kept = Share.of(scores >= point[name], members)
            rows.append(
                (CLASSES.plural(name), kept, shares['rest'], f'{curve.area:.3f}')
            )
            limits += [
                (name, Limit('completeness', kept, 0.7, least=True)),
                (name, Limit('leak at 90 %', shares['rest'], 0.2)),
                (
                    name,
                    Limit('area', Number(curve.area, members.size), 0.9, least=True),
                ),
            ]
            for low, high, inside in binned(scores, np.linspace(0, 1.001, 4).tolist()):
                share = Share.of(members, inside)
                reliability.append((name, f'{low:.2f} to {high:.2f}', share))
    table = markdown_table(('class', 'kept', 'leak at 90 %', 'area'), rows)
    calibration = markdown_table(('class', 'probability', 'right'), reliability)
    return Report(
        model,
        table,
        limits,
        [Section('Calibration', calibration)],
        {
            'areas': {
                name: float(row[3]) for name, row in zip(classes, rows, strict=True)
            }
        },
        figures=[path],
    )
