"""Contact sheets of clusters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('matplotlib')

from matplotlib.image import imread

from astrosieve_training.source.label.sheets import grey_limits, write_contact_sheets

NAMES = {0: 'star', 1: 'cosmic_ray', 12: 'spike'}


@pytest.fixture
def clusters() -> np.ndarray:
    return np.repeat([-1, 0, 1, 12], [3, 200, 100, 40])


@pytest.fixture
def cutouts(clusters: np.ndarray) -> np.ndarray:
    """Cutouts of 0.2 to 0.8, by cluster, a corner of 1 and one of 0."""
    values = {-1: 0.2, 0: 0.4, 1: 0.6, 12: 0.8}
    made = np.empty((len(clusters), 11, 11), np.float32)
    made[:] = np.array([values[c] for c in clusters.tolist()])[:, None, None]
    made[:, 8:, 8:] = 1
    made[:, :2, :2] = 0
    return made


def grey_share(path: Path, value: float) -> float:
    """Return the share of a picture's pixels that show a value."""
    image = imread(path)[..., :3]
    return float((np.abs(image - np.sqrt(value)) < 0.006).all(axis=-1).mean())


def test_one_sheet_for_each_cluster(
    tmp_path: Path, cutouts: np.ndarray, clusters: np.ndarray
) -> None:
    """Sheets are named by number and class and drawn on one grey scale."""
    rng = np.random.default_rng(0)
    paths = write_contact_sheets(tmp_path / 'new', cutouts, clusters, NAMES, rng=rng)
    assert [path.name for path in paths] == [
        'cluster--1-unlabelled.png',
        'cluster-0-star.png',
        'cluster-1-cosmic_ray.png',
        'cluster-12-spike.png',
    ]
    for path, own, full in zip(paths, (0.2, 0.4, 0.6, 0.8), (0, 1, 1, 0), strict=True):
        for value in (0.2, 0.4, 0.6, 0.8):
            share = grey_share(path, value)
            assert share > 0.04 if value == own else share < 0.01
        assert not full or grey_share(path, own) > 0.4


def test_thumbnails_are_upright_and_sharp(
    tmp_path: Path, cutouts: np.ndarray, clusters: np.ndarray
) -> None:
    """The white corner of a cutout is at its upper right, of its size, unblurred."""
    rng = np.random.default_rng(0)
    path = write_contact_sheets(
        tmp_path, cutouts[:1], clusters[:1], {}, rng=rng, columns=1, rows=1
    )[0]
    image = imread(path)[..., :3]
    gap = (np.abs(image * 255 - (0x2F, 0x6F, 0x9F)) < 1).all(axis=-1)
    (top, first), (bottom, last) = np.argwhere(gap)[[0, -1]]
    there = np.argwhere(~gap[top : bottom + 1, first : last + 1])
    tile = image[top : bottom + 1, first : last + 1][
        tuple(slice(low, high + 1) for low, high in zip(*there[[0, -1]], strict=True))
    ]
    white = (tile > 0.99).all(axis=-1)
    black = (tile == 0).all(axis=-1)
    grey = (np.abs(tile - np.sqrt(0.2)) < 0.006).all(axis=-1)
    assert white.mean() == pytest.approx(9 / 121, rel=0.1)
    assert white[: len(white) // 2, white.shape[1] // 2 :].sum() == white.sum()
    assert black.mean() == pytest.approx(4 / 121, rel=0.1)
    assert (white | grey | black).mean() > 0.999


def test_members_are_random_and_seeded(tmp_path: Path, clusters: np.ndarray) -> None:
    """One seed gives one sheet, another seed another."""
    rng = np.random.default_rng(5)
    noise = rng.random((len(clusters), 11, 11), np.float32)

    def sheet(seed: int) -> bytes:
        draw = np.random.default_rng(seed)
        return write_contact_sheets(
            tmp_path, noise, clusters, NAMES, rng=draw, columns=4, rows=3
        )[1].read_bytes()

    assert sheet(1) == sheet(1)
    assert sheet(1) != sheet(2)


def test_sheets_of_other_names_are_removed(
    tmp_path: Path, cutouts: np.ndarray, clusters: np.ndarray
) -> None:
    """After clusters are renamed, no sheet of the old names is left."""
    keep = tmp_path / 'cluster-map.png'
    keep.write_bytes(b'mine')
    rng = np.random.default_rng(0)
    few = {'columns': 2, 'rows': 2}
    old = write_contact_sheets(tmp_path, cutouts, clusters, NAMES, rng=rng, **few)
    new = write_contact_sheets(
        tmp_path, cutouts, np.minimum(clusters, 0), {0: 'extended'}, rng=rng, **few
    )
    assert {path.name for path in tmp_path.iterdir()} == {
        keep.name,
        *(path.name for path in new),
    }
    assert not set(old[1:]) & set(new)


def test_grey_limits() -> None:
    """They hold nearly all pixels, and never fall together."""
    ramp = np.linspace(0, 1, 11 * 11 * 10).reshape(10, 11, 11)
    assert grey_limits(ramp) == pytest.approx((0.01, 0.999))
    black, white = grey_limits(np.full((2, 11, 11), 0.3))
    assert black == pytest.approx(0.3)
    assert white > black


def test_no_cutouts(tmp_path: Path) -> None:
    """Without cutouts there are no sheets."""
    rng = np.random.default_rng(0)
    none = np.empty((0, 11, 11))
    assert write_contact_sheets(tmp_path, none, np.array([], int), {}, rng=rng) == []


def test_shapes_that_do_not_agree(tmp_path: Path, cutouts: np.ndarray) -> None:
    """One number for each cutout is needed."""
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r'\(343, 11, 11\) and \(2,\)'):
        write_contact_sheets(tmp_path, cutouts, np.array([0, 1]), NAMES, rng=rng)
    assert not list(tmp_path.iterdir())
