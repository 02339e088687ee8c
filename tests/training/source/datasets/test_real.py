"""Truth for real frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('scipy')

from astropy.table import Table
from astropy.wcs import WCS

from astrosieve.images.measured import MeasuredImage
from astrosieve.source.finders import detect
from astrosieve.tables.catalogs import positions
from astrosieve_training.source.datasets.real.crossmatch import (
    CrossmatchTruth,
    find_offset,
)
from astrosieve_training.source.datasets.real.frames import hrc_47tuc, ngc1261, pluto
from astrosieve_training.source.datasets.real.hits import HitTruth
from astrosieve_training.source.datasets.real.median import MedianTruth


def blob(shape: tuple[int, int], x: float, y: float, flux: float) -> np.ndarray:
    yy, xx = np.indices(shape)
    profile = np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * 0.8**2))
    return flux * profile / profile.sum()


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A star at (15, 15) in both, a hit at (40, 20) in the first only."""
    rng = np.random.default_rng(0)
    sky = blob((60, 60), 15, 15, 4000) + 20
    single = sky + rng.normal(0, 5, sky.shape)
    median = sky + rng.normal(0, 3, sky.shape)
    single[20, 40:43] += 900
    median[45, 45] += 3000  # a hot pixel
    single[45, 45] += 3000
    return single, median


def test_median_tells_stars_from_hits(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """What is in both is a star, what is in one a cosmic ray, the rest contested."""
    labels = MedianTruth(*pair, read_noise=5)(
        np.array([[15, 15], [41, 20], [45, 45], [30.0, 50.0]])
    )
    assert labels['label'][:2].tolist() == ['star', 'cosmic_ray']
    assert labels['contested'].tolist() == [False, False, True, True]
    assert (labels['share'][:2] > 0.8).all()
    assert (labels['snr'][:2] > 20).all()


def test_median_leaves_the_halo_of_bright_stars_open() -> None:
    """A faint peak beside a far brighter star is contested."""
    rng = np.random.default_rng(0)
    sky = blob((60, 60), 20, 20, 200_000) + blob((60, 60), 27, 20, 3000)
    sky += blob((60, 60), 50, 50, 3000)
    noisy = [sky + rng.normal(0, 5, sky.shape) for _ in range(2)]
    labels = MedianTruth(noisy[0], noisy[1], read_noise=5)(
        np.array([[27, 20], [50, 50]])
    )
    assert labels['contested'].tolist() == [True, False]
    assert labels['distance_to_bright'][0] == pytest.approx(7, abs=1)


def test_median_with_a_masked_border(pair: tuple[np.ndarray, np.ndarray]) -> None:
    """NaN beyond the usable area do not reach the labels within."""
    single, median = (image.copy() for image in pair)
    single[:8], median[:8] = np.nan, np.nan
    labels = MedianTruth(single, median, read_noise=5)(np.array([[15, 15], [41, 20]]))
    assert labels['label'].tolist() == ['star', 'cosmic_ray']


def test_find_offset() -> None:
    """A shift is found among chance neighbours."""
    rng = np.random.default_rng(1)
    xy = rng.uniform(0, 500, (300, 2))
    both = xy[:200] + np.array([3.3, -7.6]) + rng.normal(0, 0.1, (200, 2))
    reference = np.concatenate([both, rng.uniform(0, 500, (100, 2))])
    offset, pairs = find_offset(xy, reference)
    assert offset == pytest.approx((3.3, -7.6), abs=0.05)
    assert pairs >= 190


def make_wcs(shift: float = 0.0) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    wcs.wcs.crval = (6.0, -72.0)
    wcs.wcs.crpix = (50 + shift, 50)
    wcs.wcs.cdelt = (-1e-5, 1e-5)
    return wcs


def test_crossmatch_labels_what_both_show() -> None:
    """Counterparts make stars, one detection each; nothing is said of the rest."""
    image = blob((100, 100), 30, 30, 5000)
    truth = CrossmatchTruth(
        image, make_wcs(), make_wcs(20), reference=np.array([[50.0, 30.0]]),
        offset=np.zeros(2), noise=1.0, saturation=1e5,
    )  # fmt: skip
    labels = truth(np.array([[30.1, 30.0], [30.9, 30.0], [70.0, 70.0]]))
    assert labels['label'].tolist() == ['star', 'background', 'background']
    assert labels['contested'].tolist() == [False, True, True]


def test_hits_reach_as_far_as_their_length() -> None:
    """A detection on a track is a cosmic ray, one beside it is not known."""
    hits = Table({'x': [20.0], 'y': [20.0], 'length': [10.0]})
    truth = HitTruth(np.zeros((40, 40)), hits, noise=1.0)
    labels = truth(np.array([[24.0, 20.0], [30.0, 20.0]]))
    assert labels['label'].tolist() == ['cosmic_ray', 'background']
    assert labels['contested'].tolist() == [False, True]


def test_ngc1261_halves(data_dir: Path) -> None:
    """Hundreds of stars and hits on each side, no detection on both."""
    areas = []
    for half in ('left', 'right'):
        frame = ngc1261(data_dir / 'hst', half)
        assert frame.chip.mask is not None
        image = MeasuredImage.of(
            frame.chip.sci, mask=frame.chip.mask, fwhm=1.8, unit='DN', gain=14
        )
        xy = positions(detect(image, 'peaks'))
        labels = frame.label(xy)[frame.within(*xy.T)]
        good = ~labels['contested']
        assert (labels['label'][good] == 'star').sum() > 700
        assert (labels['label'][good] == 'cosmic_ray').sum() > 300
        assert good.mean() > 0.8
        areas.append(frame.area)
    assert areas[0][1] + 20 == areas[1][0]
    with pytest.raises(ValueError, match="'left' or 'right'"):
        ngc1261(data_dir / 'hst', 'top')


def test_hrc_frames_match(data_dir: Path) -> None:
    """The two exposures share about a fifth of the field, and most of its stars."""
    frame = hrc_47tuc(data_dir / 'hst')
    assert isinstance(frame.label, CrossmatchTruth)
    x_min, x_max, y_min, y_max = frame.area
    assert 0.1 < (x_max - x_min) * (y_max - y_min) / 1024**2 < 0.35
    assert np.hypot(*frame.label.offset) < 5
    xy = positions(detect(MeasuredImage.of(frame.chip.sci, fwhm=2.5), 'dao'))
    labels = frame.label(xy)[frame.within(*xy.T)]
    assert (labels['label'] == 'star').mean() > 0.7


def test_pluto_has_cosmic_rays(data_dir: Path) -> None:
    """A fourth of the sharp detections away from Pluto are hits that judge."""
    frame = pluto(data_dir / 'hst')
    xy = positions(detect(MeasuredImage.of(frame.chip.sci, fwhm=1.8), 'peaks'))
    found = (frame.label(xy)['label'] == 'cosmic_ray').sum()
    assert 50 < found < 120
    assert len(frame.label.hits) > 85
