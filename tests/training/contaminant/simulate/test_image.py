"""Simulated images of contaminants: what they are, and that their truth is true."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('scipy')

from astrosieve.contaminant.classes import CLASSES, FAILURES
from astrosieve_training.contaminant.simulate import (
    FAMILIES,
    JUDGED_FAMILIES,
    TRAINED_FAMILIES,
    SimulationSettings,
    make_image,
    simulated_image,
)
from astrosieve_training.contaminant.simulate.draft import Draft
from astrosieve_training.contaminant.simulate.exposure import expose
from astrosieve_training.contaminant.simulate.instruments import draw_instrument
from astrosieve_training.contaminant.simulate.profiles import draw_profile

SMALL = SimulationSettings(shape=(96, 128))


def plane(image: object, name: str, marks: str = 'truth') -> np.ndarray:
    """Return what is marked of a class."""
    marked: np.ndarray = getattr(image, marks)[CLASSES.names.index(name)]
    return marked


def test_seed_decides_an_image() -> None:
    """Two of the same seed are the same, those of two seeds are not."""
    first, again, other = (make_image(seed, SMALL) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.sci, again.sci)
    np.testing.assert_array_equal(first.truth, again.truth)
    assert not np.array_equal(first.sci, other.sci, equal_nan=True)


@pytest.mark.parametrize('family', FAMILIES)
def test_every_family_makes_images(family: str) -> None:
    """Of the shape asked for, finite where not masked, unsure nowhere where true."""
    for seed in range(4):
        made = make_image(seed, SMALL, family)
        assert made.sci.dtype == np.float32
        assert made.sci.shape == made.masked.shape == SMALL.shape
        assert (
            made.truth.shape == made.ignore.shape == (len(CLASSES.names), *SMALL.shape)
        )
        assert made.truth.dtype == made.ignore.dtype == bool
        assert np.isfinite(made.sci[~made.masked]).all()
        assert np.isnan(made.sci[made.masked]).all()
        assert not (made.truth & (made.ignore | made.masked)).any()
        assert made.meta['family'] == family
        assert made.meta['seed'] == seed


def test_families_for_judging_are_not_for_training() -> None:
    """Ten families at least are learnt from; those kept aside only on demand."""
    assert not set(JUDGED_FAMILIES) & set(TRAINED_FAMILIES)
    assert len(TRAINED_FAMILIES) >= 10
    drawn = {simulated_image(seed, 64).meta['family'] for seed in range(40)}
    assert drawn <= set(TRAINED_FAMILIES)
    judged = {
        simulated_image(seed, 64, judged=True).meta['family'] for seed in range(4)
    }
    assert judged == set(JUDGED_FAMILIES)


@pytest.mark.parametrize(
    ('name', 'sign', 'least'),
    [('cosmic_ray', 1, 0.95), ('hot_pixel', 1, 0.95), ('bad_pixel', -1, 0.85),
     ('hot_column', 1, 0.84), ('saturation', 1, 0.99), ('satellite_trail', 1, 0.8)],
)  # fmt: skip
def test_what_is_true_is_off_the_sky(name: str, sign: int, least: float) -> None:
    """True pixels lie off the sky, as 84 % of those that are so by one noise do."""
    settings = SimulationSettings(shape=(96, 96), clean=0)
    shares = []
    for seed in range(120):
        made = make_image(seed, settings, 'mosaic_thin')
        others = [k for k, n in enumerate(CLASSES.names) if n not in (name, 'object')]
        only = plane(made, name) & ~made.truth[others].any(axis=0)
        empty = ~(made.truth.any(axis=0) | made.masked)
        if only.sum() > 3 and empty.any():
            off = made.sci[only] - np.median(made.sci[empty])
            shares.append((sign * off > 0).mean())
    assert len(shares) > 10
    assert np.mean(shares) > least


def test_a_hit_on_one_pixel_is_no_hot_pixel() -> None:
    """Each counts in the other's map, as none of its; a faint hit may be chance."""
    rng = np.random.default_rng(5)
    instrument = replace(draw_instrument(rng, 'mosaic_thin'), unit='electron')
    draft = Draft(rng, (64, 64), instrument, draw_profile(rng, instrument), real=False)
    draft.add_light('sky', np.full(draft.shape, instrument.sky, np.float32))
    charges = {'cosmic_ray': {(9, 9): 50, (9, 40): 3.5}, 'hot_pixel': {(40, 9): 50}}
    for name, pixels in charges.items():
        plane = np.zeros(draft.shape, np.float32)
        for at, strength in pixels.items():
            plane[at] = strength * draft.noise
        draft.add_charge(name, plane)
    expose(draft)
    truth, unsure = draft.planes()
    hit, hot = (CLASSES.names.index(name) for name in charges)
    assert {(int(y), int(x)) for y, x in np.argwhere(truth[hit])} == {(9, 9)}
    assert {(int(y), int(x)) for y, x in np.argwhere(truth[hot])} == {(40, 9)}
    assert unsure[hit][9, 40]
    assert not unsure[hit][40, 9]
    assert not unsure[hot][9, 9]


