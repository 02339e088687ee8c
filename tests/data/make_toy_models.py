"""
Make fruit.onnx, fruit-maps.onnx and pixels.onnx, and their cards.

The first two are networks of a task there is not; pixels maps contaminants.

Run ``python tests/data/make_toy_models.py`` to make the files again; needs
``onnx``. The network fruit tells a row of pixels by their mean: dark ones are a
plum, bright ones an apple. The network fruit-maps gives two maps of the image,
of which both, one or none may hold in a pixel: bright ones are ripe, those
brighter than the pixels about them are rotten. The network pixels calls a cosmic ray
what is brighter than the mean of its eight neighbours by the noise and more, a bad
pixel what is darker, an object where the mean of nine is above it, and a bad row what
is not usable; the other classes are nowhere.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from make_tiny_model import as_onnx
from onnx import helper

from astrosieve.contaminant.classes import CLASSES as PIXEL_CLASSES
from astrosieve.contaminant.flags import OPERATING_POINT
from astrosieve.models.cards import ModelCard, OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import sha256_of

SIZE = 4
CLASSES = ('apple', 'pear', 'plum')
MAP_CLASSES = ('ripe', 'rotten')
FOLDER = Path(__file__).parent


def make_network() -> bytes:
    """Return the network of one row per image as ONNX."""
    constants = {
        'shape': np.array([-1, SIZE**2]),
        'weights': np.tile(np.float32([4, 0, -4]) / SIZE**2, (SIZE**2, 1)),
        'bias': np.array([-2, 0, 2], dtype=np.float32),
    }
    nodes = [
        helper.make_node('Reshape', ['pixels', 'shape'], ['rows']),
        helper.make_node('MatMul', ['rows', 'weights'], ['scores']),
        helper.make_node('Add', ['scores', 'bias'], ['logits']),
    ]
    inputs = {'pixels': ['n', 1, SIZE, SIZE]}
    return as_onnx('fruit', nodes, constants, inputs, ['n', len(CLASSES)])


def make_maps_network() -> bytes:
    """Return the network of maps as ONNX."""
    kernels = np.zeros((2, 1, 3, 3), dtype=np.float32)
    kernels[1] = -1 / 8
    kernels[:, 0, 1, 1] = 1
    constants = {'kernels': kernels, 'bias': np.array([-1, -2], dtype=np.float32)}
    nodes = [
        helper.make_node(
            'Conv', ['pixels', 'kernels', 'bias'], ['logits'], pads=[1, 1, 1, 1]
        )
    ]
    image = ['ny', 'nx']
    return as_onnx(
        'fruit-maps', nodes, constants, {'pixels': ['n', 1, *image]}, ['n', 2, *image]
    )


def make_pixels_network() -> bytes:
    """Return the network of contaminants as ONNX."""
    n = len(PIXEL_CLASSES)
    kernels = np.zeros((n, 5, 3, 3), dtype=np.float32)
    bias = np.full(n, -10, dtype=np.float32)
    peak = np.full((3, 3), -1 / 8)
    peak[1, 1] = 1
    for name, plane, kernel in (
        ('cosmic_ray', 0, 10 * peak),
        ('bad_pixel', 0, -10 * peak),
        ('object', 0, np.full((3, 3), 10 / 9)),
        ('bad_row', 4, [[0, 0, 0], [0, -20, 0], [0, 0, 0]]),
    ):
        kernels[PIXEL_CLASSES.names.index(name), plane] = kernel
    bias[PIXEL_CLASSES.names.index('bad_row')] = 10
    nodes = [
        helper.make_node(
            'Conv', ['image', 'kernels', 'bias'], ['logits'], pads=[1, 1, 1, 1]
        )
    ]
    return as_onnx(
        'pixels',
        nodes,
        {'kernels': kernels, 'bias': bias},
        {'image': ['n', 5, 'ny', 'nx']},
        ['n', n, 'ny', 'nx'],
    )


def make_pixels_card(sha256: str) -> ModelCard:
    """Return the card of pixels."""
    limits = dict.fromkeys(PIXEL_CLASSES, 0.5) | {'object': 0.9}
    return ModelCard(
        name='pixels',
        version='1.0',
        task='contaminant',
        description='Made by hand for the tests.',
        classes=PIXEL_CLASSES.names,
        preprocessing='contrast-1',
        inputs={},
        sha256=sha256,
        temperature=1.0,
        class_prior=dict.fromkeys(PIXEL_CLASSES, 0.02),
        operating_points={OPERATING_POINT: OperatingPoint(limits, 'p_CLASS', {}, '')},
        training_data='none',
        split='none',
        seed=0,
        licence='BSD-3-Clause',
        activation='sigmoid',
        options={'overlap': 32},
    )


def make_card(sha256: str) -> ModelCard:
    """Return the card of fruit; its figures are invented."""
    measured = {'completeness': Share(90, 100), 'purity': Share(90, 95)}
    return ModelCard(
        name='fruit',
        version='1.0',
        task='market',
        description='Made by hand for the tests.',
        classes=CLASSES,
        preprocessing='basket-1',
        inputs={'pixels': {'shape': ['n', 1, SIZE, SIZE], 'dtype': 'float32'}},
        sha256=sha256,
        temperature=1.5,
        class_prior={'apple': 0.5, 'pear': 0.25, 'plum': 0.25},
        operating_points={
            'sweet': OperatingPoint(0.75, 'p_apple', measured, 'a basket')
        },
        training_data='none',
        split='none',
        seed=0,
        licence='BSD-3-Clause',
        domain={'fwhm': (1.5, 4.0), 'unusable': (0.0, 0.25)},
        limits=('Knows three kinds of fruit.',),
    )


def make_maps_card(sha256: str) -> ModelCard:
    """Return the card of fruit-maps."""
    point = OperatingPoint(
        {'ripe': 0.5, 'rotten': 0.25},
        'p_CLASS',
        {'ripe': Share(8, 10), 'rotten': Share(3, 4)},
        'a basket',
    )
    return ModelCard(
        name='fruit-maps',
        version='1.0',
        task='market',
        description='Made by hand for the tests.',
        classes=MAP_CLASSES,
        preprocessing='basket-1',
        inputs={'pixels': {'shape': ['n', 1, 'ny', 'nx'], 'dtype': 'float32'}},
        sha256=sha256,
        temperature=(1.0, 2.0),
        class_prior={'ripe': 0.6, 'rotten': 0.05},
        operating_points={'careful': point},
        training_data='none',
        split='none',
        seed=0,
        licence='BSD-3-Clause',
        activation='sigmoid',
        options={'tile': 64},
    )


if __name__ == '__main__':
    for network, card_of in (
        (make_network(), make_card),
        (make_maps_network(), make_maps_card),
        (make_pixels_network(), make_pixels_card),
    ):
        card = card_of(sha256_of(network))
        (FOLDER / f'{card.name}.onnx').write_bytes(network)
        (FOLDER / f'{card.name}.json').write_text(card.to_json())
