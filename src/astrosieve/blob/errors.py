"""What can be wrong with a difference image."""

from __future__ import annotations

from astrosieve.exceptions import ExposureError

__all__ = ['DifferenceError']


class DifferenceError(ExposureError):
    """A difference image in which no blob can be looked for, and why."""
