"""An image with what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, InverseVariance, NDData, StdDevUncertainty
from astropy.utils.masked import Masked
from astropy.wcs import WCS

from astrosieve.images import measured
from astrosieve.images.background import measure_background, measure_mesh
from astrosieve.images.exposures import Chip
from astrosieve.images.instruments import instrument
from astrosieve.images.measured import MeasuredImage
from astrosieve.images.pixels import PIXEL_FLAGS
from astrosieve.images.traits import measure_traits
from astrosieve.images.units import PixelUnit


class TestArrays:
    """Images as users have them."""

    @pytest.mark.parametrize('dtype', ['f4', '>f8', 'i2', 'u1'])
    def test_pixels_are_native_float32(self, dtype: str) -> None:
        """Whatever the numbers were; a float32 image is not copied."""
        data = np.arange(6).reshape(2, 3).astype(dtype)
        image = MeasuredImage.of(data)
        assert image.sci.dtype == np.float32
        assert np.array_equal(image.sci, data)
        assert (image.sci is data) == (dtype == 'f4')
        assert image.spoilt is None
        assert image.unit is None

    def test_unit_of_a_quantity(self) -> None:
        """Its own, unless another is given; all that is needed makes electrons."""
        data = np.ones((3, 3)) * u.adu / u.s
        image = MeasuredImage.of(data, gain=2.0, exptime=10.0)
        assert image.unit == PixelUnit('DN', per_second=True)
        assert image.electrons_per_unit == 20
        assert image.problem is None
        assert MeasuredImage.of(data, unit='electron').unit == PixelUnit('electron')
        assert 'gain is not known' in str(MeasuredImage.of(data).problem)
        assert 'has no unit' in str(MeasuredImage.of(data.value).problem)

    def test_why_pixels_are_not_usable(self) -> None:
        """Mask, NaN, masked arrays, DQ and errors: each has its bit."""
        data = np.ma.array(np.ones((4, 4)), mask=np.eye(4, dtype=bool))
        data[0, 1] = np.inf
        mask = np.zeros((4, 4), dtype=int)
        mask[1, 0] = 1
        dq = np.zeros((4, 4), dtype='>i2')
        dq[2, 0] = 4
        dq[2, 1] = 256
        err = np.ones((4, 4)) * u.electron
        err[3, 0] = np.nan
        spoilt = MeasuredImage.of(data, mask=mask, dq=dq, err=err).spoilt
        expected = np.diag([PIXEL_FLAGS.non_finite] * 4)
        expected[0, 1] = PIXEL_FLAGS.non_finite
        expected[1, 0] = PIXEL_FLAGS.masked
        expected[2, 0] = expected[3, 0] = PIXEL_FLAGS.no_signal
        assert np.array_equal(spoilt, expected)

    def test_meaning_of_dq(self) -> None:
        """The bits are those of the instrument that is named."""
        dq = np.full((3, 3), 16, dtype=np.int16)
        assert MeasuredImage.of(np.ones((3, 3)), dq=dq).spoilt is None
        image = MeasuredImage.of(np.ones((3, 3)), dq=dq, dq_bits=instrument('WFPC2').dq)
        assert (image.spoilt == PIXEL_FLAGS.no_signal).all()
        assert image.dq is dq

    @pytest.mark.parametrize(
        ('data', 'options', 'match'),
        [
            (np.ones(4), {}, r'data must be a 2D image; got shape \(4,\)'),
            (
                np.ones((3, 4, 5)),
                {},
                r'got shape \(3, 4, 5\)\. Pass one plane, as data',
            ),
            (np.ones((2, 2), dtype=complex), {}, 'must hold real numbers; got complex'),
            (np.ones((2, 2), dtype=bool), {}, 'must hold real numbers; got bool'),
            (np.ones((2, 2)), {'fwhm': 200}, 'at most 50 pixels; got 200. Bin the'),
            (
                np.ones((2, 2)),
                {'fwhm': 2 * u.arcsec},
                'fwhm is in arcsec; give it in pix',
            ),
            (
                np.ones((2, 2)),
                {'gain': 2 * u.s},
                'gain is in s; give it in electrons per',
            ),
            (
                np.ones((2, 2)),
                {'exptime': 2 * u.m},
                'exptime is in m; give it in seconds',
            ),
            (np.ones((2, 2)), {'gain': '2'}, 'gain must be a positive number; got 2'),
            (np.ones((2, 2)), {'gain': [2.0]}, 'gain must be a positive number'),
            (np.ones((2, 2)), {'mask': np.ones((2, 3))}, 'mask must have the shape'),
            (np.ones((2, 2)), {'dq': np.ones((3, 2), int)}, 'dq must have the shape'),
            (np.ones((2, 2)), {'dq': np.ones((2, 2))}, 'dq must be an integer array'),
            (np.ones((2, 2)), {'err': 1.0}, 'err must have the shape'),
            (np.ones((2, 2)), {'fwhm': 0}, 'fwhm must be a positive number; got 0'),
            (
                np.ones((2, 2)),
                {'fwhm': np.nan},
                'fwhm must be a positive number; got nan',
            ),
            (np.ones((2, 2)), {'gain': -1.0}, 'gain must be a positive number'),
            (np.ones((2, 2)), {'unit': 'parsnips'}, "unit 'parsnips'"),
        ],
    )
    def test_what_is_wrong_is_said_at_once(
        self, data: np.ndarray, options: dict[str, Any], match: str
    ) -> None:
        """Before anything is measured."""
        with pytest.raises(ValueError, match=match):
            MeasuredImage.of(data, **options)


class TestHandedOver:
    """What comes with an image counts, unless the arguments say otherwise."""

    @pytest.fixture
    def ccd(self) -> CCDData:
        """Counts per second with a mask, an error that is not known, and a WCS."""
        mask = np.zeros((4, 5), dtype=bool)
        mask[1, 2] = True
        err = np.ones((4, 5))
        err[3, 0] = np.inf
        return CCDData(
            np.arange(20.0).reshape(4, 5),
            unit=u.adu / u.s,
            mask=mask,
            uncertainty=StdDevUncertainty(err),
            wcs=WCS(naxis=2),
        )

    def test_ccddata(self, ccd: CCDData) -> None:
        """Mask, unit, uncertainty and WCS are taken."""
        image = MeasuredImage.of(ccd)
        assert np.array_equal(image.sci, ccd.data)
        assert image.unit == PixelUnit('DN', per_second=True)
        assert image.spoilt[1, 2] == PIXEL_FLAGS.masked
        assert image.spoilt[3, 0] == PIXEL_FLAGS.no_signal
        assert np.count_nonzero(image.spoilt) == 2
        assert image.wcs is not None

    def test_arguments_win(self, ccd: CCDData) -> None:
        """As in photutils, what is said in the call stands in place of it."""
        image = MeasuredImage.of(
            ccd, mask=np.eye(4, 5) > 0, err=np.ones((4, 5)), unit='electron'
        )
        assert image.unit == PixelUnit('electron')
        assert np.array_equal(image.spoilt > 0, np.eye(4, 5) > 0)

    def test_nddata_without_anything(self) -> None:
        """Bare NDData is its pixels; an inverse variance of 0 says nothing is known."""
        image = MeasuredImage.of(NDData(np.ones((3, 3))))
        assert image.unit is image.spoilt is image.wcs is None
        ivar = np.ones((3, 3))
        ivar[0, 0] = 0
        image = MeasuredImage.of(
            NDData(np.ones((3, 3)), uncertainty=InverseVariance(ivar))
        )
        assert np.argwhere(image.spoilt).tolist() == [[0, 0]]

    def test_masked_quantity(self) -> None:
        """Masked pixels of astropy's masked arrays are not usable."""
        data = Masked(np.ones((3, 3)) * u.electron, mask=np.eye(3) > 0)
        image = MeasuredImage.of(data)
        assert image.unit == PixelUnit('electron')
        assert np.array_equal(image.spoilt > 0, np.eye(3) > 0)

    @pytest.mark.parametrize(
        ('data', 'match'),
        [
            ('j1_flc.fits', "not the name 'j1_flc.fits': open .*read_chips"),
            (Path('j1_flc.fits'), 'not the name'),
            (
                fits.ImageHDU(np.ones((3, 3))),
                r'not ImageHDU: pass the pixels, hdu\.data',
            ),
            (fits.HDUList([fits.PrimaryHDU()]), 'not HDUList: pass the pixels'),
        ],
    )
    def test_what_is_no_image(self, data: Any, match: str) -> None:
        """Files and HDUs are refused with what to pass."""
        with pytest.raises(TypeError, match=match):
            MeasuredImage.of(data)

    @pytest.mark.parametrize('unit', ['electron/adu', 'electron/DN', 'electron/ct', ''])
    def test_quantities(self, unit: str) -> None:
        """Gain, time and width may have units, and are converted."""
        image = MeasuredImage.of(
            np.ones((3, 3)) * u.adu / u.s,
            gain=2 * u.Unit(unit),
            exptime=2 * u.min,
            fwhm=2.5 * u.pix,
        )
        assert (image.gain, image.exptime, image.fwhm) == (2.0, 120.0, 2.5)
        assert image.electrons_per_unit == 240


