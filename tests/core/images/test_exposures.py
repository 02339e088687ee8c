"""FITS files in, chips out."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astrosieve.exceptions import AstrosieveError, AstrosieveWarning, ExposureError
from astrosieve.images.exposures import (
    Chip,
    chip_from_header,
    is_compressed,
    list_chips,
    read_chips,
    read_header,
    root_name,
    unpack,
)
from astrosieve.images.units import PixelUnit


@pytest.fixture
def image() -> np.ndarray:
    """A small image in which no two pixels are alike."""
    return np.arange(30 * 40, dtype=np.float32).reshape(30, 40)


def only_chip(path: Path, ext: str | None = None) -> Chip:
    (chip,) = read_chips(path, ext)
    return chip


def save(path: Path, *hdus: Any, **primary: Any) -> Path:
    """Write HDUs after an empty primary with some keywords."""
    first = fits.PrimaryHDU()
    first.header.update(primary)
    fits.HDUList([first, *hdus]).writeto(path)
    return path


class TestLayouts:
    """The layouts that observatories write."""

    def test_flc(self, flc: Path, star_field) -> None:
        """Each SCI extension is a chip, with its planes, unit, names and WCS."""
        chips = list(read_chips(flc))
        assert [chip.extver for chip in chips] == [1, 2]
        for chip in chips:
            assert chip.sci.shape == chip.err.shape == chip.dq.shape == (128, 120)
            assert chip.sci.dtype == np.float32
            assert chip.dq.dtype == np.int16
            assert (chip.err == 4).all()
            assert chip.unit == PixelUnit('electron')
            assert (chip.instrument, chip.detector) == ('WFC3', 'UVIS')
            assert chip.filter_name == 'F336W'
            assert chip.exptime == 1230
            assert chip.gain == 1.5
            assert chip.mask is None
            assert chip.wcs.has_celestial
            assert chip.path == flc
        assert chips[0].name == 'j1_flc.fits[SCI,1]'
        assert np.array_equal(chips[0].sci, star_field.data + np.float32(30))
        assert np.array_equal(chips[1].sci, chips[0].sci[::-1, ::-1])
        assert not np.array_equal(chips[0].wcs.wcs.crval, chips[1].wcs.wcs.crval)

    def test_sci_without_err_and_dq(self, image: np.ndarray, tmp_path: Path) -> None:
        """Planes that are not there are None."""
        chip = only_chip(save(tmp_path / 'a.fits', fits.ImageHDU(image, name='SCI')))
        assert np.array_equal(chip.sci, image)
        assert chip.err is None
        assert chip.dq is None
        assert chip.wcs is None
        assert chip.unit is None

    def test_plain_primary(self, image: np.ndarray, tmp_path: Path) -> None:
        """Any FITS image is read, with what its header says."""
        hdu = fits.PrimaryHDU(image)
        hdu.header.update({'BUNIT': 'adu', 'EGAIN': 1.7, 'EXPTIME': 60, 'FILTER': 'V'})
        hdu.writeto(tmp_path / 'plain.fits')
        chip = only_chip(tmp_path / 'plain.fits')
        assert np.array_equal(chip.sci, image)
        assert chip.name == 'plain.fits[PRIMARY,1]'
        assert chip.unit == PixelUnit('DN')
        assert (chip.gain, chip.exptime, chip.filter_name) == (1.7, 60, 'V')

    def test_first_image_of_several(self, image: np.ndarray, tmp_path: Path) -> None:
        """Without SCI the first HDU that holds an image is taken, and that is said."""
        table = fits.BinTableHDU.from_columns([fits.Column('a', 'E', array=[1.0])])
        path = save(
            tmp_path / 'a.fits', table, fits.ImageHDU(image), fits.ImageHDU(image + 1)
        )
        with pytest.warns(AstrosieveWarning, match=r'only EXT \(2\) .* not EXT \(3\)'):
            chip = only_chip(path)
        assert np.array_equal(chip.sci, image)

    def test_raw(self, tmp_path: Path) -> None:
        """The overscan of a full RAW frame is masked, and its counts are DN."""
        raw = np.full((1044, 1062), 2200, dtype=np.uint16)
        hdu = fits.ImageHDU(raw, name='SCI')
        hdu.header['BUNIT'] = 'COUNTS'
        path = save(
            tmp_path / 'j_raw.fits',
            hdu,
            INSTRUME='ACS',
            DETECTOR='HRC',
            ATODGNA=2.2,
            ATODGNB=0.0,
            ATODGNC=2.4,
            CCDGAIN=2.0,
        )
        chip = only_chip(path)
        assert (chip.sci == 2200).all()
        assert chip.unit == PixelUnit('DN')
        assert chip.gain == pytest.approx(2.3)
        rows, columns = np.nonzero(~chip.mask)
        assert (rows.min(), rows.max()) == (0, 1023)
        assert (columns.min(), columns.max()) == (19, 1042)
        assert (~chip.mask).sum() == 1024 * 1024

    def test_raw_subarray(self, image: np.ndarray, tmp_path: Path) -> None:
        """A RAW image of another shape has no overscan that we know."""
        path = save(
            tmp_path / 'j_raw.fits',
            fits.ImageHDU(image, name='SCI'),
            INSTRUME='ACS',
            DETECTOR='HRC',
        )
        assert only_chip(path).mask is None

    @pytest.mark.parametrize('extver', [1, 4])
    def test_c0m(self, extver: int, image: np.ndarray, tmp_path: Path) -> None:
        """WFPC2 keeps DQ in a file of its own, c1m; the gain is by chip and setting."""
        dq = np.zeros(image.shape, dtype=np.int16)
        dq[3, 4] = 8
        name = 'u1_{}.fits'
        save(
            tmp_path / name.format('c0m'),
            fits.ImageHDU(image, name='SCI', ver=extver),
            INSTRUME='WFPC2',
            ATODGAIN=7.0,
            FILTNAM1='F336W',
            EXPTIME=40.0,
        )
        save(tmp_path / name.format('c1m'), fits.ImageHDU(dq, name='SCI', ver=extver))
        chip = only_chip(tmp_path / name.format('c0m'))
        assert np.array_equal(chip.dq, dq)
        assert chip.dq.dtype == np.int16
        assert chip.dq_meaning.saturated == 8
        assert chip.unit == PixelUnit('DN')
        assert chip.gain == 7.12
        assert chip.filter_name == 'F336W'
        assert chip.extver == extver

    def test_c0m_alone(self, image: np.ndarray, tmp_path: Path) -> None:
        """Without c1m, or without the chip in it, there is no DQ and no error."""
        path = save(
            tmp_path / 'u1_c0m.fits',
            fits.ImageHDU(image, name='SCI'),
            INSTRUME='WFPC2',
        )
        assert only_chip(path).dq is None
        save(tmp_path / 'u1_c1m.fits', fits.ImageHDU(image, name='SCI', ver=3))
        assert only_chip(path).dq is None

    def test_header_alone(self, image: np.ndarray, tmp_path: Path) -> None:
        """A header says the same of pixels at hand as of those of its file."""
        path = save(
            tmp_path / 'u2_c0m.fits',
            fits.ImageHDU(image, name='SCI', ver=3),
            INSTRUME='WFPC2',
            DETECTOR=3,
            ATODGAIN=15.0,
            EXPTIME=40.0,
        )
        read = only_chip(path)
        made = chip_from_header(image, read_header(path, 'SCI,3'), path=path, extver=3)
        assert (made.unit, made.gain) == (PixelUnit('DN'), 13.99)
        assert made.name == read.name
        for name in ('unit', 'gain', 'exptime', 'instrument', 'detector', 'dq_meaning'):
            assert getattr(made, name) == getattr(read, name), name

    def test_drz(self, image: np.ndarray, tmp_path: Path) -> None:
        """Drizzled pixels without weight are masked; the unit is a rate."""
        weight = np.ones(image.shape, dtype=np.float32)
        weight[:, :5] = 0
        weight[0, 10] = np.nan
        sci = fits.ImageHDU(image, name='SCI')
        sci.header['BUNIT'] = 'ELECTRONS/S'
        path = save(
            tmp_path / 'j_drz.fits',
            sci,
            fits.ImageHDU(weight, name='WHT'),
            fits.ImageHDU(np.ones(image.shape, dtype=np.int32), name='CTX'),
            EXPTIME=700.0,
        )
        chip = only_chip(path)
        assert np.array_equal(chip.mask, ~(weight > 0))
        assert chip.unit == PixelUnit('electron', per_second=True)
        assert chip.exptime == 700
        assert chip.dq is None

    def test_ir_rate_uses_its_sample_time(
        self, image: np.ndarray, tmp_path: Path
    ) -> None:
        """A rate counts for the time of its samples, not of the whole exposure."""
        sci = fits.ImageHDU(image, name='SCI')
        sci.header.update({'BUNIT': 'ELECTRONS/S', 'SAMPTIME': 399.2})
        path = save(tmp_path / 'i_flt.fits', sci, EXPTIME=400.0, INSTRUME='WFC3')
        assert only_chip(path).exptime == 399.2

    def test_planes_of_one_value(self, image: np.ndarray, tmp_path: Path) -> None:
        """HST leaves out planes of one value: PIXVALUE stands for all pixels."""
        hdus = [fits.ImageHDU(image, name='SCI')]
        for name, value in (('ERR', 2.5), ('DQ', 16)):
            hdu = fits.ImageHDU(name=name)
            hdu.header.update({'NPIX1': 40, 'NPIX2': 30, 'PIXVALUE': value})
            hdus.append(hdu)
        chip = only_chip(save(tmp_path / 'a.fits', *hdus))
        assert (chip.err == 2.5).all()
        assert (chip.dq == 16).all()
        assert chip.dq.shape == image.shape

    def test_plane_of_zeros_is_none(self, image: np.ndarray, tmp_path: Path) -> None:
        """A DQ plane of zeros says nothing."""
        hdu = fits.ImageHDU(name='DQ')
        hdu.header['PIXVALUE'] = 0
        path = save(tmp_path / 'a.fits', fits.ImageHDU(image, name='SCI'), hdu)
        assert only_chip(path).dq is None

    def test_plane_of_another_shape(self, image: np.ndarray, tmp_path: Path) -> None:
        """A plane that does not fit its image is left out with a warning."""
        wrong = fits.ImageHDU(np.zeros((3, 4), dtype=np.int16), name='DQ')
        path = save(tmp_path / 'a.fits', fits.ImageHDU(image, name='SCI'), wrong)
        with pytest.warns(AstrosieveWarning, match=r'\[DQ,1\] is \(3, 4\), its image'):
            assert only_chip(path).dq is None

    def test_one_plane_of_a_cube(self, image: np.ndarray, tmp_path: Path) -> None:
        """Axes of length one are dropped."""
        fits.PrimaryHDU(image[None, None]).writeto(tmp_path / 'a.fits')
        assert np.array_equal(only_chip(tmp_path / 'a.fits').sci, image)

    def test_subarray_keeps_its_wcs(self, flc: Path, tmp_path: Path) -> None:
        """A subarray is an image like any other; its WCS is its own."""
        with fits.open(flc) as hdus:
            whole = WCS(hdus['SCI', 1].header)
            for name in ('SCI', 'ERR', 'DQ'):
                hdu = hdus[name, 1]
                hdu.data = hdu.data[30:80, 20:90]
            hdus['SCI', 1].header['CRPIX1'] -= 20
            hdus['SCI', 1].header['CRPIX2'] -= 30
            hdus.writeto(tmp_path / 'sub.fits')
        chip = next(read_chips(tmp_path / 'sub.fits'))
        assert chip.sci.shape == (50, 70)
        assert chip.wcs.pixel_to_world(5, 6).separation(
            whole.pixel_to_world(25, 36)
        ).arcsec == pytest.approx(0, abs=1e-6)

    def test_wcs_that_cannot_be_used(self, image: np.ndarray, tmp_path: Path) -> None:
        """A broken WCS costs the sky positions and gives a warning, no more."""
        hdu = fits.PrimaryHDU(image)
        hdu.header.update({'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--SIN'})
        hdu.writeto(tmp_path / 'a.fits')
        with pytest.warns(
            AstrosieveWarning, match=r'WCS cannot be used \(.*\); no sky pos'
        ):
            chip = only_chip(tmp_path / 'a.fits')
        assert chip.wcs is None

    def test_wcs_without_sky(self, image: np.ndarray, tmp_path: Path) -> None:
        """A linear WCS gives no sky positions."""
        hdu = fits.PrimaryHDU(image)
        hdu.header.update({'CTYPE1': 'LINEAR', 'CTYPE2': 'LINEAR'})
        hdu.writeto(tmp_path / 'a.fits')
        assert only_chip(tmp_path / 'a.fits').wcs is None

    def test_unit_that_cannot_be_read(self, image: np.ndarray, tmp_path: Path) -> None:
        """A strange BUNIT is said and passed over."""
        hdu = fits.PrimaryHDU(image)
        hdu.header['BUNIT'] = 'parsnips'
        hdu.writeto(tmp_path / 'a.fits')
        with pytest.warns(AstrosieveWarning, match=r"a\.fits.*BUNIT: unit 'parsnips'"):
            assert only_chip(tmp_path / 'a.fits').unit is None

    @pytest.mark.parametrize('filters', [('CLEAR1S', 'F606W'), ('F606W', 'CLEAR2L')])
    def test_filter_of_two_wheels(
        self, filters: tuple[str, str], image: np.ndarray, tmp_path: Path
    ) -> None:
        """The wheel that is not clear names the filter."""
        path = save(
            tmp_path / 'a.fits',
            fits.ImageHDU(image, name='SCI'),
            FILTER1=filters[0],
            FILTER2=filters[1],
        )
        assert only_chip(path).filter_name == 'F606W'


class TestStorage:
    """How pixels may be stored."""

    @pytest.mark.parametrize('name', ['a.fits.gz', 'a_flt.FITS.gz'])
    def test_gzip(self, name: str, flc: Path, tmp_path: Path) -> None:
        """Gzipped files are read as they are."""
        (tmp_path / name).write_bytes(gzip.compress(flc.read_bytes()))
        chips = list(read_chips(tmp_path / name))
        assert len(chips) == 2
        assert np.array_equal(chips[0].sci, next(read_chips(flc)).sci)

    @pytest.mark.parametrize('compress', [gzip.compress, bz2.compress, lzma.compress])
    def test_compression_is_known_by_its_contents(
        self, compress: Any, flc: Path, tmp_path: Path
    ) -> None:
        """A compressed file is read under any name; broken bits are an error."""
        content = compress(flc.read_bytes())
        (tmp_path / 'a.fits').write_bytes(content)
        assert len(list(read_chips(tmp_path / 'a.fits'))) == 2
        broken = content[:4000] + bytes(200) + content[4200:]
        (tmp_path / 'a.fits').write_bytes(broken)
        with pytest.raises(ExposureError, match=r'a\.fits: not a readable FITS file'):
            list(read_chips(tmp_path / 'a.fits'))

    @pytest.mark.parametrize('name', ['SCI', 'COMPRESSED_IMAGE'])
    def test_tile_compression(
        self, name: str, image: np.ndarray, tmp_path: Path
    ) -> None:
        """Tile-compressed images are read, also where they have no name."""
        hdu = fits.CompImageHDU(image.astype(np.int32), name=name)
        hdu.header['BUNIT'] = 'ELECTRONS'
        path = save(tmp_path / 'a.fits.fz', hdu)
        chip = only_chip(path)
        assert np.array_equal(chip.sci, image)
        assert chip.unit == PixelUnit('electron')
        assert chip.extname == name

    def test_tile_compressed_flc(self, flc: Path, tmp_path: Path) -> None:
        """All planes of all chips are found."""
        with fits.open(flc) as hdus:
            packed = [
                fits.CompImageHDU(
                    h.data,
                    h.header,
                    name=h.name,
                    compression_type='GZIP_2',
                    quantize_level=0,
                )
                for h in hdus[1:]
            ]
            for hdu, original in zip(packed, hdus[1:], strict=True):
                hdu.ver = original.ver
            save(tmp_path / 'a.fits.fz', *packed, INSTRUME='WFC3', DETECTOR='UVIS')
        for chip, original in zip(
            read_chips(tmp_path / 'a.fits.fz'), read_chips(flc), strict=True
        ):
            assert np.array_equal(chip.sci, original.sci)
            assert np.array_equal(chip.dq, original.dq)
            assert chip.extver == original.extver

    @pytest.mark.parametrize(
        'dtype', ['>f4', '<f4', '>f8', '<f8', 'u1', '>i2', '<i4', 'i8', 'u2', 'u4']
    )
    def test_any_type(self, dtype: str, tmp_path: Path) -> None:
        """Pixels become native, contiguous float32, unsigned types included."""
        values = (np.arange(30 * 40).reshape(30, 40) % 251).astype(dtype)
        fits.PrimaryHDU(values).writeto(tmp_path / 'a.fits')
        sci = only_chip(tmp_path / 'a.fits').sci
        assert np.array_equal(sci, values.astype(np.float32))
        assert sci.dtype == np.float32
        assert sci.dtype.isnative
        assert sci.flags.c_contiguous
        assert sci.flags.writeable

    @pytest.mark.parametrize('place', ['primary', 'named', 'unnamed', 'gzip'])
    def test_scaled_integers(self, place: str, tmp_path: Path) -> None:
        """BSCALE and BZERO are applied, wherever the image is."""
        values = np.linspace(-3, 90, 30 * 40).reshape(30, 40)
        kind = fits.PrimaryHDU if place == 'primary' else fits.ImageHDU
        hdu = kind(values.copy())
        hdu.scale('int16', bscale=0.01, bzero=40.0)
        if place == 'named':
            hdu.name = 'SCI'
        path = tmp_path / ('a.fits.gz' if place == 'gzip' else 'a.fits')
        if place == 'primary':
            hdu.writeto(path)
        else:
            save(path, hdu)
        assert np.allclose(only_chip(path).sci, values, atol=0.006)

    def test_blank_pixels_are_nan(self, tmp_path: Path) -> None:
        """BLANK integers have no value."""
        hdu = fits.PrimaryHDU(np.array([[1, 2], [3, -32768]], dtype=np.int16))
        hdu.header['BLANK'] = -32768
        hdu.writeto(tmp_path / 'a.fits')
        sci = only_chip(tmp_path / 'a.fits').sci
        assert np.isnan(sci[1, 1])
        assert sci[0, 0] == 1

    def test_file_is_left_alone(self, flc: Path) -> None:
        """Nothing that is done to a chip reaches the file, mapped or not."""
        before = flc.read_bytes()
        for chip in read_chips(flc):
            chip.sci[:] = 0
            chip.dq[:] = 1
        assert flc.read_bytes() == before

    def test_chips_outlive_their_file(self, flc: Path) -> None:
        """The pixels are there when the file is closed, and gone."""
        chips = list(read_chips(flc))
        flc.unlink()
        assert np.isfinite(chips[0].sci).all()
        assert chips[1].dq.sum() == 0

    def test_unsigned_dq(self, image: np.ndarray, tmp_path: Path) -> None:
        """DQ bits above int16's are kept."""
        dq = np.full(image.shape, 40000, dtype=np.uint16)
        path = save(
            tmp_path / 'a.fits',
            fits.ImageHDU(image, name='SCI'),
            fits.ImageHDU(dq, name='DQ'),
        )
        chip = only_chip(path)
        assert (chip.dq == 40000).all()
        assert np.issubdtype(chip.dq.dtype, np.integer)


