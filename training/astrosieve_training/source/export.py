"""
Export of a trained network: ONNX weights, model card, manifest.

The exported file must give what torch gives, on thousands of cutouts of different
kinds, or there is no export.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError, OutputError
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import sha256_of
from astrosieve.source.preprocessing import get_preprocessing

__all__ = [
    'MAX_BYTES',
    'TOLERANCE',
    'ExportError',
    'check_parity',
    'export_run',
    'parity_inputs',
    'read_manifest',
    'write_model',
]

TOLERANCE = 1e-5
"""Largest difference between torch and onnxruntime, of each row's largest logit."""

MAX_BYTES = 500_000
"""Largest size of the weights of a network for sources."""


class ExportError(AstrosieveError, RuntimeError):
    """The exported network is not the trained one, or too large."""


def parity_inputs(
    shapes: Mapping[str, tuple[int, ...]], n: int = 2048, *, seed: int = 0
) -> dict[str, np.ndarray]:
    """
    Return inputs of different kinds, to compare two runtimes on.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Shape of a row of each input, as the preprocessing states them.
    n : int, optional
        How many rows.
    seed : int, optional
        Of what is random in them.

    Returns
    -------
    inputs : dict of str to float32 `~numpy.ndarray`
        Images (1, size, size) in [0, 1]: flat ones, noise, stars of all widths,
        tracks, single pixels, images with half their pixels filled; up to ten
        thousand times as bright where there is more than one image, as these are
        in units of the noise. Single numbers are widths of the PSF.
    """
    rng = np.random.default_rng(seed)
    images = [name for name, shape in shapes.items() if len(shape) == 3]
    brightness = 10 ** rng.uniform(0, 4, n) if len(images) > 1 else np.ones(n)
    inputs = {}
    for name, shape in shapes.items():
        if name in images:
            pixels = _parity_images(shape[-1], n, rng)
            inputs[name] = (pixels * brightness[:, None, None, None]).astype(np.float32)
        else:
            inputs[name] = rng.uniform(1.2, 5, (n, *shape)).astype(np.float32)
    return inputs


