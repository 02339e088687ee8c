"""Networks whose parameters are read back from their ONNX files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip('torch')
pytest.importorskip('onnxscript')

import numpy as np
import torch
from torch import nn

from astrosieve.exceptions import ModelError
from astrosieve.models.registry import load_model
from astrosieve_training.learn.export import onnx_bytes
from astrosieve_training.learn.reading import (
    changed_model,
    fill_from_onnx,
    fit_statistics,
)

SHAPE = (2, 8, 8)


class Layers(nn.Module):
    """Normalisation after a convolution, after one with offsets, and after a sum."""

    def __init__(self, last: int = 5) -> None:
        super().__init__()
        self.plain = nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4))
        self.offset = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))
        self.left = nn.Conv2d(4, 4, 1, bias=False)
        self.right = nn.Conv2d(4, 4, 1, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4 * 36, last)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.offset(torch.relu(self.plain(image))))
        x = x + torch.relu(self.norm(self.left(x) + torch.relu(self.right(x))))
        logits: torch.Tensor = self.head(x.flatten(1))
        return logits


def images(n: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {'image': rng.normal(1, 3, (n, *SHAPE)).astype(np.float32)}


def said(network: nn.Module, inputs: dict[str, np.ndarray]) -> np.ndarray:
    with torch.no_grad():
        logits: np.ndarray = network(torch.from_numpy(inputs['image'])).numpy()
    return logits


@pytest.fixture(scope='module')
def trained() -> nn.Module:
    """A network whose normalisations have seen something."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = Layers()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 2)
                nn.init.normal_(module.bias)
    said(network, images(64, 2))
    return network.eval()


@pytest.fixture(scope='module')
def path(trained: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp('onnx') / 'layers.onnx'
    file.write_bytes(onnx_bytes(trained, {'image': SHAPE}))
    return file


def test_the_same_logits(trained: nn.Module, path: Path) -> None:
    """As read back, and with statistics fitted, in training too."""
    network = Layers().eval()
    fill_from_onnx(network, path, 'layers')
    some = images(32, 3)
    expected = said(trained, some)
    np.testing.assert_allclose(said(network, some), expected, atol=1e-4)
    assert np.abs(said(network.train(), some) - expected).max() > 0.1
    fill_from_onnx(network, path, 'layers')
    fit_statistics(network, some)
    np.testing.assert_allclose(said(network.eval(), some), expected, atol=1e-4)
    np.testing.assert_allclose(said(network.train(), some), expected, atol=1e-3)


class Lines(nn.Module):
    """Layers along one axis that are used twice, and a scale without parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Sequential(nn.Conv1d(2, 4, 3, bias=False), nn.BatchNorm1d(4))
        self.scaled = nn.BatchNorm1d(4, affine=False)
        self.head = nn.Linear(4, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        both = self.line(image[:, :, 0]).amax(2) + self.line(image[:, :, 1]).amax(2)
        logits: torch.Tensor = self.head(self.scaled(both))
        return logits


def test_layers_that_are_used_twice(tmp_path: Path) -> None:
    """Their batch normalisation is in the file: read as it is, and left so."""
    trained = Lines()
    for seed in range(3):
        said(trained, images(64, seed))
    file = tmp_path / 'lines.onnx'
    file.write_bytes(onnx_bytes(trained.eval(), {'image': SHAPE}))
    network, some = Lines().eval(), images(32, 3)
    fill_from_onnx(network, file, 'lines')
    fit_statistics(network, some)
    np.testing.assert_allclose(said(network, some), said(trained, some), atol=1e-5)
    for name in ('line.1.running_mean', 'scaled.running_var'):
        torch.testing.assert_close(network.get_buffer(name), trained.get_buffer(name))
    other = Lines()
    other.line = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3))
    assert fill_from_onnx(other, file, 'lines', strict=False) == {'scaled', 'head'}
    alone = nn.ModuleDict({'scaled': nn.BatchNorm1d(4, affine=False)})
    with pytest.raises(ModelError, match='no layer'):
        fill_from_onnx(alone, file, 'lines', strict=False)


def test_layers_of_another_shape(trained: nn.Module, path: Path) -> None:
    """They are refused, or left as they are; the others are read."""
    network = Layers(last=6)
    with pytest.raises(ModelError, match=r'head.weight is \(5, 144\) in its ONNX file'):
        fill_from_onnx(network, path, 'layers')
    network = Layers(last=6)
    fresh = network.head.weight.clone()
    read = fill_from_onnx(network, path, 'layers', strict=False)
    assert (network.head.weight == fresh).all()
    assert 'left' in read
    assert 'head' not in read
    left = trained.get_parameter('left.weight')
    np.testing.assert_array_equal(network.left.weight.detach(), left.detach())


def test_another_network(path: Path) -> None:
    """A file without any layer of a network is none to begin with."""
    for strict, message in ((True, "no '0.weight'"), (False, 'no layer')):
        with pytest.raises(ModelError, match=message):
            fill_from_onnx(nn.Sequential(nn.Linear(3, 3)), path, 'x', strict=strict)


def test_a_parameter_of_another_value(tmp_path: Path) -> None:
    """The model stays as it is; the other's last offsets are those given."""
    model = load_model('source-isr2024', threads=1)
    rng = np.random.default_rng(4)
    inputs = {'cutouts': rng.uniform(size=(3, 1, 11, 11)).astype(np.float32)}
    before = model.outputs(inputs)
    silent = changed_model(model, tmp_path, {'11.bias': 0.0})
    assert silent.card == replace(model.card, sha256=silent.card.sha256)
    offsets = before - silent.outputs(inputs)
    assert offsets[0].any()
    np.testing.assert_allclose(offsets, np.tile(offsets[0], (3, 1)), atol=1e-4)
    raised = changed_model(model, tmp_path, {'11.bias': 2.5}).outputs(inputs)
    np.testing.assert_allclose(raised, before - offsets + 2.5, atol=1e-4)
    assert (model.outputs(inputs) == before).all()
    with pytest.raises(ModelError, match="source-isr2024: its ONNX file has no '12'"):
        changed_model(model, tmp_path, {'12': 1.0})
