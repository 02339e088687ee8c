"""Frames to learn from: simulated by seed, and real ones by camera and night."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.frametype import preprocessing as preprocessings
from astrosieve.frametype.classes import UNKNOWN
from astrosieve.frametype.frames import (
    FrameError,
    as_frame,
    check_whole,
    read_frames,
)
from astrosieve.frametype.headers import header_type
from astrosieve.frametype.preprocessing import FramePreprocessing, get_preprocessing
from astrosieve_training.data_folder import data_folder
from astrosieve_training.frametype import simulate
from astrosieve_training.frametype.config import FrameConfig, FrameSet
from astrosieve_training.learn.examples import arrays_key
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest

__all__ = ['Frames', 'joined', 'real_folder', 'real_frames', 'simulated_frames']

_COLUMNS = ('target', 'origin', 'family', 'night', 'path', 'header', 'contested')
_INPUT = 'inputs_'  # before the name of an input, beside columns
_CUT = 0.12  # of a frame's side, at most, that a window leaves out
_BINNED = 0.25  # chance that a window's pixels are summed in pairs, for each axis


@dataclass(frozen=True)
class Frames:
    """
    Frames as the loop asks for them.

    Parameters
    ----------
    inputs : dict of str to float16 `~numpy.ndarray`
        As the preprocessing makes them, a row for each frame.
    target : (N,) int64 `~numpy.ndarray`
        Class numbers.
    origin, family : (N,) str `~numpy.ndarray`
        Spectrograph: a seed, or the name of a real camera; and the layout of a
        simulated one.
    preprocessing : str
        Its name; it knows how inputs are flipped.
    night, path, header : (N,) str `~numpy.ndarray`
        Of real frames: when, where, and what the header says. Of simulated ones
        ``header`` is the kind of what was exposed.
    contested : (N,) str `~numpy.ndarray`
        Of simulated frames: another type that they could as well be, for what makes
        their own does not stand out of the noise; else empty.
    """

    inputs: dict[str, np.ndarray]
    target: np.ndarray
    origin: np.ndarray
    preprocessing: str
    family: np.ndarray
    night: np.ndarray
    path: np.ndarray
    header: np.ndarray
    contested: np.ndarray

    @cached_property
    def key(self) -> str:
        """Hash of what is handed out."""
        return arrays_key({**self.inputs, 'target': self.target})

    @cached_property
    def prepare(self) -> FramePreprocessing:
        """Return the preprocessing."""
        return get_preprocessing(self.preprocessing)

    def __len__(self) -> int:
        return len(self.target)

    def take(self, rows: np.ndarray) -> Frames:
        """Return some frames, by number or mask."""
        return replace(
            self,
            inputs={name: each[rows] for name, each in self.inputs.items()},
            **{name: getattr(self, name)[rows] for name in _COLUMNS},
        )

    @property
    def decidable(self) -> Frames:
        """Return the frames that show what they are."""
        return self.take(self.contested == '')

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray | None]:
        """Return some frames; with a generator each is flipped at random."""
        part = {n: each[rows].astype(np.float32) for n, each in self.inputs.items()}
        if rng is not None:
            part = self._flipped(part, rng)
        return part, self.target[rows], None

    def _flipped(
        self, part: dict[str, np.ndarray], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        kinds = rng.integers(4, size=len(next(iter(part.values()))))
        for kind in range(1, 4):
            chosen = kinds == kind
            some = {name: each[chosen] for name, each in part.items()}
            flipped = self.prepare.flip(some, bool(kind & 1), bool(kind & 2))
            for name, each in flipped.items():
                part[name][chosen] = each
        return part

    def balanced(self, seed: int) -> Frames:
        """Return all frames, those of rarer classes repeated to equal counts."""
        rng = np.random.default_rng(seed)
        numbers, counts = np.unique(self.target, return_counts=True)
        rows = [np.arange(len(self))]
        for number, count in zip(numbers, counts, strict=True):
            members = np.flatnonzero(self.target == number)
            rows.append(rng.choice(members, counts.max() - count))
        return self.take(np.concatenate(rows))


def joined(parts: Sequence[Frames]) -> Frames:
    """Return frames of several sets as one."""
    together = {
        name: np.concatenate([getattr(each, name) for each in parts])
        for name in _COLUMNS
    }
    inputs = {
        name: np.concatenate([each.inputs[name] for each in parts])
        for name in parts[0].inputs
    }
    return Frames(inputs, preprocessing=parts[0].preprocessing, **together)


def _made(
    rows: list[tuple[dict[str, np.ndarray], int, str, str, str, str, str, str]],
) -> dict[str, np.ndarray]:
    """Return arrays of rows: inputs, and what the columns of frames are."""
    inputs, *others = zip(*rows, strict=True)
    arrays = {f'{_INPUT}{n}': np.stack([each[n] for each in inputs]) for n in inputs[0]}
    arrays = {name: each.astype(np.float16) for name, each in arrays.items()}
    return arrays | dict(zip(_COLUMNS, map(np.array, others), strict=True))


def _frames(arrays: dict[str, np.ndarray], preprocessing: str) -> Frames:
    inputs = {
        name.removeprefix(_INPUT): each
        for name, each in arrays.items()
        if name.startswith(_INPUT)
    }
    rest = {name: arrays[name] for name in _COLUMNS if name != 'target'}
    return Frames(
        inputs, arrays['target'].astype(np.int64), preprocessing=preprocessing, **rest
    )


def simulated_frames(
    config: FrameConfig,
    which: FrameSet,
    stages: Stages,
    name: str,
    *,
    decidable: bool = False,
    only: Sequence[str] = (),
    jobs: int = -1,
) -> Frames:
    """
    Return simulated frames: of each spectrograph some of each class.

    What a fault of the instrument made of a frame is the class that it shows.

    Parameters
    ----------
    config : `~astrosieve_training.frametype.config.FrameConfig`
        Says classes and preprocessing.
    which : `~astrosieve_training.frametype.config.FrameSet`
        Says which spectrographs.
    stages : `~astrosieve_training.stages.Stages`
        Keeps them.
    name : str
        Of the set.
    decidable : bool, optional
        Whether contested frames are left out.
    only : sequence of str, optional
        Inputs that are of use, where not all of them are.
    jobs : int, optional
        Spectrographs that are simulated side by side; -1 for as many as there are
        cores.
    """
    version = code_version(simulate, preprocessings)
    settings = (config.classes, config.preprocessing, which.frames, which.oddities,
                which.windows, version)  # fmt: skip
    found = Parallel(n_jobs=jobs, return_as='generator')(
        delayed(stages.arrays)(
            f'{name}-{seed}',
            digest(*settings, which.families(seed)),
            partial(_simulated, config, which, seed),
        )
        for seed in which.seeds
        if simulate.pixels_of(seed, which.families(seed)) <= which.largest
    )
    parts: dict[str, list[np.ndarray]] = {}
    for arrays in found:
        if not len(arrays['target']):
            continue
        seen = arrays['contested'] == '' if decidable else slice(None)
        for column, values in arrays.items():
            if only and column.removeprefix(_INPUT) not in (*_COLUMNS, *only):
                continue
            parts.setdefault(column, []).append(values[seen])
    # Thousands of spectrographs fill the memory: but one column is there twice.
    together = {column: np.concatenate(parts.pop(column)) for column in tuple(parts)}
    return _frames(together, config.preprocessing)


def _simulated(
    config: FrameConfig, which: FrameSet, seed: int
) -> dict[str, np.ndarray]:
    """Return the frames of one spectrograph."""
    prepare = get_preprocessing(config.preprocessing)
    rng = np.random.default_rng([seed, 2])
    families, found = which.families(seed), []
    for frame_type in config.classes:
        odd = frame_type == UNKNOWN
        for number in range(which.oddities if odd else which.frames):
            made = simulate.frame(seed, frame_type, number, families)
            truth = made.truth
            if truth.frame_type in config.classes:
                label = config.classes.index(truth.frame_type)
                about = (
                    label, str(seed), truth.family, '', '', truth.kind,
                    truth.contested,
                )  # fmt: skip
                try:
                    pixels = _pixels(made.data, prepare)
                except FrameError:  # saturated all over, or half of it blank
                    continue
                shown = [pixels, *(_window(pixels, rng) for _ in range(which.windows))]
                found += [(prepare(each), *about) for each in shown]
    return _made(found) if found else {'target': np.zeros(0)}


def _pixels(data: np.ndarray, prepare: FramePreprocessing) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        pixels = as_frame(data, prepare.max_pixels)
        check_whole(pixels)
        return pixels


def _window(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a frame as another readout has it: cut at its edges, binned."""
    for axis in (0, 1):
        n = pixels.shape[axis]
        first, last = (int(n * rng.uniform(0, _CUT)) for _ in range(2))
        pixels = np.moveaxis(pixels, axis, 0)[first : n - last]
        if rng.random() < _BINNED and len(pixels) > 256:
            pairs = pixels[: len(pixels) // 2 * 2]
            pixels = pairs[::2] + pairs[1::2]
        pixels = np.moveaxis(pixels, 0, axis)
    return np.ascontiguousarray(pixels)


def real_folder() -> Path | None:
    """Return the folder of real spectral frames and of their index, if it is there."""
    hst = data_folder()
    folder = hst.parent / 'others' / 'spectra' if hst else None
    return folder if folder and (folder / 'frames.csv').is_file() else None


def _night(date: str) -> str:
    """Return the day on whose evening a frame was taken."""
    taken = datetime.fromisoformat(date)
    return (taken - timedelta(hours=12) * ('T' in date)).date().isoformat()


def real_frames(config: FrameConfig, folder: Path, *, windows: int = 0) -> Frames:
    """
    Return the real frames of a folder, of the configuration's classes.

    Parameters
    ----------
    config : `~astrosieve_training.frametype.config.FrameConfig`
        Says classes and preprocessing.
    folder : `~pathlib.Path`
        Holds ``frames.csv`` with the columns file, instrument, label and date.
    windows : int, optional
        If any, in place of each frame so many of its windows.
    """
    rng = np.random.default_rng(config.seed)
    prepare = get_preprocessing(config.preprocessing)
    rows = []
    with (folder / 'frames.csv').open(encoding='utf-8') as file:
        for row in csv.DictReader(file):
            if row['label'] not in config.classes:
                continue
            frame = next(read_frames(folder / row['file'], prepare.max_pixels))
            if frame.pixels is None:
                msg = f'{folder / row["file"]}: {frame.problem}'
                raise FrameError(msg)
            shown = [_window(frame.pixels, rng) for _ in range(windows)]
            about = (
                config.classes.index(row['label']), row['instrument'], '',
                _night(row['date']), row['file'], header_type(frame.header), '',
            )  # fmt: skip
            rows += [(prepare(each), *about) for each in shown or [frame.pixels]]
    return _frames(_made(rows), config.preprocessing)
