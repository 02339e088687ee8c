"""Folders of weights: ONNX files, cards and manifest."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import OutputError
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import sha256_of
from astrosieve_training.learn.parity import ExportError

__all__ = ['read_manifest', 'write_model']


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder of weights; an empty one if there is none."""
    path = folder / 'manifest.json'
    if not path.is_file():
        return {'models': {}, 'aliases': {}}
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        msg = f'{path}: not a manifest ({error}); take it away and export again'
        raise OutputError(msg) from error
    return manifest


def write_model(
    folder: Path,
    card: ModelCard,
    weights: bytes | None = None,
    *,
    default: bool = False,
    keep: bool = False,
) -> None:
    """
    Write a card, its weights, and renew the manifest: all of them, or none.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Folder of weights.
    card : `~astrosieve.models.cards.ModelCard`
        The card; its ``sha256`` must be that of the weights.
    weights : bytes, optional
        ONNX file; without it the one that is there stays.
    default : bool, optional
        Whether the task's name means this model from now on; the first of a task
        is meant anyway.
    keep : bool, optional
        Whether another version of the name that is there stays, as NAME-VERSION;
        else it goes.
    """
    stem = f'{card.name}-{card.version}'
    manifest = read_manifest(folder)
    if weights is not None and sha256_of(weights) != card.sha256:
        msg = f'the card of {card.name} names another SHA-256 than its weights have'
        raise ExportError(msg)
    text = card.to_json().encode()
    old = manifest['models'].get(card.name)
    other = old is not None and old['version'] != card.version
    if other and keep:
        manifest['models'][f'{card.name}-{old["version"]}'] = old
    manifest['models'][card.name] = {
        'version': card.version,
        'weights': f'{stem}.onnx',
        'card': f'{stem}.json',
        'sha256': card.sha256,
        'card_sha256': sha256_of(text),
    }
    if default or card.task not in manifest['aliases']:
        manifest['aliases'][card.task] = card.name
    contents = {
        'manifest.json': (json.dumps(manifest, indent=2) + '\n').encode(),
        f'{stem}.json': text,
        **({} if weights is None else {f'{stem}.onnx': weights}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:  # all are written before one takes its place
        for name, content in contents.items():
            path = atomic_path(folder / name, overwrite=True)
            stack.enter_context(path).write_bytes(content)
    if other and not keep:
        for key in ('weights', 'card'):
            (folder / old[key]).unlink(missing_ok=True)
