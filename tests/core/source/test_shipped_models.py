"""The models that travel with the package."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import astrosieve.weights
from astrosieve import classify_sources, list_models, load_model
from astrosieve.images.exposures import read_chips
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import Model
from astrosieve.source.demo import demo_exposure, demo_truth
from astrosieve.source.preprocessing import get_preprocessing

WEIGHTS = Path(astrosieve.weights.__path__[0])
MANIFEST = json.loads((WEIGHTS / 'manifest.json').read_text())
GOLDEN = Path(__file__).parents[2] / 'data'
# Vector instructions and what is left over at the end of a chunk round differently.
ROUNDING = 1e-6
SOURCE_MODELS = [name for name in MANIFEST['models'] if name.startswith('source')]


@pytest.fixture(params=SOURCE_MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    return load_model(request.param)


@pytest.fixture
def inputs(model: Model) -> dict[str, np.ndarray]:
    """Uniform noise in each image, and widths of the PSF, of all inputs wanted."""
    shapes = get_preprocessing(model.card.preprocessing).shapes
    rng = np.random.default_rng(12)
    ranges = {name: (1.5, 4.0) if name == 'fwhm' else (0.0, 1.0) for name in shapes}
    return {
        name: rng.uniform(*ranges[name], size=(700, *shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def test_manifest_names_files_and_aliases() -> None:
    """Names, versions and files agree; each alias is of a model; none is too many."""
    for name, entry in MANIFEST['models'].items():
        card = load_model(name).card
        stem = f'{card.name}-{entry["version"]}'
        assert (entry['weights'], entry['card']) == (f'{stem}.onnx', f'{stem}.json')
        assert card.version == entry['version']
        assert name in (card.name, stem)
    assert set(MANIFEST['aliases'].values()) <= set(MANIFEST['models'])
    assert 'source' in MANIFEST['aliases'] or 'source' in MANIFEST['models']
    assert set(list_models()) >= {*MANIFEST['aliases'], *MANIFEST['models']}
    named = {e[key] for e in MANIFEST['models'].values() for key in ('weights', 'card')}
    there = {p.name for p in WEIGHTS.iterdir() if p.suffix in ('.onnx', '.json')}
    assert there == {'manifest.json', *named}


def test_published_model_stays_available() -> None:
    """Whatever 'source' is, the published three-class network has its own name."""
    assert load_model('source-isr2024').card.classes == ('star', 'cosmic_ray', 'spike')


def test_weights_are_small(model: Model) -> None:
    """A source model has 500 kB at most, those of all tasks 25 MB together."""
    assert model.path.stat().st_size <= 500_000
    assert sum(p.stat().st_size for p in WEIGHTS.iterdir() if p.is_file()) <= 25e6


def test_cards_are_complete(model: Model) -> None:
    """Operating points, data, split, limits, references: all are stated."""
    card = model.card
    assert card.task == 'source'
    assert card.operating_points
    for name, point in card.operating_points.items():
        assert 0 < card.threshold(name, 'p_star') < 1
        assert point.on == 'p_star'
        assert list(point.measured) == ['completeness', 'purity']
        asked = {
            ('pure', 'purity'): 0.98,
            ('pure', 'completeness'): 0.8,
            ('complete', 'completeness'): 0.98,
        }
        for what, share in point.measured.items():
            least = asked.get((name, what), 0.9)
            assert least < share.low < share.value < share.high < 1
        assert point.sample
    for text in (card.description, card.training_data, card.split, card.licence):
        assert text
    assert card.limits
    assert card.references
    assert sum(card.class_prior.values()) == pytest.approx(1)
    assert card.domain['fwhm'][0] < card.domain['fwhm'][1]


def test_a_card_made_before() -> None:
    """The published network's card in its form before: same limits, same counts."""
    text = (GOLDEN / 'card-before.json').read_text()
    card, found = load_model('source-isr2024').card, ModelCard.from_json(text)
    assert replace(found, operating_points={}) == replace(
        card, operating_points={}, metrics={}
    )
    for name, stated in json.loads(text)['operating_points'].items():
        point, old = card.operating_points[name], found.operating_points[name]
        assert (old.threshold, old.on) == (point.threshold, point.on)
        assert old.measured == point.measured
        for what, share in old.measured.items():
            numbers = [stated[what], *stated[f'{what}_interval']]
            assert [share.value, share.low, share.high] == pytest.approx(
                numbers, abs=1e-9
            )


@pytest.mark.parametrize('chunk_size', [1, 7, 256, 699, 100_000])
def test_chunk_size_changes_nothing(
    chunk_size: int, model: Model, inputs: dict[str, np.ndarray]
) -> None:
    """Probabilities are the same, to the last bits of float32."""
    expected = model.predict(inputs)
    assert np.isfinite(expected).all()
    found = model.predict(inputs, chunk_size=chunk_size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize('threads', [1, 2, 4])
def test_threads_and_order_change_nothing(
    threads: int, model: Model, inputs: dict[str, np.ndarray]
) -> None:
    """Nor do the number of threads and the order of the rows."""
    expected = model.predict(inputs)
    other = load_model(model.path, threads=threads)
    order = np.random.default_rng(13).permutation(len(expected))
    shuffled = {key: value[order] for key, value in inputs.items()}
    found = other.predict(shuffled)
    np.testing.assert_allclose(found, expected[order], rtol=0, atol=ROUNDING)


def test_golden_scores(model: Model) -> None:
    """What the model says of the bundled exposure is what it said when exported."""
    card = model.card
    golden = GOLDEN / f'golden-{card.name}-{card.version}.npz'
    expected = np.load(golden)['probabilities']
    chip = next(read_chips(demo_exposure()))
    table = classify_sources(
        chip.sci, demo_truth(), dq=chip.dq, unit='electron', model=model
    )
    found = np.column_stack([table[f'p_{name}'] for name in card.classes])
    assert found.shape == expected.shape
    assert np.isfinite(expected).all(axis=1).sum() > 400
    np.testing.assert_allclose(found, expected, atol=2e-4)
