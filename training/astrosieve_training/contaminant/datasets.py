"""Simulated images to learn from, each kept with its truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from joblib import Parallel, delayed

from astrosieve.contaminant import preprocessing as preprocessings
from astrosieve.contaminant.classes import CLASSES
from astrosieve.contaminant.preprocessing import get_preprocessing
from astrosieve.images.measured import MeasuredImage
from astrosieve_training.contaminant import simulate
from astrosieve_training.contaminant.config import ContaminantConfig, ImageSet
from astrosieve_training.data_folder import data_folder
from astrosieve_training.learn.examples import arrays_key
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest

__all__ = ['Images', 'packed', 'simulated_images', 'unpacked']

_PACK = 16  # images of a file
_LINES = sum(
    1 << CLASSES.names.index(name) for name in ('hot_column', 'bad_column', 'bad_row')
)
_BLUR = np.array([1, 2, 1]) / 4  # a Gaussian over three pixels


def packed(maps: np.ndarray) -> np.ndarray:
    """Return maps (C, ny, nx) of true and false as bits of (ny, nx) integers."""
    bits = (1 << np.arange(len(maps))).astype(np.uint16)
    return np.einsum('c,cyx->yx', bits, maps.astype(np.uint16))


def unpacked(bits: np.ndarray, n: int = len(CLASSES)) -> np.ndarray:
    """Return bits (N, ny, nx) as maps (N, n, ny, nx) of true and false."""
    return (bits[:, None] >> np.arange(n, dtype=np.uint16)[:, None, None]) & 1 > 0


@dataclass(frozen=True)
class Images:
    """
    Images as the loop asks for them.

    Parameters
    ----------
    planes : (N, C, ny, nx) float16 `~numpy.ndarray`
        As the preprocessing makes them.
    truth, ignore : (N, ny, nx) uint16 `~numpy.ndarray`
        Bits of the classes that a pixel has, and of those that it counts nothing for.
    crop : int
        Pixels along a side of what is handed out.
    by_pixel : bool
        Whether a pixel counts as much as the inverse shares of its classes.
    """

    planes: np.ndarray
    truth: np.ndarray
    ignore: np.ndarray
    crop: int
    by_pixel: bool = False

    @cached_property
    def key(self) -> str:
        """Hash of what is handed out."""
        some = self.planes[..., ::16, ::16]  # a copy of all would double the memory
        arrays = {'truth': self.truth, 'ignore': self.ignore, 'planes': some}
        return digest(arrays_key(arrays), self.crop, self.by_pixel)

    @cached_property
    def shares(self) -> np.ndarray:
        """Return the share of pixels that each class has, and that have none."""
        counts = np.zeros(len(CLASSES) + 1)
        known = np.zeros(len(CLASSES) + 1)
        for truth, ignore in zip(self.truth, self.ignore, strict=True):
            for number in range(len(CLASSES)):
                counted = (ignore >> number) & 1 == 0
                known[number] += counted.sum()
                counts[number] += ((truth >> number) & 1 > 0)[counted].sum()
            known[-1] += truth.size
            counts[-1] += (truth == 0).sum()
        return np.clip(counts / np.maximum(known, 1), 1e-6, 1 - 1e-6)

    def __len__(self) -> int:
        return len(self.planes)

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Return crops, flipped at random; without a generator those of the middle."""
        crops = [self._crop(row, rng) for row in rows.tolist()]
        planes, truth, ignore = (np.stack(each) for each in zip(*crops, strict=True))
        maps = unpacked(truth)
        weight = (~unpacked(ignore)).astype(np.float32)
        if self.by_pixel:
            weight *= self._counts(maps)
        return {'image': planes.astype(np.float32)}, maps.astype(np.float32), weight

    def _crop(self, row: int, rng: np.random.Generator | None) -> list[np.ndarray]:
        """
        Return planes, truth and what to ignore of a part of an image.

        Of two parts it is the one with more classes, so that rare ones are seen more.
        """
        left = [n - self.crop for n in self.truth.shape[1:]]
        places = [[n // 2 for n in left]]
        if rng is not None:
            places = [[int(rng.integers(n + 1)) for n in left] for _ in range(2)]
        boxes = [tuple(slice(n, n + self.crop) for n in each) for each in places]
        box = max(boxes, key=lambda each: self._variety(row, each))
        parts = [
            each[row][..., *box] for each in (self.planes, self.truth, self.ignore)
        ]
        if rng is None:
            return parts
        flips = tuple(slice(None, None, int(rng.choice((-1, 1)))) for _ in range(2))
        parts = [each[..., *flips] for each in parts]
        turned = rng.random() < 0.5 and not ((parts[1] | parts[2]) & _LINES).any()
        return [each.swapaxes(-2, -1) for each in parts] if turned else parts

    def _variety(self, row: int, box: tuple[slice, ...]) -> int:
        """Return how many classes a part of an image has."""
        some = self.truth[row][box][::4, ::4]
        return int(np.bitwise_or.reduce(some, axis=None)).bit_count()

    def _counts(self, maps: np.ndarray) -> np.ndarray:
        """Return how much pixels count, (N, 1, ny, nx)."""
        from scipy.ndimage import convolve1d

        rare = np.einsum('ncyx,c->nyx', maps, 1 / self.shares[:-1])
        rare[~maps.any(1)] = 1 / self.shares[-1]
        for axis in (1, 2):
            rare = convolve1d(rare, _BLUR, axis=axis, mode='nearest')
        return rare[:, None].astype(np.float32)


def simulated_images(
    config: ContaminantConfig,
    which: ImageSet,
    stages: Stages,
    name: str,
    *,
    judged: bool = False,
    jobs: int = -1,
) -> Images:
    """
    Return simulated images.

    Parameters
    ----------
    config : `~astrosieve_training.contaminant.config.ContaminantConfig`
        Says preprocessing and crop.
    which : `~astrosieve_training.contaminant.config.ImageSet`
        Says which images.
    stages : `~astrosieve_training.stages.Stages`
        Keeps them.
    name : str
        Of the set.
    judged : bool, optional
        Whether the instruments are those that are kept for judging.
    jobs : int, optional
        Processes; -1 for as many as there are cores.
    """
    arrays: dict[str, np.ndarray] = {}
    first = 0
    for part in _parts(config, which, stages, name, judged, jobs):
        for each, values in part.items():
            if each not in arrays:
                shape = (which.images, *values.shape[1:])
                arrays[each] = np.empty(shape, values.dtype)
            arrays[each][first : first + len(values)] = values
        first += len(part['truth'])
    return Images(**arrays, crop=config.crop, by_pixel=config.loss.weighting == 'pixel')


def _parts(
    config: ContaminantConfig,
    which: ImageSet,
    stages: Stages,
    name: str,
    judged: bool,
    jobs: int,
) -> Iterator[dict[str, np.ndarray]]:
    preprocessing = config.network.preprocessing
    version = code_version(simulate, preprocessings)
    real = data_folder() is not None  # whose pixels are in the images
    key = digest(which.side, preprocessing, judged, real, version)
    packs = [which.seeds[n : n + _PACK] for n in range(0, which.images, _PACK)]
    parts: Iterator[dict[str, np.ndarray]] = Parallel(
        n_jobs=jobs, return_as='generator'
    )(
        delayed(stages.arrays)(
            f'{name}-{seeds[0]}-{len(seeds)}',
            key,
            partial(_made, preprocessing, list(seeds), which.side, judged),
        )
        for seeds in packs
    )
    return parts


def _made(
    preprocessing: str, seeds: list[int], side: int, judged: bool
) -> dict[str, np.ndarray]:
    """Return images and their truth."""
    prepare = get_preprocessing(preprocessing)
    planes, truth, ignore = [], [], []
    for seed in seeds:
        made = simulate.simulated_image(seed, side, judged=judged)
        image = MeasuredImage.of(made.sci, mask=made.masked)
        levels = prepare.levels(image)
        whole = slice(0, side), slice(0, side)
        planes.append(prepare.planes(levels, whole).astype(np.float16))
        truth.append(packed(made.truth))
        nothing = np.zeros((side, side), np.uint16)
        ignore.append(nothing if made.ignore is None else packed(made.ignore))
    return {
        'planes': np.stack(planes),
        'truth': np.stack(truth),
        'ignore': np.stack(ignore),
    }
