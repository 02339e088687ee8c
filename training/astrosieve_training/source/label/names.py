"""Names that people and clusters give: classes, or nothing."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from astrosieve.source.classes import CLASSES
from astrosieve_training.source.label.errors import RegionsError

__all__ = ['UNLABELLED', 'check_name', 'hint']

UNLABELLED = 'unlabelled'
"""Name of what is left out of a dataset."""


def check_name(name: Any) -> None:
    known = (*CLASSES, UNLABELLED)
    if name not in known:
        msg = f'{name!r} is not a class.{hint(str(name), known)}'
        raise RegionsError(msg)


def hint(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    return (
        ''.join(f' Did you mean {n!r}?' for n in near) + f' Known: {", ".join(known)}'
    )
