"""Coordinate files: 1-based x, y, flux."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table

from astrosieve.exceptions import CatalogError, OutputError
from astrosieve.tables.coordinate_files import (
    detection_flux,
    read_coordinates,
    write_coordinates,
)


@pytest.fixture
def table() -> Table:
    return Table(
        {
            'x_centroid': [0.0, 10.25, np.nan],
            'y_centroid': [0.0, 20.5, 3.0],
            'flux': [5.0, np.nan, 1.0],
            'class_name': ['star', 'a b', 'star'],
            'p_star': np.array([0.25, 1.0, 0.5], np.float32),
        }
    )


def test_the_first_pixel_is_one(table: Table, tmp_path: Path) -> None:
    """Positions in the file are 1-based; rows without a position are left out."""
    path = tmp_path / 'a.coo'
    assert write_coordinates(table, path, comments={'model': 'm 1'}) == 2
    lines = path.read_text().splitlines()
    assert lines[0] == '# model: m 1'
    assert lines[-2].split() == ['1.0000', '1.0000', '5']
    assert lines[-1].split() == ['11.2500', '21.5000', '0']


def test_round_trip(table: Table, tmp_path: Path) -> None:
    """What is read is 0-based again, with the comments."""
    path = tmp_path / 'a.coo'
    write_coordinates(table, path, comments={'finder': 'dao', 'odd': 'two\nlines'})
    again = read_coordinates(path)
    assert np.allclose(again['x_centroid'], [0, 10.25])
    assert np.allclose(again['y_centroid'], [0, 20.5])
    assert list(again['id']) == [1, 2]
    assert again.meta['finder'] == 'dao'
    assert again.meta['odd'] == 'two lines'


def test_extra_columns_are_words(table: Table, tmp_path: Path) -> None:
    """Further columns follow the flux, one word each."""
    path = tmp_path / 'a.coo'
    write_coordinates(table, path, extra=('class_name', 'p_star'))
    assert path.read_text().splitlines()[-1].split()[3:] == ['a_b', '1']
    with pytest.raises(CatalogError, match="no column 'p_spike'"):
        write_coordinates(table, path, extra=('p_spike',), overwrite=True)


def test_empty_catalogue(table: Table, tmp_path: Path) -> None:
    """No rows make a file of comments, which reads as an empty table."""
    path = tmp_path / 'a.coo'
    assert write_coordinates(table[:0], path) == 0
    assert len(read_coordinates(path)) == 0


@pytest.mark.parametrize(
    ('columns', 'expected'),
    [
        ({'peak': [3.0], 'flux': [2.0]}, 2.0),
        ({'flux_2x2': [7.0]}, 7.0),
        ({'mag': [21.0]}, 0.0),
    ],
)
def test_flux_by_preference(columns: dict, expected: float) -> None:
    """The finder's flux, else its peak, else zero."""
    assert detection_flux(QTable(columns))[0] == expected


@pytest.mark.parametrize('text', ['1 2 3\n4\n', '1 two 3\n'])
def test_refuses_what_are_not_numbers(text: str, tmp_path: Path) -> None:
    """The message names file and line."""
    path = tmp_path / 'a.coo'
    path.write_text(text)
    with pytest.raises(CatalogError, match=r'a\.coo: line [12] must hold x, y'):
        read_coordinates(path)
    with pytest.raises(CatalogError, match='cannot be read'):
        read_coordinates(tmp_path / 'none.coo')


def test_files_are_kept(table: Table, tmp_path: Path) -> None:
    """An existing file is not replaced unasked."""
    path = tmp_path / 'a.coo'
    path.write_text('mine')
    with pytest.raises(OutputError, match='exists'):
        write_coordinates(table, path)
    assert path.read_text() == 'mine'
