"""
Make tiny.onnx and tiny.json: a classifier for tests, made by hand.

Run ``python tests/data/make_tiny_model.py`` to make both files again; needs
``onnx``. The network undoes the logarithm of its input and compares the pixels
about the centre, above a sky taken from the cutout's rim: neighbours as bright
as a star's make a star, dark ones a cosmic ray, a bright row or column that
reaches out to 4 pixels a spike.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from astrosieve.cards import ModelCard, OperatingPoint
from astrosieve.registry import sha256_of

SIZE = 11
CLASSES = ('star', 'cosmic_ray', 'spike')
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
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        'tiny',
        [helper.make_tensor_value_info('cutouts', kind, ['n', 1, SIZE, SIZE])],
        [helper.make_tensor_value_info('logits', kind, ['n', len(CLASSES)])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    model = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid('', 17)]
    )
    checker.check_model(model, full_check=True)
    return model.SerializeToString()


def make_card(sha256: str) -> ModelCard:
    """Return the card; its figures are invented."""
    points = {
        name: OperatingPoint(
            threshold=threshold,
            completeness=0.9,
            completeness_interval=(0.8, 0.95),
            purity=0.9,
            purity_interval=(0.8, 0.95),
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
        fwhm_range=(1.5, 4.0),
        training_data='none',
        split='none',
        seed=0,
        licence='BSD-3-Clause',
        limits=('Knows round stars, single pixels, rows and columns.',),
    )


if __name__ == '__main__':
    network = make_network()
    (FOLDER / 'tiny.onnx').write_bytes(network)
    (FOLDER / 'tiny.json').write_text(make_card(sha256_of(network)).to_json())
