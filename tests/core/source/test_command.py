"""The command line: files in, files out, exit codes, messages."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
from click.testing import CliRunner, Result

from astrosieve import atomic, entries
from astrosieve.cli import main


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run `astrosieve classify` with the tiny model in an empty folder."""
    folder = tmp_path / 'work'
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*arguments: object, fwhm: bool = True) -> Result:
        words = ['classify', '--model', str(tiny_model), *map(str, arguments)]
        if fwhm:
            words += ['--fwhm', '2.4']
        return CliRunner().invoke(main, words)

    return call


def test_default_output(run, flc: Path) -> None:
    """One ECSV named after the image in the current folder, one line printed."""
    result = run(flc)
    assert result.exit_code == 0, result.output
    table = QTable.read('j1_flc_sources.ecsv')
    assert f'{len(table)} detections' in result.stdout
    assert result.stderr == ''
    assert [p.name for p in Path().iterdir()] == ['j1_flc_sources.ecsv']


def test_existing_output_is_kept(run, flc: Path) -> None:
    """An existing file is an error that names the cure, and stays as it was."""
    Path('out.ecsv').write_text('mine')
    result = run(flc, '-o', 'out.ecsv')
    assert result.exit_code == 1
    assert 'exists; give --overwrite' in result.stderr
    assert Path('out.ecsv').read_text() == 'mine'
    assert run(flc, '-o', 'out.ecsv', '--overwrite').exit_code == 0
    assert len(QTable.read('out.ecsv')) > 0


@pytest.mark.parametrize(
    ('name', 'format_'), [('a.fits', None), ('a.ecsv', None), ('a.dat', 'fits')]
)
def test_formats(run, flc: Path, name: str, format_: str | None) -> None:
    """FITS and ECSV hold the same rows, columns and meta."""
    more = () if format_ is None else ('--format', format_)
    assert run(flc, '-o', name, *more).exit_code == 0
    run(flc, '-o', 'reference.ecsv')
    is_fits = Path(name).read_bytes().startswith(b'SIMPLE')
    assert is_fits == (name != 'a.ecsv')
    table = QTable.read(name, format='fits' if is_fits else 'ascii.ecsv')
    reference = QTable.read('reference.ecsv')
    assert table.colnames == reference.colnames
    assert np.array_equal(table['p_star'], reference['p_star'])
    assert table['p_star'].dtype.newbyteorder('=') == np.float32
    meta = {key.lower(): value for key, value in table.meta.items()}
    for key in ('model', 'hash', 'version', 'options', 'unit', 'fwhm'):
        assert meta[key] == reference.meta[key]


def test_several_images_go_to_a_folder(run, flc: Path) -> None:
    """A failure is named, the others are written, the exit code is 1."""
    bad = flc.with_name('bad_flc.fits')
    bad.write_bytes(b'nothing of the kind')
    result = run(flc, bad, '-o', 'out', '--plot', 'png', '--regions', 'reg')
    assert result.exit_code == 1
    assert 'bad_flc.fits: not a readable FITS file' in result.stderr
    assert '1 of 2 images failed' in result.stderr
    assert Path('out/j1_flc_sources.ecsv').is_file()
    assert Path('png/j1_flc_sources.png').read_bytes().startswith(b'\x89PNG')
    names = sorted(p.name for p in Path('reg').iterdir())
    assert names == ['j1_flc_sources_sci1.reg', 'j1_flc_sources_sci2.reg']


def test_several_images_and_a_file_is_misuse(run, flc: Path) -> None:
    """-o must be a folder for several images."""
    Path('out.ecsv').write_text('mine')
    result = run(flc, flc.with_name('other.fits'), '-o', 'out.ecsv')
    assert result.exit_code == 2
    assert 'must name a folder' in result.stderr


def test_images_of_one_name_are_misuse(run, flc: Path, tmp_path: Path) -> None:
    """Two inputs whose outputs would collide are refused before any work."""
    result = run(flc, tmp_path / 'j1_flc.fits')
    assert result.exit_code == 2
    assert 'would overwrite each other' in result.stderr


