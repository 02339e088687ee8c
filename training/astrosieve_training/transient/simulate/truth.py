"""
What a candidate is: that which gave most of the light that the matched filter saw.

The difference is a sum of differences of components (see `subtraction`), so that the
filter's answer at a place is a sum too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from astrosieve_training.transient.simulate.fields import Field
from astrosieve_training.transient.simulate.subtraction import Difference

__all__ = ['Truth', 'what_they_are']

_COMPONENTS = (
    'real', 'static', 'spike', 'cosmic_ray', 'bad_pixel', 'satellite_trail',
    'bad_template', 'saturated', 'sky', 'noise',
)  # fmt: skip
_OPPOSITE = 0.4  # of the highest, that the lowest must reach in a dipole
_SEEN = 0.5  # of the light that a real change must have to count as one


class Truth(NamedTuple):
    """Classes of candidates, and the share of their light that is the class's."""

    label: np.ndarray
    share: np.ndarray


def what_they_are(
    field: Field, made: Difference, x: np.ndarray, y: np.ndarray, sign: np.ndarray
) -> Truth:
    """
    Return what candidates are.

    Parameters
    ----------
    field : `~.fields.Field`
        Search and template, by components.
    made : `~.subtraction.Difference`
        How they were subtracted.
    x, y, sign : (N,) `~numpy.ndarray`
        Peaks of the filtered difference, and whether they are up or down.
    """
    column, row = x.astype(int), y.astype(int)
    answers = []
    empty = np.zeros(made.image.shape, np.float32)
    edge = field.edge | field.template.masked
    for name in _COMPONENTS:
        search, template = (
            each.planes.get(name, empty) for each in (field.search, field.template)
        )
        if search.any() or template.any():
            whole = made.filtered(
                np.where(field.search.masked, 0, search),
                np.where(field.template.masked, 0, template),
            )
            answers.append(sign * whole[row, column])
        else:
            answers.append(np.zeros(len(x)))
    parts = np.maximum(np.array(answers), 0)
    largest = parts.argmax(0)
    share = parts.max(0) / np.maximum(parts.sum(0), 1e-9)
    label = np.array(_COMPONENTS)[largest].astype('U16')
    real = label == 'real'
    real &= parts[0] > _SEEN * (parts.sum(0) - parts[-1])
    label[(label == 'sky')] = 'noise'
    reach = int(np.ceil(field.conditions.fwhm))
    for number in range(len(x)):
        if real[number]:
            label[number] = _nearest(field, x[number], y[number], sign[number])
            continue
        label[number] = _artefact(
            label[number], field, made, edge, column[number], row[number], reach
        )
    return Truth(label, share)


def _nearest(field: Field, x: float, y: float, sign: float) -> str:
    """Return the kind of the change that is nearest, for its flux."""
    changes = field.sky.changes
    dx, dy = x - changes.x, y - changes.y
    cosine, sine = np.cos(changes.angle), np.sin(changes.angle)
    half = changes.length / 2
    along = np.clip(dx * cosine + dy * sine, -half, half)
    away = np.hypot(dx - along * cosine, dy - along * sine)
    weight = np.maximum(sign * changes.flux, 0) / (away**2 + 0.5) ** 2
    return str(changes.kind[int(np.argmax(weight))])


def _artefact(
    label: str,
    field: Field,
    made: Difference,
    edge: np.ndarray,
    column: int,
    row: int,
    reach: int,
) -> str:
    """Return what an artefact is called, by what lies around."""
    box = (
        slice(max(row - reach, 0), row + reach + 1),
        slice(max(column - reach, 0), column + reach + 1),
    )
    full = field.search.saturated[box] | field.template.saturated[box]
    if label in ('saturated', 'static', 'spike') and full.any():
        return 'saturated'
    if label in ('real', 'static', 'noise', 'spike', 'saturated') and edge[box].any():
        return 'bad_pixel'
    if label in ('real', 'static', 'saturated'):
        around = made.image[box]
        high, low = around.max(), -around.min()
        return 'dipole' if min(high, low) > _OPPOSITE * max(high, low) else 'residual'
    if label == 'noise' and _on_light(field, column, row):
        return 'residual'
    return label


def _on_light(field: Field, column: int, row: int) -> bool:
    """Return whether a place is on a source that is brighter than its sky."""
    light = field.search.planes['static'][row, column]
    return bool(light > 4 * field.conditions.noise**2 + 20 * field.conditions.noise)
