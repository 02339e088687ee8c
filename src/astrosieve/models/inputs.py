"""Inputs of a network: what a task's preprocessing makes, and says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from astrosieve.exceptions import ModelError

__all__ = ['Batch', 'Preprocessing', 'described_inputs', 'named_preprocessing']

_P = TypeVar('_P')


@dataclass(frozen=True)
class Batch:
    """
    Inputs of a network for N rows: positions, tiles, frames, whatever the task has.

    Parameters
    ----------
    inputs : dict of str to `~numpy.ndarray`
        Arrays of N rows, by the name of the network's input.
    flags : (N,) int32 `~numpy.ndarray`
        Bits that say what is wrong with a row, of the task's own flags.
    valid : (N,) bool `~numpy.ndarray`
        `False` where the row cannot be scored.
    """

    inputs: dict[str, np.ndarray]
    flags: np.ndarray
    valid: np.ndarray


class Preprocessing(Protocol):
    """
    What makes the inputs of networks; how it is called is the task's own.

    ``name`` is versioned and stands in model cards. ``shapes`` gives the shape of a
    row, and ``meanings`` what it holds, unit included, by the name of the input.
    """

    name: str
    shapes: dict[str, tuple[int, ...]]
    meanings: dict[str, str]


def described_inputs(preprocessing: Preprocessing) -> dict[str, dict[str, Any]]:
    """Return what a model card says of its inputs."""
    return {
        name: {
            'shape': ['n', *shape],
            'dtype': 'float32',
            'meaning': preprocessing.meanings[name],
        }
        for name, shape in preprocessing.shapes.items()
    }


def named_preprocessing(known: Mapping[str, Callable[[], _P]], name: str) -> _P:
    """
    Return a preprocessing by the name that model cards state.

    Parameters
    ----------
    known : mapping of str to callable
        What makes each preprocessing of a task, by its versioned name.
    name : str
        Which.

    Raises
    ------
    ModelError
        If this version of the package does not have it.
    """
    if name not in known:
        msg = (
            f'preprocessing {name!r} is not known here (known: {", ".join(known)}); '
            'the model may need a newer astrosieve'
        )
        raise ModelError(msg)
    return known[name]()
