"""What a network learns from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol

import numpy as np

__all__ = ['Examples', 'arrays_key']


class Examples(Protocol):
    """Examples with their truth, handed out by row numbers."""

    @property
    def key(self) -> str:
        """Hash of all that is handed out, see `arrays_key`."""

    def __len__(self) -> int: ...

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray | None]:
        """
        Return some examples.

        Parameters
        ----------
        rows : (n,) int `~numpy.ndarray`
            Their numbers.
        rng : `~numpy.random.Generator` or None
            Draws what differs from epoch to epoch; None for examples as they are.

        Returns
        -------
        inputs : dict of str to `~numpy.ndarray`
            Arrays of n rows, in the order of the network's arguments.
        target : `~numpy.ndarray`
            The truth: (n,) class numbers, or (n, C, ny, nx) maps, as the loss wants.
        weight : `~numpy.ndarray` or None
            How much each element of the target counts, 0 for what is to be ignored;
            None where all are alike.
        """


def arrays_key(arrays: Mapping[str, np.ndarray]) -> str:
    """
    Return a hash of arrays: their names, types, shapes and every value.

    Parameters
    ----------
    arrays : mapping of str to `~numpy.ndarray`
        Any numbers.

    Returns
    -------
    key : str
        64 hexadecimal digits.
    """
    found = hashlib.sha256()
    for name, values in arrays.items():
        found.update(f'{name} {values.dtype.str} {values.shape};'.encode())
        found.update(values.tobytes())
    return found.hexdigest()
