"""The onnxruntime session."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from astrosieve.exceptions import ModelIntegrityError
from astrosieve.models.registry import Model, load_model
from astrosieve.models.session import OnnxSession


@pytest.fixture
def model(toy_model: Path) -> Model:
    return load_model(toy_model)


@pytest.fixture
def session(toy_model: Path) -> OnnxSession:
    return OnnxSession(toy_model.read_bytes, name='fruit')


@pytest.fixture
def inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(8)
    return {'pixels': rng.uniform(size=(1000, 1, 4, 4)).astype(np.float32)}


def test_opens_when_it_is_first_run(inputs: Any) -> None:
    """Making a session reads nothing, a run reads once."""
    calls = []

    def read() -> bytes:
        calls.append(1)
        return (Path(__file__).parents[2] / 'data' / 'fruit.onnx').read_bytes()

    session = OnnxSession(read, name='fruit')
    assert calls == []
    session.run(inputs)
    session.run(inputs)
    assert calls == [1]


@pytest.mark.parametrize('chunk_size', [1, 7, 256, 999, 1000, 100_000])
def test_chunk_size_changes_nothing(
    chunk_size: int, session: OnnxSession, inputs: Any
) -> None:
    """The result is the same to the bit, last incomplete chunk included."""
    expected = session.run(inputs)
    assert expected.shape == (1000, 3)
    assert expected.dtype == np.float32
    assert np.array_equal(session.run(inputs, chunk_size=chunk_size), expected)


@pytest.mark.parametrize('threads', [1, 2, 3])
def test_threads_change_nothing(
    threads: int, toy_model: Path, session: OnnxSession, inputs: Any
) -> None:
    """The result is the same to the bit for any number of threads."""
    other = OnnxSession(toy_model.read_bytes, name='fruit', threads=threads)
    assert np.array_equal(other.run(inputs), session.run(inputs))


def test_order_changes_nothing(session: OnnxSession, inputs: Any) -> None:
    """Rows do not see each other."""
    order = np.random.default_rng(9).permutation(1000)
    shuffled = {'pixels': inputs['pixels'][order]}
    assert np.array_equal(session.run(shuffled), session.run(inputs)[order])


def test_no_rows(session: OnnxSession, inputs: Any) -> None:
    """No rows in, none out, of the right width."""
    assert session.run({'pixels': inputs['pixels'][:0]}).shape == (0, 3)


@pytest.mark.parametrize('used', [False, True])
@pytest.mark.parametrize(
    'duplicate', [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_copies_give_the_same(
    duplicate: Any, used: bool, model: Model, inputs: Any
) -> None:
    """Copies and pickles, of a session used or not, work where they arrive."""
    expected = model.predict(inputs)
    fresh = load_model(model.path)
    if used:
        fresh.predict(inputs)
    assert np.array_equal(duplicate(fresh).predict(inputs), expected)


def test_pickle_is_small(model: Model, inputs: Any) -> None:
    """The weights do not travel; they are verified where the pickle arrives."""
    model.predict(inputs)
    assert len(pickle.dumps(model)) < 5000


def test_pickle_without_its_file(toy_model: Path, tmp_path: Path, inputs: Any) -> None:
    """A pickle that arrives where there are no weights says so when it is run."""
    for path in (toy_model, toy_model.with_suffix('.json')):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    pickled = pickle.dumps(load_model(tmp_path / 'fruit.onnx'))
    (tmp_path / 'fruit.onnx').unlink()
    with pytest.raises(ModelIntegrityError, match=r'fruit\.onnx cannot be read'):
        pickle.loads(pickled).predict(inputs)


def test_threads_share_a_session(toy_model: Path, inputs: Any) -> None:
    """Threads that meet at the first run open it once and get the same."""
    reads = []

    def read() -> bytes:
        reads.append(1)
        return toy_model.read_bytes()

    session = OnnxSession(read, name='fruit')
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: session.run(inputs), range(8)))
    assert len(reads) == 1
    assert all(np.array_equal(result, results[0]) for result in results)


@pytest.mark.parametrize('content', [b'', b'not a network', b'\x08\x08'])
def test_not_a_network(content: bytes, inputs: Any) -> None:
    """What onnxruntime cannot open is named."""
    session = OnnxSession(lambda: content, name='broken.onnx')
    with pytest.raises(ModelIntegrityError, match=r'broken\.onnx: not a usable ONNX'):
        session.run(inputs)


@pytest.mark.parametrize('chunk_size', [0, -1])
def test_chunk_size_must_be_positive(
    chunk_size: int, session: OnnxSession, inputs: Any
) -> None:
    """The message names the parameter."""
    with pytest.raises(ValueError, match=f'chunk_size must be .*; got {chunk_size}'):
        session.run(inputs, chunk_size=chunk_size)
