"""
From labels to a dataset that networks are trained on.

A dataset is a folder: for each preprocessing what networks see of the labelled
detections, and a card that says where they come from and how they are split. The
halves of the split lie apart in the sky: no star, and no pixel, is seen from both.
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.wcs.utils import proj_plane_pixel_scales

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError, AstrosieveWarning, OutputError
from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import sha256_of
from astrosieve.source.classes import CLASSES
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve.tables.catalogs import fill_masked
from astrosieve_training.learn.sampling import balance
from astrosieve_training.source.datasets.chips import network_inputs
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    join,
    set_from_arrays,
)
from astrosieve_training.stages import file_hash

__all__ = [
    'DATASET_FORMAT',
    'SPLITS',
    'Dataset',
    'DatasetError',
    'SplitSettings',
    'cut_labels',
    'near_rows',
    'read_card',
    'read_dataset',
    'split_by_sky',
    'split_counts',
    'summary_lines',
    'view_width',
    'write_dataset',
]

DATASET_FORMAT = 'astrosieve-dataset-1'
"""Value of ``format`` in ``dataset.json``."""

SPLITS = ('training', 'validation', 'excess', 'border', 'rare', 'unusable')
"""
What becomes of a row: learnt from; kept aside; left out by the balancing; too near to
a row that is kept aside; of a class with too few members; without a usable cutout.
"""

_CARD = 'dataset.json'
_CELLS_APART = 8  # views that a cell is wide, where the field allows
_MIN_CELLS, _MAX_CELLS = 5, 100
_CHIPS_APART = 5000.0  # pixels, where there is no sky to place them on
_DRAWS = 500
_DEFECT = 5  # pixels of the detector about a defect that belong to it
_STREAM = 83  # of chance


class DatasetError(AstrosieveError, ValueError):
    """Labels that make no dataset, or a folder that holds none."""


@dataclass(frozen=True)
class SplitSettings:
    """
    How a dataset is split and balanced.

    Parameters
    ----------
    validation_share : float
        Share of the rows that is kept aside.
    ratio : float
        In training no class has more than this many times the members of the smallest
        (WFC3 ISR 2024-14: 1.5); 0 for no limit.
    min_class : int
        Fewest members in training; a class with fewer is left out.
    seed : int
        Of what is random.
    """

    validation_share: float = 0.2
    ratio: float = 1.5
    min_class: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        for name, good, rule in (
            (
                'validation_share',
                0 < self.validation_share <= 0.5,
                'above 0, up to 0.5',
            ),
            ('ratio', self.ratio == 0 or self.ratio >= 1, '0, or 1 or more'),
            ('min_class', self.min_class >= 2, '2 or more'),
            ('seed', self.seed >= 0, '0 or more'),
        ):
            if not good:
                msg = f'{name} must be {rule}; got {getattr(self, name)}'
                raise DatasetError(msg)


@dataclass(frozen=True)
class Dataset:
    """
    A dataset as it is read.

    Parameters
    ----------
    detections : `~astrosieve_training.source.datasets.detections.DetectionSet`
        All rows, with the columns ``split`` (of `SPLITS`) and ``cell`` besides those
        of `cut_labels`.
    card : dict
        What ``dataset.json`` says.
    path : `~pathlib.Path`
        The folder.
    """

    detections: DetectionSet
    card: dict[str, Any]
    path: Path

    def part(self, *splits: str) -> DetectionSet:
        """Return the rows of some of `SPLITS`."""
        return self.detections[np.isin(self.detections.rows['split'], splits)]

    @property
    def sha256(self) -> str:
        """Hash of the arrays."""
        preprocessing = self.card['preprocessings']
        hashes = [preprocessing[name]['sha256'] for name in sorted(preprocessing)]
        return sha256_of(' '.join(hashes).encode())


def _warn(msg: str) -> None:
    warnings.warn(msg, AstrosieveWarning, stacklevel=3)


def _listed(counts: Mapping[str, int]) -> str:
    return ', '.join(f'{n} {name}' for name, n in counts.items())


def _ordered(names: Iterator[str] | Sequence[str]) -> list[str]:
    """Return names of classes in the order of tables, strange ones last."""
    known = list(CLASSES)
    return sorted(set(names), key=lambda n: (known.index(n) if n in known else 99, n))


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
        _warn(msg)
    for name, path in by_name.items():
        rows = np.flatnonzero(np.isin(number, np.flatnonzero(files == name)))
        if len(rows):
            yield path, rows
        else:
            _warn(f'{path}: no label is about this exposure')


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
        _warn(f'{outside} labels lie beyond the edge of their chip and are left out')
    found = join(parts)
    widths = np.asarray(found.rows['fwhm'])
    found.rows['psf_fwhm'] = np.full(len(found), np.nan)
    for camera in np.unique(found.rows['camera']):
        mine = np.asarray(found.rows['camera'] == camera)
        measured = widths[mine & np.isfinite(widths)]
        if len(measured):
            found.rows['psf_fwhm'][mine] = np.median(measured)
    return found


def view_width(preprocessing: str) -> int:
    """
    Return how far apart two detections must be not to share a pixel.

    Parameters
    ----------
    preprocessing : str
        Name of the preprocessing.

    Returns
    -------
    width : int
        Pixels along either axis.
    """
    made = get_preprocessing(preprocessing)
    # Blocks of means lie on the image's grid, not about the detection.
    reach = max(s * (made.size // 2) + s - 1 for s in made.scales.values())
    return 2 * reach + 1


def _places(rows: Table) -> np.ndarray:
    """Return (N, 3) places, in pixels, in which nearness is nearness in the sky."""
    ra, dec = np.deg2rad(rows['ra']), np.deg2rad(rows['dec'])
    if np.isfinite(ra).all() and np.isfinite(dec).all():
        vectors = [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]
        points = np.column_stack(vectors)
        points -= points.mean(axis=0)
        # The largest pixels: the gap must be wide enough for every camera.
        return points / np.deg2rad(np.max(rows['scale']) / 3600)
    if len(np.unique(rows['exposure'])) > 1:
        _warn(
            'not every exposure has a WCS: the split is by place on the chip, and if '
            'the exposures are dithered a star may be in both halves'
        )
    depth = _CHIPS_APART * np.asarray(rows['extver'])
    return np.column_stack([rows['x'], rows['y'], depth])


def _cells(points: np.ndarray, n: int) -> np.ndarray:
    """Return the cell of each point: n cells of about as many points each."""
    cells = np.zeros(len(points), dtype=int)

    def divide(members: np.ndarray, first: int, n: int) -> None:
        if n == 1 or len(members) < 2:
            cells[members] = first
            return
        own = points[members]
        along = own[:, int(np.argmax(np.ptp(own, axis=0)))]
        left = n // 2
        order = np.argsort(along, kind='stable')
        cut = round(len(order) * left / n)
        divide(members[order[:cut]], first, left)
        divide(members[order[cut:]], first + left, n - left)

    divide(np.arange(len(points)), 0, n)
    return cells


def _number_of_cells(points: np.ndarray, gap: float) -> int:
    """Return so many that a cell is several views wide, in fives."""
    flat = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    extent = np.sort(np.ptp(points @ flat.Vh.T, axis=0))[::-1]
    cells = extent[0] * max(extent[1], 1.0) / (_CELLS_APART * gap) ** 2
    return int(np.clip(5 * round(cells / 5), _MIN_CELLS, _MAX_CELLS))


def _choose_cells(
    counts: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Return cells that together hold about a share of each class, (cells, classes)."""
    n = len(counts)
    size = max(1, round(share * n))
    if comb(n, size) <= _DRAWS:
        draws = [np.array(each) for each in combinations(range(n), size)]
    else:
        draws = [rng.permutation(n)[:size] for _ in range(_DRAWS)]
    total = counts.sum(axis=0)

    def badness(draw: np.ndarray) -> float:
        held = counts[draw].sum(axis=0)
        lost = int(((held == 0) | (held == total)).sum())
        off = np.abs(held / np.maximum(total, 1) - share).mean() if total.size else 0
        all_off = abs(held.sum() / max(total.sum(), 1) - share)
        return float(lost + off + 2 * all_off)

    return min(draws, key=badness)


