"""What can be wrong with files of stamps."""

from __future__ import annotations

from astrosieve.exceptions import ExposureError

__all__ = ['StampError']


class StampError(ExposureError):
    """A file from which no stamps can be read, and why."""
