"""The monitor, simulated."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrosieve_training.blob.profiles import real_stamps
from astrosieve_training.blob.simulate import (
    difference,
    simulate_difference,
    simulate_monitor,
    write_monitor,
)
from astrosieve_training.data_folder import data_folder
from astrosieve_training.simulate.fields import add_at, smooth_field

SHAPE = (300, 280)
WHOLE = (1014, 1014)


def test_seed_decides_a_difference() -> None:
    """Two of the same seed are the same, those of two seeds are not."""
    first, again, other = (simulate_difference(seed, shape=SHAPE) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.data, again.data)
    assert all(first.blobs['x'] == again.blobs['x'])
    assert not np.array_equal(first.mask, other.mask)


def test_difference_is_small_and_truth_lies_inside() -> None:
    """The level is that of a difference; blobs are on the image, as many as asked."""
    for seed in range(12):
        made = simulate_difference(seed, shape=SHAPE, n_blobs=4)
        assert made.data.dtype == np.float32
        assert made.data.shape == made.mask.shape == SHAPE
        assert np.isfinite(made.data[~made.mask]).all()
        assert abs(np.nanmedian(made.data)) < 0.06
        assert len(made.blobs) == 4
        assert made.blobs['x'].min() >= -0.5
        assert made.blobs['y'].max() < SHAPE[0] - 0.5
        assert 0.02 <= made.blobs['depth'].min() <= made.blobs['depth'].max() <= 0.3
        assert 0.001 < made.mask.mean() < 0.5
        assert made.known.colnames == ['x', 'y', 'radius', 'depth']


def test_older_blobs_never_take_light_as_new_ones_do() -> None:
    """Shifted, blurred, deeper or gone: within it an older blob loses 1 % at most."""
    gone = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        loss, spoilt = np.zeros(WHOLE, np.float32), np.zeros(WHOLE, bool)
        scene = difference._Scene(rng, WHOLE, None, 0.01, loss, spoilt)
        difference._older_blobs(scene)
        y, x = np.indices((61, 61)) - 30
        for x0, y0, radius, depth, _ in scene.known:
            apart = [np.hypot(x0 - row[0], y0 - row[1]) < 60 for row in scene.known]
            at = round(y0), round(x0)
            if sum(apart) > 1 or min(at) < 30 or max(at) > WHOLE[0] - 31:
                continue
            piece = loss[at[0] - 30 : at[0] + 31, at[1] - 30 : at[1] + 31]
            lost = piece[np.hypot(x, y) < radius + 1].mean()
            assert lost < 0.0125
            gone += lost < -depth / 3
    assert gone > 3


def test_blobs_are_positive_and_where_the_truth_says() -> None:
    """About its centre a blob is brighter than its surroundings, by its depth."""
    excess, depth = [], []
    for seed in range(20):
        made = simulate_difference(seed, shape=SHAPE, n_blobs=3)
        y, x = np.indices(SHAPE)
        data = np.where(made.mask, np.nan, made.data)
        for row in made.blobs:
            away = np.hypot(x - row['x'], y - row['y']) / row['radius']
            around = np.nanmedian(data[(away > 3) & (away < 4)])
            excess.append(np.nanmedian(data[away < 0.8]) - around)
            depth.append(row['depth'])
    shares = np.array(excess) / np.array(depth)
    assert 0.7 < np.nanmedian(shares) < 1.0
    assert np.nanmean(shares > 0.3) > 0.93


def test_some_differences_have_no_blob() -> None:
    """Networks see images without a blob too."""
    counts = [len(simulate_difference(seed, shape=SHAPE).blobs) for seed in range(60)]
    assert 2 < counts.count(0) < 25
    assert max(counts) > 4


@pytest.mark.skipif(data_folder() is None, reason='no real data')
def test_real_blobs_are_taken_unless_told_otherwise() -> None:
    """By default those that are not held back; the others on demand, for judging."""
    made = simulate_difference(1, shape=SHAPE, n_blobs=12)
    assert 'real' in made.blobs['kind']
    held = simulate_difference(1, shape=SHAPE, n_blobs=12, stamps=real_stamps('judged'))
    assert 'real' in held.blobs['kind']
    assert not np.array_equal(made.data, held.data)


def test_whole_difference_is_fast() -> None:
    """One of 1014x1014 pixels takes less than 0.4 s, load of the machine aside."""
    seconds = []
    for seed in range(3):
        began = time.process_time()
        simulate_difference(seed)
        seconds.append(time.process_time() - began)
    assert min(seconds) < 0.4


def test_monitor_gets_new_blobs_for_good() -> None:
    """Blobs come, stay, and dim the light where they are."""
    images = simulate_monitor(5, 6, shape=SHAPE, n_new=3)
    counts = [len(image.blobs) for image in images]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == 3
    assert images[-1].blobs['since'].max() == images[-1].date
    dates = [image.date for image in images]
    assert dates == sorted(dates)
    good = images[0].dq == 0
    assert all(0.5 < np.median(image.data[good]) < 6 for image in images)


def test_new_blob_of_the_monitor_dims_the_light() -> None:
    """Where the last image has a new blob, it is darker than the one before."""
    lost, depths = [], []
    y, x = np.indices(SHAPE)
    for seed in range(6):
        *_, before, last = simulate_monitor(seed, 3, shape=SHAPE, n_new=1)
        (row,) = last.blobs
        good = (before.dq | last.dq) == 0
        near = good & (np.hypot(x - row['x'], y - row['y']) < 0.7 * row['radius'])
        one, two = (
            np.mean(i.data[near]) / np.median(i.data[good]) for i in (last, before)
        )
        lost.append(1 - one / two)
        depths.append(row['depth'])
    assert 0.5 < np.sum(lost) / np.sum(depths) < 1.1


def test_files_are_those_of_the_camera(tmp_path: Path) -> None:
    """SCI, ERR and DQ with the cards that readers ask for; reference pixels."""
    images = simulate_monitor(1, 2, shape=(60, 50))
    paths = write_monitor(images, tmp_path, reference_pixels=True)
    assert len(set(paths)) == 2
    with fits.open(paths[1]) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ['SCI', 'ERR', 'DQ']
        assert hdus[0].header['FILTER'] == 'F153M'
        assert hdus[0].header['EXPSTART'] == pytest.approx(images[1].date)
        assert hdus['SCI'].data.shape == (70, 60)
        np.testing.assert_array_equal(hdus['SCI'].data[5:-5, 5:-5], images[1].data)
        assert (hdus['DQ'].data[:5] == 128).all()


def test_pieces_are_cut_at_the_edges() -> None:
    """What lies beyond the image is lost; the rest is where it should be."""
    image = np.zeros((10, 12), np.float32)
    add_at(image, np.ones((5, 5), np.float32), 0, 9, times=2)
    assert image.sum() == 2 * 3 * 3
    add_at(image, np.ones((5, 5), np.float32), 40, 40)
    assert image.sum() == 2 * 3 * 3


def test_smooth_field_has_no_structure_below_its_scale() -> None:
    """Neighbours differ little, places a few nodes apart do."""
    field = smooth_field(np.random.default_rng(0), (200, 300), 40)
    assert 0.4 < field.std() < 1.3
    assert np.abs(np.diff(field, axis=0)).std() < 0.1 * field.std()
