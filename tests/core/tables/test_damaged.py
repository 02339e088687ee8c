"""Damaged catalogues: a table with positions, or one kind of error."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable

from astrosieve.exceptions import AstrosieveWarning, CatalogError
from astrosieve.tables.catalogs import (
    TABLE_FORMATS,
    positions,
    read_catalog,
    write_catalog,
)


def whole(folder: Path, format: str) -> bytes:
    """Return a catalogue of ours in a format."""
    rng = np.random.default_rng(2)
    xy = rng.uniform(0, 99, (12, 2))
    table = QTable(
        {'id': np.arange(12), 'x_centroid': xy[:, 0], 'y_centroid': xy[:, 1]}
    )
    table['class_name'] = ['star', 'cosmic_ray', 'unscored'] * 4
    table['sky_centroid'] = SkyCoord(xy[:, 0], xy[:, 1] / 2, unit='deg')
    table.meta['options'] = '{"finder": "dao"}'
    path = folder / f'whole.{format}'
    write_catalog(table, path, format=format)
    return path.read_bytes()


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Break a file off, change bytes, drop or double a piece."""
    changed = bytearray(content)
    kind = rng.integers(4)
    if kind == 0:
        return bytes(changed[: rng.integers(len(changed))])
    if kind == 1:
        for at in rng.integers(len(changed), size=8):
            changed[at] = rng.integers(256)
        return bytes(changed)
    low, high = sorted(rng.integers(len(changed), size=2))
    high = min(high, low + 100)
    low, high = (low, high) if kind == 2 else (high, low)
    return bytes(changed[:low] + changed[high:])


def read(path: Path) -> str:
    """Read a catalogue and its positions; say how it went."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstrosieveWarning)
            xy = positions(read_catalog(path))
        assert xy.shape[1] == 2
    except CatalogError:
        return 'refused'
    return 'read'


@pytest.mark.parametrize('number', [60, pytest.param(600, marks=pytest.mark.slow)])
@pytest.mark.parametrize('format', TABLE_FORMATS)
def test_damaged_catalogues(format: str, number: int, tmp_path: Path) -> None:
    """Whatever bytes are wrong, the catalogue is read or refused."""
    if format == 'parquet':
        pytest.importorskip('pyarrow')
    content = whole(tmp_path, format)
    outcomes: Counter[str] = Counter()
    for seed in range(number):
        path = tmp_path / f'{seed}.{format}'
        path.write_bytes(damaged(content, np.random.default_rng(seed)))
        try:
            outcomes[read(path)] += 1
        except Exception as error:
            error.add_note(f'{format}, seed {seed}')
            raise
        path.unlink()
    assert outcomes['refused'] > number / 10


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'\0' * 4000,
        b'\xff\xfe\x00x\x00y',
        b'x y\n1 \n',
        b'x,y\n1,2\n3\n',
        b'%PDF-1.4',
    ],
)
def test_files_that_are_no_catalogues(content: bytes, tmp_path: Path) -> None:
    """Nothing, zeros, other texts, rows of another length."""
    path = tmp_path / 'a.cat'
    path.write_bytes(content)
    assert read(path) == 'refused'


@pytest.mark.parametrize('name', ['a' * 300, 'a\0b'], ids=('long', 'zero'))
def test_impossible_names(name: str, tmp_path: Path) -> None:
    """A name that no file can have is that of no catalogue."""
    assert read(tmp_path / name) == 'refused'
