"""Images in, a verdict of each out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike

from astrosieve import __version__
from astrosieve.contaminant.classes import FAILURES
from astrosieve.contaminant.verdict.preprocessing import Sources, network_inputs
from astrosieve.exceptions import AstrosieveWarning, ModelError
from astrosieve.images.dq import DQMeaning
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.inputs import named_preprocessing
from astrosieve.models.registry import Model, load_model

__all__ = [
    'OPERATING_POINT',
    'TASK',
    'VERDICTS',
    'Verdict',
    'judge_image',
    'verdict_of',
]

MODEL = 'contaminant-verdict'
"""Name of the model that is shipped."""

TASK = 'verdict'
"""What the cards of such models say they are for."""

OPERATING_POINT = 'warn'
"""The operating point of a card at which something is said to have gone wrong."""

_FEWEST = 5  # sources in medians of the image at one scale: less have nothing in common

VERDICTS = (*FAILURES, 'no_stars')
"""What is told of an image; of one without stars nothing else can be."""


@dataclass(frozen=True)
class Verdict:
    """
    What is said of a whole image.

    Parameters
    ----------
    probabilities : dict of str to float
        That tracking or guiding was lost, that the image is doubled, that it is out of
        focus, each by itself; NaN where it cannot be told. And ``no_stars``: that there
        are too few stars to tell by.
    failures : tuple of str
        What reaches its threshold.
    told : bool
        Whether there are stars to tell by.
    meta : dict
        Model, hash, version, thresholds.
    """

    probabilities: dict[str, float]
    failures: tuple[str, ...]
    told: bool
    meta: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Say it in a few words."""
        if not self.told:
            return 'no stars to judge the image by'
        said = [f'{name} {self.probabilities[name]:.2f}' for name in self.failures]
        return ', '.join(said) or 'tracking and focus good'

    def warning(self) -> str:
        """Say what went wrong, and how likely that is."""
        said = [
            f'{FAILURES[name]} (probability {self.probabilities[name]:.2f})'
            for name in self.failures
        ]
        return '; '.join(said)


def worst_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Return what is said of an exposure: of each failure the surest of its images."""
    p = [each.probabilities for each in verdicts]
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # NaN where none of them can be told
        surest = {n: float(np.nanmax([each[n] for each in p])) for n in FAILURES}
    said = {name for each in verdicts for name in each.failures}
    return Verdict(
        {**surest, 'no_stars': min(each['no_stars'] for each in p)},
        tuple(name for name in FAILURES if name in said),
        any(each.told for each in verdicts),
        verdicts[0].meta,
    )


def judge_image(
    data: ArrayLike | u.Quantity,
    *,
    mask: ArrayLike | None = None,
    dq: ArrayLike | None = None,
    unit: str | u.UnitBase | None = None,
    model: str | Path | Model = MODEL,
    dq_bits: DQMeaning | None = None,
) -> Verdict:
    """
    Tell whether tracking or focus failed in a whole image.

    Parameters
    ----------
    data : 2D array_like, Quantity, `~astropy.nddata.NDData` or CCDData
        Pixels, of any size, in any linear unit, with or without sky and bias.
    mask : 2D bool array_like, optional
        `True` excludes a pixel.
    dq : 2D int array_like, optional
        DQ flags; pixels that carry no signal are not usable.
    unit : optional
        Unit of the pixels. It is checked, and changes nothing.
    model : str, path-like or `~astrosieve.models.registry.Model`, optional
        The model.
    dq_bits : `~astrosieve.images.dq.DQMeaning`, optional
        Meaning of the DQ bits; by default that of ACS and WFC3/UVIS.

    Returns
    -------
    verdict : `Verdict`

    Raises
    ------
    ModelError
        If there is no such model, or it is for something else.
    TypeError, ValueError
        If an array is no 2D image or not of the image's shape.

    Warns
    -----
    AstrosieveWarning
        If something went wrong with the image.

    References
    ----------
    Paillassa, M., Bertin, E. & Bouy, H. 2020, A&A 634, A48 (arXiv:1907.08298).

    Examples
    --------
    >>> import numpy as np
    >>> from astrosieve.contaminant import judge_image
    >>> print(judge_image(np.zeros((64, 64))))
    no stars to judge the image by
    """
    image = MeasuredImage.of(data, mask=mask, dq=dq, unit=unit, dq_bits=dq_bits)
    verdict = verdict_of(image, model)
    if verdict.failures:
        warnings.warn(verdict.warning(), AstrosieveWarning, stacklevel=2)
    return verdict


def verdict_of(image: MeasuredImage, model: str | Path | Model = MODEL) -> Verdict:
    """
    Judge an image that is measured already.

    Parameters
    ----------
    image : `~astrosieve.images.measured.MeasuredImage`
        The image.
    model : str, path-like or `~astrosieve.models.registry.Model`, optional
        The model.

    Returns
    -------
    verdict : `Verdict`

    Raises
    ------
    ModelError
        If there is no such model, it is for something else, or its card does not state
        a threshold of each verdict.
    """
    loaded = load_model(model, task=TASK)
    card = loaded.card
    limits = card.operating_point(OPERATING_POINT).threshold
    if card.classes != VERDICTS or not isinstance(limits, dict):
        msg = (
            f'operating point {OPERATING_POINT!r} of model {card.name} must have a '
            f'threshold for each of {", ".join(VERDICTS)}'
        )
        raise ModelError(msg)
    found = named_preprocessing({Sources.name: Sources}, card.preprocessing).find(image)
    p = loaded.predict(network_inputs(found))[0]
    probabilities = dict(zip(VERDICTS, map(float, p), strict=True))
    if found.counts[:, 1].max() < _FEWEST:
        probabilities['no_stars'] = 1.0
    told = probabilities['no_stars'] < limits['no_stars']
    if not told:
        probabilities |= dict.fromkeys(FAILURES, float('nan'))
    return Verdict(
        probabilities,
        tuple(n for n in FAILURES if probabilities[n] >= limits[n]),
        told,
        {
            'model': f'{card.name} {card.version}',
            'hash': card.sha256,
            'version': __version__,
            'thresholds': dict(limits),
        },
    )
