"""Inputs as an epoch of training sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from astrosieve.source.widths import width_hypotheses
from astrosieve_training.learn.augment import turned

if TYPE_CHECKING:
    from astrosieve_training.source.config import TrainConfig
    from astrosieve_training.source.datasets.examples import Examples

__all__ = ['Augmented', 'augmented']

_WRONG = 0.2  # of the logarithm of a width


def _spoil(examples: Examples, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return the cutouts, some with pixels filled as unusable ones are."""
    cutouts = examples.inputs['cutouts'].copy()
    size = cutouts.shape[-1]
    half = size // 2
    for i in np.flatnonzero(rng.random(len(cutouts)) < share):
        bad = np.zeros((size, size), dtype=bool)
        kind = rng.integers(3)
        if kind == 0:  # scattered pixels
            bad.ravel()[rng.integers(size * size, size=rng.integers(1, 9))] = True
        elif kind == 1:  # a bad column
            bad[:, rng.integers(size)] = True
        else:  # beyond the edge of the image
            bad[: rng.integers(1, 4)] = True
            bad = np.rot90(bad, int(rng.integers(4)))
        bad[half, half] = False
        cutouts[i, 0][bad] = examples.fill[i]
    return cutouts


def _told_widths(
    examples: Examples, settings: TrainConfig, rng: np.random.Generator
) -> np.ndarray:
    """
    Return widths of the PSF.

    Half of them, and those not measured, true and jittered; some unknown, NaN. Those
    measured wrongly too: stars that a network chooses are seldom as far off.
    """
    measured = examples.inputs['fwhm']
    n = len(examples)
    factors = np.exp(rng.normal(0, settings.fwhm_jitter, n))
    true = (examples.fwhm * factors).astype(np.float32)[:, None]
    share = 0.5 if settings.fwhm_jitter else 0.0
    off = np.abs(np.log(measured / examples.fwhm[:, None])) > _WRONG
    use = (rng.random(n) < share)[:, None] | np.isnan(measured) | off
    told = np.where(use & np.isfinite(true), true, measured)
    if settings.fwhm_unknown:
        told[rng.random(n) < settings.fwhm_unknown] = np.nan
    return told


def _one_hypothesis(
    inputs: dict[str, np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Return widths of the PSF; where none is known, one that is then assumed."""
    widths = [each['fwhm'] for each in width_hypotheses(inputs)]
    if len(widths) == 1:
        return widths[0]
    number = rng.integers(len(widths), size=len(widths[0]))
    drawn: np.ndarray = np.stack(widths)[number, np.arange(len(number))]
    return drawn


def augmented(
    examples: Examples, settings: TrainConfig, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return inputs as an epoch of training sees them."""
    inputs = dict(examples.inputs)
    if settings.spoil:
        inputs['cutouts'] = _spoil(examples, settings.spoil, rng)
    if 'fwhm' in inputs:
        inputs['fwhm'] = _told_widths(examples, settings, rng)
        inputs['fwhm'] = _one_hypothesis(inputs, rng)
    return turned(inputs, rng) if settings.augment else inputs


@dataclass(frozen=True)
class Augmented:
    """
    Examples as `~astrosieve_training.learn.loop.train_run` asks for them.

    Parameters
    ----------
    examples : `~astrosieve_training.source.datasets.examples.Examples`
        Cutouts and labels.
    settings : `~astrosieve_training.source.config.TrainConfig`
        What an epoch changes in them.
    """

    examples: Examples
    settings: TrainConfig

    @property
    def key(self) -> str:
        """Hash of all arrays."""
        return self.examples.key

    def __len__(self) -> int:
        return len(self.examples)

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, None]:
        """Return inputs and labels; without a generator as they are."""
        part = self.examples[rows]
        if rng is None:
            return part.inputs, part.labels, None
        return augmented(part, self.settings, rng), part.labels, None
