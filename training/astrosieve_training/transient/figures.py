"""Figures of a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from matplotlib.artist import Artist

from astrosieve.figures import GREY, line_styles
from astrosieve_training.judge.figures import draw_reliability, figure_file
from astrosieve_training.judge.scores import Curve

__all__ = ['draw_calibration', 'draw_rocs']


class _Scored(Protocol):
    @property
    def sample(self) -> str: ...

    @property
    def by(self) -> str: ...

    @property
    def score(self) -> np.ndarray: ...

    @property
    def real(self) -> np.ndarray: ...

    @property
    def curve(self) -> Curve: ...


def draw_rocs(everyone: Sequence[_Scored], path: Path) -> None:
    """Draw the ROC of each, samples side by side."""
    samples = list(dict.fromkeys(each.sample for each in everyone))
    styles = line_styles(each.by for each in everyone)
    with figure_file(path, columns=len(samples), size=(4.6, 3.6)) as (figure, axes):
        for axis, sample in zip(axes[0], samples, strict=True):
            for each in everyone:
                if each.sample == sample:
                    curve = each.curve
                    axis.plot(
                        np.maximum(curve.leak, 1e-4), curve.completeness,
                        label=each.by, **styles[each.by],
                    )  # fmt: skip
            axis.axvline(0.02, color=GREY, lw=0.8)
            axis.set(
                xscale='log', xlim=(1e-3, 1), ylim=(0.3, 1.005), title=sample,
                xlabel='bogus candidates kept', ylabel='real candidates kept',
            )  # fmt: skip
        lines: dict[str, Artist] = {}
        for axis in axes[0]:
            handles, names = axis.get_legend_handles_labels()
            lines |= dict(zip(names, handles, strict=True))
        figure.legend(
            lines.values(), lines.keys(), fontsize=7, loc='outside right upper'
        )


def draw_calibration(everyone: Sequence[_Scored], path: Path) -> None:
    """Draw how often a candidate is real, against its probability."""
    with figure_file(path, size=(3.8, 3.6)) as (_, axes):
        axis = axes[0, 0]
        for each in everyone:
            label = f'{each.by}, {each.sample}'
            draw_reliability(axis, each.score, each.real, label=label)
        axis.set(xlabel='p_real', ylabel='share that is real')
        axis.legend(fontsize=7, loc='lower right')
