"""Files of the monitor in, blobs out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve.blob.difference import Difference, make_difference
from astrosieve.blob.find import find_blobs
from astrosieve.blob.frames import (
    DIFFERENCE_OF,
    N_REFERENCES,
    SIDES,
    Frame,
    choose_references,
)
from astrosieve.blob.subframes import subframe_numbers
from astrosieve.exceptions import AstrosieveWarning, CatalogError
from astrosieve.images.instruments import WFC3_IR
from astrosieve.models.registry import Model
from astrosieve.tables.catalogs import fill_masked, positions, read_catalog

__all__ = ['Examined', 'examine', 'read_known', 'write_difference']

_EDGE = 'reference_pixels'  # in the meta of tables: cut off along each side


@dataclass(frozen=True, eq=False)
class Examined:
    """
    An image, its difference, and the blobs in it.

    Parameters
    ----------
    frame : `~astrosieve.blob.frames.Frame`
        The image, or a difference image.
    difference : `~astrosieve.blob.difference.Difference`
        Its difference, without reference pixels.
    blobs : `~astropy.table.Table`
        As `~astrosieve.blob.find.find_blobs` returns it; positions are those in the
        difference.
    references : tuple of str
        Files that the reference was made of.
    reference_date : float
        Median of their dates, MJD; NaN where it is not known.
    """

    frame: Frame
    difference: Difference
    blobs: Table
    references: tuple[str, ...] = ()
    reference_date: float = float('nan')

    @property
    def table(self) -> Table:
        """Blobs with positions in the image as its file has it."""
        table, edge = self.blobs.copy(), self.frame.edge
        if edge:
            table.meta[_EDGE] = edge
            for name in ('x', 'y'):
                table[name].data[:] += edge
            x, y = (fill_masked(table[name]) for name in ('x', 'y'))
            numbers = subframe_numbers(x, y, (SIDES[1], SIDES[1]))
            table['subframe'] = numbers.astype(table['subframe'].dtype)
        return table


def examine(
    frame: Frame,
    candidates: Sequence[Frame] | None,
    *,
    model: Model | str = 'blob',
    known: Table | None = None,
    n_references: int = N_REFERENCES,
) -> Examined:
    """
    Look for blobs in an image.

    Parameters
    ----------
    frame : `~astrosieve.blob.frames.Frame`
        The image.
    candidates : sequence of `~astrosieve.blob.frames.Frame` or None
        Images of which the references are chosen; None where ``frame`` is a
        difference image.
    model : `~astrosieve.models.registry.Model` or str, optional
        The network.
    known : `~astropy.table.Table`, optional
        Blobs that are not to be found again, from `read_known`; positions without
        reference pixels.
    n_references : int, optional
        How many references are asked for.

    Returns
    -------
    examined : `Examined`

    Raises
    ------
    AstrosieveError
        If the frame is not what it should be, or no blob can be seen in it.
    """
    names: tuple[str, ...] = ()
    middle = float('nan')
    if candidates is None:
        frame.require_difference()
        data = np.where(frame.mask, np.float32(np.nan), frame.data)
        finite = data[np.isfinite(data)]
        noise = 1.4826 * float(np.median(np.abs(finite - np.median(finite))))
        difference = Difference(
            data, np.isnan(data), noise, 0, float('nan'), (0.0, 0.0)
        )
    else:
        frame.require_image()
        chosen = choose_references(frame, candidates, n_references)
        names = tuple(each.path.name for each in chosen)
        middle = float(np.median([each.date for each in chosen]))
        difference = make_difference(
            frame.data,
            [each.data for each in chosen],
            mask=frame.mask,
            reference_masks=[each.mask for each in chosen],
        )
        for text in difference.warnings:
            warnings.warn(f'{frame.path.name}: {text}', AstrosieveWarning, stacklevel=2)
    blobs = find_blobs(difference.data, mask=difference.mask, known=known, model=model)
    blobs.meta.update(
        input=frame.path.name,
        references=len(names),
        noise=difference.noise,
        shift_x=difference.shift[1],
        shift_y=difference.shift[0],
    )
    if np.isfinite(difference.level):
        blobs.meta['level'] = difference.level
    if np.isfinite(frame.date):
        blobs.meta['mjd'] = frame.date
    return Examined(frame, difference, blobs, names, middle)


def read_known(path: Path) -> Table:
    """
    Read a table of blobs.

    Parameters
    ----------
    path : `~pathlib.Path`
        Table with positions and perhaps ``radius``, ``depth``, and ``since``: the
        first image that has it, MJD or ISO. Positions are those in an image without
        reference pixels, unless the table says that it is of one with.

    Returns
    -------
    known : `~astropy.table.Table`
        ``x``, ``y``, positions without reference pixels, and the other columns.

    Raises
    ------
    CatalogError
        If it cannot be read, or lacks positions.
    """
    rows = read_catalog(path)
    try:
        xy = positions(rows)
    except CatalogError as error:
        msg = f'{path}: {error}'
        raise CatalogError(msg) from error
    meta = {str(key).lower(): value for key, value in rows.meta.items()}
    xy -= meta.get(_EDGE, 0)
    known = Table({'x': xy[:, 0], 'y': xy[:, 1]})
    for name in ('radius', 'depth'):
        if name in rows.colnames:
            known[name] = fill_masked(rows[name])
    if 'since' in rows.colnames:
        known['since'] = _dates(rows, path)
    return known


def _dates(rows: Table, path: Path) -> np.ndarray:
    """Return when blobs appeared, MJD; NaN where it is not known."""
    from astropy.time import Time

    column = rows['since']
    if isinstance(column, Time):
        return np.asarray(column.mjd, dtype=float)
    if column.dtype.kind in 'iuf':
        return fill_masked(column)
    try:
        return np.array(
            [
                Time(str(each)).mjd if str(each).strip(' -') else np.nan
                for each in column
            ],
            dtype=float,
        )
    except ValueError as error:
        msg = f'{path}: column since must hold MJD or ISO dates ({error})'
        raise CatalogError(msg) from error


def write_difference(
    examined: Examined, path: str | Path, *, overwrite: bool = False
) -> None:
    """
    Write a difference image, for `read_frame` or other programs.

    Parameters
    ----------
    examined : `Examined`
        An image.
    path : path-like
        FITS file: extension SCI of 1014x1014 pixels, NaN where nothing is known.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    frame, difference = examined.frame, examined.difference
    primary = fits.PrimaryHDU()
    cards = {
        'TELESCOP': 'HST',
        'INSTRUME': WFC3_IR.name,
        'DETECTOR': WFC3_IR.detector,
        'FILTER': frame.filter_name,
        DIFFERENCE_OF: (frame.path.name, 'image that was compared'),
        'NREF': (difference.n_references, 'references before it'),
        'SHIFTX': (difference.shift[1], 'shift of the mirror, pixels'),
        'SHIFTY': (difference.shift[0], 'shift of the mirror, pixels'),
        'NOISE': (difference.noise, 'standard deviation of a pixel'),
    }
    if np.isfinite(frame.date):
        cards['EXPSTART'] = (frame.date, 'start of the exposure, MJD')
    for key, value in cards.items():
        primary.header[key] = value
    for name in examined.references:
        primary.header.add_history(f'reference {name}')
    image = fits.ImageHDU(difference.data, name='SCI', ver=1)
    image.header['COMMENT'] = '(reference - image) / reference: a new blob is positive'
    with atomic_path(path, overwrite=overwrite) as temporary:
        fits.HDUList([primary, image]).writeto(temporary, overwrite=True)
