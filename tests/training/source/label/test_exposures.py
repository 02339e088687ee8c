"""Exposures that can be labelled together, and those that cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits

from astrosieve.exceptions import ExposureError
from astrosieve_training.source.label.errors import CombiningError
from astrosieve_training.source.label.exposures import check_exposures


class TestChecks:
    """Exposures that cannot be labelled together."""

    def test_good(self, field: Any) -> None:
        """What is known of good ones."""
        found = check_exposures(field.paths, combined=False)
        assert [e.path for e in found] == field.paths
        first = found[0]
        assert (first.camera, first.filter_name) == ('WFC3/UVIS', 'F814W')
        assert first.exptime == 1230
        assert [c.shape for c in first.chips] == [(256, 256)]
        assert first.chips[0].electrons_per_unit == 1

    @pytest.mark.parametrize('n', [0, 1])
    def test_too_few(self, field: Any, n: int) -> None:
        """One exposure is enough only beside a combined image."""
        with pytest.raises(CombiningError, match=r'Give two or more .* --combined'):
            check_exposures(field.paths[:n], combined=False)

    def test_one_with_an_image(self, edited: Callable[..., list[Path]]) -> None:
        """Then it needs neither WCS nor exposure time."""
        path = edited(1, CTYPE1=None)[1]
        with fits.open(path, mode='update') as hdus:
            del hdus[0].header['EXPTIME']
        (found,) = check_exposures([path], combined=True)
        assert found.chips[0].wcs is None
        assert found.exptime is None

    def test_twice(self, field: Any, tmp_path: Path) -> None:
        """By path, by link, by name and by what the header says."""
        first = field.paths[0]
        with pytest.raises(CombiningError, match=r'e0_flc.fits: given twice'):
            check_exposures([first, first], combined=False)
        link = tmp_path / 'other_flc.fits'
        link.symlink_to(first)
        with pytest.raises(CombiningError, match=r'other_flc.fits: given twice'):
            check_exposures([first, link], combined=False)
        same_name = tmp_path / 'e0_flc.fits'
        same_name.write_bytes(field.paths[1].read_bytes())
        with pytest.raises(CombiningError, match=r'the same name.*rename one'):
            check_exposures([first, same_name], combined=False)
        again = tmp_path / 'again_flt.fits'
        again.write_bytes(first.read_bytes())
        with pytest.raises(CombiningError, match=r'are the same exposure.*Leave one'):
            check_exposures([first, again], combined=False)

    @pytest.mark.parametrize(
        ('ext', 'cards', 'message'),
        [
            (
                0,
                {'FILTER': 'F336W'},
                r'2 filters \(F814W: e0_flc.fits, e2_flc.fits; F336W: e1_flc.fits\)',
            ),
            (0, {'DETECTOR': 'IR'}, r'2 cameras \(WFC3/UVIS: .*; WFC3/IR: e1_flc'),
            (0, {'FILTER': None, 'FILTER1': None}, 'none named: e1_flc'),
            (0, {'EXPTIME': None}, r'e1_flc.fits\[SCI,1\]: has no exposure time'),
            (1, {'CTYPE1': None}, r'e1_flc.fits\[SCI,1\]: has no celestial WCS'),
            (1, {'CRVAL1': 201.0}, r'2 fields \(e0_flc.fits, e2_flc.fits; e1_flc'),
            (1, {'CRVAL1': 21.69, 'CRVAL2': 47.48}, '2 fields .*check their WCS'),
            (1, {'BUNIT': None}, r'e1_flc.fits\[SCI,1\]: has no unit .*set BUNIT'),
            (1, {'BUNIT': 'Jy'}, r'in calibrated flux \(Jy\).*take a file'),
        ],
    )
    def test_refused(
        self,
        edited: Callable[..., list[Path]],
        ext: int,
        cards: dict[str, Any],
        message: str,
    ) -> None:
        """Each with its cause and its cure."""
        with pytest.raises(CombiningError, match=message):
            check_exposures(edited(ext, 3, **cards), combined=False)

    def test_counts_without_gain(self, edited: Callable[..., list[Path]]) -> None:
        """Counts are no electrons."""
        paths = edited(1, BUNIT='COUNTS')
        with fits.open(paths[1], mode='update') as hdus:
            for name in ('CCDGAIN', *(f'ATODGN{a}' for a in 'ABCD')):
                del hdus[0].header[name]
        with pytest.raises(CombiningError, match=r'is in DN and has no gain.*set GAIN'):
            check_exposures(paths, combined=False)

    def test_truncated(self, edited: Callable[..., list[Path]]) -> None:
        """A file that breaks off is named by its reader."""
        paths = edited()
        paths[1].write_bytes(paths[1].read_bytes()[:200_000])
        with pytest.raises(ExposureError, match=r'e1_flc.fits: the file is truncated'):
            check_exposures(paths, combined=False)