def test_keep_reports_what_it_drops(run, flc: Path) -> None:
    """--keep star leaves stars only, and says how many unscored rows went."""
    catalog = Table({'x': [0.0, 50.0, 60.0], 'y': [0.0, 50.0, 60.0]})
    catalog.write('in.ecsv')
    result = run(flc, '--ext', 'SCI,1', '--catalog', 'in.ecsv', '--keep', 'star')
    assert result.exit_code == 0, result.output
    assert '1 unscored dropped' in result.stdout
    table = QTable.read('j1_flc_sources.ecsv')
    assert set(table['class_name']) <= {'star'}
    words = ('--keep', 'star', '--keep', 'unscored', '--overwrite')
    result = run(flc, '--ext', 'SCI,1', '--catalog', 'in.ecsv', *words)
    assert 'dropped' not in result.stdout
    assert 'unscored' in set(QTable.read('j1_flc_sources.ecsv')['class_name'])


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('--keep', 'stars'), 'has star, cosmic_ray, spike'),
        (('--operating-point', 'best'), "no operating point 'best'"),
        (('--prior', 'star'), 'must be CLASS=SHARE'),
        (('--prior', 'quasar=0.5'), 'prior names quasar'),
        (('--prior', 'star=1.5'), 'between 0 and 1'),
        (('--finder', 'sextractor'), 'must be one of dao, iraf, peaks'),
        (('--nsigma', '-1'), '--nsigma must be positive'),
        (('--fwhm', '0'), '--fwhm must be positive'),
        (('--columns', 'x'), 'must be X,Y'),
        (('--unit', 'parsec^'), 'is not understood'),
        (('--catalog', 'missing.ecsv'), 'missing.ecsv: no such file'),
        (('--model', 'missing'), "no model 'missing'"),
        (('--model', 'missing.onnx'), 'missing.onnx: no such file'),
    ],
)
def test_misuse(run, flc: Path, words: tuple[str, ...], message: str) -> None:
    """Wrong options exit with 2, say why, and write nothing."""
    result = run(flc, *words, fwhm='--fwhm' not in words)
    assert result.exit_code == 2
    assert message in ' '.join(result.stderr.split())
    assert list(Path().iterdir()) == []


def test_unit_option(run, flc: Path) -> None:
    """--unit replaces BUNIT."""
    assert run(flc, '--unit', 'electron/s').exit_code == 0
    assert QTable.read('j1_flc_sources.ecsv').meta['unit'] == 'electron/s'


def test_warnings_are_said_once(run, tmp_path: Path, star_field) -> None:
    """An image without unit is warned of once per text, not per chip or image."""
    paths = []
    for name in ('a.fits', 'b.fits'):
        fits.PrimaryHDU(star_field.data).writeto(tmp_path / name)
        paths.append(tmp_path / name)
    result = run(*paths)
    assert result.exit_code == 0
    assert result.stderr.count('the image has no unit') == 1
    assert 'no unit' in QTable.read('b_sources.ecsv').meta['warnings']


def test_rates_without_exposure_time(run, tmp_path: Path, star_field) -> None:
    """e-/s without EXPTIME is warned of, with the cure, and classified."""
    header = fits.Header({'BUNIT': 'ELECTRONS/S'})
    fits.PrimaryHDU(star_field.data, header).writeto(tmp_path / 'a.fits')
    result = run(tmp_path / 'a.fits')
    assert result.exit_code == 0
    assert '--exptime' in result.stderr
    again = run(tmp_path / 'a.fits', '--exptime', '900', '--overwrite')
    assert again.stderr == ''


