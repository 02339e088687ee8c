"""Finders for photutils, and photutils' finders for us."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import photutils
import pytest
from astropy.nddata import CCDData
from astropy.table import QTable, Table
from astropy.wcs import WCS
from photutils.detection import (
    DAOStarFinder,
    IRAFStarFinder,
    StarFinder,
    find_peaks,
)
from photutils.psf import CircularGaussianPSF, IterativePSFPhotometry, PSFPhotometry
from photutils.utils.exceptions import NoDetectionsWarning

from astrosieve import classify_sources
from astrosieve.exceptions import AstrosieveWarning, ModelError, UnitWarning
from astrosieve.images import measured
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import Model, load_model
from astrosieve.source import finders
from astrosieve.source.finders import detect, get_finder, list_finders
from astrosieve.tables.catalogs import positions, write_catalog
from astrosieve_plugins.photutils_finder import ClassifiedStarFinder, PeakFinder


def gaussian_kernel(fwhm: float) -> np.ndarray:
    steps = np.arange(-3, 4)
    return np.exp(-np.add.outer(steps**2, steps**2) / (2 * (fwhm / 2.3548) ** 2))


FINDERS = {
    'dao': DAOStarFinder(20.0, 2.4),
    'dao, narrow': DAOStarFinder(20.0, 1.0),
    'iraf': IRAFStarFinder(20.0, 2.4),
    'kernel': StarFinder(20.0, gaussian_kernel(2.4)),
    'find_peaks': partial(find_peaks, threshold=30.0),
    'peaks': PeakFinder(20.0),
}

PEAK_COLUMNS = [
    'id',
    'x_centroid',
    'y_centroid',
    'x_peak',
    'y_peak',
    'peak_value',
    'flux_2x2',
]


@pytest.fixture(params=FINDERS.values(), ids=FINDERS.keys())
def any_finder(request: pytest.FixtureRequest) -> Any:
    return copy.deepcopy(request.param)


@pytest.fixture
def make(tiny_model: Path) -> Any:
    """Make a classified finder on peaks, with the hand-made network."""

    def _make(finder: Any = None, *args: Any, **options: Any) -> ClassifiedStarFinder:
        options = {'model': tiny_model, 'unit': 'electron', **options}
        return ClassifiedStarFinder(finder or PeakFinder(20.0), *args, **options)

    return _make


def matched(table: Table, xy: np.ndarray, radius: float = 2.0) -> np.ndarray:
    """Return which positions have a row of the table within a radius."""
    offsets = positions(table)[:, None] - xy[None]
    return (np.hypot(offsets[..., 0], offsets[..., 1]) < radius).any(axis=0)


def same_tables(one: Table, other: Table) -> bool:
    """Return whether two tables hold the same; FITS reads text as bytes."""

    def same(name: str) -> bool:
        left, right = np.asarray(one[name]), np.asarray(other[name])
        if left.dtype.kind in 'SU':
            return np.array_equal(left.astype(str), right.astype(str))
        return np.array_equal(left, right, equal_nan=True)

    return one.colnames == other.colnames and all(map(same, one.colnames))


class TestAnyFinder:
    """Each kind of photutils finder can be wrapped."""

    def test_keeps_stars_alone(
        self, any_finder: Any, make: Any, star_field: Any
    ) -> None:
        """All stars stay; hits and spikes that the finder takes are gone."""
        table = make(any_finder)(star_field.data)
        assert matched(table, star_field.stars).all()
        assert not matched(table, star_field.hits).any()
        assert not matched(table, star_field.spikes).any()
        assert set(table['class_name']) == {'star'}

    def test_adds_to_the_finders_own_table(
        self, any_finder: Any, make: Any, star_field: Any
    ) -> None:
        """Class of the table, columns and rows are the finder's; ours follow."""
        own = any_finder(star_field.data.copy())
        table = make(any_finder, None)(star_field.data)
        assert type(table) is type(own)
        assert [name for name in table.colnames if name in own.colnames] == own.colnames
        for name in own.colnames:
            assert np.array_equal(table[name], own[name])
        assert table.colnames[-5:] == [
            'class_name',
            'p_star',
            'p_cosmic_ray',
            'p_spike',
            'class_flags',
        ]

    def test_agrees_with_the_plain_function(
        self, any_finder: Any, make: Any, tiny_model: Path, star_field: Any
    ) -> None:
        """The result is classify_sources of the finder's table."""
        expected = classify_sources(
            star_field.data,
            any_finder(star_field.data.copy()),
            model=tiny_model,
            unit='electron',
        )
        table = make(any_finder, None)(star_field.data)
        assert same_tables(table[expected.colnames], expected)
        keys = ('model', 'hash', 'version', 'options', 'unit', 'warnings')
        assert {k: table.meta[k] for k in keys} == {k: expected.meta[k] for k in keys}

    def test_gives_psf_photometry_its_positions(
        self, any_finder: Any, make: Any, star_field: Any
    ) -> None:
        """PSFPhotometry takes the classified table: a fit near each star."""
        photometry = PSFPhotometry(
            CircularGaussianPSF(fwhm=star_field.fwhm),
            (5, 5),
            finder=make(any_finder),
            aperture_radius=3,
        )
        result = photometry(star_field.data)
        fitted = np.column_stack([result['x_fit'], result['y_fit']])
        offsets = np.hypot(*(fitted[:, None] - star_field.stars).T)
        assert len(result) == len(star_field.stars)
        assert offsets.min(axis=1).max() < 0.2

    def test_leaves_the_image_alone(
        self, any_finder: Any, make: Any, star_field: Any
    ) -> None:
        """A finder that writes into its image does not write into the caller's."""
        before = star_field.data.copy()
        make(any_finder)(star_field.data)
        assert np.array_equal(star_field.data, before)

    @pytest.mark.parametrize('future', [False, True])
    def test_speaks_both_column_dialects(
        self,
        future: bool,
        any_finder: Any,
        make: Any,
        star_field: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """With old names still served, and without, the names are the finder's."""
        monkeypatch.setattr(photutils, 'future_column_names', future, raising=False)
        own = any_finder(star_field.data.copy())
        table = make(any_finder)(star_field.data)
        assert set(own.colnames) < set(table.colnames)
        assert {'x_centroid', 'y_centroid'} < set(table.colnames)
        if photutils.__version__ < '3':
            assert np.array_equal(table['xcentroid'], table['x_centroid'])
            assert np.array_equal(table['ycentroid'], table['y_centroid'])
        assert type(table) is type(own)

    def test_survives_nan_and_infinity(
        self, any_finder: Any, make: Any, star_field: Any
    ) -> None:
        """A few bad pixels, masked, cost no star elsewhere."""
        star_field.data[60:63, 4:7] = np.nan
        star_field.data[4, 4] = np.inf
        mask = ~np.isfinite(star_field.data)
        star_field.data[mask & np.isinf(star_field.data)] = 0
        table = make(any_finder)(star_field.data, mask=mask)
        assert matched(table, star_field.stars).all()


class TestKeep:
    """Rows are kept by class."""

    @pytest.mark.parametrize(
        ('keep', 'stars', 'hits', 'spikes'),
        [
            (('star',), True, False, False),
            ('star', True, False, False),
            (['cosmic_ray'], False, True, False),
            (('star', 'spike'), True, False, True),
            (None, True, True, True),
        ],
    )
    def test_keeps_the_named_classes(
        self,
        keep: Any,
        stars: bool,
        hits: bool,
        spikes: bool,
        make: Any,
        star_field: Any,
    ) -> None:
        """What is named stays, what is not goes; None keeps all."""
        table = make(None, keep)(star_field.data)
        assert matched(table, star_field.stars).all() == stars
        assert matched(table, star_field.hits).all() == hits
        assert matched(table, star_field.spikes).all() == spikes

    def test_numbers_rows_from_one(self, make: Any, star_field: Any) -> None:
        """Dropped rows leave no gap in id."""
        finder = make()
        table = finder(star_field.data)
        assert len(table) < len(finder.finder(star_field.data))
        assert list(table['id']) == list(range(1, len(table) + 1))

    def test_unscored_rows_stay_if_named(self, make: Any, star_field: Any) -> None:
        """Rows without a verdict are dropped, unless keep names 'unscored'."""
        star_field.data[:] = 7.0
        finder = lambda data: Table({'x': [40.0, 1e6], 'y': [40.0, 5.0]})  # noqa: E731
        table = make(finder, ('star', 'unscored'))(star_field.data)
        assert list(table['class_name']) == ['unscored', 'unscored']
        assert np.isnan(table['p_star']).all()
        with pytest.warns(NoDetectionsWarning, match='2 unscored'):
            assert make(finder)(star_field.data) is None

    @pytest.mark.parametrize('keep', [('galaxy',), ('star', 'galaxy'), (), 'stars'])
    def test_refuses_unknown_classes(self, keep: Any, make: Any) -> None:
        """The message names what may be kept."""
        with pytest.raises(
            ValueError,
            match='keep must name classes of tiny, star, cosmic_ray, spike, unscored',
        ):
            make(None, keep)


class TestNothingFound:
    """None and a warning, as photutils' own finders do."""

    def test_finder_found_nothing(self, make: Any, star_field: Any) -> None:
        """The finder warns, once, and None goes through."""
        with pytest.warns(NoDetectionsWarning) as caught:
            assert make(DAOStarFinder(1e6, 2.4))(star_field.data) is None
        assert len(caught) == 1

    def test_silent_none_goes_through(self, make: Any, star_field: Any) -> None:
        """A finder that returns None without a word is not corrected."""
        assert make(lambda data, mask=None: None)(star_field.data) is None

    def test_empty_table_is_none(self, make: Any, star_field: Any) -> None:
        """A finder's empty table becomes None with a warning."""
        with pytest.warns(NoDetectionsWarning, match='No sources were found'):
            assert make(lambda data: Table(names=('x', 'y')))(star_field.data) is None

    def test_nothing_is_kept(self, make: Any, star_field: Any) -> None:
        """The warning counts what was found in place of what was wanted."""
        x, y = star_field.hits.T
        finder = lambda data: QTable({'x': x, 'y': y})  # noqa: E731
        with pytest.warns(
            NoDetectionsWarning, match='None of the detections is star: 12 cosmic_ray'
        ):
            assert make(finder)(star_field.data) is None

    def test_image_of_nan(self, make: Any, star_field: Any) -> None:
        """An image without one good pixel has no peaks."""
        star_field.data[:] = np.nan
        with pytest.warns(NoDetectionsWarning, match='No peak'):
            assert make()(star_field.data) is None

    def test_psf_photometry_returns_none(self, make: Any, star_field: Any) -> None:
        """PSFPhotometry understands that there is nothing."""
        photometry = PSFPhotometry(
            CircularGaussianPSF(fwhm=2.4), (5, 5), finder=make(), aperture_radius=3
        )
        with pytest.warns(NoDetectionsWarning):
            assert photometry(np.zeros_like(star_field.data)) is None


class TestInput:
    """Masks, units, DQ and errors."""

    def test_mask_reaches_finder_and_cutouts(self, make: Any, star_field: Any) -> None:
        """Masked stars are not found, and masked pixels are flagged next door."""
        x, y = np.rint(star_field.stars[0]).astype(int)
        mask = np.zeros(star_field.data.shape, dtype=bool)
        mask[y - 3 : y + 4, x - 3 : x + 4] = True
        x1, y1 = np.rint(star_field.stars[1]).astype(int)
        mask[y1 + 4, x1] = True
        table = make()(star_field.data, mask=mask)
        found = matched(table, star_field.stars)
        assert not found[0]
        assert found[1:].all()
        near = np.hypot(*(positions(table) - star_field.stars[1]).T) < 1
        assert table['class_flags'][near] == 16

    def test_finder_without_mask(self, make: Any, star_field: Any) -> None:
        """A finder that takes no mask is called without; masked rows are unscored."""
        x, y = star_field.stars.T
        finder = make(lambda data: Table({'x': x, 'y': y}), None)
        mask = np.zeros(star_field.data.shape, dtype=bool)
        mask[np.rint(y[3]).astype(int), np.rint(x[3]).astype(int)] = True
        table = finder(star_field.data, mask=mask)
        assert list(np.flatnonzero(table['class_name'] == 'unscored')) == [3]

    def test_finder_with_any_keywords(self, make: Any, star_field: Any) -> None:
        """A finder that takes all keywords is given the mask."""
        got = {}

        def finder(data: np.ndarray, **keywords: Any) -> Table:
            got.update(keywords)
            return find_peaks(data, 30.0)

        mask = np.zeros(star_field.data.shape, dtype=bool)
        make(finder)(star_field.data, mask=mask)
        assert got['mask'] is mask

    @pytest.mark.parametrize('finder', [DAOStarFinder, PeakFinder])
    def test_quantity_passes_through(
        self, finder: Any, tiny_model: Path, star_field: Any
    ) -> None:
        """The finder sees the unit, its columns keep it, and so does the meta."""
        options = {'fwhm': 2.4} if finder is DAOStarFinder else {}
        classified = ClassifiedStarFinder(
            finder(20.0 * u.electron, **options), model=tiny_model
        )
        table = classified(star_field.data * u.electron)
        plain = ClassifiedStarFinder(
            finder(20.0, **options), model=tiny_model, unit='electron'
        )(star_field.data)
        brightness = 'peak_value' if finder is PeakFinder else 'peak'
        assert table[brightness].unit == u.electron
        assert table.meta['unit'] == 'electron'
        assert np.array_equal(table['p_star'], plain['p_star'])

    @pytest.mark.parametrize('threshold', [20.0, 20.0 * u.electron])
    def test_ccddata(self, threshold: Any, tiny_model: Path, star_field: Any) -> None:
        """Mask, unit and WCS of a CCDData count, for a threshold of any kind."""
        mask = np.zeros(star_field.data.shape, dtype=bool)
        mask[:40] = True
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
        ccd = CCDData(star_field.data, unit='electron', mask=mask, wcs=wcs)
        find = ClassifiedStarFinder(DAOStarFinder(threshold, 2.4), model=tiny_model)
        table = find(ccd)
        expected = ClassifiedStarFinder(
            DAOStarFinder(20.0, 2.4), model=tiny_model, unit='electron'
        )(star_field.data, mask=mask)
        assert np.array_equal(table['p_star'], expected['p_star'])
        assert table.meta['unit'] == 'electron'
        assert 'sky_centroid' in table.colnames
        everywhere = find(ccd, mask=np.zeros_like(mask))
        assert len(everywhere) > len(table)

    def test_quantity_in_psf_photometry(
        self, tiny_model: Path, star_field: Any
    ) -> None:
        """PSFPhotometry hands units through the classified finder."""
        photometry = PSFPhotometry(
            CircularGaussianPSF(fwhm=2.4),
            (5, 5),
            finder=ClassifiedStarFinder(
                DAOStarFinder(20.0 * u.electron, 2.4), model=tiny_model
            ),
            aperture_radius=3,
        )
        result = photometry(star_field.data * u.electron)
        assert len(result) == len(star_field.stars)
        assert result['flux_fit'].unit == u.electron

    def test_unit_not_known(self, tiny_model: Path, star_field: Any) -> None:
        """The warning comes with the image, not when the finder is made."""
        finder = ClassifiedStarFinder(PeakFinder(20.0), model=tiny_model)
        with pytest.warns(UnitWarning, match='no unit'):
            finder(star_field.data)

    def test_width_out_of_range(self, make: Any, star_field: Any) -> None:
        """A width that the model does not know is said with the image."""
        finder = make(fwhm=9.0)
        with pytest.warns(AstrosieveWarning, match='9.00 pixels wide'):
            table = finder(star_field.data)
        assert table.meta['fwhm'] == 9.0

    def test_dq_is_used(self, make: Any, star_field: Any) -> None:
        """Pixels without signal unscore; saturated ones are flagged alone."""
        dq = np.zeros(star_field.data.shape, dtype=np.int16)
        for (x, y), bit in zip(np.rint(star_field.stars[:2]), (4, 256), strict=True):
            dq[int(y), int(x)] = bit
        table = make(None, ('star', 'unscored'), dq=dq)(star_field.data)
        flags = [
            int(table['class_flags'][np.hypot(*(positions(table) - xy).T) < 1][0])
            for xy in star_field.stars[:2]
        ]
        assert flags == [1 | 64 | 128, 1024]

    def test_saturated(self, make: Any, star_field: Any) -> None:
        """Asked for, a plateau has a row in which no peak was found."""
        dq = np.zeros(star_field.data.shape, dtype=np.int16)
        star_field.data[47:60, 57:70] += 5e3
        star_field.data[50:57, 60:67] = 5e4
        dq[50:57, 60:67] = 256
        found = make(None, None, dq=dq, saturated=True)(star_field.data)
        near = np.hypot(*(positions(found) - (63, 53)).T) < 5
        assert positions(found)[near].tolist() == [[63, 53]]
        assert found['class_flags'][near] == 1024
        assert found['peak_value'][near] == pytest.approx(5e4, rel=1e-3)
        plain = make(None, None, dq=dq)(star_field.data)
        near = np.hypot(*(positions(plain) - (63, 53)).T) < 5
        assert np.abs(positions(plain)[near] - (63, 53)).max() > 2

        def nothing(data: np.ndarray) -> None:
            warnings.warn('none', NoDetectionsWarning, stacklevel=1)

        with pytest.warns(NoDetectionsWarning):
            alone = make(nothing, None, dq=dq, saturated=True)(star_field.data)
        assert len(alone) == 1

    def test_cosmic_ray_hint_can_be_switched_off(
        self, make: Any, star_field: Any
    ) -> None:
        """DQ's cosmic-ray bits lower p_star, unless they shall not."""
        dq = np.full(star_field.data.shape, 4096, dtype=np.int16)
        without = make(None, None)(star_field.data)
        hinted = make(None, None, dq=dq)(star_field.data)
        off = make(None, None, dq=dq, cosmic_ray_hint=False)(star_field.data)
        assert (hinted['p_star'] <= without['p_star']).all()
        assert (hinted['p_star'] < without['p_star']).any()
        assert np.array_equal(off['p_star'], without['p_star'])

    @pytest.mark.parametrize('plane', ['dq', 'err'])
    def test_shape_of_planes(self, plane: str, make: Any, star_field: Any) -> None:
        """A plane of another shape is refused, by name, when the image comes."""
        finder = make(**{plane: np.zeros((3, 4), dtype=np.int16)})
        with pytest.raises(
            ValueError, match=rf'{plane} must have the shape of data, \(128, 120\)'
        ):
            finder(star_field.data)

    def test_shape_of_mask(self, make: Any, star_field: Any) -> None:
        """A mask of another shape is refused."""
        finder = make(lambda data, mask: find_peaks(data, 30.0))
        with pytest.raises(ValueError, match='mask must have the shape of data'):
            finder(star_field.data, mask=np.zeros((3, 4), dtype=bool))

    def test_operating_point_and_prior(self, make: Any, star_field: Any) -> None:
        """Options of classify_sources act, and are written into the meta."""
        usual = make(None, None)(star_field.data)
        pure = make(None, None, operating_point='pure', prior={'star': 0.0001})(
            star_field.data
        )
        counts = [Counter(map(str, t['class_name']))['star'] for t in (usual, pure)]
        assert counts[1] < counts[0]
        assert (
            '"operating_point": "pure", "prior": {"star": 0.0001}'
            in (pure.meta['options'])
        )


class TestOptions:
    """Wrong options are refused when the finder is made."""

    def test_finder_must_be_callable(self, tiny_model: Path) -> None:
        """The message says what a finder is."""
        with pytest.raises(TypeError, match='finder must be a photutils finder or a'):
            ClassifiedStarFinder(5.0, model=tiny_model)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ('options', 'error', 'message'),
        [
            (
                {'operating_point': 'best'},
                ModelError,
                "no operating point 'best'; it has balanced, pure, complete",
            ),
            ({'prior': {'galaxy': 0.5}}, ValueError, 'prior names galaxy'),
            ({'prior': {'star': 1.5}}, ValueError, 'prior of star must be a share'),
            ({'unit': 'parsnip'}, ValueError, "unit 'parsnip' is not understood"),
            ({'gain': 0.0}, ValueError, 'gain must be a positive number'),
            ({'exptime': -1.0}, ValueError, 'exptime must be a positive number'),
            ({'fwhm': 0.0}, ValueError, 'fwhm must be a positive'),
            ({'model': 'nowhere.onnx'}, ModelError, 'nowhere.onnx: no such file'),
        ],
    )
    def test_refuses(
        self, options: Any, error: type[Exception], message: str, make: Any
    ) -> None:
        """Each message names the parameter and the rule."""
        with pytest.raises(error, match=message):
            make(**options)

    @pytest.mark.usefixtures('tiny_weights')
    def test_models_by_name(self) -> None:
        """A known name is loaded; of another the message lists those there are."""
        assert ClassifiedStarFinder(PeakFinder(1.0)).model.card.name == 'tiny'
        with pytest.raises(ModelError, match="no model 'soup'; known are source, tiny"):
            ClassifiedStarFinder(PeakFinder(1.0), model='soup')

    def test_model_for_another_task(self, make: Any, tiny_model: Path) -> None:
        """A model that does not classify sources is refused."""
        card = replace(load_model(tiny_model).card, task='blob')
        with pytest.raises(ModelError, match="for task 'blob', not 'source'"):
            make(model=Model(card, tiny_model))

    def test_model_is_loaded_once(
        self, make: Any, star_field: Any, tiny_model: Path
    ) -> None:
        """A loaded model is taken as it is and not exchanged."""
        model = load_model(tiny_model)
        finder = make(model=model)
        finder(star_field.data)
        assert finder.model is model
        assert copy.deepcopy(finder).model is model

    def test_repr_names_what_matters(self, make: Any) -> None:
        """Finder, kept classes, model and options; arrays by their shape."""
        finder = make(dq=np.zeros((3, 4), dtype=np.int16), operating_point='pure')
        assert repr(finder) == (
            '<ClassifiedStarFinder(PeakFinder(20.0, separation=5.0, '
            "min_electrons=100.0, scale=1.0), ('star',), <Model tiny 1.0.0>, "
            "operating_point='pure', unit='electron', dq='<array of shape (3, 4)>')>"
        )


