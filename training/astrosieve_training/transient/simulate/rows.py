"""Columns of the same length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np

__all__ = ['Rows', 'joined']

_R = TypeVar('_R', bound='Rows')


@dataclass(frozen=True)
class Rows:
    """
    Base of dataclasses whose every field is an array of N rows.

    Parameters
    ----------
    label : (N,) str `~numpy.ndarray`
        Class.
    """

    label: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def take(self: _R, rows: np.ndarray) -> _R:
        """Return some rows, by number or mask."""
        columns: dict[str, Any] = {
            each.name: getattr(self, each.name)[rows] for each in fields(self)
        }
        return replace(self, **columns)


def joined(parts: Sequence[_R]) -> _R:
    """Return the rows of several together."""
    first = parts[0]
    columns: dict[str, Any] = {
        each.name: np.concatenate([getattr(part, each.name) for part in parts])
        for each in fields(first)
    }
    return replace(first, **columns)
