"""Finished trainings in folders."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip('torch')

import torch

from astrosieve_training.learn.runs import (
    load_network,
    read_run,
    run_kind,
    write_run,
)
from astrosieve_training.learn.settings import NetworkSettings
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


def test_network_of_a_run(tmp_path: Path) -> None:
    """It is built after the configuration, and has the parameters of the training."""
    config = NetworkSettings(name='tiny', seed=7)
    network = torch.nn.Linear(7, 2)
    write_run(tmp_path, network, {'config': asdict(config), 'share': 0.5})
    read, built, content = load_network(
        tmp_path, NetworkSettings, lambda config: torch.nn.Linear(config.seed, 2)
    )
    assert read == config
    assert torch.equal(built.weight, network.weight)
    assert not built.training
    assert content == {'share': 0.5}


def test_kind_of_a_run(tmp_path: Path) -> None:
    """That of its configuration; None where there is no training, or no kind."""
    assert run_kind(tmp_path) is None
    for config, kind in (({'kind': 'frames'}, 'frames'), ({}, None)):
        write_run(tmp_path, torch.nn.Linear(3, 2), {'config': config})
        assert run_kind(tmp_path) == kind
