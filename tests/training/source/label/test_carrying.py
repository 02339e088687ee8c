"""Labels carried from places to the peaks of exposures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

pytest.importorskip('scipy')

from astrosieve.source.labels import read_labels, write_labels
from astrosieve_training.source.label.carrying import carry_labels, label_table
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.label.settings import NamingSettings

SETTINGS = NamingSettings(absent=0.4, present=0.6)


def peaks_at(
    u: Sequence[float],
    snr: float = 50.0,
    contrast: float = 9.0,
    charge: float = 0.0,
    most_snr: float | None = None,
    most_contrast: float | None = None,
    **flags: bool,
) -> Table:
    """Return peaks with v = 20, of no flags but those given."""
    n = len(u)
    return Table(
        {
            'u': np.array(u, dtype=float),
            'v': np.full(n, 20.0),
            'snr': np.full(n, snr),
            'most_snr': np.full(n, snr if most_snr is None else most_snr),
            'contrast': np.full(n, contrast),
            'most_contrast': np.full(
                n, contrast if most_contrast is None else most_contrast
            ),
            'charge': np.full(n, charge),
            **{
                name: np.full(n, flags.get(name, False))
                for name in ('hot', 'stays', 'sharp', 'charged', 'saturated')
            },
        }
    )


def measured_as(share: Sequence[float], **given: float | bool) -> Table:
    """Return peaks that are covered, and no noise, unless other is given."""
    n = len(share)
    return Table(
        {
            'share': np.array(share, dtype=float),
            'lasting': 50 * np.array(share, dtype=float),
            'noise': np.zeros(n),
            'covered': np.ones(n, dtype=bool),
            **{name: np.full(n, value) for name, value in given.items()},
        }
    )


def carried(
    label: str | None,
    share: float,
    *,
    distance: float = 0.0,
    snr: float = 50.0,
    contrast: float = 9.0,
    charge: float = 0.0,
    most_snr: float | None = None,
    most_contrast: float | None = None,
    lasting: float | None = None,
    noise: float = 0.0,
    covered: bool = True,
    settings: NamingSettings = SETTINGS,
    **flags: bool,
) -> str:
    """Carry the label of a place, or of none that was embedded, to one peak."""
    peaks = peaks_at(
        [10 + distance], snr, contrast, charge, most_snr, most_contrast, **flags
    )
    places = Table({'id': [3], 'u': [10.0], 'v': [20.0], 'label': [label or 'star']})
    if label is None:
        places['id'] = 1
    measured = measured_as([share], noise=noise, covered=covered)
    if lasting is not None:
        measured['lasting'] = lasting
    found = carry_labels(peaks, np.array([3]), places, measured, settings)
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


@pytest.mark.parametrize('label', ['star', 'spike', 'extended'])
def test_saturated_peaks_move(label: str) -> None:
    """They need not be near, but as bright as is promised."""
    assert carried(label, 1.0, distance=0.9) == UNLABELLED
    for share, expected in ((1.0, label), (0.5, UNLABELLED), (2.01, UNLABELLED)):
        assert carried(label, share, distance=0.9, saturated=True) == expected
    assert carried(label, 0.1, distance=0.9, saturated=True) == 'cosmic_ray'
    assert carried('cosmic_ray', 1.0, saturated=True) == UNLABELLED


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_unlabelled_places(share: float) -> None:
    """They say nothing, nor do places that were not embedded."""
    assert carried(UNLABELLED, share) == UNLABELLED
    assert carried(None, share) == UNLABELLED


DEFECT: dict[str, Any] = {'share': 0.1, 'stays': True, 'charge': 9.0}
LABELS = ('star', 'spike', 'extended', 'cosmic_ray', UNLABELLED, None)


@pytest.mark.parametrize('label', LABELS)
def test_defects(label: str | None) -> None:
    """What stays, and has the charge, is a defect; other charge may be a ray's."""
    for also in ([], ['hot'], ['charged'], ['sharp']):
        flags: dict[str, Any] = dict.fromkeys(['stays', *also], True)
        assert carried(label, 0.1, charge=3.0, **flags) == 'bad_pixel'
    for names in (['hot'], ['charged'], ['hot', 'charged']):
        flags = dict.fromkeys(names, True)
        for charge in (0.0, 2.9, 3.0, 40.0):
            assert carried(label, 0.1, charge=charge, **flags) == UNLABELLED


