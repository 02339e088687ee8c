"""Classification of detections."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, NDData
from astropy.table import QTable, Table
from astropy.wcs import WCS

import astrosieve
from astrosieve import classify_sources
from astrosieve.exceptions import (
    AstrosieveWarning,
    CatalogError,
    ModelError,
    UnitWarning,
)
from astrosieve.images.instruments import instrument
from astrosieve.models.registry import Model, load_model
from astrosieve.source.explain import explain_source
from astrosieve.source.flags import CLASS_FLAGS

CLASSES = ('star', 'cosmic_ray', 'spike')


@pytest.fixture(scope='module')
def model(tiny_model: Path) -> Model:
    return load_model(tiny_model)


@pytest.fixture
def image(star_field) -> np.ndarray:
    return star_field.data


@pytest.fixture
def xy(star_field) -> np.ndarray:
    """14 stars, 12 hits, 1 spike."""
    return np.vstack([star_field.stars, star_field.hits, star_field.spikes])


@pytest.fixture
def classify(model: Model, image: np.ndarray, xy: np.ndarray) -> Any:
    """Classify positions of the field, or others, with options."""

    def _classify(catalog: Any = None, **options: Any) -> Table:
        options = {'model': model, 'unit': 'electron', **options}
        data = options.pop('data', image)
        return classify_sources(data, xy if catalog is None else catalog, **options)

    return _classify


def probabilities(table: Table) -> np.ndarray:
    return np.column_stack([table[f'p_{name}'] for name in CLASSES])


def flags_of(row: Any) -> set[str]:
    return set(CLASS_FLAGS.decode(row['class_flags']))


class TestResult:
    """What comes back."""

    def test_classes(self, classify: Any) -> None:
        """Stars, hits and spikes are told apart."""
        expected = ['star'] * 14 + ['cosmic_ray'] * 12 + ['spike']
        assert list(classify()['class_name']) == expected

    def test_columns(self, classify: Any) -> None:
        """Bare positions give a table with the contract's columns and types."""
        table = classify()
        assert table.colnames == [
            'id',
            'x_centroid',
            'y_centroid',
            'class_name',
            'p_star',
            'p_cosmic_ray',
            'p_spike',
            'class_flags',
        ]
        assert isinstance(table, QTable)
        assert {table[f'p_{name}'].dtype for name in CLASSES} == {np.dtype('f4')}
        assert 'extver' in classify(extver=2).colnames

    def test_probabilities_sum_to_one(self, classify: Any) -> None:
        """Each row's do, and the class is the one of highest probability."""
        table = classify()
        values = probabilities(table)
        assert np.allclose(values.sum(axis=1), 1, atol=1e-6)
        best = [CLASSES[i] for i in values.argmax(axis=1)]
        assert list(table['class_name']) == best

    def test_rows_keep_order_and_columns(self, classify: Any, xy: np.ndarray) -> None:
        """Whatever the order of the rows, each keeps its own and its verdict."""
        order = np.random.default_rng(3).permutation(len(xy))
        table = QTable(
            {'x': xy[order, 0], 'flux': order * u.Jy, 'y': xy[order, 1]},
            meta={'observer': 'me'},
        )
        result = classify(table)
        assert [n for n in result.colnames if n in table.colnames] == table.colnames
        assert np.array_equal(result['flux'].value, order)
        assert result.meta['observer'] == 'me'
        assert np.array_equal(probabilities(result), probabilities(classify())[order])
        assert table.colnames == ['x', 'flux', 'y']
        assert list(table.meta) == ['observer']

    @pytest.mark.parametrize('chunk_size', [1, 5, 26, 27, 28, 100_000])
    def test_chunk_size_changes_nothing(self, chunk_size: int, classify: Any) -> None:
        """The result is the same to the bit."""
        expected = probabilities(classify())
        assert np.array_equal(probabilities(classify(chunk_size=chunk_size)), expected)

    def test_blocks_change_nothing(
        self, classify: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nor does the number of rows that are cut out at once."""
        catalog = [[-5, 3], *np.random.default_rng(1).uniform(0, 120, (40, 2)).tolist()]
        expected = classify(catalog)
        monkeypatch.setattr(astrosieve.source.classify, '_BLOCK', 7)
        table = classify(catalog)
        assert list(table['class_flags']) == list(expected['class_flags'])
        assert np.array_equal(
            probabilities(table), probabilities(expected), equal_nan=True
        )

    def test_meta(self, classify: Any, model: Model) -> None:
        """Model, hash, version, options, unit, width and warnings are noted."""
        meta = classify(
            fwhm=2.12345, operating_point='pure', prior={'star': 0.5}, exptime=10.0
        ).meta
        assert meta['model'] == 'tiny 1.0.0'
        assert meta['hash'] == model.card.sha256
        assert meta['version'] == astrosieve.__version__
        assert meta['unit'] == 'electron'
        assert meta['fwhm'] == 2.1235
        assert meta['warnings'] == ''
        assert json.loads(meta['options']) == {
            'operating_point': 'pure',
            'prior': {'star': 0.5},
            'cosmic_ray_hint': True,
            'origin': 0,
            'exptime': 10.0,
        }

    def test_warnings_are_noted(self, classify: Any) -> None:
        """What was warned of is in the table too."""
        with pytest.warns(AstrosieveWarning):
            meta = classify(unit=None, fwhm=9.0).meta
        assert meta['unit'] == 'unknown'
        assert 'no unit' in meta['warnings']
        assert '9.00 pixels wide' in meta['warnings']

    def test_model_by_path(self, classify: Any, tiny_model: Path) -> None:
        """A path does as well as a loaded model."""
        table = classify(model=str(tiny_model))
        assert np.array_equal(probabilities(table), probabilities(classify()))

    def test_model_by_name(self, classify: Any, tiny_weights: Path) -> None:
        """The default is the model 'source'."""
        assert classify(model='source').meta['model'] == 'tiny 1.0.0'


class TestUnscored:
    """Rows without a verdict keep their place and say why."""

    @pytest.mark.parametrize(
        ('x', 'y', 'reason'),
        [
            (np.nan, 5, 'bad_position'),
            (5, np.inf, 'bad_position'),
            (-1, 5, 'outside'),
            (5, 128, 'outside'),
            (0, 0, 'too_few_pixels'),
            (60, 60, 'invalid_center'),
        ],
    )
    def test_reasons(
        self, x: float, y: float, reason: str, classify: Any, image: np.ndarray
    ) -> None:
        """The row between two good ones is 'unscored', with NaN and its reason."""
        image[60, 60] = np.nan
        table = classify([[40, 41], [x, y], [41, 40]])
        row = table[1]
        assert row['class_name'] == 'unscored'
        assert np.isnan(probabilities(table)[1]).all()
        assert {'unscored', reason} <= flags_of(row)
        assert np.array_equal(row['x_centroid'], x, equal_nan=True)
        for other in (table[0], table[2]):
            assert other['class_name'] in CLASSES
            assert other['class_flags'] == 0

    def test_masked_rows_of_a_table(self, classify: Any) -> None:
        """A masked coordinate is no position."""
        table = Table({'x': [40.0, 50.0], 'y': [41.0, 51.0]}, masked=True)
        table['x'].mask[1] = True
        result = classify(table)
        assert flags_of(result[1]) == {'unscored', 'bad_position'}

    @pytest.mark.parametrize('value', [0.0, 1e6, np.nan])
    def test_images_of_one_value(self, value: float, classify: Any) -> None:
        """No contrast, no verdict, no numerical warning."""
        table = classify(data=np.full((128, 120), value))
        assert set(table['class_name']) == {'unscored'}
        assert all('no_contrast' in flags_of(row) for row in table)

    @pytest.mark.parametrize('shape', [(0, 0), (1, 1), (3, 3), (10, 10)])
    def test_empty_and_tiny_images(self, shape: tuple[int, int], classify: Any) -> None:
        """An image without room for a cutout scores nothing."""
        rng = np.random.default_rng(1)
        table = classify([[0, 0], [1, 1]], data=rng.normal(size=shape))
        assert list(table['class_name']) == ['unscored'] * 2

    def test_all_masked(self, classify: Any, image: np.ndarray) -> None:
        """Every row says that it is masked."""
        table = classify(mask=np.ones(image.shape, dtype=bool))
        assert set(table['class_name']) == {'unscored'}
        assert all('masked' in flags_of(row) for row in table)

    def test_operating_point_does_not_score(self, classify: Any) -> None:
        """A threshold gives no verdict where there is no probability."""
        table = classify([[-5, 5]], operating_point='complete', prior={'star': 0.9})
        assert list(table['class_name']) == ['unscored']


class TestEmptyCatalogs:
    """No rows in, none out, with all columns."""

    @pytest.mark.parametrize(
        'catalog', [[], np.empty((0, 2)), QTable({'x': [1.0], 'y': [2.0]})[:0]]
    )
    def test_no_rows(self, catalog: Any, classify: Any) -> None:
        """Columns and types are those of a full table."""
        table = classify(catalog, extver=1)
        assert len(table) == 0
        assert table.colnames[-6:] == [
            'class_name',
            'p_star',
            'p_cosmic_ray',
            'p_spike',
            'class_flags',
            'extver',
        ]
        assert table['p_star'].dtype == np.float32
        assert table.meta['model'] == 'tiny 1.0.0'


class TestPixels:
    """Images, masks, DQ, errors."""

    def test_sky_changes_nothing(self, classify: Any, image: np.ndarray) -> None:
        """A pedestal, or a subtracted sky, changes no class and warns of nothing."""
        expected = classify()
        for sky in (25.0, 3000.0, -500.0):
            table = classify(data=image + np.float32(sky))
            assert list(table['class_name']) == list(expected['class_name'])
            assert np.allclose(probabilities(table), probabilities(expected), atol=2e-3)
            assert table.meta['warnings'] == ''

    @pytest.mark.parametrize('unit', ['DN', 'electron/s', 'DN/s'])
    def test_units_change_nothing(
        self, unit: str, classify: Any, image: np.ndarray
    ) -> None:
        """The same sky in another unit gives the same probabilities."""
        table = classify(data=image / 64, unit=unit, gain=4.0, exptime=16.0)
        assert np.allclose(probabilities(table), probabilities(classify()), atol=1e-6)

    def test_quantity(self, classify: Any, image: np.ndarray) -> None:
        """A Quantity brings its unit; unit= overrules it."""
        table = classify(data=image * u.electron, unit=None)
        assert table.meta['unit'] == 'electron'
        assert np.array_equal(probabilities(table), probabilities(classify()))
        table = classify(data=image * u.electron, unit='DN', gain=1.0)
        assert table.meta['unit'] == 'DN'

    def test_unknown_unit_warns(self, classify: Any) -> None:
        """The warning says what is assumed, and points at the caller."""
        with pytest.warns(UnitWarning, match='no unit; taken as electrons') as caught:
            classify(unit=None)
        assert [Path(warning.filename).name for warning in caught] == [
            'test_classify.py'
        ]

    @pytest.mark.parametrize(
        ('unit', 'message'),
        [
            ('DN', 'gain is not known'),
            ('electron/s', r'exposure time \(EXPTIME\) is not known'),
            ('MJy/sr', 'calibrated flux'),
        ],
    )
    def test_what_is_missing_warns_once(
        self, unit: str, message: str, classify: Any
    ) -> None:
        """One warning per call, however many detections."""
        with pytest.warns(UnitWarning, match=message) as caught:
            classify(unit=unit)
        assert len(caught) == 1

    @pytest.mark.parametrize('dtype', ['>f4', 'f8', '>f8', 'i4', '>i2', 'u2'])
    def test_types(self, dtype: str, classify: Any, image: np.ndarray) -> None:
        """Byte order and number type change nothing but what rounding does."""
        data = (image + 100).round()
        table = classify(data=data.astype(dtype))
        assert np.array_equal(probabilities(table), probabilities(classify(data=data)))

    def test_lists_are_images(self, classify: Any, image: np.ndarray) -> None:
        """Anything that becomes a 2D array will do; the caller's stays as it is."""
        before = image.copy()
        image.setflags(write=False)
        table = classify(data=image.tolist())
        assert np.array_equal(probabilities(table), probabilities(classify()))
        assert np.array_equal(image, before)

    def test_strided_images(self, classify: Any, image: np.ndarray) -> None:
        """A view into a larger array is an image."""
        large = np.zeros((256, 240), dtype=np.float32)
        large[::2, ::2] = image
        table = classify(data=large[::2, ::2])
        assert np.array_equal(probabilities(table), probabilities(classify()))

    def test_masked_array(self, classify: Any, image: np.ndarray) -> None:
        """What a masked array masks has no value."""
        data = np.ma.array(image, mask=False)
        data[40, 44] = np.ma.masked
        assert flags_of(classify([[40, 41]], data=data)[0]) == {'non_finite'}
        data = np.ma.array(np.arange(400).reshape(20, 20), mask=False)
        data[10, 10] = np.ma.masked
        table = classify([[10, 10]], data=data)
        assert 'invalid_center' in flags_of(table[0])

    @pytest.mark.parametrize('kind', [bool, int])
    def test_mask(self, kind: type, classify: Any, image: np.ndarray) -> None:
        """Masked pixels are filled and flagged; far away they count for nothing."""
        mask = np.zeros(image.shape, dtype=kind)
        mask[44, 40] = 1
        table = classify([[40, 41], [80, 81]], mask=mask)
        assert flags_of(table[0]) == {'masked'}
        assert flags_of(table[1]) == set()

    def test_dq_without_signal(self, classify: Any, image: np.ndarray) -> None:
        """Bad-detector pixels are filled like masked ones."""
        dq = np.zeros(image.shape, dtype=np.int16)
        dq[44, 40] = 4
        table = classify([[40, 41]], dq=dq)
        image[44, 40] = 1e5
        assert flags_of(table[0]) == {'no_signal'}
        assert np.array_equal(
            probabilities(table), probabilities(classify([[40, 41]], dq=dq))
        )

    def test_saturated_stars_are_scored(
        self, classify: Any, xy: np.ndarray, image: np.ndarray
    ) -> None:
        """Saturation is flagged within a pixel and changes no probability."""
        dq = np.zeros(image.shape, dtype=np.int16)
        x, y = np.rint(xy[0]).astype(int)
        dq[y + 1, x - 1], dq[y + 4, x] = 256, 2048
        table = classify(dq=dq)
        assert flags_of(table[0]) == {'saturated'}
        assert not any(table['class_flags'][1:])
        assert np.array_equal(probabilities(table), probabilities(classify()))

    def test_other_instruments_bits(self, classify: Any, image: np.ndarray) -> None:
        """With dq_bits the bits mean what they mean to that instrument."""
        dq = np.full(image.shape, 8, dtype=np.int16)
        assert flags_of(classify([[40, 41]], dq=dq)[0]) == set()
        wfpc2 = classify([[40, 41]], dq=dq, dq_bits=instrument('WFPC2').dq)
        assert flags_of(wfpc2[0]) == {'saturated'}

    def test_cosmic_ray_hint(self, classify: Any, image: np.ndarray) -> None:
        """A hint multiplies the odds by four, is flagged, and can be switched off."""
        dq = np.zeros(image.shape, dtype=np.uint16)
        dq[40:43, 39:42] = 8192
        plain = probabilities(classify([[40, 41]])).astype(float)[0]
        table = classify([[40, 41], [80, 81]], dq=dq)
        hinted = probabilities(table).astype(float)[0]
        expected = plain * [1, 4, 1]
        assert np.allclose(hinted, expected / expected.sum(), rtol=1e-5)
        assert flags_of(table[0]) == {'cosmic_ray_hint'}
        assert flags_of(table[1]) == set()
        off = classify([[40, 41]], dq=dq, cosmic_ray_hint=False)
        assert np.array_equal(probabilities(off)[0], plain.astype(np.float32))
        assert flags_of(off[0]) == {'cosmic_ray_hint'}

    def test_err(self, classify: Any, image: np.ndarray) -> None:
        """A pixel whose error is not finite carries no signal."""
        err = np.ones(image.shape)
        err[44, 40] = np.inf
        for plane in (err, err * u.electron):
            assert flags_of(classify([[40, 41]], err=plane)[0]) == {'no_signal'}


class TestHandedOver:
    """Images and catalogues as other packages have them."""

    def test_ccddata(self, classify: Any, image: np.ndarray, xy: np.ndarray) -> None:
        """CCDData gives what its parts give, and positions on the sky."""
        mask = np.zeros(image.shape, dtype=bool)
        x, y = xy[0].round().astype(int)
        mask[y, x] = True
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
        wcs.wcs.crval = [10.0, 20.0]
        wcs.wcs.cdelt = [-1e-5, 1e-5]
        ccd = CCDData(image, unit='electron', mask=mask, wcs=wcs)
        table = classify(data=ccd, unit=None)
        expected = classify(mask=mask)
        assert table['class_name'].tolist() == expected['class_name'].tolist()
        assert np.array_equal(
            probabilities(table), probabilities(expected), equal_nan=True
        )
        assert table['class_name'][0] == 'unscored'
        assert table.meta['unit'] == 'electron'
        assert table['sky_centroid'].dec.deg == pytest.approx(20.0, abs=0.01)
        assert 'sky_centroid' not in expected.colnames

    def test_wcs_without_sky(self, classify: Any, image: np.ndarray) -> None:
        """A WCS that knows no sky gives no column."""
        data = NDData(image, wcs=WCS(naxis=2))
        assert 'sky_centroid' not in classify(data=data).colnames

    def test_explain(self, model: Model, image: np.ndarray, xy: np.ndarray) -> None:
        """So does an explanation."""
        ccd = CCDData(image, unit='electron')
        explained = explain_source(ccd, tuple(xy[0]), model=model, fwhm=2.4 * u.pix)
        assert explained.class_name == 'star'

    def test_catalogues(self, classify: Any, xy: np.ndarray) -> None:
        """DataFrames, structured arrays and positions in pixels are catalogues."""
        expected = probabilities(classify())
        pandas = pytest.importorskip('pandas')
        sep = np.zeros(len(xy), dtype=[('npix', 'i4'), ('x', 'f8'), ('y', 'f8')])
        sep['x'], sep['y'] = xy.T
        for catalog in (
            pandas.DataFrame({'x': xy[:, 0], 'y': xy[:, 1]}),
            sep,
            sep.view(np.recarray),
            xy * u.pix,
            xy.tolist(),
        ):
            table = classify(catalog)
            assert np.array_equal(probabilities(table), expected)
        assert 'npix' in classify(sep).colnames

    @pytest.mark.parametrize(
        ('catalog', 'match'),
        [
            ([[1 + 2j, 3]], 'real numbers of pixels; got list of complex128'),
            ([[True, False]], 'real numbers of pixels; got list of bool'),
            (
                [[1.0, 2.0]] * u.arcsec,
                r'is in arcsec; .* in pixels\. Convert them with',
            ),
            ([[1.0, 2.0]] * u.mm, 'is in mm; positions are in pixels'),
            ([[1, 2], [3]], r'positions of shape \(N, 2\), .*; got list'),
            ('a.cat', r'table or positions .*; got str'),
            (QTable({'x': [1.0] * u.s, 'y': [2.0] * u.s}), 'column x .* is in s'),
            (Table({'x': [1j], 'y': [2j]}), 'x, y of the catalog do not hold real'),
        ],
    )
    def test_what_is_no_position(self, catalog: Any, match: str, classify: Any) -> None:
        """What cannot be pixels is refused with the cure."""
        with pytest.raises(CatalogError, match=match):
            classify(catalog)


class TestDecision:
    """Operating points and priors."""

    def test_operating_point(self, classify: Any, model: Model) -> None:
        """'star' where p_star reaches the threshold, else the best other class."""
        rng = np.random.default_rng(11)
        catalog = rng.uniform(6, 113, (400, 2))
        for name, point in model.card.operating_points.items():
            table = classify(catalog, operating_point=name)
            values = probabilities(table)
            others = np.array(CLASSES[1:])[values[:, 1:].argmax(axis=1)]
            expected = np.where(values[:, 0] >= point.threshold, 'star', others)
            assert list(table['class_name']) == list(expected)
            assert json.loads(table.meta['options'])['operating_point'] == name

    def test_operating_points_are_nested(self, classify: Any) -> None:
        """A purer sample is part of a more complete one."""
        catalog = np.random.default_rng(11).uniform(6, 113, (400, 2))
        pure, balanced, complete = (
            np.asarray(classify(catalog, operating_point=name)['class_name']) == 'star'
            for name in ('pure', 'balanced', 'complete')
        )
        assert pure.sum() < balanced.sum() < complete.sum()
        assert not (pure & ~balanced).any()
        assert not (balanced & ~complete).any()

    def test_prior_is_bayes(self, classify: Any, model: Model) -> None:
        """Odds change by the ratio of the new share to the card's."""
        plain = probabilities(classify()).astype(float)
        prior = {'cosmic_ray': 0.8}
        table = classify(prior=prior)
        shares = np.array([0.2 * 0.4 / 0.6, 0.8, 0.2 * 0.2 / 0.6])
        expected = plain * shares / [model.card.class_prior[n] for n in CLASSES]
        expected /= expected.sum(axis=1, keepdims=True)
        assert np.allclose(probabilities(table), expected, rtol=1e-4, atol=1e-7)
        assert json.loads(table.meta['options'])['prior'] == prior

    def test_prior_of_the_card_changes_nothing(
        self, classify: Any, model: Model
    ) -> None:
        """The card's own mix is the default."""
        table = classify(prior=model.card.class_prior)
        assert np.allclose(probabilities(table), probabilities(classify()), atol=1e-6)

    def test_prior_acts_before_the_threshold(self, classify: Any) -> None:
        """In a field full of cosmic rays fewer rows reach a purity."""
        few = classify(prior={'star': 1e-5}, operating_point='pure')
        many = classify(prior={'star': 0.5}, operating_point='pure')
        assert (few['class_name'] == 'star').sum() < (
            many['class_name'] == 'star'
        ).sum()


class TestWidth:
    """The PSF's width against the model's range."""

    @pytest.mark.parametrize('fwhm', [1.5, 2.0, 4.0])
    def test_inside(self, fwhm: float, classify: Any) -> None:
        """Inside the range nothing is said."""
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            assert classify(fwhm=fwhm).meta['fwhm'] == fwhm

    def test_contradicted(self, scales_model: Path, classify: Any) -> None:
        """A width that the stars do not have is taken, with a warning that stays."""
        with pytest.warns(AstrosieveWarning, match='1.50 pixels was given, but 13'):
            meta = classify(fwhm=1.5, model=scales_model).meta
        assert 'what was given stands. Leave out fwhm=' in meta['warnings']
        assert meta['fwhm'] == 1.5

    @pytest.mark.parametrize('fwhm', [1.25, 4.85])
    def test_outside(self, fwhm: float, classify: Any) -> None:
        """Well outside it the warning names width, model and range."""
        with pytest.warns(AstrosieveWarning, match=rf'{fwhm} pixels.*tiny.* 1\.5 to 4'):
            classify(fwhm=fwhm)


class TestRefusals:
    """Wrong input; each message names the parameter and the rule."""

    @pytest.mark.parametrize(
        ('options', 'error', 'message'),
        [
            ({'data': np.zeros(5)}, ValueError, r'data must be a 2D image.*\(5,\)'),
            ({'data': np.zeros((2, 3, 4))}, ValueError, 'data must be a 2D image'),
            (
                {'data': np.zeros((5, 5), dtype=complex)},
                ValueError,
                'data must hold real numbers; got complex128',
            ),
            (
                {'data': np.full((5, 5), 'a')},
                ValueError,
                'data must hold real numbers',
            ),
            ({'mask': np.zeros((3, 4))}, ValueError, 'mask must have the shape of da'),
            (
                {'dq': np.zeros((3, 4), dtype=int)},
                ValueError,
                r'dq must have the shape of data, \(128, 120\); got \(3, 4\)',
            ),
            ({'err': np.zeros((3, 4))}, ValueError, 'err must have the shape of data'),
            (
                {'dq': np.zeros((128, 120))},
                ValueError,
                'dq must be an integer array; got float64',
            ),
            ({'unit': 'parsnip'}, ValueError, "unit 'parsnip' is not understood"),
            ({'gain': -1.0}, ValueError, 'gain must be a positive number; got -1'),
            ({'exptime': 0.0}, ValueError, 'exptime must be a positive number; got 0'),
            ({'fwhm': 0.0}, ValueError, 'fwhm must be a positive number; got 0'),
            ({'fwhm': np.nan}, ValueError, 'fwhm must be a positive number; got nan'),
            ({'chunk_size': 0}, ValueError, 'chunk_size must be at least 1; got 0'),
            ({'prior': {'galaxy': 0.5}}, ValueError, 'prior names galaxy; classes are'),
            ({'prior': {'star': 2}}, ValueError, 'prior of star must be a share'),
            ({'operating_point': 'best'}, ModelError, "no operating point 'best'"),
            ({'catalog': [1, 2, 3]}, CatalogError, r'catalog must be a .*\(3,\)'),
            ({'catalog': [['a', 'b']]}, CatalogError, 'catalog must be a table or pos'),
            (
                {'catalog': Table({'ra': [1.0], 'dec': [2.0]})},
                CatalogError,
                r'no position columns; it has ra, dec\. Name the two with columns=',
            ),
            (
                {'catalog': Table({'x': [1.0], 'y': [2.0]}), 'columns': ('x', 'q')},
                CatalogError,
                "no column 'q'; it has x, y",
            ),
        ],
    )
    def test_refuses(
        self, options: dict, error: type[Exception], message: str, classify: Any
    ) -> None:
        """Nothing is guessed."""
        with pytest.raises(error, match=message):
            classify(**options)

    def test_model_for_another_task(self, classify: Any, model: Model) -> None:
        """A model for blobs does not classify sources."""
        other = Model(replace(model.card, task='blob'), model.path)
        with pytest.raises(ModelError, match="tiny is for task 'blob', not 'source'"):
            classify(model=other)

    def test_operating_point_without_stars(self, classify: Any, model: Model) -> None:
        """A threshold on p_star needs the class."""
        classes = ('galaxy', 'cosmic_ray', 'spike')
        prior = dict.fromkeys(classes, 1 / 3)
        card = replace(model.card, classes=classes, class_prior=prior)
        with pytest.raises(ModelError, match='needs a model with the class star'):
            classify(model=Model(card, model.path), operating_point='pure')

    def test_model_without_cosmic_rays(
        self, classify: Any, model: Model, image: np.ndarray
    ) -> None:
        """A hint for a class that the model lacks changes nothing."""
        classes = ('star', 'hit', 'spike')
        prior = dict.fromkeys(classes, 1 / 3)
        card = replace(model.card, classes=classes, class_prior=prior)
        dq = np.full(image.shape, 4096, dtype=np.int16)
        table = classify(model=Model(card, model.path), dq=dq)
        assert np.allclose(table['p_hit'], classify()['p_cosmic_ray'], atol=1e-6)
