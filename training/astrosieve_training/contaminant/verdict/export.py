"""Export of the network that judges whole images: ONNX weights, card, manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astrosieve.contaminant.verdict.judge import OPERATING_POINT, TASK, VERDICTS
from astrosieve.contaminant.verdict.preprocessing import (
    CUTOUTS,
    SCALES,
    SIZE,
    STACKS,
    Found,
    Sources,
    network_inputs,
)
from astrosieve.models.cards import ModelCard
from astrosieve.models.inputs import described_inputs
from astrosieve_training.contaminant.verdict.config import ImageSet
from astrosieve_training.contaminant.verdict.datasets import ENOUGH
from astrosieve_training.contaminant.verdict.train import VerdictRun
from astrosieve_training.learn.export import export_network, stated
from astrosieve_training.learn.parity import example_images

__all__ = ['MAX_BYTES', 'export_run']

MAX_BYTES = 1_000_000
"""Largest size of the weights."""


def _examples(n: int) -> dict[str, np.ndarray]:
    """Return inputs of sources of all kinds, some of which are not there."""
    rng = np.random.default_rng(5)
    scales = len(SCALES)
    cutouts = example_images(rng, n * scales * CUTOUTS, (1, SIZE, SIZE))
    cutouts = cutouts.reshape(n, scales, CUTOUTS, SIZE, SIZE).astype(np.float32)
    cutouts *= 10 ** rng.uniform(0, 4, (n, scales, CUTOUTS, 1, 1)).astype(np.float32)
    signals = 10 ** rng.uniform(1, 4, (n, scales, CUTOUTS))
    signals[rng.random(signals.shape) < rng.random((n, scales, 1))] = 0
    stacks = example_images(rng, n * scales, (STACKS, SIZE, SIZE))
    counts = 10 ** rng.uniform(0, 4, (n, scales, 2))
    shape = (n, scales, STACKS, SIZE, SIZE)
    return network_inputs(Found(cutouts, signals, stacks.reshape(shape), counts))


def export_run(
    run: VerdictRun, folder: Path, *, n: int = 200
) -> tuple[ModelCard, float]:
    """
    Export a finished training.

    Parameters
    ----------
    run : `~astrosieve_training.contaminant.verdict.train.VerdictRun`
        The training.
    folder
        As for `~astrosieve_training.learn.export.export_network`, which also says what
        is returned and raised.
    n : int, optional
        Inputs that torch and onnxruntime are compared on.
    """
    config, prepare = run.config, Sources()
    number, signal = ENOUGH
    card = ModelCard(
        **stated(config),
        task=TASK,
        classes=VERDICTS,
        preprocessing=prepare.name,
        inputs=described_inputs(prepare),
        sha256='',
        temperature=run.temperatures,
        class_prior=dict.fromkeys(VERDICTS, config.shares),
        operating_points={OPERATING_POINT: run.point},
        training_data=(
            f'{_described(config.training)}, and {_described(config.small)}, all '
            f'simulated, of which {config.failed:.0%} failed; '
            f'told are those with {number} stars of S/N {signal:g} or more'
        ),
        split=(
            f'by seed: {config.validation.images} images to choose the epoch, '
            f'{config.calibrating.images} to calibrate; judged on instruments that '
            'none of them has'
        ),
        activation='sigmoid',
    )
    return export_network(run.network, card, _examples(n), folder, max_bytes=MAX_BYTES)


def _described(images: ImageSet) -> str:
    """Return in words how many images there are, and of which size."""
    sides = images.sides
    return f'{images.images} images of {min(sides)} to {max(sides)} pixels a side'
