"""The split of labels by region of the sky: shares, gaps, balance."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('scipy')

from astropy.io import fits
from astropy.table import Table

from astrosieve.exceptions import AstrosieveWarning
from astrosieve_training.settings import ConfigError
from astrosieve_training.source.datasets.detections import DetectionSet
from astrosieve_training.source.label.cutting import cut_labels
from astrosieve_training.source.label.dataset import read_dataset
from astrosieve_training.source.label.errors import DatasetError
from astrosieve_training.source.label.settings import SplitSettings
from astrosieve_training.source.label.splitting import (
    SPLITS,
    near_rows,
    split_by_sky,
    view_width,
)


def sky_set(
    n: int = 6000, width: float = 3000, seed: int = 0, **members: int
) -> DetectionSet:
    """Return rows of one exposure without pixels: all that the split looks at."""
    rng = np.random.default_rng(seed)
    members = members or {'star': n // 2, 'cosmic_ray': n // 2}
    names = np.concatenate([[name] * count for name, count in members.items()])
    xy = rng.uniform(0, width, (len(names), 2))
    rows = Table(
        {
            'x': xy[:, 0], 'y': xy[:, 1], 'label': names,
            'exposure': np.full(len(names), 'a_flt.fits'),
            'camera': np.full(len(names), 'sim'),
            'extver': np.ones(len(names), dtype=int),
            'ra': 10 + (xy[:, 0] - width / 2) * 1e-5, 'dec': xy[:, 1] * 1e-5,
            'scale': np.full(len(names), 0.036),
            'valid': np.ones(len(names), dtype=bool),
            'contested': np.zeros(len(names), dtype=bool),
        }
    )  # fmt: skip
    return DetectionSet({}, rows)


def split_of(detections: DetectionSet, gap: int = 11, **settings: float) -> np.ndarray:
    made = SplitSettings(**settings)  # type: ignore[arg-type]
    return np.asarray(split_by_sky(detections, made, gap=gap)['split'], dtype=str)


@pytest.mark.parametrize('seed', range(4))
def test_validation_is_a_fifth_of_each_class(seed: int) -> None:
    """Within a few per cent, and nothing is lost."""
    members = {'star': 3000, 'cosmic_ray': 4000, 'spike': 600}
    detections = sky_set(seed=seed, **members)
    split = split_of(detections, seed=seed)
    assert set(split) <= set(SPLITS)
    held = split == 'validation'
    assert abs(held.mean() - 0.2) < 0.02
    for name, n in members.items():
        mine = np.asarray(detections.rows['label'] == name)
        assert abs((held & mine).sum() / n - 0.2) < 0.06


def test_seed_decides_the_split() -> None:
    """The same seed gives the same, another another."""
    detections = sky_set()
    one, two = (split_of(detections, seed=1) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, split_of(detections, seed=2))


def test_no_pixel_is_in_both_halves() -> None:
    """No training row is nearer to a validation row than a view is wide."""
    gap = view_width('local-noise-2')
    assert gap == 107
    detections = sky_set(width=4000)
    split = split_of(detections, gap=gap)
    xy = np.rint(np.column_stack([detections.rows['x'], detections.rows['y']]))
    used = np.isin(split, ('training', 'excess'))
    apart = np.abs(xy[used][:, None] - xy[split == 'validation'][None]).max(axis=2)
    assert apart.min() >= gap
    assert (split == 'border').mean() < 0.25


def test_view_is_what_the_preprocessing_looks_at() -> None:
    """A pixel within half a view changes the input; none beyond does."""
    from astrosieve.source.preprocessing import get_preprocessing

    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (400, 400)).astype(np.float32)
    for name in ('zscale-log-1', 'local-noise-2'):
        made = get_preprocessing(name)
        reach = view_width(name) // 2
        seen = 0
        for x in range(200, 209):  # all phases of the blocks
            place = np.array([[x, 200.0]])
            before = made.fit(image, fwhm=2.0)(place).inputs
            for distance in range(reach - 12, reach + 3):
                changed = image.copy()
                changed[200, x + distance] += 1e-3
                after = made.fit(changed, fwhm=2.0)(place).inputs
                if any(
                    np.abs(before[key] - after[key]).max() > 1e-5
                    for key in made.scales
                    if made.scales[key] == max(made.scales.values())
                ):
                    seen = max(seen, distance)
        assert seen == reach


def test_star_of_dithered_exposures_is_on_one_side(written: Path) -> None:
    """The three detections of a star are never in different halves."""
    rows = read_dataset(written, 'zscale-log-1').detections.rows
    stars = rows[rows['label'] == 'star']
    ra = np.mod(np.asarray(stars['ra']) + 180, 360)
    keys = np.rint(np.column_stack([ra, stars['dec']]) / 2e-6)
    _, number = np.unique(keys, axis=0, return_inverse=True)
    split = np.asarray(stars['split'], str)
    used = np.isin(split, ('training', 'excess'))
    both = set(number[used]) & set(number[split == 'validation'])
    assert used.sum() > 100
    assert (split == 'validation').sum() > 100
    assert not both


def test_defect_of_the_detector_is_on_one_side(written: Path) -> None:
    """A bad pixel stays on the chip while the sky moves: it is known by its place."""
    rows = read_dataset(written, 'zscale-log-1').detections.rows
    bad = rows[rows['label'] == 'bad_pixel']
    split = np.asarray(bad['split'], str)
    places = {
        side: {tuple(xy) for xy in zip(bad['x'][chosen], bad['y'][chosen], strict=True)}
        for side, chosen in (
            ('training', np.isin(split, ('training', 'excess'))),
            ('validation', split == 'validation'),
        )
    }
    assert places['training']
    assert places['validation']
    assert not places['training'] & places['validation']


def test_near_rows_on_the_chip_count_where_the_sky_does_not() -> None:
    """Along a diagonal a shared pixel is farther away than the gap."""
    detections = sky_set(2)
    rows = detections.rows
    rows['x'], rows['y'] = [0.0, 100.0], [0.0, 100.0]
    rows['ra'], rows['dec'] = [10.0, 10.01], [0.0, 0.0]
    one, other = np.array([True, False]), np.array([False, True])
    assert near_rows(rows, one, other, 107).tolist() == [True, False]
    assert not near_rows(rows, one, other, 100).any()
    rows['exposure'] = ['a_flt.fits', 'b_flt.fits']
    assert not near_rows(rows, one, other, 107).any()
    assert not near_rows(rows, one, np.zeros(2, dtype=bool), 107).any()


def test_training_is_balanced_and_validation_is_not() -> None:
    """No class has over 1.5 times the smallest; the excess is kept, and marked."""
    detections = sky_set(star=4000, cosmic_ray=3000, spike=500)
    split = split_of(detections)
    labels = np.asarray(detections.rows['label'], str)

    def members(*sides: str) -> dict[str, int]:
        return {n: int((np.isin(split, sides) & (labels == n)).sum()) for n in
                ('star', 'cosmic_ray', 'spike')}  # fmt: skip

    learnt = members('training')
    assert learnt['star'] == learnt['cosmic_ray'] == int(1.5 * learnt['spike'])
    assert members('excess')['spike'] == 0
    assert members('training', 'excess')['star'] > 2500
    assert members('validation')['star'] > 600
    free = split_of(detections, ratio=0)
    assert not (free == 'excess').any()


def test_rare_class_is_left_out_and_named() -> None:
    """Ten spikes do not cut the stars to fifteen."""
    detections = sky_set(star=2000, cosmic_ray=2000, spike=10)
    with pytest.warns(AstrosieveWarning, match=r'left out: spike \(10,.*not know them'):
        split = split_of(detections)
    labels = np.asarray(detections.rows['label'], str)
    assert set(split[labels == 'spike']) == {'rare'}
    assert ((split == 'training') & (labels == 'star')).sum() > 1000


def test_one_class_is_no_dataset() -> None:
    """The message says what there is."""
    detections = sky_set(star=2000, cosmic_ray=30)
    with pytest.raises(DatasetError, match='there are 30 cosmic_ray, 2000 star'):
        split_of(detections)


def test_small_field_is_said_to_be_small() -> None:
    """Most of the training half is too near to the other."""
    detections = sky_set(width=300)
    with pytest.warns(AstrosieveWarning, match='the field is small. Add exposures'):
        split_of(detections, gap=107)


def test_rows_that_cannot_be_scored_are_not_split() -> None:
    """They keep their place, marked."""
    detections = sky_set()
    detections.rows['valid'][:100] = False
    split = split_of(detections)
    assert set(split[:100]) == {'unusable'}
    assert not (split[100:] == 'unusable').any()


def test_without_wcs_the_chip_is_split(
    exposures: list[Path], tmp_path: Path, labels: Table
) -> None:
    """One exposure is split by its pixels; of several that is said to be risky."""
    path = tmp_path / 'a_flt.fits'
    with fits.open(exposures[0]) as hdus:
        for name in ('CTYPE', 'CRVAL', 'CRPIX', 'CD'):
            del hdus['SCI'].header[f'{name}*']
        hdus.writeto(path)
    mine = labels[labels['exposure'] == path.name]
    found = cut_labels([path], mine, preprocessing='zscale-log-1')
    assert np.isnan(found.rows['ra']).all()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        split = split_of(found, min_class=20)
    assert 0.15 < (split == 'validation').sum() / found.usable.sum() < 0.25
    several = sky_set()
    several.rows['ra'] = np.nan
    several.rows['exposure'][:10] = 'b_flt.fits'
    with pytest.warns(AstrosieveWarning, match='not every exposure has a WCS'):
        split_of(several)


def test_split_across_zero_of_right_ascension_and_at_the_pole() -> None:
    """Neighbours are neighbours wherever they are."""
    for turn in ('zero', 'pole'):
        detections = sky_set(width=3000)
        rows = detections.rows
        xy = np.column_stack([rows['x'], rows['y']]) - 1500
        pixels = np.rint(xy)
        if turn == 'zero':
            rows['ra'], rows['dec'] = np.mod(xy[:, 0] * 1e-5, 360), xy[:, 1] * 1e-5
        else:
            rows['ra'] = np.mod(np.degrees(np.arctan2(xy[:, 1], xy[:, 0])), 360)
            rows['dec'] = 90 - 1e-5 * np.hypot(*xy.T)
        split = split_of(detections, gap=60)
        used = np.isin(split, ('training', 'excess'))
        held = split == 'validation'
        apart = np.abs(pixels[used][:, None] - pixels[held][None]).max(axis=2)
        assert apart.min() >= 60
        assert (split == 'border').mean() < 0.25


def test_many_labels_are_quick() -> None:
    """Two hundred thousand rows are split within seconds."""
    import time

    detections = sky_set(200_000, width=8000)
    started = time.perf_counter()
    split = split_of(detections, gap=107)
    assert time.perf_counter() - started < 20
    assert abs((split == 'validation').mean() - 0.2) < 0.01


@pytest.mark.parametrize(
    'settings',
    [{'validation_share': 0.0}, {'ratio': 0.5}, {'min_class': 1}, {'seed': -1}],
)
def test_impossible_settings(settings: dict[str, float]) -> None:
    """The name and the rule."""
    with pytest.raises(ConfigError, match=f'{next(iter(settings))} must be'):
        SplitSettings(**settings)  # type: ignore[arg-type]