def test_plateaus_are_the_brightest() -> None:
    """No pixel that is told is far above those that are saturated."""
    for seed in range(40):
        made = make_image(seed, SMALL, 'ztf')
        full = plane(made, 'saturation')
        if full.any() and made.meta['unit'] == 'raw':
            assert np.nanmax(made.sci[~full]) <= 1.05 * np.nanmax(made.sci[full])


def test_bleeds_are_full_or_nearly_so() -> None:
    """In half of the images charge that runs over leaves room in what it fills."""
    settings = SimulationSettings(shape=(128, 128), clean=0, real=False)
    fullest = []
    for seed in range(200):
        made = make_image(seed, settings, 'mosaic_thin')
        bled, full = plane(made, 'bleed'), plane(made, 'saturation')
        if (bled & ~full).sum() > 20 and full.any() and made.meta['unit'] != 'picture':
            empty = np.nanmedian(made.sci)
            top = np.nanmax(made.sci[full]) - empty
            fullest.append((np.nanpercentile(made.sci[bled], 90) - empty) / top)
    assert len(fullest) > 20
    assert 0.3 < np.mean(np.array(fullest) < 0.98) < 0.8
    assert np.median(fullest) > 0.9


def test_nearly_full_is_full_where_plateaus_are_uneven() -> None:
    """Of what a bleed nearly filled nobody can tell; where full ones are alike, all."""
    settings = SimulationSettings(shape=(128, 128), clean=0, real=False)
    number = CLASSES.names.index('saturation')
    shares: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(250):
        made = make_image(seed, settings, 'mosaic_thin')
        bled, full = plane(made, 'bleed'), plane(made, 'saturation')
        if full.sum() < 30 or made.meta['unit'] == 'picture':
            continue
        empty = np.nanmedian(made.sci)
        height = (made.sci - empty) / (np.nanmax(made.sci[full]) - empty)
        nearly = bled & ~full & (height > 0.86) & (height < 0.94)
        if nearly.sum() > 10:
            even = bool(np.nanpercentile(height[full], 10) > 0.97)
            shares[even].append(float(made.ignore[number][nearly].mean()))
    assert min(len(each) for each in shares.values()) > 2
    assert np.mean(shares[True]) < 0.2
    assert np.mean(shares[False]) > 0.8


def test_clean_images_have_objects_only() -> None:
    """Without contaminants, what remains are objects, and plateaus of bright ones."""
    settings = SimulationSettings(shape=(64, 64), clean=1)
    for seed in range(12):
        classes = set(make_image(seed, settings).meta['classes'])
        assert classes <= {'object', 'saturation', 'bleed'}


def test_failed_images_say_so() -> None:
    """What went wrong with an image is told; nothing does by itself."""
    failed = SimulationSettings(shape=(64, 64), failed=1)
    failures = [make_image(seed, failed).meta['failures'] for seed in range(30)]
    assert {name for each in failures for name in each} == {*FAILURES}
    assert all(failures)
    assert any(len(each) == 2 for each in failures)
    assert make_image(1, SMALL).meta['failures'] == ()


def test_images_are_fast() -> None:
    """One of 256x256 pixels takes 0.2 s on the mean, load of the machine aside."""
    make_image(0)
    began = time.process_time()
    for seed in range(1, 13):
        make_image(seed)
    assert (time.process_time() - began) / 12 < 0.2


@pytest.mark.slow
def test_classes_are_frequent() -> None:
    """Each class is in 13 % of the images at least; none but objects is in most."""
    counts = Counter(
        name for seed in range(400) for name in make_image(seed).meta['classes']
    )
    shares = {name: counts[name] / 400 for name in CLASSES.names}
    assert min(shares.values()) > 0.13
    assert max(v for k, v in shares.items() if k != 'object') < 0.55
