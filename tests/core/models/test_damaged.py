"""Damaged cards and networks: a model, or one kind of error."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from astrosieve.exceptions import ModelError
from astrosieve.models.registry import load_model

VALUES: tuple[Any, ...] = (
    None, True, 'text', -1.5, 0, float('nan'), float('inf'), 10**400, [], {}, ['a', 1],
    {'a': {'b': None}}, '\ud800',
)  # fmt: skip


def places(card: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yield the way to each value of a card."""
    inside = card.items() if isinstance(card, dict) else enumerate(card)
    for key, value in inside:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


def use(path: Path, card: Any = None) -> str:
    """Load a model, print it, run it; say how it went."""
    if card is not None:
        path.with_suffix('.json').write_text(json.dumps(card), encoding='utf-8')
    try:
        model = load_model(path)
        assert model.card.summary()
        assert model.card.details()
        for name in model.card.operating_points:
            model.card.threshold(name, 'p_star')
        model.card.complete_prior({'star': 0.5})
        inputs = {'cutouts': np.ones((3, 1, 11, 11), dtype=np.float32)}
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', RuntimeWarning)
            probabilities = model.predict(inputs)
        assert probabilities.shape[:2] == (3, len(model.card.classes))
    except ModelError:
        return 'refused'
    return 'used'


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """Copy of the network made by hand, with its card."""
    for suffix in ('.onnx', '.json'):
        shutil.copy(tiny_model.with_suffix(suffix), tmp_path)
    return tmp_path / tiny_model.name


@pytest.mark.parametrize('value', VALUES, ids=lambda value: repr(value)[:12])
def test_cards_with_another_value(value: Any, model: Path) -> None:
    """Whatever stands where, the card is used or refused."""
    card = json.loads(model.with_suffix('.json').read_text(encoding='utf-8'))
    outcomes: Counter[str] = Counter()
    for way in places(card):
        damaged = deepcopy(card)
        part = damaged
        for key in way[:-1]:
            part = part[key]
        part[way[-1]] = value
        try:
            outcomes[use(model, damaged)] += 1
        except Exception as error:
            error.add_note(f'{way} = {value!r}')
            raise
    assert outcomes['refused'] > 10


def test_cards_without_a_value(model: Path) -> None:
    """Whatever is missing, the card is used or refused."""
    card = json.loads(model.with_suffix('.json').read_text(encoding='utf-8'))
    for way in places(card):
        damaged = deepcopy(card)
        part = damaged
        for key in way[:-1]:
            part = part[key]
        del part[way[-1]]
        use(model, damaged)


@pytest.mark.parametrize(
    'text',
    [b'', b'[]', b'{}', b'null', b'\xff\xfe{', b'{"a": ' * 100_000, b'[' * 100_000],
    ids=lambda text: repr(text[:6]),
)
def test_files_that_are_no_cards(text: bytes, model: Path) -> None:
    """Other JSON, no JSON, too deep, no text at all."""
    model.with_suffix('.json').write_bytes(text)
    with pytest.raises(ModelError):
        load_model(model)


@pytest.mark.parametrize('name', ['a' * 300 + '.onnx', 'a\0b.onnx'])
def test_impossible_names(name: str, tmp_path: Path) -> None:
    """A name that no file can have is that of no model."""
    with pytest.raises(ModelError):
        load_model(tmp_path / name)


NETWORKS = """
import sys
sys.path[:0] = sys.argv[1:2]
import json, numpy as np
from pathlib import Path
from test_damaged import use
from astrosieve.models.registry import sha256_of
path = Path(sys.argv[2])
whole = path.read_bytes()
card = json.loads(path.with_suffix('.json').read_text())
for seed in range(int(sys.argv[3])):
    rng = np.random.default_rng(seed)
    content = bytearray(whole)
    if seed % 4:
        for at in rng.integers(len(content), size=1 + seed % 5):
            content[at] = rng.integers(256)
    else:
        content = content[: rng.integers(len(content))]
    path.write_bytes(content)
    print(use(path, {**card, 'sha256': sha256_of(content)}))
"""


def test_networks(model: Path) -> None:
    """A network whose bytes are others is used or refused, its hash being right."""
    ran = subprocess.run(
        [sys.executable, '-c', NETWORKS, str(Path(__file__).parent), str(model), '120'],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    outcomes = Counter(ran.stdout.split())
    assert outcomes['refused'] > 20
    assert outcomes['used'] > 5
