"""Damaged files: chips or one kind of error, soon, and nothing left open."""

from __future__ import annotations

import gc
import gzip
import re
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrosieve.exceptions import AstrosieveWarning, ExposureError
from astrosieve.images.exposures import list_chips, read_chips, read_header

BLOCK, CARD = 2880, 80
VALUES = (
    b'NaN', b'-NaN', b'Infinity', b"'text'", b"'open", b'', b'T', b'99999999', b'-1',
    b'1E400', b'(1, 2)', b'0', b'2', b'\xff\xfe', b'1.5.2', b'=', b'999',
)  # fmt: skip
SECONDS = 5.0

Damage = Callable[[bytearray, np.random.Generator], bytes]


def headers(content: bytes) -> list[int]:
    """Return where the cards of all headers begin."""
    starts, within = [], False
    for block in range(0, len(content), BLOCK):
        if content[block : block + 8] in (b'SIMPLE  ', b'XTENSION'):
            within = True
        for at in range(block, block + BLOCK, CARD):
            if within:
                starts.append(at)
                within = content[at : at + 8] != b'END     '
    return starts


def cut(content: bytearray, rng: np.random.Generator) -> bytes:
    """Break off, here and there right after a header."""
    if rng.random() < 0.3:
        ends = [a for a in headers(content) if content[a : a + 8] == b'END     ']
        return content[: (rng.choice(ends) // BLOCK + 1) * BLOCK]
    return content[: rng.integers(len(content))]


def flip_header(content: bytearray, rng: np.random.Generator) -> bytes:
    """Change some bytes of cards."""
    for at in rng.choice(headers(content), 3):
        content[at + rng.integers(CARD)] = rng.integers(256)
    return content


def flip_anywhere(content: bytearray, rng: np.random.Generator) -> bytes:
    """Change some bytes, mostly of data."""
    for at in rng.integers(len(content), size=20):
        content[at] ^= 1 << rng.integers(8)
    return content


def change_value(content: bytearray, rng: np.random.Generator) -> bytes:
    """Give a card another value."""
    at = rng.choice(headers(content))
    value = VALUES[rng.integers(len(VALUES))]
    content[at + 8 : at + CARD] = (b'= ' + value.rjust(20)).ljust(CARD - 8)
    return content


def change_structure(content: bytearray, rng: np.random.Generator) -> bytes:
    """Give a card that the standard demands another value."""
    wanted = (b'BITPIX', b'NAXIS', b'PCOUNT', b'GCOUNT', b'TFORM', b'TFIELDS', b'Z')
    cards = [a for a in headers(content) if content[a : a + CARD].startswith(wanted)]
    at = rng.choice(cards)
    value = VALUES[rng.integers(len(VALUES))]
    content[at + 8 : at + CARD] = (b'= ' + value.rjust(20)).ljust(CARD - 8)
    return content


def drop_card(content: bytearray, rng: np.random.Generator) -> bytes:
    """Blank a card, or the end of a header."""
    cards = headers(content)
    if rng.random() < 0.3:
        cards = [a for a in cards if content[a : a + 8] == b'END     ']
    at = rng.choice(cards)
    content[at : at + CARD] = b' ' * CARD
    return content


def drop_block(content: bytearray, rng: np.random.Generator) -> bytes:
    """Lose a block, or have it twice."""
    at = rng.integers(len(content) // BLOCK) * BLOCK
    if rng.random() < 0.5:
        del content[at : at + BLOCK]
    else:
        content[at:at] = content[at : at + BLOCK]
    return content


DAMAGES = (
    cut, flip_header, flip_anywhere, change_value, change_structure, drop_card,
    drop_block,
)  # fmt: skip


def two_chips(folder: Path, kind: str) -> bytes:
    """Return a file of two chips with ERR and DQ, plain or tile by tile."""
    rng = np.random.default_rng(5)
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update({'INSTRUME': 'WFC3', 'DETECTOR': 'UVIS', 'EXPTIME': 30.0})
    for number in (1, 2):
        planes = {
            'SCI': rng.normal(10, 3, (48, 40)).astype(np.float32),
            'ERR': np.full((48, 40), 3, dtype=np.float32),
            'DQ': rng.integers(0, 2, (48, 40)).astype(np.int16),
        }
        for name, plane in planes.items():
            if kind == 'fz':
                hdu = fits.CompImageHDU(plane, name=name, quantize_level=16)
            else:
                hdu = fits.ImageHDU(plane, name=name)
            hdu.ver = number
            hdu.header['BUNIT'] = 'ELECTRONS'
            hdu.header.update({'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN'})
            hdu.header.update({'CRVAL1': 10.0, 'CRVAL2': 20.0, 'CDELT1': 1e-5})
            hdus.append(hdu)
    hdus.writeto(folder / f'whole.{kind}')
    return (folder / f'whole.{kind}').read_bytes()


def read_all(path: Path) -> list[ExposureError]:
    """Read a file in all ways; return how it was refused."""
    refused = []
    for read in (read_chips, list_chips):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore', AstrosieveWarning)
                assert len(list(read(path)))
                read_header(path)
        except ExposureError as error:
            refused.append(error)
    return refused


def damage(kind: str, number: int, folder: Path) -> Counter[str]:
    """Read so many damaged files of a kind; return how often it went how."""
    whole = two_chips(folder, 'fits' if kind == 'gz' else kind)
    outcomes: Counter[str] = Counter()
    for seed in range(number):
        rng = np.random.default_rng(seed)
        content = DAMAGES[seed % len(DAMAGES)](bytearray(whole), rng)
        if kind == 'gz':
            packed = bytearray(gzip.compress(content, mtime=0))
            content = flip_anywhere(packed, rng) if seed % 3 == 0 else packed
        path = folder / f'damaged{seed}.fits'
        path.write_bytes(content)
        begun = time.monotonic()
        try:
            refused = read_all(path)
        except BaseException as error:
            error.add_note(f'{kind}, seed {seed}, {DAMAGES[seed % len(DAMAGES)]}')
            raise
        assert time.monotonic() - begun < SECONDS, seed
        for error in refused:
            # The file is named, and the extension where it is that one's fault.
            assert re.match(rf'{re.escape(str(path))}(\[\w+,\d+\])?: ', str(error)), (
                seed
            )
            assert '\n' not in str(error), seed
        outcomes['refused' if refused else 'read'] += 1
        path.unlink()
    gc.collect()  # a file left open would be a warning, and so an error
    return outcomes


@pytest.mark.parametrize('kind', ['fits', 'gz', 'fz'])
def test_damaged_files(kind: str, tmp_path: Path) -> None:
    """A damaged file gives chips, or an ExposureError that names it."""
    outcomes = damage(kind, 84, tmp_path)
    assert outcomes['refused'] > 20
    if kind != 'gz':
        assert outcomes['read'] > 10


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['fits', 'gz', 'fz'])
def test_many_damaged_files(kind: str, tmp_path: Path) -> None:
    """So do hundreds, of which more than half are beyond reading."""
    assert damage(kind, 500, tmp_path)['refused'] > 250


def with_card(content: bytes, keyword: bytes, value: bytes, nth: int = 0) -> bytes:
    """Return a file in which the nth card of a keyword has another value."""
    cards = [a for a in headers(content) if content[a : a + 8].rstrip() == keyword]
    at = cards[nth] + 10
    return content[:at] + value.rjust(20) + content[at + 20 :]


@pytest.mark.parametrize('nth', [0, 1])
def test_absurd_number_of_axes(nth: int, tmp_path: Path) -> None:
    """A hundred million axes are refused at once, in extensions too."""
    path = tmp_path / 'axes.fits'
    path.write_bytes(with_card(two_chips(tmp_path, 'fits'), b'NAXIS', b'99999999', nth))
    begun = time.monotonic()
    with pytest.raises(
        ExposureError, match=rf'axes\.fits: .*HDU {nth}: NAXIS = 99999999 makes no'
    ):
        list(read_chips(path))
    assert time.monotonic() - begun < 1


def test_a_bad_card_costs_itself_only(tmp_path: Path) -> None:
    """An exposure time that is no number is left out, and that is said."""
    path = tmp_path / 'time.fits'
    path.write_bytes(with_card(two_chips(tmp_path, 'fits'), b'EXPTIME', b'NaN'))
    with pytest.warns(
        AstrosieveWarning, match=r'time\.fits\[SCI,1\]: .* EXPTIME is no'
    ):
        chips = list(read_chips(path))
    assert [chip.exptime for chip in chips] == [None, None]
    assert [chip.wcs is not None for chip in chips] == [True, True]


def test_what_follows_the_last_hdu(tmp_path: Path) -> None:
    """Zeros after the last HDU say nothing; other bytes are spoken of."""
    whole = two_chips(tmp_path, 'fits')
    path = tmp_path / 'tail.fits'
    path.write_bytes(whole + bytes(5 * BLOCK))
    assert len(list(read_chips(path))) == 2
    path.write_bytes(whole + b'junk' * BLOCK)
    with pytest.warns(AstrosieveWarning, match='what follows HDU 6 is no extension'):
        assert len(list(read_chips(path))) == 2


def test_a_tiled_image_is_held_against_its_tiles(tmp_path: Path) -> None:
    """A size that the tiles cannot fill is refused before memory is asked for."""
    path = tmp_path / 'tiles.fits'
    path.write_bytes(with_card(two_chips(tmp_path, 'fz'), b'ZNAXIS2', b'900000000'))
    with pytest.raises(ExposureError, match='900000000 tiles in 48 rows'):
        list(read_chips(path))


def test_a_tile_of_another_size(tmp_path: Path) -> None:
    """Where HCOMPRESS would write beyond its memory, the file is refused."""
    image = np.random.default_rng(3).normal(100, 5, (40, 30)).astype(np.int16)
    path = tmp_path / 'packed.fits.fz'
    hdu = fits.CompImageHDU(image, compression_type='HCOMPRESS_1', name='SCI')
    hdu.writeto(path)
    (chip,) = read_chips(path)
    np.testing.assert_array_equal(chip.sci, image)
    content = bytearray(path.read_bytes())
    stream = content.index(bytes.fromhex('dd990000'))
    content[stream + 9] = 66
    path.write_bytes(content)
    with pytest.raises(ExposureError, match='a tile is not of the size'):
        list(read_chips(path))
