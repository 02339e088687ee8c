"""Places of the images of an exposure."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from astropy.wcs import WCS

from astrosieve.images.mosaic import Place, arrange, bounds


def make_wcs(cd: np.ndarray, crpix: tuple[float, float], crval=(182.63, 39.396)) -> WCS:
    """Return a TAN WCS, ``cd`` in arcseconds."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    wcs.wcs.crval = crval
    wcs.wcs.crpix = crpix
    wcs.wcs.cd = np.asarray(cd) / 3600
    wcs.wcs.set()
    return wcs


def turned(degrees: float, scale: float) -> np.ndarray:
    """Return a matrix of pixels turned against north, east to the left."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return scale * np.array([[-cos, sin], [sin, cos]])


def pinwheel() -> tuple[list[tuple[int, int]], list[WCS]]:
    """Return four images about one corner, as WFPC2's: one of finer pixels."""
    degrees = (0, 90, 180, 270)
    scales = (0.0455, 0.0996, 0.0996, 0.0996)
    wcs = [
        make_wcs(turned(angle, scale), (45.0, 45.0))
        for angle, scale in zip(degrees, scales, strict=True)
    ]
    return [(800, 800)] * 4, wcs


def test_one_image_stays_as_it_is() -> None:
    """Its pixels are places, with a WCS or without."""
    for wcs in (None, [make_wcs(turned(40, 0.05), (3, 4))]):
        assert arrange([(20, 30)], wcs) == [Place((20, 30))]
    assert bounds([Place((20, 30))]) == (-0.5, 29.5, -0.5, 19.5)


def test_chips_above_each_other() -> None:
    """The gap is that of the sky, whatever the angle of axes on it."""
    skewed = 0.04 * np.array([[-0.72, 0.66], [0.68, 0.75]])
    shape = (2051, 4096)
    wcs = [make_wcs(skewed, (2048, 1026)), make_wcs(skewed, (2048, 1026 - 2086))]
    first, second = arrange([shape, shape], wcs)
    for place, shift in ((first, 0), (second, 2086j)):
        assert place.turn == pytest.approx(1, abs=1e-3)
        assert place.shift == pytest.approx(shift, abs=1)
        assert not place.mirrored
    left, right, bottom, top = bounds([first, second])
    assert (right - left, top - bottom) == pytest.approx((4096, 2086 + 2051), abs=2)


def test_chips_about_a_corner() -> None:
    """Each is turned and scaled so that its pixels lie where the sky says."""
    shapes, wcs = pinwheel()
    places = arrange(shapes, wcs)
    quarters = [np.sign(p.centre.real) + 1j * np.sign(p.centre.imag) for p in places]
    assert quarters == [1 + 1j, -1 + 1j, -1 - 1j, 1 - 1j]
    rng = np.random.default_rng(1)
    for place, mine in zip(places, wcs, strict=True):
        x, y = rng.uniform(0, 800, (2, 50))
        at = wcs[0].world_to_pixel(mine.pixel_to_world(x, y))
        assert np.abs(place(x + 1j * y) - (at[0] + 1j * at[1])).max() < 0.3
        assert place.holds(place(x + 1j * y)).all()
        assert not place.holds(place([-1, 800 + 3j, 5 - 0.6j])).any()
        assert place.area == pytest.approx(800**2 * abs(place.turn) ** 2)


def test_a_mirrored_chip() -> None:
    """Its y axis runs the other way."""
    usual, other = turned(0, 0.05), turned(0, 0.05) * [1, -1]
    wcs = [make_wcs(usual, (50, 0)), make_wcs(other, (50, 10))]
    first, second = arrange([(100, 100)] * 2, wcs)
    assert (first.mirrored, second.mirrored) == (False, True)
    assert second(3 + 99j) == pytest.approx(3 - 91j, abs=0.1)
    assert second.holds(second(3 + 99j))
    assert not second.holds(second(3 + 101j))


def stacked(places: list[Place]) -> bool:
    """Return whether places are one above the other, the first on top, apart."""
    edges = [bounds([place])[2:] for place in places]
    return all(p.turn == 1 and p.shift.real == 0 for p in places) and all(
        upper[0] > lower[1] for upper, lower in pairwise(edges)
    )


def test_what_has_no_places_is_stacked() -> None:
    """Without a WCS, with the same sky, far apart, and where a WCS fails."""
    shapes = [(100, 200), (300, 50), (40, 60)]
    assert stacked(arrange(shapes))
    here = make_wcs(turned(10, 0.05), (5, 5))
    assert stacked(arrange(shapes, [here, here, None]))
    assert stacked(arrange([(100, 100)] * 3, [here, here, here]))
    far = make_wcs(turned(10, 0.05), (5, 5), (182.63, 39.5))
    assert stacked(arrange([(100, 100)] * 2, [here, far]))
    lost = make_wcs(turned(10, 0.05), (np.nan, 5))
    assert stacked(arrange([(100, 100)] * 2, [here, lost]))
