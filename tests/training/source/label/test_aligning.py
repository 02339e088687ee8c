"""Exposures aligned by TweakReg, as it is registered, really run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astrosieve_training.source.label import aligning
from astrosieve_training.source.label.aligning import align
from astrosieve_training.source.label.errors import CombiningError

with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    pytest.importorskip('drizzlepac')


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestAlign:
    """TweakReg, as it is registered, really run."""

    def test_recovers_shifts(
        self, edited: Callable[..., list[Path]], tmp_path: Path
    ) -> None:
        """The shift is found to a twentieth of a pixel, in a copy."""
        paths = edited()
        true = WCS(fits.getheader(paths[1], 1))
        with fits.open(paths[1], mode='update') as hdus:
            hdus['SCI'].header['CRPIX1'] += 4.0
            hdus['SCI'].header['CRPIX2'] -= 2.5
        before = paths[1].read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            aligned = align(paths, tmp_path / 'stages')
        assert [p.name for p in aligned] == ['e0_flc.fits', 'e1_flc.fits']
        assert names_in(tmp_path / 'stages') == ['aligned']
        assert paths[1].read_bytes() == before
        sky = WCS(fits.getheader(aligned[1], 1)).all_pix2world(128, 128, 0)
        assert true.all_world2pix(*sky, 0) == pytest.approx([128, 128], abs=0.05)

    @pytest.mark.parametrize('suffix', ['.gz', '.fz'])
    def test_compressed(self, field: Any, tmp_path: Path, suffix: str) -> None:
        """Copies are unpacked."""
        packed = tmp_path / f'e0_flc.fits{suffix}'
        with fits.open(field.paths[0]) as hdus:
            if suffix == '.fz':
                for number, hdu in enumerate(hdus[1:], 1):
                    hdus[number] = fits.CompImageHDU(
                        hdu.data,
                        hdu.header,
                        compression_type='GZIP_2',
                        quantize_level=0,
                    )
            hdus.writeto(packed)
        aligned = align([packed, field.paths[1]], tmp_path / 'stages')
        assert aligned[0].name == 'e0_flc.fits'
        np.testing.assert_array_equal(
            fits.getdata(aligned[0], 1), fits.getdata(field.paths[0], 1)
        )

    def test_cannot(
        self,
        edited: Callable[..., list[Path]],
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """The exposure is named, with the cure; nothing is printed or left."""
        paths = edited(n=3)
        with fits.open(paths[1], mode='update') as hdus:
            rng = np.random.default_rng(0)
            hdus['SCI'].data[:] = rng.normal(50, 5, (256, 256))
        with pytest.raises(CombiningError, match=r'not aligned: e1_flc.*--aligned'):
            align(paths, tmp_path / 'stages')
        assert capfd.readouterr() == ('', '')
        assert names_in(tmp_path / 'stages') == []

    def test_interrupted(
        self, field: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Control-C stays what it is."""

        def stop(paths: list[Path], folder: Path) -> list[Path]:
            (folder / 'half.fits').write_bytes(b'half')
            raise KeyboardInterrupt

        monkeypatch.setattr(aligning, 'find_aligner', lambda: stop)
        with pytest.raises(KeyboardInterrupt):
            align(field.paths, tmp_path)
        assert names_in(tmp_path) == []

    def test_not_registered(
        self, field: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What to install is said."""
        monkeypatch.setattr(aligning.metadata, 'entry_points', lambda **given: ())
        with pytest.raises(
            CombiningError, match=r'pip install .*\[tweakreg\].*--aligned'
        ):
            align(field.paths, tmp_path)
