"""Networks as ONNX files."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping
from typing import Any

from astrosieve.exceptions import AstrosieveError

__all__ = ['MAX_BYTES', 'ExportError']


MAX_BYTES = 500_000
"""Largest size of the weights of a network for sources."""


class ExportError(AstrosieveError, RuntimeError):
    """The exported network is not the trained one, or too large."""


def onnx_bytes(network: Any, shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """Return a network as ONNX."""
    import torch

    buffer = io.BytesIO()
    examples = tuple(torch.ones(2, *shape) for shape in shapes.values())
    rows = torch.export.Dim('n', min=1)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')
        logging.getLogger('torch.onnx').setLevel(logging.ERROR)
        program = torch.onnx.export(
            network.eval(),
            examples,
            dynamo=True,
            dynamic_shapes=tuple({0: rows} for _ in shapes),
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
    buffer.write(model.SerializeToString())
    return buffer.getvalue()
