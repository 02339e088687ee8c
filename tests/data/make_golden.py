"""
Make the golden scores of the shipped models.

Run ``python tests/data/make_golden.py`` after new weights were exported: writes
golden-NAME-VERSION.npz, the detections of the bundled exposure and what the model
says of them. The pixels are the bundled ones, so that image, preprocessing and
network are held together by one number per class. Of a model that marks blobs it is
the table of a difference that is drawn here, of one that tells subframes apart the
probabilities of its subframes, of one that types frames the probabilities of frames
that are drawn here, of one that judges whole images those of the exposure, and of it
drawn out and doubled.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import astrosieve.weights
from astrosieve import classify_frame, load_model
from astrosieve.blob import find_blobs
from astrosieve.blob.score import score_subframes
from astrosieve.contaminant.verdict.judge import VERDICTS, verdict_of
from astrosieve.images.exposures import read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.source.classify import classify_sources
from astrosieve.source.demo import demo_exposure, demo_truth

FOLDER = Path(__file__).parent


def scores(name: str) -> np.ndarray:
    """Return (N, C) probabilities of the demo's detections."""
    chip = next(read_chips(demo_exposure()))
    model = load_model(name)
    table = classify_sources(
        chip.sci, demo_truth(), dq=chip.dq, unit='electron', model=model
    )
    return np.column_stack([table[f'p_{each}'] for each in model.card.classes])


def difference() -> np.ndarray:
    """Return a difference with blobs of 4 to 25 %, and one that is filled."""
    rng = np.random.default_rng(2021)
    y, x = np.mgrid[:384, :320]
    data = rng.normal(0.002, 0.01, x.shape) + 2e-5 * x
    for number, depth in enumerate((0.04, 0.06, 0.1, 0.15, 0.2, 0.25)):
        at_x, at_y = 60 + 100 * (number % 3), 80 + 170 * (number // 3)
        away = np.hypot(x - at_x - 0.3 * number, y - at_y) / (3 + number)
        data += depth * np.exp2(-(away ** (2 + number % 3)))
    return data.astype(np.float32)


def blobs(name: str) -> np.ndarray:
    """Return what a model says of the difference, (N, 5)."""
    table = find_blobs(difference(), model=name)
    return np.column_stack([table[n] for n in ('x', 'y', 'radius', 'depth', 'p_blob')])


def subframes(name: str) -> np.ndarray:
    """Return what a model says of the subframes of the difference, (4,)."""
    return np.asarray(score_subframes(difference(), model=name)['p_blob'])


def frames() -> dict[str, np.ndarray]:
    """Return frames of a long slit dispersed along x, ADU, that are easily told."""
    rng = np.random.default_rng(2018)
    y, x = np.mgrid[:400, :900]
    slit = 0.5 * (np.tanh((y - 40.5) / 2) - np.tanh((y - 360.5) / 2))
    wave = np.exp(-(((x - 480) / 330) ** 2))
    lines = rng.uniform(30, 870, 45)
    bright = rng.lognormal(0, 1.2, 45)
    arc = sum(
        b * np.exp(-0.5 * ((x - at - 0.01 * (y - 200)) / 1.5) ** 2)
        for at, b in zip(lines, bright, strict=True)
    )
    star = np.exp(-0.5 * ((y - 210 - 0.004 * x) / 2.5) ** 2)
    light = {
        'bias': np.zeros(x.shape),
        'flat': 30_000 * slit * wave,
        'arc': 4000 * slit * wave * arc,
        'standard': 20_000 * wave * star + 10 * slit,
    }
    return {
        name: (1000 + rng.normal(each / 1.5, np.sqrt(each / 2 + 12))).astype(np.float32)
        for name, each in light.items()
    }


def types(name: str) -> np.ndarray:
    """Return what a model says of the frames, (4, C)."""
    found = [classify_frame(each, model=name) for each in frames().values()]
    return np.array([list(each.probabilities.values()) for each in found])


def exposures() -> list[np.ndarray]:
    """Return the demo's exposure, and as it were drawn out, and doubled."""
    sci = next(read_chips(demo_exposure())).sci
    steps = [np.roll(sci, (step, 2 * step), (0, 1)) for step in range(-4, 5)]
    return [sci, np.mean(steps, axis=0), sci + 0.6 * np.roll(sci, (9, -7), (0, 1))]


def verdicts(name: str) -> np.ndarray:
    """Return what a model says of the exposures, (3, C)."""
    model = load_model(name)
    found = [verdict_of(MeasuredImage.of(each), model) for each in exposures()]
    return np.array([[each.probabilities[n] for n in VERDICTS] for each in found])


def main() -> None:
    """Write a file for each model."""
    weights = Path(astrosieve.weights.__path__[0])
    manifest = json.loads((weights / 'manifest.json').read_text(encoding='utf-8'))
    for name in manifest['models']:
        card = load_model(name).card
        if card.task == 'source':
            arrays = {'probabilities': scores(name)}
        elif card.task == 'frametype':
            arrays = {'probabilities': types(name)}
        elif card.task == 'verdict':
            arrays = {'probabilities': verdicts(name)}
        elif 'outputs' in card.options:
            arrays = {'blobs': blobs(name)}
        elif card.task == 'blob':
            arrays = {'probabilities': subframes(name)}
        else:
            continue
        path = FOLDER / f'golden-{card.name}-{card.version}.npz'
        np.savez_compressed(path, **arrays)


if __name__ == '__main__':
    main()
