"""Models by name, their files verified."""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from astrosieve import list_models, load_model
from astrosieve.exceptions import AstrosieveError, ModelError, ModelIntegrityError
from astrosieve.models.registry import Model, sha256_of

INPUTS = {'pixels': np.zeros((2, 1, 4, 4), dtype=np.float32)}


def rewrite(path: Path, **changes: Any) -> None:
    """Change values of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def own_model(toy_model: Path, tmp_path: Path) -> Path:
    """A model in the user's own folder."""
    for path in (toy_model, toy_model.with_suffix('.json')):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / toy_model.name


@pytest.fixture
def fake_distribution(
    own_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed distribution that adds the model 'theirs'."""
    site = tmp_path / 'site'
    info = site / 'fake_models-1.0.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: fake-models\n')
    (info / 'entry_points.txt').write_text(
        '[astrosieve.models]\ntheirs = fake_models:where\n'
    )
    (site / 'fake_models.py').write_text(f'def where():\n    return {str(own_model)!r}')
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, 'fake_models', raising=False)


@pytest.mark.parametrize('name', ['fruit', 'market'])
def test_name_and_alias(name: str, toy_weights: Path) -> None:
    """A model is loaded by its name and by its alias, and runs."""
    model = load_model(name)
    assert model.card.name == 'fruit'
    assert repr(model) == '<Model fruit 1.0>'
    probabilities = model.predict(INPUTS)
    assert probabilities.shape == (2, 3)
    assert np.allclose(probabilities.sum(axis=1), 1)


@pytest.mark.usefixtures('toy_weights')
def test_task() -> None:
    """A model for another task is refused, by name and when it is loaded already."""
    model = load_model('market', task='market')
    assert load_model(model) is load_model(model, task='market') is model
    for given in ('fruit', model):
        with pytest.raises(ModelError, match=r"fruit is .* 'market', not 'cellar'"):
            load_model(given, task='cellar')


def test_list(toy_weights: Path) -> None:
    """Aliases come first."""
    assert list_models() == ['market', 'fruit']


def test_list_has_each_name_once(toy_weights: Path) -> None:
    """Also one that means itself, as the task's name of its only network."""
    manifest = json.loads((toy_weights / 'manifest.json').read_text())
    manifest['aliases']['fruit'] = 'fruit'
    (toy_weights / 'manifest.json').write_text(json.dumps(manifest))
    assert list_models() == ['market', 'fruit']


def test_unknown_name(toy_weights: Path) -> None:
    """The message lists the known names and offers a path."""
    with pytest.raises(ModelError, match=r"'soup'; known are market, fruit, or .*path"):
        load_model('soup')


def test_errors_are_of_one_family() -> None:
    """A caller can catch all of the package's errors, or the usual ValueError."""
    assert issubclass(ModelIntegrityError, ModelError)
    assert issubclass(ModelError, AstrosieveError)
    assert issubclass(ModelError, ValueError)


def test_corrupt_weights(toy_weights: Path) -> None:
    """One flipped bit is found; both hashes are shown, and the cure."""
    path = toy_weights / 'fruit.onnx'
    content = bytearray(path.read_bytes())
    expected = sha256_of(bytes(content))
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelIntegrityError, match=r'damaged .* Reinstall') as caught:
        load_model('fruit')
    assert expected in str(caught.value)
    assert sha256_of(bytes(content)) in str(caught.value)


def test_truncated_weights(toy_weights: Path) -> None:
    """Half a file is damaged as well."""
    path = toy_weights / 'fruit.onnx'
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelIntegrityError, match=r'fruit\.onnx is damaged'):
        load_model('fruit')


def test_weights_that_change_later(toy_weights: Path) -> None:
    """The bytes that are run are those that were verified, not read unseen."""
    model = load_model('fruit')
    (toy_weights / 'fruit.onnx').write_bytes(b'something else')
    with pytest.raises(ModelIntegrityError, match=r'fruit\.onnx is damaged'):
        model.predict(INPUTS)


@pytest.mark.parametrize('name', ['fruit.onnx', 'fruit.json'])
def test_missing_file(name: str, toy_weights: Path) -> None:
    """A file of the manifest that is not there is named."""
    (toy_weights / name).unlink()
    with pytest.raises(ModelIntegrityError, match=f'{name} cannot be read .*reinstall'):
        load_model('fruit')


def test_changed_card(toy_weights: Path) -> None:
    """Cards are verified as weights are."""
    rewrite(toy_weights / 'fruit.json', temperature=3.0)
    with pytest.raises(ModelIntegrityError, match=r'fruit\.json is damaged'):
        load_model('fruit')


def test_manifest_and_card_disagree(toy_weights: Path) -> None:
    """A manifest with another hash than its card's is not trusted."""
    manifest = json.loads((toy_weights / 'manifest.json').read_text())
    manifest['models']['fruit']['sha256'] = '0' * 64
    rewrite(toy_weights / 'manifest.json', models=manifest['models'])
    with pytest.raises(ModelIntegrityError, match='the manifest disagree; reinstall'):
        load_model('fruit')


@pytest.mark.parametrize('content', [None, '', '{', '[]', '{"models": {}}'])
def test_broken_manifest(content: str | None, toy_weights: Path) -> None:
    """A missing or damaged manifest is a broken installation, and called that."""
    manifest = toy_weights / 'manifest.json'
    manifest.unlink() if content is None else manifest.write_text(content)
    for use in (lambda: load_model('fruit'), list_models):
        with pytest.raises(ModelIntegrityError, match='reinstall astrosieve'):
            use()