class TestExtension:
    """Which HDUs are read."""

    @pytest.mark.parametrize(
        ('ext', 'name'),
        [
            ('SCI,2', '[SCI,2]'),
            ('sci, 2', '[SCI,2]'),
            ('SCI', '[SCI,1]'),
            ('1', '[SCI,1]'),
            ('4', '[SCI,2]'),
            ('-3', '[SCI,2]'),
            ('ERR,2', '[ERR,2]'),
        ],
    )
    def test_is_chosen(self, ext: str, name: str, flc: Path) -> None:
        """By name and version, by name, or by number."""
        chip = only_chip(flc, ext)
        assert chip.name == f'j1_flc.fits{name}'
        assert (chip.dq is not None) == ('SCI' in name)

    @pytest.mark.parametrize('ext', ['SCI,3', 'WHT', '9', 'SCI,x', '', ',1', '1,1'])
    def test_is_not_there(self, ext: str, flc: Path) -> None:
        """The message lists what there is."""
        with pytest.raises(ExposureError, match=r'no extension .*SCI,1, ERR,1, DQ,1'):
            only_chip(flc, ext)

    def test_holds_no_image(self, flc: Path) -> None:
        """An HDU without pixels is named."""
        with pytest.raises(ExposureError, match="extension '0' holds no image"):
            only_chip(flc, '0')


