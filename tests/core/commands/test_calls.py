"""Commands called from Python."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from astrosieve import batch
from astrosieve.commands import calls
from astrosieve.exceptions import AstrosieveError, AstrosieveWarning


@pytest.fixture(autouse=True)
def _pieces(pieces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint('pieces', 'pieces:pieces', calls.__name__)
    monkeypatch.setattr(calls, 'command_entries', lambda: {'pieces': entry})
    for name in ('a', 'b', 'bad-1'):
        Path(f'{name}.fits').write_text(f'of {name}')


def test_inputs(tmp_path: Path) -> None:
    """A name, several, those that match, or those of a table."""
    Path('list.csv').write_text('number,file\n1,b.fits\n2,a.fits\n')
    for given, expected in (
        ('a.fits', ['a']),
        ([Path('b.fits'), 'a.fits'], ['b', 'a']),
        ('*[ab].fits', ['a', 'b']),
        (f'{tmp_path}/here/*[ab].fits', ['a', 'b']),
        ('list.csv', ['b', 'a']),
    ):
        answers = batch('pieces', given, overwrite=True)
        assert [each['input'] for each in answers] == [f'{n}.fits' for n in expected]
    with pytest.raises(ValueError, match='no such file'):
        batch('pieces', 'x*.fits')


def test_answers_and_failures(capfd: pytest.CaptureFixture[str]) -> None:
    """Failures are among the answers; warnings are Python's; nothing is printed."""
    Path('warn-1.fits').write_text('')
    with pytest.warns(AstrosieveWarning, match=r'warn-1\.fits: all files are small'):
        answers = batch('pieces', ['a.fits', 'bad-1.fits', 'warn-1.fits'], output='to')
    assert answers[1] == {'input': 'bad-1.fits', 'error': 'damaged'}
    assert Path('to/a_copy.txt').exists()
    printed = capfd.readouterr()
    assert (printed.out.replace('a library that prints\n', ''), printed.err) == ('', '')


def test_runs() -> None:
    """A second call goes on where the first ended."""
    pytest.importorskip('pyarrow')
    assert len(batch('pieces', 'a.fits', run='night')) == 1
    answers = batch('pieces', ['a.fits', 'b.fits'], run='night')
    assert [each['input'] for each in answers] == ['b.fits']
    with pytest.raises(AstrosieveError, match='another options'):
        batch('pieces', 'a.fits', run='night', output='else')


@pytest.mark.parametrize(
    ('command', 'options', 'error', 'message'),
    [
        ('soup', {}, ValueError, "no command 'soup'; known are pieces"),
        ('pieces', {'soup': 1}, TypeError, "no option 'soup'"),
        ('pieces', {'jobs': 0}, ValueError, 'jobs'),
    ],
)
def test_misuse(command: str, options: dict, error: type, message: str) -> None:
    """What is wrong is said as Python does."""
    with pytest.raises(error, match=message):
        batch(command, 'a.fits', **options)


def test_names_that_look_like_options() -> None:
    """They are files all the same."""
    Path('-q.fits').write_text('dash')
    assert batch('pieces', '-q.fits')[0]['input'] == '-q.fits'
