"""
Parameters of a network, read back from its ONNX file, or changed in it.

What is exported has its batch normalisation folded into the convolutions and the
calibration's offsets added to the last biases. It is read back as it is: the batch
normalisations become biases, until they are fitted to what the network sees. Of layers
that a network uses more than once the file has the batch normalisation itself.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from astrosieve.exceptions import ModelError
from astrosieve.models.registry import Model, sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from torch import nn

__all__ = ['changed_model', 'fill_from_onnx', 'fit_statistics']


def _initializers(file: Path | bytes) -> dict[str, np.ndarray]:
    import onnx

    content = file if isinstance(file, bytes) else file.read_bytes()
    model = onnx.load_from_string(content)
    return {
        each.name: np.array(onnx.numpy_helper.to_array(each))
        for each in model.graph.initializer
    }


def fill_from_onnx(
    network: nn.Module, file: Path | bytes, name: str, *, strict: bool = True
) -> set[str]:
    """
    Set a network's parameters to those of an ONNX file.

    Parameters
    ----------
    network : `torch.nn.Module`
        Of the form that was exported; its logits are then those of the file.
    file : path-like or bytes
        The ONNX file, or what is in it.
    name : str
        Of the model, for messages.
    strict : bool, optional
        Whether all must be there. Otherwise layers that the file does not have, or
        has of another shape, stay as they are.

    Returns
    -------
    read : set of str
        Names of the layers that are those of the file.

    Raises
    ------
    ModelError
        If the file is that of another network, or no layer of it is as it should be.
    """
    import torch
    from torch import nn

    values = _initializers(file)

    def put(parameter: torch.Tensor, *names: str) -> bool:
        """Set a parameter, from the first of these names that there is."""
        found = next((each for each in names if each in values), None)
        if found is None:
            problem = f'its ONNX file has no {names[0]!r}'
        elif parameter.shape != values[found].shape:
            problem = (
                f'{found} is {values[found].shape} in its ONNX file, '
                f'{tuple(parameter.shape)} in the network'
            )
        else:
            parameter.copy_(torch.from_numpy(values[found].astype(np.float32)))
            return True
        if strict:
            msg = f'{name}: {problem}; it is another network'
            raise ModelError(msg)
        return False

    read: set[str] = set()  # of layers with weights
    normalised: set[str] = set()
    # A convolution that does what the next layer did, too.
    before: tuple[str, nn.Conv1d | nn.Conv2d] | None = None
    with torch.no_grad():
        for where, module in network.named_modules():
            if isinstance(module, (nn.Conv1d, nn.Conv2d)):
                same = put(module.weight, f'{where}.weight')
                if module.bias is not None:
                    put(module.bias, f'{where}.bias', f'{where}.weight_bias')
                before = (where, module) if same else None
                if same:
                    read.add(where)
            elif isinstance(module, nn.Linear):
                if put(module.weight, f'{where}.weight'):
                    read.add(where)
                put(module.bias, f'{where}.bias')
            elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                if f'{where}.running_mean' in values:
                    parameters = module.state_dict()
                    parameters.pop('num_batches_tracked', None)
                    found = [put(v, f'{where}.{n}') for n, v in parameters.items()]
                    if all(found):
                        normalised.add(where)
                elif before is not None:
                    normalised.add(where)
                    first, convolution = before
                    module.reset_running_stats()
                    module.weight.fill_(float(np.sqrt(1 + module.eps)))
                    module.bias.zero_()
                    if convolution.bias is None:
                        put(module.bias, f'{first}.bias', f'{first}.weight_bias')
                before = None
    if not read:
        msg = f'{name}: its ONNX file has no layer of this network'
        raise ModelError(msg)
    return read | normalised


def changed_model(model: Model, folder: Path, parameters: Mapping[str, float]) -> Model:
    """
    Return a model some of whose parameters have another value.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        Stays as it is.
    folder : `~pathlib.Path`
        Gets the other ONNX file, in place of any that was there.
    parameters : mapping of str to float
        Values by name, as the ONNX file has them; one for all elements of each.

    Returns
    -------
    changed : `~astrosieve.models.registry.Model`

    Raises
    ------
    ModelError
        If the ONNX file has no parameter of such a name.
    """
    import onnx

    content = onnx.load(model.path)
    known = {each.name: each for each in content.graph.initializer}
    for name, value in parameters.items():
        if name not in known:
            msg = f'{model.card.name}: its ONNX file has no {name!r}'
            raise ModelError(msg)
        old = onnx.numpy_helper.to_array(known[name])
        new = onnx.numpy_helper.from_array(np.full_like(old, value), name)
        known[name].CopyFrom(new)
    data = content.SerializeToString()
    path = folder / model.path.name
    path.write_bytes(data)
    card = replace(model.card, sha256=sha256_of(data))
    return Model(card, path)


def fit_statistics(network: nn.Module, inputs: Mapping[str, np.ndarray]) -> None:
    """
    Let a network's batch normalisations know what they see, and say what they said.

    Those that are read from an ONNX file add and do nothing else: a batch in training
    would be normalised, and the network another than that of the file. Those along one
    axis stay as they are.

    Parameters
    ----------
    network : `torch.nn.Module`
        Changed; of the same logits, in training too, for batches like these.
    inputs : mapping of str to `~numpy.ndarray`
        Some of what it learns from, in the order of its arguments.
    """
    import torch

    seen: dict[nn.Module, torch.Tensor] = {}

    def remember(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        seen[module] = given[0]

    layers = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    hooks = [layer.register_forward_pre_hook(remember) for layer in layers]
    with torch.no_grad():
        network.eval()(*map(torch.from_numpy, inputs.values()))
        for layer, hook in zip(layers, hooks, strict=True):
            hook.remove()
            old_mean, old_variance = layer.running_mean, layer.running_var
            if old_mean is None or old_variance is None:
                continue
            variance, mean = torch.var_mean(seen[layer], dim=(0, 2, 3), correction=0)
            scale = layer.weight / torch.sqrt(old_variance + layer.eps)
            layer.bias.add_(scale * (mean - old_mean))
            layer.weight.copy_(scale * torch.sqrt(variance + layer.eps))
            old_mean.copy_(mean)
            old_variance.copy_(variance)
