"""Hits of other detectors in simulated exposures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('galsim')

from astrosieve_training.data_folder import data_folder
from astrosieve_training.simulate import effects
from astrosieve_training.simulate.plans import (
    ExposurePlan,
    ExposureSet,
    simulate_plan,
)
from astrosieve_training.simulate.real_hits import JUDGED_SOURCES, hit_templates

PLAN = ExposurePlan('demo', 'empty', 0.0, 7, (300, 300))


@pytest.mark.parametrize(('source', 'least'), [('thick', 10), ('heavy', 1)])
def test_simulated_hits(source: str, least: int) -> None:
    """They are added, and known to the truth; what else is drawn stays."""
    plan = replace(PLAN, shape=(500, 500))
    without, added = (
        simulate_plan(replace(plan, hits=hits))[0].truth for hits in ('', source)
    )
    assert len(added.cosmic_rays) >= len(without.cosmic_rays) + least
    assert ('heavy' in added.cosmic_rays['kind']) == (source == 'heavy')
    more = added.planes['cosmic_ray'].sum() - without.planes['cosmic_ray'].sum()
    assert more > 1000
    assert np.array_equal(added.stars['x'], without.stars['x'])
    for name in ('star', 'extended'):
        assert added.planes[name] == pytest.approx(without.planes[name], abs=1)


def test_judged_hits_are_the_only_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The camera's own are left out, and a judge sees one detector alone."""
    stamp = np.full((3, 3), 2000.0)
    asked = []

    def templates(source: str, *, judged: bool) -> effects.CosmicRayTemplates:
        asked.append((source, judged))
        return effects.CosmicRayTemplates([stamp])

    monkeypatch.setattr(effects, 'hit_templates', templates)
    (exposure,) = simulate_plan(replace(PLAN, hits='lsst', judged_hits=True))
    assert asked == [('lsst', True)]
    hits = exposure.truth.cosmic_rays
    assert len(hits) > 3
    assert set(hits['kind'].tolist()) == {'template'}
    total = np.asarray(hits['electrons'])
    assert np.median(total) == pytest.approx(total.max(), rel=1e-3)


def test_hits_are_taken_in_turn() -> None:
    """Each exposure of a set has those of the next name."""
    exposures = ExposureSet(
        n=5, seed=3, cameras=('demo',), hits=('', 'any'), judged_hits=False
    )
    assert [plan.hits for plan in exposures.plans()] == ['', 'any', '', 'any', '']


@pytest.mark.parametrize('source', ['uvis', 'wfpc2', 'lsst', 'sprat'])
def test_hits_for_judging_are_apart(source: str) -> None:
    """Three of four serve in training, the fourth never; of some detectors none."""
    if data_folder() is None:
        pytest.skip('no shared data')
    trained, judged = (hit_templates(source, judged=flag) for flag in (False, True))
    assert judged is not None
    if source in JUDGED_SOURCES:
        assert trained is None
        assert len(judged) > 20
        return
    assert trained is not None
    assert len(trained) == pytest.approx(3 * len(judged), abs=6)
    for stamp in judged.stamps:
        assert not any(np.array_equal(stamp, other) for other in trained.stamps)
