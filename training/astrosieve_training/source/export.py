"""Export of a trained network: ONNX weights, model card, manifest."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from astrosieve.models.cards import ModelCard
from astrosieve.models.inputs import described_inputs
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.learn.export import export_network
from astrosieve_training.source.train.parity import inputs_of
from astrosieve_training.source.train.runs import Run, load_run

__all__ = ['MAX_BYTES', 'export_run']

MAX_BYTES = 500_000
"""Largest size of the weights of a network for sources."""


def _training_data(run: Run) -> str:
    """Say in a sentence what the network has seen."""
    config, counts = run.config, run.summary['counts']
    if 'origin' in run.summary:
        return str(run.summary['origin']['training_data'])

    def listed(numbers: dict[str, int]) -> str:
        return ', '.join(f'{n} {name}' for name, n in numbers.items())

    begun = run.summary.get('start')
    text = (
        f'{config.training.n} simulated exposures (cameras '
        f'{", ".join(config.training.cameras)}; scenes '
        f'{", ".join(dict.fromkeys(config.training.scenes))}), detections of '
        f'{", ".join(finder.label for finder in config.finders)} sigma, labels from '
        f'the truth, contested ones left out; {listed(counts["training"])}'
    )
    if 'of these real' in counts:
        text += (
            f'; of these from the left half of NGC 1261 F336W (WFPC2/PC1, one exposure '
            f'against the median of three) {listed(counts["of these real"])}'
        )
    if begun:
        text += f'; before that as {begun["name"]} {begun["version"]}'
    return text


def _split(run: Run) -> str:
    config = run.config
    if 'origin' in run.summary:
        return str(run.summary['origin']['split'])
    if config.train.split == 'cutout':
        return '80/20 per cutout, as published; exposures are shared between the halves'
    return (
        f'by exposure: {config.training.n} to train, {config.validation.n} to choose '
        f'the best epoch and run, '
        f'{config.calibrating.n} to calibrate and to set the thresholds'
    )


def _limits(trait: str, low: float, high: float) -> tuple[float, float]:
    """Return the limits of a trait as a card states them; widths outwards."""
    if trait == 'fwhm':
        return float(np.floor(low * 10) / 10), float(np.ceil(high * 10) / 10)
    return round(low, 3), round(high, 3)


def _card(run: Run) -> ModelCard:
    config, calibration = run.config, run.calibration
    origin = run.summary.get('origin', {})
    start = origin.get('start') or run.summary.get('start')
    description = origin.get('description') or config.description
    return ModelCard(
        name=config.name,
        version=config.version,
        task='source',
        description=' '.join(description.split()),
        classes=config.network.classes,
        preprocessing=config.network.preprocessing,
        inputs=described_inputs(get_preprocessing(config.network.preprocessing)),
        sha256='',
        temperature=round(calibration.temperature, 6),
        class_prior=calibration.class_prior,
        operating_points=calibration.operating_points,
        domain={
            trait: _limits(trait, low, high)
            for trait, (low, high) in run.summary['domain'].items()
        },
        training_data=_training_data(run),
        split=_split(run),
        seed=config.seed,
        licence=config.licence,
        limits=(*config.limits, *origin.get('limits', ())),
        references=config.references,
        metrics={
            'network': json.loads(json.dumps(asdict(config.network))),
            **({'start': start} if start else {}),
            'training': {
                'seconds_per_run': [
                    round(r['seconds'], 1) for r in run.summary['runs']
                ],
                'best_run': run.summary['best_run'],
                'calibration_error': list(calibration.calibration_error),
            },
        },
    )


def export_run(
    folder: Path, output: Path, *, keep: bool = False
) -> tuple[ModelCard, float]:
    """
    Export a finished training.

    Parameters
    ----------
    folder : `~pathlib.Path`
        As `~astrosieve_training.source.train.runs.train` leaves it.
    output : `~pathlib.Path`
        Folder of weights: gets NAME-VERSION.onnx, NAME-VERSION.json, and the
        model's entry in manifest.json.
    keep : bool, optional
        Whether another version of the model stays, as NAME-VERSION.

    Returns
    -------
    card : `~astrosieve.models.cards.ModelCard`
        What was written.
    difference : float
        Largest difference between torch and onnxruntime.

    Raises
    ------
    ExportError
        If torch and onnxruntime differ, or the file is too large.
    """
    import torch

    run = load_run(folder)
    last = [m for m in run.network.modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.bias.add_(torch.tensor(run.calibration.offsets))
    with np.load(folder / 'examples.npz') as examples:
        inputs = {
            name: np.concatenate([value, examples[name]])
            for name, value in inputs_of(run.config.network.preprocessing).items()
        }
    return export_network(
        run.network,
        _card(run),
        inputs,
        output,
        max_bytes=MAX_BYTES,
        default=run.config.default,
        keep=keep,
    )