def _near(points: np.ndarray, others: np.ndarray, reach: float, p: float) -> np.ndarray:
    """Return which points lie within a reach of any of the others."""
    from scipy.spatial import cKDTree

    if not len(points) or not len(others):
        return np.zeros(len(points), dtype=bool)
    distance, _ = cKDTree(others).query(
        points, p=p, distance_upper_bound=np.nextafter(reach, np.inf)
    )
    return np.isfinite(distance)


def near_rows(
    rows: Table, some: np.ndarray, others: np.ndarray, gap: int
) -> np.ndarray:
    """
    Tell which rows show what others show.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        As from `cut_labels`.
    some, others : (N,) bool `~numpy.ndarray`
        Two groups of rows.
    gap : int
        From this distance on, pixels, two detections have nothing in common.

    Returns
    -------
    near : (N,) bool `~numpy.ndarray`
        Those of ``some`` that lie nearer than that to any of the others, in the sky or
        on one chip; and defects of a detector that are among the others too.
    """
    near = np.zeros(len(rows), dtype=bool)
    if not some.any() or not others.any():
        return near
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', AstrosieveWarning)  # said by the split
        points = _places(rows)
    near[some] = _near(points[some], points[others], gap, 2)
    # Cutouts are about the pixels that positions fall on.
    xy = np.floor(np.column_stack([rows['x'], rows['y']]) + 0.5)
    extvers = np.asarray(rows['extver'])
    defects = np.asarray(rows['label']) == 'bad_pixel'
    for key, reach, group in (
        ('exposure', gap - 1, np.ones(len(rows), dtype=bool)),
        ('camera', _DEFECT, defects),
    ):
        names = np.asarray(rows[key])
        for name in np.unique(names):
            for extver in np.unique(extvers[names == name]):
                mine = group & (names == name) & (extvers == extver)
                one = mine & some
                near[one] |= _near(xy[one], xy[mine & others], reach, np.inf)
    return near