class TestSeveralImages:
    """Files of more images than one."""

    @pytest.fixture
    def mosaic(self, image: np.ndarray, tmp_path: Path) -> Path:
        """Four chips that have no names and no versions, and a mask."""
        chips = [fits.ImageHDU(image + n) for n in range(4)]
        mask = fits.ImageHDU(image.astype(np.int16), name='MASK')
        return save(tmp_path / 'm.fits', *chips, mask)

    def test_what_is_left_out_is_said(self, mosaic: Path) -> None:
        """By default the first is done, and the others are named with the cure."""
        with pytest.warns(
            AstrosieveWarning,
            match=r"has 4 images .* not EXT \(2\), EXT \(3\), EXT \(4\)\. .*ext='all'",
        ):
            assert only_chip(mosaic).extver == 1

    def test_all(self, mosaic: Path, image: np.ndarray, flc: Path) -> None:
        """All images are done, each with a number; ERR, DQ and masks are none."""
        chips = list(read_chips(mosaic, 'all'))
        assert [chip.extver for chip in chips] == [1, 2, 3, 4]
        assert [chip.name for chip in chips][3] == 'm.fits[EXT,4]'
        assert np.array_equal(chips[2].sci, image + 2)
        assert list_chips(flc, 'all') == [('SCI', 1), ('SCI', 2)]

    def test_several(self, mosaic: Path, flc: Path) -> None:
        """Several can be named, in any order, each once."""
        assert list_chips(mosaic, ['3', '1', 'EXT,3']) == [('EXT', 3), ('EXT', 1)]
        assert list_chips(flc, ('SCI,2', 'ERR,1')) == [('SCI', 2), ('ERR', 1)]

    @pytest.mark.parametrize('version', [None, 1])
    def test_sci_of_one_version(
        self, version: int | None, image: np.ndarray, tmp_path: Path
    ) -> None:
        """SCI extensions that the file does not tell apart are numbered."""
        hdus = []
        for n in range(3):
            for name in ('SCI', 'ERR'):
                hdus.append(fits.ImageHDU(image + 10 * n, name=name))
                if version is not None:
                    hdus[-1].header['EXTVER'] = version
        path = save(tmp_path / 'a.fits', *hdus)
        chips = list(read_chips(path))
        assert [chip.name for chip in chips] == [f'a.fits[SCI,{n}]' for n in (1, 2, 3)]
        for n, chip in enumerate(chips):
            assert np.array_equal(chip.err, image + 10 * n)
        assert np.array_equal(only_chip(path, 'SCI,2').sci, image + 10)

    def test_scaled_integers_of_extensions_without_names(
        self, image: np.ndarray, tmp_path: Path
    ) -> None:
        """Unsigned integers are read from the extension that was meant."""
        hdus = [fits.ImageHDU((image + n).astype(np.uint16)) for n in (0, 7)]
        path = save(tmp_path / 'a.fits', *hdus)
        assert np.array_equal(only_chip(path, '2').sci, image + 7)


