"""
Blobs as a bad-pixel table, the reference file BPIXTAB of calwf3.

Each row flags a run of pixels: it begins at (PIX1, PIX2), counted from 1 at the first
pixel that sees light, so that reference pixels have numbers from -4 to 0, and goes on
for LENGTH pixels along AXIS. calwf3 ORs VALUE into DQ.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time

from astrosieve.atomic import atomic_path
from astrosieve.blob.frames import EDGE, SIDES
from astrosieve.exceptions import CatalogError
from astrosieve.images.fits_files import open_fits
from astrosieve.images.instruments import WFC3_IR
from astrosieve.tables.catalogs import fill_masked, positions

__all__ = ['BLOB_DQ', 'blob_mask', 'expand_bad_pixels', 'write_bad_pixels']

BLOB_DQ = 512
"""DQ bit of blobs, 'bad in flat'."""
_GROW = 1.5  # of the half-depth radius: beyond it a blob takes little light
_TYPES = {
    'CCDAMP': '4A',
    'CCDCHIP': 'I',
    'CCDGAIN': 'E',
    'PIX1': 'J',
    'PIX2': 'J',
    'LENGTH': 'I',
    'VALUE': 'E',
    'AXIS': 'I',
}
_UNITS = {
    'CCDGAIN': 'electrons/DN',
    **dict.fromkeys(('PIX1', 'PIX2', 'LENGTH'), 'pixel'),
}


def blob_mask(blobs: Table) -> np.ndarray:
    """
    Return the pixels of blobs: circles of 1.5 times their radius.

    Parameters
    ----------
    blobs : `~astropy.table.Table`
        ``x``, ``y``, 0-based positions in the image without reference pixels, and
        ``radius``, pixels.

    Returns
    -------
    mask : (1014, 1014) bool `~numpy.ndarray`

    Raises
    ------
    CatalogError
        If a column is not there, or a number is not finite.
    """
    if 'radius' not in blobs.colnames:
        msg = f'the blobs have no column radius; they have {", ".join(blobs.colnames)}'
        raise CatalogError(msg)
    circles = np.column_stack([positions(blobs), fill_masked(blobs['radius'])])
    if not np.isfinite(circles).all() or (circles[:, 2] < 0).any():
        msg = 'positions and radii of blobs must be numbers; some are not'
        raise CatalogError(msg)
    mask = np.zeros((SIDES[0], SIDES[0]), dtype=bool)
    y, x = np.ogrid[: SIDES[0], : SIDES[0]]
    for x0, y0, radius in circles:
        mask |= (x - x0) ** 2 + (y - y0) ** 2 <= (_GROW * radius) ** 2
    return mask


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first x, y and length of each run of pixels along rows."""
    edges = np.diff(np.pad(mask, [(0, 0), (1, 1)]).astype(np.int8), axis=1)
    rows, begin = np.nonzero(edges == 1)
    end = np.nonzero(edges == -1)[1]
    return begin, rows, end - begin


