"""The command: differences and images in, tables, pictures and regions out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner, Result

from astrosieve.blob.badpixels import blob_mask, expand_bad_pixels
from astrosieve.blob.command import blobs
from astrosieve.models.registry import Model

Run = Callable[..., Result]
FIRST = [(300.0, 640.0), (702.0, 251.0)]


@pytest.fixture
def run(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `astrosieve blobs` with the model of means in an empty folder."""
    folder = tmp_path / 'work'
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*arguments: object) -> Result:
        words = [*map(str, arguments), '--model', str(model.path)]
        return CliRunner().invoke(blobs, words)

    return call


@pytest.fixture
def before(sequence: Path) -> list[Path]:
    """The images before the seventh."""
    return [sequence / f'i{number}_flt.fits' for number in range(6)]


def places(table: Table) -> np.ndarray:
    return np.sort(np.column_stack([table['x'], table['y']]), axis=0)


def test_an_image_and_those_before(
    run: Run, sequence: Path, before: list[Path]
) -> None:
    """The new blobs, and neither older ones nor their dips, in one table."""
    result = run(sequence / 'i6_flt.fits', '--reference', *before)
    assert result.exit_code == 0, result.output
    assert 'i6_flt.fits: 2 blobs -> i6_flt_blobs.ecsv' in result.stdout
    assert 'has 6 references of the 30 asked for' in result.stderr
    table = Table.read('i6_flt_blobs.ecsv')
    assert table.colnames[:6] == ['x', 'y', 'radius', 'depth', 'p_blob', 'subframe']
    assert np.abs(places(table) - np.sort(FIRST, axis=0)).max() < 3
    assert table.meta['references'] == 6
    assert table.meta['mjd'] == 57012.0
    assert [path.name for path in Path().iterdir()] == ['i6_flt_blobs.ecsv']


