"""A network that compares pixels with fixed levels, and images for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.segment import OPERATING_POINT
from astrosieve.models.cards import ModelCard, OperatingPoint
from astrosieve.models.registry import Model, load_model, sha256_of

PRIOR = 0.02
LIMITS = dict.fromkeys(CLASSES, 0.5) | {'object': 0.9}


def toy_network() -> bytes:
    """
    Return a network of 3x3 pixels, as ONNX.

    A cosmic ray is brighter than the mean of its neighbours, a bad pixel darker, by 10
    times the noise; an object is where the mean of nine is 10 times the noise high;
    what is not usable is a bad row. The rest is nowhere.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    n = len(CLASSES)
    weights = np.zeros((n, 5, 3, 3), np.float32)
    offsets = np.full(n, -10, np.float32)
    names = CLASSES.names
    peak = np.full((3, 3), -1 / 8)
    peak[1, 1] = 1
    for name, plane, kernel in (
        ('cosmic_ray', 0, 10 * peak),
        ('bad_pixel', 0, -10 * peak),
        ('object', 0, np.full((3, 3), 10 / 9)),
        ('bad_row', 4, [[0, 0, 0], [0, -20, 0], [0, 0, 0]]),
    ):
        weights[names.index(name), plane] = kernel
    offsets[names.index('bad_row')] = 10
    shape = ['n', n, 'y', 'x']
    graph = helper.make_graph(
        [
            helper.make_node(
                'Conv', ['image', 'weights', 'offsets'], ['logits'], pads=[1, 1, 1, 1]
            )
        ],
        'toy',
        [helper.make_tensor_value_info('image', TensorProto.FLOAT, ['n', 5, 'y', 'x'])],
        [helper.make_tensor_value_info('logits', TensorProto.FLOAT, shape)],
        [
            numpy_helper.from_array(weights, 'weights'),
            numpy_helper.from_array(offsets, 'offsets'),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)])
    made.ir_version = 8
    checker.check_model(made)
    content: bytes = made.SerializeToString()
    return content


@pytest.fixture(scope='session')
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network's file, with its card."""
    pytest.importorskip('onnx')
    content = toy_network()
    path = tmp_path_factory.mktemp('toy') / 'toy.onnx'
    path.write_bytes(content)
    card = ModelCard(
        name='toy', version='1.0', task='contaminant', description='Compares pixels.',
        classes=CLASSES.names, preprocessing='contrast-1', inputs={},
        sha256=sha256_of(content), temperature=1.0,
        class_prior=dict.fromkeys(CLASSES, PRIOR),
        operating_points={
            OPERATING_POINT: OperatingPoint(LIMITS, 'p_CLASS', {}, 'none')
        },
        training_data='none', split='none', seed=0, licence='BSD-3-Clause',
        activation='sigmoid', options={'overlap': 32},
    )  # fmt: skip
    path.with_suffix('.json').write_text(card.to_json())
    return path


@pytest.fixture(scope='session')
def model(toy: Path) -> Model:
    """The network."""
    return load_model(toy)


def sky(shape: tuple[int, int] = (150, 210), seed: int = 1) -> np.ndarray:
    """Return noise of 5 with a hit at (40, 50), a hole at (60, 70), a star."""
    image = np.random.default_rng(seed).normal(0, 5, shape)
    image[40, 50] += 2000
    image[60, 70] -= 2000
    y, x = np.ogrid[: shape[0], : shape[1]]
    image += 3e4 * np.exp(-((y - 100) ** 2 + (x - 120) ** 2) / 18)
    return image.astype(np.float32)


@pytest.fixture(name='sky')
def sky_() -> Callable[..., np.ndarray]:
    """What makes images."""
    return sky


@pytest.fixture
def image() -> np.ndarray:
    """An image of 150x210 pixels."""
    return sky()
