"""
Export of a trained network: ONNX weights, model card, manifest.

The exported file must give what torch gives, on thousands of cutouts of different
kinds, or there is no export.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.models.cards import ModelCard
from astrosieve.models.inputs import described_inputs
from astrosieve.models.registry import sha256_of
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.learn.export import MAX_BYTES, ExportError, onnx_bytes
from astrosieve_training.learn.parity import check_parity, parity_inputs
from astrosieve_training.learn.shipping import write_model

__all__ = ['export_run']


def _training_data(run: Any) -> str:
    """Say in a sentence what the network has seen."""
    config, counts = run.config, run.summary['counts']
    if 'origin' in run.summary:
        return str(run.summary['origin']['training_data'])

    def listed(numbers: dict[str, int]) -> str:
        return ', '.join(f'{n} {name}' for name, n in numbers.items())

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
    return text


def _shapes(config: Any) -> dict[str, tuple[int, ...]]:
    return get_preprocessing(config.network.preprocessing).shapes


def _split(run: Any) -> str:
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


def _card(run: Any, weights: bytes) -> ModelCard:
    config, calibration = run.config, run.calibration
    low, high = run.summary['fwhm_range']
    origin = run.summary.get('origin', {})
    description = origin.get('description') or config.description
    return ModelCard(
        name=config.name,
        version=config.version,
        task='source',
        description=' '.join(description.split()),
        classes=config.network.classes,
        preprocessing=config.network.preprocessing,
        inputs=described_inputs(get_preprocessing(config.network.preprocessing)),
        sha256=sha256_of(weights),
        temperature=round(calibration.temperature, 6),
        class_prior=calibration.class_prior,
        operating_points=calibration.operating_points,
        domain={
            'fwhm': (float(np.floor(low * 10) / 10), float(np.ceil(high * 10) / 10)),
            **{
                key: (round(low, 3), round(high, 3))
                for key, (low, high) in run.summary['domain'].items()
            },
        },
        training_data=_training_data(run),
        split=_split(run),
        seed=config.seed,
        licence=config.licence,
        limits=(*config.limits, *origin.get('limits', ())),
        references=config.references,
        metrics={
            'network': json.loads(json.dumps(asdict(config.network))),
            **({'start': origin['start']} if origin.get('start') else {}),
            'training': {
                'seconds_per_run': [
                    round(r['seconds'], 1) for r in run.summary['runs']
                ],
                'best_run': run.summary['best_run'],
                'calibration_error': list(calibration.calibration_error),
            },
        },
        software={
            name: version(name) for name in ('torch', 'onnx', 'onnxscript', 'numpy')
        },
    )


def export_run(
    folder: Path,
    output: Path,
    *,
    predict: Callable[[Any, dict[str, np.ndarray]], np.ndarray] | None = None,
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
    predict : callable, optional
        Gives torch's logits for a network and inputs.

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

    from astrosieve.models.session import OnnxSession
    from astrosieve_training.learn.loop import predict_logits
    from astrosieve_training.source.train.runs import load_run

    run = load_run(folder)
    shapes = _shapes(run.config)
    network = run.network
    last = [m for m in network.modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.bias.add_(torch.tensor(run.calibration.offsets))
    weights = onnx_bytes(network, shapes)
    if len(weights) > MAX_BYTES:
        msg = f'the ONNX file has {len(weights)} bytes, more than {MAX_BYTES}'
        raise ExportError(msg)
    with np.load(folder / 'examples.npz') as examples:
        made = parity_inputs(shapes)
        inputs = {
            name: np.concatenate([value, examples[name]])
            for name, value in made.items()
        }
    session = OnnxSession(lambda: weights, name=run.config.name, threads=2)
    difference = check_parity(
        (predict or predict_logits)(network, inputs),
        session.run(inputs),
    )
    card = _card(run, weights)
    metrics = {
        **card.metrics,
        'export': {
            'largest_difference': difference,
            'cutouts': len(inputs['cutouts']),
            'bytes': len(weights),
        },
    }
    card = replace(card, metrics=metrics)
    output.mkdir(parents=True, exist_ok=True)
    write_model(output, card, weights, default=run.config.default)
    return card, difference
