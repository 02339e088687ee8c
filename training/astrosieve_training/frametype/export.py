"""Export of a trained network: ONNX weights, model card, manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astrosieve.frametype.preprocessing import get_preprocessing
from astrosieve.models.cards import ModelCard
from astrosieve.models.inputs import described_inputs
from astrosieve_training.frametype.train import Run
from astrosieve_training.learn.export import export_network, stated
from astrosieve_training.learn.parity import TOLERANCE
from astrosieve_training.learn.warm_start import begun_with

__all__ = ['MAX_BYTES', 'export_run']

MAX_BYTES = 3_000_000
"""Largest size of the weights of a network for frames."""

_JUMP = 0.02  # of a logit, where a rounded statistic takes another branch of a tree


def _examples(shapes: dict[str, tuple[int, ...]], n: int) -> dict[str, np.ndarray]:
    """Return inputs of all levels that there can be."""
    rng = np.random.default_rng(5)
    scale = rng.uniform(0, 1.5, n)
    return {
        name: (rng.normal(size=(n, *shape)) * scale.reshape(n, *[1] * len(shape)))
        .clip(-3, 3)
        .astype(np.float32)
        for name, shape in shapes.items()
    }


def export_run(
    run: Run, folder: Path, *, max_bytes: int = MAX_BYTES, n: int = 512
) -> tuple[ModelCard, float]:
    """
    Export a finished training.

    Parameters
    ----------
    run : `~astrosieve_training.frametype.train.Run`
        The training.
    folder, max_bytes
        As for `~astrosieve_training.learn.export.export_network`, which also says what
        is returned and raised.
    n : int, optional
        Inputs that torch and onnxruntime are compared on.
    """
    config, counts = run.config, run.summary['counts']
    spectrographs = run.summary['spectrographs']
    prepare = get_preprocessing(config.preprocessing)
    real = f' and {counts["real"]} real frames' if 'real' in counts else ''
    card = ModelCard(
        **stated(config),
        task='frametype',
        classes=config.classes,
        preprocessing=config.preprocessing,
        inputs=described_inputs(prepare),
        sha256='',
        temperature=round(run.temperature, 6),
        class_prior={name: 1 / len(config.classes) for name in config.classes},
        operating_points={},
        options={'least_unknown': round(run.least, 4)},
        training_data=(
            f'{counts["training"]} frames of {spectrographs["training"]} simulated '
            f'spectrographs{real}{begun_with(run.summary["begun_with"])}'
        ),
        split=(
            f'by spectrograph: {spectrographs["validation"]} to choose the epoch, '
            f'{spectrographs["calibrating"]} to calibrate'
        ),
        metrics={'calibration_error': run.summary['calibration_error']},
    )
    inputs = _examples(prepare.shapes, n)
    return export_network(
        run.network,
        card,
        inputs,
        folder,
        max_bytes=max_bytes,
        default=config.default,
        tolerance=_JUMP if config.trees.rounds else TOLERANCE,
    )
