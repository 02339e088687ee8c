"""What particles and earlier exposures leave."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('scipy')

from astrosieve_training.contaminant.simulate import hits, persistence
from astrosieve_training.contaminant.simulate.draft import Draft
from astrosieve_training.contaminant.simulate.instruments import draw_instrument
from astrosieve_training.contaminant.simulate.profiles import draw_profile


def a_draft(seed: int, family: str) -> Draft:
    """Return an empty draft."""
    rng = np.random.default_rng(seed)
    instrument = draw_instrument(rng, family)
    return Draft(rng, (128, 128), instrument, draw_profile(rng, instrument), real=False)


def test_snowballs_have_a_halo_or_next_to_none() -> None:
    """A few times as many pixels as are half full hold charge, or hardly more."""
    grown = []
    for seed in range(300):
        draft = a_draft(seed, 'hst_ir')
        plane = hits._snowballs(draft)
        assert (plane >= 0).all()
        full = (plane > 0.5 * plane.max()) & (plane > 0)
        if plane.max() > 1000 * draft.noise and full.sum() > 10:
            grown.append((plane > 2 * draft.noise).sum() / full.sum())
    assert len(grown) > 20
    assert np.percentile(grown, 10) < 6
    assert np.percentile(grown, 90) > 12


@pytest.mark.parametrize('seed', range(6))
def test_a_trail_that_is_remembered_is_a_line(seed: int) -> None:
    """How much remains is told by the distance from a line, and by nothing else."""
    draft = a_draft(seed, 'near_ir')
    latent = persistence._trail(draft)
    assert latent.shape == draft.shape
    assert latent.min() > -1e-6
    rows, columns = draft.grid()
    unexplained = []
    for turn in np.linspace(0, np.pi, 720, endpoint=False):
        away = np.rint(4 * (rows * np.cos(turn) - columns * np.sin(turn))).astype(int)
        at = (away - away.min()).ravel()
        number = np.bincount(at)
        mean = np.bincount(at, latent.ravel()) / np.maximum(number, 1)
        unexplained.append(np.mean((latent.ravel() - mean[at]) ** 2))
    assert min(unexplained) < 0.1 * latent.var()
    assert max(unexplained) > 0.5 * latent.var()