class TestCopies:
    """Hosts copy finders, send them elsewhere, and call them at once."""

    def test_deepcopy(self, make: Any, star_field: Any) -> None:
        """A copy, made after use, gives the same."""
        finder = make()
        table = finder(star_field.data)
        assert same_tables(copy.deepcopy(finder)(star_field.data), table)

    @pytest.mark.parametrize('used', [False, True])
    def test_pickle(self, used: bool, make: Any, star_field: Any) -> None:
        """A pickle, made before or after use, gives the same."""
        finder = make(dq=np.zeros(star_field.data.shape, dtype=np.int16))
        table = finder(star_field.data)
        fresh = finder if used else make(dq=np.zeros((128, 120), dtype=np.int16))
        again = pickle.loads(pickle.dumps(fresh))
        assert same_tables(again(star_field.data), table)

    def test_threads(self, make: Any, star_field: Any) -> None:
        """Several threads on one finder get what one gets."""
        finder = make()
        images = [np.roll(star_field.data, 3 * i, axis=0) for i in range(8)]
        expected = [make()(image) for image in images]
        with ThreadPoolExecutor(4) as pool:
            tables = list(pool.map(finder, images))
        assert all(map(same_tables, tables, expected))

    def test_iterative_photometry(self, make: Any, star_field: Any) -> None:
        """IterativePSFPhotometry, which copies its finder, measures each star once."""
        photometry = IterativePSFPhotometry(
            CircularGaussianPSF(fwhm=star_field.fwhm),
            (5, 5),
            make(DAOStarFinder(20.0, star_field.fwhm)),
            aperture_radius=3,
        )
        result = photometry(star_field.data)
        fitted = np.column_stack([result['x_fit'], result['y_fit']])
        offsets = np.hypot(*(fitted[:, None] - star_field.stars).T)
        assert (offsets < 0.2).sum(axis=1).tolist() == [1] * len(star_field.stars)


