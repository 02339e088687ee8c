"""Export of a trained network: ONNX weights, model card, manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astrosieve.models.cards import ModelCard
from astrosieve.models.inputs import described_inputs
from astrosieve.transient.preprocessing import get_preprocessing
from astrosieve_training.learn.export import export_network, stated
from astrosieve_training.learn.parity import parity_inputs
from astrosieve_training.transient.train import Run

__all__ = ['MAX_BYTES', 'export_run']

MAX_BYTES = {'stamps': 1_500_000, 'negm2021': 6_000_000}
"""Largest size of the weights, by kind of network."""


def export_run(
    run: Run, folder: Path, *, max_bytes: int | None = None, n: int = 512
) -> tuple[ModelCard, float]:
    """
    Export a finished training.

    Parameters
    ----------
    run : `~astrosieve_training.transient.train.Run`
        The training.
    folder, max_bytes
        As for `~astrosieve_training.learn.export.export_network`, which also says what
        is returned and raised.
    n : int, optional
        Inputs that torch and onnxruntime are compared on.
    """
    config, summary = run.config, run.summary
    prepare = get_preprocessing(config.preprocessing)
    counts, which = summary['counts'], config.training
    fields = which.fields + which.band_fields
    more = f', and {summary["unlabelled"]} alerts of ZTF without their labels'
    card = ModelCard(
        **stated(config),
        task='transient',
        classes=config.classes,
        preprocessing=config.preprocessing,
        inputs=described_inputs(prepare),
        sha256='',
        temperature=round(run.temperature, 6),
        class_prior=run.prior,
        operating_points=run.points,
        training_data=(
            f'{counts["training"]} candidates of {fields} simulated fields'
            + (more if summary['unlabelled'] else '')
        ),
        split=(
            f'by field: {counts["validation"]} candidates to choose the epoch, '
            f'{counts["calibrating"]} to calibrate'
        ),
        metrics={
            'calibration_error': summary['calibration_error'],
            'epochs': summary['epochs'],
            'network': {'kind': config.kind, 'dropout': config.dropout},
        },
    )

    def scaled(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        shape = prepare.shapes['stamps']
        scale = 10 ** rng.uniform(-1.5, 0.5, (n, 1, 1, 1))
        stamps = rng.normal(size=(n, *shape)) * scale
        return {'stamps': stamps.clip(-3, 4).astype(np.float32)}

    inputs = parity_inputs(prepare.shapes, scaled, n)
    return export_network(
        run.network,
        card,
        inputs,
        folder,
        max_bytes=max_bytes or MAX_BYTES[config.kind],
        default=config.default,
    )
