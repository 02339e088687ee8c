"""Subframes of simulated differences, upon half of which blobs are superimposed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from astrosieve.blob.preprocessing import isr2021 as preprocessing
from astrosieve.blob.preprocessing.isr2021 import ZScaleClip, standardised
from astrosieve.blob.subframes import SIDE, subframe_boxes, subframe_numbers
from astrosieve_training.blob import profiles, simulate
from astrosieve_training.blob.isr2021.config import SubframeConfig
from astrosieve_training.blob.profiles import Stamps, draw_profile, real_stamps
from astrosieve_training.simulate.fields import add_at
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest, module_of

__all__ = ['CLASSES', 'Subframes', 'drawn_subframes', 'judged_subframes']

CLASSES = ('blob', 'no_blob')
"""Outputs of the network, in order."""

_SHAPE = (1014, 1014)
_PARTS = ('training', 'validation', 'test')
_LEFT = 0.75  # share of the columns that the training sees


@dataclass(frozen=True, eq=False)
class Subframes:
    """
    Subframes as the loop asks for them.

    Parameters
    ----------
    images : (N, 256, 256) float16 `~numpy.ndarray`
        Standardised.
    target : (N,) int64 `~numpy.ndarray`
        Class numbers.
    key : str
        Hash of what they were drawn with.
    """

    images: np.ndarray
    target: np.ndarray
    key: str

    def __len__(self) -> int:
        return len(self.target)

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, None]:
        """Return some; they are the same in each epoch, as in the report."""
        image = self.images[rows].astype(np.float32)[:, None]
        return {'image': image}, self.target[rows], None


def _prepared(seed: int) -> dict[str, np.ndarray]:
    made = simulate.simulate_difference(seed, shape=_SHAPE, n_blobs=0)
    return {
        'image': ZScaleClip().prepare(made.data, made.mask).astype(np.float16),
        'grown': _grown(made),
    }


def _grown(made: simulate.SimulatedDifference) -> np.ndarray:
    """Return x, y and radius of older blobs that became deeper, (N, 3)."""
    dips = made.dips[np.asarray(made.dips['kind']) == 'grown']
    return np.column_stack([dips[name] for name in ('x', 'y', 'radius')])


def _reached(blobs: np.ndarray, x: int, y: int, radii: float = 1.0) -> bool:
    """Return whether a blob of (N, 3) reaches into the subframe at a pixel."""
    away = blobs[:, :2] - (x, y)
    reach = radii * blobs[:, 2:]
    return bool(((away > -reach) & (away < SIDE + reach)).all(axis=1).any())


def _superimposed(
    image: np.ndarray,
    largest: float,
    rng: np.random.Generator,
    config: SubframeConfig,
    stamps: Stamps | None,
) -> np.ndarray:
    """Return a subframe with blobs, clipped as its image was."""
    image = image.copy()
    for _ in range(int(rng.integers(1, config.most + 1))):
        profile = stamps.draw(rng) if stamps else draw_profile(rng)
        x, y = (int(at) for at in rng.integers(0, SIDE, 2))
        add_at(image, profile.image, x, y, times=rng.uniform(*config.strength))
    return np.minimum(image, largest)


def _drawn(
    wholes: Sequence[Mapping[str, np.ndarray]],
    columns: tuple[int, int],
    blob: bool,
    rng: np.random.Generator,
    config: SubframeConfig,
    stamps: Stamps | None,
) -> np.ndarray:
    """Return a subframe between columns, turned and flipped, with noise."""
    # An older blob that became deeper looks as a new one does: neither truth holds.
    while True:
        made = wholes[int(rng.integers(len(wholes)))]
        whole = made['image']
        y = int(rng.integers(whole.shape[0] - SIDE + 1))
        x = int(rng.integers(columns[0], columns[1] - SIDE + 1))
        if not _reached(made['grown'], x, y):
            break
    image = whole[y : y + SIDE, x : x + SIDE].astype(np.float32)
    if blob:
        image = _superimposed(image, float(whole.max()), rng, config, stamps)
    image = np.rot90(standardised(image), int(rng.integers(4)))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    image = image + np.float32(config.noise) * noise
    return image[:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]


def drawn_subframes(
    config: SubframeConfig, part: str, n: int, stages: Stages
) -> Subframes:
    """
    Draw subframes at random, every second one with blobs.

    Those into which an older blob that became deeper reaches are not drawn.

    Parameters
    ----------
    config : `~astrosieve_training.blob.isr2021.config.SubframeConfig`
        Says of which images, and how blobs and noise are drawn.
    part : {'training', 'validation', 'test'}
        The left 75 % of the images; the right 25 %; the same with the real blobs that
        are held back.
    n : int
        How many.
    stages : `~astrosieve_training.stages.Stages`
        Keeps the images.

    Returns
    -------
    subframes : `Subframes`
    """
    own = module_of(Subframes)
    version = digest(code_version(simulate, profiles, preprocessing, own))
    wholes = [
        stages.arrays(f'image-{seed}', version, partial(_prepared, seed))
        for seed in config.images.seeds
    ]
    nx = _SHAPE[1]
    middle = round(_LEFT * nx)
    training = part == 'training'
    # A quarter of the image is a little narrower than a subframe.
    columns = (0, middle) if training else (min(middle, nx - SIDE), nx)
    stamps = real_stamps('judged' if part == 'test' else 'training')
    images = np.empty((n, SIDE, SIDE), np.float16)
    for row in range(n):
        rng = np.random.default_rng([config.seed, _PARTS.index(part), row])
        images[row] = _drawn(wholes, columns, row % 2 == 0, rng, config, stamps)
    key = digest(part, n, config, code_version(module_of(Subframes)))
    return Subframes(images, np.arange(n) % 2, key)


def judged_subframes(
    config: SubframeConfig,
) -> tuple[Subframes, np.ndarray, np.ndarray]:
    """
    Return the sixteen subframes of each of the simulated images to judge by.

    Blobs are the real ones that were held back, among analytic ones. A subframe with
    the centre of a blob has one; where only the outskirts of one reach into it, it is
    left out.

    Returns
    -------
    subframes : `Subframes`
    depth : (N,) `~numpy.ndarray`
        Of the deepest blob in each; 0 where there is none.
    grown : (N,) bool `~numpy.ndarray`
        Where an older blob became deeper, and there is no new one.
    """
    boxes = subframe_boxes(_SHAPE)
    prepare, stamps = ZScaleClip(), real_stamps('judged')
    images, target, depths, grown = [], [], [], []
    for seed in config.judged.seeds:
        made = simulate.simulate_difference(seed, shape=_SHAPE, stamps=stamps)
        whole = prepare.prepare(made.data, made.mask)
        new = np.column_stack([made.blobs[name] for name in ('x', 'y', 'radius')])
        own = subframe_numbers(new[:, 0], new[:, 1], _SHAPE)
        for number, (rows, columns) in enumerate(boxes):
            at = columns.start, rows.start
            empty = not (own == number).any()
            if empty and _reached(new, *at, radii=1.5):
                continue
            images.append(standardised(whole[rows, columns]).astype(np.float16))
            target.append(int(empty))
            depths.append(max(made.blobs['depth'][own == number], default=0.0))
            grown.append(empty and _reached(_grown(made), *at))
    key = digest(config.judged, code_version(module_of(Subframes)))
    subframes = Subframes(np.stack(images), np.array(target), key)
    return subframes, np.array(depths), np.array(grown)
