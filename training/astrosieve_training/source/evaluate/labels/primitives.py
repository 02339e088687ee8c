"""
Dithered fields that share nothing with our simulator: GalSim's primitives alone.

Optics with struts, or a Moffat profile; stars, Sersic galaxies, straight cosmic rays,
hot pixels, saturated columns that bleed. Only the rule of truth is ours, so that both
are judged alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy import ndimage

from astrosieve.atomic import atomic_path
from astrosieve.images.instruments import instrument
from astrosieve_training.judge.report import slug
from astrosieve_training.settings import NotNegative, Positive, Settings
from astrosieve_training.simulate.truth import Truth, write_truth
from astrosieve_training.versions import digest

__all__ = ['PrimitiveField']

_FINE = 5  # samples of the PSF in a pixel
_REACH = 140  # pixels to which a star's light is drawn
_COMPACT = 20  # the same, of the PSF that galaxies are convolved with
_FAINTEST = 0.1  # electrons in a pixel
_COLOURS = (0.86, 1.0, 1.14)  # of a broad filter, times the wavelength


@dataclass(frozen=True)
class PrimitiveField(Settings):
    """
    Dithered exposures of galaxies, stars and bright stars. Densities are numbers in a
    million pixels.

    Parameters
    ----------
    name : str
        What tables call it.
    seeds : tuple of int
        Of the fields; the embedding has the same.
    instrument, detector : str
        Whose DQ bits are written.
    exposures, size : int
        Of each field, and their sides, pixels.
    scale : float
        Arcsec of a pixel.
    diameter, wavelength : float
        Metres, nanometres.
    struts : int
        Vanes of the secondary mirror.
    angle : float
        Of the first, degrees.
    seeing : float
        FWHM of a Moffat profile in place of optics, arcsec; 0 for optics.
    diffusion : float
        Sigma of the charge's spread, pixels.
    sky, read_noise, full_well : float
        Electrons.
    stars, bright, galaxies, hits : float
        Stars below and above saturation, galaxies, cosmic rays.
    hot : float
        Share of pixels with charge of their own; DQ knows four of five.
    radii : (float, float)
        Half-light radii, arcsec, even in the logarithm.
    snr : (float, float)
        Of galaxies, within the half-light radius; even in the logarithm.
    """

    name: str
    seeds: tuple[int, ...]
    instrument: str = 'WFC3'
    detector: str = 'UVIS'
    exposures: int = 4
    size: int = 900
    scale: Positive = 0.04
    diameter: Positive = 2.4
    wavelength: Positive = 606.0
    struts: int = 4
    angle: float = 43.0
    seeing: NotNegative = 0.0
    diffusion: NotNegative = 0.35
    sky: Positive = 40.0
    read_noise: Positive = 4.0
    full_well: Positive = 70000.0
    stars: NotNegative = 500.0
    bright: NotNegative = 12.0
    galaxies: NotNegative = 300.0
    hits: NotNegative = 600.0
    hot: NotNegative = 0.001
    radii: tuple[Positive, Positive] = (0.1, 1.0)
    snr: tuple[Positive, Positive] = (5.0, 200.0)

    def decides(self, seed: int) -> str:
        """Return a hash of all but the code that decides the exposures of a seed."""
        return digest(self, seed)

    def write(self, seed: int, folder: Path) -> list[tuple[Path, Path]]:
        """
        Write the exposures of a seed, with their truth.

        Parameters
        ----------
        seed : int
            Of everything random.
        folder : `~pathlib.Path`
            Where to.

        Returns
        -------
        paths : list of (`~pathlib.Path`, `~pathlib.Path`)
            Exposure and truth.
        """
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng([seed, 0])
        sky = _sky(self, rng)
        hot = rng.random((self.size, self.size)) < self.hot
        dark = np.where(hot, 10 ** rng.uniform(1.5, 3.5, hot.shape), 0)
        known = hot & (rng.random(hot.shape) < 0.8)
        turn = rng.uniform(0, 2 * np.pi)
        moves = rng.normal(0, 12, (self.exposures, 2))
        pairs = []
        for number, move in enumerate(moves):
            stem = f'{slug(self.name)}-{seed}-{number}'
            paths = folder / f'{stem}_flc.fits', folder / f'{stem}_truth.fits'
            made = np.random.default_rng([seed, 1, number])
            hdus, truth = _expose(self, sky, move, turn, dark, known, made)
            hdus[0].header.update(
                ROOTNAME=stem[-12:], EXPSTART=58000.0 + seed % 1000 + number / 50
            )
            write_truth(paths[1], [truth], overwrite=True)
            with atomic_path(paths[0], overwrite=True) as temporary:
                hdus.writeto(temporary, overwrite=True)
            pairs.append(paths)
        return pairs


@dataclass(frozen=True, eq=False)
class _EffectivePSF:
    """Samples of the PSF with pixel and diffusion, and what it is beside them."""

    fine: np.ndarray  # value for a pixel at each offset, `_FINE` in a pixel
    spline: np.ndarray
    reach: np.ndarray  # highest value beyond so many pixels
    fwhm: float

    def at(self, dy: np.ndarray, dx: np.ndarray) -> np.ndarray:
        """Return its values at offsets from the star, pixels."""
        middle = self.fine.shape[0] // 2
        grid = [dy * _FINE + middle, dx * _FINE + middle]
        values: np.ndarray = ndimage.map_coordinates(
            self.spline, grid, order=3, prefilter=False
        )
        return np.maximum(values, 0)


@lru_cache(maxsize=2)
def _psf(field: PrimitiveField) -> _EffectivePSF:
    import galsim

    scale = field.scale
    if field.seeing:
        light = galsim.Moffat(beta=3.0, fwhm=field.seeing)
    else:
        light = galsim.Add(
            [
                galsim.OpticalPSF(
                    lam=field.wavelength * colour, diam=field.diameter,
                    obscuration=0.33, nstruts=field.struts, strut_thick=0.015,
                    strut_angle=field.angle * galsim.degrees, coma1=0.02,
                    astig1=0.02, defocus=0.03, oversampling=1.5, flux=1 / 3,
                )
                for colour in _COLOURS
            ]
        )  # fmt: skip
    spread = galsim.Gaussian(sigma=max(field.diffusion, 0.05) * scale)
    whole = galsim.Convolve(light, spread, galsim.Pixel(scale))
    size = 2 * _REACH * _FINE + 1
    drawn = whole.drawImage(
        nx=size, ny=size, scale=scale / _FINE, method='no_pixel', dtype=float
    )
    fine = drawn.array * _FINE**2
    y, x = np.mgrid[:size, :size] - size // 2
    distance = np.hypot(y, x) / _FINE
    ring = np.minimum(distance.astype(int), _REACH)
    most = np.asarray(ndimage.maximum(fine, ring, np.arange(_REACH + 1)))
    fwhm = float(2 * np.sqrt((fine > fine.max() / 2).sum() / np.pi) / _FINE)
    reach = np.maximum.accumulate(most[::-1])[::-1]
    return _EffectivePSF(fine, ndimage.spline_filter(fine, 3), reach, fwhm)


def _sky(field: PrimitiveField, rng: np.random.Generator) -> dict[str, Table]:
    """Return the stars and galaxies of a field, in pixels of its first pointing."""
    psf = _psf(field)
    margin = 40
    million = ((field.size + 2 * margin) / 1000) ** 2
    noise = np.sqrt(field.sky + field.read_noise**2)

    def logs(low: float, high: float, n: int) -> np.ndarray:
        values: np.ndarray = np.exp(rng.uniform(np.log(low), np.log(high), n))
        return values

    def places(n: int) -> dict[str, np.ndarray]:
        x, y = rng.uniform(-margin, field.size + margin, (2, n))
        return {'x': x, 'y': y}

    few, many = (rng.poisson(each * million) for each in (field.bright, field.stars))
    full = field.full_well / psf.fine.max()
    faint = 5 * 3 * noise / 0.6
    stars = Table(places(many + few))
    # Twice as many of half the flux.
    steep = rng.random(many)
    fluxes = (steep / faint**0.5 + (1 - steep) / full**0.5) ** -2
    stars['flux'] = np.concatenate([fluxes, logs(full, 30 * full, few)])
    n = rng.poisson(field.galaxies * million)
    galaxies = Table(places(n))
    radius = logs(*field.radii, n) / field.scale
    snr = logs(*field.snr, n)
    background = noise * np.sqrt(np.pi * (radius**2 + psf.fwhm**2))
    galaxies['flux'] = snr**2 + np.sqrt(snr**4 + 4 * snr**2 * background**2)
    galaxies['radius'] = radius
    galaxies['n'] = rng.integers(5, 41, n) / 10  # GalSim keeps what it learns of each
    galaxies['axis_ratio'] = rng.uniform(0.25, 1, n)
    galaxies['angle'] = rng.uniform(0, np.pi, n)
    return {'stars': stars, 'galaxies': galaxies}


def _expose(
    field: PrimitiveField,
    sky: dict[str, Table],
    move: np.ndarray,
    turn: float,
    dark: np.ndarray,
    known: np.ndarray,
    rng: np.random.Generator,
) -> tuple[fits.HDUList, Truth]:
    """Return one exposure, and its truth."""
    psf = _psf(field)
    tables = {name: table.copy() for name, table in sky.items()}
    for table in tables.values():
        table['x'] += move[0]
        table['y'] += move[1]
    shape = dark.shape
    planes = {}
    planes['star'], planes['spike'] = _draw_stars(shape, tables['stars'], psf)
    planes['extended'] = _draw_galaxies(field, shape, tables['galaxies'], psf)
    saturated = _bleed(planes, field.full_well)
    light = sum(planes.values())
    planes['cosmic_ray'], hits = _draw_hits(shape, field.hits, rng)
    planes['bad_pixel'] = dark
    mean = light + dark + field.sky
    electrons = rng.poisson(mean) + planes['cosmic_ray']
    electrons = electrons + rng.normal(0, field.read_noise, shape)
    meaning = instrument(field.instrument, field.detector).dq
    dq = meaning.saturated * saturated + meaning.hot * known
    noise = np.sqrt(mean + field.read_noise**2)
    stars = tables['stars']
    stars['peak'] = stars['flux'] * psf.fine.max()
    stars['saturated'] = stars['peak'] > field.full_well
    inner = slice(_REACH - 1, _REACH + 2)
    box = stars['flux'] * psf.fine[::_FINE, ::_FINE][inner, inner].sum()
    stars['snr'] = box / np.sqrt(box + 9 * (field.sky + field.read_noise**2))
    truth = Truth(
        planes={name: plane.astype(np.float32) for name, plane in planes.items()},
        noise=noise.astype(np.float32), stars=stars, galaxies=tables['galaxies'],
        cosmic_rays=hits, sky=field.sky, fwhm=psf.fwhm, full_well=field.full_well,
    )  # fmt: skip
    return _hdus(field, electrons, dq, _wcs(field, move, turn)), truth


def _draw_stars(
    shape: tuple[int, ...], stars: Table, psf: _EffectivePSF
) -> tuple[np.ndarray, np.ndarray]:
    """Return the cores of stars, and the rest of their light."""
    core, rest = np.zeros(shape), np.zeros(shape)
    for x, y, flux in zip(stars['x'], stars['y'], stars['flux'], strict=True):
        reach = int(np.searchsorted(-psf.reach, -_FAINTEST / flux)) + 1
        found = _window(shape, x, y, min(max(reach, 5), _REACH - 1))
        if found is None:
            continue
        rows, columns = found
        dy, dx = np.meshgrid(
            np.arange(rows.start, rows.stop) - y,
            np.arange(columns.start, columns.stop) - x,
            indexing='ij',
        )
        light = flux * psf.at(dy, dx)
        inside = np.hypot(dy, dx) <= psf.fwhm
        core[rows, columns] += np.where(inside, light, 0)
        rest[rows, columns] += np.where(inside, 0, light)
    return core, rest


def _window(
    shape: tuple[int, ...], x: float, y: float, reach: int
) -> tuple[slice, slice] | None:
    """Return the part of an image about a position, `None` where there is none."""
    spans = [
        (max(round(at) - reach, 0), min(round(at) + reach + 1, size))
        for at, size in ((y, shape[0]), (x, shape[1]))
    ]
    if any(low >= high for low, high in spans):
        return None
    (top, bottom), (left, right) = spans
    return slice(top, bottom), slice(left, right)


def _draw_galaxies(
    field: PrimitiveField, shape: tuple[int, ...], galaxies: Table, psf: _EffectivePSF
) -> np.ndarray:
    import galsim

    middle, half = psf.fine.shape[0] // 2, _COMPACT * _FINE
    inner = slice(middle - half, middle + half + 1)
    near = np.ascontiguousarray(psf.fine[inner, inner])
    blur = galsim.InterpolatedImage(galsim.Image(near, scale=1 / _FINE), flux=1.0)
    image = np.zeros(shape)
    for row in galaxies:
        reach = int(np.clip(6 * row['radius'] + 12, 16, 110))
        found = _window(shape, row['x'], row['y'], reach)
        if found is None:
            continue
        light = galsim.Sersic(
            n=row['n'], half_light_radius=row['radius'], flux=row['flux']
        ).shear(q=row['axis_ratio'], beta=row['angle'] * galsim.radians)
        size = 2 * reach + 1
        stamp = galsim.Convolve(light, blur).drawImage(
            nx=size, ny=size, scale=1.0, method='no_pixel', dtype=float,
            offset=(row['x'] - round(row['x']), row['y'] - round(row['y'])),
        )  # fmt: skip
        rows, columns = found
        top, left = round(row['y']) - reach, round(row['x']) - reach
        image[rows, columns] += np.maximum(
            stamp.array[
                rows.start - top : rows.stop - top,
                columns.start - left : columns.stop - left,
            ],
            0,
        )
    return image


def _bleed(planes: dict[str, np.ndarray], full: float) -> np.ndarray:
    """Let full pixels run over along their columns; return which are full."""
    total = sum(planes.values())
    flat = np.minimum(total, full)
    over = total - flat
    spilt = np.zeros_like(flat)
    for column in np.flatnonzero(over.any(axis=0)):
        runs, n = ndimage.label(over[:, column] > 0)
        for rows in ndimage.find_objects(runs, n):
            charge = over[rows[0], column].sum() / 2
            for step, at in ((-1, rows[0].start - 1), (1, rows[0].stop)):
                left = charge
                while left > 0 and 0 <= at < len(flat):
                    taken = min(left, full - flat[at, column])
                    flat[at, column] += taken
                    spilt[at, column] += taken
                    left -= taken
                    at += step
    kept = np.minimum(full / np.maximum(total, 1e-30), 1)
    for plane in planes.values():
        plane *= kept
    planes['spike'] += spilt
    saturated: np.ndarray = flat >= 0.98 * full
    return saturated


def _draw_hits(
    shape: tuple[int, ...], density: float, rng: np.random.Generator
) -> tuple[np.ndarray, Table]:
    """Return straight tracks of charge, and a table of them."""
    image = np.zeros(shape)
    n = rng.poisson(density * image.size / 1e6)
    hits = Table(
        {
            'x': rng.uniform(0, shape[1], n), 'y': rng.uniform(0, shape[0], n),
            'length': rng.exponential(6, n) + 0.5, 'theta': rng.uniform(0, np.pi, n),
        }
    )  # fmt: skip
    per_pixel = 10 ** rng.uniform(1.9, 3.4, n)
    hits['electrons'] = per_pixel * hits['length']
    hits['kind'] = 'track'
    for row in hits:
        count = max(int(60 * row['length']), 60)
        along = row['length'] * rng.uniform(-0.5, 0.5, count)
        x, y = (
            np.rint(row[c] + along * turn(row['theta']) + rng.normal(0, 0.3, count))
            for c, turn in (('x', np.cos), ('y', np.sin))
        )
        inside = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
        at = y[inside].astype(int), x[inside].astype(int)
        np.add.at(image, at, row['electrons'] / count)
    return image, hits


def _wcs(field: PrimitiveField, move: np.ndarray, turn: float) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    wcs.wcs.crval = [80.0, -30.0]
    wcs.wcs.crpix = (field.size + 1) / 2 + move
    cos, sin = np.cos(turn), np.sin(turn)
    wcs.wcs.cd = field.scale / 3600 * np.array([[-cos, sin], [sin, cos]])
    wcs.wcs.set()
    return wcs


def _hdus(
    field: PrimitiveField, electrons: np.ndarray, dq: np.ndarray, wcs: WCS
) -> fits.HDUList:
    primary = fits.PrimaryHDU()
    cards: dict[str, Any] = {
        'INSTRUME': field.instrument, 'DETECTOR': field.detector, 'FILTER': 'CLEAR',
        'EXPTIME': 500.0, 'CCDGAIN': 1.0,
    }  # fmt: skip
    primary.header.update(cards)
    header = fits.Header()
    (a, b), (c, d) = wcs.wcs.cd
    header.update(
        BUNIT='ELECTRONS', CTYPE1='RA---TAN', CTYPE2='DEC--TAN',
        CRVAL1=wcs.wcs.crval[0], CRVAL2=wcs.wcs.crval[1], CRPIX1=wcs.wcs.crpix[0],
        CRPIX2=wcs.wcs.crpix[1], CD1_1=a, CD1_2=b, CD2_1=c, CD2_2=d,
    )  # fmt: skip
    sci = fits.ImageHDU(electrons.astype(np.float32), header, name='SCI')
    return fits.HDUList([primary, sci, fits.ImageHDU(dq.astype(np.int16), name='DQ')])
