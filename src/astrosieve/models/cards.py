"""Model cards: what a network is, what it was shown, and how well it does."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from astrosieve.exceptions import ModelError
from astrosieve.models.calibration import ACTIVATIONS, complete_prior, reweight
from astrosieve.models.metrics import Share

__all__ = ['ModelCard', 'OperatingPoint']

FORMAT = 'astrosieve-card-1'
"""What a card's file says it is; one that says nothing is of the form before."""

_WIDTH = 80  # letters of a line of the summary
_KINDS = {
    'str': str,
    'Literal': str,
    'int': int,
    'float': (int, float, tuple),
    'tuple': tuple,
    'dict': dict,
}
_ROUNDING = 1e-3  # what the sum of the shares of classes may be off


@dataclass(frozen=True)
class OperatingPoint:
    """
    A named threshold with what was measured at it.

    Parameters
    ----------
    threshold : float or dict of str to float
        Kept is what has at least this probability; one for each class where there
        is a dict.
    on : str
        What is compared with it: a column of the output, such as ``p_CLASS``.
    measured : dict of str to `~astrosieve.models.metrics.Share`
        Completeness, purity and whatever else the task counts, by name.
    sample : str
        What it was measured on.
    """

    threshold: float | dict[str, float]
    on: str
    measured: dict[str, Share]
    sample: str

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> OperatingPoint:
        """Return the point of which `dataclasses.asdict` made a dict."""
        measured = {name: Share(**each) for name, each in values['measured'].items()}
        return cls(**{**values, 'measured': measured})

    def __str__(self) -> str:
        return self._text({name: str(each) for name, each in self.measured.items()})

    def brief(self) -> str:
        """
        Return the point in a line, without intervals and counts.

        Of a threshold for each class, what was measured of it stands behind it.
        """
        if isinstance(self.threshold, dict):
            kinds = dict.fromkeys(name.partition(' ')[2] for name in self.measured)
            told = ', '.join(filter(None, kinds))
            return ', '.join(
                f'{name} >= {limit:.2f}{self._behind(name)}'
                for name, limit in self.threshold.items()
            ) + (f'; in brackets: {told}' if told else '')
        return self._text(
            {
                name: f'{each.value:.2%}'
                for name, each in self.measured.items()
                if each.n
            }
        )

    def _behind(self, name: str) -> str:
        """Return in brackets what was measured of a class."""
        own = [each for what, each in self.measured.items() if what.split()[0] == name]
        said = ', '.join(f'{each.value:.0%}' if each.n else '-' for each in own)
        return f' ({said})' if said else ''

    def _text(self, shares: dict[str, str]) -> str:
        limits = self.threshold
        if isinstance(limits, dict):
            rule = ', '.join(f'{name} >= {each:.4f}' for name, each in limits.items())
        else:
            rule = f'{self.on} >= {limits:.4f}'
        return f'{rule}: {", ".join(f"{name} {text}" for name, text in shares.items())}'


