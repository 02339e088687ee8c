"""
Models by name or path, their weights verified each time they are loaded.

Shipped models stand in the manifest of the ``weights`` folder. Other
distributions add theirs through the entry-point group ``astrosieve.models``:
an entry is the name of the model and a function that returns the path of its
ONNX file. A model card lies beside each ONNX file, with the suffix ``.json``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.exceptions import ModelError, ModelIntegrityError
from astrosieve.models.calibration import ACTIVATIONS
from astrosieve.models.cards import ModelCard
from astrosieve.models.session import CHUNK_SIZE, OnnxSession

__all__ = ['Model', 'list_models', 'load_model', 'sha256_of']

ENTRY_POINT_GROUP = 'astrosieve.models'
_WEIGHTS = Path(__file__).parents[1] / 'weights'


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class _VerifiedFile:
    """A file that is read only if it is the one expected."""

    path: Path
    sha256: str

    def __call__(self) -> bytes:
        path, shipped = self.path, _WEIGHTS / self.path.name
        if not path.exists() and shipped.exists():  # handed over from another machine
            path = shipped
        try:
            content = path.read_bytes()
        except OSError as error:
            msg = f'{self.path} cannot be read ({error.strerror}); reinstall the model'
            raise ModelIntegrityError(msg) from error
        actual = sha256_of(content)
        if actual != self.sha256:
            msg = (
                f'{self.path} is damaged or not the registered file: SHA-256 is '
                f'{actual}, expected {self.sha256}. Reinstall the model'
            )
            raise ModelIntegrityError(msg)
        return content


class Model:
    """
    A network with its card.

    Parameters
    ----------
    card : `~astrosieve.models.cards.ModelCard`
        The card.
    path : path-like
        ONNX file; its SHA-256 must be the card's.
    threads : int, optional
        Threads of onnxruntime.
    """

    def __init__(
        self, card: ModelCard, path: str | Path, *, threads: int | None = None
    ) -> None:
        self.card = card
        self.path = Path(path)
        read = _VerifiedFile(self.path, card.sha256)
        read()
        self._session = OnnxSession(read, name=str(self.path), threads=threads)

    def __repr__(self) -> str:
        return f'<Model {self.card.name} {self.card.version}>'

    def __deepcopy__(self, memo: dict[int, Any]) -> Model:
        return self  # nothing in it changes

    def outputs(
        self,
        inputs: dict[str, np.ndarray],
        *,
        chunk_size: int = CHUNK_SIZE,
        on_chunk: Callable[[], None] | None = None,
    ) -> np.ndarray:
        """
        Return what the network itself gives: logits, or whatever the task makes of it.

        Parameters
        ----------
        inputs, chunk_size, on_chunk
            As for `predict`.

        Returns
        -------
        outputs : (N, ...) float32 `~numpy.ndarray`
        """
        return self._session.run(inputs, chunk_size=chunk_size, on_chunk=on_chunk)

    def predict(
        self,
        inputs: dict[str, np.ndarray],
        *,
        chunk_size: int = CHUNK_SIZE,
        on_chunk: Callable[[], None] | None = None,
    ) -> np.ndarray:
        """
        Return class probabilities for the card's own mix of classes.

        Parameters
        ----------
        inputs : dict of str to `~numpy.ndarray`
            As the card's preprocessing makes them.
        chunk_size : int, optional
            Rows per run; changes nothing but time and memory.
        on_chunk : callable, optional
            Called after each run; what it raises ends the rest.

        Returns
        -------
        probabilities : (N, C, ...) float32 `~numpy.ndarray`
            Of N rows and C classes.
        """
        card = self.card
        logits = self.outputs(inputs, chunk_size=chunk_size, on_chunk=on_chunk)
        outputs = logits.shape[1] if logits.ndim > 1 else 1
        if logits.ndim < 2 or outputs != len(card.classes):
            msg = (
                f'{self.path} has {outputs} outputs, its card names '
                f'{len(card.classes)} classes; export the model again'
            )
            raise ModelIntegrityError(msg)
        return ACTIVATIONS[card.activation](logits, card.temperature)


def _manifest() -> dict[str, Any]:
    path = _WEIGHTS / 'manifest.json'
    try:
        manifest = json.loads(path.read_text(encoding='utf-8'))
        return {key: manifest[key] for key in ('models', 'aliases')}
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f'{path} is missing or damaged ({error}); reinstall astrosieve'
        raise ModelIntegrityError(msg) from error


def _added() -> dict[str, Any]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def list_models() -> list[str]:
    """
    Return the names that `load_model` takes, each once, aliases first.

    Returns
    -------
    names : list of str
    """
    manifest = _manifest()
    shipped = dict.fromkeys([*manifest['aliases'], *manifest['models']])
    return [*shipped, *sorted(_added().keys() - shipped)]


def load_model(
    name: str | Path | Model, *, task: str | None = None, threads: int | None = None
) -> Model:
    """
    Load a model and verify its files.

    Parameters
    ----------
    name : str, path-like or `Model`
        Name of a shipped or added model, or the path of an ONNX file with its
        card beside it; a loaded model is returned as it is.
    task : str, optional
        What the model has to be for.
    threads : int, optional
        Threads of onnxruntime; by default as many as there are cores.

    Returns
    -------
    model : `Model`

    Raises
    ------
    ModelError
        If there is no such model, or it is for another task.
    ModelIntegrityError
        If a file is missing or is not the one that its hash names.
    """
    model = name if isinstance(name, Model) else _load(name, threads)
    if task is not None and model.card.task != task:
        msg = f'model {model.card.name} is for task {model.card.task!r}, not {task!r}'
        raise ModelError(msg)
    return model


def _load(name: str | Path, threads: int | None) -> Model:
    path = Path(name)
    if path.suffix.lower() == '.onnx':
        return _load_path(path, threads)
    manifest = _manifest()
    key = manifest['aliases'].get(str(name), str(name))
    if key in manifest['models']:
        entry = manifest['models'][key]
        card_file = _VerifiedFile(_WEIGHTS / entry['card'], entry['card_sha256'])
        card = ModelCard.from_json(card_file().decode(), source=entry['card'])
        if card.sha256 != entry['sha256']:
            msg = f'{entry["card"]} and the manifest disagree; reinstall astrosieve'
            raise ModelIntegrityError(msg)
        return Model(card, _WEIGHTS / entry['weights'], threads=threads)
    added = _added()
    if key in added:
        return _load_path(Path(added[key].load()()), threads)
    msg = (
        f'no model {str(name)!r}; known are {", ".join(list_models())}, '
        'or give the path of an .onnx file'
    )
    raise ModelError(msg)


def _load_path(path: Path, threads: int | None) -> Model:
    """Load a model that lies outside the package."""
    card_path = path.with_suffix('.json')
    try:
        for wanted in (path, card_path):
            if not wanted.is_file():
                msg = f'{wanted}: no such file; a model is NAME.onnx and NAME.json'
                raise ModelError(msg)
        text = card_path.read_text(encoding='utf-8')
    except ModelError:
        raise
    except (OSError, ValueError) as error:
        msg = f'{card_path}: no model card can be read from it ({error})'
        raise ModelError(msg) from error
    return Model(
        ModelCard.from_json(text, source=str(card_path)), path, threads=threads
    )
