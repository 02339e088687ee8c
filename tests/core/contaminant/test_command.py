"""The command: maps, DQ planes, pictures."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner, Result

from astrosieve.cli import main
from astrosieve.contaminant import (
    CLASSES,
    read_contaminants,
    segment_contaminants,
    write_contaminants,
)
from astrosieve.exceptions import ExposureError
from astrosieve.models.registry import Model

Run = Callable[..., Result]
Sky = Callable[..., np.ndarray]
Write = Callable[..., Path]


@pytest.fixture
def exposure(tmp_path: Path, sky: Sky, write_flc: Write) -> Path:
    """An FLC of two chips of 150x210 pixels, some DQ bits set."""
    folder = tmp_path / 'in'
    folder.mkdir()
    path = write_flc(folder / 'j1_flc.fits', [sky(), sky(seed=2)])
    with fits.open(path, mode='update') as hdus:
        hdus['DQ', 1].data[5, 5] = 64
        hdus['DQ', 1].data[40, 50] = 1024
    return path


@pytest.fixture
def run(pixels_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in an empty folder, with the hand-made network."""
    (tmp_path / 'out').mkdir()
    monkeypatch.chdir(tmp_path / 'out')

    def _run(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(
            main, ['segment', '--model', str(pixels_model), *map(str, arguments)]
        )
        assert result.exit_code == code, result.output
        return result

    return _run


def test_a_file_of_maps(run: Run, exposure: Path, model: Model, sky: Sky) -> None:
    """PROB and MASK for each SCI extension, planes and bits named."""
    before = exposure.read_bytes()
    said = run(exposure).output
    assert said.startswith('j1_flc.fits: ')
    assert '% cosmic_ray' in said
    assert '-> j1_flc_segment.fits' in said
    path = Path('j1_flc_segment.fits')
    with fits.open(path) as hdus:
        hdus.verify('exception')
        assert [(hdu.name, hdu.ver) for hdu in hdus[1:]] == [
            ('PROB', 1), ('MASK', 1), ('PROB', 2), ('MASK', 2),
        ]  # fmt: skip
        prob, mask = hdus['PROB', 2], hdus['MASK', 2]
        expected = segment_contaminants(sky(seed=2), model=model)
        assert prob.shape == (15, 150, 210)
        assert np.allclose(prob.data, expected.probabilities, atol=0.003)
        assert prob.data.min() >= 0
        assert prob.data.max() <= 1
        assert np.array_equal(mask.data, expected.mask)
        assert [prob.header[f'CLASS{n:02}'] for n in range(15)] == list(CLASSES)
        assert [mask.header[f'BIT{n:02}'] for n in range(15)] == list(CLASSES)
        assert mask.header['THRESH13'] == 0.9
        assert mask.header['CTYPE1'] == 'RA---TAN'
        assert hdus[0].header['MODEL'] == 'pixels 1.0'
        assert hdus[0].header['FILENAME'] == 'j1_flc.fits'
    read = read_contaminants(path, 2)
    assert read.classes == expected.classes
    assert read.bits == expected.bits
    assert read.thresholds == expected.thresholds
    assert read.meta == {k: v for k, v in expected.meta.items() if k != 'prior'}
    assert np.array_equal(read.mask, expected.mask)
    assert np.allclose(read.probabilities, expected.probabilities, atol=0.003)
    assert exposure.read_bytes() == before
    write_contaminants(read, 'again.fits', extver=2)
    again = read_contaminants('again.fits', 2)
    assert np.array_equal(again.probabilities, read.probabilities)
    assert np.array_equal(again.mask, read.mask)
    with pytest.raises(ExposureError, match='no extensions PROB,1 and MASK,1; make'):
        read_contaminants('again.fits')
    run(exposure, code=1)
    run(exposure, '--skip-existing')
    run(exposure, '--overwrite')


def test_options(run: Run, exposure: Path) -> None:
    """One extension; JSON; a prior in the header; NaN where nothing is said."""
    with fits.open(exposure, mode='update') as hdus:
        hdus['SCI', 2].data[7, 8] = np.nan
    answer = run(
        exposure, '--ext', 'SCI,2', '--prior', 'cosmic_ray=1e-5/s', '--json',
        '-o', 'map.fits', '--prior', 'defects=0.001',
    ).output  # fmt: skip
    (data,) = json.loads(answer)
    assert data['extensions'] == ['SCI,2']
    assert data['written'] == ['map.fits']
    assert data['shares']['object'] > 0
    with fits.open('map.fits') as hdus:
        assert [hdu.name for hdu in hdus] == ['PRIMARY', 'PROB', 'MASK']
        history = list(hdus['PROB', 2].header['HISTORY'])
        assert 'prior of cosmic_ray: 0.0123' in history
        assert 'prior of bad_row: 0.0002' in history
        assert np.isnan(hdus['PROB', 2].data).sum() == 15
        assert np.isnan(hdus['PROB', 2].data[:, 7, 8]).all()


def test_dq_of_a_copy(run: Run, exposure: Path) -> None:
    """HST's bits are added to those that are there; nothing else changes."""
    before = exposure.read_bytes()
    said = run(exposure, '--write-dq').output
    assert '-> j1_flc_segment.fits, j1_dq_flc.fits' in said
    assert exposure.read_bytes() == before
    mask = fits.getdata('j1_flc_segment.fits', ('MASK', 1))
    with fits.open('j1_dq_flc.fits') as copy, fits.open(exposure) as own:
        assert [hdu.name for hdu in copy] == [hdu.name for hdu in own]
        dq = copy['DQ', 1].data
        assert dq[40, 50] == 8192 | 1024
        assert dq[60, 70] == 4
        assert dq[5, 5] == 64
        assert np.array_equal((dq & 8192) != 0, (mask & 1) != 0)
        assert not (dq[(mask & ~5) == mask] & 4).any()
        assert np.array_equal(copy['SCI', 1].data, own['SCI', 1].data)
        assert '8192 cosmic_ray' in ' '.join(copy['DQ', 1].header['HISTORY'])


def test_dq_in_place(run: Run, exposure: Path) -> None:
    """The planes that were there are kept, also when it is done again."""
    before = fits.getdata(exposure, ('DQ', 1))
    run(exposure, '--write-dq', '--update')
    kept = exposure.with_name('j1_flc_dq_before.fits')
    assert np.array_equal(fits.getdata(kept, ('DQ', 1)), before)
    assert fits.getdata(exposure, ('DQ', 1))[40, 50] == 8192 | 1024
    run(exposure, '--write-dq', '--update', '--overwrite')
    assert np.array_equal(fits.getdata(kept, ('DQ', 1)), before)
    assert sorted(each.name for each in exposure.parent.iterdir()) == [
        'j1_flc.fits', 'j1_flc_dq_before.fits',
    ]  # fmt: skip


def test_dq_of_other_cameras(run: Run, tmp_path: Path, sky: Sky) -> None:
    """Nothing is guessed; a table says the bits, and a plane is made."""
    image = tmp_path / 'mine.fits'
    fits.PrimaryHDU(sky()).writeto(image)
    failed = run(image, '--write-dq', code=1)
    assert 'no camera is named; give a table of classes and bits' in failed.output
    bits = tmp_path / 'bits.ecsv'
    table = Table({'class': ['cosmic_ray', 'bad_pixel'], 'bit': [2, 65536]})
    table.write(bits)
    run(image, '--write-dq', '--dq-bits', bits)
    dq = fits.getdata('mine_dq.fits', ('DQ', 1))
    assert (dq[40, 50], dq[60, 70], dq[0, 0]) == (2, 65536, 0)
    table['class'][0] = 'ghost'
    table.write(bits, overwrite=True)
    said = run(image, '--write-dq', '--dq-bits', bits, code=2).output
    assert 'class ghost, bit 2: must be one of' in said


def test_dq_planes_of_one_value(
    run: Run, tmp_path: Path, sky: Sky, write_flc: Write
) -> None:
    """HST leaves out planes of one value: they become planes."""
    image = write_flc(tmp_path / 'j2_flt.fits', [sky()])
    with fits.open(image) as hdus:
        empty = fits.ImageHDU(name='DQ', ver=1)
        empty.header.update({'PIXVALUE': 64, 'NPIX1': 210, 'NPIX2': 150})
        hdus['DQ', 1] = empty
        hdus.writeto(image, overwrite=True)
    run(image, '--write-dq')
    dq = fits.getdata('j2_dq_flt.fits', ('DQ', 1))
    assert (dq[40, 50], dq[0, 0]) == (8192 | 64, 64)


def test_updates_that_cannot_be(run: Run, exposure: Path, tmp_path: Path) -> None:
    """Compressed files and protected ones stay; the option needs its other."""
    assert '--update goes with --write-dq' in run(exposure, '--update', code=2).output
    packed = tmp_path / 'j3_flc.fits.gz'
    with fits.open(exposure) as hdus:
        hdus.writeto(packed)
    said = run(packed, '--write-dq', '--update', code=1).output
    assert 'is compressed; unpack it' in said
    run(packed, '--write-dq')
    assert fits.getdata('j3_dq_flc.fits', ('DQ', 1))[40, 50] == 8192 | 1024
    if os.geteuid():
        exposure.chmod(0o400)
        said = run(exposure, '--write-dq', '--update', code=1).output
        assert 'is read-only; make it writable' in said


def test_an_input_is_no_output(run: Run, exposure: Path) -> None:
    """Not even with --overwrite."""
    before = exposure.read_bytes()
    said = run(exposure, '-o', exposure, '--overwrite', code=1).output
    assert 'is one of the inputs' in said
    assert exposure.read_bytes() == before


def test_pictures(run: Run, exposure: Path) -> None:
    """An overlay, and an image whose header says that it is for looking at only."""
    pytest.importorskip('matplotlib')
    run(exposure, '--plot', 'map.png', '--inpaint')
    assert Path('map.png').read_bytes().startswith(b'\x89PNG')
    with fits.open('j1_flc_inpainted.fits') as hdus:
        assert hdus[0].header['INPAINT'] is True
        header = hdus['SCI', 1].header
        assert 'for looking at only' in header.comments['INPAINT']
        assert header['NINPAINT'] > 0
        own = fits.getdata(exposure, ('SCI', 1))
        filled = hdus['SCI', 1].data
        assert abs(filled[40, 50]) < 20 < own[40, 50]
        assert (filled != own).sum() == header['NINPAINT']


def test_bad_files(run: Run, exposure: Path, tmp_path: Path) -> None:
    """A cube, a text, and nothing: each is named, the others are done."""
    cube = tmp_path / 'cube.fits'
    fits.PrimaryHDU(np.zeros((3, 20, 20), np.float32)).writeto(cube)
    text = tmp_path / 'text.fits'
    text.write_text('SIMPLE')
    said = run(cube, text, tmp_path / 'none.fits', exposure, code=1).output
    for words in ('must be 2D', 'not a readable FITS', 'none.fits', '3 of 4 images'):
        assert words in said
    assert 'cannot be written' not in said
    assert [each.name for each in Path().iterdir()] == ['j1_flc_segment.fits']
    assert 'name a .fits file' in run(exposure, '-o', 'a.fits.gz', code=1).output
    for prior in ('cosmic_ray', 'cosmic_ray=2', 'ghost=0.1', 'cosmic_ray=1/m'):
        run(exposure, '--prior', prior, code=2)


def test_an_image_without_pixels_to_use(run: Run, tmp_path: Path) -> None:
    """Where all is NaN a warning says so, and the map is NaN."""
    path = tmp_path / 'nan.fits'
    fits.PrimaryHDU(np.full((40, 50), np.nan, np.float32)).writeto(path)
    said = run(path).output
    assert 'nan.fits[PRIMARY,1]: no pixel of the image is usable' in said
    found = read_contaminants('nan_segment.fits')
    assert np.isnan(found.probabilities).all()
    assert not found.mask.any()


def test_a_mosaic(run: Run, tmp_path: Path, sky: Sky) -> None:
    """Images of several shapes in one file, with --ext all; one row too."""
    path = tmp_path / 'mosaic.fits'
    planes = [sky()[:64, :90], sky()[:1, :200]]
    fits.HDUList(
        [fits.PrimaryHDU(), *(fits.ImageHDU(each.astype('f4')) for each in planes)]
    ).writeto(path)
    run(path, '--ext', 'all')
    with fits.open('mosaic_segment.fits') as hdus:
        assert [hdu.shape for hdu in hdus[1:]] == [
            (15, 64, 90), (64, 90), (15, 1, 200), (1, 200),
        ]  # fmt: skip
