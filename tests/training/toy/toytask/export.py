"""Export: weights, card, manifest."""

from __future__ import annotations

from pathlib import Path

from astrosieve.models.cards import ModelCard
from astrosieve.models.inputs import described_inputs
from astrosieve.models.registry import sha256_of
from astrosieve.models.session import OnnxSession
from astrosieve_training.learn.export import onnx_bytes
from astrosieve_training.learn.loop import predict_logits
from astrosieve_training.learn.parity import check_parity, parity_inputs
from astrosieve_training.learn.shipping import write_model
from toytask.preprocessing import Scaled
from toytask.train import Run

__all__ = ['export']


def export(run: Run, folder: Path) -> tuple[ModelCard, float]:
    """Write a network that onnxruntime runs as torch does."""
    config = run.config
    folder.mkdir(parents=True, exist_ok=True)
    weights = onnx_bytes(run.network, Scaled().shapes)
    inputs = parity_inputs(Scaled().shapes, 64)
    session = OnnxSession(lambda: weights, name=config.name)
    difference = check_parity(predict_logits(run.network, inputs), session.run(inputs))
    card = ModelCard(
        name=config.name,
        version=config.version,
        task='toy',
        description='Says what toy frames show.',
        classes=config.classes,
        preprocessing=Scaled.name,
        inputs=described_inputs(Scaled()),
        sha256=sha256_of(weights),
        temperature=run.temperature,
        class_prior=run.prior,
        operating_points=run.points,
        training_data=f'{config.n} simulated frames',
        split='frames of their own',
        seed=config.seed,
        licence='BSD-3-Clause',
        activation=config.activation,
    )
    write_model(folder, card, weights)
    return card, difference
