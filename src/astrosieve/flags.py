"""Bit flags, each defined once: constants, decoder and documentation follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from astrosieve.markdown import markdown_table

__all__ = ['Flag', 'FlagSet']


@dataclass(frozen=True)
class Flag:
    """
    One bit of a bit field.

    Parameters
    ----------
    value : int
        The bit, a power of two.
    name : str
        Short name, a Python identifier.
    description : str
        What it says when set.
    """

    value: int
    name: str
    description: str

    def __post_init__(self) -> None:
        if self.value < 1 or self.value & (self.value - 1):
            msg = f'flag {self.name!r} must be a power of two; got {self.value}'
            raise ValueError(msg)


class FlagSet:
    """
    A bit field: its flags are attributes that hold their integer value.

    Parameters
    ----------
    flags : iterable of `Flag`
        The flags; values and names must be unique.
    """

    def __init__(self, flags: Iterable[Flag]) -> None:
        self._flags = {flag.name: flag for flag in flags}
        if len({flag.value for flag in self}) != len(self._flags):
            msg = 'two flags share a bit'
            raise ValueError(msg)

    def __iter__(self) -> Iterator[Flag]:
        return iter(self._flags.values())

    def __getattr__(self, name: str) -> int:
        if name.startswith('_') or name not in self._flags:
            msg = f'no flag is called {name!r}'
            raise AttributeError(msg)
        return self._flags[name].value

    def value(self, *names: str) -> int:
        """Return the bits of the named flags together."""
        return sum({getattr(self, name) for name in names})

    def decode(self, bits: int) -> list[str]:
        """Return the names of the flags set in ``bits``."""
        return [flag.name for flag in self if int(bits) & flag.value]

    def any_set(self, array: ArrayLike, *names: str) -> np.ndarray:
        """Return, as booleans, where one of the named flags is set in ``array``."""
        return (np.asarray(array) & self.value(*names)) != 0

    def document(self) -> str:
        """Return a Markdown table of the flags."""
        rows = [(each.value, f'`{each.name}`', each.description) for each in self]
        return '\n'.join(markdown_table(('bit', 'name', 'meaning'), rows))
