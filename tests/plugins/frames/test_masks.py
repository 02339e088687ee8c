"""The step in place of ccdproc's cosmic-ray rejection."""

from __future__ import annotations

import inspect
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty

import astrosieve_plugins.ccdproc_masks as plugin
from astrosieve.contaminant import Contaminants
from astrosieve.contaminant.flags import bits_of

HIT = (20, 30)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Stand in for the network: one hit, one hot pixel."""
    made = []

    def segment(data: Any, **said: Any) -> Contaminants:
        made.append(said)
        shape = np.shape(data)
        mask = np.zeros(shape, np.int16)
        pixels = data.data if isinstance(data, CCDData) else data
        mask[pixels > 20 * np.median(pixels)] = 1
        mask[5, 5] = 2
        names = ('cosmic_ray', 'hot_pixel')
        empty = np.zeros((2, *shape), np.float16)
        return Contaminants(empty, mask, names, bits_of(names), {})

    monkeypatch.setattr(plugin, 'segment_contaminants', segment)
    return made


def sky() -> np.ndarray:
    image = 100 + np.random.default_rng(0).normal(0, 2, (60, 70))
    image[HIT] = image[5, 5] = 5000
    return image


def test_a_ccddata(calls: list[dict]) -> None:
    """Filled, masked, in electrons, its uncertainty too; the input stays."""
    mask = np.zeros((60, 70), bool)
    mask[1, 1] = True
    ccd = CCDData(
        sky(), unit='adu', mask=mask, uncertainty=StdDevUncertainty(sky() ** 0)
    )
    clean = plugin.cosmicray_astrosieve(ccd, sigclip=5, gain=2.0, readnoise=3.0)
    assert clean.unit == u.electron
    assert np.argwhere(clean.mask).tolist() == [[1, 1], [*HIT]]
    assert clean.flags[5, 5] == 2
    assert clean.data[HIT] == pytest.approx(200, abs=8)
    assert clean.data[5, 5] == 10000
    assert clean.uncertainty.array[0, 0] == 2
    assert ccd.data[HIT] == 5000
    assert calls[0]['gain'] == 2.0
    raw = plugin.cosmicray_astrosieve(
        ccd, gain_apply=False, classes=['cosmic_ray', 'hot_pixel']
    )
    assert raw.unit == u.adu
    assert raw.mask[5, 5]
    electrons = CCDData(sky(), unit='electron')
    assert plugin.cosmicray_astrosieve(electrons).unit == u.electron


def test_an_array(calls: list[dict]) -> None:
    """Filled pixels and a mask, as ccdproc returns them."""
    clean, mask = plugin.cosmicray_astrosieve(sky(), gain=2 * u.electron / u.adu)
    assert np.argwhere(mask).tolist() == [[*HIT]]
    assert clean[HIT] == pytest.approx(200, abs=8)
    with pytest.raises(TypeError, match='must be a CCDData or ndarray, not list'):
        plugin.cosmicray_astrosieve([[1.0]])


@pytest.mark.ccdproc
def test_the_signature_is_ccdproc_s() -> None:
    """Names, order and defaults; what is ours is added by name alone."""
    import ccdproc

    theirs, ours = (
        inspect.signature(each).parameters.values()
        for each in (ccdproc.cosmicray_lacosmic, plugin.cosmicray_astrosieve)
    )
    own = [p for p in ours if p.kind is not p.KEYWORD_ONLY]
    assert [(p.name, p.default) for p in own] == [(p.name, p.default) for p in theirs]


@pytest.mark.ccdproc
def test_a_pipeline(calls: list[dict]) -> None:
    """Bias, dark and flat of ccdproc before, its combination behind."""
    import ccdproc

    def frame(level: float) -> CCDData:
        return CCDData(np.full((60, 70), level), unit='adu')

    reduced = []
    for shift in range(3):
        image = np.roll(sky(), shift, axis=0) + 300
        ccd = ccdproc.subtract_bias(CCDData(image, unit='adu'), frame(300.0))
        ccd = ccdproc.flat_correct(ccd, frame(2.0))
        reduced.append(plugin.cosmicray_astrosieve(ccd, gain=1.5))
    stack = ccdproc.Combiner(reduced).average_combine()
    assert stack.unit == u.electron
    assert stack.data[40, 40] == pytest.approx(150, abs=15)
    assert stack.data[HIT] == pytest.approx(150, abs=15)
    assert not stack.mask.any()
    assert len(calls) == 3
