"""
Fixtures of the plugin tests.

No folder has the name of a host's module: TweakReg takes whatever ends in
``.tweakreg`` for its own package, tests that are loaded included.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import photutils
import pytest
from astropy.io import fits
from astropy.wcs import WCS


def _qt_fails() -> str:
    """Return why Qt cannot be loaded although it is installed; empty if it can."""
    if importlib.util.find_spec('PySide6') is None:
        return ''
    try:
        importlib.import_module('PySide6.QtWidgets')
    except ImportError as error:  # a library of the system, such as libEGL
        return str(error)
    return ''


_QT_PROBLEM = _qt_fails()
collect_ignore = ['ginga/test_plugin.py', 'ginga/test_screen.py'] if _QT_PROBLEM else []


def pytest_report_header() -> str | None:
    """Say which tests are left out, and why."""
    return f'tests of the viewer left out: {_QT_PROBLEM}' if _QT_PROBLEM else None


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what runs HAP without photutils 2, and pictures without Xvfb."""
    absent = set()
    if int(photutils.__version__.partition('.')[0]) >= 3:
        absent.add('hap')
    if shutil.which('xvfb-run') is None:
        absent.add('xvfb')
    left_out = [item for item in items if absent & set(item.keywords)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


NY, NX, GAP = 200, 220, 20
SCALE = 0.05  # arcseconds to a pixel
FWHM = 2.4


@dataclass(frozen=True)
class AlignableSet:
    """
    Exposures of one sky, of two chips, and what they hold.

    Parameters
    ----------
    paths : list of `~pathlib.Path`
        The files.
    stars : list of list of (N, 2) `~numpy.ndarray`
        True positions ``(x, y)``, 0-based, by exposure and chip.
    wcs : list of list of `~astropy.wcs.WCS`
        True WCS, by exposure and chip.
    """

    paths: list[Path]
    stars: list[list[np.ndarray]]
    wcs: list[list[WCS]]

    @property
    def names(self) -> list[str]:
        """Paths as text."""
        return [str(path) for path in self.paths]


def _wcs(chip: int, dither: np.ndarray, crval: tuple[float, float]) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    wcs.wcs.crval = crval
    low = chip * (NY + GAP)
    wcs.wcs.crpix = [NX / 2 + dither[0], NY + GAP / 2 + dither[1] - low]
    wcs.wcs.cd = np.array([[-SCALE, 0], [0, SCALE]]) / 3600
    wcs.wcs.set()
    return wcs


@pytest.fixture
def make_alignable(tmp_path: Path) -> Callable[..., AlignableSet]:
    """Make exposures of round stars and hits of one pixel, the WCS of some off."""

    def make(
        n: int = 2,
        *,
        n_stars: int = 60,
        n_hits: int = 120,
        errors: tuple[tuple[float, float], ...] = ((0, 0), (2.3, -1.7), (-3.1, 0.8)),
        empty_chip: tuple[int, int] | None = None,
        crval: tuple[float, float] = (201.7, -47.5),
        names: tuple[str, ...] = ('a', 'b', 'c'),
        seed: int = 7,
    ) -> AlignableSet:
        rng = np.random.default_rng(seed)
        size = (NX - 14, 2 * NY + GAP - 14)
        sky = rng.uniform((14, 14), size, (4 * n_stars, 2))
        apart = [sky[0]]
        for place in sky:
            if min(np.hypot(*(place - other)) for other in apart) > 14:
                apart.append(place)
        places = np.array(apart[:n_stars])
        flux = rng.uniform(6000, 40000, len(places))
        y, x = np.mgrid[:NY, :NX]
        paths, stars, solutions = [], [], []
        for number in range(n):
            dither = np.zeros(2) if number == 0 else rng.uniform(-6, 6, 2)
            primary = {
                'TELESCOP': 'HST', 'INSTRUME': 'ACS', 'DETECTOR': 'WFC',
                'FILTER1': 'F606W', 'FILTER2': 'CLEAR2S', 'EXPTIME': 500.0,
                'CCDGAIN': 2.0, 'ROOTNAME': names[number], 'EXPSTART': 58000.0,
                'EXPEND': 58000.01,
            }  # fmt: skip
            hdus = fits.HDUList([fits.PrimaryHDU(header=fits.Header(primary))])
            mine, solved = [], []
            for chip in (0, 1):
                data = rng.normal(30, 4, (NY, NX))
                xy = places + dither - (0, chip * (NY + GAP))
                inside = ((xy > 8) & (xy < (NX - 9, NY - 9))).all(axis=1)
                if empty_chip == (number, chip + 1):
                    inside[:] = False
                for (x0, y0), total in zip(xy[inside], flux[inside], strict=True):
                    sigma = FWHM / 2.3548
                    radius2 = (x - x0) ** 2 + (y - y0) ** 2
                    data += (
                        total
                        / (2 * np.pi * sigma**2)
                        * np.exp(-radius2 / (2 * sigma**2))
                    )
                low, high = (12, 12), (NX - 12, NY - 12)
                hits = rng.integers(low, high, (4 * n_hits + 1, 2))
                near = np.linalg.norm(hits[:, None] - xy[None], axis=2).min(axis=1)
                for column, row in hits[near > 8][: n_hits // 2]:
                    data[row, column] += rng.uniform(600, 4000)
                true = _wcs(chip, dither, crval)
                given = _wcs(chip, dither + errors[number], crval)
                header = fits.Header(
                    {
                        'BUNIT': 'ELECTRONS', 'CCDCHIP': 2 - chip, 'WCSAXES': 2,
                        'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN',
                        'CRPIX1': given.wcs.crpix[0], 'CRPIX2': given.wcs.crpix[1],
                        'CRVAL1': crval[0], 'CRVAL2': crval[1],
                        'CD1_1': given.wcs.cd[0, 0], 'CD1_2': 0.0,
                        'CD2_1': 0.0, 'CD2_2': given.wcs.cd[1, 1],
                        'ORIENTAT': 0.0, 'IDCSCALE': SCALE,
                    }
                )  # fmt: skip
                hdu = fits.ImageHDU(data.astype(np.float32), header, name='SCI')
                hdu.ver = chip + 1
                hdus.append(hdu)
                for name, kind in (('ERR', np.float32), ('DQ', np.int16)):
                    plane = np.zeros((NY, NX), kind)
                    if name == 'ERR':
                        plane += 4
                    hdu = fits.ImageHDU(plane, name=name)
                    hdu.ver = chip + 1
                    hdus.append(hdu)
                mine.append(xy[inside])
                solved.append(true)
            path = tmp_path / f'{names[number]}_flc.fits'
            hdus.writeto(path)
            paths.append(path)
            stars.append(mine)
            solutions.append(solved)
        return AlignableSet(paths, stars, solutions)

    return make
