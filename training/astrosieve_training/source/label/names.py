"""Names that people and clusters give: classes, or nothing."""

from __future__ import annotations

from typing import Any

from astrosieve.source.classes import CLASSES
from astrosieve_training.settings import not_known
from astrosieve_training.source.label.errors import RegionsError

__all__ = ['UNLABELLED', 'check_name']

UNLABELLED = 'unlabelled'
"""Name of what is left out of a dataset."""


def check_name(name: Any) -> None:
    """Refuse what is neither a class nor 'unlabelled'."""
    known = (*CLASSES, UNLABELLED)
    if name not in known:
        raise RegionsError(not_known('no class', str(name), known))