def _parity_images(size: int, n: int, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    cutouts = np.empty((n, 1, size, size))
    for i in range(n):
        kind = i % 6
        image = rng.normal(0.1, 0.05, (size, size))
        if kind == 0:
            image = np.full((size, size), rng.random())
        elif kind == 1:
            image = rng.random((size, size))
        elif kind in (2, 5):
            dx, dy = rng.uniform(-0.5, 0.5, 2)
            sigma = rng.uniform(0.4, 3)
            image += np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / (2 * sigma**2))
        elif kind == 3:
            angle = rng.uniform(0, np.pi)
            distance = np.abs(x * np.sin(angle) - y * np.cos(angle))
            image += rng.random() * (distance < rng.uniform(0.4, 1.5))
        else:
            image[size // 2, size // 2] += rng.random()
        if kind == 5:
            image[:, : size // 2] = 0.1
        cutouts[i, 0] = image.clip(0, 1)
    return cutouts


def check_parity(
    expected: np.ndarray, actual: np.ndarray, *, tolerance: float = TOLERANCE
) -> float:
    """
    Compare the outputs of two runtimes.

    Parameters
    ----------
    expected, actual : (N, C) `~numpy.ndarray`
        Logits.
    tolerance : float, optional
        Largest difference that passes.

    Returns
    -------
    difference : float
        The largest, in units of the row's largest logit where that is above 1.

    Raises
    ------
    ExportError
        If they differ by more, in shape, or are not finite.
    """
    if expected.shape != actual.shape:
        msg = f'torch gives {expected.shape} logits, onnxruntime {actual.shape}'
        raise ExportError(msg)
    scale = np.abs(expected).max(axis=1, initial=1.0, keepdims=True)
    difference = float((np.abs(expected - actual) / scale).max(initial=0.0))
    if not difference <= tolerance:
        msg = (
            f'torch and onnxruntime differ by up to {difference:.3g} on '
            f'{len(expected)} cutouts, more than {tolerance:g}; nothing was exported. '
            'Try other versions of torch, onnxscript and onnxruntime'
        )
        raise ExportError(msg)
    return difference


def _onnx_bytes(network: Any, shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """Return a network as ONNX."""
    import torch

    buffer = io.BytesIO()
    examples = tuple(torch.ones(2, *shape) for shape in shapes.values())
    rows = torch.export.Dim('n', min=1)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter('ignore')
        logging.getLogger('torch.onnx').setLevel(logging.ERROR)
        program = torch.onnx.export(
            network.eval(),
            examples,
            dynamo=True,
            dynamic_shapes=tuple({0: rows} for _ in shapes),
            input_names=list(shapes),
            output_names=['logits'],
            external_data=False,
        )
    if program is None:
        msg = 'torch.onnx.export gave nothing; try another version of torch'
        raise ExportError(msg)
    model = program.model_proto
    for node in [model, model.graph, *model.graph.node]:
        # Where it was traced is of no use to anybody, and half of the file.
        node.doc_string = ''
        del node.metadata_props[:]
    for value in [*model.graph.value_info, *model.graph.initializer]:
        del value.metadata_props[:]
    buffer.write(model.SerializeToString())
    return buffer.getvalue()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder of weights; an empty one if there is none."""
    path = folder / 'manifest.json'
    if not path.is_file():
        return {'models': {}, 'aliases': {}}
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        msg = f'{path}: not a manifest ({error}); take it away and export again'
        raise OutputError(msg) from error
    return manifest


def write_model(
    folder: Path,
    card: ModelCard,
    weights: bytes | None = None,
    *,
    default: bool = False,
) -> None:
    """
    Write a card, its weights, and renew the manifest.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Folder of weights.
    card : `~astrosieve.models.cards.ModelCard`
        The card; its ``sha256`` must be that of the weights.
    weights : bytes, optional
        ONNX file; without it the one that is there stays.
    default : bool, optional
        Whether the task's name means this model from now on; the first of a task
        is meant anyway.
    """
    stem = f'{card.name}-{card.version}'
    manifest = read_manifest(folder)
    if weights is not None:
        if sha256_of(weights) != card.sha256:
            msg = f'the card of {card.name} names another SHA-256 than its weights have'
            raise ExportError(msg)
        with atomic_path(folder / f'{stem}.onnx', overwrite=True) as temporary:
            temporary.write_bytes(weights)
    text = card.to_json()
    with atomic_path(folder / f'{stem}.json', overwrite=True) as temporary:
        temporary.write_text(text, encoding='utf-8')
    old = manifest['models'].get(card.name)
    manifest['models'][card.name] = {
        'version': card.version,
        'weights': f'{stem}.onnx',
        'card': f'{stem}.json',
        'sha256': card.sha256,
        'card_sha256': sha256_of(text.encode()),
    }
    if default or card.task not in manifest['aliases']:
        manifest['aliases'][card.task] = card.name
    with atomic_path(folder / 'manifest.json', overwrite=True) as temporary:
        temporary.write_text(json.dumps(manifest, indent=2) + '\n', encoding='utf-8')
    if old and old['version'] != card.version:
        for key in ('weights', 'card'):
            (folder / old[key]).unlink(missing_ok=True)


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


_MEANINGS = {
    'cutouts': 'pixels about the detection',
    'wide': 'means of 3x3 pixels about the detection',
    'far': 'means of 9x9 pixels about the detection',
    'fwhm': 'FWHM of the PSF, pixels',
}


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
        inputs={
            name: {
                'shape': ['n', *shape],
                'dtype': 'float32',
                'meaning': _MEANINGS[name],
            }
            for name, shape in _shapes(config).items()
        },
        sha256=sha256_of(weights),
        temperature=round(calibration.temperature, 6),
        class_prior=calibration.class_prior,
        operating_points=calibration.operating_points,
        fwhm_range=(float(np.floor(low * 10) / 10), float(np.ceil(high * 10) / 10)),
        domain={
            key: (round(low, 3), round(high, 3))
            for key, (low, high) in run.summary['domain'].items()
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
    from astrosieve_training.source.train.runs import load_run, predict_logits

    run = load_run(folder)
    shapes = _shapes(run.config)
    network = run.network
    last = [m for m in network.modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.bias.add_(torch.tensor(run.calibration.offsets))
    weights = _onnx_bytes(network, shapes)
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
