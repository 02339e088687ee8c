"""Tiles: where they lie, and what they give together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from astrosieve.images.tiles import Tiling, cut_axis, run_tiles

SHAPES = [(64, 64), (65, 64), (100, 173), (31, 90), (5, 7), (1, 1), (64, 200)]


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('overlap', [0, 1, 8, 16])
def test_tiles_cover_the_image(shape: tuple[int, int], overlap: int) -> None:
    """Each pixel is in a tile, tiles have one size, and their shares sum to one."""
    tiling = Tiling(shape, 32, overlap)
    total = np.zeros(shape)
    boxes = list(tiling.boxes())
    for box, weight in zip(boxes, tiling.weights(), strict=True):
        assert total[box].shape == tuple(min(32, n) for n in shape)
        assert (weight >= 0).all()
        total[box] += weight
    assert len(boxes) == len(tiling)
    assert np.allclose(total, 1, atol=1e-6)


def test_neighbours_overlap() -> None:
    """By what was asked for, at least; the last tile ends where the image does."""
    columns = [box[1] for box in Tiling((32, 100), 32, 8).boxes()]
    assert [(each.start, each.stop) for each in columns] == [
        (0, 32), (24, 56), (48, 80), (68, 100),
    ]  # fmt: skip


def box_means(tiles: np.ndarray) -> np.ndarray:
    """Return two maps: the mean of 3x3 pixels, and the pixels themselves."""
    wide = np.pad(tiles, ((0, 0), (1, 1), (1, 1)), mode='edge')
    ny, nx = tiles.shape[1:]
    shifted = [wide[:, y : y + ny, x : x + nx] for y in range(3) for x in range(3)]
    return np.stack([np.mean(shifted, axis=0), tiles], axis=1)


@pytest.mark.parametrize('shape', SHAPES)
def test_pixels_come_through(shape: tuple[int, int]) -> None:
    """What a network says of each pixel alone is the same in tiles, in any chunks."""
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    for chunk in (1, 3, 100):
        out = np.full((2, *shape), np.nan, dtype=np.float32)
        run_tiles(box_means, image, Tiling(shape, 32, 8), out=out, chunk=chunk)
        assert np.allclose(out[1], image, atol=1e-5)


@pytest.mark.parametrize('shape', SHAPES)
def test_local_maps_do_not_see_the_tiles(shape: tuple[int, int]) -> None:
    """Where a quarter of the overlap is all that they look at."""
    image = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    whole = box_means(image[None])[0]
    out = np.empty((2, *shape), dtype=np.float32)
    run_tiles(box_means, image, Tiling(shape, 32, 4), out=out, chunk=4)
    assert np.allclose(out, whole, atol=1e-5)
    run_tiles(box_means, image, Tiling(shape, 32, 0), out=out, chunk=4)
    seams = np.abs(out - whole).max()
    assert (seams > 0.1) == (max(shape) > 32)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """No more tiles than a chunk are given at once; image and output may be maps."""
    image = np.memmap(tmp_path / 'a', dtype='f4', mode='w+', shape=(100, 100))
    image[:] = 3
    out = np.memmap(tmp_path / 'b', dtype='f4', mode='w+', shape=(1, 100, 100))
    given = []

    def predict(tiles: np.ndarray) -> np.ndarray:
        given.append(len(tiles))
        return tiles[:, None]

    tiling = Tiling((100, 100), 32, 8)
    run_tiles(predict, image, tiling, out=out, chunk=5)
    assert max(given) == 5
    assert sum(given) == len(tiling)
    assert np.allclose(out, 3)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (((0, 5), 32, 8), 'must have pixels'),
        (((5, 5), 0, 0), 'must have pixels'),
        (((50, 50), 32, 17), 'overlap must lie between 0 and half of the size, 16'),
        (((50, 50), 32, -1), 'overlap must lie between'),
    ],
)
def test_impossible_tilings(arguments: tuple, message: str) -> None:
    """They are refused with the reason."""
    with pytest.raises(ValueError, match=message):
        Tiling(*arguments)


def test_shapes_must_fit() -> None:
    """Image and output are those of the tiling."""
    tiling = Tiling((50, 50), 32, 8)
    with pytest.raises(ValueError, match=r'image \(50, 51\) and out \(1, 50, 50\)'):
        run_tiles(
            box_means, np.zeros((50, 51)), tiling, out=np.zeros((1, 50, 50)), chunk=1
        )


@pytest.mark.parametrize('n', [1, 31, 32, 64, 100, 257, 1000])
@pytest.mark.parametrize(('size', 'overlap'), [(64, 32), (96, 32), (256, 64)])
def test_an_axis_in_pieces(n: int, size: int, overlap: int) -> None:
    """On one grid, of one length, each pixel where its own piece reaches far enough."""
    pieces = cut_axis(n, size=size, overlap=overlap, step=32)
    taken = [pixel for _, part in pieces for pixel in range(part.start, part.stop)]
    assert taken == list(range(n))
    lengths = {piece.stop - piece.start for piece, _ in pieces}
    assert len(lengths) == 1
    assert lengths.pop() <= size
    for piece, part in pieces:
        assert piece.start % 32 == piece.stop % 32 == 0
        assert piece.start == 0 or part.start - piece.start >= overlap // 2
        assert piece.stop >= n or piece.stop - part.stop >= overlap // 2
    assert pieces[-1][0].stop - n < 32
