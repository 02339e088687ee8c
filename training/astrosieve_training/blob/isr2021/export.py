"""Export of the report's network: ONNX weights, model card, manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astrosieve.blob.preprocessing.isr2021 import ZScaleClip
from astrosieve.models.cards import ModelCard
from astrosieve.models.inputs import described_inputs
from astrosieve_training.blob.isr2021.datasets import CLASSES
from astrosieve_training.blob.isr2021.train import SubframeRun
from astrosieve_training.learn.export import export_network, stated

__all__ = ['MAX_BYTES', 'export_subframe_run']

MAX_BYTES = 6_000_000
"""Largest size of the weights of a paper's own network."""


def export_subframe_run(
    run: SubframeRun, folder: Path, *, n: int = 200
) -> tuple[ModelCard, float]:
    """
    Export a finished training.

    Parameters
    ----------
    run : `~astrosieve_training.blob.isr2021.train.SubframeRun`
        The training.
    folder
        As for `~astrosieve_training.learn.export.export_network`, which also says what
        is returned and raised.
    n : int, optional
        Inputs that torch and onnxruntime are compared on.
    """
    config, prepare = run.config, ZScaleClip()
    card = ModelCard(
        **stated(config),
        task='blob',
        classes=CLASSES,
        preprocessing=prepare.name,
        inputs=described_inputs(prepare),
        sha256='',
        temperature=1.0,
        class_prior=dict.fromkeys(CLASSES, 0.5),
        operating_points={},
        training_data=(
            f'{run.summary["subframes"]} subframes of {config.images.images} simulated '
            'differences; upon half of them blobs were superimposed'
        ),
        split='left 75 % of the images to learn from, right 25 % to choose the epoch',
        metrics={'epochs': run.summary['epochs'], 'best': run.summary['best']},
    )
    rng = np.random.default_rng(5)
    scale = rng.uniform(0.1, 1.5, (n, 1, 1))
    shape = prepare.shapes['image'][1:]
    inputs = prepare((rng.normal(size=(n, *shape)) * scale).clip(-5, 5))
    return export_network(run.network, card, inputs, folder, max_bytes=MAX_BYTES)
