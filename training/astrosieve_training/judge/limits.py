"""Limits that a network has to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from astrosieve.models.metrics import wilson_interval

__all__ = ['Limit', 'cell', 'scalar', 'share']


def share(k: int, n: int) -> dict[str, Any]:
    """
    Return a share with its counts and its interval.

    Parameters
    ----------
    k, n : int
        Successes and trials.

    Returns
    -------
    share : dict
        ``k``, ``n``, ``share`` (None for no trial), ``low``, ``high`` (95 %
        Wilson interval).
    """
    low, high = wilson_interval(k, n)
    value = int(k) / int(n) if n else None
    return {
        'k': int(k), 'n': int(n), 'share': value,
        'low': float(low), 'high': float(high),
    }  # fmt: skip


def scalar(value: float, n: int) -> dict[str, Any]:
    """
    Return a number that is no share of counts, in the form of `share`.

    Parameters
    ----------
    value : float
        The number.
    n : int
        How many detections it rests on.

    Returns
    -------
    entry : dict
        With ``k`` None, and the value as both ends of its interval.
    """
    return {'k': None, 'n': int(n), 'share': value, 'low': value, 'high': value}


def cell(entry: Mapping[str, Any] | None) -> str:
    """Return a share, or a number, as a table shows it."""
    if not entry or not entry['n']:
        return '-'
    if entry['k'] is None:
        return f'{entry["share"]:.4f} ({entry["n"]})'
    return (
        f'{entry["share"]:.2%} ({entry["low"]:.2%} to {entry["high"]:.2%}; '
        f'{entry["k"]}/{entry["n"]})'
    )


@dataclass(frozen=True)
class Limit:
    """
    One limit and what was measured.

    Parameters
    ----------
    what : str
        What is limited.
    measured : dict
        See `share`.
    limit : float
        Largest share, or smallest where ``least`` is true.
    least : bool
        Whether the share must reach the limit.
    """

    what: str
    measured: dict[str, Any]
    limit: float
    least: bool = False

    @property
    def rule(self) -> str:
        """The limit in words."""
        side = 'at least' if self.least else 'at most'
        number = self.measured['k'] is None
        return f'{side} {self.limit:g}' if number else f'{side} {self.limit:.2%}'

    @property
    def holds(self) -> bool:
        """Whether the 95 % interval does not exclude it."""
        if self.least:
            return bool(self.measured['high'] >= self.limit)
        return bool(self.measured['low'] <= self.limit)
