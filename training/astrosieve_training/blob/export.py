"""Export of a trained network: ONNX weights, model card, manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astrosieve.blob.find import OPERATING_POINT
from astrosieve.blob.marks import OUTPUTS
from astrosieve.blob.preprocessing import ImagePreprocessing, get_preprocessing
from astrosieve.models.cards import ModelCard
from astrosieve_training.blob.train import Run
from astrosieve_training.learn.export import (
    export_network,
    image_inputs,
    stated,
)

__all__ = ['MAX_BYTES', 'export_run']

MAX_BYTES = 2_500_000
"""Largest size of the weights of a network that marks blobs."""

_SIDE, _BLOCK = 144, 16  # pixels; another size than that of the windows learnt from


def _examples(prepare: ImagePreprocessing, n: int) -> dict[str, np.ndarray]:
    """Return inputs of all levels that there can be, some with lost rows."""
    rng = np.random.default_rng(5)
    scale = 10 ** rng.uniform(-1, 2, (n, 1, 1))
    signal = (rng.normal(size=(n, _SIDE, _SIDE)) * scale).astype(np.float32)
    y, x = np.mgrid[:_SIDE, :_SIDE]
    for number in range(0, n, 2):
        at, radius = rng.uniform(0, _SIDE, 2), rng.uniform(2, 15)
        away = np.hypot(x - at[0], y - at[1]) / radius
        signal[number] += scale[number] * rng.uniform(-5, 20) * np.exp(-(away**2))
    signal[::5, : _SIDE // 8] = np.nan
    return prepare(signal)


def export_run(
    run: Run, folder: Path, *, max_bytes: int = MAX_BYTES, n: int = 256
) -> tuple[ModelCard, float]:
    """
    Export a finished training.

    Parameters
    ----------
    run : `~astrosieve_training.blob.train.Run`
        The training.
    folder, max_bytes
        As for `~astrosieve_training.learn.export.export_network`, which also says what
        is returned and raised.
    n : int, optional
        Inputs that torch and onnxruntime are compared on.
    """
    config = run.config
    prepare = get_preprocessing(config.preprocessing)
    card = ModelCard(
        **stated(config),
        task='blob',
        classes=('blob',),
        preprocessing=config.preprocessing,
        inputs=image_inputs(prepare, _BLOCK),
        sha256='',
        temperature=1.0,
        class_prior={'blob': round(run.share, 6)},
        operating_points={OPERATING_POINT: run.point},
        training_data=run.summary['training_data'],
        split=(
            f'by seed: {config.validation.images} images to choose the epoch, '
            f'{config.calibrating.images} to calibrate'
        ),
        activation='sigmoid',
        options={
            'outputs': list(OUTPUTS),
            'weights': {name: round(w, 6) for name, w in run.weights.items()},
            'errors': run.errors,
            'least_depth': config.least_depth,
        },
    )
    return export_network(
        run.network,
        card,
        _examples(prepare, n),
        folder,
        max_bytes=max_bytes,
        default=config.default,
        multiple=_BLOCK,
    )
