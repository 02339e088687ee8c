"""Configurations of networks that map contaminants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from astrosieve_training.contaminant.config import ImageSet, load_config
from astrosieve_training.settings import ConfigError


@pytest.mark.parametrize('name', ['contaminant', 'contaminant-adass'])
def test_shipped(name: str) -> None:
    """The files are read, the flagship is the default, no set shares an image."""
    config = load_config(name)
    assert config.default == (name == 'contaminant')
    assert len(config.training.seeds) == config.training.images
    with pytest.raises(ConfigError, match='two sets share an image'):
        replace(config, judged=ImageSet(3, config.training.seed + 1))


def test_crops() -> None:
    """A crop is a multiple of 32 and fits into the images; a wrong name is told."""
    config = load_config('contaminant')
    for crop in (100, 352):
        with pytest.raises(ConfigError, match=f'multiple of 32 .* got {crop}'):
            replace(config, crop=crop)
    with pytest.raises(ConfigError, match='Known: contaminant'):
        load_config('contaminent')
