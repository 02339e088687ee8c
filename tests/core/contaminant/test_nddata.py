"""Masks and flags of astropy's images, and who takes them."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from astropy.table import Table
from astropy.wcs import WCS

from astrosieve import classify_sources
from astrosieve.contaminant import (
    MASK_BITS,
    SPOILT,
    inpaint,
    mask_contaminants,
    segment_contaminants,
)
from astrosieve.models.registry import Model


@pytest.fixture
def ccd(image: np.ndarray) -> CCDData:
    """An image in DN with all that a CCDData can have."""
    mask = np.zeros(image.shape, bool)
    mask[3, 4] = True
    return CCDData(
        image, unit='adu', mask=mask, uncertainty=StdDevUncertainty(image * 0 + 5),
        wcs=WCS(naxis=2), meta={'OBJECT': 'M31'},
    )  # fmt: skip


def test_a_ccddata_comes_back(ccd: CCDData, model: Model) -> None:
    """Mask and flags are new; all else is kept, and the input stays as it was."""
    masked = mask_contaminants(ccd, model=model)
    assert isinstance(masked, CCDData)
    assert masked.mask[3, 4]
    assert masked.mask[40, 50]
    assert masked.mask[60, 70]
    assert not masked.mask[100, 120]
    assert masked.flags[100, 120] == 1 << 13
    assert masked.flags[40, 50] & 1
    assert np.array_equal(masked.data, ccd.data)
    assert (masked.unit, masked.meta['OBJECT']) == (u.adu, 'M31')
    assert np.array_equal(masked.uncertainty.array, ccd.uncertainty.array)
    assert masked.wcs is not None
    assert ccd.mask.sum() == 1
    assert ccd.flags is None
    only = mask_contaminants(ccd, classes=['bad_pixel'], model=model)
    assert not only.mask[40, 50]


def test_flags_that_are_there_stay(ccd: CCDData, model: Model) -> None:
    """Beside ours."""
    ccd.flags = np.full(ccd.shape, 7)
    masked = mask_contaminants(ccd, model=model)
    assert (masked.flags['flags'] == 7).all()
    assert masked.flags['contaminants'][40, 50] & 1
    again = mask_contaminants(masked, model=model)
    assert sorted(again.flags) == ['contaminants', 'flags']


def test_an_nddata_has_no_flags(image: np.ndarray, model: Model) -> None:
    """It gets its mask; an array is told where to go."""
    assert mask_contaminants(NDData(image), model=model).mask[40, 50]
    with pytest.raises(TypeError, match='for arrays there is segment_contaminants'):
        mask_contaminants(image, model=model)


def test_photutils_takes_the_mask(image: np.ndarray, model: Model) -> None:
    """A hit in an aperture does not count."""
    aperture = pytest.importorskip('photutils.aperture')
    found = segment_contaminants(image, model=model)
    circle = aperture.CircularAperture((50, 40), 4)
    bare = aperture.aperture_photometry(image, circle)
    clean = aperture.aperture_photometry(image, circle, mask=found.where(*SPOILT))
    assert bare['aperture_sum'][0] > 1500
    assert abs(clean['aperture_sum'][0]) < 200


def test_classify_sources_takes_the_mask(image: np.ndarray, model: Model) -> None:
    """As its DQ plane, with the meaning of the mask's bits."""
    found = segment_contaminants(image, model=model)
    bits = found.mask.copy()
    bits[96:105, 116:125] |= found.bits['bad_column']
    places = Table({'x': [50.0, 120.0], 'y': [40.0, 100.0]})
    bare, hinted = (
        classify_sources(
            image, places, dq=bits, dq_bits=MASK_BITS, unit='electron', fwhm=6.0,
            cosmic_ray_hint=hint,
        )
        for hint in (False, True)
    )  # fmt: skip
    assert hinted['p_cosmic_ray'][0] >= bare['p_cosmic_ray'][0]
    assert hinted['class_name'][1] == 'unscored'


def test_inpainting() -> None:
    """What is spoilt is filled from beside it, far from anything by the sky."""
    rng = np.random.default_rng(1)
    image = (100 + rng.normal(0, 1, (120, 130))).astype(np.float32)
    spoilt = np.zeros(image.shape, bool)
    spoilt[20, 30] = spoilt[50:90, 60:100] = True
    dirty = np.where(spoilt, 1e6, image).astype(np.float32)
    dirty[5, 5] = np.nan
    filled = inpaint(dirty, spoilt)
    assert np.abs(filled[spoilt] - 100).max() < 3
    assert abs(filled[5, 5] - 100) < 3
    good = ~spoilt
    good[5, 5] = False
    assert np.array_equal(filled[good], image[good])
    assert np.isnan(inpaint(np.full((9, 9), np.nan, np.float32), spoilt[:9, :9])).all()
