"""From frames to inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from astrosieve.exceptions import ModelError
from astrosieve.frametype.preprocessing import FLIPS, Spit, Summary, get_preprocessing
from astrosieve.frametype.preprocessing.spit import resized, trimmed
from astrosieve.frametype.preprocessing.summary import TRANSPOSED

Draw = Callable[..., np.ndarray]
KINDS = ('bias', 'flat', 'arc', 'standard')


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name', ['spit-1', 'frame-3'])
def test_shapes(name: str, kind: str, drawn: Draw) -> None:
    """Inputs are finite and of the shapes that are said."""
    prepare = get_preprocessing(name)
    inputs = prepare(drawn(kind).astype(np.float32))
    assert {key: each.shape for key, each in inputs.items()} == prepare.shapes
    assert all(np.isfinite(each).all() for each in inputs.values())
    assert all(each.dtype == np.float32 for each in inputs.values())
    assert set(prepare.meanings) == set(prepare.shapes)


def test_unknown_name() -> None:
    """A preprocessing of a newer version is refused."""
    with pytest.raises(ModelError, match="'frame-9' is not known"):
        get_preprocessing('frame-9')


@pytest.mark.parametrize('kind', KINDS)
def test_unit_and_pedestal_change_nothing(kind: str, drawn: Draw) -> None:
    """Levels are relative to the darkest cells and their noise."""
    data = drawn(kind)
    inputs = Summary()(data.astype(np.float32))
    other = Summary()((2.5 * data + 3000).astype(np.float32))
    for name, each in inputs.items():
        assert np.abs(each - other[name]).max() < 0.02, name


@pytest.mark.parametrize('kind', KINDS)
def test_flips_are_those_of_the_frame(kind: str, drawn: Draw) -> None:
    """Flipping the inputs is nearly the same as flipping the frame."""
    data = drawn(kind, shape=(128, 256)).astype(np.float32)
    prepare = Summary()
    inputs = prepare(data)
    for y, x in FLIPS:
        flipped = prepare(data[:: -1 if y else 1, :: -1 if x else 1])
        for name, each in prepare.flip(inputs, y, x).items():
            assert np.abs(each - flipped[name]).max() < 0.05, (name, y, x)


@pytest.mark.parametrize('kind', KINDS)
def test_transposed_frame(kind: str, drawn: Draw) -> None:
    """Rows and columns swap places, and the numbers stay."""
    data = drawn(kind, shape=(128, 256)).astype(np.float32)
    inputs, turned = Summary()(data), Summary()(data.T)
    maps = inputs['maps'][list(TRANSPOSED)].transpose(0, 2, 1)
    assert np.allclose(maps, turned['maps'], atol=1e-5)
    assert np.allclose(inputs['profiles'][::-1], turned['profiles'], atol=1e-5)
    crops = inputs['crops'].transpose(0, 2, 1)
    assert np.allclose(crops, turned['crops'], atol=1e-5)
    assert np.allclose(inputs['traces'][::-1], turned['traces'], atol=1e-5)
    assert np.allclose(inputs['axes'][::-1], turned['axes'], atol=1e-4)
    assert np.abs(inputs['numbers'] - turned['numbers']).max() < 0.02


def test_traces_follow_bent_orders() -> None:
    """A star's spectrum is read along its order, the sky beside it."""
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:400, :1000].astype(np.float32)
    away = y - (120 + 4e-5 * (x - 300) ** 2)  # 20 pixels from end to end
    sky = 300.0 * (np.abs(x - 640) < 2) * (np.abs(away) < 20)
    star = 900.0 * np.exp(-((away / 2) ** 2)) * (np.abs(x - 400) > 3)
    data = rng.normal(500 + sky + star, 5).astype(np.float32)
    first = Summary()(data)['traces'][0, 0]
    middle, beside = first[6], first[9]
    assert np.median(middle) > 0.6
    assert middle[102] < 0.1  # the line that the star lacks
    assert abs(np.median(beside)) < 0.1
    assert beside[163] > 0.4  # the line that the sky has
    assert first[16][163] < np.median(first[16]) + 0.1  # above the sky there is none