def test_files_of_all_kinds(run: Run, sequence: Path, before: list[Path]) -> None:
    """Table, picture, circles, difference; the difference is an input again."""
    pytest.importorskip('matplotlib')
    result = run(
        sequence / 'i6_flt.fits', '-o', 'a.csv', '--plot', 'a.png', '--regions',
        'a.reg', '--save-difference', 'd.fits', '--json', '--reference', *before,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (said,) = json.loads(result.stdout)
    assert said['written'] == ['a.csv', 'a.png', 'a.reg', 'd.fits']
    assert len(said['blobs']) == 2
    table = Table.read('a.csv')
    circles = [x for x in Path('a.reg').read_text().splitlines() if 'circle' in x]
    assert len(circles) == len(table) == 2
    x, y = (float(each) for each in circles[0][7:].split(',')[:2])
    assert (x - 1, y - 1) == pytest.approx((table['x'][0], table['y'][0]), abs=1e-3)
    assert Path('a.png').stat().st_size > 10_000
    header = fits.getheader('d.fits')
    assert header['DIFFOF'] == 'i6_flt.fits'
    assert header['NREF'] == 6
    again = run('d.fits', '-o', 'b.csv')
    assert again.exit_code == 0, again.output
    assert again.stderr == ''
    assert (places(Table.read('b.csv')) == places(table)).all()


def test_known_blobs_are_left_out(run: Run, sequence: Path, before: list[Path]) -> None:
    """Of a table of known ones, whatever its columns are called."""
    Table({'X_IMAGE': [301.0], 'Y_IMAGE': [641.0]}).write('known.ecsv')
    image = sequence / 'i6_flt.fits'
    result = run(image, '--known', 'known.ecsv', '--reference', *before)
    assert result.exit_code == 0, result.output
    table = Table.read('i6_flt_blobs.ecsv')
    assert len(table) == 1
    assert abs(table['x'][0] - 702) < 3


def test_reference_pixels(
    run: Run, sequence: Path, before: list[Path], flt: Callable[..., Path]
) -> None:
    """Positions are those in the file as it is; fed back as known they still fit."""
    image = np.pad(fits.getdata(sequence / 'i6_flt.fits', 'SCI'), 5)
    path = flt(Path('raw.fits'), image, EXPSTART=57012.0)
    result = run(path, '--reference', *before)
    assert result.exit_code == 0, result.output
    table = Table.read('raw_blobs.ecsv')
    assert np.abs(places(table) - 5 - np.sort(FIRST, axis=0)).max() < 3
    shutil.copy('raw_blobs.ecsv', 'known.ecsv')
    again = run(path, '-o', 'b.ecsv', '--known', 'known.ecsv', '--reference', *before)
    assert again.exit_code == 0, again.output
    assert len(Table.read('b.ecsv')) == 0


def test_references_by_folder_and_list(
    run: Run, sequence: Path, before: list[Path]
) -> None:
    """Folders and lists stand for their files; what is no reference is left out."""
    Path('refs.txt').write_text('\n'.join(map(str, before)))
    image = sequence / 'i6_flt.fits'
    listed = run(image, '-o', 'a.ecsv', '--reference', '@refs.txt')
    assert listed.exit_code == 0, listed.output
    folder = run(image, '-o', 'b.ecsv', '--reference', sequence)
    assert folder.exit_code == 0, folder.output
    assert 'left out i6_flt.fits: it is the image itself' in folder.stderr
    assert 'left out i7_flt.fits: it is not before the image' in folder.stderr
    assert (places(Table.read('a.ecsv')) == places(Table.read('b.ecsv'))).all()


def test_what_fails_is_one_line(
    run: Run, sequence: Path, before: list[Path], flt: Callable[..., Path]
) -> None:
    """Each bad image has its line and exit code 1; the good one is done."""
    light = fits.getdata(before[0], 'SCI')
    bad = {
        'small.fits': ({}, light[:512, :512], 'has 512x512 pixels'),
        'uvis.fits': ({'DETECTOR': 'UVIS'}, light, 'is an image of WFC3/UVIS'),
        'nan.fits': ({}, light * np.nan, 'no usable pixel: all are NaN'),
        'dark.fits': ({'EXPSTART': 57100.0}, light * 0, 'the airglow is too faint'),
        'other.fits': (
            {'FILTER': 'F140W', 'EXPSTART': 57100.0}, light, 'no reference is left',
        ),
    }  # fmt: skip
    for name, (cards, image, _) in bad.items():
        flt(Path(name), image, **cards)
    Path('torn.fits').write_bytes(before[0].read_bytes()[:100_000])
    good = sequence / 'i6_flt.fits'
    result = run(good, *bad, 'torn.fits', '-o', 'out/', '--reference', *before)
    assert result.exit_code == 1
    errors = [x for x in result.stderr.splitlines() if x.startswith('error: ')]
    assert len(errors) == len(bad) + 1
    for line, (_, _, says) in zip(errors, bad.values(), strict=False):
        assert says in line
    assert 'truncated' in errors[-1]
    assert [path.name for path in Path('out').iterdir()] == ['i6_flt_blobs.ecsv']


def test_warnings(
    run: Run, sequence: Path, before: list[Path], flt: Callable[..., Path]
) -> None:
    """No DQ, a reference of another filter, one that is damaged: said, and done."""
    image = fits.getdata(sequence / 'i6_flt.fits', 'SCI')
    path = flt(Path('a.fits'), image, dq=False, EXPSTART=57012.0)
    other = flt(Path('other.fits'), image + 1, FILTER='F140W', EXPSTART=57001.0)
    Path('torn.fits').write_bytes(path.read_bytes()[:100_000])
    result = run(path, '--reference', *before, other, 'torn.fits')
    assert result.exit_code == 0, result.output
    assert 'a.fits: has no DQ; bad pixels are not known' in result.stderr
    assert 'its filter is F140W, that of the image F153M' in result.stderr
    assert 'torn.fits' in result.stderr
    assert 'left out of the references' in result.stderr
    assert len(Table.read('a_blobs.ecsv')) == 2


def test_an_image_without_references(run: Run, sequence: Path) -> None:
    """An image is not taken for a difference."""
    result = run(sequence / 'i6_flt.fits')
    assert result.exit_code == 1
    assert 'is no difference image, its median is' in result.stderr
    assert '--reference' in result.stderr
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        ([], 'Missing argument'),
        (['a.fits', '--reference'], 'requires an argument'),
        (['a.fits', '--notify', 'mail'], '--notify goes with --watch or --since'),
        (['a.fits', '--since', '2021-01-01'], '--since goes with one folder'),
        (['a.fits', '--since', 'spring'], 'must be a time as 2021-03-01'),
        (['a.fits', '--watch', '.'], 'leave out a.fits'),
        (['--watch', '.', '--plot', 'a.png'], '--plot does not go with --watch'),
        (['a.fits', '--add-to', 'torn'], 'does not exist'),
        (['--bad-pixels', 'a.fits'], '--bad-pixels without images needs --known'),
        (['a.fits', '--reference', 'empty'], 'no FITS file is in this folder'),
        (['a.fits', '--references', '0'], 'is not in the range'),
    ],
)
def test_usage(run: Run, arguments: list[str], says: str) -> None:
    """What does not go together is a usage error, before any work."""
    Path('empty').mkdir()
    result = run(*arguments)
    if arguments[-1:] == ['--reference']:  # as the last word of all
        result = CliRunner().invoke(blobs, arguments)
    assert result.exit_code == 2, result.output
    assert says in result.output.replace('\n', ' ')