def test_path(own_model: Path) -> None:
    """A model of the user's own is loaded by its path, text or Path."""
    assert load_model(own_model).card.name == 'fruit'
    assert load_model(str(own_model)).path == own_model


def test_path_does_not_need_the_shipped_models(
    own_model: Path, toy_weights: Path
) -> None:
    """A broken installation does not keep users from their own models."""
    (toy_weights / 'manifest.json').unlink()
    assert load_model(own_model).card.name == 'fruit'


@pytest.mark.parametrize('suffix', ['.onnx', '.json'])
def test_path_lacks_a_file(suffix: str, own_model: Path) -> None:
    """Weights without card and card without weights: the missing one is named."""
    own_model.with_suffix(suffix).unlink()
    with pytest.raises(ModelError, match=rf'fruit\{suffix}: no such file; a model is'):
        load_model(own_model)


def test_path_with_another_hash(own_model: Path) -> None:
    """The card's hash counts for users' models too."""
    own_model.write_bytes(own_model.read_bytes() + b'\0')
    with pytest.raises(ModelIntegrityError, match=r'fruit\.onnx is damaged'):
        load_model(own_model)


def test_path_with_a_broken_card(own_model: Path) -> None:
    """The card is named, and what it should hold."""
    own_model.with_suffix('.json').write_text('{"name": "fruit"}')
    with pytest.raises(ModelError, match=r'fruit\.json: not a model card'):
        load_model(own_model)


@pytest.mark.usefixtures('fake_distribution', 'toy_weights')
def test_models_of_other_distributions() -> None:
    """An entry point adds a model by name; it comes after ours."""
    assert list_models() == ['market', 'fruit', 'theirs']
    assert load_model('theirs').card.name == 'fruit'


@pytest.mark.usefixtures('fake_distribution', 'toy_weights')
def test_added_models_are_verified(own_model: Path) -> None:
    """The hash counts for other distributions' models too."""
    own_model.write_bytes(own_model.read_bytes() + b'\0')
    with pytest.raises(ModelIntegrityError, match=r'fruit\.onnx is damaged'):
        load_model('theirs')


def test_outputs_and_classes_must_agree(toy_model: Path) -> None:
    """A card that names more classes than the network has outputs is refused."""
    card = load_model(toy_model).card
    classes = (*card.classes, 'quince')
    prior = dict.fromkeys(classes, 0.25)
    model = Model(replace(card, classes=classes, class_prior=prior), toy_model)
    with pytest.raises(ModelIntegrityError, match='3 outputs, its card names 4'):
        model.predict(INPUTS)


def test_copies_share_the_model(toy_model: Path) -> None:
    """A deep copy is the model itself: nothing in it changes."""
    model = load_model(toy_model)
    assert copy.deepcopy([model])[0] is model


def test_probabilities_are_those_of_the_logits(toy_model: Path) -> None:
    """Softmax of the logits over the temperature that the card states."""
    model = load_model(toy_model)
    inputs = {'pixels': np.full((1, 1, 4, 4), 0.75, dtype=np.float32)}
    logits = np.array([1, 0, -1])
    expected = np.exp(logits / 1.5) / np.exp(logits / 1.5).sum()
    assert model.predict(inputs)[0] == pytest.approx(expected, abs=1e-6)


def test_temperature_is_applied(toy_model: Path) -> None:
    """A larger temperature makes the probabilities less sure, and keeps the order."""
    model = load_model(toy_model)
    inputs = {'pixels': np.ones((1, 1, 4, 4), dtype=np.float32)}
    sure = model.predict(inputs)
    unsure = Model(replace(model.card, temperature=4.0), toy_model).predict(inputs)
    assert unsure.max() < sure.max()
    assert np.array_equal(np.argsort(unsure), np.argsort(sure))


def test_maps(maps_model: Path) -> None:
    """Each class of each pixel has a probability of its own, and a temperature."""
    model = load_model(maps_model)
    pixels = np.random.default_rng(3).normal(size=(5, 1, 6, 9)).astype(np.float32)
    found = model.predict({'pixels': pixels}, chunk_size=2)
    assert found.shape == (5, 2, 6, 9)
    assert found.dtype == np.float32
    ripe = 1 / (1 + np.exp(1 - pixels[:, 0].astype(float)))
    assert found[:, 0] == pytest.approx(ripe, abs=1e-6)
    about = sum(
        pixels[:, 0, 1 + dy : 5 + dy, 1 + dx : 8 + dx].astype(float)
        for dy in (-1, 0, 1) for dx in (-1, 0, 1)
    )  # fmt: skip
    inner = pixels[:, 0, 1:5, 1:8]
    rotten = 1 / (1 + np.exp((2 - inner + (about - inner) / 8) / 2))
    assert found[:, 1, 1:5, 1:8] == pytest.approx(rotten, abs=1e-6)
    assert model.predict({'pixels': pixels[:0]}).shape[:2] == (0, 2)


def test_a_watcher_sees_each_chunk(toy_model: Path) -> None:
    """It is called once a chunk, and what it raises ends the work."""
    inputs = {'pixels': np.zeros((10, 1, 4, 4), dtype=np.float32)}
    model, calls = load_model(toy_model), []
    model.predict(inputs, chunk_size=3, on_chunk=lambda: calls.append(1))
    assert len(calls) == 4

    def enough() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.predict(inputs, chunk_size=3, on_chunk=enough)