@pytest.mark.parametrize('label', LABELS)
def test_defects_have_charge(label: str | None) -> None:
    """Less than three times the noise there is no defect, and no ray."""
    for sharp in (False, True):
        found = [
            carried(label, 0.1, charge=charge, stays=True, sharp=sharp)
            for charge in (2.99, 3.0)
        ]
        assert found == [UNLABELLED, 'bad_pixel']


def test_bright_hits_on_charged_pixels() -> None:
    """However bright, and whatever it fell on: its electrons are not its alone."""
    for label in ('star', 'cosmic_ray'):
        assert carried(label, 0.0, snr=500, contrast=300) == 'cosmic_ray'
        for name in ('hot', 'charged', 'stays'):
            flags: dict[str, Any] = {name: True}
            found = carried(label, 0.0, snr=500, contrast=300, charge=2.0, **flags)
            assert found == UNLABELLED


@pytest.mark.parametrize('label', ['star', 'cosmic_ray'])
def test_hits_are_no_noise(label: str) -> None:
    """A hit is what noise makes two in a hundred of at most."""
    for noise, expected in (
        (0.0, 'cosmic_ray'),
        (0.02, 'cosmic_ray'),
        (0.021, UNLABELLED),
        (1.0, UNLABELLED),
    ):
        assert carried(label, 0.1, noise=noise) == expected
        assert carried(label, 0.1, noise=noise, snr=3.0, contrast=0) == expected
    settings = NamingSettings(hit=0.2)
    assert carried(label, 0.1, noise=0.2, settings=settings) == 'cosmic_ray'


@pytest.mark.parametrize('label', ['star', 'spike', 'extended'])
def test_noise_is_not_asked_of_sources(label: str) -> None:
    """What is there always is no noise, and its own charge is no matter."""
    assert carried(label, 1.0, noise=1.0) == label
    assert carried(label, 1.0, charged=True, charge=9.0) == label


@pytest.mark.parametrize('label', ['star', 'spike', 'extended'])
def test_faint_sources(label: str) -> None:
    """What lasts must be three times the noise of one exposure, as in truth."""
    assert carried(label, 1.0, lasting=3.0) == label
    assert carried(label, 1.0, lasting=2.99) == UNLABELLED
    assert carried(label, 1.0, lasting=2.99, snr=50, contrast=50) == UNLABELLED
    # Of what was there once, or stays on the detector, it is not asked.
    assert carried(label, 0.1, lasting=0.0) == 'cosmic_ray'
    assert carried(label, 0.1, lasting=0.0, stays=True, charge=4) == 'bad_pixel'


@pytest.mark.parametrize('label', LABELS)
def test_faint_peaks(label: str | None) -> None:
    """So must what is here, in the nine pixels or in the one that has all."""
    for given in ({'share': 1.0}, {'share': 0.1}, DEFECT):
        bright = carried(label, **given)
        assert carried(label, snr=3.0, contrast=0, **given) == bright
        assert carried(label, snr=0.0, contrast=9.0, **given) == bright
        for contrast in (0, 8.99):
            found = carried(label, snr=2.99, contrast=contrast, **given)
            assert found == UNLABELLED


BACKGROUND: dict[str, Any] = {'snr': 2.5, 'contrast': 4.0, 'lasting': 0.5}


