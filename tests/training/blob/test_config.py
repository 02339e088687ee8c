"""Configurations of networks that mark blobs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from astrosieve_training.blob.config import ImageSet, load_config
from astrosieve_training.settings import ConfigError


def test_shipped() -> None:
    """The flagship's file is read, and its sets have no image in common."""
    config = load_config('blob')
    assert config.default
    assert len(config.training.seeds) == config.training.images
    with pytest.raises(ConfigError, match='two sets share an image'):
        replace(config, judged=ImageSet(3, config.training.seed + 1))


def test_windows() -> None:
    """A window is a multiple of 16 and fits into the image; a wrong name is told."""
    config = load_config('blob')
    for side in (100, 2048):
        with pytest.raises(ConfigError, match=f'multiple of 16 .* got {side}'):
            replace(config, side=side)
    with pytest.raises(ConfigError, match='Known: blob'):
        load_config('bolb')
