"""Folders of weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from astrosieve.exceptions import OutputError
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import sha256_of
from astrosieve_training.learn.parity import ExportError
from astrosieve_training.learn.shipping import read_manifest, write_model

FRUIT = Path(__file__).parents[2] / 'data' / 'fruit.onnx'
WEIGHTS = FRUIT.read_bytes()


@pytest.fixture
def card() -> ModelCard:
    return ModelCard.from_json(FRUIT.with_suffix('.json').read_text())


@pytest.fixture
def folder(tmp_path: Path, card: ModelCard) -> Path:
    """Folder of weights with one model."""
    write_model(tmp_path / 'weights', card, WEIGHTS)
    return tmp_path / 'weights'


def test_manifest_names_what_is_there(folder: Path, card: ModelCard) -> None:
    """Files, hashes, and the task's name for its first model."""
    text = (folder / 'fruit-1.0.json').read_text()
    assert ModelCard.from_json(text) == card
    assert (folder / 'fruit-1.0.onnx').read_bytes() == WEIGHTS
    assert read_manifest(folder) == {
        'models': {
            'fruit': {
                'version': '1.0',
                'weights': 'fruit-1.0.onnx',
                'card': 'fruit-1.0.json',
                'sha256': sha256_of(WEIGHTS),
                'card_sha256': sha256_of(text.encode()),
            }
        },
        'aliases': {'market': 'fruit'},
    }


def test_no_manifest_yet(tmp_path: Path) -> None:
    """A folder without one has no models; a damaged one is said to be so."""
    assert read_manifest(tmp_path) == {'models': {}, 'aliases': {}}
    (tmp_path / 'manifest.json').write_text('{')
    with pytest.raises(OutputError, match=r'manifest\.json: not a manifest .* again'):
        read_manifest(tmp_path)


def test_new_version_takes_the_place_of_the_old(folder: Path, card: ModelCard) -> None:
    """The old files go when the manifest no longer names them."""
    write_model(folder, replace(card, version='1.1'), WEIGHTS)
    names = {path.name for path in folder.iterdir()}
    assert names == {'manifest.json', 'fruit-1.1.onnx', 'fruit-1.1.json'}


def test_another_version_stays_by_name_and_number(
    folder: Path, card: ModelCard
) -> None:
    """Its files too, and its entry as it was; once more changes nothing."""
    before = read_manifest(folder)['models']['fruit']
    for _ in range(2):
        write_model(folder, replace(card, version='1.1'), WEIGHTS, keep=True)
        models = read_manifest(folder)['models']
        assert models['fruit']['version'] == '1.1'
        assert models['fruit-1.0'] == before
        assert set(models) == {'fruit', 'fruit-1.0'}
        named = {models[name][key] for name in models for key in ('weights', 'card')}
        assert {p.name for p in folder.iterdir()} == {'manifest.json', *named}


def test_a_card_alone(folder: Path, card: ModelCard) -> None:
    """Without weights those that are there stay, and the manifest follows the card."""
    write_model(folder, replace(card, limits=('None.',)))
    entry = read_manifest(folder)['models']['fruit']
    text = (folder / entry['card']).read_bytes()
    assert ModelCard.from_json(text.decode()).limits == ('None.',)
    assert entry['card_sha256'] == sha256_of(text)
    assert (folder / entry['weights']).read_bytes() == WEIGHTS


def test_the_default_is_what_the_task_means(folder: Path, card: ModelCard) -> None:
    """The first model of a task, until another is made the default."""

    def meant() -> str:
        manifest = json.loads((folder / 'manifest.json').read_text())
        assert set(manifest['models']) == {'fruit', 'second'}
        return str(manifest['aliases']['market'])

    second = replace(card, name='second')
    write_model(folder, second, WEIGHTS)
    assert meant() == 'fruit'
    write_model(folder, second, WEIGHTS, default=True)
    assert meant() == 'second'
    write_model(folder, card, WEIGHTS)
    assert meant() == 'second'


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_or_nothing(
    folder: Path, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one file cannot be written, none is changed."""
    before = contents(folder)
    with pytest.raises(ExportError, match='another SHA-256'):
        write_model(folder, card, b'other')
    assert contents(folder) == before
    write_bytes = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.suffix == '.onnx':
            raise OSError(28, 'No space left on device')
        return write_bytes(path, content)

    monkeypatch.setattr(Path, 'write_bytes', full)
    with pytest.raises(OutputError, match='No space left'):
        write_model(folder, replace(card, version='1.1'), WEIGHTS)
    assert contents(folder) == before
