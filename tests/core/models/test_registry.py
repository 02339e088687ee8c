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

INPUTS = {'cutouts': np.zeros((2, 1, 11, 11), dtype=np.float32)}


def rewrite(path: Path, **changes: Any) -> None:
    """Change values of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.fixture
def own_model(tiny_model: Path, tmp_path: Path) -> Path:
    """A model in the user's own folder."""
    for path in (tiny_model, tiny_model.with_suffix('.json')):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / tiny_model.name


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


@pytest.mark.parametrize('name', ['tiny', 'source'])
def test_name_and_alias(name: str, tiny_weights: Path) -> None:
    """A model is loaded by its name and by its alias, and runs."""
    model = load_model(name)
    assert model.card.name == 'tiny'
    assert repr(model) == '<Model tiny 1.0.0>'
    probabilities = model.predict(INPUTS)
    assert probabilities.shape == (2, 3)
    assert np.allclose(probabilities.sum(axis=1), 1)


def test_task(tiny_weights: Path) -> None:
    """A model is refused where another task's is wanted, loaded before or now."""
    model = load_model('tiny', task='source')
    assert load_model(model, task='source') is model
    for each in ('tiny', model):
        with pytest.raises(ModelError, match="tiny is for task 'source', not 'blob'"):
            load_model(each, task='blob')


def test_list(tiny_weights: Path) -> None:
    """Aliases come first."""
    assert list_models() == ['source', 'tiny']


def test_unknown_name(tiny_weights: Path) -> None:
    """The message lists the known names and offers a path."""
    with pytest.raises(ModelError, match=r"'soup'; known are source, tiny, or .* path"):
        load_model('soup')


def test_errors_are_of_one_family() -> None:
    """A caller can catch all of the package's errors, or the usual ValueError."""
    assert issubclass(ModelIntegrityError, ModelError)
    assert issubclass(ModelError, AstrosieveError)
    assert issubclass(ModelError, ValueError)


def test_corrupt_weights(tiny_weights: Path) -> None:
    """One flipped bit is found; both hashes are shown, and the cure."""
    path = tiny_weights / 'tiny.onnx'
    content = bytearray(path.read_bytes())
    expected = sha256_of(bytes(content))
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelIntegrityError, match=r'damaged .* Reinstall') as caught:
        load_model('tiny')
    assert expected in str(caught.value)
    assert sha256_of(bytes(content)) in str(caught.value)


def test_truncated_weights(tiny_weights: Path) -> None:
    """Half a file is damaged as well."""
    path = tiny_weights / 'tiny.onnx'
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelIntegrityError, match=r'tiny\.onnx is damaged'):
        load_model('tiny')


def test_weights_that_change_later(tiny_weights: Path) -> None:
    """The bytes that are run are those that were verified, not read unseen."""
    model = load_model('tiny')
    (tiny_weights / 'tiny.onnx').write_bytes(b'something else')
    with pytest.raises(ModelIntegrityError, match=r'tiny\.onnx is damaged'):
        model.predict(INPUTS)


@pytest.mark.parametrize('name', ['tiny.onnx', 'tiny.json'])
def test_missing_file(name: str, tiny_weights: Path) -> None:
    """A file of the manifest that is not there is named."""
    (tiny_weights / name).unlink()
    with pytest.raises(ModelIntegrityError, match=f'{name} cannot be read .*reinstall'):
        load_model('tiny')


def test_changed_card(tiny_weights: Path) -> None:
    """Cards are verified as weights are."""
    rewrite(tiny_weights / 'tiny.json', temperature=3.0)
    with pytest.raises(ModelIntegrityError, match=r'tiny\.json is damaged'):
        load_model('tiny')


def test_manifest_and_card_disagree(tiny_weights: Path) -> None:
    """A manifest with another hash than its card's is not trusted."""
    manifest = json.loads((tiny_weights / 'manifest.json').read_text())
    manifest['models']['tiny']['sha256'] = '0' * 64
    rewrite(tiny_weights / 'manifest.json', models=manifest['models'])
    with pytest.raises(ModelIntegrityError, match='the manifest disagree; reinstall'):
        load_model('tiny')


