"""What the tests of the judge share."""

from __future__ import annotations

from pathlib import Path

import pytest

from astrosieve.models.registry import Model, load_model


@pytest.fixture(scope='module')
def model(scales_model: Path) -> Model:
    """Return a model that needs no training."""
    return load_model(scales_model)


@pytest.fixture(scope='module')
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of cached exposures."""
    return tmp_path_factory.mktemp('cache')