class TestWidth:
    """The width of the PSF is estimated once for an image and its residuals."""

    @pytest.fixture
    def estimates(self, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
        """Return the images whose width was estimated."""
        seen: list[np.ndarray] = []
        honest = measured.find_psf_stars

        def watched(sci: np.ndarray, **rest: Any) -> Any:
            seen.append(sci)
            return honest(sci, **rest)

        monkeypatch.setattr(measured, 'find_psf_stars', watched)
        return seen

    def test_residuals(
        self, scales_model: Path, star_field: Any, estimates: list[np.ndarray]
    ) -> None:
        """Subtracted sources leave the width as it was; another image does not."""
        finder = ClassifiedStarFinder(
            DAOStarFinder(20.0, 2.4), None, model=scales_model, unit='electron'
        )
        estimates.clear()  # of the empty image that options are tried on
        first = finder(star_field.data)
        residual = star_field.data.copy()
        for x, y in star_field.stars[:-2].astype(int):
            residual[y - 3 : y + 4, x - 3 : x + 4] = 100.0
        again = finder(residual)
        assert len(estimates) == 1
        assert again.meta['fwhm'] == first.meta['fwhm']
        finder(star_field.data + 1)
        assert len(estimates) == 2


class TestFiles:
    """The returned table can be written and read again."""

    @pytest.fixture(params=[DAOStarFinder(20.0, 2.4), PeakFinder(20.0)], ids=repr)
    def table(self, request: pytest.FixtureRequest, make: Any, star_field: Any) -> Any:
        return make(request.param, None, prior={'star': 0.5})(star_field.data)

    def test_ecsv(self, table: Any, tmp_path: Path) -> None:
        """ECSV keeps columns, types and meta, without a warning."""
        path = tmp_path / 'stars.ecsv'
        table.write(path, format='ascii.ecsv')
        again = QTable.read(path, format='ascii.ecsv')
        assert same_tables(again, table)
        assert [again[n].dtype.kind for n in again.colnames] == [
            table[n].dtype.kind for n in table.colnames
        ]
        assert again['p_star'].dtype == np.float32
        assert dict(again.meta) == dict(table.meta)

    @pytest.mark.parametrize('writer', ['astropy', 'astrosieve'])
    def test_fits(self, writer: str, table: Any, tmp_path: Path) -> None:
        """FITS keeps columns, types and meta, without a warning."""
        path = tmp_path / 'stars.fits'
        if writer == 'astropy':
            table.write(path)
        else:
            write_catalog(table, path)
        again = QTable.read(path)
        assert same_tables(again, table)
        assert again['p_star'].dtype.newbyteorder('=') == np.float32
        for key in ('model', 'hash', 'version', 'options', 'unit', 'warnings'):
            assert again.meta[key.upper()] == table.meta[key]

    def test_read_again_and_classified_again(
        self, table: Any, tmp_path: Path, tiny_model: Path, star_field: Any
    ) -> None:
        """A table read from a file classifies to itself."""
        path = tmp_path / 'stars.ecsv'
        table.write(path, format='ascii.ecsv')
        again = classify_sources(
            star_field.data,
            QTable.read(path, format='ascii.ecsv'),
            model=tiny_model,
            unit='electron',
            prior={'star': 0.5},
        )
        assert same_tables(again, table)


class TestRegistry:
    """The finders of the entry-point group."""

    def test_are_listed(self) -> None:
        """All three are installed."""
        assert {'dao', 'iraf', 'peaks'} <= set(list_finders())

    @pytest.mark.parametrize(
        ('name', 'kind'),
        [('dao', DAOStarFinder), ('iraf', IRAFStarFinder), ('peaks', PeakFinder)],
    )
    def test_detect_stars(self, name: str, kind: type, star_field: Any) -> None:
        """Each makes its finder and finds the stars, on top of a sky."""
        finder = get_finder(name)(threshold=20.0, fwhm=2.4, scale=1.0)
        assert isinstance(finder, kind)
        image = MeasuredImage.of(star_field.data + 100, fwhm=star_field.fwhm)
        table = detect(image, name)
        assert matched(table, star_field.stars).all()

    @pytest.mark.parametrize('fwhm', [1.2, 1.76, 3.1])
    @pytest.mark.parametrize('threshold', [1.0, 4.0, 30.0])
    @pytest.mark.parametrize(
        ('name', 'own'), [('dao', DAOStarFinder), ('iraf', IRAFStarFinder)]
    )
    def test_as_photutils(
        self, name: str, own: type, threshold: float, fwhm: float
    ) -> None:
        """To look above the threshold alone changes no number of photutils' tables."""
        rng = np.random.default_rng(18)
        data = rng.normal(0, 3, (120, 90)).astype(np.float32)
        for y, x in rng.integers(4, (116, 86), (40, 2)):
            data[y - 3 : y + 4, x - 3 : x + 4] += 400 * gaussian_kernel(fwhm)
        data[50:60, 20:30] = np.round(data[50:60, 20:30] / 9) * 9  # ties
        mask = np.zeros(data.shape, dtype=bool)
        mask[:9, 40:] = True
        found = get_finder(name)(threshold=threshold, fwhm=fwhm, scale=1.0)(
            data, mask=mask
        )
        assert same_tables(found, own(threshold, fwhm)(data, mask=mask))
        assert len(found) > 3

    def test_peaks_count_electrons(self, star_field: Any) -> None:
        """An image in DN is judged in electrons by its scale."""
        image = MeasuredImage.of(star_field.data / 500, fwhm=2.4, unit='DN', gain=500.0)
        faint = detect(image, 'peaks')
        assert matched(faint, star_field.stars).all()
        image = MeasuredImage.of(star_field.data / 500, fwhm=2.4)
        with pytest.warns(NoDetectionsWarning, match='No peak'):
            assert detect(image, 'peaks') is None


class TestPeakFinder:
    """Isolated peaks, as the report takes them."""

    @pytest.fixture
    def image(self) -> np.ndarray:
        """Smooth noise of 500 electrons; peaks of it lie close to each other."""
        noise = np.random.default_rng(5).normal(0, 500, (60, 70))
        return noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1)

    @pytest.mark.parametrize('separation', [1.5, 2, 3.7, 5, 8])
    def test_keeps_the_rule(self, separation: float, image: np.ndarray) -> None:
        """Peaks are all pixels without a brighter one nearer than separation."""
        table = PeakFinder(200.0, separation=separation)(image)
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        padded = np.pad(image, 1)
        expected = []
        for y0, x0 in zip(*np.nonzero(image > 200), strict=True):
            near = np.hypot(x - x0, y - y0) < separation
            box = padded[y0 : y0 + 3, x0 : x0 + 3]
            light = max(box[i : i + 2, j : j + 2].sum() for i in (0, 1) for j in (0, 1))
            if image[y0, x0] == image[near].max() and light >= 100:
                expected.append((x0, y0, image[y0, x0], light))
        got = zip(*(table[n] for n in PEAK_COLUMNS[3:]), strict=True)
        old_names = {'xcentroid', 'ycentroid'}
        assert [n for n in table.colnames if n not in old_names] == PEAK_COLUMNS
        assert np.allclose(list(got), expected)
        assert list(table['id']) == list(range(1, len(expected) + 1))

    def test_centroids(self, star_field: Any) -> None:
        """Centroids lie within half a pixel of the peak and close to the stars."""
        table = PeakFinder(20.0)(star_field.data)
        assert (np.abs(table['x_centroid'] - table['x_peak']) <= 0.5).all()
        assert (np.abs(table['y_centroid'] - table['y_peak']) <= 0.5).all()
        assert matched(table, star_field.stars, radius=0.25).all()

    def test_equal_pixels_are_one_peak(self) -> None:
        """A flat top, as of a saturated star, is one detection."""
        image = np.zeros((20, 20), dtype=np.float32)
        image[8:11, 9:12] = 65535
        table = PeakFinder(10.0)(image)
        assert list(zip(table['x_peak'], table['y_peak'], strict=True)) == [(9, 8)]

    def test_masked_pixels_outshine_nothing(self) -> None:
        """A star beside a masked or NaN pixel is found; the pixel is not."""
        image = np.zeros((20, 20))
        image[10, 10], image[10, 12], image[8, 10] = 500, 9000, np.nan
        mask = image == 9000
        table = PeakFinder(10.0)(image, mask=mask)
        assert list(zip(table['x_peak'], table['y_peak'], strict=True)) == [(10, 10)]
        assert image[10, 12] == 9000

    def test_corner(self) -> None:
        """Peaks on the edge are found; their 2x2 box ends there."""
        image = np.zeros((9, 9))
        image[0, 0], image[8, 8] = 300, 400
        table = PeakFinder(10.0)(image)
        assert list(table['x_centroid']) == [0, 8]
        assert list(table['flux_2x2']) == [300, 400]

    def test_integer_image(self) -> None:
        """Integers are taken as they are."""
        image = np.zeros((9, 9), dtype='>u2')
        image[4, 4] = 60000
        assert PeakFinder(10.0)(image)['peak_value'][0] == 60000

    @pytest.mark.parametrize('value', [0.0, 5.0, 1e6, np.nan])
    def test_images_of_one_value(self, value: float) -> None:
        """There is no peak, and one warning."""
        with pytest.warns(NoDetectionsWarning) as caught:
            assert PeakFinder(10.0)(np.full((12, 12), value)) is None
        assert len(caught) == 1

    def test_limit_in_electrons(self) -> None:
        """Peaks with too few electrons in 2x2 are left out, by the scale given."""
        image = np.zeros((20, 20))
        image[5, 5], image[15, 15] = 60, 150
        assert len(PeakFinder(10.0)(image)) == 1
        assert len(PeakFinder(10.0, min_electrons=60)(image)) == 2
        assert len(PeakFinder(10.0, scale=2.0)(image)) == 2
        with pytest.warns(NoDetectionsWarning, match='No peak is isolated and bright'):
            assert PeakFinder(10.0, scale=0.5)(image) is None

    def test_unit_of_threshold(self, star_field: Any) -> None:
        """Threshold and image must have the same unit, or none."""
        with pytest.raises(ValueError, match='threshold must have the unit of data'):
            PeakFinder(20.0)(star_field.data * u.electron)
        with pytest.raises(ValueError, match='threshold must have the unit of data'):
            PeakFinder(20.0 * u.electron)(star_field.data)

    @pytest.mark.parametrize(
        ('options', 'message'),
        [
            ({'threshold': [1.0, 2.0]}, 'threshold must be one number'),
            ({'threshold': [1.0, 2.0] * u.adu}, 'threshold must be one number'),
            ({'separation': 1.0}, 'separation must be at least 1.5 pixels; got 1.0'),
            ({'separation': np.nan}, 'separation must be at least 1.5 pixels'),
            ({'min_electrons': -1}, 'min_electrons must not be negative; got -1'),
            ({'scale': 0}, 'scale must be positive; got 0'),
        ],
    )
    def test_refuses(self, options: Any, message: str) -> None:
        """Each message names the parameter and the rule."""
        with pytest.raises(ValueError, match=message):
            PeakFinder(**{'threshold': 10.0, **options})

    def test_shape_of_mask(self, star_field: Any) -> None:
        """A mask of another shape is refused."""
        with pytest.raises(ValueError, match='mask must have the shape of data'):
            PeakFinder(20.0)(star_field.data, mask=np.zeros((3, 4), dtype=bool))


