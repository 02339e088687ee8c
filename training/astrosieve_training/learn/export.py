"""
Networks as ONNX files.

The exported file must give what torch gives, on thousands of inputs of different
kinds, or there is no export.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from astrosieve.models.cards import ModelCard
from astrosieve.models.inputs import Preprocessing, described_inputs
from astrosieve.models.registry import sha256_of
from astrosieve.models.session import OnnxSession
from astrosieve_training.learn.loop import predict_logits
from astrosieve_training.learn.parity import TOLERANCE, ExportError, check_parity
from astrosieve_training.learn.reading import fill_from_onnx
from astrosieve_training.learn.shipping import write_model

if TYPE_CHECKING:
    import onnx
    from torch import nn

__all__ = ['export_network', 'image_inputs', 'onnx_bytes', 'stated']

_LARGE = 1000  # numbers, from which on they are stored as halves


def stated(config: Any) -> dict[str, Any]:
    """Return what a card says as the configuration of the network does."""
    return {
        'name': config.name,
        'version': config.version,
        'description': ' '.join(config.description.split()),
        'seed': config.seed,
        'licence': config.licence,
        'limits': config.limits,
        'references': config.references,
    }


def image_inputs(preprocessing: Preprocessing, multiple: int) -> dict[str, Any]:
    """Return what a card says of images of any size, a multiple of some pixels."""
    inputs = described_inputs(preprocessing)
    for name, shape in preprocessing.shapes.items():
        inputs[name]['shape'] = ['n', shape[0], f'{multiple} ny', f'{multiple} nx']
    return inputs


def onnx_bytes(
    network: nn.Module,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    multiple: int | None = None,
    half: bool = False,
) -> bytes:
    """Return a network as ONNX; see `export_network` for sizes of images and files."""
    import torch

    buffer = io.BytesIO()
    examples = tuple(torch.ones(2, *shape) for shape in shapes.values())
    free = {0: torch.export.Dim('n', min=1)}
    if multiple is not None:
        ny, nx = (torch.export.Dim(name, min=2, max=4096) for name in ('ny', 'nx'))
        free |= {2: multiple * ny, 3: multiple * nx}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')
        logging.getLogger('torch.onnx').setLevel(logging.ERROR)
        program = torch.onnx.export(
            network.eval(),
            examples,
            dynamo=True,
            dynamic_shapes=tuple(free for _ in shapes),
            input_names=list(shapes),
            output_names=['logits'],
            external_data=False,
        )
    if program is None:
        msg = 'torch.onnx.export gave nothing; try another version of torch'
        raise ExportError(msg)
    model = program.model_proto
    for node in [model, model.graph, *model.graph.node]:
        # Where it was traced is of no use to anybody, and half of the file.
        node.doc_string = ''
        del node.metadata_props[:]
    for value in [*model.graph.value_info, *model.graph.initializer]:
        del value.metadata_props[:]
    if half:
        _store_halves(model.graph)
    buffer.write(model.SerializeToString())
    return buffer.getvalue()


def _store_halves(graph: onnx.GraphProto) -> None:
    """Store what is large as 16-bit floats, which a runtime makes 32-bit ones again."""
    from onnx import TensorProto, helper, numpy_helper

    casts = {}
    for value in graph.initializer:
        numbers = numpy_helper.to_array(value)
        if numbers.dtype == np.float32 and numbers.size >= _LARGE:
            value.CopyFrom(
                numpy_helper.from_array(numbers.astype(np.float16), value.name)
            )
            casts[value.name] = f'{value.name}_float'
    for node in graph.node:
        for number, name in enumerate(node.input):
            node.input[number] = casts.get(name, name)
    for number, (name, wide) in enumerate(casts.items()):
        cast = helper.make_node('Cast', [name], [wide], to=TensorProto.FLOAT)
        graph.node.insert(number, cast)


def export_network(
    network: nn.Module,
    card: ModelCard,
    inputs: dict[str, np.ndarray],
    folder: Path,
    *,
    max_bytes: int,
    default: bool = False,
    keep: bool = False,
    multiple: int | None = None,
    half: bool = False,
    tolerance: float = TOLERANCE,
) -> tuple[ModelCard, float]:
    """
    Write a network, its card and its entry in the manifest, or nothing.

    Parameters
    ----------
    network : `torch.nn.Module`
        Its logits are (N, C) or (N, C, ny, nx), offsets of a calibration included.
    card : `~astrosieve.models.cards.ModelCard`
        What is known of it; hash, versions of software and what was measured here
        are filled in.
    inputs : dict of str to `~numpy.ndarray`
        What the two runtimes are compared on: arrays of N rows, in the order of the
        network's arguments.
    folder : `~pathlib.Path`
        Folder of weights: gets NAME-VERSION.onnx, NAME-VERSION.json, and the
        model's entry in manifest.json.
    max_bytes : int
        Largest size of the ONNX file.
    default : bool, optional
        Whether the task's name means this model from now on.
    keep : bool, optional
        Whether another version of the model stays, as NAME-VERSION.
    multiple : int, optional
        Rows and columns of its images may be any multiple of this; as many as in
        ``inputs`` by default.
    half : bool, optional
        Whether the file has 16-bit floats, so that it is half as large. The runtimes
        are compared on the parameters of the file; how much the rounding changes a
        logit is measured beside that.
    tolerance : float, optional
        Largest difference that passes; more than the default for a network that
        itself jumps, as where it asks which of two equal pixels is the brighter.

    Returns
    -------
    card : `~astrosieve.models.cards.ModelCard`
        What was written.
    difference : float
        Largest difference between torch and onnxruntime.

    Raises
    ------
    ExportError
        If torch and onnxruntime differ, or the file is too large.
    """
    shapes = {name: values.shape[1:] for name, values in inputs.items()}
    weights = onnx_bytes(network, shapes, multiple=multiple, half=half)
    if len(weights) > max_bytes:
        msg = f'the ONNX file has {len(weights)} bytes, more than {max_bytes}'
        raise ExportError(msg)
    session = OnnxSession(lambda: weights, name=card.name, threads=2)
    logits = predict_logits(network, inputs)
    if half:
        exact, network = logits, deepcopy(network)
        fill_from_onnx(network, weights, card.name)
        logits = predict_logits(network, inputs)
    difference = check_parity(logits, session.run(inputs), tolerance=tolerance)
    measured = {
        'largest_difference': difference,
        **({'rounding': float(np.abs(logits - exact).max())} if half else {}),
        'inputs': len(next(iter(inputs.values()))),
        'bytes': len(weights),
    }
    card = replace(
        card,
        sha256=sha256_of(weights),
        metrics={**card.metrics, 'export': measured},
        software={
            name: version(name) for name in ('torch', 'onnx', 'onnxscript', 'numpy')
        },
    )
    write_model(folder, card, weights, default=default, keep=keep)
    return card, difference
