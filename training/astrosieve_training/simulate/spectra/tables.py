"""What lamps, skies and stars emit, from ``tables.npz``; see `make_tables`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

__all__ = ['SKY_GRID', 'STAR_GRID', 'TABLES', 'lines', 'names', 'table']

TABLES = Path(__file__).with_name('tables.npz')
SKY_GRID = np.arange(3100.0, 10000.0, 0.5)
STAR_GRID = np.arange(3200.0, 10500.0, 4.0)
THAR_GRID = 10 ** np.arange(3.4821, 4.0223, 2e-5)
TRANSMISSION_GRID = np.arange(9000.0, 25000.0, 4.0)


@cache
def _tables() -> dict[str, np.ndarray]:
    with np.load(TABLES) as file:
        return {
            n: file[n].astype(np.float32 if 'lines' not in n else float) for n in file
        }


def names(kind: str) -> tuple[str, ...]:
    """Return the names of a kind: ``'lines'``, ``'sky'``, ``'star'``."""
    return tuple(n.partition('/')[2] for n in _tables() if n.startswith(f'{kind}/'))


def table(name: str) -> np.ndarray:
    """Return one table, such as ``'star/gd71'``."""
    return _tables()[name]


def lines(element: str) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the lines of an element.

    Parameters
    ----------
    element : str
        ``'He'``, ``'Ne'``, ..., ``'ThAr'``, ``'OH'``; ``'OH'`` goes on to 25,000
        Angstrom.

    Returns
    -------
    wave, strength : (N,) float `~numpy.ndarray`
        Angstrom, vacuum; relative.
    """
    found = _tables()[f'lines/{element}']
    return found[:, 0], found[:, 1]
