"""What users see where an image is unlike those of the training."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from scipy.ndimage import gaussian_filter

from astrosieve import classify_sources
from astrosieve.exceptions import AstrosieveWarning, OutOfDomainWarning, UnitWarning
from astrosieve.models.registry import Model, load_model
from astrosieve.source.flags import CLASS_FLAGS


@pytest.fixture(scope='module')
def model(scales_model: Path) -> Model:
    return load_model(scales_model)


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
        data = gaussian_filter(image, 0.7)
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
            data = gaussian_filter(data, 0.7)
        else:
            options['mask'] = np.indices(data.shape)[0] < 60
        with pytest.warns(OutOfDomainWarning) as caught:
            table = classify(data, unit='electron', **options)
        (warning,) = caught
        for name, text in word.items():
            assert (text in str(warning.message)) == (name == trait)
        assert flagged(table).all()

    def test_unit_alone(self, classify: Any, image: np.ndarray) -> None:
        """An unknown unit has a warning of its own, and flags no row."""
        with pytest.warns(UnitWarning, match='no unit') as caught:
            table = classify(image, fwhm=2.4)
        assert [warning.category for warning in caught] == [UnitWarning]
        assert not flagged(table).any()

    def test_without_noise(self, classify: Any, image: np.ndarray) -> None:
        """An image whose sky has one value is named as what it is."""
        data = np.where(image > 30, image, np.float32(3))
        with pytest.warns(OutOfDomainWarning, match='an image without noise') as caught:
            table = classify(data, unit='electron', fwhm=2.4)
        assert len(caught) == 1
        assert flagged(table).all()

    def test_unit_changes_no_probability(
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
        sky = np.random.default_rng(0).normal(100, 5, (64, 64)).astype(np.float32)
        with pytest.warns(
            AstrosieveWarning, match=r'too few stars .* means over .* Give fwhm='
        ) as caught:
            table = classify_sources(sky, [[30.0, 30.0]], unit='electron', model=model)
        assert [warning.category for warning in caught] == [AstrosieveWarning]
        assert 'fwhm' not in table.meta
        assert 'too few stars' in table.meta['warnings']
        assert not flagged(table).any()
