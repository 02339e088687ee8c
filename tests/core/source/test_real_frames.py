"""The main job on real exposures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrosieve import classify_sources, load_model
from astrosieve.exceptions import (
    AstrosieveWarning,
    ExposureError,
    OutOfDomainWarning,
)
from astrosieve.images.exposures import read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.source.classify import image_for
from astrosieve.source.exposures import ClassifyOptions, classify_exposure
from astrosieve.source.flags import CLASS_FLAGS

PLUTO = 'wfc3uvis_pluto1_f606w_flt.fits'
HRC = 'acshrc_47tuc_f606w_j8bt06o6q_raw.fits.gz'
NGC1261 = 'wfpc2pc_ngc1261_f336w_single.fits'
PEAKS = ClassifyOptions(finder='peaks')


def shares(table: Table) -> dict[str, float]:
    """Return the share of each class."""
    names, counts = np.unique(np.asarray(table['class_name']), return_counts=True)
    return dict(zip(names.tolist(), (counts / len(table)).tolist(), strict=True))


def test_uvis_flt_full_of_cosmic_rays(data_dir: Path) -> None:
    """A tracked body: all stars are trailed, it says; most peaks are cosmic rays."""
    with pytest.warns(AstrosieveWarning, match='the stars are trailed: .* degrees'):
        table = classify_exposure(data_dir / 'hst' / PLUTO, PEAKS)
    assert table.meta['unit'] == 'electron'
    assert 'sky_centroid' in table.colnames
    found = shares(table)
    assert 500 < len(table) < 1200
    assert found['cosmic_ray'] > 0.55
    # The trails, Pluto with Charon and what the saturated ones spill.
    assert found['spike'] + found['extended'] > 0.2
    assert found['star'] < 0.03


def test_raw_of_a_cluster(data_dir: Path) -> None:
    """A short exposure of 47 Tuc: stars; nothing is found in the overscan."""
    path = data_dir / 'hst' / HRC
    chip = next(read_chips(path))
    assert str(chip.unit) == 'DN'
    assert chip.gain == 2
    overscan = np.median(chip.sci[chip.mask])
    assert np.median(chip.sci[~chip.mask]) > overscan + 20
    table = classify_exposure(path, PEAKS)
    assert table['x_centroid'].min() > 18
    assert table['y_centroid'].max() < 1024
    assert shares(table)['star'] > 0.9


def test_brightest_of_a_cluster(data_dir: Path) -> None:
    """Each of the stars that fill the converter has a row, and is called star."""
    path = data_dir / 'hst' / HRC
    table = classify_exposure(path)
    without = classify_exposure(path, ClassifyOptions(saturated=False))
    full = CLASS_FLAGS.any_set(table['class_flags'], 'saturated')
    names = np.asarray(table['class_name'])
    assert full.sum() > 100
    assert (names[full] == 'star').mean() > 0.9
    assert len(table) > len(without) + 50


@pytest.mark.parametrize('name', ['ib6o03n9q', 'ib6o04tuq', 'ib6o04ueq', 'ib6o09h7q'])
def test_blots_have_no_noise(name: str, data_dir: Path) -> None:
    """A combined image that was drizzled back is named as what it is."""
    blot = fits.getdata(data_dir / 'hst' / f'wfc3ir_f125w_{name}_blot.fits.gz')
    with pytest.warns(OutOfDomainWarning, match='an image without noise'):
        classify_sources(blot, [[500.0, 500.0]], unit='electron', fwhm=1.3)


def test_wfpc2_c0m_has_stars_and_hits(data_dir: Path) -> None:
    """A 700 s exposure of a cluster: both classes in numbers, unit known."""
    table = classify_exposure(data_dir / 'hst' / NGC1261, PEAKS)
    assert table.meta['unit'] == 'DN'
    found = shares(table)
    assert found['star'] > 0.4
    assert found['cosmic_ray'] > 0.2


def test_a_pedestal_changes_no_class(data_dir: Path) -> None:
    """With 500 electrons of sky more, or the sky subtracted, the classes stay."""
    chip = next(read_chips(data_dir / 'hst' / PLUTO))
    with pytest.warns(AstrosieveWarning, match='the stars are trailed'):
        table = classify_exposure(data_dir / 'hst' / PLUTO, PEAKS)
    catalog = table['x_centroid', 'y_centroid']
    known = {'unit': 'electron', 'fwhm': 1.8}
    expected = classify_sources(chip.sci, catalog, **known)
    for sky in (500.0, -float(np.median(chip.sci))):
        moved = classify_sources(chip.sci + np.float32(sky), catalog, **known)
        assert np.mean(moved['class_name'] == expected['class_name']) == 1
        difference = np.abs(moved['p_star'] - expected['p_star'])
        assert np.nanmax(difference) < 0.02


def test_hits_do_not_tell_the_width(data_dir: Path) -> None:
    """Pluto's stars are trailed: by rules seven hits have a width of 1.3 pixels."""
    chip = next(read_chips(data_dir / 'hst' / PLUTO))
    assert len(MeasuredImage.of(chip.sci).psf_stars) == 7
    chosen = image_for(load_model('source'), chip.sci, unit='electron')
    assert chosen.psf_stars is None


@pytest.mark.parametrize(
    ('name', 'width'),
    [
        ('acshrc_47tuc_f330w_j8bt09jcq_raw.fits.gz', 1.6),
        ('acshrc_47tuc_f606w_j8bt06o6q_raw.fits.gz', 2.1),
    ],
)
def test_filters_of_one_camera(data_dir: Path, name: str, width: float) -> None:
    """What the stars say counts, in the blue too."""
    chip = next(read_chips(data_dir / 'hst' / name))
    image = ClassifyOptions().measured(chip)
    assert len(image.psf_stars) > 100
    assert image.fwhm == pytest.approx(width, abs=0.1)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('wfpc2_ngc4151_fr533p15_200x200x4.fits', 'must be 2D'),
        ('acshrc_sip_header_only_j8bt06nyq_flt.fits', 'no HDU holds an image'),
    ],
)
def test_files_without_one_image(data_dir: Path, name: str, message: str) -> None:
    """A cube, and an exposure of headers only, are refused with the reason."""
    with pytest.raises(ExposureError, match=message):
        classify_exposure(data_dir / 'hst' / name, PEAKS)
