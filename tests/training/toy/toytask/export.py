"""Export: weights, card, manifest."""

from __future__ import annotations

from pathlib import Path

from astrosieve.models.cards import ModelCard
from astrosieve.models.inputs import described_inputs
from astrosieve_training.learn.export import export_network
from astrosieve_training.learn.parity import parity_inputs
from toytask.preprocessing import Scaled
from toytask.train import Run

__all__ = ['export']


def export(run: Run, folder: Path) -> tuple[ModelCard, float]:
    """Write a network that onnxruntime runs as torch does."""
    config = run.config
    card = ModelCard(
        name=config.name,
        version=config.version,
        task='toy',
        description='Says what toy frames show.',
        classes=config.classes,
        preprocessing=Scaled.name,
        inputs=described_inputs(Scaled()),
        sha256='',
        temperature=run.temperature,
        class_prior=run.prior,
        operating_points=run.points,
        training_data=f'{config.n} simulated frames',
        split='frames of their own',
        seed=config.seed,
        licence='BSD-3-Clause',
        activation=config.activation,
    )
    inputs = parity_inputs(Scaled().shapes, n=64)
    return export_network(run.network, card, inputs, folder, max_bytes=20_000)
