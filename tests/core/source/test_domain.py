"""Whether an image is like those that a network was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from astrosieve import classify_sources
from astrosieve.exceptions import (
    AstrosieveWarning,
    OutOfDomainWarning,
    UnitWarning,
)
from astrosieve.images.pixels import spoilt_pixels
from astrosieve.images.traits import ImageTraits, measure_traits
from astrosieve.models.cards import ModelCard
from astrosieve.models.domain import departures
from astrosieve.models.registry import Model, load_model
from astrosieve.source.flags import CLASS_FLAGS


def white(seed: int = 0, shape: tuple[int, int] = (256, 256)) -> np.ndarray:
    """Return independent noise on a sky."""
    return np.random.default_rng(seed).normal(100, 5, shape).astype(np.float32)


def crowded(fwhm: float, seed: int = 0) -> np.ndarray:
    """Return a field of 600 sampled stars, with noise that is independent."""
    image = white(seed).astype(float)
    rng = np.random.default_rng([seed, 1])
    sigma = fwhm / 2.3548
    y, x = np.indices(image.shape)
    for flux in 10 ** rng.uniform(2, 5, 600):
        x0, y0 = rng.uniform(0, 256, 2)
        part = (
            slice(max(0, int(y0) - 9), int(y0) + 10),
            slice(max(0, int(x0) - 9), int(x0) + 10),
        )
        radius2 = (x[part] - x0) ** 2 + (y[part] - y0) ** 2
        profile = np.exp(-radius2 / (2 * sigma**2)) / (2 * np.pi * sigma**2)
        image[part] += flux * profile
    return image.astype(np.float32)


def smoothed(image: np.ndarray) -> np.ndarray:
    """Return an image convolved with a Gaussian of sigma 0.7 pixels."""
    weights = np.exp(-(np.arange(-4, 5) ** 2) / (2 * 0.7**2))
    weights /= weights.sum()
    for axis in (0, 1):
        shifts = [np.roll(image, step, axis) for step in range(-4, 5)]
        image = np.tensordot(weights, shifts, axes=1)
    return image.astype(np.float32)


def shifted(image: np.ndarray) -> np.ndarray:
    """Return an image shifted by half a pixel along x, by linear interpolation."""
    return (image + np.roll(image, 1, axis=1)) / 2


def ratio(image: np.ndarray, **options: Any) -> float:
    found = measure_traits(image, **options).noise_ratio
    assert found is not None
    return found


@pytest.fixture(scope='module')
def model(scales_model: Path) -> Model:
    return load_model(scales_model)


class TestNoiseRatio:
    """Noise at the finest scale against the next one."""

    @pytest.mark.parametrize('seed', range(3))
    def test_independent_noise(self, seed: int) -> None:
        """Is 1 to a few percent, whatever the field."""
        assert ratio(white(seed)) == pytest.approx(1, abs=0.03)

    @pytest.mark.parametrize('fwhm', [1.6, 2.5])
    def test_sampled_stars_do_not_count(self, fwhm: float) -> None:
        """A crowded field is no smoothed one."""
        assert ratio(crowded(fwhm)) == pytest.approx(1, abs=0.06)

    @pytest.mark.parametrize('change', [smoothed, shifted])
    @pytest.mark.parametrize('fwhm', [0.0, 2.0])
    def test_resampled_and_smoothed(
        self, fwhm: float, change: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        """Noise that neighbours share is far from 1, with and without stars."""
        assert ratio(change(crowded(fwhm) if fwhm else white())) < 0.8

    def test_sky_and_scale_change_nothing(self) -> None:
        """A pedestal, a subtracted sky and another unit leave it alone."""
        image = crowded(2.0)
        expected = ratio(image)
        for other in (image - 100, image + 1000, image * 1e-3, image * 4096):
            assert ratio(other.astype(np.float32)) == pytest.approx(expected, abs=0.01)

    def test_unusable_pixels_do_not_count(self) -> None:
        """Bad pixels are left out, whatever they hold; NaN also where unsaid."""
        image = white()
        bad = np.random.default_rng(5).random(image.shape) < 0.05
        expected = ratio(image, spoilt=bad.astype(np.uint8))
        assert expected == pytest.approx(1, abs=0.05)
        image[bad] = 1e5
        assert ratio(image, spoilt=bad.astype(np.uint8)) == expected
        image[bad] = np.nan
        assert ratio(image) == expected
        assert ratio(image, spoilt=spoilt_pixels(image)) == expected

    @pytest.mark.parametrize(
        'image',
        [
            np.zeros((0, 0)),
            np.zeros((1, 900)),
            np.random.default_rng(0).normal(size=(24, 32)),  # 192 blocks
            np.full((64, 64), 3.0),
            np.full((64, 64), np.nan),
        ],
    )
    def test_nothing_to_measure(self, image: np.ndarray) -> None:
        """Tiny, flat and empty images have none, and give no warning."""
        assert measure_traits(image.astype(np.float32)).noise_ratio is None

    def test_little_is_enough(self) -> None:
        """A few hundred blocks of 2x2 pixels of sky will do."""
        assert ratio(white(shape=(60, 60))) == pytest.approx(1, abs=0.15)


def test_unusable_share() -> None:
    """Masked pixels, NaN and pixels without signal, each counted once."""
    image = white(shape=(20, 20))
    assert measure_traits(image).unusable == 0
    image[:2] = np.nan
    mask = np.zeros(image.shape, dtype=bool)
    mask[1:4] = True
    spoilt = spoilt_pixels(image, mask=mask, no_signal=mask[::-1])
    traits = measure_traits(image, spoilt=spoilt, fwhm=2.5)
    assert traits.unusable == pytest.approx(7 / 20)
    assert traits.fwhm == 2.5
    assert measure_traits(np.empty((0, 5))).unusable == 0


USUAL = ImageTraits(2.0, 1.0, 0.0)


class TestDepartures:
    """What is said of unusual traits."""

    @pytest.fixture
    def card(self, model: Model) -> ModelCard:
        """Widths 1.5 to 4, ratios 0.9 to 1.1, up to 25 % unusable."""
        return model.card

    def test_usual_image(self, card: ModelCard) -> None:
        """Nothing, on the limits either; a measured width may be 10 % off."""
        for traits in (
            USUAL,
            ImageTraits(4.35, 1.1, 0.25),
            ImageTraits(1.36, 0.9, 0.0),
            ImageTraits(None, None, 0.1),
        ):
            assert list(departures(card, traits)) == []

    @pytest.mark.parametrize(
        ('changes', 'words'),
        [
            ({'fwhm': 4.45}, ['4.45 pixels wide', 'tiny-scales', '1.5 to 4']),
            ({'fwhm': 1.3}, ['1.30 pixels wide', 'tiny-scales', '1.5 to 4']),
            ({'noise_ratio': 0.6}, ['correlated', 'ratio 0.60', '0.9 to 1.1']),
            ({'noise_ratio': 1.3}, ['ratio 1.30', 'tiny-scales', '0.9 to 1.1']),
            ({'unusable': 0.4}, ['40% of the pixels are NaN', 'up to 25%']),
        ],
    )
    def test_each_trait(
        self, changes: dict[str, float], words: list[str], card: ModelCard
    ) -> None:
        """The text names the value and the limit."""
        (text,) = departures(card, replace(USUAL, **changes))
        assert all(word in text for word in words)

    def test_all_at_once(self, card: ModelCard) -> None:
        """One text for each."""
        assert len(list(departures(card, ImageTraits(9.0, 0.5, 0.9)))) == 3

    def test_card_without_limits(self, card: ModelCard) -> None:
        """What a card does not limit is not unusual."""
        narrow = replace(card, domain={'fwhm': (1.5, 4.0)})
        assert list(departures(narrow, ImageTraits(2.0, 0.5, 0.9))) == []
        assert len(list(departures(narrow, ImageTraits(9.0, 0.5, 0.9)))) == 1
        free = replace(card, domain={})
        assert list(departures(free, ImageTraits(9.0, 0.5, 0.9))) == []


def flagged(table: Table) -> np.ndarray:
    return CLASS_FLAGS.any_set(np.asarray(table['class_flags']), 'out_of_domain')


class TestClassification:
    """What users see of it."""

    @pytest.fixture
    def image(self, star_field) -> np.ndarray:
        return star_field.data

    @pytest.fixture
    def classify(self, model: Model, star_field) -> Callable[..., Table]:
        """Classify the stars and hits of the field, and an impossible position."""
        xy = np.vstack([star_field.stars, star_field.hits, [[-5.0, 3.0]]])

        def _classify(data: np.ndarray, **options: Any) -> Table:
            return classify_sources(data, xy, model=model, **options)

        return _classify

    @pytest.mark.parametrize('level', [-500.0, 0.0, 30.0, 3000.0])
    def test_sky_is_nothing_unusual(
        self, level: float, classify: Any, image: np.ndarray
    ) -> None:
        """Not a subtracted sky, and not a pedestal: no word, no flag."""
        plain = classify(image, unit='electron')
        assert list(plain['class_name'][:-1]) == ['star'] * 14 + ['cosmic_ray'] * 12
        assert plain.meta['fwhm'] == pytest.approx(2.4, rel=0.05)
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            data = image + np.float32(level)
            table = classify(data, unit='electron')
        assert not flagged(table).any()
        assert table.meta['warnings'] == ''
        assert list(table['class_name']) == list(plain['class_name'])

    def test_one_warning_names_all(self, classify: Any, image: np.ndarray) -> None:
        """Width, correlated noise, lost pixels and unit; each row is flagged."""
        data = smoothed(image)
        data[:50] = np.nan
        with pytest.warns(AstrosieveWarning) as caught:
            table = classify(data, fwhm=9.0)
        (warning,) = caught
        assert warning.category is OutOfDomainWarning
        assert Path(warning.filename).name == 'test_domain.py'
        text = str(warning.message)
        for word in (
            '9.00 pixels wide', 'resampled or smoothed', '39% of the pixels',
            'The probabilities may be wrong', 'no unit',
        ):  # fmt: skip
            assert word in text
        assert table.meta['warnings'] == text
        assert flagged(table).all()
        assert 'unscored' in CLASS_FLAGS.decode(table['class_flags'][-1])

    @pytest.mark.parametrize('trait', ['fwhm', 'noise_ratio', 'unusable'])
    def test_each_alone(self, trait: str, classify: Any, image: np.ndarray) -> None:
        """One trait is enough, and no other is named."""
        data, options = image, {'fwhm': 2.4}
        word = {
            'fwhm': 'wide', 'noise_ratio': 'smoothed', 'unusable': 'of the pixels are',
        }  # fmt: skip
        if trait == 'fwhm':
            options['fwhm'] = 9.0
        elif trait == 'noise_ratio':
            data = smoothed(data)
        else:
            options['mask'] = np.indices(data.shape)[0] < 60
        with pytest.warns(OutOfDomainWarning) as caught:
            table = classify(data, unit='electron', **options)
        (warning,) = caught
        for name, text in word.items():
            assert (text in str(warning.message)) == (name == trait)
        assert flagged(table).all()

    def test_unit_alone(self, classify: Any, image: np.ndarray) -> None:
        """An unknown unit has a warning of its own; the rows are flagged."""
        with pytest.warns(UnitWarning, match='no unit') as caught:
            table = classify(image, fwhm=2.4)
        assert [warning.category for warning in caught] == [UnitWarning]
        assert flagged(table).all()
        assert issubclass(UnitWarning, OutOfDomainWarning)

    def test_flag_changes_no_probability(
        self, classify: Any, image: np.ndarray
    ) -> None:
        """The verdict is the same, with the caution beside it."""
        plain = classify(image, unit='electron', fwhm=2.4)
        with pytest.warns(UnitWarning):
            table = classify(image, fwhm=2.4)
        for name in ('p_star', 'p_cosmic_ray', 'p_extended', 'p_background'):
            assert np.array_equal(table[name], plain[name], equal_nan=True)

    def test_no_stars_to_measure(self, model: Model) -> None:
        """Without a width several are assumed, which is said, and nothing flagged."""
        with pytest.warns(
            AstrosieveWarning, match=r'too few stars .* means over .* Give fwhm= '
        ) as caught:
            table = classify_sources(
                white(shape=(64, 64)), [[30.0, 30.0]], unit='electron', model=model
            )
        assert [warning.category for warning in caught] == [AstrosieveWarning]
        assert 'fwhm' not in table.meta
        assert 'too few stars' in table.meta['warnings']
        assert not flagged(table).any()