@pytest.mark.parametrize('label', LABELS)
@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_background_is_noise(label: str | None, share: float) -> None:
    """What noise makes as many of, and nothing of it lasts; place and share are no
    matter."""
    for noise, expected in (
        (1.0, 'background'),
        (0.8, 'background'),
        (0.79, UNLABELLED),
        (0.0, UNLABELLED),
    ):
        assert carried(label, share, noise=noise, **BACKGROUND) == expected
    settings = NamingSettings(noise=0.5)
    found = carried(label, share, noise=0.5, settings=settings, **BACKGROUND)
    assert found == 'background'


@pytest.mark.parametrize('label', LABELS)
@pytest.mark.parametrize('flag', ['hot', 'charged', 'stays'])
def test_background_is_weak_charge(label: str | None, flag: str) -> None:
    """Of the detector's own charge, less than twice the noise."""
    flags: dict[str, Any] = {flag: True}
    for charge, expected in (
        (-0.5, 'background'),
        (1.99, 'background'),
        (2.0, UNLABELLED),
        (2.99, UNLABELLED),
    ):
        found = carried(label, 0.1, charge=charge, **BACKGROUND, **flags)
        assert found == expected
    # As bright as a defect, but not here.
    assert carried(label, 0.1, charge=3.0, **BACKGROUND, **flags) == UNLABELLED


@pytest.mark.parametrize(
    ('name', 'last', 'first'),
    [
        ('snr', 2.99, 3.0),
        ('most_snr', 2.99, 3.0),  # above the darkest sky, where sources lift it
        ('contrast', 7.49, 7.5),
        ('most_contrast', 7.49, 7.5),  # over the noise of the darkest sky
        ('lasting', 1.99, 2.0),
    ],
)
def test_background_has_limits(name: str, last: float, first: float) -> None:
    """What may hold three times the noise here, or twice always, is none."""
    for given in ({'noise': 1.0}, {'charged': True}):
        for value, expected in ((last, 'background'), (first, UNLABELLED)):
            values = BACKGROUND | {'most_snr': 2.5, name: value} | given
            found = carried('cosmic_ray', 0.1, **values)
            assert found == expected


@pytest.mark.parametrize('label', LABELS)
def test_covered(label: str | None) -> None:
    """Where too few exposures look nothing is labelled, whatever it is."""
    for given in (
        {'share': 1.0},
        {'share': 0.1},
        DEFECT,
        {'share': 0.1, 'noise': 1.0, **BACKGROUND},
    ):
        assert carried(label, covered=False, **given) == UNLABELLED


def test_sources_on_defects() -> None:
    """A star on a warm pixel is the star that it is in the sky."""
    assert carried('star', 0.9, hot=True) == 'star'
    assert carried('star', 0.9, stays=True) == 'star'
    assert carried('star', 0.9, charged=True, charge=20) == 'star'


def test_defects_on_sources() -> None:
    """What stays and stands alone may be all that there is; of rays it is known."""
    for label in ('star', 'spike', 'extended'):
        assert carried(label, 0.9, stays=True, sharp=True, charge=9) == UNLABELLED
        assert carried(label, 0.1, stays=True, sharp=True, charge=9) == 'bad_pixel'


def test_limits_are_the_settings() -> None:
    """Other limits, other labels."""
    for settings, expected in (
        (SETTINGS, UNLABELLED),
        (NamingSettings(absent=0.2, present=0.45), 'star'),
        (NamingSettings(absent=0.55, present=0.6), 'cosmic_ray'),
    ):
        assert carried('star', 0.5, settings=settings) == expected


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
    measured = measured_as(share.tolist())
    found = carry_labels(peaks, members, places, measured, SETTINGS)
    assert found.tolist() == [
        'cosmic_ray', 'star', 'spike', UNLABELLED, 'cosmic_ray', UNLABELLED,
    ]  # fmt: skip


def test_none() -> None:
    """No peak, no label."""
    places = Table({'id': [0], 'u': [0.0], 'v': [0.0], 'label': ['star']})
    found = carry_labels(
        peaks_at([]), np.array([], dtype=int), places[:0], measured_as([]), SETTINGS
    )
    assert found.shape == (0,)


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
