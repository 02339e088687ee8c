"""Images of the monitor: what is read, refused, and taken as a reference."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrosieve.blob.frames import Frame, choose_references, read_frame
from astrosieve.exceptions import AstrosieveWarning, ExposureError

LIGHT = np.full((1014, 1014), 2.5, dtype=np.float32)


def frame(name: str, date: float, filter_name: str = 'F153M') -> Frame:
    """Return a frame of a name, its pixels its own."""
    nothing = np.zeros((2, 2))
    return Frame(Path(name), nothing, nothing > 1, date, filter_name, name)


def test_an_flt(tmp_path: Path, flt: Callable[..., Path]) -> None:
    """Bad pixels are masked; DQ of blobs, flats and rays that the ramp lost is not."""
    dq = np.zeros(LIGHT.shape, np.int16)
    spoilt = (1, 2, 4, 16, 32, 128, 256)
    for column, bit in enumerate((*spoilt, 8, 512, 1024, 2048, 8192)):
        dq[0, column] = bit
    path = flt(tmp_path / 'a_flt.fits', LIGHT, dq=dq, EXPSTART=57123.25)
    read = read_frame(path)
    assert read.mask[0, : len(spoilt)].all()
    assert read.mask.sum() == len(spoilt)
    assert read.date == 57123.25
    assert read.filter_name == 'F153M'
    assert (read.edge, read.is_difference, read.level) == (0, False, 2.5)
    read.require_image()
    with pytest.raises(ExposureError, match=r'is no difference image, .* 2.5; give'):
        read.require_difference()


def test_a_raw_image(tmp_path: Path, flt: Callable[..., Path]) -> None:
    """Reference pixels go, and the zeroth read is taken from the last one."""
    reads = np.full((1024, 1024), 11000, dtype=np.float32)
    reads[5:-5, 5:-5] += np.arange(1014)
    path = flt(tmp_path / 'a_raw.fits', reads)
    with fits.open(path, mode='append') as hdus:
        for number in (2, 3):
            hdus.append(
                fits.ImageHDU(reads * 0 + 10000 + number, name='SCI', ver=number)
            )
    read = read_frame(path)
    assert read.data.shape == (1014, 1014)
    assert read.edge == 5
    assert (read.data[0] == 997 + np.arange(1014)).all()
    assert not read.mask.any()


def test_a_copy_is_known(tmp_path: Path, flt: Callable[..., Path]) -> None:
    """The digest is that of the pixels: of a packed copy, and of no other image."""
    path = flt(tmp_path / 'a_flt.fits', LIGHT)
    packed = tmp_path / 'b_flt.fits.gz'
    packed.write_bytes(gzip.compress(path.read_bytes()))
    other = flt(tmp_path / 'c_flt.fits', LIGHT + 1)
    digests = [read_frame(each).digest for each in (path, packed, other)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ('shape', 'cards', 'says'),
    [
        ((1014, 1013), {}, 'has 1013x1014 pixels; a full frame has 1014x1014 or 1024'),
        ((512, 512), {}, 'has 512x512 pixels'),
        ((1014, 1014), {'DETECTOR': 'UVIS'}, 'is an image of WFC3/UVIS; blobs are'),
        (
            (1014, 1014),
            {'INSTRUME': 'ACS', 'DETECTOR': 'WFC'},
            'is an image of ACS/WFC',
        ),
    ],
)
def test_what_is_no_image_of_the_monitor(
    tmp_path: Path,
    flt: Callable[..., Path],
    shape: tuple[int, int],
    cards: dict[str, str],
    says: str,
) -> None:
    """Another size or detector is refused, and the line says what it is."""
    path = flt(tmp_path / 'a.fits', np.ones(shape), **cards)
    with pytest.raises(ExposureError, match=says):
        read_frame(path)


def test_nothing_to_look_at(tmp_path: Path, flt: Callable[..., Path]) -> None:
    """All NaN, and all excluded."""
    path = flt(tmp_path / 'a.fits', LIGHT * np.nan)
    with pytest.raises(ExposureError, match='no usable pixel: all are NaN'):
        read_frame(path)
    path = flt(tmp_path / 'b.fits', LIGHT, dq=np.full(LIGHT.shape, 4))
    with pytest.raises(ExposureError, match='no usable pixel: DQ excludes all'):
        read_frame(path)


def test_what_is_warned_of(tmp_path: Path, flt: Callable[..., Path]) -> None:
    """Missing DQ and another filter are said, and the image is read."""
    path = flt(tmp_path / 'a.fits', LIGHT, dq=False, FILTER='F140W')
    with pytest.warns(AstrosieveWarning) as said:
        read = read_frame(path)
    texts = [str(each.message) for each in said]
    assert 'a.fits: has no DQ; bad pixels are not known' in texts
    assert 'a.fits: is of F140W; the networks know F153M' in texts
    assert read.filter_name == 'F140W'


@pytest.mark.parametrize(
    ('cards', 'date'),
    [
        ({'EXPSTART': 57000.5}, 57000.5),
        ({'EXPSTART': None, 'DATE-OBS': '2014-12-09', 'TIME-OBS': '12:00:00'}, 57000.5),
        ({'EXPSTART': None, 'DATE-OBS': '2014-12-09T12:00:00'}, 57000.5),
        ({'EXPSTART': None, 'DATE-OBS': 'in spring'}, np.nan),
        ({'EXPSTART': None}, np.nan),
    ],
)
def test_when(
    tmp_path: Path, flt: Callable[..., Path], cards: dict[str, object], date: float
) -> None:
    """The start of the exposure, by any of the usual cards."""
    path = flt(tmp_path / 'a.fits', LIGHT, **cards)
    assert read_frame(path).date == pytest.approx(date, nan_ok=True)


def test_the_last_before_the_image() -> None:
    """References are the last of those before, by date, each once."""
    image = frame('image', 100)
    candidates = [frame(str(n), n) for n in (5, 99, 7, 50)]
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        chosen = choose_references(image, [*candidates, candidates[0]], 3)
    assert [each.date for each in chosen] == [7, 50, 99]


def test_what_is_no_reference() -> None:
    """The image itself, other filters, later images: left out, each with a line."""
    image = frame('image', 100)
    candidates = [
        frame('good', 99), image, frame('later', 101), frame('other', 98, 'F140W')
    ]  # fmt: skip
    with pytest.warns(AstrosieveWarning) as said:
        chosen = choose_references(image, candidates)
    assert [each.path.name for each in chosen] == ['good']
    assert sorted(str(each.message) for each in said) == [
        'image: has 1 references of the 30 asked for',
        'image: left out image: it is the image itself',
        'image: left out later: it is not before the image',
        'image: left out other: its filter is F140W, that of the image F153M',
    ]
    with (
        pytest.warns(AstrosieveWarning),
        pytest.raises(ExposureError, match='no reference is left of 1'),
    ):
        choose_references(image, [image])
