"""Datasets of labels: what is cut, how it is split, what is refused."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('scipy')

from astropy.io import fits
from astropy.table import Table, vstack

from astrosieve.exceptions import AstrosieveWarning, ExposureError, OutputError
from astrosieve.models.registry import sha256_of
from astrosieve.source.labels import make_labels
from astrosieve_training.settings import ConfigError
from astrosieve_training.source.datasets.detections import DetectionSet
from astrosieve_training.source.label import dataset as dataset_module
from astrosieve_training.source.label.cutting import cut_labels
from astrosieve_training.source.label.dataset import (
    read_card,
    read_dataset,
    summary_lines,
    write_dataset,
)
from astrosieve_training.source.label.errors import DatasetError
from astrosieve_training.source.label.settings import SplitSettings
from astrosieve_training.source.label.splitting import (
    SPLITS,
    near_rows,
    split_by_sky,
    split_counts,
    view_width,
)

SHAPE = (420, 400)
DITHERS = ((0.0, 0.0), (7.4, -5.2), (-11.0, 3.6))


def write_exposure(path: Path, shift: tuple[float, float], *, wcs: bool = True) -> None:
    """Write sky with a few stars, as an FLT whose one chip is EXTVER 1."""
    rng = np.random.default_rng(ord(path.name[0]))
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = rng.normal(20, 3, SHAPE)
    for sx, sy in STARS[:40]:
        image += 900 * np.exp(-((x - sx) ** 2 + (y - sy) ** 2) / 2)
    header = fits.Header()
    if wcs:
        header.update(
            CTYPE1='RA---TAN', CTYPE2='DEC--TAN', CRVAL1=0.001, CRVAL2=-30.0,
            CRPIX1=200.0 + shift[0], CRPIX2=210.0 + shift[1], CD1_1=-1e-5, CD1_2=0.0,
            CD2_1=0.0, CD2_2=1e-5,
        )  # fmt: skip
    header['BUNIT'] = 'ELECTRONS'
    primary = fits.PrimaryHDU()
    primary.header.update(INSTRUME='SIM', DETECTOR='CCD', FILTER='R', EXPTIME=100.0)
    sci = fits.ImageHDU(image.astype(np.float32), header, name='SCI')
    fits.HDUList([primary, sci]).writeto(path)


_RNG = np.random.default_rng(3)
STARS = _RNG.uniform(20, 380, (400, 2))


@pytest.fixture(scope='module')
def exposures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three dithered exposures of one field."""
    folder = tmp_path_factory.mktemp('exposures')
    paths = [folder / f'{name}_flt.fits' for name in 'abc']
    for path, shift in zip(paths, DITHERS, strict=True):
        write_exposure(path, shift)
    return paths


def field_labels(paths: list[Path]) -> Table:
    """Stars, the same in each exposure; cosmic rays and defects in each its own."""
    rng = np.random.default_rng(8)
    defects = rng.uniform(5, 395, (60, 2))
    tables = []
    for path, shift in zip(paths, DITHERS, strict=True):
        hits = rng.uniform(5, 395, (500, 2))
        xy = np.concatenate([STARS + shift, hits, defects])
        names = ['star'] * len(STARS) + ['cosmic_ray'] * 500 + ['bad_pixel'] * 60
        tables.append(make_labels(path.name, 1, xy, names))
    table = vstack(tables, metadata_conflicts='silent')
    table['place'] = np.arange(len(table))
    return table


@pytest.fixture(scope='module')
def labels(exposures: list[Path]) -> Table:
    return field_labels(exposures)


@pytest.fixture(scope='module')
def cut(exposures: list[Path], labels: Table) -> DetectionSet:
    """The labels, cut for the published network."""
    return cut_labels(exposures, labels, preprocessing='zscale-log-1')


@pytest.fixture(scope='module')
def written(
    exposures: list[Path], labels: Table, cut: DetectionSet,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:  # fmt: skip
    """A dataset of both preprocessings."""
    folder = tmp_path_factory.mktemp('written') / 'dataset'
    sets = {
        'zscale-log-1': cut,
        'local-noise-1': cut_labels(exposures, labels, preprocessing='local-noise-1'),
    }
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)  # the field is small
        write_dataset(folder, sets, {'how': 'by hand'}, exposures=exposures)
    return folder


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


