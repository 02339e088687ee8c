"""Where images lie on the sky."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from astrosieve.images.footprints import Footprint

SHAPE = (100, 200)  # 10 by 20 arcseconds


def wcs_at(ra: float, dec: float, *, turned: float = 0.0, parity: int = -1) -> WCS:
    """A tangent plane whose reference pixel is the middle; 0.1 arcsec pixels."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [100.5, 50.5]
    angle = np.deg2rad(turned)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs.wcs.cd = turn @ np.diag([parity, 1]) * 0.1 / 3600
    return wcs


def footprint(*where: float, **options: float) -> Footprint:
    return Footprint.of(wcs_at(*where, **options), SHAPE)


PLACES = [(150.0, 2.0), (0.0, -30.0), (359.9999, 60.0), (10.0, 89.999), (3.0, -90.0)]


@pytest.mark.parametrize('parity', [-1, 1])
@pytest.mark.parametrize('turned', [0.0, 33.0])
@pytest.mark.parametrize('place', PLACES)
class TestAnywhere:
    """At the poles and where right ascension begins as anywhere else."""

    def test_holds_what_is_on_its_pixels(
        self, place: tuple[float, float], turned: float, parity: int
    ) -> None:
        """Up to the outer edges of its pixels, and a margin if there is one."""
        wcs = wcs_at(*place, turned=turned, parity=parity)
        sky = Footprint.of(wcs, SHAPE)
        x = np.array([-0.4, 199.4, 100.0, 100.0, -0.6, 199.6, 100.0, 100.0, 240.0])
        y = np.array([50.0, 50.0, -0.4, 99.4, 50.0, 50.0, -0.6, 99.6, 50.0])
        positions = wcs.pixel_to_world(x, y)
        assert sky.holds(positions).tolist() == [True] * 4 + [False] * 5
        assert sky.holds(positions, 0.1).tolist() == [True] * 8 + [False]

    def test_overlaps_what_shares_its_sky(
        self, place: tuple[float, float], turned: float, parity: int
    ) -> None:
        """Moved by less than its length it does, by more it does not, both ways."""
        wcs = wcs_at(*place, turned=turned, parity=parity)
        one = Footprint.of(wcs, SHAPE)
        assert one.overlaps(one)
        for shift, shared in ((199, True), (201, False), (5000, False)):
            moved = wcs.deepcopy()
            moved.wcs.crpix[0] -= shift
            other = Footprint.of(moved, SHAPE)
            assert one.overlaps(other) == other.overlaps(one) == shared
            assert one.overlaps(other, 0.2) == (shift < 5000)


def test_the_corner_of_one_in_the_side_of_another() -> None:
    """Bounding boxes that overlap are not enough."""
    one = footprint(150.0, 2.0)
    wcs = wcs_at(150.0, 2.0, turned=45.0)
    wcs.wcs.crval = wcs_at(150.0, 2.0).wcs_pix2world([[250.0, 150.0]], 0)[0]
    assert not one.overlaps(Footprint.of(wcs, SHAPE))
    wcs.wcs.crval = wcs_at(150.0, 2.0).wcs_pix2world([[250.0, 50.0]], 0)[0]
    assert one.overlaps(Footprint.of(wcs, SHAPE))


def test_the_far_side_of_the_sky() -> None:
    """A tangent plane does not reach it."""
    one = footprint(150.0, 2.0)
    assert not one.overlaps(footprint(330.0, -2.0), margin=30.0)
    far = SkyCoord([330.0, 150.0], [-2.0, 2.0], unit='deg')
    assert one.holds(far, margin=30.0).tolist() == [False, True]


def test_what_is_not_finite_is_nowhere() -> None:
    """NaN positions are not held; a footprint with one overlaps nothing."""
    one = footprint(150.0, 2.0)
    sky = SkyCoord([150.0, np.nan], [2.0, 2.0], unit='deg')
    assert one.holds(sky).tolist() == [True, False]
    corners = SkyCoord(
        np.where(np.arange(4) == 2, np.nan, one.corners.ra.deg),
        one.corners.dec.deg,
        unit='deg',
    )
    broken = Footprint(corners)
    assert not broken.overlaps(one)
    assert not one.overlaps(broken)
    assert not broken.holds(sky).any()


def test_positions_of_another_frame() -> None:
    """They are held where they are."""
    sky = SkyCoord([150.0], [2.0], unit='deg').galactic
    assert footprint(150.0, 2.0).holds(sky).all()
