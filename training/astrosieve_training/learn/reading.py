"""
Parameters of a network, read back from its ONNX file.

What is exported has its batch normalisation folded into the convolutions and the
calibration's offsets added to the last biases. It is read back as it is: the batch
normalisations become biases.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astrosieve.exceptions import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ['fill_from_onnx']


def _initializers(path: Path) -> dict[str, np.ndarray]:
    import onnx

    model = onnx.load(str(path))
    return {
        each.name: np.array(onnx.numpy_helper.to_array(each))
        for each in model.graph.initializer
    }


def fill_from_onnx(network: nn.Module, path: Path, name: str) -> None:
    """
    Set a network's parameters to those of an ONNX file.

    Parameters
    ----------
    network : `torch.nn.Module`
        Of the form that was exported; its logits are then those of the file.
    path : path-like
        The ONNX file.
    name : str
        Of the model, for messages.

    Raises
    ------
    ModelError
        If the file is that of another network.
    """
    import torch
    from torch import nn

    values = _initializers(path)

    def tensor(*names: str) -> torch.Tensor:
        for each in names:
            if each in values:
                return torch.from_numpy(values[each].astype(np.float32))
        msg = f'{name}: its ONNX file has no {names[0]!r}; it is another network'
        raise ModelError(msg)

    def put(parameter: torch.Tensor, value: torch.Tensor, what: str) -> None:
        if parameter.shape != value.shape:
            msg = (
                f'{name}: {what} is {tuple(value.shape)} in its ONNX file, '
                f'{tuple(parameter.shape)} in the network; it is another network'
            )
            raise ModelError(msg)
        parameter.copy_(value)

    folded: torch.Tensor | None = None  # what the next batch normalisation adds
    with torch.no_grad():
        for where, module in network.named_modules():
            if isinstance(module, nn.Conv2d):
                put(module.weight, tensor(f'{where}.weight'), f'{where}.weight')
                added = tensor(f'{where}.bias', f'{where}.weight_bias')
                folded = added
                if module.bias is not None:
                    put(module.bias, added, f'{where}.bias')
                    folded = torch.zeros_like(added)
            elif isinstance(module, nn.BatchNorm2d) and folded is not None:
                module.reset_running_stats()
                module.weight.fill_(float(np.sqrt(1 + module.eps)))
                put(module.bias, folded, f'{where}.bias')
            elif isinstance(module, nn.Linear):
                put(module.weight, tensor(f'{where}.weight'), f'{where}.weight')
                put(module.bias, tensor(f'{where}.bias'), f'{where}.bias')
