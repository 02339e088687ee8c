"""Reference catalogues of the sky: from files, or from the Gaia archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError, CatalogError
from astrosieve.tables.catalogs import fill_masked, read_catalog

__all__ = ['fetch_gaia', 'read_reference', 'sky_positions', 'write_reference']

_POSITIONS = (
    ('ra', 'dec'),
    ('RA', 'DEC'),
    ('RA', 'Dec'),
    ('RA_ICRS', 'DE_ICRS'),
    ('RAJ2000', 'DEJ2000'),
    ('_RAJ2000', '_DEJ2000'),
    ('ALPHA_J2000', 'DELTA_J2000'),
    ('col1', 'col2'),
)
_MAGNITUDES = ('phot_g_mean_mag', 'Gmag', 'mag', 'MAG_AUTO', 'col3')
_MOTIONS = (('pmra', 'pmdec', 'ref_epoch'), ('pmRA', 'pmDE', 'Epoch'))
_DAYS = 365.25
_J2000 = 51_544.5  # MJD of the Julian epoch 2000.0
_GAIA = (
    'SELECT source_id, ra, dec, pmra, pmdec, ref_epoch, phot_g_mean_mag '
    'FROM gaiadr3.gaia_source WHERE 1 = CONTAINS(POINT(ra, dec), '
    'CIRCLE({ra:.7f}, {dec:.7f}, {radius:.7f}))'
)


def read_reference(path: str | Path) -> Table:
    """
    Read a reference catalogue.

    Parameters
    ----------
    path : path-like
        ECSV, FITS, VOTable, CSV or ASCII; right ascension and declination in
        degrees under one of their usual names, or ``sky_centroid``, or first and
        second column where there are no names.

    Returns
    -------
    table : `~astropy.table.Table`

    Raises
    ------
    CatalogError
        If the file cannot be read or holds no positions.
    """
    path = Path(path)
    if path.suffix.lower() in ('.vot', '.xml') and path.is_file():
        try:
            table = Table.read(path, format='votable')
        except (OSError, ValueError, IndexError) as error:
            msg = f'{path}: no table can be read from it ({error})'
            raise CatalogError(msg) from error
    else:
        table = read_catalog(path)
    if not len(table):
        msg = f'{path}: the catalogue has no rows'
        raise CatalogError(msg)
    try:
        sky_positions(table)
    except CatalogError as error:
        msg = f'{path}: {error}'
        raise CatalogError(msg) from error
    return table


def sky_positions(table: Table, mjd: float | None = None) -> SkyCoord:
    """
    Return the positions of a reference catalogue.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalogue.
    mjd : float, optional
        Date to which positions are brought, where the catalogue has proper motions
        (``pmra``, ``pmdec``, mas/yr, the former with the cosine of the declination)
        and their epoch (``ref_epoch``, year). Rows without stay where they are.

    Returns
    -------
    sky : `~astropy.coordinates.SkyCoord`

    Raises
    ------
    CatalogError
        If there are no positions.
    """
    names = table.colnames
    if 'sky_centroid' in names:
        return SkyCoord(table['sky_centroid']).icrs
    pair = next((p for p in _POSITIONS if set(p) <= set(names)), None)
    if pair is None:
        msg = (
            f'no columns of right ascension and declination among {", ".join(names)}; '
            'call them ra and dec (degrees)'
        )
        raise CatalogError(msg)
    try:
        ra, dec = (fill_masked(table[name]) for name in pair)
    except (TypeError, ValueError) as error:
        msg = f'columns {pair[0]}, {pair[1]} must hold degrees ({error})'
        raise CatalogError(msg) from error
    if not ((np.abs(dec) <= 90) | np.isnan(dec)).all():
        msg = f'column {pair[1]} must hold declinations in degrees'
        raise CatalogError(msg)
    motion = next((m for m in _MOTIONS if set(m) <= set(names)), None)
    if mjd is not None and motion is not None:
        pm_ra, pm_dec, epoch = (fill_masked(table[name]) for name in motion)
        years = 2000 + (mjd - _J2000) / _DAYS - epoch
        cos = np.maximum(np.cos(np.deg2rad(dec)), 1e-6)
        ra = ra + np.nan_to_num(pm_ra * years / cos) / 3.6e6
        dec = dec + np.nan_to_num(pm_dec * years) / 3.6e6
    return SkyCoord(ra, dec, unit='deg')


def write_reference(table: Table, path: str | Path, *, mjd: float | None = None) -> int:
    """
    Write a reference catalogue as ``TweakReg(refcat=...)`` reads it.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As from `read_reference` or `fetch_gaia`.
    path : path-like
        Text file of right ascension, declination (degrees) and magnitude; an
        existing one is replaced.
    mjd : float, optional
        Date to which positions are brought.

    Returns
    -------
    written : int
        Number of rows.
    """
    sky = sky_positions(table, mjd)
    ra, dec = sky.ra.deg, sky.dec.deg
    name = next((n for n in _MAGNITUDES if n in table.colnames), None)
    magnitude = np.full(len(table), 99.0) if name is None else fill_masked(table[name])
    good = np.isfinite(ra) & np.isfinite(dec)
    lines = [
        f'{a:.9f} {d:.9f} {m:.4f}'
        for a, d, m in zip(
            ra[good], dec[good], np.nan_to_num(magnitude[good], nan=99.0), strict=True
        )
    ]
    header = '# ra dec (degrees) magnitude\n'
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_text(header + '\n'.join(lines) + '\n', encoding='utf-8')
    return len(lines)


def fetch_gaia(footprints: Sequence[SkyCoord]) -> Table:
    """
    Fetch Gaia DR3 about exposures, with `astroquery`.

    Parameters
    ----------
    footprints : sequence of `~astropy.coordinates.SkyCoord`
        Corners of the chips.

    Returns
    -------
    table : `~astropy.table.Table`
        ``source_id``, ``ra``, ``dec``, ``pmra``, ``pmdec``, ``ref_epoch``,
        ``phot_g_mean_mag`` of a circle that holds all corners.

    Raises
    ------
    AstrosieveError
        If astroquery is not installed or the archive does not answer.
    """
    corners = SkyCoord(
        np.concatenate([each.ra.deg for each in footprints]),
        np.concatenate([each.dec.deg for each in footprints]),
        unit='deg',
    )
    vector = corners.cartesian.mean()
    centre = SkyCoord(vector, representation_type='cartesian')
    centre.representation_type = 'unitspherical'
    radius = corners.separation(centre).max() + 5 * u.arcsec
    try:
        from astroquery import gaia
    except ImportError as error:
        msg = (
            "Gaia is fetched with astroquery: pip install 'astrosieve[gaia]', or give "
            'a file with --refcat'
        )
        raise AstrosieveError(msg) from error
    query = _GAIA.format(ra=centre.ra.deg, dec=centre.dec.deg, radius=radius.deg)
    try:
        service: Any = gaia.GaiaClass(show_server_messages=False)
        table = service.launch_job_async(query, verbose=False).get_results()
    except Exception as error:  # the archive's errors have no common base
        reason = ' '.join(str(error).split()) or type(error).__name__
        msg = (
            f'the Gaia archive does not answer ({reason}); try again, or give a file '
            'with --refcat'
        )
        raise AstrosieveError(msg) from error
    table = Table(table)
    table.rename_columns(table.colnames, [name.lower() for name in table.colnames])
    if not len(table):
        msg = f'Gaia has no source within {radius.to(u.arcmin):.2f} of the exposures'
        raise AstrosieveError(msg)
    return table
