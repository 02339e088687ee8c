"""Files of labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from astrosieve.exceptions import CatalogError, OutputError
from astrosieve.source.labels import (
    LABEL_FORMAT,
    make_labels,
    match_labels,
    merge_labels,
    read_labels,
    write_labels,
)

XY = [(10.25, 20.5), (30.0, 4.125), (7.0, 7.0)]


@pytest.fixture
def labels() -> Table:
    return make_labels('in/j1_flc.fits', 2, XY, ['star', 'cosmic_ray', 'my_class2'])


def test_round_trip(labels: Table, tmp_path: Path) -> None:
    """What is written is read; nothing says who gave the labels, or when."""
    path = tmp_path / 'labels.ecsv'
    write_labels(labels, path)
    again = read_labels(path)
    assert again.colnames == ['exposure', 'extver', 'x_centroid', 'y_centroid', 'label']
    assert dict(again.meta) == {'format': LABEL_FORMAT}
    assert again['exposure'].tolist() == ['j1_flc.fits'] * 3
    assert again['extver'].tolist() == [2, 2, 2]
    assert again['label'].tolist() == ['star', 'cosmic_ray', 'my_class2']
    assert np.allclose(np.column_stack([again['x_centroid'], again['y_centroid']]), XY)
    with pytest.raises(OutputError, match='exists'):
        write_labels(labels, path)


def test_other_columns_are_not_written(labels: Table, tmp_path: Path) -> None:
    """A column that a caller added stays out of the file."""
    labels['who'] = 'me'
    write_labels(labels, tmp_path / 'a.ecsv')
    assert 'who' not in read_labels(tmp_path / 'a.ecsv').colnames


def test_no_labels(tmp_path: Path) -> None:
    """A table without rows is written and read."""
    write_labels(make_labels('a.fits', 1, [], []), tmp_path / 'a.ecsv')
    assert len(read_labels(tmp_path / 'a.ecsv')) == 0


@pytest.mark.parametrize(
    ('xy', 'names', 'match'),
    [
        ([(1, 2)], ['unscored'], "row 1: 'unscored' is not the name of a class"),
        ([(1, 2)], ['Star!'], 'is not the name of a class'),
        ([(1, np.nan)], ['star'], 'finite'),
        ([(1, 2)], ['star', 'spike'], '1 positions and 2 labels'),
        ([(1, 2), (1.001, 2)], ['star', 'spike'], 'labelled spike and star'),
    ],
)
def test_what_is_no_label(xy: list, names: list[str], match: str) -> None:
    """Classes that are none, positions that are none, and contradictions."""
    with pytest.raises(CatalogError, match=match):
        make_labels('a.fits', 1, xy, names)


def test_files_that_hold_no_labels(labels: Table, tmp_path: Path) -> None:
    """The message names the file and what is wrong with it."""
    with pytest.raises(CatalogError, match='no such file'):
        read_labels(tmp_path / 'none.ecsv')
    path = tmp_path / 'text.ecsv'
    path.write_text('not a table')
    with pytest.raises(CatalogError, match='no labels can be read'):
        read_labels(path)
    bare = Table(labels, meta={})
    bare.write(tmp_path / 'bare.ecsv')
    with pytest.raises(CatalogError, match='not a table of labels'):
        read_labels(tmp_path / 'bare.ecsv')
    labels.remove_column('extver')
    labels.write(tmp_path / 'short.ecsv')
    with pytest.raises(CatalogError, match="no column 'extver'"):
        read_labels(tmp_path / 'short.ecsv')


def test_the_new_label_counts(labels: Table) -> None:
    """Of two labels of one position the later stays; the others are kept."""
    new = make_labels('j1_flc.fits', 2, [XY[1], (50, 50)], ['star', 'spike'])
    merged = merge_labels(labels, new)
    found = {
        (row['x_centroid'], row['y_centroid']): str(row['label']) for row in merged
    }
    assert found == {
        XY[0]: 'star',
        XY[1]: 'star',
        XY[2]: 'my_class2',
        (50, 50): 'spike',
    }
    other = make_labels('j1_flc.fits', 1, XY[:1], ['spike'])
    assert len(merge_labels(merged, other)) == 5


def test_labels_find_their_detections(labels: Table) -> None:
    """The nearest within the radius, of the same exposure and chip."""
    xy = np.array([(30.3, 4.0), (np.nan, 1), (10.25, 20.9), (7.0, 8.0), (10.2, 20.5)])
    rows, names = match_labels(labels, '/data/j1_flc.fits', 2, xy)
    assert dict(zip(rows.tolist(), names.tolist(), strict=True)) == {
        4: 'star',
        0: 'cosmic_ray',
    }
    assert len(match_labels(labels, 'j1_flc.fits', 1, xy)[0]) == 0
    assert len(match_labels(labels, 'j2_flc.fits', 2, xy)[0]) == 0
    assert len(match_labels(labels, 'j1_flc.fits', 2, [])[0]) == 0
    wide, _ = match_labels(labels, 'j1_flc.fits', 2, xy, radius=2)
    assert sorted(wide.tolist()) == [0, 3, 4]
