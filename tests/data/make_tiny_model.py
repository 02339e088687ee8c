"""
Make tiny.onnx and tiny-scales.onnx, and their cards: classifiers made by hand.

Run ``python tests/data/make_tiny_model.py`` to make the files again; needs
``onnx``. The network tiny undoes the logarithm of its input and compares the
pixels about the centre, above a sky taken from the cutout's rim: neighbours as
bright as a star's make a star, dark ones a cosmic ray, a bright row or column
that reaches out to 4 pixels a spike. The network tiny-scales takes the four
inputs of 'local-noise-2': neighbours as bright as those of a star of the told
width make a star, dark ones a cosmic ray, light about the central means of 3x3
and 9x9 pixels something extended, a faint centre background.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from onnx import NodeProto, TensorProto, checker, helper, numpy_helper

from astrosieve.models.cards import ModelCard, OperatingPoint
from astrosieve.models.metrics import Share
from astrosieve.models.registry import sha256_of

SIZE = 11
CLASSES = ('star', 'cosmic_ray', 'spike')
SCALES_CLASSES = ('star', 'cosmic_ray', 'extended', 'background')
FOLDER = Path(__file__).parent


def make_kernels() -> np.ndarray:
    """Return (4, 1, 11, 11): centre, its four neighbours, far row, far column."""
    kernels = np.zeros((4, 1, SIZE, SIZE), dtype=np.float32)
    mid = SIZE // 2
    kernels[0, 0, mid, mid] = 1
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        kernels[1, 0, mid + dy, mid + dx] = 0.25
    for step in (-4, -3, 3, 4):
        kernels[2, 0, mid, mid + step] = 0.25
        kernels[3, 0, mid + step, mid] = 0.25
    rim = np.ones((SIZE, SIZE), dtype=bool)
    rim[1:-1, 1:-1] = False
    rim[mid, :] = rim[:, mid] = False
    return kernels - (rim / rim.sum()).astype(np.float32)


def make_network() -> bytes:
    """Return the network as ONNX."""
    constants = {
        'log_range': np.float32(np.log(101)),
        'kernels': make_kernels(),
        'shape': np.array([-1, 4]),
        'first': np.array([0]),
        'faintest': np.float32(0.05),
        'none': np.float32(0),
        'full': np.float32(1),
        # Ratios to the centre: (centre, neighbours, row, column) to (shape, line).
        'shape_of': np.array([[0, 0], [1, 0], [0, 1], [0, -1]], dtype=np.float32),
        'weights': np.array([[12, -12, 0], [-12, -12, 24]], dtype=np.float32),
        'bias': np.array([-2.4, 2.4, -9.6], dtype=np.float32),
    }
    node = helper.make_node
    nodes = [
        node('Mul', ['cutouts', 'log_range'], ['logarithm']),
        node('Exp', ['logarithm'], ['linear']),
        node('Conv', ['linear', 'kernels'], ['sums']),
        node('Reshape', ['sums', 'shape'], ['pixels']),
        node('Gather', ['pixels', 'first'], ['centre'], axis=1),
        node('Max', ['centre', 'faintest'], ['peak']),
        node('Div', ['pixels', 'peak'], ['ratios']),
        node('MatMul', ['ratios', 'shape_of'], ['signed']),
        node('Abs', ['signed'], ['features']),
        node('Clip', ['features', 'none', 'full'], ['clipped']),
        node('MatMul', ['clipped', 'weights'], ['scores']),
        node('Add', ['scores', 'bias'], ['logits']),
    ]
    inputs = {'cutouts': ['n', 1, SIZE, SIZE]}
    return as_onnx('tiny', nodes, constants, inputs, ['n', len(CLASSES)])


def make_scales_network() -> bytes:
    """Return the network of four inputs as ONNX."""
    ring = np.zeros((2, 1, SIZE, SIZE), dtype=np.float32)
    mid = SIZE // 2
    ring[1, 0, mid - 1 : mid + 2, mid - 1 : mid + 2] = 1 / 8
    ring[:, 0, mid, mid] = [1, 0]
    constants = {
        'kernels': make_kernels()[:2].clip(min=0),
        'ring': ring,
        'shape': np.array([-1, 2]),
        'first': np.array([0]),
        'second': np.array([1]),
        'faintest': np.float32(3),
        'none': np.float32(0),
        'full': np.float32(1),
        'rate': np.float32(-4 * np.log(2)),
        'bright': np.float32(40),
        # (neighbours as of a star, light about at 3x3 and 9x9, S/N of the centre)
        'weights': np.array(
            [[8, -8, 0, 0], [0, 0, 32, 0], [0, 0, 8, 0], [0, 0, 0, -40]],
            dtype=np.float32,
        ),
        'bias': np.array([-4, 4, -22, 4], dtype=np.float32),
    }
    node = helper.make_node
    nodes = [
        node('Mul', ['fwhm', 'fwhm'], ['fwhm2']),
        node('Div', ['rate', 'fwhm2'], ['fall']),
        node('Exp', ['fall'], ['expected']),
    ]
    for name, kernels in (('cutouts', 'kernels'), ('wide', 'ring'), ('far', 'ring')):
        nodes += [
            node('Conv', [name, kernels], [f'{name}_sums']),
            node('Reshape', [f'{name}_sums', 'shape'], [f'{name}_pixels']),
            node('Gather', [f'{name}_pixels', 'first'], [f'{name}_centre'], axis=1),
            node('Gather', [f'{name}_pixels', 'second'], [f'{name}_about'], axis=1),
            node('Max', [f'{name}_centre', 'faintest'], [f'{name}_peak']),
            node('Div', [f'{name}_about', f'{name}_peak'], [f'{name}_ratio']),
        ]
    nodes += [
        node('Div', ['cutouts_ratio', 'expected'], ['like']),
        node('Div', ['cutouts_centre', 'bright'], ['snr']),
        node('Concat', ['like', 'wide_ratio', 'far_ratio', 'snr'], ['all'], axis=1),
        node('Clip', ['all', 'none', 'full'], ['features']),
        node('MatMul', ['features', 'weights'], ['scores']),
        node('Add', ['scores', 'bias'], ['logits']),
    ]
    image = ['n', 1, SIZE, SIZE]
    shapes = {'cutouts': image, 'wide': image, 'far': image, 'fwhm': ['n', 1]}
    outputs = ['n', len(SCALES_CLASSES)]
    return as_onnx('tiny-scales', nodes, constants, shapes, outputs)


def as_onnx(
    name: str,
    nodes: list[NodeProto],
    constants: dict[str, np.ndarray],
    shapes: dict[str, list[str | int]],
    logits: list[str | int],
) -> bytes:
    """Return a graph with its inputs, output and constants, checked."""
    kind = TensorProto.FLOAT
    for each in nodes:  # onnxruntime before 1.22 does not take those without a name
        each.name = each.output[0]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(k, kind, shape) for k, shape in shapes.items()],
        [helper.make_tensor_value_info('logits', kind, logits)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    model = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid('', 17)]
    )
    checker.check_model(model, full_check=True)
    return model.SerializeToString()


def make_card(sha256: str) -> ModelCard:
    """Return the card of tiny; its figures are invented."""
    points = {
        name: OperatingPoint(
            threshold=threshold,
            on='p_star',
            measured=dict.fromkeys(('completeness', 'purity'), Share(90, 100)),
            sample='invented',
        )
        for name, threshold in (('balanced', 0.5), ('pure', 0.99), ('complete', 0.01))
    }
    return ModelCard(
        name='tiny',
        version='1.0.0',
        task='source',
        description='Made by hand for the tests; of no use on real images.',
        classes=CLASSES,
        preprocessing='zscale-log-1',
        inputs={'cutouts': {'shape': ['N', 1, SIZE, SIZE], 'unit': 'any linear'}},
        sha256=sha256,
        temperature=1.0,
        class_prior={'star': 0.4, 'cosmic_ray': 0.4, 'spike': 0.2},
        operating_points=points,
        training_data='none',
        split='none',
        seed=0,
        licence='BSD-3-Clause',
        domain={'fwhm': (1.5, 4.0)},
        limits=('Knows round stars, single pixels, rows and columns.',),
    )


def make_scales_card(sha256: str) -> ModelCard:
    """Return the card of tiny-scales."""
    image = {'shape': ['n', 1, SIZE, SIZE], 'dtype': 'float32'}
    return replace(
        make_card(sha256),
        name='tiny-scales',
        classes=SCALES_CLASSES,
        preprocessing='local-noise-2',
        inputs={
            **dict.fromkeys(('cutouts', 'wide', 'far'), image),
            'fwhm': {'shape': ['n', 1], 'dtype': 'float32'},
        },
        class_prior=dict.fromkeys(SCALES_CLASSES, 0.25),
        domain={
            'fwhm': (1.5, 4.0),
            'noise_ratio': (0.9, 1.1),
            'unusable': (0.0, 0.25),
        },
        limits=('Knows round stars, single pixels, and light about them.',),
    )


if __name__ == '__main__':
    for network, card_of in (
        (make_network(), make_card),
        (make_scales_network(), make_scales_card),
    ):
        card = card_of(sha256_of(network))
        (FOLDER / f'{card.name}.onnx').write_bytes(network)
        (FOLDER / f'{card.name}.json').write_text(card.to_json())
