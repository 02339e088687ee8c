"""Detections of simulated exposures: cached, resumable, labelled by the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('galsim')
pytest.importorskip('tqdm')
pytest.importorskip('photutils')

from astrosieve_training import datasets
from astrosieve_training.config import ExposureSet, FinderConfig, config_from_dict
from astrosieve_training.datasets import DetectionSet, simulated_set

EXPOSURES = ExposureSet(
    name='tiny', n=2, seed=40, cameras=('demo',), scenes=('outskirts',),
    shape=(200, 200), use_dq=(True, False),
)  # fmt: skip
FINDERS = (FinderConfig('peaks'), FinderConfig('dao'))


def make(folder: Path) -> DetectionSet:
    return simulated_set(
        EXPOSURES, finders=FINDERS, preprocessing='zscale-log-1', folder=folder,
        progress=False,
    )  # fmt: skip


@pytest.fixture(scope='module')
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the cache of a set."""
    folder = tmp_path_factory.mktemp('cache')
    make(folder)
    return folder


def test_set_has_truth_and_inputs(cache: Path) -> None:
    """Stars and hits are there, of both exposures and finders."""
    found = make(cache)
    labels = np.asarray(found.rows['label'])
    assert (labels == 'star').sum() > 10
    assert (labels == 'cosmic_ray').sum() > 10
    assert set(found.rows['finder']) == {'peaks-5', 'dao-5'}
    assert len(set(found.rows['exposure'])) == 2
    cutouts = found.inputs['cutouts']
    assert cutouts.shape == (len(found), 1, 11, 11)
    assert cutouts.dtype == np.float32
    assert cutouts.min() >= 0
    assert cutouts.max() <= 1
    fill = np.asarray(found.rows['fill'])
    assert ((fill > 0) & (fill < 0.3)).all()


def test_cache_is_used_and_equal(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is not simulated again."""
    before = make(cache)

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError

    monkeypatch.setattr(datasets, '_one', refuse)
    again = make(cache)
    assert np.array_equal(before.inputs['cutouts'], again.inputs['cutouts'])
    assert before.rows['label'].tolist() == again.rows['label'].tolist()


def test_damaged_cache_is_made_again(cache: Path, tmp_path: Path) -> None:
    """A file cut short gives the same set as before; no wreck is left."""
    import shutil

    folder = tmp_path / 'cache'
    shutil.copytree(cache, folder)
    before = make(folder)
    path = sorted(folder.iterdir())[0]
    path.write_bytes(path.read_bytes()[:1000])
    again = make(folder)
    assert np.array_equal(before.inputs['cutouts'], again.inputs['cutouts'])
    assert len(list(folder.iterdir())) == 2


def test_other_settings_have_another_cache(cache: Path) -> None:
    """Other finders do not get the detections of these."""
    before = len(list(cache.iterdir()))
    one = ExposureSet(
        name='tiny', n=1, seed=40, cameras=('demo',), scenes=('outskirts',),
        shape=(200, 200),
    )  # fmt: skip
    found = simulated_set(
        one, finders=FINDERS[:1], preprocessing='zscale-log-1', folder=cache,
        progress=False,
    )  # fmt: skip
    assert set(found.rows['finder']) == {'peaks-5'}
    assert len(list(cache.iterdir())) == before + 1


def test_whole_line_on_a_tiny_scale(tmp_path: Path) -> None:
    """Simulate, train, calibrate and export; the model classifies."""
    pytest.importorskip('torch')
    pytest.importorskip('onnxscript')
    from astrosieve import classify_sources
    from astrosieve.registry import load_model
    from astrosieve_training.export import export_run
    from astrosieve_training.train import train

    def exposures(name: str, seed: int) -> dict[str, object]:
        return {
            'name': name, 'n': 1, 'seed': seed, 'cameras': ['demo'],
            'scenes': ['outskirts'], 'shape': [256, 256],
        }  # fmt: skip

    config = config_from_dict(
        {
            'name': 'tiny', 'seed': 1, 'finders': [{'name': 'peaks'}],
            'training': exposures('training', 50),
            'validation': exposures('validation', 60),
            'calibrating': exposures('calibrating', 70),
            'train': {'epochs': 3, 'runs': 2, 'batch_size': 32, 'balance': 0},
            'real': {'ngc1261': False},
        }
    )  # fmt: skip
    run = train(config, tmp_path / 'run', progress=False)
    assert run.summary['counts']['training']['star'] > 10
    assert len(run.summary['runs']) == 2
    card, _ = export_run(tmp_path / 'run', tmp_path / 'weights')
    assert card.fwhm_range[0] < card.fwhm_range[1]
    assert '1 simulated exposures (cameras demo' in card.training_data
    model = load_model(tmp_path / 'weights' / 'tiny-1.0.onnx')
    image = np.random.default_rng(0).normal(10, 3, (64, 64))
    table = classify_sources(image, [[20.0, 30.0]], model=model, unit='electron')
    assert table['class_name'][0] in card.classes
