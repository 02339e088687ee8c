"""Whole simulated differences, of which a network is shown windows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from astropy.table import Table

from astrosieve.blob import preprocessing as preprocessings
from astrosieve.blob.marks import MARGIN
from astrosieve.blob.preprocessing import (
    ImagePreprocessing,
    Prepared,
    get_preprocessing,
)
from astrosieve_training.blob import simulate
from astrosieve_training.blob.config import BlobConfig, ImageSet
from astrosieve_training.blob.profiles import real_stamps
from astrosieve_training.blob.targets import targets
from astrosieve_training.learn.examples import arrays_key
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest

__all__ = [
    'Windows',
    'measured_truth',
    'prepared_image',
    'simulated_image',
    'simulated_windows',
    'turned_places',
]

_BLOBS, _DIPS = 0.5, 0.2  # shares of the windows that hold one on purpose
_INWARD = 8  # pixels from the edge of such a window


def simulated_image(
    config: BlobConfig, seed: int, part: str = 'training', blobs: int = 0
) -> simulate.SimulatedDifference:
    """
    Return a simulated difference.

    Parameters
    ----------
    config : `~astrosieve_training.blob.config.BlobConfig`
        Says the shape.
    seed : int
        Decides everything else.
    part : {'training', 'judged'}, optional
        Which real stamps are among the blobs, where they are there.
    blobs : int, optional
        How many; 0 for as many as there usually are.
    """
    return simulate.simulate_difference(
        seed,
        shape=config.shape,
        n_blobs=blobs or None,
        stamps=real_stamps(part),
    )


def prepared_image(
    made: simulate.SimulatedDifference, prepare: ImagePreprocessing
) -> Prepared:
    """Return a simulated difference in units of its noise."""
    bad = made.mask | ~np.isfinite(made.data)
    return prepare.prepare(made.data, bad if bad.any() else None)


def turned_places(
    x: np.ndarray, y: np.ndarray, side: int, kind: int
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return positions in one of the eight orientations of a square.

    Parameters
    ----------
    x, y : (N,) `~numpy.ndarray`
        Positions, pixels.
    side : int
        Of the square, pixels.
    kind : int
        Turned by ``kind % 4`` quarters as `numpy.rot90` does, then mirrored along x
        where it is 4 or more.
    """
    for _ in range(kind % 4):
        x, y = y, side - 1 - x
    return (side - 1 - x if kind >= 4 else x), y