def test_read_only_folder(run, flc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without write permission is named before any work is done."""
    Path('closed').mkdir()
    # root may always write
    monkeypatch.setattr(atomic.os, 'access', lambda _, mode: mode != os.W_OK)
    result = run(flc, '-o', 'closed/a.ecsv')
    assert result.exit_code == 1
    assert 'the folder closed cannot be written' in result.stderr


def test_missing_folder(run, flc: Path) -> None:
    """A folder that does not exist is named before any work is done."""
    result = run(flc, '-o', 'nowhere/a.ecsv')
    assert result.exit_code == 1
    assert 'the folder nowhere does not exist' in result.stderr


def test_a_full_disk_leaves_nothing(
    run, flc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When writing fails half-way no file is left, and the message says why."""

    def fail(self: Table, path: Path, **rest: object) -> None:
        Path(path).write_text('half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Table, 'write', fail)
    result = run(flc)
    assert result.exit_code == 1
    assert 'No space left on device' in result.stderr
    assert list(Path().iterdir()) == []


def test_demo_beats_its_truth_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo writes catalogue and picture, and most stars are called stars."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ['demo'])
    assert result.exit_code == 0, result.output
    assert result.stderr == ''
    assert Path('demo_flc_sources.png').stat().st_size > 10_000
    row = next(r for r in result.stdout.splitlines() if r.startswith('star '))
    counts = [int(n) for n in row.split()[1:]]
    assert counts[0] > 0.9 * sum(counts)


def test_commands_of_other_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command registered under astrosieve.commands is listed and runs."""

    class Entry:
        name = 'greet'

        @staticmethod
        def load() -> click.Command:
            return click.Command('greet', callback=lambda: click.echo('hello'))

    def added(group: str) -> list[type[Entry]]:
        assert group == 'astrosieve.commands'
        return [Entry]

    monkeypatch.setattr(entries, 'entry_points', added)
    assert 'greet' in CliRunner().invoke(main, ['--help']).output
    assert CliRunner().invoke(main, ['greet']).output == 'hello\n'
    assert CliRunner().invoke(main, ['depart']).exit_code == 2


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (np.full((40, 40), 5.0), 'the image has one value only'),
        (np.full((40, 40), np.nan), 'the image has no finite, unmasked pixel'),
        (np.ones((1, 1)), 'the image has one value only'),
        (np.arange(16.0).reshape(4, 4), 'No sources were found'),
        (np.random.default_rng(5).poisson(99, (50, 50)).astype('i2'), 'No sources'),
    ],
    ids=['one value', 'all NaN', 'one pixel', 'tiny', 'integers'],
)
def test_images_without_detections(
    run, tmp_path: Path, image: np.ndarray, message: str
) -> None:
    """They give an empty catalogue with all columns, and say why."""
    header = fits.Header({'BUNIT': 'electron'})
    fits.PrimaryHDU(image, header).writeto(tmp_path / 'a.fits')
    result = run(tmp_path / 'a.fits')
    assert result.exit_code == 0
    assert message in result.stderr
    table = QTable.read('a_sources.ecsv')
    assert len(table) == 0
    assert {'x_centroid', 'class_name', 'p_star'} <= set(table.colnames)


def test_unreadable_inputs_are_named(run, flc: Path) -> None:
    """Each kind of broken file has a message of its own; nothing is written."""
    content = flc.read_bytes()
    cases = {
        'cut_flc.fits': (content[: len(content) // 2], 'the file is truncated'),
        'text.fits': (b'hello', 'not a readable FITS file'),
        'empty.fits': (b'', 'not a readable FITS file'),
    }
    for name, (broken, message) in cases.items():
        path = flc.with_name(name)
        path.write_bytes(broken)
        result = run(path)
        assert result.exit_code == 1
        assert message in result.stderr
        assert name in result.stderr
    result = run(flc, '--ext', 'SCI,3')
    assert result.exit_code == 1
    assert "no extension 'SCI,3'; it has" in result.stderr
    assert list(Path().iterdir()) == []


def test_damaged_weights_are_refused(flc: Path, tiny_model: Path) -> None:
    """A changed byte in the weights is found before any image is touched."""
    folder = flc.parent
    weights = bytearray(tiny_model.read_bytes())
    weights[len(weights) // 2] ^= 1
    (folder / 'tiny.onnx').write_bytes(weights)
    card = tiny_model.with_suffix('.json').read_text(encoding='utf-8')
    (folder / 'tiny.json').write_text(card, encoding='utf-8')
    words = ['classify', str(flc), '--model', str(folder / 'tiny.onnx')]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert 'SHA-256' in result.stderr
    assert 'Reinstall' in result.stderr


def test_the_name_of_a_picture_says_its_kind(run, flc: Path) -> None:
    """PDF, SVG, and else PNG."""
    for name, start in (('a.pdf', b'%PDF'), ('a.svg', b'<?xml'), ('a.PNG', b'\x89PNG')):
        result = run(flc, '-o', f'{name}.ecsv', '--plot', name)
        assert result.exit_code == 0, result.output
        assert Path(name).read_bytes().startswith(start)


def test_a_page_needs_no_matplotlib(
    run, flc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the rows of the table, by their ids, under the file's name."""
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    result = run(flc, '-o', 'a.ecsv', '--plot', 'a.html')
    assert result.exit_code == 0, result.output
    text = Path('a.html').read_text(encoding='utf-8')
    assert '<title>j1_flc.fits</title>' in text
    found = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    table = QTable.read('a.ecsv')
    assert {*np.asarray(table['extver'])} == {1, 2}
    assert data['ids'] == [str(row['id']) for row in table]
    kept = run(flc, '-o', 'a.ecsv', '--plot', 'a.html')
    assert kept.exit_code == 1
    assert 'exists' in kept.stderr
