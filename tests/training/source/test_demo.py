"""The bundled exposure is what its generator makes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('galsim')

from astrosieve.images.exposures import read_chips
from astrosieve.source.demo import demo_exposure
from astrosieve.source.demo import demo_truth as bundled_truth
from astrosieve_training.source.demo import demo_truth, simulate_demo


def test_the_bundled_exposure_can_be_made_again() -> None:
    """Pixels and truth of the package are those of the seed, but for rounding."""
    exposure = simulate_demo()
    chip = next(read_chips(demo_exposure()))
    same = np.abs(chip.sci - exposure.sci) <= 1 / 16
    assert same.mean() > 0.999
    assert np.array_equal(chip.dq, exposure.dq)
    made, bundled = demo_truth(exposure), bundled_truth()
    assert abs(len(made) - len(bundled)) <= 1
    if len(made) == len(bundled):
        assert np.mean(made['label'] == bundled['label']) > 0.99