def test_steps_of_the_level_are_no_traces() -> None:
    """A darker border, or an amplifier with a level of its own, is not followed."""
    rng = np.random.default_rng(9)
    y, x = np.mgrid[:400, :600].astype(np.float32)
    star = 40.0 * np.exp(-(((y - 300 - x / 100) / 2) ** 2))
    level = 500 - 150.0 * (y < 11) + 60.0 * (y > 200)
    first = Summary()(rng.normal(level + star, 5).astype(np.float32))['traces'][0, 0]
    assert np.median(first[16]) > 0.2  # above both sides
    assert np.median(np.abs(first[2] - first[10])) < 0.05  # which are alike


@pytest.mark.parametrize('shape', [(16, 16), (17, 4000), (700, 31), (1000, 1500)])
def test_any_size(shape: tuple[int, int]) -> None:
    """Small, narrow and odd frames have inputs too."""
    pixels = np.random.default_rng(2).normal(0, 1, shape).astype(np.float32)
    inputs = Summary()(pixels)
    assert all(np.isfinite(each).all() for each in inputs.values())


@pytest.mark.parametrize('value', [0.0, 65535.0])
def test_borders_and_gaps_are_left_out(value: float, drawn: Draw) -> None:
    """Rows and columns of one value are no data, wherever they lie."""
    data = drawn('arc').astype(np.float32)
    ny, nx = data.shape
    wide = np.full((ny + 12, nx + 30), value, np.float32)
    wide[4 : 4 + ny, 9 : 9 + nx // 2] = data[:, : nx // 2]
    wide[4 : 4 + ny, 21 + nx // 2 : 21 + nx] = data[:, nx // 2 :]
    inputs, other = Summary()(data), Summary()(wide)
    for name, each in inputs.items():
        assert np.array_equal(each, other[name]), name


def test_transients_are_flattened() -> None:
    """What all lines begin with is not in the maps of what rows do not share."""
    rng = np.random.default_rng(6)
    bias = rng.normal(1000, 5, (300, 400)).astype(np.float32)
    bias += 2800 * np.exp(-np.arange(400, dtype=np.float32) / 20)
    maps = Summary()(bias)['maps']
    assert maps[0].max() > 0.7
    assert np.abs(maps[7]).max() < 0.25


def test_kinds_differ(drawn: Draw) -> None:
    """Lines are sharp along one axis only; a flat is bright nearly everywhere."""
    arc, flat, bias = (
        Summary()(drawn(kind).astype(np.float32)) for kind in ('arc', 'flat', 'bias')
    )
    rough = np.abs(np.diff(arc['profiles'][:, 1], axis=1)).mean(axis=1)
    assert rough[0] > 5 * rough[1]
    assert (flat['maps'][0] > 0.5).mean() > 0.5
    assert np.abs(bias['maps'][0]).max() < 0.2


def test_published_trimming() -> None:
    """Blank rows go, where the maximum of a row jumps by 10 %; long axis along x."""
    image = np.full((60, 100), 100.0)
    image += np.arange(100) % 2
    image[12:50] += 50
    assert trimmed(image).shape == (38, 100)
    assert trimmed(image.T).shape == (38, 100)
    assert trimmed(np.ones((20, 30)) + np.arange(30)).shape == (20, 30)


def test_linear_resizing() -> None:
    """A plane stays a plane, whatever the size."""
    y, x = np.mgrid[:40, :50]
    plane = 3.0 * y + 2.0 * x
    wide = resized(plane, (80, 100))
    inner = wide[2:-2, 2:-2]
    assert np.allclose(np.diff(inner, axis=0), 1.5, atol=1e-4)
    assert np.allclose(np.diff(inner, axis=1), 1.0, atol=1e-4)
    assert np.array_equal(resized(plane, (40, 50)), plane)


def test_published_bits(drawn: Draw) -> None:
    """Pixels are multiples of 1/255 from 0 to 1, and flip as images do."""
    prepare = Spit()
    inputs = prepare(drawn('arc').astype(np.float32))
    image = inputs['image'] * 255
    assert np.allclose(image, image.round(), atol=1e-4)
    assert (image.min(), image.max()) == (0, 255)
    flipped = prepare.flip(inputs, True, False)['image']
    assert np.array_equal(flipped, inputs['image'][:, ::-1])