class TestBadFiles:
    """Files that cannot be read."""

    @pytest.mark.parametrize(
        ('keyword', 'value'), [('RADESYS', 'FOO'), ('CUNIT1', 'x')]
    )
    def test_wcs_that_cannot_be_used(
        self, keyword: str, value: str, flc: Path, image: np.ndarray
    ) -> None:
        """A WCS that no position can be had from costs the sky positions, with why."""
        with fits.open(flc, mode='update') as hdus:
            hdus['SCI', 1].header[keyword] = value
        with pytest.warns(
            AstrosieveWarning, match=r'WCS cannot be used \(.*\); no sky'
        ):
            assert only_chip(flc, 'SCI,1').wcs is None

    def test_error_is_of_two_families(self) -> None:
        """A caller can catch the package's errors, or the usual OSError."""
        assert issubclass(ExposureError, AstrosieveError)
        assert issubclass(ExposureError, OSError)

    def test_missing(self, tmp_path: Path) -> None:
        """The path is in the message."""
        with pytest.raises(ExposureError, match=r'gone\.fits: no such file'):
            only_chip(tmp_path / 'gone.fits')

    def test_folder(self, tmp_path: Path) -> None:
        """A folder is no file."""
        with pytest.raises(ExposureError, match='is a folder; name the FITS files'):
            only_chip(tmp_path)

    def test_pipe(self, tmp_path: Path) -> None:
        """A pipe is refused at once, with the ways that work."""
        os.mkfifo(tmp_path / 'pipe')
        with pytest.raises(ExposureError, match=r"is a pipe .* or let '-' read stand"):
            only_chip(tmp_path / 'pipe')

    @pytest.mark.parametrize('name', ['a' * 300, 'a\0b'])
    def test_impossible_name(self, name: str, tmp_path: Path) -> None:
        """A name that no file can have is an error like another."""
        with pytest.raises(ExposureError, match=r'cannot be read|no such file'):
            only_chip(tmp_path / name)

    @pytest.mark.parametrize(
        'content', [b'', b'not FITS at all', b'SIMPLE  =', b'\x89PNG\r\n', b'\0' * 5760]
    )
    @pytest.mark.parametrize('name', ['a.fits', 'a.fits.gz', 'a.fits.fz'])
    def test_not_fits(self, name: str, content: bytes, tmp_path: Path) -> None:
        """An empty file, a text, a picture, a header that breaks off."""
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ExposureError, match=f'{name}: .*'):
            only_chip(tmp_path / name)

    @pytest.mark.parametrize('share', [0.2, 0.5, 0.99])
    @pytest.mark.parametrize('name', ['a.fits', 'a.fits.gz', 'a.fits.fz'])
    def test_truncated(
        self, name: str, share: float, flc: Path, tmp_path: Path
    ) -> None:
        """A download that broke off is an error, never half an image."""
        content = flc.read_bytes()
        if name.endswith('gz'):
            content = gzip.compress(content)
        (tmp_path / name).write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ExposureError, match=f'{name}: '):
            list(read_chips(tmp_path / name))

    def test_truncated_names_the_cure(self, flc: Path) -> None:
        """The message says that the file is truncated and what to do."""
        flc.write_bytes(flc.read_bytes()[:100_000])
        with pytest.raises(ExposureError, match=r'is truncated .*fetch it again'):
            list(read_chips(flc))

    def test_cube(self, tmp_path: Path) -> None:
        """A cube is no image; the message gives its shape."""
        fits.PrimaryHDU(np.zeros((3, 4, 5))).writeto(tmp_path / 'a.fits')
        with pytest.raises(
            ExposureError, match=r'must be 2D; its shape is \(3, 4, 5\)'
        ):
            only_chip(tmp_path / 'a.fits')

    def test_no_image(self, tmp_path: Path) -> None:
        """A file of tables holds no image, nor does a spectrum."""
        table = fits.BinTableHDU.from_columns([fits.Column('a', 'E', array=[1.0])])
        path = save(tmp_path / 'a.fits', table, fits.ImageHDU(np.zeros(7)))
        with pytest.raises(ExposureError, match='no HDU holds an image'):
            only_chip(path)

    def test_filters_of_warnings_are_left_alone(self, flc: Path) -> None:
        """While a caller holds a chip, warnings are the caller's own matter."""
        before = list(warnings.filters)
        chips = read_chips(flc)
        next(chips)
        assert list(warnings.filters) == before

    def test_errors_of_the_caller_go_through(self, flc: Path) -> None:
        """What goes wrong with a chip in hand is not called a broken file."""

        def use() -> None:
            for chip in read_chips(flc):
                _ = chip.extver / 0

        with pytest.raises(ZeroDivisionError):
            use()


