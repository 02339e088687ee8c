"""What the room hands on."""

from __future__ import annotations

import pytest

from astrosieve import models


def test_names_are_loaded_when_used() -> None:
    """Each public name is what its module holds, and listed."""
    assert set(models.__all__) == set(models._HOMES)
    assert set(models.__all__) <= set(dir(models))
    for name in models.__all__:
        assert getattr(models, name).__name__ == name
    with pytest.raises(AttributeError, match=r"'astrosieve\.models' has no .* 'soup'"):
        models.soup  # noqa: B018
