"""Model cards: what a network is, what it was shown, and how well it does."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from astrosieve.exceptions import ModelError

__all__ = ['ModelCard', 'OperatingPoint']


@dataclass(frozen=True)
class OperatingPoint:
    """
    A named threshold with what was measured at it.

    Parameters
    ----------
    threshold : float
        Kept is what has ``p_star >= threshold``.
    completeness, purity : float
        Share of the true stars kept, and share of the kept that are stars.
    completeness_interval, purity_interval : tuple of float
        95 % Wilson intervals.
    sample : str
        What it was measured on.
    """

    threshold: float
    completeness: float
    completeness_interval: tuple[float, float]
    purity: float
    purity_interval: tuple[float, float]
    sample: str


@dataclass(frozen=True)
class ModelCard:
    """
    Everything about a model that is not its weights.

    Parameters
    ----------
    name, version : str
        Name of the model and version of its weights.
    task : str
        'source', 'contaminant', 'blob', 'frametype' or 'transient'.
    description : str
        One paragraph.
    classes : tuple of str
        Classes in the order of the network's outputs.
    preprocessing : str
        Name of the preprocessing, version included.
    inputs : dict
        Shape, unit and meaning of each input.
    sha256 : str
        Hash of the ONNX file.
    temperature : float
        What the logits are divided by; fitted on data kept from training.
    class_prior : dict of str to float
        Mix of classes for which the probabilities hold.
    operating_points : dict of str to `OperatingPoint`
        Named thresholds.
    fwhm_range : tuple of float
        Widths of the PSF, FWHM in pixels, of the exposures it was trained on.
    domain : dict of str to tuple of float
        Limits of other traits of these exposures, see
        `~astrosieve.images.traits.ImageTraits`.
    training_data, split, seed, metrics, limits, references, licence, software
        Where it comes from and how well it does.
    """

    name: str
    version: str
    task: str
    description: str
    classes: tuple[str, ...]
    preprocessing: str
    inputs: dict[str, Any]
    sha256: str
    temperature: float
    class_prior: dict[str, float]
    operating_points: dict[str, OperatingPoint]
    fwhm_range: tuple[float, float]
    training_data: str
    split: str
    seed: int
    licence: str
    domain: dict[str, tuple[float, float]] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if sorted(self.class_prior) != sorted(self.classes):
            msg = f'card of {self.name}: class_prior must name each of {self.classes}'
            raise ModelError(msg)
        if not self.temperature > 0:
            msg = f'card of {self.name}: temperature must be positive'
            raise ModelError(msg)

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
            If the text is not a card.
        """
        try:
            values = json.loads(text)
            points = {
                name: OperatingPoint(
                    **{
                        **point,
                        'completeness_interval': tuple(point['completeness_interval']),
                        'purity_interval': tuple(point['purity_interval']),
                    }
                )
                for name, point in values.pop('operating_points').items()
            }
            for key in ('classes', 'fwhm_range', 'limits', 'references'):
                values[key] = tuple(values.get(key, ()))
            values['domain'] = {
                key: (float(low), float(high))
                for key, (low, high) in values.get('domain', {}).items()
            }
            return cls(operating_points=points, **values)
        except ModelError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            wanted = ', '.join(f.name for f in fields(cls))
            msg = f'{source}: not a model card ({error!r}); a card has {wanted}'
            raise ModelError(msg) from error

    def to_json(self) -> str:
        """Return the card as JSON text."""
        return json.dumps(asdict(self), indent=2) + '\n'

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

    def summary(self) -> str:
        """Return the card as text for a terminal."""
        lines = [
            f'{self.name} {self.version}: {self.description}',
            f'task            {self.task}',
            f'classes         {", ".join(self.classes)}',
            f'preprocessing   {self.preprocessing}',
            f'PSF FWHM        {self.fwhm_range[0]:g} to {self.fwhm_range[1]:g} pixels',
            f'training data   {self.training_data}',
            f'split           {self.split}',
            f'licence         {self.licence}',
            f'sha256          {self.sha256}',
        ]
        for name, point in self.operating_points.items():
            lines.append(
                f'{name:<15} p_star >= {point.threshold:.4f}: completeness '
                f'{point.completeness:.2%}, purity {point.purity:.2%} ({point.sample})'
            )
        lines += [f'limit           {limit}' for limit in self.limits]
        lines += [f'reference       {reference}' for reference in self.references]
        if 'tables' in self.metrics:
            lines += ['', *self.metrics['tables']]
        return '\n'.join(lines)
