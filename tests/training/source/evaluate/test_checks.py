"""Checks besides the leaks: positions, each pixel, images to be doubted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('galsim')
pytest.importorskip('scipy')
pytest.importorskip('matplotlib')
pytest.importorskip('photutils')

from astrosieve.models.registry import Model
from astrosieve_training.simulate.plans import ExposureSet
from astrosieve_training.source.evaluate import checks
from astrosieve_training.source.evaluate.checks import (
    check_domain,
    check_phases,
    check_scan,
    scan,
)

EXPOSURES = ExposureSet(
    name='tiny', n=2, seed=40, cameras=('demo',), scenes=('outskirts',),
    shape=(200, 200),
)  # fmt: skip


def test_phases_of_kept_stars(model: Model, cache: Path, tmp_path: Path) -> None:
    """Where all detected stars are kept there is no distance to them."""
    points = {'complete': replace(model.card.operating_point('complete'), threshold=0)}
    everything = Model(replace(model.card, operating_points=points), model.path)
    lines, (detected, true) = check_phases(everything, EXPOSURES, cache, tmp_path)
    assert detected.measured.value == 0
    assert detected.measured.n > 15
    assert 0 < true.measured.value < 0.3
    assert detected.holds
    assert (tmp_path / 'tiny-scales-judge-phases.png').stat().st_size > 1000
    assert any('2 exposures, seeds 40 to 41' in line for line in lines)


def test_biased_phases_are_seen(
    model: Model, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that keeps stars at the middle of pixels alone is told from others."""

    def centred(inputs: dict[str, np.ndarray]) -> np.ndarray:
        pixels = inputs['cutouts'][:, 0]
        across = np.abs(pixels[:, 5, 4] - pixels[:, 5, 6]) / pixels[:, 5, 5]
        star = np.where(across < 0.2, 1.0, 0.0)
        return np.column_stack([star, *[(1 - star) / 3] * 3])

    biased = Model(model.card, model.path)
    monkeypatch.setattr(biased, 'predict', centred)
    _, (detected, true) = check_phases(biased, EXPOSURES, cache, tmp_path)
    assert detected.measured.value > 0.2
    assert not detected.holds
    assert not true.holds


@pytest.fixture(scope='module')
def domain(model: Model, cache: Path) -> tuple[list[str], dict[str, float]]:
    lines, limits = check_domain(model, EXPOSURES, cache)
    return lines, {limit.what: limit.measured.value for limit in limits}


def test_images_unlike_the_training_are_recognised(
    domain: tuple[list[str], dict[str, float]],
) -> None:
    """Each change is; sky, pedestal, no unit and nothing at all are not."""
    lines, shares = domain
    assert len(lines) == 4 + len(shares)
    for what, share in shares.items():
        assert share == what.startswith('recognised as unusual'), what
    assert sum(shares.values()) == len(checks._UNUSUAL)


def test_a_model_that_doubts_nothing_fails(model: Model, cache: Path) -> None:
    """Without limits on the card nothing is noticed."""
    one = replace(EXPOSURES, n=1)
    card = replace(model.card, domain={})
    _, limits = check_domain(Model(card, model.path), one, cache)
    assert not any(limit.measured.value for limit in limits)
    assert not all(limit.holds for limit in limits)


def test_lost_pixels() -> None:
    """Forty percent, in patches of 16 pixels; the rest is as it was."""
    image = np.random.default_rng(0).normal(size=(310, 205))
    lost = np.isnan(checks._without_pixels(image, np.random.default_rng(1)))
    assert lost.mean() == pytest.approx(0.4, abs=0.07)
    assert (lost[:16, :16] == lost[0, 0]).all()
    kept = checks._without_pixels(image, np.random.default_rng(1))
    assert np.array_equal(kept[~lost], image[~lost])


@pytest.mark.parametrize('n', [1, 2])
def test_each_pixel_is_asked(
    n: int, model: Model, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dark pixels are called background here, bright ones stars: the sky is right."""
    classes = ('star', 'spike', 'extended', 'background')

    def by_brightness(inputs: dict[str, np.ndarray]) -> np.ndarray:
        dark = inputs['cutouts'][:, 0, 5, 5] < 4
        zero = np.zeros(len(dark))
        return np.column_stack([~dark, zero, zero, dark]).astype(np.float32)

    card = replace(
        model.card, classes=classes, class_prior=dict.fromkeys(classes, 0.25)
    )
    judged = Model(card, model.path)
    monkeypatch.setattr(judged, 'predict', by_brightness)
    monkeypatch.setattr(checks, '_SCANNED', 40)
    lines, (sky, nebula) = check_scan(judged, replace(EXPOSURES, n=n), cache, tmp_path)
    assert sky.what == 'pixels of background called background'
    assert sky.least
    assert 100 * n < sky.measured.n <= n * 40 * 40
    assert sky.measured.value > 0.95
    assert nebula.measured.k == 0
    assert not nebula.least
    (row,) = (line for line in lines if line.startswith('| background ('))
    assert row.split(' | ')[1:4] == [f'{1 - sky.measured.value:.2%}', *['0.00%'] * 2]
    assert (tmp_path / 'tiny-scales-judge-scan.png').stat().st_size > 1000


def test_scan_keeps_the_order_of_pixels(model: Model, star_field) -> None:
    """The most probable star of a part lies where the star is."""
    x, y = np.rint(star_field.stars[5]).astype(int)
    box = (slice(y - 4, y + 9), slice(x - 7, x + 4))
    p = scan(model, star_field.data, box, fwhm=2.4)
    assert p.shape == (13, 11, 4)
    assert p.sum(axis=2) == pytest.approx(np.ones((13, 11)), abs=1e-5)
    assert p[4, 7, 0] == p[..., 0].max() > 0.9
    assert p[12, 0, 0] < 0.5