def test_rows_say_what_was_cut(cut: DetectionSet, exposures: list[Path]) -> None:
    """Positions on the chip all become rows, in order of the exposures."""
    rows = cut.rows
    assert cut.inputs['cutouts'].shape == (len(rows), 1, 11, 11)
    order = np.asarray(rows['exposure'], str)
    assert list(dict.fromkeys(order)) == [path.name for path in exposures]
    assert set(rows['camera']) == {'sim-ccd-r'}
    assert (rows['share'] == 1).all()
    assert not rows['contested'].any()
    bright = np.asarray(rows['label'] == 'star') & (order == 'a_flt.fits')
    snr = np.asarray(rows['snr'])[bright]
    assert np.median(snr[:40]) > 50
    assert abs(np.nanmedian(snr[40:])) < 3
    assert np.allclose(rows['scale'], 0.036)
    # One star, three exposures, one place in the sky.
    for column, spread in (('ra', 3e-5), ('dec', 1e-7)):
        places = np.asarray(rows[column]).astype(float)
        first = [places[np.flatnonzero(order == path.name)[5]] for path in exposures]
        assert np.ptp(np.mod(np.array(first) + 180, 360)) < spread


def test_inputs_are_those_of_inference(
    exposures: list[Path], labels: Table, cut: DetectionSet
) -> None:
    """The pixels about a label are those that classify would look at."""
    from astrosieve.images.exposures import read_chips
    from astrosieve.images.measured import MeasuredImage
    from astrosieve_training.source.datasets.chips import network_inputs

    chip = next(iter(read_chips(exposures[1])))
    mine = np.asarray(cut.rows['exposure'] == 'b_flt.fits')
    xy = np.column_stack([cut.rows['x'][mine], cut.rows['y'][mine]])
    seen = network_inputs(MeasuredImage.of_chip(chip), xy, 'zscale-log-1')
    expected = seen['input_cutouts']
    assert np.array_equal(cut.inputs['cutouts'][mine], expected)


def test_labels_of_other_exposures_are_left_out(
    exposures: list[Path], labels: Table
) -> None:
    """With a count; none left at all is an error."""
    with pytest.warns(AstrosieveWarning, match=r'960 of 2880 labels .*\(c_flt'):
        found = cut_labels(exposures[:2], labels, preprocessing='zscale-log-1')
    assert set(found.rows['exposure']) == {'a_flt.fits', 'b_flt.fits'}
    other = labels.copy()
    other['exposure'] = 'z_flt.fits'
    with pytest.raises(DatasetError, match=r'the labels name z_flt\.fits, given'):
        cut_labels(exposures, other, preprocessing='zscale-log-1')


def test_exposure_without_labels_is_named(exposures: list[Path], labels: Table) -> None:
    """It is no error, but no secret."""
    some = labels[labels['exposure'] != 'b_flt.fits']
    with pytest.warns(AstrosieveWarning, match='b_flt.fits: no label is about'):
        cut_labels(exposures, some, preprocessing='zscale-log-1')


def test_missing_chip_and_edges(exposures: list[Path], labels: Table) -> None:
    """A chip that is not there is an error; positions beyond the chip are counted."""
    wrong = labels.copy()
    wrong['extver'][3] = 2
    with pytest.raises(DatasetError, match=r'name chip 2 \(extver\)'):
        cut_labels(exposures, wrong, preprocessing='zscale-log-1')
    off = labels.copy()
    off['x_centroid'][:7] = 400.2
    with pytest.warns(AstrosieveWarning, match='7 labels lie beyond the edge'):
        found = cut_labels(exposures, off, preprocessing='zscale-log-1')
    assert len(found) == len(labels) - 7
    off['y_centroid'] = -30.0
    with pytest.raises(DatasetError, match='0-based'):
        cut_labels(exposures, off, preprocessing='zscale-log-1')


def test_two_files_of_one_name(
    exposures: list[Path], labels: Table, tmp_path: Path
) -> None:
    """Labels could not tell them apart."""
    twin = tmp_path / exposures[0].name
    twin.write_bytes(exposures[0].read_bytes())
    with pytest.raises(DatasetError, match='two exposures of one name'):
        cut_labels([*exposures, twin], labels, preprocessing='zscale-log-1')
    gone = tmp_path / 'gone' / exposures[0].name
    mine = labels[labels['exposure'] == gone.name]
    with pytest.raises(ExposureError, match='no such file'):
        cut_labels([gone], mine, preprocessing='zscale-log-1')


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
    gap = view_width('local-noise-1')
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
    for name in ('zscale-log-1', 'local-noise-1'):
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


