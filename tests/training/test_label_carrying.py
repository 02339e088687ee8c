"""Labels carried from places to the peaks of exposures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

pytest.importorskip('scipy')

from astrosieve.labels import read_labels, write_labels
from astrosieve_training.label.carrying import carry_labels, label_table
from astrosieve_training.label.naming import NamingSettings
from astrosieve_training.label.regions import UNLABELLED

SETTINGS = NamingSettings(absent=0.4, present=0.6)


def peaks_at(u: Sequence[float], snr: float = 50.0, **flags: bool) -> Table:
    """Return peaks with v = 20, of no flags but those given."""
    n = len(u)
    return Table(
        {
            'u': np.array(u, dtype=float),
            'v': np.full(n, 20.0),
            'snr': np.full(n, snr),
            **{
                name: np.full(n, flags.get(name, False))
                for name in ('hot', 'stays', 'sharp')
            },
        }
    )


def carried(
    label: str | None,
    share: float,
    *,
    distance: float = 0.0,
    snr: float = 50.0,
    **flags: bool,
) -> str:
    """Carry the label of a place, or of none that was embedded, to one peak."""
    peaks = peaks_at([10 + distance], snr, **flags)
    places = Table({'id': [3], 'u': [10.0], 'v': [20.0], 'label': [label or 'star']})
    if label is None:
        places['id'] = 1
    found = carry_labels(
        peaks, np.array([3]), places, np.array([share]), SETTINGS, min_snr=5.0
    )
    (name,) = found.tolist()
    return str(name)


@pytest.mark.parametrize('label', ['star', 'spike', 'extended'])
@pytest.mark.parametrize(
    ('share', 'distance', 'expected'),
    [
        (1.0, 0.0, 'same'),
        (0.6, 0.5, 'same'),
        (2.0, 0.0, 'same'),
        (1.0, 0.51, UNLABELLED),
        (0.59, 0.0, UNLABELLED),
        (0.4, 0.0, UNLABELLED),
        (2.01, 0.0, UNLABELLED),
        (0.39, 0.0, 'cosmic_ray'),
        (0.39, 0.9, 'cosmic_ray'),
        (-0.2, 0.0, 'cosmic_ray'),
    ],
)
def test_places_of_sources(
    label: str, share: float, distance: float, expected: str
) -> None:
    """Near enough and bright enough it is the source; what was there once is a ray."""
    found = carried(label, share, distance=distance)
    assert found == (label if expected == 'same' else expected)


@pytest.mark.parametrize(
    ('share', 'distance', 'expected'),
    [
        (0.0, 0.0, 'cosmic_ray'),
        (0.39, 0.9, 'cosmic_ray'),
        (0.4, 0.0, UNLABELLED),
        (1.0, 0.0, UNLABELLED),
    ],
)
def test_empty_places(share: float, distance: float, expected: str) -> None:
    """What the combined image has after all is no ray."""
    assert carried('cosmic_ray', share, distance=distance) == expected


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_unlabelled_places(share: float) -> None:
    """They say nothing, nor do places that were not embedded."""
    assert carried(UNLABELLED, share) == UNLABELLED
    assert carried(None, share) == UNLABELLED


@pytest.mark.parametrize('label', ['star', 'cosmic_ray', UNLABELLED, None])
def test_defects(label: str | None) -> None:
    """What stays is a defect; what is hot by DQ alone may be a ray all the same."""
    assert carried(label, 0.1, stays=True) == 'bad_pixel'
    assert carried(label, 0.1, stays=True, hot=True) == 'bad_pixel'
    assert carried(label, 0.1, hot=True) == UNLABELLED


def test_faint() -> None:
    """One limit of S/N for all classes: else faint would mean star."""
    for label in ('star', 'cosmic_ray', UNLABELLED, None):
        assert carried(label, 0.1, snr=4.9) == UNLABELLED
        assert carried(label, 0.1, snr=4.9, stays=True) == UNLABELLED
    assert carried('star', 1.0, snr=4.9) == UNLABELLED
    assert carried('star', 0.1, snr=5.1) == 'cosmic_ray'
    assert carried('star', 1.0, snr=5.1) == 'star'


def test_sources_on_defects() -> None:
    """A star on a warm pixel is the star that it is in the sky."""
    assert carried('star', 0.9, hot=True) == 'star'
    assert carried('star', 0.9, stays=True) == 'star'


def test_defects_on_sources() -> None:
    """What stays and stands alone may be all that there is; of rays it is known."""
    for label in ('star', 'spike', 'extended'):
        assert carried(label, 0.9, stays=True, sharp=True) == UNLABELLED
        assert carried(label, 0.1, stays=True, sharp=True) == 'bad_pixel'


def test_limits_are_the_settings() -> None:
    """Other limits, other labels."""
    peaks = peaks_at([0.0])
    places = Table({'id': [0], 'u': [0.0], 'v': [20.0], 'label': ['star']})
    at = np.array([0])
    for settings, expected in (
        (SETTINGS, UNLABELLED),
        (NamingSettings(absent=0.2, present=0.45), 'star'),
        (NamingSettings(absent=0.55, present=0.6), 'cosmic_ray'),
    ):
        found = carry_labels(peaks, at, places, np.array([0.5]), settings, min_snr=5.0)
        assert found.tolist() == [expected]


def test_many() -> None:
    """Places in any order, peaks of places that are not there, long names whole."""
    places = Table(
        {
            'id': [7, 2, 4],
            'u': [7.0, 2.0, 4.0],
            'v': [20.0, 20.0, 20.0],
            'label': ['spike', 'cosmic_ray', 'star'],
        }
    )
    members = np.array([2, 4, 7, 9, 4, 0])
    peaks = peaks_at(members.astype(float).tolist())
    share = np.array([0.0, 1.0, 1.0, 1.0, 0.1, 0.1])
    found = carry_labels(peaks, members, places, share, SETTINGS, min_snr=5.0)
    assert found.tolist() == [
        'cosmic_ray', 'star', 'spike', UNLABELLED, 'cosmic_ray', UNLABELLED,
    ]  # fmt: skip


def test_label_table(tmp_path: Path) -> None:
    """One row per label, by exposure and chip, that the viewer can read."""
    peaks = Table(
        {
            'exposure': [0, 0, 1, 1, 1],
            'extver': [1, 2, 2, 1, 1],
            'x_centroid': [1.25, 2.5, 3.0, 4.0, 5.0],
            'y_centroid': [9.0, 8.0, 7.0, 6.0, 5.0],
            'ra': [10.0, 11.0, 12.0, 13.0, 14.0],
            'dec': [-1.0, -2.0, -3.0, -4.0, -5.0],
        }
    )
    labels = np.array(['star', 'cosmic_ray', 'bad_pixel', UNLABELLED, 'spike'])
    names = ['a_flc.fits', 'b_flc.fits', 'c_flc.fits']
    table = label_table(peaks, labels, names)
    assert table['exposure'].tolist() == [names[0]] * 2 + [names[1]] * 2
    assert table['extver'].tolist() == [1, 2, 1, 2]
    assert table['label'].tolist() == ['star', 'cosmic_ray', 'spike', 'bad_pixel']
    assert table['x_centroid'].tolist() == [1.25, 2.5, 5.0, 3.0]
    assert table['ra'].tolist() == [10.0, 11.0, 14.0, 12.0]
    assert table['dec'].tolist() == [-1.0, -2.0, -5.0, -3.0]
    write_labels(table, tmp_path / 'labels.ecsv')
    again = read_labels(tmp_path / 'labels.ecsv')
    assert again['label'].tolist() == table['label'].tolist()
    assert again['y_centroid'].tolist() == [9.0, 8.0, 5.0, 7.0]


def test_no_labels() -> None:
    """A table of no rows is still one."""
    peaks = Table(
        {
            'exposure': [0], 'extver': [1], 'x_centroid': [1.0], 'y_centroid': [2.0],
            'ra': [np.nan], 'dec': [np.nan],
        }
    )  # fmt: skip
    assert len(label_table(peaks, np.array([UNLABELLED]), ['a_flc.fits'])) == 0