@pytest.mark.parametrize(
    ('path', 'root'),
    [
        ('/data/j1_flc.fits', 'j1_flc'),
        ('j1_flc.fits.gz', 'j1_flc'),
        ('j1_flc.fits.fz', 'j1_flc'),
        ('a.FITS', 'a'),
        ('a.fit', 'a'),
        ('a.fts.Z', 'a'),
        ('a.b.fits', 'a.b'),
        ('noext', 'noext'),
        ('v1.2', 'v1.2'),
    ],
)
def test_root_name(path: str, root: str) -> None:
    """FITS and compression suffixes go, others stay."""
    assert root_name(path) == root


def test_a_header_says_as_much_as_its_file(tmp_path: Path) -> None:
    """Unit, gain, time, overscan and names are those of the chip of a file."""
    sci = np.zeros((1044, 1062), dtype=np.float32)
    hdu = fits.ImageHDU(sci, name='SCI')
    hdu.header['BUNIT'] = 'COUNTS'
    path = save(
        tmp_path / 'j_raw.fits',
        hdu,
        INSTRUME='ACS',
        DETECTOR='HRC',
        ATODGNA=2.2,
        ATODGNB=2.4,
        CCDGAIN=2.0,
        EXPTIME=70.0,
        FILTER1='CLEAR1S',
        FILTER2='F606W',
    )
    read = only_chip(path)
    chip = chip_from_header(
        read.sci.astype('>f8'), read_header(path), path='shown', extname='PRIMARY'
    )
    assert chip.name == 'shown[PRIMARY,1]'
    assert chip.sci.dtype == np.float32
    assert chip.gain == read.gain == pytest.approx(2.3)
    assert np.array_equal(chip.mask, read.mask)
    for name in ('unit', 'exptime', 'instrument', 'detector', 'filter_name'):
        assert getattr(chip, name) == getattr(read, name)


