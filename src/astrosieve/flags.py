"""Bit flags, each defined once: constants, decoder and documentation follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

__all__ = ['CLASS_FLAGS', 'Flag', 'FlagSet']


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
        rows = [f'| {f.value} | `{f.name}` | {f.description} |' for f in self]
        return '\n'.join(['| bit | name | meaning |', '| --- | --- | --- |', *rows])


CLASS_FLAGS = FlagSet(
    [
        Flag(1, 'unscored', 'the row has no class; another bit says why'),
        Flag(2, 'bad_position', 'the position is not a finite number'),
        Flag(4, 'outside', 'the position lies outside the image'),
        Flag(8, 'edge', 'the cutout reaches beyond the image; filled with sky'),
        Flag(16, 'masked', 'the cutout holds pixels that the mask excludes'),
        Flag(32, 'non_finite', 'the cutout holds NaN or infinite pixels'),
        Flag(64, 'no_signal', 'the cutout holds pixels that DQ calls without signal'),
        Flag(128, 'invalid_center', 'the pixel under the position is not usable'),
        Flag(256, 'too_few_pixels', 'too large a share of the cutout is not usable'),
        Flag(512, 'no_contrast', 'the image has one value only, or no usable pixel'),
        Flag(1024, 'saturated', 'DQ calls a pixel within one pixel saturated'),
        Flag(2048, 'cosmic_ray_hint', 'DQ calls a pixel within one pixel a cosmic ray'),
        Flag(4096, 'other_chip', 'the row is of a chip that was not asked for'),
        Flag(8192, 'out_of_domain', 'the image is unlike those of the training'),
    ]
)
"""Bits of the column ``class_flags``."""
