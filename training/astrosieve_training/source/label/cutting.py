"""What a network sees of labelled detections, cut out of their exposures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table
from astropy.wcs.utils import proj_plane_pixel_scales

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.tables.catalogs import fill_masked
from astrosieve_training.source.datasets.chips import network_inputs
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    join,
    set_from_arrays,
)
from astrosieve_training.source.label.errors import DatasetError

__all__ = ['cut_labels']


def _camera(chip: Chip) -> str:
    parts = [chip.instrument, chip.detector, chip.filter_name]
    return '-'.join(part for part in parts if part).lower() or 'unknown'


def _box_snr(image: MeasuredImage, xy: np.ndarray) -> np.ndarray:
    """Return the S/N in 3x3 pixels; NaN where one of them is not usable."""
    ix, iy, _, _ = pixel_indices(xy, (image.sci.shape[0], image.sci.shape[1]))
    sky, noise = (each.astype(np.float64) for each in image.mesh.at(ix, iy))
    boxes = extract_cutouts(image.sci, ix, iy, 3, fill=np.nan).astype(np.float64)
    if image.spoilt is not None:
        boxes[extract_cutouts(image.spoilt, ix, iy, 3, fill=1) != 0] = np.nan
    scale = image.electrons_per_unit
    electrons = (boxes.sum(axis=(1, 2)) - 9 * sky) * scale
    variance = 9 * (noise * scale) ** 2 + np.maximum(electrons, 0)
    snr = np.full(len(xy), np.nan)
    np.divide(electrons, np.sqrt(variance), out=snr, where=variance > 0)
    return snr


def _cut_chip(
    chip: Chip, xy: np.ndarray, labels: np.ndarray, preprocessing: str
) -> DetectionSet:
    """Return what a network sees of the labelled positions of one chip."""
    image = MeasuredImage.of_chip(chip)
    arrays = network_inputs(image, xy, preprocessing)
    nothing = np.full(len(xy), np.nan)

    def same(value: float | None) -> np.ndarray:
        return nothing.copy() if value is None else np.full(len(xy), float(value))

    columns = {
        'x': xy[:, 0],
        'y': xy[:, 1],
        'exposure': np.full(len(xy), chip.path.name),
        'extver': np.full(len(xy), chip.extver, dtype=np.int16),
        'camera': np.full(len(xy), _camera(chip)),
        'label': labels,
        'share': np.ones(len(xy)),
        'contested': np.zeros(len(xy), dtype=bool),
        'snr': _box_snr(image, xy),
        'fwhm': same(image.fwhm),
        'noise_ratio': same(image.traits.noise_ratio),
        'ra': nothing,
        'dec': nothing,
        'scale': nothing,
    }
    if chip.wcs is not None:
        sky = chip.wcs.pixel_to_world(xy[:, 0], xy[:, 1]).icrs
        degrees = float(np.mean(proj_plane_pixel_scales(chip.wcs.celestial)))
        columns['ra'], columns['dec'] = sky.ra.deg, sky.dec.deg
        columns['scale'] = same(3600 * degrees)
    arrays |= {f'row_{name}': value for name, value in columns.items()}
    return set_from_arrays(arrays)


def _by_exposure(
    paths: Sequence[Path], labels: Table
) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield each exposure that has labels, and their rows."""
    by_name: dict[str, Path] = {}
    for path in paths:
        if by_name.setdefault(path.name, path) != path:
            msg = (
                f'{path} and {by_name[path.name]}: two exposures of one name; labels '
                'tell exposures by the names of their files. Rename one'
            )
            raise DatasetError(msg)
    named, number = np.unique(np.asarray(labels['exposure'], str), return_inverse=True)
    files = np.array([Path(name).name for name in named])
    strange = [i for i, name in enumerate(files) if name not in by_name]
    if len(strange) == len(files):
        given = ', '.join(by_name) or 'none'
        msg = (
            'no label is about any of the exposures; the labels name '
            f'{", ".join(files[:5]) or "none"}, given are {given}'
        )
        raise DatasetError(msg)
    if strange:
        n = int(np.isin(number, strange).sum())
        msg = (
            f'{n} of {len(labels)} labels are about exposures that were not given '
            f'({", ".join(files[strange][:5])}); they are left out'
        )
        warnings.warn(msg, AstrosieveWarning, stacklevel=2)
    for name, path in by_name.items():
        rows = np.flatnonzero(np.isin(number, np.flatnonzero(files == name)))
        if len(rows):
            yield path, rows
        else:
            msg = f'{path}: no label is about this exposure'
            warnings.warn(msg, AstrosieveWarning, stacklevel=2)


