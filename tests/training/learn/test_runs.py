"""Finished trainings in folders."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip('torch')

import torch

from astrosieve_training.learn.runs import read_run, write_run
from astrosieve_training.settings import ConfigError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Content and parameters come back as they were."""
    network = torch.nn.Linear(3, 2)
    write_run(tmp_path, network, {'config': {'seed': 4}, 'temperature': 1.5})
    content, state = read_run(tmp_path)
    assert content == {'config': {'seed': 4}, 'temperature': 1.5}
    assert torch.equal(state['weight'], network.weight)


@pytest.mark.parametrize('name', ['run.json', 'network.pt'])
def test_unfinished_trainings_are_refused(tmp_path: Path, name: str) -> None:
    """Without either file there is none, and the step that makes it is named."""
    write_run(tmp_path, torch.nn.Linear(3, 2), {})
    (tmp_path / name).unlink()
    with pytest.raises(ConfigError, match=r'no finished training .* run the step'):
        read_run(tmp_path)
