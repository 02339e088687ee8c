"""
Make the golden scores of the shipped source models.

Run ``python tests/data/make_golden.py`` after new weights were exported: writes
golden-NAME-VERSION.npz, the detections of the bundled exposure and what the model
says of them. The pixels are the bundled ones, so that image, preprocessing and
network are held together by one number per class.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import astrosieve.weights
from astrosieve import load_model
from astrosieve.images.exposures import read_chips
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


def main() -> None:
    """Write a file for each source model."""
    weights = Path(astrosieve.weights.__path__[0])
    manifest = json.loads((weights / 'manifest.json').read_text(encoding='utf-8'))
    for name, entry in manifest['models'].items():
        if name.startswith('source'):
            path = FOLDER / f'golden-{name}-{entry["version"]}.npz'
            np.savez_compressed(path, probabilities=scores(name))


if __name__ == '__main__':
    main()
