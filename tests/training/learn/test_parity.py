"""Inputs of different kinds, and what two runtimes say of them."""

from __future__ import annotations

import numpy as np
import pytest

from astrosieve_training.learn.parity import (
    ExportError,
    check_parity,
    example_images,
    parity_inputs,
)

SHAPES = {'pixels': (1, 11, 11), 'numbers': (3,)}


def test_inputs_are_of_different_kinds() -> None:
    """They are repeatable, float32, in [0, 1] where they are images, and not alike."""
    inputs = parity_inputs(SHAPES, n=600)
    assert {name: value.shape for name, value in inputs.items()} == {
        'pixels': (600, 1, 11, 11),
        'numbers': (600, 3),
    }
    for name, again in parity_inputs(SHAPES, n=600).items():
        assert np.array_equal(inputs[name], again)
        assert again.dtype == np.float32
    pixels = inputs['pixels']
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert len(np.unique(pixels[:, 0, 5, 5])) > 400


def test_images_of_any_form() -> None:
    """Several planes differ; rows and columns need not be as many."""
    images = example_images(np.random.default_rng(0), 12, (2, 6, 9))
    assert images.shape == (12, 2, 6, 9)
    assert not (images[:, 0] == images[:, 1]).all(axis=(1, 2)).any()


def test_a_task_makes_its_own() -> None:
    """What it makes is taken, in the order of the network's inputs."""
    inputs = parity_inputs(
        SHAPES, lambda rng, n: {'numbers': rng.uniform(7, 8, (n, 3))}, n=20
    )
    assert list(inputs) == ['pixels', 'numbers']
    assert inputs['numbers'].min() >= 7
    assert inputs['pixels'].max() <= 1


def test_parity_sees_shape_and_nan() -> None:
    """Missing rows and NaN are differences."""
    with pytest.raises(ExportError, match='logits'):
        check_parity(np.zeros((2, 3)), np.zeros((1, 3)))
    with pytest.raises(ExportError, match='differ'):
        check_parity(np.zeros((2, 3)), np.full((2, 3), np.nan))
    assert check_parity(np.zeros((2, 3)), np.full((2, 3), 1e-6)) == pytest.approx(1e-6)


def test_parity_is_relative_to_each_row() -> None:
    """A row of large logits may differ by more; of maps the row is all of it."""
    expected = np.zeros((2, 2, 4, 4))
    expected[0, 1, 2, 3] = 1e4
    actual = expected + 1e-3
    with pytest.raises(ExportError, match=r'by up to 0\.001 on 2 inputs'):
        check_parity(expected, actual)
    assert check_parity(expected[:1], actual[:1]) == pytest.approx(1e-7)