def test_without_wcs_the_chip_is_split(tmp_path: Path, labels: Table) -> None:
    """One exposure is split by its pixels; of several that is said to be risky."""
    path = tmp_path / 'a_flt.fits'
    write_exposure(path, (0.0, 0.0), wcs=False)
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


@pytest.mark.parametrize(
    'settings',
    [{'validation_share': 0.0}, {'ratio': 0.5}, {'min_class': 1}, {'seed': -1}],
)
def test_impossible_settings(settings: dict[str, float]) -> None:
    """The name and the rule."""
    with pytest.raises(ConfigError, match=f'{next(iter(settings))} must be'):
        SplitSettings(**settings)  # type: ignore[arg-type]


def test_round_trip(written: Path, cut: DetectionSet) -> None:
    """What is read is what was cut, with the split; the card tells of it."""
    read = read_dataset(written, 'zscale-log-1')
    assert np.array_equal(read.detections.inputs['cutouts'], cut.inputs['cutouts'])
    for name in cut.rows.colnames:
        one, other = np.asarray(cut.rows[name]), np.asarray(read.detections.rows[name])
        assert (one == other)[one == one].all(), name
    card = read_card(written)
    assert card['counts'] == split_counts(read.detections.rows)
    assert card['classes'] == ['star', 'cosmic_ray', 'bad_pixel']
    assert card['missing'] == ['spike', 'extended', 'background']
    assert card['created_by'] == {'how': 'by hand'}
    assert [each['name'] for each in card['exposures']] == [
        'a_flt.fits', 'b_flt.fits', 'c_flt.fits',
    ]  # fmt: skip
    assert set(card['preprocessings']) == {'zscale-log-1', 'local-noise-1'}
    lines = summary_lines(card)
    assert lines[0].startswith('training: ')
    assert 'spike, extended, background' in lines[-1]
    other = read_dataset(written, 'local-noise-1')
    assert (other.detections.rows['split'] == read.detections.rows['split']).all()
    assert set(other.detections.inputs) == {'cutouts', 'wide', 'far', 'fwhm'}
    assert len(read.part('training', 'validation')) == sum(
        sum(card['counts'][side].values()) for side in ('training', 'validation')
    )
    assert read.sha256 == other.sha256


def copied(written: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in written.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_damaged_dataset_is_refused(written: Path, tmp_path: Path) -> None:
    """Truncated, changed, missing, of another format: each says what to do."""
    folder = copied(written, tmp_path / 'd')
    path = folder / 'zscale-log-1.npz'
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match='damaged, or not the file'):
        read_dataset(folder, 'zscale-log-1')
    path.unlink()
    with pytest.raises(DatasetError, match='cannot be read'):
        read_dataset(folder, 'zscale-log-1')
    card = json.loads((folder / 'dataset.json').read_text())

    def rewritten(**changes: object) -> None:
        (folder / 'dataset.json').write_text(json.dumps(card | changes))

    preprocessings = json.loads(json.dumps(card['preprocessings']))
    del preprocessings['zscale-log-1']
    rewritten(preprocessings=preprocessings)
    cure = (
        'made for local-noise-1, not .*make it again: .* --preprocessing zscale-log-1'
    )
    with pytest.raises(DatasetError, match=cure):
        read_dataset(folder, 'zscale-log-1')
    rewritten(format='astrosieve-dataset-9')
    with pytest.raises(DatasetError, match="its format is 'astrosieve-dataset-9'"):
        read_card(folder)
    (folder / 'dataset.json').write_text('{"format": "astrosieve-dataset-1"}')
    with pytest.raises(DatasetError, match="says nothing of 'classes'"):
        read_card(folder)
    (folder / 'dataset.json').write_text('{')
    with pytest.raises(DatasetError, match='not the card of a dataset'):
        read_card(folder)
    (folder / 'dataset.json').unlink()
    with pytest.raises(DatasetError, match='no such file; a dataset is the folder'):
        read_card(folder)


