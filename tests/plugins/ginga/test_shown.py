"""What a channel shows is read as files are; no viewer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

pytest.importorskip('ginga')

from ginga.AstroImage import AstroImage
from ginga.misc.log import get_logger
from ginga.util.loader import load_data
from PIL import Image

from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.units import electron_scale
from astrosieve_plugins.ginga_classify.shown import read_target, target_of
from astrosieve_plugins.ginga_classify.work import Job

WFPC2 = {
    'INSTRUME': 'WFPC2',
    'DETECTOR': 3,
    'ATODGAIN': 15.0,
    'CCDGAIN': 1.0,
    'EXPTIME': 40.0,
}
ACS = {
    'INSTRUME': 'ACS',
    'DETECTOR': 'WFC',
    'BUNIT': 'COUNTS/S',
    'ATODGNA': 1.9,
    'ATODGNB': 2.1,
    'CCDGAIN': 1.0,
    'EXPTIME': 50.0,
}
IR = {
    'INSTRUME': 'WFC3',
    'DETECTOR': 'IR',
    'BUNIT': 'ELECTRONS/S',
    'SAMPTIME': 603.0,
    'EXPTIME': 1206.0,
}


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(7).normal(5, 1, (40, 50)).astype(np.float32)


def read(image: Any) -> tuple[Chip, list[str]]:
    """Return what is read of an image, and what is said."""
    job = Job(lambda _share, _text: None)
    return read_target(target_of(image), job), job.texts


def electrons(chip: Chip) -> float:
    """Return the electrons per unit of the pixels; nothing may be unknown."""
    scale, problem = electron_scale(chip.unit, gain=chip.gain, exptime=chip.exptime)
    assert problem is None
    return scale


def save(path: Path, pixels: np.ndarray, cards: dict[str, Any]) -> Path:
    """Write a file whose primary header holds all that is known."""
    primary = fits.PrimaryHDU(header=fits.Header(cards))
    fits.HDUList([primary, fits.ImageHDU(pixels, name='SCI', ver=3)]).writeto(path)
    return path


def load(path: Path, pixels: np.ndarray) -> AstroImage:
    """Return pixels as the viewer has them of a file's extension."""
    image = AstroImage(data_np=pixels)
    image.set(path=str(path), idx=1, name=path.stem)
    image.update_keywords({'EXTNAME': 'SCI', 'EXTVER': 3})
    return image


@pytest.mark.parametrize(
    ('cards', 'scale'), [(WFPC2, 13.99), (ACS, 100.0), (IR, 603.0)]
)
def test_pixels_at_hand_are_read_as_files_are(
    cards: dict[str, Any], scale: float, pixels: np.ndarray, tmp_path: Path
) -> None:
    """Gains by amplifier and by table, units, times and the camera count the same."""
    (file,) = read_chips(save(tmp_path / 'a_c0m.fits', pixels, cards))
    image = AstroImage(data_np=pixels)
    image.update_keywords(cards)
    chip, texts = read(image)
    assert texts == ['pixels as shown, without ERR and DQ']
    assert electrons(chip) == electrons(file) == pytest.approx(scale)
    assert chip.dq_meaning == file.dq_meaning
    assert (chip.instrument, chip.detector) == (file.instrument, file.detector)
    assert np.array_equal(chip.sci, pixels)


