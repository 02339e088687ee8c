"""
Run another network: a script for its own environment, which has nothing of ours.

    python running.py NAME

Reads lines of standard input, the names of two files: an ``.npz`` with ``image``, and
one to write, with a map for each class. Says 'done' after each.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

_Run = Callable[[np.ndarray], dict[str, np.ndarray]]

_MAXIMASK = {
    'cosmic_ray': 'CR',
    'hot_pixel': 'HP',
    'bad_pixel': 'DP',
    'hot_column': 'HCL',
    'bad_column': 'DCL',
    'bad_row': 'DCL',
    'persistence': 'P',
    'satellite_trail': 'TRL',
    'fringe': 'FR',
    'saturation': 'SAT',
    'bleed': 'SAT',
    'spike': 'SP',
    'nebulosity': 'NEB',
}


def _deepcr(weights: str) -> _Run:
    from deepCR import deepCR

    network = deepCR(mask=weights, inpaint=None, device='CPU')
    return lambda image: {
        'cosmic_ray': network.clean(image, inpaint=False, binary=False)
    }


def _cosmic_conn() -> _Run:
    from cosmic_conn import init_model

    network = init_model('ground_imaging')
    return lambda image: {'cosmic_ray': network.detect_cr(image, ret_numpy=True)}


def _maximask() -> _Run:
    from pathlib import Path

    import maximask_and_maxitrack.maximask as package
    import tensorflow
    from maximask_and_maxitrack import utils
    from maximask_and_maxitrack.maximask.maximask import MaxiMask_inference

    own = MaxiMask_inference
    folder = str(Path(package.__file__).parent / 'model')
    network = tensorflow.saved_model.load(folder)
    flags = np.ones(own.nb_classes, bool)
    priors = own.tr_priors.astype(np.float32)
    run = own('', folder, flags, priors, None, False, 2)

    def maps(image: np.ndarray) -> dict[str, np.ndarray]:
        missing = [(0, max(own.im_size - n, 0)) for n in image.shape]
        whole = np.pad(image, missing, mode='symmetric')
        normal, _ = utils.image_norm(whole)
        found = np.zeros((*whole.shape, own.nb_classes), np.float32)
        run.process_image(normal, found, network)
        ny, nx = image.shape
        planes = np.moveaxis(found[:ny, :nx], 2, 0)
        named = dict(zip(own.class_abbr, planes, strict=True))
        told = {name: named[short] for name, short in _MAXIMASK.items()}
        return {**told, 'object': 1 - named['BG']}

    return maps


_NETWORKS: dict[str, Callable[[], _Run]] = {
    'deepcr-acs': lambda: _deepcr('ACS-WFC'),
    'deepcr-decam': lambda: _deepcr('decam'),
    'cosmic-conn': _cosmic_conn,
    'maximask': _maximask,
}


def main() -> None:
    """Run the network on whatever is asked for."""
    out, sys.stdout = sys.stdout, sys.stderr  # libraries say this and that
    run = _NETWORKS[sys.argv[1]]()
    for line in sys.stdin:
        source, target = line.rstrip('\n').split('\t')
        with np.load(source) as given:
            maps = run(given['image'])
        half = {name: each.astype(np.float16) for name, each in maps.items()}
        np.savez(target, **half)  # type: ignore[arg-type]
        print('done', file=out, flush=True)


if __name__ == '__main__':
    main()