def test_dataset_made_before_is_read(tmp_path: Path) -> None:
    """One whose card holds a hash of the code that made it, whatever that was."""
    labels = ['star', 'star', 'cosmic_ray']
    arrays = {
        'input_cutouts': np.zeros((3, 1, 11, 11), dtype=np.float32),
        'row_label': np.array(labels),
        'row_split': np.array(['training', 'validation', 'training']),
    }
    np.savez_compressed(tmp_path / 'zscale-log-1.npz', **arrays)
    content = (tmp_path / 'zscale-log-1.npz').read_bytes()
    card = {
        'format': 'astrosieve-dataset-1',
        'version': '0.1.0',
        'created_by': {'how': 'by hand'},
        'classes': ['star', 'cosmic_ray'],
        'missing': ['spike', 'extended', 'bad_pixel', 'background'],
        'counts': {
            'training': {'star': 1, 'cosmic_ray': 1},
            'validation': {'star': 1, 'cosmic_ray': 0},
        },
        'settings': {'validation_share': 0.2, 'ratio': 1.5, 'min_class': 50, 'seed': 0},
        'gap': 11,
        'exposures': [
            {
                'name': 'a_flt.fits', 'bytes': 679680, 'sha256': '29a4', 'exptime': 100,
                'instrument': 'SIM', 'detector': 'CCD', 'filter': 'R',
            }
        ],
        'cameras': ['sim-ccd-r'],
        'preprocessings': {
            'zscale-log-1': {
                'file': 'zscale-log-1.npz', 'sha256': sha256_of(content), 'rows': 3,
                'code': '75af8540a33d',
            }
        },
    }  # fmt: skip
    (tmp_path / 'dataset.json').write_text(json.dumps(card))
    read = read_dataset(tmp_path, 'zscale-log-1')
    assert read.detections.rows['label'].tolist() == labels
    assert len(read.part('training')) == 2


def test_not_an_archive(written: Path, tmp_path: Path) -> None:
    """A file whose hash is right but which holds no arrays."""
    folder = copied(written, tmp_path / 'd')
    (folder / 'zscale-log-1.npz').write_bytes(b'nothing')
    card = json.loads((folder / 'dataset.json').read_text())
    card['preprocessings']['zscale-log-1']['sha256'] = sha256_of(b'nothing')
    (folder / 'dataset.json').write_text(json.dumps(card))
    with pytest.raises(DatasetError, match='not a set of detections'):
        read_dataset(folder, 'zscale-log-1')


def test_nothing_is_half_written(
    cut: DetectionSet, exposures: list[Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An old dataset stays unless it may go; one that is broken off has no card."""
    settings = SplitSettings(min_class=20)
    sets = {'zscale-log-1': cut}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)
        write_dataset(tmp_path / 'd', sets, exposures=exposures, settings=settings)
        with pytest.raises(OutputError, match='exists; give --overwrite'):
            write_dataset(tmp_path / 'd', sets, exposures=exposures)

        def stop(*args: object, **kwargs: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(dataset_module.np, 'savez_compressed', stop)
        with pytest.raises(KeyboardInterrupt):
            write_dataset(
                tmp_path / 'd', sets, exposures=exposures, settings=settings,
                overwrite=True,
            )  # fmt: skip
    with pytest.raises(DatasetError, match='If that was interrupted, run it again'):
        read_dataset(tmp_path / 'd', 'zscale-log-1')


def test_sets_must_agree(
    cut: DetectionSet, exposures: list[Path], tmp_path: Path
) -> None:
    """The sets of two preprocessings are about the same detections."""
    other = cut[np.arange(len(cut)) != 4]
    with pytest.raises(DatasetError, match='local-noise-1 is about other detections'):
        write_dataset(
            tmp_path / 'd', {'zscale-log-1': cut, 'local-noise-1': other},
            exposures=exposures,
        )  # fmt: skip
    assert not (tmp_path / 'd').exists()


def test_many_labels_are_quick(exposures: list[Path]) -> None:
    """Two hundred thousand rows are split within seconds."""
    import time

    detections = sky_set(200_000, width=8000)
    started = time.perf_counter()
    split = split_of(detections, gap=107)
    assert time.perf_counter() - started < 20
    assert abs((split == 'validation').mean() - 0.2) < 0.01
