"""The light that stars spread about them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('scipy')

from astrosieve_training.source.label.starlight import StarLight

SHAPE = (300, 300)
FWHM = 2.0
NOISE = 1.0
STARS = np.array([(80.0, 80.0), (220.0, 90.0), (90.0, 220.0), (210.0, 210.0)])
FLUX = np.array([1e6, 3e5, 1e5, 8e4])


def wings(dy: np.ndarray, dx: np.ndarray) -> np.ndarray:
    """Return a PSF, 1 in the middle: r^-3, with two spikes that fall as r^-2."""
    r = np.maximum(np.hypot(dy, dx), 1e-9)
    light = 1 / (1 + r**3)
    light += 0.3 * np.exp(-(dx**2) / 2) / (1 + r**2)
    return np.asarray(light / 1.3)


def boxes_of(xy: np.ndarray, flux: np.ndarray, *, full: float = np.inf) -> np.ndarray:
    y, x = np.indices(SHAPE)
    image = np.random.default_rng(3).normal(0, NOISE, SHAPE)
    for (sx, sy), each in zip(xy, flux, strict=True):
        image += each * wings(y - sy, x - sx)
    return np.minimum(image, full)


def star_light(boxes: np.ndarray, flux: np.ndarray, saturated: np.ndarray) -> StarLight:
    return StarLight(boxes, STARS, flux, saturated, fwhm=FWHM, noise=NOISE)


def at(boxes: np.ndarray, xy: np.ndarray) -> np.ndarray:
    x, y = np.rint(xy).astype(int).T
    return np.asarray(boxes[y, x])


@pytest.fixture(scope='module')
def ring() -> np.ndarray:
    """Positions about the brightest star."""
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    steps = [
        r * np.column_stack([np.cos(turns), np.sin(turns)]) for r in (6, 12, 25, 40)
    ]
    return np.rint(STARS[0] + np.concatenate(steps))


def test_light_of_stars(ring: np.ndarray) -> None:
    """All that is there is theirs, but for the core of the star itself."""
    boxes = boxes_of(STARS, FLUX)
    light = star_light(boxes, FLUX, np.zeros(4, dtype=bool))
    assert np.median(light.at(ring) / at(boxes, ring)) == pytest.approx(1, abs=0.1)
    assert (light.at(STARS) < 0.05 * FLUX).all()
    assert (light.at(np.empty((0, 2))) == 0).all()


def test_saturated_stars(ring: np.ndarray) -> None:
    """Their flux is what their wings tell."""
    boxes = boxes_of(STARS, FLUX, full=3.2e5)
    saturated = np.arange(4) == 0
    light = star_light(boxes, np.minimum(FLUX, 3.2e5), saturated)
    assert light.flux[0] == pytest.approx(FLUX[0], rel=0.1)
    assert np.median(light.at(ring) / at(boxes, ring)) == pytest.approx(1, abs=0.15)


def test_neighbours_are_not_the_psf(ring: np.ndarray) -> None:
    """What is on one side of a star only is no part of its light."""
    boxes = boxes_of(STARS, FLUX)
    clean = star_light(boxes, FLUX, np.zeros(4, dtype=bool)).at(ring)
    y, x = np.indices(SHAPE)
    galaxy = STARS[0] + (18, 6)
    boxes += 3e4 * np.exp(-np.hypot(y - galaxy[1], x - galaxy[0]) / 4)
    dirty = star_light(boxes, FLUX, np.zeros(4, dtype=bool))
    np.testing.assert_allclose(dirty.at(ring), clean, rtol=0.15, atol=5 * NOISE)
    assert dirty.at(galaxy[None])[0] < 0.1 * at(boxes, galaxy[None])[0]


def test_beyond_what_is_measured() -> None:
    """Spikes reach farther than the halo, and are as wide as within."""
    psf = star_light(boxes_of(STARS, FLUX), FLUX, np.zeros(4, dtype=bool)).psf
    middle = len(psf) // 2
    for r in (100, 150):
        on, beside = psf[middle + r, middle], psf[middle + r, middle + 12]
        assert on > 5 * beside > 0
        assert on == pytest.approx(wings(np.array(float(r)), np.array(0.0)), rel=0.5)
    assert psf[middle, middle + 150] < 0.3 * psf[middle + 150, middle]


def test_nothing_to_learn_from() -> None:
    """Without stars, or with saturated ones only, nothing is said."""
    boxes = boxes_of(STARS, FLUX)
    none = StarLight(
        boxes, np.empty((0, 2)), np.empty(0), np.empty(0, bool), fwhm=FWHM, noise=NOISE
    )
    full = star_light(boxes, FLUX, np.ones(4, dtype=bool))
    for light in (none, full):
        assert (light.at(STARS + 9) == 0).all()