@dataclass(frozen=True)
class Windows:
    """
    Windows of images, drawn anew in each epoch.

    Parameters
    ----------
    signals : (N, ny, nx) float16 `~numpy.ndarray`
        Images in units of their noise, with 16 pixels of NaN about them.
    blobs : (M, 5) float32 `~numpy.ndarray`
        Number of the image; x, y, logarithms of radius and of depth over noise.
    dips, grown : (K, 3) float32 `~numpy.ndarray`
        Number of the image, x, y; of older blobs that became deeper apart.
    side : int
        Of a window, pixels.
    each : int
        Windows of an image in an epoch.
    preprocessing : str
        Its name.
    """

    signals: np.ndarray
    blobs: np.ndarray
    dips: np.ndarray
    grown: np.ndarray
    side: int
    each: int
    preprocessing: str

    @cached_property
    def key(self) -> str:
        """Hash of what is handed out."""
        arrays = {
            'signals': self.signals,
            'blobs': self.blobs,
            'dips': self.dips,
            'grown': self.grown,
        }
        return digest(arrays_key(arrays), self.side, self.each, self.preprocessing)

    @cached_property
    def prepare(self) -> ImagePreprocessing:
        """Return the preprocessing."""
        return get_preprocessing(self.preprocessing)

    def __len__(self) -> int:
        return self.each * len(self.signals)

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        """Return windows; without a generator each row has one for good, not turned."""
        signals, marks, weights = [], [], []
        for row in rows.tolist():
            own = np.random.default_rng([row, 1]) if rng is None else rng
            kind = 0 if rng is None else int(own.integers(8))
            signal, target, weight = self._window(row // self.each, own, kind)
            signals.append(signal)
            marks.append(target)
            weights.append(weight)
        inputs = self.prepare(np.stack(signals))
        return inputs, np.stack(marks), np.stack(weights)

    def _window(
        self, number: int, rng: np.random.Generator, kind: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        image, side = self.signals[number], self.side
        blobs = self.blobs[self.blobs[:, 0] == number, 1:]
        dips = self.dips[self.dips[:, 0] == number, 1:]
        grown = self.grown[self.grown[:, 0] == number, 1:]
        first = self._corner(image.shape, blobs, dips, rng)
        rows, columns = (slice(each, each + side) for each in first)
        signal = np.rot90(image[rows, columns].astype(np.float32), kind % 4)
        places = {}
        for name, each in (('blobs', blobs), ('dips', dips), ('grown', grown)):
            x = each[:, 0] + MARGIN - first[1]
            y = each[:, 1] + MARGIN - first[0]
            x, y = turned_places(x, y, side, kind)
            places[name] = np.column_stack([x, y, each[:, 2:]])
        target, weight = targets(**places, shape=(side, side))
        return signal[:, ::-1] if kind >= 4 else signal, target, weight

    def _corner(
        self,
        shape: tuple[int, ...],
        blobs: np.ndarray,
        dips: np.ndarray,
        rng: np.random.Generator,
    ) -> list[int]:
        """Return the first row and column of a window, in the padded image."""
        last = [n - self.side for n in shape]
        sought = rng.random()
        places = blobs if sought < _BLOBS else dips
        if sought < _BLOBS + _DIPS and len(places):
            x, y = places[rng.integers(len(places)), :2] + MARGIN
            drawn = [
                round(at - rng.uniform(_INWARD, self.side - _INWARD)) for at in (y, x)
            ]
        else:
            drawn = [int(rng.integers(each + 1)) for each in last]
        return [min(max(at, 0), most) for at, most in zip(drawn, last, strict=True)]


def simulated_windows(
    config: BlobConfig, which: ImageSet, stages: Stages, name: str
) -> Windows:
    """
    Return windows of simulated differences.

    Parameters
    ----------
    config : `~astrosieve_training.blob.config.BlobConfig`
        Says shape and preprocessing.
    which : `~astrosieve_training.blob.config.ImageSet`
        Says which images.
    stages : `~astrosieve_training.stages.Stages`
        Keeps them.
    name : str
        Of the set.
    """
    version = code_version(simulate, preprocessings)
    stamps = real_stamps('training')
    names = stamps.names if stamps else ()
    key = digest(config.shape, config.preprocessing, which.blobs, names, version)
    parts = [
        stages.arrays(f'{name}-{seed}', key, partial(_image, config, seed, which.blobs))
        for seed in which.seeds
    ]
    rows = {
        each: np.concatenate(
            [
                np.column_stack([np.full(len(part[each]), number), part[each]])
                for number, part in enumerate(parts)
            ]
        ).astype(np.float32)
        for each in ('blobs', 'dips', 'grown')
    }
    return Windows(
        np.stack([part['signal'] for part in parts]),
        rows['blobs'],
        rows['dips'],
        rows['grown'],
        config.side,
        config.windows,
        config.preprocessing,
    )


def _image(config: BlobConfig, seed: int, blobs: int) -> dict[str, np.ndarray]:
    """Return an image and its truth."""
    made = simulated_image(config, seed, blobs=blobs)
    prepared = prepared_image(made, get_preprocessing(config.preprocessing))
    signal = np.pad(prepared.signal, MARGIN, constant_values=np.nan)
    grown = np.asarray(made.dips['kind']) == 'grown'
    places = np.column_stack([made.dips['x'], made.dips['y']]).astype(np.float32)
    with np.errstate(over='ignore'):
        half = np.clip(signal, -6e4, 6e4).astype(np.float16)
    return {
        'signal': half,
        'blobs': measured_truth(made.blobs, prepared),
        'dips': places[~grown],
        'grown': places[grown],
    }


def measured_truth(blobs: Table, prepared: Prepared) -> np.ndarray:
    """Return columns of `~astrosieve_training.blob.targets.MEASURED` of true blobs."""
    x, y, radius, depth = (
        np.asarray(blobs[name], dtype=float) for name in ('x', 'y', 'radius', 'depth')
    )
    _, noise = prepared.mesh.at(x, y)
    return np.column_stack([x, y, np.log(radius), np.log(depth / noise)]).astype(
        np.float32
    )
