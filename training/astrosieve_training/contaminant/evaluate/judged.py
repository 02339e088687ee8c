"""What finders say of images, counted by sample and class."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.flags import Rules
from astrosieve.contaminant.segment import segment_contaminants
from astrosieve.models.registry import Model
from astrosieve_training.contaminant.baselines import Finder
from astrosieve_training.contaminant.evaluate.cases import HITS, SECOND, SIMULATED, Case
from astrosieve_training.contaminant.scores import Tally

__all__ = ['PAPER', 'Judged', 'judge_cases', 'network_finder', 'network_flags']

PAPER = tuple(name for name in CLASSES.names if name != 'reflection')
"""The classes of the paper."""

_FEW = 6  # of so many simulated images a slow finder is given one


def network_finder(model: Model) -> Finder:
    """Return a model as a finder of contaminants."""

    def maps(
        sci: np.ndarray, masked: np.ndarray | None, known: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        found = segment_contaminants(sci, mask=masked, model=model)
        planes = np.nan_to_num(found.probabilities.astype(np.float32))
        return dict(zip(found.classes, planes, strict=True))

    return Finder(model.card.name, model.card.classes, maps)


def network_flags(model: Model) -> Finder:
    """Return what a model flags of the classes that it is asked to be sure of."""

    def maps(
        sci: np.ndarray, masked: np.ndarray | None, known: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        found = segment_contaminants(sci, mask=masked, model=model)
        return {name: found.where(name).astype(np.float32) for name in classes}

    classes = Rules(model.card).sure
    return Finder(f'{model.card.name}, flags', classes, maps)


@dataclass
class Judged:
    """
    What a finder says of a sample.

    Parameters
    ----------
    sample, by : str
        Name of the sample and of the finder.
    tallies : dict of str to `~astrosieve_training.contaminant.scores.Tally`
        By class.
    images : int
        How many.
    seconds : float
        For all of them.
    """

    sample: str
    by: str
    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    images: int = 0
    seconds: float = 0.0

    @property
    def tells_many(self) -> bool:
        """Whether it was asked for several classes."""
        return len(self.tallies) > 1

    def precision(self, name: str) -> float:
        """Return the average precision of a class; NaN where it is not told."""
        known = name in self.tallies
        return self.tallies[name].average_precision() if known else float('nan')

    def mean_precision(self) -> float:
        """Return the mean of the paper's classes that the sample has."""
        values = [self.precision(name) for name in PAPER]
        return float(np.nanmean(values)) if np.isfinite(values).any() else float('nan')


def judge_cases(
    cases: Iterable[Case], finders: Sequence[Finder]
) -> dict[tuple[str, str], Judged]:
    """
    Count what finders say of images.

    Parameters
    ----------
    cases : iterable of `~astrosieve_training.contaminant.evaluate.cases.Case`
        The images.
    finders : sequence of `~astrosieve_training.contaminant.baselines.Finder`
        Whom to ask. Of a class that one cannot tell nothing is counted.

    Returns
    -------
    judged : dict of (str, str) to `Judged`
        By sample and finder.
    """
    judged: dict[tuple[str, str], Judged] = {}
    for number, case in enumerate(cases):
        simulated = SIMULATED in case.samples
        far = _far(case) if simulated else None
        made = simulated or SECOND in case.samples
        for finder in finders:
            told = [name for name in finder.classes if name in case.truth]
            if not told or (finder.slow and made and number % _FEW):
                continue
            began = time.perf_counter()
            maps = finder.maps(case.sci, case.masked, case.meta)
            seconds = time.perf_counter() - began
            for sample in case.samples:
                key = sample, finder.name
                own = judged.setdefault(key, Judged(*key))
                own.images += 1
                own.seconds += seconds
                for name in told:
                    known = case.known[name]
                    if case.masked is not None:
                        known = known & ~case.masked
                    own.tallies[name].add(maps[name], case.truth[name], known)
            if far is not None and 'cosmic_ray' in told:
                own = judged.setdefault((HITS, finder.name), Judged(HITS, finder.name))
                own.images += 1
                known = case.known['cosmic_ray'] & far
                hits = maps['cosmic_ray'], case.truth['cosmic_ray']
                own.tallies['cosmic_ray'].add(*hits, known)
    return judged


def _far(case: Case) -> np.ndarray:
    """Return which usable pixels are more than two from a defect."""
    from scipy.ndimage import binary_dilation

    near = binary_dilation(case.meta['defects'], np.ones((3, 3)), iterations=2)
    return np.asarray(~near if case.masked is None else ~(near | case.masked))
