"""Frames out of files, whatever is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.frametype.frames import FrameError, as_frame, list_frames, read_frames


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(1).normal(1000, 5, (60, 80))


@pytest.mark.parametrize('dtype', ['uint16', 'int32', 'float32', '>f8', 'uint8'])
def test_number_types(image: np.ndarray, tmp_path: Path, dtype: str) -> None:
    """Pixels are those of the file, scaled integers too."""
    data = (image % 200).astype(dtype)
    fits.PrimaryHDU(data).writeto(tmp_path / 'a.fits')
    (frame,) = read_frames(tmp_path / 'a.fits')
    assert frame.pixels.dtype == np.float32
    assert np.array_equal(frame.pixels, data.astype(np.float32))


@pytest.mark.parametrize('name', ['a.fits.gz', 'a.fits.fz'])
def test_compressed(image: np.ndarray, tmp_path: Path, name: str) -> None:
    """Compressed files are read, unsigned integers in them as well."""
    data = image.astype(np.uint16)
    hdu = fits.CompImageHDU(data) if name.endswith('.fz') else fits.PrimaryHDU(data)
    hdu.writeto(tmp_path / name)
    (frame,) = read_frames(tmp_path / name)
    assert np.array_equal(frame.pixels, data)


def test_large_frames_are_thinned(tmp_path: Path) -> None:
    """Pairs of neighbours are kept, over the whole frame, and scaled."""
    data = np.arange(300 * 400).reshape(300, 400) % 60_000
    fits.PrimaryHDU(data.astype(np.uint16)).writeto(tmp_path / 'a.fits')
    (frame,) = read_frames(tmp_path / 'a.fits', 40_000)
    assert frame.pixels.shape == (150, 200)
    assert np.array_equal(frame.pixels[:3, :3], data[[0, 1, 4]][:, [0, 1, 4]])


def test_extensions(image: np.ndarray, tmp_path: Path) -> None:
    """Each image of a mosaic is a frame, with the primary header."""
    hdus = [fits.PrimaryHDU(header=fits.Header({'OBJECT': 'arc'}))]
    hdus += [fits.ImageHDU(image, name=f'AMP{i}') for i in (1, 2)]
    fits.HDUList(hdus).writeto(tmp_path / 'a.fits')
    frames = list(read_frames(tmp_path / 'a.fits'))
    assert [each.extension for each in frames] == ['AMP1,1', 'AMP2,1']
    assert all(each.header['OBJECT'] == 'arc' for each in frames)


@pytest.mark.parametrize(
    ('data', 'match'),
    [
        (np.zeros((50, 50)), 'all pixels are zero'),
        (np.full((50, 50), 7.0), 'all pixels are 7'),
        (np.full((50, 50), np.nan), 'only 0% of the pixels are finite'),
        (np.arange(5000.0), 'spectrum of 5000 pixels in one dimension'),
        (np.ones((3, 50, 50)), 'cube of 50 x 50 x 3'),
        (np.ones((8, 900)), '900 x 8 pixels are too few'),
    ],
)
def test_what_is_no_frame(data: np.ndarray, match: str, tmp_path: Path) -> None:
    """The reason is said, with the file."""
    fits.PrimaryHDU(data).writeto(tmp_path / 'a.fits')
    with pytest.raises(FrameError, match=match) as caught:
        list(read_frames(tmp_path / 'a.fits'))
    assert str(tmp_path / 'a.fits') in str(caught.value)


@pytest.mark.parametrize('name', ['a.fits', 'a.fits.gz', 'a.fits.fz'])
def test_truncated(image: np.ndarray, tmp_path: Path, name: str) -> None:
    """A file that breaks off is named so."""
    path = tmp_path / name
    hdu = fits.CompImageHDU(image) if name.endswith('.fz') else fits.PrimaryHDU(image)
    hdu.writeto(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(FrameError, match=r'truncated|not a readable'):
        list(read_frames(path))


def test_missing_and_empty(tmp_path: Path) -> None:
    """What is not there, and what holds no image."""
    with pytest.raises(FrameError, match='no such file'):
        list(read_frames(tmp_path / 'none.fits'))
    fits.PrimaryHDU().writeto(tmp_path / 'a.fits')
    with pytest.raises(FrameError, match='no HDU holds an image'):
        list(read_frames(tmp_path / 'a.fits'))
    (tmp_path / 'folder').mkdir()
    with pytest.raises(FrameError, match='no FITS files'):
        list_frames(tmp_path / 'folder')
    assert list_frames(tmp_path) == [tmp_path / 'a.fits']


def test_unsigned_read_as_signed(image: np.ndarray) -> None:
    """Values about half the range wrap, and are put right."""
    data = (image * 20 + 12_768).astype(np.uint16)
    with pytest.warns(AstrosieveWarning, match='unsigned integers'):
        frame = as_frame(data.view(np.int16))
    assert np.array_equal(frame, data)


def test_spoilt_pixels() -> None:
    """A few pixels that are not finite become the median."""
    data = np.arange(2500.0).reshape(50, 50)
    data[0, :2] = np.nan, np.inf
    frame = as_frame(data)
    assert np.isfinite(frame).all()
    assert frame[0, 0] == frame[0, 1] == np.median(np.arange(2, 2500))
