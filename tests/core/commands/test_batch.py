"""Work on many inputs: where files go, what is said, exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import astrosieve
from astrosieve.atomic import atomic_path
from astrosieve.commands.base import Command
from astrosieve.commands.batch import (
    Answer,
    OutputOption,
    Outputs,
    delivered,
    plan_outputs,
    run_batch,
    without_existing,
)
from astrosieve.commands.console import Say, as_options
from astrosieve.commands.options import (
    images_argument,
    json_option,
    output_option,
    overwrite_option,
    skip_existing_option,
)
from astrosieve.exceptions import AstrosieveWarning, ExposureError


@click.command(cls=Command)
@images_argument
@output_option('ROOT_size.txt')
@click.option('--copy')
@overwrite_option
@skip_existing_option
@json_option
def measure(
    images: tuple[Path, ...],
    output: str | None,
    copy: str | None,
    overwrite: bool,
    skip_existing: bool,
) -> None:
    """Write the size of each file."""
    plan = plan_outputs(
        images,
        [
            OutputOption('-o', output, '_size.txt', always=True),
            OutputOption('--copy', copy, '_copy.txt'),
        ],
    )

    def work(image: Path, outputs: Outputs, say: Say) -> Answer:
        say('measuring')
        if not image.is_file():
            msg = 'no such file'
            raise ExposureError(msg)
        size = image.stat().st_size
        if not size:
            raise MemoryError
        if size > 100:
            raise KeyError('BITPIX')
        warnings.warn('all files are small', AstrosieveWarning, stacklevel=2)
        for path in outputs.values():
            if path is None:
                continue
            with (
                delivered(path) as file,
                atomic_path(file, overwrite=overwrite) as temporary,
            ):
                temporary.write_text(str(size))
        return Answer(f'{image.name}: {size}', {'input': image.name, 'size': size})

    left: Sequence[Path] = images
    if skip_existing:
        left, plan = without_existing(images, plan)
    run_batch(left, plan, work)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command in a folder with three files, one of them empty."""
    monkeypatch.chdir(tmp_path)
    for name, text in (('a.fits', 'four'), ('b.fits.gz', 'seventy'), ('c.fits', '')):
        Path(name).write_text(text)

    def call(*words: str) -> Result:
        return CliRunner().invoke(measure, words)

    return call


def test_files_of_one_image(run) -> None:
    """Without options one file in the current folder, else where they say."""
    result = run('a.fits')
    assert (result.exit_code, result.stdout) == (0, 'a.fits: 4\n')
    assert Path('a_size.txt').read_text() == '4'
    assert not Path('a_copy.txt').exists()
    Path('there').mkdir()
    assert run('b.fits.gz', '-o', 'mine.txt', '--copy', 'there').exit_code == 0
    assert Path('mine.txt').read_text() == Path('there/b_copy.txt').read_text() == '7'
    assert not Path('b_size.txt').exists()


def test_files_of_several_images(run) -> None:
    """Options name folders, which are made; the others lie here."""
    assert run('a.fits', 'b.fits.gz', '--copy', 'new/there').exit_code == 0
    found = sorted(str(path) for path in Path().rglob('*.txt'))
    assert found == [
        'a_size.txt', 'b_size.txt', 'new/there/a_copy.txt', 'new/there/b_copy.txt',
    ]  # fmt: skip


def test_failures(run) -> None:
    """Each failure is named on stderr, the others are done, and the exit code is 1."""
    result = run('missing.fits', 'a.fits', 'c.fits')
    assert result.exit_code == 1
    assert result.stdout == 'a.fits: 4\n'
    assert result.stderr.splitlines() == [
        'error: missing.fits: no such file',
        'warning: a.fits: all files are small',
        'error: c.fits: MemoryError',
        '2 of 3 images failed',
    ]
    assert Path('a_size.txt').exists()


def test_a_warning_is_said_once(run) -> None:
    """The same text about another image is not repeated."""
    result = run('a.fits', 'b.fits.gz')
    assert result.stderr.splitlines() == ['warning: a.fits: all files are small']


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('a.fits', 'b.fits.gz', '-o', 'c.fits'), '-o must name a folder for several'),
        (('a.fits', 'x/a.fits'), 'several images are called a'),
        ((), 'Missing argument'),
    ],
)
def test_misuse(run, words: tuple[str, ...], message: str) -> None:
    """What cannot be meant is refused before any work."""
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(Path().glob('*.txt'))


def test_an_error_that_nobody_foresaw(run) -> None:
    """It is one line that says what to do; the rest is done; --debug shows all."""
    Path('d.fits').write_text('x' * 101)
    result = run('d.fits', 'a.fits')
    assert result.exit_code == 1
    assert result.stdout == 'a.fits: 4\n'
    first, *_ = result.stderr.splitlines()
    assert first.startswith("error: d.fits: KeyError: 'BITPIX'. This should not happen")
    assert '--debug' in first
    assert 'Traceback' not in result.stderr
    assert isinstance(run('d.fits', '--debug').exception, KeyError)


def test_inputs_are_safe(run) -> None:
    """No output is an input, by whatever name, and only files are replaced."""
    Path('link.txt').symlink_to('a.fits')
    os.link('a.fits', 'hard.txt')
    os.mkfifo('pipe')
    for name, reason in (
        ('a.fits', 'is one of the inputs'),
        ('./a.fits', 'is one of the inputs'),
        ('link.txt', 'is one of the inputs'),
        ('hard.txt', 'is one of the inputs'),
        ('pipe', 'is a device or pipe'),
        (os.devnull, 'is a device or pipe'),
    ):
        result = run('a.fits', '-o', name, '--overwrite')
        assert (result.exit_code, reason in result.stderr) == (1, True), name
    assert Path('a.fits').read_text() == 'four'


