"""Hashes by which cached work is recognised."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import is_dataclass
from typing import Any

__all__ = ['digest']


def digest(*parts: Any) -> str:
    """
    Return a short hash of settings, by which cached work is recognised.

    Parameters
    ----------
    *parts : object
        Dataclasses, and what JSON can hold.

    Returns
    -------
    digest : str
        12 hexadecimal digits.
    """

    def plain(value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            return dataclasses.asdict(value)
        return str(value)

    text = json.dumps(parts, default=plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
