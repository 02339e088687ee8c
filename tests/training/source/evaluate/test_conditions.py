"""Checks where users differ: stated widths, hits of other detectors, saturation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('galsim')
pytest.importorskip('scipy')
pytest.importorskip('photutils')

from astrosieve.models.registry import Model
from astrosieve_training.simulate.plans import ExposureSet
from astrosieve_training.source.datasets import detections
from astrosieve_training.source.evaluate import conditions
from astrosieve_training.source.evaluate.conditions import (
    check_hits,
    check_measured,
    check_saturated,
    check_widths,
)

EXPOSURES = ExposureSet(
    name='tiny', n=2, seed=40, cameras=('demo',), scenes=('outskirts',),
    shape=(200, 200),
)  # fmt: skip


def test_stated_widths(
    model: Model, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing moves of a network that ignores the width, much of one that obeys it."""
    told = []
    for module in (conditions, detections):  # these networks choose no stars
        monkeypatch.setattr(module, 'star_chooser', lambda model: None)

    def deaf(inputs: dict[str, np.ndarray]) -> np.ndarray:
        told.append(float(np.median(inputs['fwhm'])))
        star = inputs['cutouts'][:, 0, 5, 5] / (1 + inputs['cutouts'][:, 0, 5, 5])
        return np.column_stack([star, *[(1 - star) / 3] * 3])

    def obedient(inputs: dict[str, np.ndarray]) -> np.ndarray:
        star = np.nan_to_num(inputs['fwhm'][:, 0], nan=2) / 5
        return np.column_stack([star, *[(1 - star) / 3] * 3])

    other = Model(model.card, model.path)
    monkeypatch.setattr(other, 'predict', deaf)
    lines, limits = check_widths(other, EXPOSURES, cache)
    assert told[:7] == sorted(told[:7])
    assert 0.75 < told[0] / told[3] < 1 < told[6] / told[3] < 1.3
    assert all(limit.measured.value == 0 and limit.holds for limit in limits)
    assert any(line.startswith('| none known |') for line in lines)
    assert 'Exposures whose stars say a width: 1; half' in lines[0]
    monkeypatch.setattr(other, 'predict', obedient)
    _, limits = check_widths(other, EXPOSURES, cache)
    (star,) = (limit for limit in limits if limit.what.startswith('stars'))
    assert star.measured.value > 0.3
    assert not star.holds


def test_widths_that_images_say(model: Model, cache: Path) -> None:
    """By rules and by what the network chooses; the camera's own does not help."""
    lines = check_measured(model, [EXPOSURES], cache)
    rules, chosen = (line.strip('| ').split(' | ') for line in lines[4:])
    assert rules[:2] == ['tiny', 'rules']
    assert chosen[1] == 'stars that the network chooses'
    # One of the two has too few stars for rules.
    assert float(rules[2].rstrip('%')) < 10
    assert rules[5].startswith('50.00%')


def test_hits_by_detector(model: Model, cache: Path) -> None:
    """A row for each detector and model; a limit for each detector of the first."""
    exposures = ExposureSet(
        name='hits', n=2, seed=60, cameras=('demo',), scenes=('outskirts',),
        shape=(260, 260), hits=('thick', 'lsst'), judged_hits=True,
    )  # fmt: skip
    lines, limits = check_hits([model, model], exposures, cache)
    rows = [line for line in lines if line.startswith(('| thick', '| lsst'))]
    assert len(rows) == 4
    assert [limit.what for limit in limits] == [
        'hits of thick called stars', 'hits of lsst called stars'
    ]  # fmt: skip
    assert all(limit.measured.n > 3 for limit in limits)


def test_saturated_stars(model: Model, cache: Path) -> None:
    """Each has a row; what the network calls it is counted apart."""
    bright = ExposureSet(
        name='bright', n=2, seed=70, cameras=('demo',), scenes=('outskirts',),
        shape=(400, 400),
    )  # fmt: skip
    lines, (called, plateaus) = check_saturated(model, bright, cache)
    assert any('saturated stars with a row within 2 pixels' in line for line in lines)
    assert called.measured.n > 1
    assert plateaus.measured.n >= 0