def split_by_sky(
    detections: DetectionSet, settings: SplitSettings | None = None, *, gap: int
) -> Table:
    """
    Split labelled detections by region of the sky, and balance the training half.

    The field is divided into cells of about equal numbers; some of them, by the seed,
    are the validation half. Training rows nearer than ``gap`` to a validation row are
    left out, in the sky (so that a star that several exposures show is on one side)
    and on the chip (so that no pixel is seen from both halves). Then each class of the
    training half is cut to ``ratio`` times the smallest. In WFC3 ISR 2024-14 the excess
    goes to validation; here it is not used, so that validation stays a region.

    Parameters
    ----------
    detections : `~astrosieve_training.source.datasets.detections.DetectionSet`
        As from `cut_labels`.
    settings : `SplitSettings`, optional
        Shares and limits.
    gap : int
        Pixels; the largest `view_width` of the preprocessings.

    Returns
    -------
    columns : `~astropy.table.Table`
        ``split`` (of `SPLITS`) and ``cell`` (the halves of a cell are numbered 2n and
        2n + 1) of each row.

    Raises
    ------
    DatasetError
        If fewer than two classes have enough members.

    Warns
    -----
    AstrosieveWarning
        If a class is left out, is missing from the validation half, or the field is so
        small that most of the training half is too near to the other.
    """
    from scipy.spatial.transform import Rotation

    settings = settings or SplitSettings()
    rows = detections.rows
    rng = np.random.default_rng([settings.seed, _STREAM])
    usable = detections.usable
    labels = np.asarray(rows['label'], dtype=str)
    classes, numbers = np.unique(labels, return_inverse=True)

    def members(chosen: np.ndarray) -> np.ndarray:
        counted: np.ndarray = np.bincount(numbers[chosen], minlength=len(classes))
        return counted

    enough = members(usable) >= settings.min_class
    _refuse_few(classes, members(usable), enough, settings)
    chosen = usable & enough[numbers]
    points = _places(rows)
    # The seed turns the field, and with it the cells.
    turned = Rotation.random(random_state=rng).apply(points)
    n_cells = _number_of_cells(points[chosen], gap)
    cells = np.full(len(rows), -1)
    cells[chosen] = _cells(turned[chosen], n_cells)
    halves = np.where(cells < 0, -1, 2 * cells)
    for number in range(n_cells):
        halves[cells == number] += _cells(turned[cells == number], 2)
    table = np.zeros((n_cells, len(classes)), dtype=int)
    np.add.at(table, (cells[chosen], numbers[chosen]), 1)
    held = _choose_cells(table[:, enough], settings.validation_share, rng)
    validation = chosen & np.isin(cells, held)
    training = chosen & ~validation
    border = near_rows(rows, training, validation, gap)
    if border.sum() > 0.5 * training.sum():
        _warn(
            f'{border.sum()} of {training.sum()} training rows lie within {gap} pixels '
            'of the validation half and are not used: the field is small. Add exposures'
        )
    training &= ~border
    enough &= members(training) >= settings.min_class
    _refuse_few(classes, members(training), enough, settings)
    _warn_rare(classes, members(usable), members(training), enough, settings)
    for name in classes[enough & (members(validation) == 0)]:
        _warn(f'no {name} is in the validation half: how well it is known is not known')
    rare = usable & ~enough[numbers]
    learnt = np.flatnonzero(training & ~rare)
    _, excess = balance(numbers[learnt], rng, ratio=settings.ratio)
    split = np.full(len(rows), 'unusable', dtype='U10')
    split[training], split[validation], split[border] = (
        'training',
        'validation',
        'border',
    )
    split[learnt[excess]] = 'excess'
    split[rare] = 'rare'
    return Table({'split': split, 'cell': halves})