class TestMeasuring:
    """What is measured, and when."""

    def test_it_is_what_the_functions_measure(self, star_field) -> None:
        """Sky, mesh and traits are of the usable pixels."""
        data = np.tile(star_field.data, (2, 2))
        mask = np.random.default_rng(1).random(data.shape) < 0.01
        image = MeasuredImage.of(data, mask=mask)
        assert image.background == measure_background(data, spoilt=image.spoilt)
        mesh = measure_mesh(data, spoilt=image.spoilt)
        assert np.array_equal(image.mesh.level, mesh.level)
        assert np.array_equal(image.mesh.noise, mesh.noise)
        assert image.fwhm == pytest.approx(2.4, rel=0.1)
        assert image.traits == measure_traits(
            data, spoilt=image.spoilt, fwhm=image.fwhm
        )
        assert image.mesh is image.mesh

    def test_nothing_is_measured_that_nobody_asks_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A given width asks for no sky."""

        def never(*args: Any, **known: Any) -> None:
            pytest.fail('measured')

        for name in ('measure_background', 'measure_mesh', 'find_psf_stars'):
            monkeypatch.setattr(measured, name, never)
        image = MeasuredImage.of(np.ones((40, 40)), fwhm=3)
        assert image.fwhm == 3
        image = MeasuredImage.of(np.ones((40, 40)), estimates_fwhm=False)
        assert image.fwhm is None

    @pytest.mark.parametrize('factor', [0.7, 0.8, 1.0, 1.25, 1.4])
    def test_a_width_that_is_given_is_weighed(
        self, star_field: Any, factor: float
    ) -> None:
        """It stands as given, but counts by its error, and the stars by theirs."""
        given = 2.4 * factor
        image = MeasuredImage.of(star_field.data, fwhm=given)
        stars = image.psf_stars
        error = np.hypot(0.03, 1 / len(stars))
        share = 0.15**2 / (0.15**2 + error**2)
        assert image.fwhm == given
        assert image.weighed_fwhm == pytest.approx(
            stars.fwhm**share * given ** (1 - share)
        )
        assert abs(np.log(image.weighed_fwhm / 2.4)) < max(
            0.3 * abs(np.log(factor)), 0.05
        )
        seems = image.weighed_apparent_fwhm
        assert seems == pytest.approx(image.weighed_fwhm, rel=0.05)

    @pytest.mark.parametrize('given', [1.5, 3.8])
    def test_a_width_that_no_star_has(self, star_field: Any, given: float) -> None:
        """It stands, and the image says so."""
        image = MeasuredImage.of(star_field.data, fwhm=given)
        assert image.contradicted
        assert image.weighed_fwhm == given
        alone = MeasuredImage.of(star_field.data, fwhm=given, estimates_fwhm=False)
        assert not alone.contradicted
        assert alone.weighed_fwhm == given

    def test_an_empty_image_has_no_width(self) -> None:
        """Nor noise: nothing is made up."""
        image = MeasuredImage.of(np.ones((40, 40)))
        assert image.fwhm is None
        assert image.background.noise == 0


class TestChips:
    """Images of exposures."""

    def test_the_chip_says_what_it_is(self) -> None:
        """Mask, DQ, unit, gain and time are its own, unless others are given."""
        sci = np.ones((5, 5), dtype=np.float32)
        mask = np.zeros(sci.shape, dtype=bool)
        mask[0] = True
        dq = np.zeros(sci.shape, dtype=np.int16)
        dq[1] = 16
        chip = Chip(
            sci,
            Path('u_c0m.fits'),
            err=np.full(sci.shape, np.nan, dtype=np.float32),
            dq=dq,
            mask=mask,
            unit=PixelUnit('DN'),
            gain=7.12,
            exptime=40.0,
            instrument='WFPC2',
        )
        image = MeasuredImage.of_chip(chip)
        assert image.sci is sci
        assert image.spoilt is not None
        assert (image.spoilt[0] == PIXEL_FLAGS.masked).all()
        assert (image.spoilt[1] == PIXEL_FLAGS.no_signal).all()
        assert not image.spoilt[2:].any()
        assert image.electrons_per_unit == 7.12
        assert image.exptime == 40
        told = MeasuredImage.of_chip(chip, unit='DN/s', gain=2.0, exptime=3.0)
        assert told.electrons_per_unit == 6
        assert told.exptime == 3

    def test_the_width_is_measured_or_nominal(self, star_field) -> None:
        """It is measured; for known cameras it stays near the nominal width."""
        data = np.tile(star_field.data, (2, 2))
        unknown = Chip(data, Path('a.fits'))
        assert MeasuredImage.of_chip(unknown).fwhm == pytest.approx(2.4, rel=0.1)
        assert MeasuredImage.of_chip(unknown, fwhm=3.3).fwhm == 3.3
        known = Chip(data, Path('a.fits'), instrument='WFC3', detector='IR')
        assert MeasuredImage.of_chip(known).fwhm == 1.15
        near = Chip(data, Path('a.fits'), instrument='ACS', detector='WFC')
        assert MeasuredImage.of_chip(near).fwhm == pytest.approx(2.4, rel=0.1)
        nothing = np.ones((40, 40), dtype=np.float32)
        assert MeasuredImage.of_chip(Chip(nothing, Path('a.fits'))).fwhm is None
        wfc = Chip(nothing, Path('a.fits'), instrument='ACS', detector='WFC')
        assert MeasuredImage.of_chip(wfc).fwhm == 1.8
