"""
The benchmark's learners, on principal components of the same stamps.

References
----------
du Buisson et al. 2015, MNRAS 454, 2026.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from astrosieve_training.transient.datasets import Examples, truly_real

__all__ = ['LEARNERS', 'learner_scores']

_COMPONENTS = 60
_MOST = 8000  # candidates that are learnt from
_MOST_OF_SVM = 4000


class MinimumError:
    """
    Principal components of each class; the one that describes a stamp best is its.

    Parameters
    ----------
    components : int
        Of each class.
    """

    def __init__(self, components: int = 20) -> None:
        self.components = components
        self.spaces: list[Any] = []

    def fit(self, features: np.ndarray, real: np.ndarray) -> MinimumError:
        """Find the components of bogus and of real ones."""
        from sklearn.decomposition import PCA

        groups = [features[real == which] for which in (False, True)]
        self.spaces = [
            PCA(min(self.components, *group.shape), random_state=0).fit(group)
            for group in groups
        ]
        return self

    def decision_function(self, features: np.ndarray) -> np.ndarray:
        """Return how much better the components of real ones describe each."""
        bogus, real = (
            ((space.inverse_transform(space.transform(features)) - features) ** 2).sum(
                1
            )
            for space in self.spaces
        )
        better: np.ndarray = np.log(bogus) - np.log(real)
        return better


def _forest() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(300, random_state=0)


def _neighbours() -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(15, weights='distance')


def _bayes() -> Any:
    from sklearn.naive_bayes import GaussianNB

    return GaussianNB()


def _machine() -> Any:
    from sklearn.svm import SVC

    return SVC(C=3.0)


LEARNERS: dict[str, Callable[[], Any]] = {
    'random forest': _forest,
    'nearest neighbours': _neighbours,
    'naive Bayes': _bayes,
    'support vector machine': _machine,
    'minimum error': MinimumError,
}
"""What makes each learner."""


def _pixels(examples: Examples) -> np.ndarray:
    """Return the three planes that a stamp begins with, as rows."""
    stamps = examples.inputs['stamps']
    bands = stamps.shape[1] > 3 and (examples.facts.survey == 'bands').all()
    planes = stamps[:, 6:9] if bands else stamps[:, :3]
    return planes.reshape(len(examples), -1).astype(np.float32)


def learner_scores(
    learnt: Examples, judged: Examples, *, seed: int = 0
) -> dict[str, tuple[np.ndarray, float]]:
    """
    Return what the learners say of candidates.

    Parameters
    ----------
    learnt, judged : `~astrosieve_training.transient.datasets.Examples`
        To learn from, at most 8,000 of them, and to be scored.
    seed : int, optional
        Of the choice of candidates.

    Returns
    -------
    scores : dict of str to tuple
        By learner: (N,) scores, higher for real ones, and the learner's threshold.
    """
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(learnt))[:_MOST]
    pixels = _pixels(learnt.take(rows))
    space = PCA(
        min(_COMPONENTS, *pixels.shape), svd_solver='randomized', whiten=True,
        random_state=seed,
    )  # fmt: skip
    features = space.fit_transform(pixels)
    real = truly_real(learnt.facts.label[rows])
    seen = space.transform(_pixels(judged))
    found = {}
    for name, make in LEARNERS.items():
        learner = make()
        most = _MOST_OF_SVM if name == 'support vector machine' else _MOST
        learner.fit(features[:most], real[:most])
        if hasattr(learner, 'predict_proba'):
            found[name] = (learner.predict_proba(seen)[:, 1], 0.5)
        else:
            found[name] = (learner.decision_function(seen), 0.0)
    return found