def _refuse_few(
    classes: np.ndarray, counts: np.ndarray, enough: np.ndarray, settings: SplitSettings
) -> None:
    if enough.sum() >= 2:
        return
    there = _listed(dict(zip(classes.tolist(), counts.tolist(), strict=True)))
    msg = (
        f'a network needs two classes of {settings.min_class} usable labels or more in '
        f'its training half; there are {there}. Label more, or lower the least number '
        'of members (min_class)'
    )
    raise DatasetError(msg)


def _warn_rare(
    classes: np.ndarray,
    counts: np.ndarray,
    learnt: np.ndarray,
    enough: np.ndarray,
    settings: SplitSettings,
) -> None:
    few = (counts > 0) & ~enough
    if not few.any():
        return
    said = ', '.join(
        f'{name} ({n}, of these {m} in the training half)'
        for name, n, m in zip(classes[few], counts[few], learnt[few], strict=True)
    )
    there = _listed(dict(zip(classes[enough], learnt[enough].tolist(), strict=True)))
    _warn(
        f'fewer than {settings.min_class} labels to learn from, left out: {said}. A '
        f'network trained on the rest ({there}) alone will not know them'
    )


def split_counts(rows: Table) -> dict[str, dict[str, int]]:
    """
    Count rows by split and class.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        With ``split`` and ``label``.

    Returns
    -------
    counts : dict of str to dict of str to int
        For each of `SPLITS` that has rows.
    """
    labels = np.asarray(rows['label'], dtype=str)
    split = np.asarray(rows['split'], dtype=str)
    classes = _ordered(labels.tolist())
    return {
        name: {
            each: int(((split == name) & (labels == each)).sum()) for each in classes
        }
        for name in SPLITS
        if (split == name).any()
    }


