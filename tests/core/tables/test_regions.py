"""DS9 region files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable

from astrosieve.classes import ClassInfo, ClassSet, Marker
from astrosieve.exceptions import OutputError
from astrosieve.tables.regions import write_regions

CLASSES = ClassSet(
    [
        ClassInfo('pear', 'pears', 'green', Marker('#1fd655', 'o', 'circle')),
        ClassInfo('cherry', 'cherries', 'red', Marker('#ff3b30', 'x', 'x')),
    ]
)


@pytest.fixture
def catalog() -> QTable:
    return QTable(
        {
            'id': [1, 2, 3, 4],
            'x_centroid': [0.0, 10.25, np.nan, 5.0],
            'y_centroid': [0.0, 20.5, 3.0, 6.0],
            'class_name': ['pear', 'cherry', 'pear', 'unscored'],
        }
    )


def test_positions_are_one_based(catalog: QTable, tmp_path: Path) -> None:
    """The first pixel's centre is (1, 1) for DS9; rows without place are left out."""
    path = tmp_path / 'out.reg'
    write_regions(catalog, path, CLASSES)
    lines = path.read_text().splitlines()
    assert lines[0].startswith('# Region file format: DS9')
    assert lines[2] == 'image'
    assert set(lines[3:]) == {
        'point(1.000,1.000) # point=circle color=#1fd655 tag={pear} text={1}',
        'point(11.250,21.500) # point=x color=#ff3b30 tag={cherry} text={2}',
        'point(6.000,7.000) # point=boxcircle color=#ffffff tag={unscored} text={4}',
    }
    assert len(lines) == 6


def test_classes_of_other_models(catalog: QTable, tmp_path: Path) -> None:
    """A user's model may have classes of its own; they are drawn as well."""
    catalog['class_name'] = ['pear', 'plum', 'pear', 'plum']
    path = tmp_path / 'out.reg'
    write_regions(catalog, path, CLASSES)
    assert path.read_text().count('tag={plum}') == 2


def test_empty_catalog(catalog: QTable, tmp_path: Path) -> None:
    """No rows, but a region file all the same."""
    path = tmp_path / 'out.reg'
    write_regions(catalog[:0], path, CLASSES)
    assert len(path.read_text().splitlines()) == 3


def test_existing_file_is_kept(catalog: QTable, tmp_path: Path) -> None:
    """Regions are overwritten on demand only."""
    path = tmp_path / 'out.reg'
    path.touch()
    with pytest.raises(OutputError, match='exists'):
        write_regions(catalog, path, CLASSES)
    write_regions(catalog, path, CLASSES, overwrite=True)
    assert path.stat().st_size > 0
