"""Camera files: what is accepted, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from astrosieve_training.settings import ConfigError
from astrosieve_training.simulate import (
    build_psf,
    list_cameras,
    load_camera,
    random_camera,
)


@pytest.mark.parametrize('name', list_cameras())
def test_shipped_cameras_load(name: str) -> None:
    """Each camera that comes with the package is valid and bears its name."""
    assert load_camera(name).name == name


def _write(folder: Path, text: str) -> Path:
    path = folder / 'mine.toml'
    path.write_text(text)
    return path


def test_minimal_camera(tmp_path: Path) -> None:
    """A few lines make a camera; its name is that of the file."""
    camera = load_camera(_write(tmp_path, "[psf]\nkind = 'gaussian'\nfwhm = 2.0\n"))
    assert camera.name == 'mine'
    assert build_psf(camera).fwhm == pytest.approx(2.1, abs=0.1)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('gian = 1.5', "unknown key 'gian'; did you mean 'gain'"),
        ('[psf]\nfwmh = 2.0', "unknown key 'psf.fwmh'; did you mean 'fwhm'"),
        ('gain = -1.0', 'gain must be positive; got -1.0'),
        ('gain = nan', 'gain must be positive'),
        ("gain = 'high'", "gain must be a number; got 'high'"),
        ('read_noise = -3.0', 'read_noise must be 0 or more'),
        ('cte_loss = 1.5', 'cte_loss must be a share between 0 and 1'),
        ("layout = 'flt'", "layout must be one of 'flc', 'c0m', 'ground'"),
        ("unit = 'DN'", 'unit must be one of'),
        ('n_chips = 3', 'n_chips must be 1 or 2'),
        ('shape = [10, 2000]', 'shape must be two integers, 32 or more'),
        ('shape = 1000', 'shape must be a list'),
        ('spike_angles = [45.0, 46.0]', 'spike_angles must be two directions'),
        ('psf = 3', 'psf must be a table'),
        ("[psf]\nkind = 'airy'", 'psf.kind must be one of'),
        ("[psf]\nkind = 'epsf'", "psf.kind 'epsf' needs file"),
        ('[psf]\nfwhm = 0.0', 'psf.fwhm must be positive'),
        ('[psf]\nbeta = 0.5', 'psf.beta must be above 1'),
        ('gain = = 2', 'mine.toml: not valid TOML'),
    ],
)
def test_bad_camera_files(tmp_path: Path, text: str, message: str) -> None:
    """The error names the key, the rule and the value."""
    with pytest.raises(ConfigError) as caught:
        load_camera(_write(tmp_path, text))
    assert message in str(caught.value)


def test_unknown_camera_names_the_nearest() -> None:
    """A misspelt name is answered with the nearest."""
    with pytest.raises(ConfigError, match="did you mean 'wfc3-uvis-f336w'"):
        load_camera('wfc3-uvis-f336')


def test_missing_camera_file(tmp_path: Path) -> None:
    """A missing file is named."""
    with pytest.raises(ConfigError, match=r'none\.toml: cannot be read'):
        load_camera(tmp_path / 'none.toml')


def test_missing_psf_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing PSF is named with its path and the cure."""
    monkeypatch.setenv('ASTROSIEVE_DATA', str(tmp_path))
    path = _write(tmp_path, "[psf]\nkind = 'epsf'\nfile = 'none.fits'\n")
    with pytest.raises(ConfigError, match=r'no PSF file .*none.fits; set .*DATA'):
        build_psf(load_camera(path))


def test_random_cameras_are_valid_and_wide() -> None:
    """Domain randomisation covers FWHM and gain."""
    rng = np.random.default_rng(1)
    cameras = [random_camera(rng) for _ in range(60)]
    gains = [c.gain for c in cameras]
    widths = [c.psf.fwhm for c in cameras if c.psf.kind != 'optical']
    assert max(gains) / min(gains) > 4
    assert min(widths) < 2
    assert max(widths) > 3.5
    assert {c.layout for c in cameras} == {'flc', 'ground'}


def test_random_optical_camera_has_a_psf() -> None:
    """Its FWHM lies in the range that is trained on."""
    pytest.importorskip('galsim')
    rng = np.random.default_rng(2)
    camera = next(
        c for c in iter(lambda: random_camera(rng), None) if c.psf.kind == 'optical'
    )
    assert 1.1 < build_psf(camera).fwhm < 5.5