def summary_lines(card: Mapping[str, Any]) -> list[str]:
    """
    Say what a dataset holds.

    Parameters
    ----------
    card : dict
        As from `read_card`.

    Returns
    -------
    lines : list of str
        One per split, and one for the classes that it does not have.
    """
    lines = [f'{name}: {_listed(counts)}' for name, counts in card['counts'].items()]
    if card['missing']:
        lines.append(
            f'not in the dataset: {", ".join(card["missing"])}; a network trained on '
            'it alone will not know them'
        )
    return lines


def _exposure_cards(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return name, size, hash, instrument and filter of each exposure."""
    cards = []
    for path in paths:
        chip = next(iter(read_chips(path)))
        cards.append(
            {
                'name': path.name,
                'bytes': path.stat().st_size,
                'sha256': file_hash(path),
                'instrument': chip.instrument,
                'detector': chip.detector,
                'filter': chip.filter_name,
                'exptime': chip.exptime,
            }
        )
    return cards


def write_dataset(
    folder: str | Path,
    sets: Mapping[str, DetectionSet],
    card: Mapping[str, Any] | None = None,
    *,
    exposures: Sequence[str | Path],
    settings: SplitSettings | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """
    Split labelled detections, and write them as a dataset.

    Parameters
    ----------
    folder : path-like
        Made where it is not there. Gets ``PREPROCESSING.npz`` for each preprocessing,
        and ``dataset.json`` last.
    sets : dict of str to `~astrosieve_training.source.datasets.detections.DetectionSet`
        By preprocessing, as from `cut_labels` with the same exposures and labels. A
        row that is usable in all of them is split; the split is the same in all.
    card : dict, optional
        What else the card shall say; ``how`` is how the labels were made, in words that
        go into the card of a model.
    exposures : sequence of path-like
        The exposures, which the card names.
    settings : `SplitSettings`, optional
        Shares and limits.
    overwrite : bool, optional
        Whether an existing dataset may be replaced.

    Returns
    -------
    card : dict
        ``format``, ``version``, ``created_by`` (what ``card`` adds), ``classes``,
        ``missing`` (classes of `~astrosieve.source.classes.CLASSES` without members in
        the training half), ``counts`` (by split and class), ``settings``, ``exposures``
        (name, bytes, sha256, instrument, detector, filter, exptime), ``cameras``,
        ``preprocessings`` (by their versioned names: file, sha256, rows), ``gap``.

    Raises
    ------
    DatasetError
        If the sets are not about the same detections, or cannot be split.
    OutputError
        If a file cannot be written, or a dataset is there.
    """
    folder = Path(folder)
    settings = settings or SplitSettings()
    if not overwrite and (folder / _CARD).exists():
        msg = (
            f'{folder / _CARD}: exists; give --overwrite (overwrite=True) or another '
            'folder'
        )
        raise OutputError(msg)
    first = next(iter(sets.values()))
    valid = np.ones(len(first), dtype=bool)
    for name, each in sets.items():
        same = len(each) == len(first) and all(
            (each.rows[c] == first.rows[c]).all()
            for c in ('exposure', 'extver', 'x', 'y', 'label')
        )
        if not same:
            msg = f'the set for {name} is about other detections than the first'
            raise DatasetError(msg)
        valid &= np.asarray(each.rows['valid'])
    common = first.rows.copy()
    common['valid'] = valid
    gap = max(view_width(name) for name in sets)
    split = split_by_sky(DetectionSet(first.inputs, common), settings, gap=gap)
    for name in split.colnames:
        common[name] = split[name]
    counts = split_counts(common)
    classes = [name for name, n in counts['training'].items() if n]
    content: dict[str, Any] = {
        'format': DATASET_FORMAT,
        'version': version('astrosieve'),
        'created_by': dict(card or {}),
        'classes': classes,
        'missing': [name for name in CLASSES if name not in classes],
        'counts': counts,
        'settings': asdict(settings),
        'gap': gap,
        'exposures': _exposure_cards([Path(path) for path in exposures]),
        'cameras': sorted(set(np.asarray(common['camera'], str).tolist())),
        'preprocessings': {},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # What the old card tells of is replaced from here on.
        (folder / _CARD).unlink(missing_ok=True)
    except OSError as error:
        msg = f'{folder}: cannot be written ({error.strerror})'
        raise OutputError(msg) from error
    for name, each in sets.items():
        arrays = {f'input_{key}': value for key, value in each.inputs.items()}
        arrays |= {f'row_{c}': np.asarray(each.rows[c]) for c in each.rows.colnames}
        arrays |= {f'row_{c}': np.asarray(split[c]) for c in split.colnames}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
        with atomic_path(folder / f'{name}.npz', overwrite=True) as temporary:
            temporary.write_bytes(buffer.getvalue())
        content['preprocessings'][name] = {
            'file': f'{name}.npz',
            'sha256': sha256_of(buffer.getvalue()),
            'rows': len(each),
        }
    with atomic_path(folder / _CARD, overwrite=True) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
    return content


def read_card(folder: str | Path) -> dict[str, Any]:
    """
    Read the card of a dataset.

    Parameters
    ----------
    folder : path-like
        As `write_dataset` leaves it.

    Returns
    -------
    card : dict

    Raises
    ------
    DatasetError
        If there is none, it is damaged, or of another version.
    """
    path = Path(folder) / _CARD
    try:
        card = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        msg = (
            f'{path}: no such file; a dataset is the folder that astrosieve-train '
            'source label writes. If that was interrupted, run it again'
        )
        raise DatasetError(msg) from None
    except (OSError, ValueError) as error:
        msg = f'{path}: not the card of a dataset ({error}); label again'
        raise DatasetError(msg) from error
    found = card.get('format') if isinstance(card, dict) else None
    if found != DATASET_FORMAT:
        msg = f'{path}: its format is {found!r}, not {DATASET_FORMAT!r}; label again'
        raise DatasetError(msg)
    wanted = (
        'classes', 'missing', 'counts', 'settings', 'gap', 'exposures', 'cameras',
        'preprocessings', 'created_by',
    )  # fmt: skip
    missing = [key for key in wanted if key not in card]
    if missing:
        msg = f'{path}: says nothing of {missing[0]!r}; label again'
        raise DatasetError(msg)
    return dict(card)


def read_dataset(folder: str | Path, preprocessing: str) -> Dataset:
    """
    Read a dataset for one preprocessing.

    Parameters
    ----------
    folder : path-like
        As `write_dataset` leaves it.
    preprocessing : str
        Name of the preprocessing.

    Returns
    -------
    dataset : `Dataset`

    Raises
    ------
    DatasetError
        If it is not there or damaged, or was not made for the preprocessing.
    """
    folder = Path(folder)
    card = read_card(folder)
    there = card['preprocessings']
    if preprocessing not in there:
        msg = (
            f'{folder}: made for {", ".join(there)}, not for the preprocessing '
            f'{preprocessing!r} that the network needs; make it again: '
            'astrosieve-train source label EXPOSURES --labels '
            f'{folder / "labels.ecsv"} --preprocessing {preprocessing} -o DATASET'
        )
        raise DatasetError(msg)
    entry = there[preprocessing]
    path = folder / entry['file']
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f'{path}: cannot be read ({error.strerror}); label again'
        raise DatasetError(msg) from error
    if sha256_of(content) != entry['sha256']:
        msg = f'{path}: damaged, or not the file that {_CARD} tells of; label again'
        raise DatasetError(msg)
    try:
        with np.load(io.BytesIO(content)) as arrays:
            found = set_from_arrays({key: arrays[key] for key in arrays.files})
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        msg = f'{path}: not a set of detections ({error}); label again'
        raise DatasetError(msg) from error
    return Dataset(found, card, folder)
