"""Export of a trained network: ONNX weights, model card, manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import nn

from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.preprocessing import (
    ImagePreprocessing,
    Levels,
    get_preprocessing,
)
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.calibration import sigmoid
from astrosieve.models.cards import ModelCard
from astrosieve_training.contaminant import simulate
from astrosieve_training.contaminant.config import MULTIPLE
from astrosieve_training.contaminant.train import Run
from astrosieve_training.learn.export import (
    export_network,
    image_inputs,
    stated,
)
from astrosieve_training.learn.loop import predict_logits
from astrosieve_training.learn.parity import TOLERANCE, example_images
from astrosieve_training.learn.warm_start import begun_with

__all__ = ['MAX_BYTES', 'export_run', 'overlap_of']

MAX_BYTES = {'unet': 3_000_000, 'adass': 6_000_000}
"""Largest size of the weights, by kind of network."""

_TOLERANCES = {'unet': TOLERANCE, 'adass': 0.02}
_OVERLAPS = (128, 192, 256, 320, 384)  # pixels; beyond the last nothing is seen
_CHANGE = 8e-4  # of a probability, at most
_WHOLE = 512  # pixels of images that the overlap is measured on
_JUDGING = 4  # of them
_SIDE = 96  # pixels; another size than that of the crops learnt from


def _examples(prepare: ImagePreprocessing, n: int) -> dict[str, np.ndarray]:
    """Return inputs of all levels that there can be, some with lost rows."""
    rng = np.random.default_rng(5)
    images = example_images(rng, n, (1, _SIDE, _SIDE))[:, 0].astype(np.float32)
    images *= 10 ** rng.uniform(-1, 4, (n, 1, 1)).astype(np.float32)
    images[::5, : _SIDE // 8] = np.nan
    box = slice(0, _SIDE), slice(0, _SIDE)
    levels = [prepare.levels(MeasuredImage.of(each)) for each in images]
    return {'image': np.stack([prepare.planes(each, box) for each in levels])}


def overlap_of(network: nn.Module, prepare: ImagePreprocessing) -> int:
    """
    Return how many pixels tiles must share, for maps as of the whole image.

    The least of some with which no probability of a simulated image changes by more
    than 8e-4, where the image is cut at half as many pixels from what is looked at.
    """
    middle = slice(_WHOLE // 2 - MULTIPLE, _WHOLE // 2 + MULTIPLE)
    worst = dict.fromkeys(_OVERLAPS, 0.0)
    for seed in range(_JUDGING):
        made = simulate.simulated_image(seed, _WHOLE)
        levels = prepare.levels(MeasuredImage.of(made.sci, mask=made.masked))

        def said(box: slice, levels: Levels = levels) -> np.ndarray:
            planes = prepare.planes(levels, (box, box))[None]
            p = sigmoid(predict_logits(network, {'image': planes}))[0]
            inner = slice(middle.start - box.start, middle.stop - box.start)
            return p[:, inner, inner]

        whole = said(slice(0, _WHOLE))
        for overlap in _OVERLAPS:
            box = slice(middle.start - overlap // 2, middle.stop + overlap // 2)
            change = float(np.abs(said(box) - whole).max())
            worst[overlap] = max(worst[overlap], change)
    return next((n for n in _OVERLAPS if worst[n] <= _CHANGE), _OVERLAPS[-1])


def export_run(
    run: Run, folder: Path, *, max_bytes: int | None = None, n: int = 256
) -> tuple[ModelCard, float]:
    """
    Export a finished training.

    Parameters
    ----------
    run : `~astrosieve_training.contaminant.train.Run`
        The training.
    folder, max_bytes
        As for `~astrosieve_training.learn.export.export_network`, which also says what
        is returned and raised.
    n : int, optional
        Inputs that torch and onnxruntime are compared on.
    """
    config = run.config
    prepare = get_preprocessing(config.network.preprocessing)
    side = config.training.side
    card = ModelCard(
        **stated(config),
        task='contaminant',
        classes=CLASSES.names,
        preprocessing=config.network.preprocessing,
        inputs=image_inputs(prepare, MULTIPLE),
        sha256='',
        temperature=run.temperatures,
        class_prior=dict(zip(CLASSES.names, run.shares, strict=True)),
        operating_points=run.points,
        training_data=f'{config.training.images} simulated images of {side}x{side} '
        f'pixels{begun_with(run.summary["begun_with"])}',
        split=(
            f'by seed: {config.validation.images} images to choose the epoch, '
            f'{config.calibrating.images} to calibrate; judged on instruments that '
            'none of them has'
        ),
        activation='sigmoid',
        options={'overlap': overlap_of(run.network, prepare), **run.options},
    )
    return export_network(
        run.network,
        card,
        _examples(prepare, n),
        folder,
        max_bytes=max_bytes or MAX_BYTES[config.network.kind],
        default=config.default,
        multiple=MULTIPLE,
        half=config.network.kind == 'unet',
        tolerance=_TOLERANCES[config.network.kind],
    )
