"""Images in, tables and maps out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import QTable, Table

from astrosieve.classes import UNSCORED
from astrosieve.images import Tiling, read_chips, run_tiles
from astrosieve.models.registry import Model
from astrosieve.tables.catalogs import add_classes
from toytask.preprocessing import Scaled

__all__ = ['classify_frames', 'map_classes']

_SIZE = 16


def _frames(path: Path) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the frames of an image, their corners (y, x), and the chip."""
    chip = next(iter(read_chips(path)))
    corners = np.argwhere(np.ones([n // _SIZE for n in chip.sci.shape])) * _SIZE
    frames = [chip.sci[y : y + _SIZE, x : x + _SIZE] for y, x in corners]
    return np.stack(frames), corners, chip.extver


def classify_frames(path: Path, model: Model) -> Table:
    """Return a row for each frame of 16x16 pixels of an image."""
    frames, corners, extver = _frames(path)
    batch = Scaled()(frames)
    p = model.predict(batch.inputs)
    names = np.array(model.card.classes)[p.argmax(axis=1)]
    table = add_classes(
        QTable({'id': np.arange(1, len(p) + 1)}),
        xy=corners[:, ::-1] + (_SIZE - 1) / 2,
        class_names=np.where(batch.valid, names, UNSCORED),
        probabilities=np.where(batch.valid[:, None], p, np.nan),
        classes=model.card.classes,
        flags=batch.flags,
        extver=extver,
    )
    table.meta['model'] = f'{model.card.name} {model.card.version}'
    return table


def map_classes(path: Path, model: Model) -> np.ndarray:
    """Return the probability of each class in each pixel, (C, ny, nx)."""
    sci = next(iter(read_chips(path))).sci
    tiling = Tiling((sci.shape[0], sci.shape[1]), _SIZE, _SIZE // 4)
    maps = np.empty((len(model.card.classes), *tiling.shape), dtype=np.float32)
    run_tiles(
        lambda tiles: model.predict(Scaled()(tiles).inputs),
        sci, tiling, out=maps, chunk=64,
    )  # fmt: skip
    return maps
