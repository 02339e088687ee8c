"""Simulated images to learn from: the sources of each, and what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from astrosieve.contaminant.classes import FAILURES
from astrosieve.contaminant.verdict import preprocessing
from astrosieve.contaminant.verdict.preprocessing import (
    SCALES,
    Found,
    Sources,
    network_inputs,
)
from astrosieve.images.measured import MeasuredImage
from astrosieve_training.contaminant import simulate
from astrosieve_training.contaminant.simulate import SimulatedImage
from astrosieve_training.contaminant.verdict.config import ImageSet, VerdictConfig
from astrosieve_training.data_folder import data_folder
from astrosieve_training.learn.augment import turned
from astrosieve_training.learn.examples import arrays_key
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest

__all__ = ['ENOUGH', 'Judgeable', 'judged_image', 'simulated_sources']

ENOUGH = 5, 30.0
"""Stars of that S/N that an image must have, to be told what went wrong with it."""

_SEEN = 7.0  # S/N; without any star of that an image has none
_PACK = 16  # images of a file
_NAME = 'U32'  # of a family of instruments, whatever those of a pack are
_FOUND = tuple(each.name for each in fields(Found))


@dataclass(frozen=True)
class Judgeable:
    """
    Images as the loop asks for them.

    Parameters
    ----------
    found : dict of str to `~numpy.ndarray`
        Arrays of `~astrosieve.contaminant.verdict.preprocessing.Found`, of N rows.
    failed : (N, failures) bool `~numpy.ndarray`
        What went wrong.
    stars : (N,) int `~numpy.ndarray`
        Stars of enough S/N.
    starless : (N,) bool `~numpy.ndarray`
        Whether there is no star to be seen at all.
    family : (N,) str `~numpy.ndarray`
        Of the instrument.
    fwhm : (N,) float `~numpy.ndarray`
        Of stars, without what went wrong, pixels.
    shown : int
        Cutouts of each scale that are handed out with a generator.
    measured : (N, F) `~numpy.ndarray` or None
        What else was measured.
    """

    found: dict[str, np.ndarray]
    failed: np.ndarray
    stars: np.ndarray
    starless: np.ndarray
    family: np.ndarray
    fwhm: np.ndarray
    shown: int
    measured: np.ndarray | None = None

    @cached_property
    def key(self) -> str:
        """Hash of what is handed out."""
        arrays = {**self.found, 'failed': self.failed, 'stars': self.stars}
        return digest(arrays_key(arrays), self.shown)

    @property
    def enough(self) -> np.ndarray:
        """Which have stars enough to be told what went wrong."""
        return np.asarray(self.stars >= ENOUGH[0])

    @property
    def target(self) -> np.ndarray:
        """Truth of each verdict, (N, C) float32."""
        return np.column_stack([self.failed, self.starless]).astype(np.float32)

    @property
    def weight(self) -> np.ndarray:
        """How much each truth counts, 0 for what nobody can tell, (N, C) float32."""
        told = np.repeat(self.stars[:, None] > 0, self.failed.shape[1], axis=1)
        clear = self.enough | self.starless
        return np.column_stack([told, clear]).astype(np.float32)

    def __len__(self) -> int:
        return len(self.stars)

    def inputs(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the network sees of some images."""
        some: Any = SimpleNamespace(**{n: v[rows] for n, v in self.found.items()})
        return network_inputs(some)

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Return images; with a generator turned, and of each scale a few cutouts."""
        if rng is None:
            return self.inputs(rows), self.target[rows], self.weight[rows]
        n, some = len(SCALES), dict(self.found)
        kept = np.sort(rng.permuted(
            np.tile(np.arange(some['signals'].shape[2]), (len(rows), n, 1)), axis=2
        )[..., : self.shown], axis=2)  # fmt: skip
        for name in ('cutouts', 'signals'):
            each = some[name][rows]
            places = kept.reshape(*kept.shape, *[1] * (each.ndim - 3))
            some[name] = np.take_along_axis(each, places, axis=2)
        some |= {name: some[name][rows] for name in ('stacks', 'counts')}
        inputs = network_inputs(SimpleNamespace(**some))  # type: ignore[arg-type]
        cutouts = inputs['cutouts']
        flat = cutouts.reshape(len(rows), -1, *cutouts.shape[3:])
        flipped = turned({**inputs, 'cutouts': flat}, rng)
        flipped['cutouts'] = flipped['cutouts'].reshape(cutouts.shape)
        return flipped, self.target[rows], self.weight[rows]


def judged_image(
    config: VerdictConfig, sides: Sequence[int], seed: int, *, judged: bool = False
) -> SimulatedImage:
    """
    Make an image.

    Parameters
    ----------
    config : `~astrosieve_training.contaminant.verdict.config.VerdictConfig`
        Says how often images fail.
    sides : sequence of int
        Pixels along the sides of images, which take turns.
    seed : int
        Decides everything.
    judged : bool, optional
        Whether of a family that is kept for judging; these take turns.
    """
    families = simulate.JUDGED_FAMILIES
    side = sides[seed // len(families) % len(sides)]
    settings = simulate.SimulationSettings(
        (side, side),
        clean=config.clean,
        failed=config.failed,
        harmless=config.harmless,
        moving=config.moving,
    )
    family = families[seed % len(families)] if judged else None
    return simulate.make_image(seed, settings, family)


def simulated_sources(
    config: VerdictConfig,
    sets: Mapping[str, ImageSet],
    stages: Stages,
    *,
    judged: bool = False,
    measure: Callable[[MeasuredImage], np.ndarray] | None = None,
    jobs: int = 1,
) -> Judgeable:
    """
    Return the sources of simulated images.

    Parameters
    ----------
    config : `~astrosieve_training.contaminant.verdict.config.VerdictConfig`
        Says what images are like.
    sets : mapping of str to `~astrosieve_training.contaminant.verdict.config.ImageSet`
        Says which, by the name under which they are kept.
    stages : `~astrosieve_training.stages.Stages`
        Keeps them.
    judged : bool, optional
        Whether of a family of instruments that is kept for judging.
    measure : callable, optional
        What else is measured of each image.
    jobs : int, optional
        Processes; -1 for as many as there are cores.
    """
    work = [
        delayed(stages.arrays)(
            f'{name}-{seeds[0]}-{len(seeds)}',
            _key(config, which, judged, measure),
            partial(_made, config, which.sides, list(seeds), judged, measure),
        )
        for name, which in sets.items()
        for n in range(0, which.images, _PACK)
        for seeds in [which.seeds[n : n + _PACK]]
    ]
    arrays: dict[str, np.ndarray] = {}
    total, first = sum(which.images for which in sets.values()), 0
    for part in Parallel(n_jobs=jobs, return_as='generator')(work):
        last = first + len(part['stars'])
        for name, values in part.items():
            if name not in arrays:  # all at once would be there twice
                kind = _NAME if values.dtype.kind == 'U' else values.dtype
                arrays[name] = np.empty((total, *values.shape[1:]), kind)
            arrays[name][first:last] = values
        first = last
    found = {each: arrays.pop(each) for each in _FOUND}
    return Judgeable(found, **arrays, shown=config.shown)


def _key(
    config: VerdictConfig,
    which: ImageSet,
    judged: bool,
    measure: Callable[[MeasuredImage], np.ndarray] | None,
) -> str:
    """Return what tells the sources of images from those of others."""
    real = data_folder() is not None  # whose pixels are in the images
    like = (which.sides, config.clean, config.failed, config.harmless, config.moving)
    code = [simulate, preprocessing]
    if measure is not None:
        code.append(import_module(measure.__module__))
    return digest(like, judged, real, code_version(*code))


def _made(
    config: VerdictConfig,
    sides: Sequence[int],
    seeds: Sequence[int],
    judged: bool,
    measure: Callable[[MeasuredImage], np.ndarray] | None,
) -> dict[str, np.ndarray]:
    """Return the sources of images, and their truth."""
    prepare = Sources()
    rows: list[dict[str, Any]] = []
    for seed in seeds:
        made = judged_image(config, sides, seed, judged=judged)
        image = MeasuredImage.of(made.sci, mask=made.masked)
        found = prepare.find(image)
        more = {} if measure is None else {'measured': measure(image)}
        signals = np.array(made.meta['stars'])
        rows.append(
            {
                **{n: getattr(found, n).astype(np.float16) for n in _FOUND},
                'failed': [name in made.meta['failures'] for name in FAILURES],
                'stars': int((signals >= ENOUGH[1]).sum()),
                'starless': not (signals >= _SEEN).any(),
                'family': made.meta['family'],
                'fwhm': made.meta['fwhm'],
                **more,
            }
        )
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