def test_existing_files(run: Run, sequence: Path, before: list[Path]) -> None:
    """They are kept, skipped or replaced, as is asked; inputs are never written to."""
    image = sequence / 'i6_flt.fits'
    Path('i6_flt_blobs.ecsv').write_text('mine')
    words = [image, '--reference', *before]
    result = run(*words)
    assert result.exit_code == 1
    assert 'exists; give --overwrite' in result.stderr
    skipped = run('--skip-existing', *words)
    assert skipped.exit_code == 0
    assert 'skipped' in skipped.stdout
    assert Path('i6_flt_blobs.ecsv').read_text() == 'mine'
    assert run('--overwrite', *words).exit_code == 0
    protected = run('--overwrite', '-o', before[0], *words)
    assert protected.exit_code == 1
    assert 'is one of the inputs' in protected.stderr


def test_bad_pixels(run: Run, sequence: Path, before: list[Path]) -> None:
    """Found and known blobs together; known ones alone without an image."""
    known = Table({'x': [50.0], 'y': [60.0], 'radius': [4.0]})
    known.write('known.ecsv')
    alone = run('--bad-pixels', 'alone_bpx.fits', '--known', 'known.ecsv')
    assert alone.exit_code == 0, alone.output
    assert (expand_bad_pixels('alone_bpx.fits')[5:-5, 5:-5] > 0).sum() == (
        blob_mask(known).sum()
    )
    result = run(
        sequence / 'i6_flt.fits', '--known', 'known.ecsv', '--bad-pixels', 'bpx.fits',
        '--add-to', 'alone_bpx.fits', '--reference', *before,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert '3 blobs' in result.stdout
    found = Table.read('i6_flt_blobs.ecsv')
    expected = blob_mask(known) | blob_mask(found)
    assert ((expand_bad_pixels('bpx.fits')[5:-5, 5:-5] == 512) == expected).all()
    assert fits.getval('bpx.fits', 'USEAFTER') == 'Dec 21 2014 00:00:00'


def test_regression(run: Run, sequence: Path) -> None:
    """An archive is held against what is known, by the dates of its blobs."""
    truth = Table({'x': [300.0, 702.0], 'y': [640.0, 251.0], 'radius': [6.0, 5.0]})
    truth['depth'] = [0.12, 0.1]
    truth['since'] = 57012.0
    truth.write('truth.ecsv')
    images = [sequence / f'i{number}_flt.fits' for number in (5, 6)]
    result = run(*images, '--regress', 'truth.ecsv', '--reference', sequence)
    assert result.exit_code == 0, result.output
    assert 'holds: found at 5% and deeper: 100.00%' in result.stdout
    assert 'holds: false blobs: 0 in 2 images' in result.stdout
    table = Table.read('truth_regress.ecsv')
    assert list(table['n_images']) == list(table['n_found']) == [1, 1]
    assert (table['offset'] < 3).all()


def test_a_regression_that_fails(run: Run, sequence: Path) -> None:
    """Blobs that are not found, or of which nobody knew: exit code 1."""
    truth = Table({'x': np.linspace(100, 900, 40), 'y': np.full(40, 450.0)})
    truth.write('truth.ecsv')
    image = sequence / 'i6_flt.fits'
    words = ['--regress', 'truth.ecsv', '--reference', sequence]
    result = run(image, *words, '--json')
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said[0]['false'] == 2
    assert [(each['check'].split(':')[0], each['holds']) for each in said[1:]] == [
        ('found', False),
        ('false blobs', False),
    ]