@pytest.mark.parametrize('content', [None, '', '{', '[]', '{"models": {}}'])
def test_broken_manifest(content: str | None, tiny_weights: Path) -> None:
    """A missing or damaged manifest is a broken installation, and called that."""
    manifest = tiny_weights / 'manifest.json'
    manifest.unlink() if content is None else manifest.write_text(content)
    for use in (lambda: load_model('tiny'), list_models):
        with pytest.raises(ModelIntegrityError, match='reinstall astrosieve'):
            use()


def test_path(own_model: Path) -> None:
    """A model of the user's own is loaded by its path, text or Path."""
    assert load_model(own_model).card.name == 'tiny'
    assert load_model(str(own_model)).path == own_model


def test_path_does_not_need_the_shipped_models(
    own_model: Path, tiny_weights: Path
) -> None:
    """A broken installation does not keep users from their own models."""
    (tiny_weights / 'manifest.json').unlink()
    assert load_model(own_model).card.name == 'tiny'


@pytest.mark.parametrize('suffix', ['.onnx', '.json'])
def test_path_lacks_a_file(suffix: str, own_model: Path) -> None:
    """Weights without card and card without weights: the missing one is named."""
    own_model.with_suffix(suffix).unlink()
    with pytest.raises(ModelError, match=rf'tiny\{suffix}: no such file; a model is'):
        load_model(own_model)


def test_path_with_another_hash(own_model: Path) -> None:
    """The card's hash counts for users' models too."""
    own_model.write_bytes(own_model.read_bytes() + b'\0')
    with pytest.raises(ModelIntegrityError, match=r'tiny\.onnx is damaged'):
        load_model(own_model)


def test_path_with_a_broken_card(own_model: Path) -> None:
    """The card is named, and what it should hold."""
    own_model.with_suffix('.json').write_text('{"name": "tiny"}')
    with pytest.raises(ModelError, match=r'tiny\.json: not a model card'):
        load_model(own_model)


@pytest.mark.usefixtures('fake_distribution', 'tiny_weights')
def test_models_of_other_distributions() -> None:
    """An entry point adds a model by name; it comes after ours."""
    assert list_models() == ['source', 'tiny', 'theirs']
    assert load_model('theirs').card.name == 'tiny'


@pytest.mark.usefixtures('fake_distribution', 'tiny_weights')
def test_added_models_are_verified(own_model: Path) -> None:
    """The hash counts for other distributions' models too."""
    own_model.write_bytes(own_model.read_bytes() + b'\0')
    with pytest.raises(ModelIntegrityError, match=r'tiny\.onnx is damaged'):
        load_model('theirs')


def test_outputs_and_classes_must_agree(tiny_model: Path) -> None:
    """A card that names more classes than the network has outputs is refused."""
    card = load_model(tiny_model).card
    classes = (*card.classes, 'extended')
    prior = dict.fromkeys(classes, 0.25)
    model = Model(replace(card, classes=classes, class_prior=prior), tiny_model)
    with pytest.raises(ModelIntegrityError, match='3 outputs, its card names 4'):
        model.predict(INPUTS)


def test_copies_share_the_model(tiny_model: Path) -> None:
    """A deep copy is the model itself: nothing in it changes."""
    model = load_model(tiny_model)
    assert copy.deepcopy([model])[0] is model


def test_temperature_is_applied(tiny_model: Path) -> None:
    """A larger temperature makes the probabilities less sure, and keeps the order."""
    model = load_model(tiny_model)
    inputs = {'cutouts': np.zeros((1, 1, 11, 11), dtype=np.float32)}
    inputs['cutouts'][0, 0, 5, 5] = 1
    sure = model.predict(inputs)
    unsure = Model(replace(model.card, temperature=4.0), tiny_model).predict(inputs)
    assert unsure.max() < sure.max()
    assert np.array_equal(np.argsort(unsure), np.argsort(sure))
