"""Simulated frames and their truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astrosieve_training.learn.augment import turned
from astrosieve_training.learn.examples import arrays_key
from toytask.preprocessing import Scaled

__all__ = ['SIZE', 'Frames', 'draw', 'make_frames']

SIZE = 16


@dataclass(frozen=True)
class Frames:
    """
    Frames as the loop asks for them.

    Parameters
    ----------
    images : (N, 1, 16, 16) float32 `~numpy.ndarray`
        As the network sees them.
    target : (N,) int64, or (N, 2, 16, 16) float32 `~numpy.ndarray`
        Class numbers, or maps of the classes.
    weight : (N, 1, 16, 16) float32 `~numpy.ndarray` or None
        0 for pixels to be ignored.
    """

    images: np.ndarray
    target: np.ndarray
    weight: np.ndarray | None = None

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All of them, by name."""
        arrays = {'frames': self.images, 'target': self.target}
        return arrays if self.weight is None else {**arrays, 'weight': self.weight}

    @property
    def key(self) -> str:
        """Hash of all arrays."""
        return arrays_key(self.arrays)

    def __len__(self) -> int:
        return len(self.images)

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray | None]:
        """Return some frames, turned together with their maps."""
        part = {name: array[rows] for name, array in self.arrays.items()}
        if rng is not None:
            part = turned(part, rng)
        return {'frames': part['frames']}, part['target'], part.get('weight')


def draw(
    kinds: list[str], rng: np.random.Generator, *, light: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a frame in counts with one of each kind on it, and maps of both kinds."""
    y, x = np.mgrid[:SIZE, :SIZE]
    frame = rng.normal(100, 5, (SIZE, SIZE))
    maps = np.zeros((2, SIZE, SIZE), dtype=np.float32)
    for number, name in enumerate(('bump', 'dip')):
        if name in kinds:
            at = rng.uniform(3, SIZE - 4, 2)
            shape = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 4.5)
            frame += (-1) ** number * (light or rng.uniform(12, 60)) * shape
            maps[number] = shape > 0.4
    return frame.astype(np.float32), maps


def make_frames(kind: str, n: int, seed: int) -> Frames:
    """Return frames of one class each, or with anything on them."""
    rng = np.random.default_rng(seed)
    shown = [
        [['bump'], ['dip'], []][number]
        if kind == 'frames'
        else [name for name in ('bump', 'dip') if rng.random() < 0.6]
        for number in rng.integers(3, size=n)
    ]
    frames, maps = map(np.stack, zip(*(draw(k, rng) for k in shown), strict=True))
    images = Scaled()(frames).inputs['frames']
    if kind == 'frames':
        labels = [('bump', 'dip', 'flat').index((*names, 'flat')[0]) for names in shown]
        return Frames(images, np.array(labels))
    weight = np.zeros((n, 1, SIZE, SIZE), dtype=np.float32)
    weight[:, :, 1:-1, 1:-1] = 1
    return Frames(images, maps, weight)