@dataclass(frozen=True)
class ModelCard:
    """
    Everything about a model that is not its weights.

    Parameters
    ----------
    name, version : str
        Name of the model and version of its weights.
    task : str
        What the model is for; only this task runs it.
    description : str
        One paragraph.
    classes : tuple of str
        Classes in the order of the network's outputs.
    preprocessing : str
        Name of the preprocessing, version included.
    inputs : dict
        Shape, type and meaning of each input.
    sha256 : str
        Hash of the ONNX file.
    temperature : float or tuple of float
        What the logits are divided by, one for all or one for each class; fitted on
        data kept from training.
    class_prior : dict of str to float
        Mix of classes for which the probabilities hold. The shares sum to one,
        unless each class has a probability of its own.
    operating_points : dict of str to `OperatingPoint`
        Named thresholds.
    training_data, split, seed, licence
        Where it comes from.
    activation : 'softmax' or 'sigmoid', optional
        What makes probabilities of the logits: of classes that exclude each other,
        or of each class on its own.
    domain : dict of str to tuple of float, optional
        Limits of the traits of the images it was trained on, by the names of
        `~astrosieve.images.traits.ImageTraits`.
    options : dict, optional
        What the task wants to know besides.
    limits, references, metrics, software : optional
        What it cannot do, whose it is, and how well it does.

    Raises
    ------
    ModelError
        If prior, temperature or thresholds do not fit the classes.
    """

    name: str
    version: str
    task: str
    description: str
    classes: tuple[str, ...]
    preprocessing: str
    inputs: dict[str, Any]
    sha256: str
    temperature: float | tuple[float, ...]
    class_prior: dict[str, float]
    operating_points: dict[str, OperatingPoint]
    training_data: str
    split: str
    seed: int
    licence: str
    activation: Literal['softmax', 'sigmoid'] = 'softmax'
    domain: dict[str, tuple[float, float]] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for problem in self._problems():
            msg = f'card of {self.name}: {problem}'
            raise ModelError(msg)

    def _problems(self) -> Iterator[str]:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, bool) or not isinstance(value, _kind(str(each.type))):
                yield f'{each.name} must be {each.type}; got {value!r}'
        for name in ('classes', 'limits', 'references'):
            if not all(isinstance(value, str) for value in getattr(self, name)):
                yield f'{name} must be texts'
        for name in ('class_prior', 'domain', 'temperature'):
            values = getattr(self, name)
            values = [*values.values()] if isinstance(values, dict) else values
            if not np.isfinite(np.asarray(values, dtype=float)).all():
                yield f'{name} must be finite numbers'
        shares = self.class_prior.values()
        if sorted(self.class_prior) != sorted(self.classes):
            yield f'class_prior must name each of {self.classes}'
        if self.activation not in ACTIVATIONS:
            known = ' or '.join(ACTIVATIONS)
            yield f'activation must be {known}; got {self.activation!r}'
        if self.activation == 'sigmoid' and not all(0 < share < 1 for share in shares):
            yield 'each share of class_prior must lie between 0 and 1'
        if self.activation == 'softmax' and abs(sum(shares) - 1) > _ROUNDING:
            yield f'the shares of class_prior sum to {sum(shares):g}, not to 1'
        temperatures = np.atleast_1d(self.temperature)
        if len(temperatures) not in (1, len(self.classes)):
            yield f'temperature must be one number, or one for each of {self.classes}'
        if not (temperatures > 0).all():
            yield 'temperature must be positive'
        for name, point in self.operating_points.items():
            given = point.threshold
            limits = [*given.values()] if isinstance(given, dict) else [given]
            if not all(math.isfinite(limit) for limit in limits):
                yield f'the threshold of operating point {name} must be finite'
            for what in ('on', 'sample'):
                value = getattr(point, what)
                if not isinstance(value, str):
                    yield f'{what} of operating point {name} must be str; got {value!r}'
            if isinstance(point.threshold, dict):
                unknown = ', '.join(sorted({*point.threshold} - {*self.classes}))
                if unknown:
                    yield f'operating point {name} names {unknown}, which is no class'

    @classmethod
    def from_json(cls, text: str, *, source: str = 'model card') -> ModelCard:
        """
        Read a card.

        Parameters
        ----------
        text : str
            JSON.
        source : str, optional
            What messages call it.

        Raises
        ------
        ModelError
            If the text is not a card, or of a format that is not known here.
        """
        try:
            values = json.loads(text)
            form = values.pop('format', None)
            if form not in (FORMAT, None):
                msg = (
                    f'{source}: format {form!r} is not known here (known: {FORMAT}); '
                    'the model may need a newer astrosieve'
                )
                raise ModelError(msg)
            if form is None:
                values = _of_this_form(values)
            values['operating_points'] = {
                name: OperatingPoint.from_dict(point)
                for name, point in values['operating_points'].items()
            }
            for key in ('classes', 'limits', 'references'):
                values[key] = tuple(values.get(key, ()))
            if isinstance(values['temperature'], list):
                values['temperature'] = tuple(values['temperature'])
            values['domain'] = {
                key: (float(low), float(high))
                for key, (low, high) in values.get('domain', {}).items()
            }
            return cls(**values)
        except ModelError:
            raise
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            wanted = ', '.join(f.name for f in fields(cls))
            msg = f'{source}: not a model card ({error!r}); a card has {wanted}'
            raise ModelError(msg) from error

    def to_json(self) -> str:
        """Return the card as JSON text."""
        return json.dumps({'format': FORMAT, **asdict(self)}, indent=2) + '\n'

    def operating_point(self, name: str) -> OperatingPoint:
        """
        Return an operating point by name.

        Raises
        ------
        ModelError
            If the card has none of that name.
        """
        if name not in self.operating_points:
            known = ', '.join(self.operating_points) or 'none'
            msg = f'model {self.name} has no operating point {name!r}; it has {known}'
            raise ModelError(msg)
        return self.operating_points[name]

    def threshold(self, name: str, on: str) -> float:
        """
        Return the threshold of an operating point on one column.

        Raises
        ------
        ModelError
            If the card has no such point, or it is on something else.
        """
        point = self.operating_point(name)
        if point.on != on or isinstance(point.threshold, dict):
            msg = (
                f'operating point {name!r} of model {self.name} is a threshold on '
                f'{point.on}, not on {on}'
            )
            raise ModelError(msg)
        return point.threshold

    def complete_prior(self, prior: Mapping[str, float]) -> dict[str, float]:
        """
        Return an expected mix of classes, completed by the card's own.

        Raises
        ------
        ValueError
            See `~astrosieve.models.calibration.complete_prior`.
        """
        exclusive = self.activation == 'softmax'
        return complete_prior(prior, self.class_prior, exclusive=exclusive)

    def for_prior(
        self, probabilities: np.ndarray, prior: Mapping[str, float]
    ) -> np.ndarray:
        """
        Return the model's probabilities for another mix of classes, by Bayes' rule.

        Parameters
        ----------
        probabilities : (N, C, ...) `~numpy.ndarray`
            As `~astrosieve.models.registry.Model.predict` gives them.
        prior : dict of str to float
            Expected share of some or all classes.

        Returns
        -------
        probabilities : (N, C, ...) float32 `~numpy.ndarray`
        """
        return reweight(
            probabilities,
            self.classes,
            factors=self.prior_factors(prior),
            exclusive=self.activation == 'softmax',
        )

    def prior_factors(self, prior: Mapping[str, float]) -> dict[str, float]:
        """
        Return what another mix of classes multiplies the odds of each by.

        Of classes that exclude each other it is what the probabilities are multiplied
        by, before they are made to sum to one again.
        """
        old, new = self.class_prior, self.complete_prior(prior)
        factors = {name: new[name] / old[name] for name in self.classes}
        if self.activation != 'softmax':
            for name in self.classes:
                factors[name] *= (1 - old[name]) / (1 - new[name])
        return factors

    def summary(self) -> str:
        """Return what a user wants to know of the model, for a screen."""
        points = self.operating_points
        # What follows a colon lists the exposures.
        samples = {point.sample.partition(':')[0] for point in points.values()}
        facts = [
            ('classes', ', '.join(self.classes)),
            ('domain', self._ranges()),
            *((name, point.brief()) for name, point in points.items()),
            ('measured on', '; '.join(sorted(samples))),
            *(('limit', limit) for limit in self.limits),
            ('reference', '; '.join(self.references)),
            ('licence', self.licence),
        ]
        return '\n'.join(
            [
                textwrap.fill(
                    f'{self.name} {self.version}: {self.description}', _WIDTH
                ),
                *(
                    textwrap.fill(
                        text,
                        _WIDTH,
                        initial_indent=f'{name:<13}',
                        subsequent_indent=' ' * 13,
                    )
                    for name, text in facts
                    if text
                ),
            ]
        )

    def _ranges(self) -> str:
        ranges = [
            f'{trait} {low:g} to {high:g}' for trait, (low, high) in self.domain.items()
        ]
        return ', '.join(ranges) or 'not stated'

    def details(self) -> str:
        """Return all of the card as text: training, hash, and how it was judged."""
        lines = [
            f'{self.name} {self.version}: {self.description}',
            f'task            {self.task}',
            f'classes         {", ".join(self.classes)}',
            f'preprocessing   {self.preprocessing}',
            f'domain          {self._ranges()}',
            f'training data   {self.training_data}',
            f'split           {self.split}',
            f'licence         {self.licence}',
            f'sha256          {self.sha256}',
        ]
        for name, point in self.operating_points.items():
            lines.append(f'{name:<15} {point} ({point.sample})')
        lines += [f'limit           {limit}' for limit in self.limits]
        lines += [f'reference       {reference}' for reference in self.references]
        if 'tables' in self.metrics:
            lines += ['', *map(str, self.metrics['tables'])]
        return '\n'.join(lines)