@pytest.mark.parametrize('part', [np.s_[:], np.s_[5:30, 10:45]], ids=['edited', 'cut'])
def test_pixels_that_were_changed_keep_their_header(
    part: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    """The primary header, which the viewer leaves out, is that of the file."""
    path = save(tmp_path / 'b_c0m.fits', pixels, WFPC2)
    chip, texts = read(load(path, pixels[part] + 1))
    assert texts == ["the pixels shown are not the file's: without ERR and DQ"]
    assert np.array_equal(chip.sci, pixels[part] + 1)
    assert electrons(chip) == 13.99
    assert chip.name == 'b_c0m.fits[SCI,3]'
    assert chip.dq is None


def test_a_plane_of_a_cube_keeps_its_header(pixels: np.ndarray, tmp_path: Path) -> None:
    """A plane is of no use to the reader of files, its header is."""
    path = save(tmp_path / 'c.fits', np.stack([pixels, pixels]), ACS)
    image = load(path, pixels)
    image.naxispath = [1]
    chip, _ = read(image)
    assert electrons(chip) == pytest.approx(100)


def test_a_plane_of_another_format(pixels: np.ndarray, tmp_path: Path) -> None:
    """Its file is no FITS file: the viewer's header is used, and that is said."""
    path = tmp_path / 'c.h5'
    path.write_bytes(b'no FITS')
    image = load(path, pixels)
    image.naxispath = [1]
    image.update_keywords(ACS)
    chip, texts = read(image)
    assert electrons(chip) == pytest.approx(100)
    assert 'not a readable FITS file' in texts[1]


def test_unchanged_pixels_are_the_file_s(pixels: np.ndarray, tmp_path: Path) -> None:
    """Then nothing is to be said."""
    chip, texts = read(load(save(tmp_path / 'd.fits', pixels, ACS), pixels))
    assert texts == []
    assert electrons(chip) == pytest.approx(100)


def test_what_is_set_in_the_viewer_counts(pixels: np.ndarray, tmp_path: Path) -> None:
    """A card that the user has set is over the file's; one that is no card is not."""
    image = load(save(tmp_path / 'e.fits', pixels, ACS), pixels * 2)
    image.update_keywords({'EXPTIME': 10.0, 'ATODGNA': np.nan, 'MINE': [1, 2]})
    chip, _ = read(image)
    assert electrons(chip) == pytest.approx(20)


def test_a_header_in_the_primary_of_the_viewer(pixels: np.ndarray) -> None:
    """Where ginga keeps the primary header apart, it counts too."""
    image = AstroImage(data_np=pixels)
    image.update_keywords({'EXTNAME': 'SCI', 'EXTVER': 2})
    image.set(primary_header=dict(WFPC2, EXTNAME='PRIMARY'))
    chip, _ = read(image)
    assert electrons(chip) == 13.99
    assert (chip.extname, chip.extver) == ('SCI', 2)


def test_overscan_of_a_raw_image() -> None:
    """The science area of a full frame is known by its header."""
    image = AstroImage(data_np=np.zeros((1044, 1062), np.float32))
    image.update_keywords({'INSTRUME': 'ACS', 'DETECTOR': 'HRC', 'EXTNAME': 'SCI'})
    chip, _ = read(image)
    assert chip.mask is not None
    assert (~chip.mask).sum() == 1024 * 1024


def _opened(path: Path, index: str = '') -> AstroImage:
    """Return what the viewer has of a file, opened as it opens files."""
    return load_data(f'{path}{index}', logger=get_logger('test', null=True))


@pytest.mark.parametrize(
    ('name', 'index', 'number'),
    [
        ('', '', 1),
        ('', '[2]', 2),
        ('', '[COMPRESSED_IMAGE,2]', 2),
        ('SCI', '[SCI,2]', 2),
        ('SCI', '[1]', 1),
    ],
)
@pytest.mark.parametrize('kind', [fits.CompImageHDU, fits.ImageHDU])
def test_the_extension_that_is_shown_is_read(
    kind: Any, name: str, index: str, number: int, pixels: np.ndarray, tmp_path: Path
) -> None:
    """Also where it is compressed, has no name, or the name of another."""
    if kind is fits.ImageHDU:
        index = index.replace('[COMPRESSED_IMAGE,2]', '[2]')
    whole = np.round(pixels * 100).astype(np.int16)
    hdus = [fits.PrimaryHDU(header=fits.Header(ACS))]
    for step in (1, -1):
        hdu = kind(whole[::step])
        hdu.header['GAIN'] = 2.0
        if name:
            hdu.header['EXTNAME'] = name
        hdus.append(hdu)
    path = tmp_path / 'f.fits'
    fits.HDUList(hdus).writeto(path)
    image = _opened(path, index)
    chip, texts = read(image)
    assert texts == []
    assert np.array_equal(chip.sci, whole[:: (1, -1)[number - 1]])
    assert electrons(chip) == pytest.approx(100)
    assert target_of(image).extver == number
    other = target_of(_opened(path, f'[{3 - number}]'))
    assert other.key != target_of(image).key


def test_frames_of_microobservatory(data_dir: Path) -> None:
    """Real files whose only image is compressed are read as they are shown."""
    paths = sorted((data_dir / 'others' / 'masks' / 'hatp32').glob('*.fits'))
    if not paths:
        pytest.skip('they are not there')
    image = _opened(paths[0])
    chip, texts = read(image)
    assert texts == []
    assert np.array_equal(chip.sci, image.get_data())


def test_an_image_of_another_format(pixels: np.ndarray, tmp_path: Path) -> None:
    """A grey picture has no header: its pixels are classified as they are."""
    path = tmp_path / 'grey.png'
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    image = AstroImage(data_np=pixels)
    image.set(path=str(path), name='grey')
    chip, texts = read(image)
    assert texts == ['pixels as shown, without ERR and DQ']
    assert np.array_equal(chip.sci, pixels)
