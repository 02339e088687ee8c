"""Types of frames in PypeIt files."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from astropy.coordinates import EarthLocation
from astropy.table import Table

from astrosieve_plugins.pypeit_frames import PypeItFileError, write_types

TEXT = """\
# Auto-generated PypeIt input file using PypeIt version: 2.0.1

# User-defined execution parameters
[rdx]
    spectrograph = shane_kast_blue

# Setup
setup read
 Setup A:
   --:
     dispname: 452/3306
setup end

# Data block
data read
 path /data/night
|   filename |         frametype |                 ra | exptime |
| b1.fits.gz |           arc,tilt | 140.44166666666663 |    30.0 |
| b2.fits.gz |   science,standard |  140.4416666666667 |    15.0 |
| b3.fits.gz |               None |  140.4416666666667 |    15.0 |
| b4.fits.gz |    pixelflat,trace |  140.4416666666667 |    15.0 |
| b5.fits.gz |               bias |  140.4416666666667 |     0.0 |
| b6.fits.gz |               None |  140.4416666666667 |     0.0 |
# b7.fits.gz |               None |  140.4416666666667 |     0.0 |
data end
"""


def types(path: Path) -> dict[str, str]:
    rows = [line.split('|') for line in path.read_text().splitlines() if '|' in line]
    return {r[1].strip(): r[2].strip() for r in rows if r[1].strip().startswith('b')}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / 'a.pypeit'
    path.write_text(TEXT)
    return path


@pytest.fixture
def table() -> Table:
    said = ['arc', 'standard', 'science', 'flat', 'dark', 'unknown']
    return Table({'file': [f'b{i + 1}.fits.gz' for i in range(6)], 'frame_type': said})


def test_types_are_corrected(written: Path, table: Table) -> None:
    """Lists that fit stay, others are PypeIt's own names; unknown is left alone."""
    assert write_types(written, table) == 2
    assert types(written) == {
        'b1.fits.gz': 'arc,tilt',
        'b2.fits.gz': 'science,standard',
        'b3.fits.gz': 'science',
        'b4.fits.gz': 'pixelflat,trace',
        'b5.fits.gz': 'dark',
        'b6.fits.gz': 'None',
    }


def test_all_else_stays(written: Path, table: Table) -> None:
    """Every line but those of corrected frames is as it was."""
    write_types(written, table)
    pairs = list(zip(TEXT.splitlines(), written.read_text().splitlines(), strict=True))
    assert [old.split()[1] for old, new in pairs if old != new] == [
        'b3.fits.gz', 'b5.fits.gz',
    ]  # fmt: skip
    assert write_types(written, table) == 0


def test_a_missing_column_is_added(tmp_path: Path, table: Table) -> None:
    """The column stands after the file's name."""
    path = tmp_path / 'a.pypeit'
    path.write_text(
        'data read\n path /d\n| filename | exptime |\n| b1.fits.gz | 3.0 |\n'
        '| c.fits | 3.0 |\ndata end\n'
    )
    assert write_types(path, table) == 1
    cells = [
        [cell.strip() for cell in line.split('|')][1:-1]
        for line in path.read_text().splitlines()
        if '|' in line
    ]
    assert cells == [
        ['filename', 'frametype', 'exptime'],
        ['b1.fits.gz', 'arc,tilt', '3.0'],
        ['c.fits', 'None', '3.0'],
    ]


@pytest.mark.parametrize('text', ['', 'data read\ndata end\n', 'data read\n| a |\n'])
def test_other_files_are_refused(tmp_path: Path, table: Table, text: str) -> None:
    """A file without a table of frames is none of PypeIt, and stays as it is."""
    path = tmp_path / 'a.txt'
    path.write_text(text)
    with pytest.raises(PypeItFileError, match=r'a\.txt'):
        write_types(path, table)
    assert path.read_text() == text


@pytest.fixture
def inputfiles(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """PypeIt's reader; importing it asks for observatories, which are on the net."""
    place = EarthLocation.from_geodetic(0, 0)
    monkeypatch.setattr(EarthLocation, 'of_site', lambda *args, **more: place)
    found: ModuleType = pytest.importorskip('pypeit.inputfiles')
    return found


@pytest.mark.pypeit
def test_round_trip_through_pypeit(
    written: Path, table: Table, inputfiles: ModuleType
) -> None:
    """PypeIt's own reader reads the file as before, with the new types."""
    before = inputfiles.PypeItFile.from_file(str(written), vet=False)
    write_types(written, table)
    read = inputfiles.PypeItFile.from_file(str(written), vet=False)
    assert read.data['frametype'].tolist() == [
        'arc,tilt', 'science,standard', 'science', 'pixelflat,trace', 'dark', 'None',
    ]  # fmt: skip
    assert (read.setup, read.config) == (before.setup, before.config)
    for name in ('filename', 'ra', 'exptime'):
        assert read.data[name].tolist() == before.data[name].tolist()


def test_a_file_in_another_encoding(tmp_path: Path, table: Table) -> None:
    """It is said to be none, and stays as it is."""
    path = tmp_path / 'a.pypeit'
    path.write_bytes(TEXT.encode('utf-16'))
    with pytest.raises(PypeItFileError, match='is no text in UTF-8'):
        write_types(path, table)
    assert path.read_bytes() == TEXT.encode('utf-16')