def test_missing_photutils_names_the_cure() -> None:
    """Without photutils the import says what to install."""
    code = (
        'import sys; sys.modules["photutils"] = None\n'
        'import astrosieve_plugins.photutils_finder'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install 'photutils>=2.0'" in done.stderr.splitlines()[-1]


class TestBands:
    """Large images are searched in bands of rows."""

    @pytest.fixture
    def field(self) -> np.ndarray:
        """Sources everywhere, in noise that is full of peaks."""
        rng = np.random.default_rng(8)
        data = rng.normal(0, 3, (900, 150))
        steps = np.arange(-4, 5)
        for x, y in rng.integers(5, (145, 895), (300, 2)):
            sigma = rng.uniform(0.6, 1.4)
            star = np.exp(-np.add.outer(steps**2, steps**2) / (2 * sigma**2))
            data[y - 4 : y + 5, x - 4 : x + 5] += rng.uniform(20, 900) * star
        data[::37, ::11] = np.nan
        data[300:420] = 0  # nothing there, at the edges of some bands
        return data

    @pytest.mark.parametrize('nsigma', [1.0, 5.0, 1e6])
    @pytest.mark.parametrize('fwhm', [1.7, 4.0])
    @pytest.mark.parametrize('name', ['dao', 'iraf', 'peaks'])
    def test_bands_change_nothing(
        self,
        name: str,
        fwhm: float,
        nsigma: float,
        field: np.ndarray,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Rows, their order, numbers and warnings are those of the whole image."""
        image = MeasuredImage.of(field, fwhm=fwhm, unit='electron')

        def found() -> tuple[Table | None, list[str]]:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter('always')
                table = detect(image, name, nsigma=nsigma)
            return table, [str(each.message) for each in said]

        whole, said = found()
        shapes = []
        real = finders._find

        def spied(find: Any, image: MeasuredImage, rows: slice) -> Table | None:
            shapes.append(rows)
            return real(find, image, rows)

        monkeypatch.setattr(finders, '_find', spied)
        monkeypatch.setattr(finders, '_BAND', 1000)
        banded, said_of_bands = found()
        assert len(shapes) > 2
        assert said_of_bands == said
        assert (banded is None) == (whole is None) == (nsigma > 100)
        if whole is not None and banded is not None:
            assert banded.colnames == whole.colnames
            for column in whole.colnames:
                assert np.allclose(
                    np.asarray(banded[column], dtype=float),
                    np.asarray(whole[column], dtype=float),
                    rtol=0,
                    atol=1e-6,
                    equal_nan=True,
                )

    def test_finders_that_do_not_say_how_far_they_see(
        self, field: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They are given the whole image."""
        shapes = []

        def factory(**given: float) -> Any:
            return lambda data, mask: shapes.append(data.shape)

        monkeypatch.setattr(finders, 'get_finder', lambda name: factory)
        monkeypatch.setattr(finders, '_BAND', 1000)
        detect(MeasuredImage.of(field, fwhm=2.0), 'other')
        assert shapes == [field.shape]
