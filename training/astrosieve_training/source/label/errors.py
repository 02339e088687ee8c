"""What can be wrong with exposures, regions and datasets."""

from __future__ import annotations

from astrosieve.exceptions import AstrosieveError

__all__ = ['CombiningError', 'DatasetError', 'LabelError', 'RegionsError']


class LabelError(AstrosieveError, ValueError):
    """Exposures that cannot be labelled by their own overlap."""


class CombiningError(AstrosieveError, ValueError):
    """Exposures cannot be labelled together, aligned or combined."""


class RegionsError(AstrosieveError, ValueError):
    """Regions cannot be read, or do not belong to the embedding."""


class DatasetError(AstrosieveError, ValueError):
    """Labels that make no dataset, or a folder that holds none."""
