"""Candidates of npz and HDF5 files: arrays with names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.transient.candidates import TRIPLET, Candidate, Order, as_planes
from astrosieve.transient.errors import StampError

__all__ = ['Labels', 'named_planes', 'read_hdf5', 'read_npz']

_STAMPS = ('stamps', 'images', 'cutouts', 'arr_0')
_IDS = ('id', 'ids', 'candid', 'name')
_OBJECTS = ('object', 'oid', 'objectId')
_NUMBERS = ('mjd', 'fwhm')


class Labels:
    """
    What arrays beside the stamps say of each candidate.

    Parameters
    ----------
    arrays : mapping of str to array_like
        Arrays of N values by name: ``id``, ``object``, ``mjd``, ``fwhm``, if they are
        there.
    n : int
        Number of candidates.
    path : `~pathlib.Path`
        The file; its name numbers candidates that have none.

    Raises
    ------
    StampError
        If there are more or fewer of them than candidates.
    """

    def __init__(self, arrays: Mapping[str, Any], n: int, path: Path) -> None:
        self._stem = path.name.partition('.')[0]
        self._single = n == 1
        self._texts = [
            next((_texts(arrays[name]) for name in names if name in arrays), None)
            for names in (_IDS, _OBJECTS)
        ]
        self._numbers = {
            name: np.atleast_1d(np.asarray(arrays[name], dtype=float))
            for name in _NUMBERS
            if name in arrays
        }
        for each in (*self._texts, *self._numbers.values()):
            if each is not None and len(each) != n:
                msg = f'{path}: {n} candidates have {len(each)} names or numbers'
                raise StampError(msg)

    def of(self, k: int) -> dict[str, Any]:
        """Return what candidate k is called, and what is known of it."""
        ids, objects = self._texts
        stem = self._stem if self._single else f'{self._stem}_{k}'
        return {
            'id': stem if ids is None else ids[k],
            'object': '' if objects is None else objects[k],
            **{name: float(each[k]) for name, each in self._numbers.items()},
        }


def _texts(values: Any) -> list[str]:
    plain = np.atleast_1d(np.asarray(values)).tolist()
    return [
        value.decode('utf-8', 'replace') if isinstance(value, bytes) else str(value)
        for value in plain
    ]


def named_planes(arrays: Mapping[str, Any], path: Path, order: Order) -> np.ndarray:
    """
    Return the stamps among arrays, (N, 3, ny, nx).

    Parameters
    ----------
    arrays : mapping of str to array_like
        ``stamps``, or ``science``, ``template`` and ``difference``, of which one may
        be missing; the only array, whatever its name.
    path : `~pathlib.Path`
        What messages call it.
    order : `~astrosieve.transient.candidates.Order`
        Which plane is what.

    Raises
    ------
    StampError
        If there are none.
    """
    names = {name.lower(): name for name in arrays}
    planes = [names[name] for name in TRIPLET if name in names]
    stamps = [names[name] for name in _STAMPS if name in names]
    if not stamps and not planes and len(names) == 1:
        stamps = [*names.values()]
    try:
        if stamps:
            found = as_planes(np.asarray(arrays[stamps[0]]), order)
        elif len(planes) >= 2:
            given = [np.asarray(arrays[name], dtype=np.float32) for name in planes]
            if len({each.shape for each in given}) != 1:
                shapes = ', '.join(str(each.shape) for each in given)
                msg = f'planes differ in shape: {shapes}'
                raise StampError(msg)
            blank = np.full_like(given[0], np.nan)
            there = dict(zip([name.lower() for name in planes], given, strict=True))
            planes_ = [there.get(name, blank) for name in TRIPLET]
            found = as_planes(np.stack(planes_, axis=-3), Order())
        else:
            listed = ', '.join(arrays) or 'none'
            msg = f'has no array stamps, nor science, template, difference ({listed})'
            raise StampError(msg)
    except StampError as error:
        msg = f'{path}: {error}'
        raise StampError(msg) from error
    return found[None] if found.ndim == 3 else found


def _candidates(
    arrays: Mapping[str, Any], path: Path, order: Order
) -> Iterator[Candidate]:
    planes = named_planes(arrays, path, order)
    labels = Labels(arrays, len(planes), path)
    for k, each in enumerate(planes):
        yield Candidate(planes=each, kind=order.kind, **labels.of(k))


def read_npz(path: Path, order: Order | None = None) -> Iterator[Candidate]:
    """Yield the candidates of an npz or npy file, as ``read_candidates`` does."""
    try:
        with path.open('rb') as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                arrays = {'stamps': loaded}
            else:
                arrays = {name: loaded[name] for name in loaded.files}
    except Exception as error:  # what damaged files raise has no common base
        msg = f'{path}: not a readable npz file ({" ".join(str(error).split())})'
        raise StampError(msg) from error
    yield from _candidates(arrays, path, order or Order())


def read_hdf5(path: Path, order: Order | None = None) -> Iterator[Candidate]:
    """
    Yield the candidates of an HDF5 file, as ``read_candidates`` does.

    Its datasets are those of an npz file; or it has a group of them for each
    candidate, of any size.
    """
    try:
        import h5py
    except ImportError as error:
        msg = f"{path}: HDF5 needs h5py: pip install 'astrosieve[hdf5]'"
        raise StampError(msg) from error
    order = order or Order()
    try:
        with h5py.File(path, 'r') as file:
            groups = [name for name, each in file.items() if hasattr(each, 'items')]
            if not groups:
                yield from _candidates(_arrays(file), path, order)
            for name in groups:
                yield from _of_group(name, _arrays(file[name]), order)
    except (StampError, GeneratorExit):
        raise
    except Exception as error:  # h5py has no common base
        msg = f'{path}: not a readable HDF5 file ({" ".join(str(error).split())})'
        raise StampError(msg) from error


def _arrays(group: Any) -> dict[str, np.ndarray]:
    return {name: each[()] for name, each in group.items()}


def _of_group(
    name: str, arrays: dict[str, np.ndarray], order: Order
) -> Iterator[Candidate]:
    """Yield the candidate of a group, which is called so unless it says otherwise."""
    try:
        yield from _candidates({'id': name, **arrays}, Path(name), order)
    except StampError as error:
        yield Candidate(name, None, order.kind, problem=str(error))