def _kind(annotation: str) -> Any:
    """Return the classes of which a field's values are."""
    return _KINDS[re.split(r'\W', annotation)[0]]


def _of_this_form(values: dict[str, Any]) -> dict[str, Any]:
    """
    Return the values of a card of the form before in today's.

    Its thresholds are on the first class. It states completeness and purity as shares
    with intervals, not as counts, and the widths of the PSF apart from other traits.
    """
    values = dict(values)
    points = {
        name: {
            'threshold': point['threshold'],
            'on': f'p_{values["classes"][0]}',
            'measured': {
                what: asdict(_counted(point[what], *point[f'{what}_interval']))
                for what in ('completeness', 'purity')
            },
            'sample': point['sample'],
        }
        for name, point in values['operating_points'].items()
    }
    domain = {'fwhm': values.pop('fwhm_range'), **values.get('domain', {})}
    return {**values, 'operating_points': points, 'domain': domain}


def _counted(value: float, low: float, high: float) -> Share:
    """Return the counts of which a share has this value and this Wilson interval."""
    width2 = (high - low) ** 2
    if width2 >= 1:
        return Share(0, 0)
    # The interval's width, solved for t = z**2 / n.
    b = 2 * value * (1 - value) - width2
    t = (np.sqrt(b**2 + width2 * (1 - width2)) - b) / (1 - width2)
    n = round(NormalDist().inv_cdf(0.975) ** 2 / t)
    return Share(round(value * n), n)
