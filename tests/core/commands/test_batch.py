"""Work on many inputs: where files go, what is said, exit codes."""

from __future__ import annotations

import warnings
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from astrosieve.commands.batch import (
    OutputOption,
    Outputs,
    Say,
    plan_outputs,
    run_batch,
)
from astrosieve.commands.options import images_argument, output_option
from astrosieve.exceptions import AstrosieveWarning, ExposureError


@click.command()
@images_argument
@output_option('ROOT_size.txt')
@click.option('--copy', type=click.Path(path_type=Path))
def measure(images: tuple[Path, ...], output: Path | None, copy: Path | None) -> None:
    """Write the size of each file."""
    plan = plan_outputs(
        images,
        [
            OutputOption('-o', output, '_size.txt', always=True),
            OutputOption('--copy', copy, '_copy.txt'),
        ],
    )

    def work(image: Path, outputs: Outputs, say: Say) -> str:
        say('measuring')
        if not image.is_file():
            msg = 'no such file'
            raise ExposureError(msg)
        size = image.stat().st_size
        if not size:
            raise MemoryError
        warnings.warn('all files are small', AstrosieveWarning, stacklevel=2)
        for path in outputs.values():
            if path is not None:
                path.write_text(str(size))
        return f'{image.name}: {size}'

    run_batch(images, plan, work)


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
