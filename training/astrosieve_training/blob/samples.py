"""Samples of images that finders are judged on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from astrosieve.blob.difference import make_difference
from astrosieve.images.dq import dq_to_mask
from astrosieve.images.instruments import WFC3_IR
from astrosieve_training.blob.config import BlobConfig, ImageSet
from astrosieve_training.blob.images import simulated_image
from astrosieve_training.blob.profiles import real_stamps
from astrosieve_training.blob.simulate import SimulatedDifference, simulate_monitor
from astrosieve_training.data_folder import data_folder

__all__ = ['HELD_BACK', 'SIMULATED', 'monitored', 'samples']

SIMULATED, HELD_BACK = 'simulated differences', 'simulated, with held-back stamps'
"""Samples that limits hold for."""

_SEQUENCES, _IMAGES = 10, 31  # of the monitor
_UNUSABLE = WFC3_IR.dq.no_signal | WFC3_IR.dq.hot | WFC3_IR.dq.saturated
_RESIDUAL = 0.03  # of the sky's structure, at most
_BRIGHT = 0.2  # of the level: what a mask of stars and galaxies takes out

Images = Callable[[], Iterator[SimulatedDifference]]


def samples(config: BlobConfig) -> dict[str, Images]:
    """
    Return what makes the images of each sample.

    Returns
    -------
    samples : dict of str to callable
        Blobs of analytic profiles and some like the real ones that were learnt from;
        the same with held-back ones; differences made of sequences of the monitor;
        real residuals of sky and galaxies. What needs the data folder
        is left out where there is none.
    """
    n, seed = config.judged.images, config.judged.seed
    found: dict[str, Images] = {
        SIMULATED: partial(_simulated, config, config.judged, 'training')
    }
    if real_stamps('judged') is not None:
        others = ImageSet(n, seed + n)
        found[HELD_BACK] = partial(_simulated, config, others, 'judged')
    found['sequences of the monitor'] = partial(_sequences, config)
    folder = data_folder()
    if folder is not None and config.shape == (1014, 1014):
        found['with real sky and galaxies'] = partial(
            _real, config, ImageSet(max(n // 2, 1), seed + 2 * n), folder
        )
    return found


def _simulated(
    config: BlobConfig, which: ImageSet, part: str
) -> Iterator[SimulatedDifference]:
    for seed in which.seeds:
        yield simulated_image(config, seed, part)


def _sequences(config: BlobConfig) -> Iterator[SimulatedDifference]:
    n = min(_SEQUENCES, config.judged.images)
    for seed in range(config.judged.seed, config.judged.seed + n):
        yield monitored(seed, config.shape)


def monitored(
    seed: int, shape: tuple[int, int], n_images: int = _IMAGES
) -> SimulatedDifference:
    """
    Return the difference of a sequence's last image, with its truth.

    New are blobs that fewer than half of the references have: the median does not.
    """
    *before, last = simulate_monitor(
        seed, n_images, shape=shape, stamps=real_stamps('judged')
    )
    masks = [dq_to_mask(each.dq, _UNUSABLE) for each in (*before, last)]
    made = make_difference(
        last.data, [each.data for each in before], mask=masks[-1],
        reference_masks=masks[:-1],
    )  # fmt: skip
    dates = np.array([each.date for each in before])
    since = np.asarray(last.blobs['since'])
    new = (since[:, None] <= dates).mean(axis=1) < 0.5
    known = _moved(last.known, last.shift)
    blobs = _moved(last.blobs[new], last.shift)
    return SimulatedDifference(made.data, made.mask, blobs, known[:0], known)


def _moved(blobs: Table, shift: tuple[float, float]) -> Table:
    moved = blobs.copy()
    moved['x'] += shift[1]
    moved['y'] += shift[0]
    return moved


def _real(
    config: BlobConfig, which: ImageSet, folder: Path
) -> Iterator[SimulatedDifference]:
    """Yield simulated differences with residuals of real sky and galaxies."""
    sky = _image(folder / 'wfc3ir_g141_master_sky.fits.gz')
    sky = sky / np.nanmedian(sky) - 1
    blots = [
        _image(path) for path in sorted(folder.glob('wfc3ir_f125w_*_blot.fits.gz'))
    ]
    for number, seed in enumerate(which.seeds):
        made = simulated_image(config, seed, 'judged')
        rng = np.random.default_rng([seed, 2])
        blot = blots[number % len(blots)]
        light = (blot - np.nanmedian(blot)) / rng.uniform(0.7, 5)
        light = np.where(np.isfinite(light), light, 0.0)
        loss = rng.uniform(-_RESIDUAL, _RESIDUAL) * np.nan_to_num(sky)
        yield replace(
            made,
            data=(made.data + loss - np.nan_to_num(light)).astype(np.float32),
            mask=made.mask | ~(np.abs(light) < _BRIGHT),
        )


def _image(path: Path) -> np.ndarray:
    with fits.open(path) as hdus:
        data = next(hdu.data for hdu in hdus if hdu.data is not None)
    return np.asarray(data, dtype=np.float32)