def cut_labels(
    paths: Sequence[str | Path], labels: Table, *, preprocessing: str
) -> DetectionSet:
    """
    Cut out what a network sees of labelled detections.

    Parameters
    ----------
    paths : sequence of path-like
        Exposures.
    labels : `~astropy.table.Table`
        As from `~astrosieve.source.labels.read_labels`; further columns are not looked
        at.
    preprocessing : str
        Name of the preprocessing.

    Returns
    -------
    detections : `~astrosieve_training.source.datasets.detections.DetectionSet`
        Ordered by exposure and chip. ``rows`` has ``x``, ``y`` (pixels, 0-based),
        ``exposure``, ``extver``, ``camera``, ``label``, ``share`` (1), ``contested``
        (`False`), ``snr`` (measured in 3x3 pixels, NaN where one is not usable),
        ``valid``, ``edge``, ``fill``, ``fwhm`` (estimated in each chip, pixels, or
        NaN), ``psf_fwhm`` (median of the camera's estimates, or NaN),
        ``noise_ratio``, ``ra``, ``dec`` (ICRS, degrees) and ``scale`` (arcsec per
        pixel), these three NaN without a WCS.

    Raises
    ------
    DatasetError
        If no label is about the exposures, one names a chip that its exposure does
        not have, or two exposures have one name.
    ExposureError
        If an exposure cannot be read.

    Warns
    -----
    AstrosieveWarning
        If labels are left out: about other exposures, or beyond the edge of the chip.
    """
    extvers = fill_masked(labels['extver']).astype(int)
    xy = np.column_stack([fill_masked(labels[f'{c}_centroid']) for c in 'xy'])
    names = np.asarray(labels['label'], dtype=str)
    parts, outside = [], 0
    for path, rows in _by_exposure([Path(path) for path in paths], labels):
        wanted = set(extvers[rows].tolist())
        for chip in read_chips(path):
            if chip.extver not in wanted:
                continue
            wanted.discard(chip.extver)
            mine = rows[extvers[rows] == chip.extver]
            shape = (chip.sci.shape[0], chip.sci.shape[1])
            inside = pixel_indices(xy[mine], shape)[-1]
            outside += int((~inside).sum())
            mine = mine[inside]
            if len(mine):
                parts.append(_cut_chip(chip, xy[mine], names[mine], preprocessing))
        if wanted:
            msg = (
                f'{path}: the labels name chip {min(wanted)} (extver), which it does '
                'not have; they were made for another file'
            )
            raise DatasetError(msg)
    if not parts:
        msg = 'all labels lie beyond the edges of their chips; are they 0-based pixels?'
        raise DatasetError(msg)
    if outside:
        msg = f'{outside} labels lie beyond the edge of their chip and are left out'
        warnings.warn(msg, AstrosieveWarning, stacklevel=2)
    found = join(parts)
    widths = np.asarray(found.rows['fwhm'])
    found.rows['psf_fwhm'] = np.full(len(found), np.nan)
    for camera in np.unique(found.rows['camera']):
        mine = np.asarray(found.rows['camera'] == camera)
        measured = widths[mine & np.isfinite(widths)]
        if len(measured):
            found.rows['psf_fwhm'][mine] = np.median(measured)
    return found