def write_bad_pixels(
    blobs: Table,
    path: str | Path,
    *,
    base: str | Path | None = None,
    use_after: float | None = None,
    overwrite: bool = False,
) -> int:
    """
    Write blobs as a bad-pixel table, with DQ 512.

    Parameters
    ----------
    blobs : `~astropy.table.Table`
        As for `blob_mask`.
    path : path-like
        The FITS file.
    base : path-like, optional
        Bad-pixel table whose rows and cards are kept: calwf3 takes one table alone,
        in which other bad pixels must be too.
    use_after : float, optional
        MJD of the first exposure that it is for; now by default.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Returns
    -------
    pixels : int
        How many pixels blobs spoil.

    Raises
    ------
    CatalogError
        If the blobs lack a column, or the base is no bad-pixel table.
    OutputError
        If the file cannot be written.
    """
    mask = blob_mask(blobs)
    x, y, length = _runs(mask)
    n = len(x)
    gain = 2.5  # as commanded, electrons per DN
    rows = {
        'CCDAMP': np.full(n, 'ABCD'),
        'CCDCHIP': np.ones(n, dtype=np.int16),
        'CCDGAIN': np.full(n, gain, dtype=np.float32),
        'PIX1': x + 1,
        'PIX2': y + 1,
        'LENGTH': length,
        'VALUE': np.full(n, BLOB_DQ, dtype=np.float32),
        'AXIS': np.ones(n, dtype=np.int16),
    }
    primary = fits.Header()
    if base is not None:
        primary, kept = _read_base(Path(base))
        rows = {name: np.concatenate([kept[name], rows[name]]) for name in rows}
    path = Path(path)
    when = Time.now() if use_after is None else Time(use_after, format='mjd')
    day = when.strftime('%d/%m/%Y')
    for key, value in {
        'FILENAME': path.name,
        'NEXTEND': 1,
        'FILETYPE': 'BAD PIXELS',
        'TELESCOP': 'HST',
        'INSTRUME': WFC3_IR.name,
        'DETECTOR': WFC3_IR.detector,
        'CCDGAIN': gain,
        'CCDAMP': 'ABCD',
        'PEDIGREE': primary.get('PEDIGREE', f'INFLIGHT {day} {day}'),
        'USEAFTER': when.strftime('%b %d %Y %H:%M:%S'),
        'DESCRIP': f'{len(blobs)} blobs, DQ {BLOB_DQ}'.ljust(67, '-'),
    }.items():
        primary[key] = value
    primary.add_history(f'{len(blobs)} blobs flagged {BLOB_DQ} by astrosieve')
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(name, format, _UNITS.get(name), array=rows[name])
            for name, format in _TYPES.items()
        ],
        name='BPIX',
        ver=1,
    )
    table.header['SIZAXIS1'] = table.header['SIZAXIS2'] = SIDES[1]
    with atomic_path(path, overwrite=overwrite) as temporary, warnings.catch_warnings():
        warnings.simplefilter('ignore', fits.verify.VerifyWarning)
        hdus = fits.HDUList([fits.PrimaryHDU(header=primary), table])
        hdus.writeto(temporary, overwrite=True)
    return int(mask.sum())


def _read_base(path: Path) -> tuple[fits.Header, dict[str, np.ndarray]]:
    """Return primary header and columns of a bad-pixel table."""
    with open_fits(path) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
        if not tables or not set(_TYPES) <= set(tables[0].columns.names):
            msg = f'{path}: is no bad-pixel table; it lacks {", ".join(_TYPES)}'
            raise CatalogError(msg)
        return hdus[0].header.copy(strip=True), {
            name: np.array(tables[0].data[name]) for name in _TYPES
        }


def expand_bad_pixels(path: str | Path) -> np.ndarray:
    """
    Return the DQ that calwf3 makes of a bad-pixel table.

    Parameters
    ----------
    path : path-like
        The FITS file.

    Returns
    -------
    dq : (1024, 1024) int32 `~numpy.ndarray`
        With reference pixels; ``dq[5:-5, 5:-5]`` is that of an FLT.

    Raises
    ------
    CatalogError
        If it is no bad-pixel table.
    """
    columns = _read_base(Path(path))[1]
    dq = np.zeros((SIDES[1], SIDES[1]), dtype=np.int32)
    names = ('PIX1', 'PIX2', 'LENGTH', 'VALUE', 'AXIS')
    runs = np.column_stack([columns[name] for name in names]).astype(int)
    first = EDGE - 1  # of a pixel that is counted from 1
    for x, y, length, value, axis in runs.tolist():
        begin = (x if axis == 1 else y) + first
        run = slice(max(begin, 0), max(begin + length, 0))
        box = (y + first, run) if axis == 1 else (run, x + first)
        dq[box] |= value
    return dq