@pytest.mark.parametrize('name', ['a.fits', 'a.fits.gz', 'a.fits.fz', 'a.fits.bz2'])
def test_unpacked_files_hold_the_same(
    name: str, image: np.ndarray, tmp_path: Path
) -> None:
    """Plain images of the same names, pixels and headers, in a file that is plain."""
    kind = fits.CompImageHDU if name.endswith('.fz') else fits.ImageHDU
    hdus = [kind(image + ver, name='SCI') for ver in (1, 2)]
    for ver, hdu in enumerate(hdus, 1):
        hdu.ver = ver
        hdu.header['BUNIT'] = 'COUNTS'
    rows = fits.BinTableHDU.from_columns([fits.Column('a', 'J', array=[1, 2])])
    path = save(tmp_path / name, *hdus, rows, INSTRUME='ACS')
    path.chmod(0o444)
    target = tmp_path / 'plain'
    unpack(path, target)
    with fits.open(target, mode='update') as plain:
        assert [type(hdu) for hdu in plain] == [
            fits.PrimaryHDU,
            fits.ImageHDU,
            fits.ImageHDU,
            fits.BinTableHDU,
        ]
        assert plain[0].header['INSTRUME'] == 'ACS'
        assert list(plain[3].data['a']) == [1, 2]
        for ver in (1, 2):
            assert np.array_equal(plain['SCI', ver].data, image + ver)
            assert plain['SCI', ver].header['BUNIT'] == 'COUNTS'
    assert target.read_bytes().startswith(b'SIMPLE')
    assert is_compressed(name) == (name != 'a.fits')
