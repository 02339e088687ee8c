"""Errors and warnings; each error also derives from the built-in it resembles."""

from __future__ import annotations

from astropy.utils.exceptions import AstropyUserWarning

__all__ = [
    'AstrosieveError',
    'AstrosieveWarning',
    'CatalogError',
    'ExposureError',
    'ModelError',
    'ModelIntegrityError',
    'OutOfDomainWarning',
    'OutputError',
    'TimeLimitError',
    'UnitWarning',
    'WorkerError',
]


class AstrosieveError(Exception):
    """Base of all errors that the package raises on purpose."""


class ExposureError(AstrosieveError, OSError):
    """An image file cannot be read, or lacks what was asked of it."""


class CatalogError(AstrosieveError, ValueError):
    """A catalogue cannot be read, or its columns are not what is needed."""


class ModelError(AstrosieveError, ValueError):
    """A model is not known, or does not fit the task."""


class ModelIntegrityError(ModelError):
    """A weights file or card is missing, damaged, or not the one registered."""


class OutputError(AstrosieveError, OSError):
    """A result cannot be written."""


class WorkerError(AstrosieveError, RuntimeError):
    """A process that works on inputs cannot do so, or has ended."""


class TimeLimitError(AstrosieveError, TimeoutError):
    """An input took longer than it was given."""


class AstrosieveWarning(AstropyUserWarning):
    """Base of the package's warnings."""


class OutOfDomainWarning(AstrosieveWarning):
    """The image is unlike those that the model was trained on."""


class UnitWarning(AstrosieveWarning):
    """The unit of the pixels, or what is needed to convert it, is not known."""
