"""Networks as ONNX files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')

import torch
from torch import nn

from astrosieve.models.calibration import ACTIVATIONS
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import load_model
from astrosieve_training.learn import export
from astrosieve_training.learn.export import export_network
from astrosieve_training.learn.loop import predict_logits
from astrosieve_training.learn.parity import ExportError, parity_inputs
from astrosieve_training.learn.reading import _initializers

FRUIT = Path(__file__).parents[2] / 'data' / 'fruit.json'


class Rows(nn.Module):
    """Three logits of an image and two numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.last = nn.Linear(6 * 6 + 2, 3)

    def forward(self, pixels: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Return (N, 3)."""
        features = torch.cat([self.norm(pixels).flatten(1), numbers], dim=1)
        logits: torch.Tensor = self.last(features)
        return logits


def made(kind: str) -> tuple[nn.Module, ModelCard, dict[str, np.ndarray]]:
    """Return a network of rows or of maps, its card, and inputs."""
    card = ModelCard.from_json(FRUIT.read_text())
    card = replace(card, sha256='', name=kind)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == 'rows':
            return Rows(), card, parity_inputs({'pixels': (1, 6, 6), 'numbers': (2,)})
        maps = nn.Conv2d(1, 3, 3, padding=1)
    card = replace(card, activation='sigmoid', temperature=(1.0, 2.0, 0.5))
    return maps, card, parity_inputs({'pixels': (1, 6, 8)}, n=100)


@pytest.mark.parametrize('kind', ['rows', 'maps'])
def test_what_is_exported_is_the_network(kind: str, tmp_path: Path) -> None:
    """Loaded from its folder it gives the probabilities of torch's logits."""
    network, card, inputs = made(kind)
    weights = tmp_path / 'new' / 'weights'
    written, difference = export_network(
        network, card, inputs, weights, max_bytes=100_000
    )
    assert difference < 1e-5
    model = load_model(weights / f'{kind}-1.0.onnx', task='market')
    assert model.card == written
    logits = predict_logits(network, inputs)
    expected = ACTIVATIONS[card.activation](logits, card.temperature)
    assert model.predict(inputs) == pytest.approx(expected, abs=1e-5)
    manifest = json.loads((weights / 'manifest.json').read_text())
    assert manifest['models'][kind]['sha256'] == written.sha256
    assert written.metrics['export'] == {
        'largest_difference': difference,
        'inputs': len(inputs['pixels']),
        'bytes': (weights / f'{kind}-1.0.onnx').stat().st_size,
    }
    assert set(written.software) >= {'torch', 'onnx', 'numpy'}


def test_large_parameters_are_stored_as_halves(tmp_path: Path) -> None:
    """The file is half as large, and says what its rounded parameters say."""
    _, card, _ = made('maps')
    inputs = parity_inputs({'pixels': (1, 8, 8)}, n=50)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 40, 3, padding=1), nn.Conv2d(40, 40, 3, padding=1),
            nn.Conv2d(40, 3, 1),
        )  # fmt: skip
    before = {name: value.clone() for name, value in network.state_dict().items()}
    sizes = []
    for half in (False, True):
        folder = tmp_path / str(half)
        written, difference = export_network(
            network, card, inputs, folder, max_bytes=100_000, half=half
        )
        assert difference < 1e-5
        sizes.append(written.metrics['export']['bytes'])
    assert sizes[1] < 0.6 * sizes[0]
    assert 0 < written.metrics['export']['rounding'] < 0.01
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    model = load_model(folder / 'maps-1.0.onnx', task='market')
    expected = ACTIVATIONS['sigmoid'](predict_logits(network, inputs), card.temperature)
    assert model.predict(inputs) == pytest.approx(expected, abs=2e-3)
    assert model.predict(inputs) != pytest.approx(expected, abs=1e-6)
    stored = _initializers(model.path)
    large = {name for name, value in before.items() if value.numel() > 1000}
    assert {name for name, each in stored.items() if each.dtype == np.float16} == large


def test_runtimes_that_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference of 1e-4 writes nothing at all."""

    def wrong(network: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
        return predict_logits(network, inputs) * 1.0001 + 1e-3

    monkeypatch.setattr(export, 'predict_logits', wrong)
    with pytest.raises(ExportError, match=r'differ by up to .*; nothing was exported'):
        export_network(*made('rows'), tmp_path / 'weights', max_bytes=100_000)
    assert not (tmp_path / 'weights').exists()


def test_too_large(tmp_path: Path) -> None:
    """The message gives both sizes; nothing is written."""
    with pytest.raises(ExportError, match=r'has \d+ bytes, more than 100$'):
        export_network(*made('maps'), tmp_path / 'weights', max_bytes=100)
    assert not (tmp_path / 'weights').exists()
