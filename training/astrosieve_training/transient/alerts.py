"""What becomes of real alerts of ZTF."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.judge.scores import roc
from astrosieve_training.transient.datasets import p_real, read_alerts

__all__ = ['judge_alerts']

_OTHERS = {'rb': 0.5, 'drb': 0.5, 'braai_d6_m9': 0.5}
_KNOWN = ('real_moving', 'real_named')
_SAMPLE = 'alerts of ZTF'


def judge_alerts(
    model: Model, folder: Path
) -> tuple[list[str], list[tuple[str, Limit]]]:
    """Return what becomes of real alerts, and the limits on it."""
    card = model.card
    alerts = read_alerts(folder, card.preprocessing)
    rows = np.arange(len(alerts.table))
    label = np.asarray(alerts.table['label']).astype(str)
    score = p_real(model.predict(alerts.batch(rows)), card.classes)
    scores = {card.name: (score, card.threshold('balanced', 'p_real'))}
    for name, least in _OTHERS.items():
        given: np.ndarray = np.ma.filled(
            np.ma.asarray(alerts.table[name], float), np.nan
        )
        scores[name] = (given, least)
    lines = []
    for name, (values, least) in scores.items():
        there = np.isfinite(values)
        kept, known = values >= least, np.isin(label, _KNOWN) & there
        proxies = (label == 'bogus_proxy') & there
        both = known | proxies
        area = (
            Number(roc(values[both], known[both]).area, int(both.sum()))
            if known.any() and proxies.any()
            else Number(float('nan'), 0)
        )
        lines.append(
            (
                name,
                *(Share.of(kept, (label == kind) & there) for kind in _KNOWN),
                Share.of(~kept, proxies),
                area,
                Share.of(kept, (label == 'unlabelled') & there),
            )
        )
    table = markdown_table(
        ('by', 'known asteroids kept', 'named transients kept', 'proxies gone',
         'area under the ROC', 'unlabelled kept'),
        lines,
    )  # fmt: skip
    kept = score >= card.threshold('balanced', 'p_real')
    known = Share.of(kept, np.isin(label, _KNOWN))
    gone = Share.of(~kept, label == 'bogus_proxy')
    return table, [
        (
            _SAMPLE,
            Limit('asteroids and named transients kept', known, 0.97, least=True),
        ),
        (_SAMPLE, Limit('proxies gone', gone, 0.90, least=True)),
    ]