def test_links_are_followed(run) -> None:
    """What a link leads to is written; the link stays a link."""
    Path('there').mkdir()
    Path('link.txt').symlink_to('there/new.txt')
    assert run('a.fits', '-o', 'link.txt').exit_code == 0
    assert Path('link.txt').is_symlink()
    assert Path('there/new.txt').read_text() == '4'
    assert 'exists; give --overwrite' in run('a.fits', '-o', 'link.txt').stderr


def test_standard_streams(run) -> None:
    """An image may come from stdin and its result go to stdout, alone."""
    result = CliRunner().invoke(measure, ['-', '-o', '-'], input='seven..')
    assert (result.exit_code, result.stdout) == (0, '7')
    assert result.stderr.splitlines()[-1] == 'stdin.fits: 7'
    many = run('a.fits', 'b.fits.gz', '-o', '-')
    assert (many.exit_code, '-o - goes with one image' in many.stderr) == (2, True)


def test_lists(run) -> None:
    """@LIST names files, seen from where the list is."""
    Path('lists').mkdir()
    Path('lists/all.txt').write_text('# two of them\n../a.fits\n\n ../b.fits.gz \n')
    result = run('@lists/all.txt')
    assert result.stdout == 'a.fits: 4\nb.fits.gz: 7\n'
    Path('empty.txt').touch()
    for name, reason in (('@none', 'no list'), ('@empty.txt', 'names no file')):
        result = run(name)
        assert (result.exit_code, reason in result.stderr) == (2, True)


def test_skip_existing(run) -> None:
    """What is there is left out, and said to be."""
    assert run('a.fits').exit_code == 0
    result = run('a.fits', 'b.fits.gz', '--skip-existing')
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        'a.fits: a_size.txt exists; skipped', 'b.fits.gz: 7',
    ]  # fmt: skip


def test_json(run) -> None:
    """One JSON text with an entry per input, failures too."""
    result = run('a.fits', 'missing.fits', '--json')
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {'input': 'a.fits', 'size': 4},
        {'input': 'missing.fits', 'error': 'no such file'},
    ]


def test_folders_by_name(run) -> None:
    """A slash at the end means a folder, which is made."""
    assert run('a.fits', '-o', 'new/').exit_code == 0
    assert Path('new/a_size.txt').read_text() == '4'


def test_loudness(run) -> None:
    """--quiet leaves warnings, --verbose says what is done; -h and --version work."""
    assert run('a.fits', '-q').stdout == ''
    assert 'all files are small' in run('b.fits.gz', '-q').stderr
    Path('a_size.txt').unlink()
    assert 'measuring' in run('a.fits', '-v').stderr
    assert 'Write the size' in run('-h').stdout
    assert 'astrosieve' in run('--version').stdout


TERMINAL = """
import sys, time
from pathlib import Path
import click
from astrosieve.commands.base import Command
from astrosieve.commands.batch import Answer, run_batch

@click.command(cls=Command)
def count():
    def work(path, plan, say):
        say(f'looking at {path}')
        time.sleep(0.2)
        return Answer(f'{path}: done')
    run_batch([Path('a'), Path('b')], [None, None], work)

count()
"""


def test_answers_stand_above_the_bar() -> None:
    """On a terminal each answer has a line of its own, and the bar goes away."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, '-c', TERMINAL],
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {'TERM': 'xterm', 'COLUMNS': '80'},
    ) as process:
        os.close(theirs)
        shown = b''
        with contextlib.suppress(OSError):  # Linux's way to say that it has ended
            while part := os.read(ours, 1024):
                shown += part
    os.close(ours)
    assert process.returncode == 0
    assert b'looking at a' in shown
    plain = re.sub(rb'\x1b\[[0-9;?]*[A-Za-z]', b'', shown).replace(b'\r', b'\n')
    lines = [line.strip() for line in plain.splitlines()]
    assert b'a: done' in lines
    assert b'b: done' in lines
    assert b'\x1b[2K' in shown[shown.index(b'b: done') :]  # a line is cleared


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('no width. Give fwhm=', 'no width. Give --fwhm'),
        ('give overwrite=True or another name', 'give --overwrite or another name'),
        ("several chips; say ext='SCI,1'", 'several chips; say --ext SCI,1'),
        (
            'threshold operating_point= of a card',
            'threshold --operating-point of a card',
        ),
        ('EXPTIME = NaN, a=b', 'EXPTIME = NaN, a=b'),
    ],
)
def test_messages_are_in_words_of_the_interface(text: str, expected: str) -> None:
    """What the library calls a keyword is an option on the command line."""
    assert as_options(text) == expected


def test_libraries_do_not_speak_of_options() -> None:
    """Only commands name options in their messages; the rest names keywords."""
    root = Path(astrosieve.__file__).parent
    rooms = ('images', 'models', 'tables', 'source')
    files = [path for room in rooms for path in (root / room).rglob('*.py')]
    spoken = [
        path.name
        for path in files
        if path.name != 'command.py' and '(--' in path.read_text(encoding='utf-8')
    ]
    assert not spoken
