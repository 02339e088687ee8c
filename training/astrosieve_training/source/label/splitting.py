"""
Labelled detections split by region of the sky, and balanced.

The halves of the split lie apart in the sky: no star, and no pixel, is seen from both.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import combinations
from math import comb

import numpy as np
from astropy.table import Table

from astrosieve.exceptions import AstrosieveWarning
from astrosieve.source.classes import CLASSES
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.learn.sampling import balance
from astrosieve_training.source.datasets.detections import DetectionSet
from astrosieve_training.source.label.errors import DatasetError
from astrosieve_training.source.label.settings import SplitSettings

__all__ = [
    'SPLITS',
    'listed',
    'near_rows',
    'split_by_sky',
    'split_counts',
    'view_width',
]

SPLITS = ('training', 'validation', 'excess', 'border', 'rare', 'unusable')
"""
What becomes of a row: learnt from; kept aside; left out by the balancing; too near to
a row that is kept aside; of a class with too few members; without a usable cutout.
"""

_CELLS_APART = 8  # views that a cell is wide, where the field allows
_MIN_CELLS, _MAX_CELLS = 5, 100
_CHIPS_APART = 5000.0  # pixels, where there is no sky to place them on
_DRAWS = 500
_DEFECT = 5  # pixels of the detector about a defect that belong to it
_STREAM = 83  # of chance


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
        msg = (
            f'{border.sum()} of {training.sum()} training rows lie within {gap} pixels '
            'of the validation half and are not used: the field is small. Add exposures'
        )
        warnings.warn(msg, AstrosieveWarning, stacklevel=2)
    training &= ~border
    enough &= members(training) >= settings.min_class
    _refuse_few(classes, members(training), enough, settings)
    _warn_rare(classes, members(usable), members(training), enough, settings)
    for name in classes[enough & (members(validation) == 0)]:
        msg = f'no {name} is in the validation half: how well it is known is not known'
        warnings.warn(msg, AstrosieveWarning, stacklevel=2)
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
    there = listed(dict(zip(classes.tolist(), counts.tolist(), strict=True)))
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
    there = listed(dict(zip(classes[enough], learnt[enough].tolist(), strict=True)))
    msg = (
        f'fewer than {settings.min_class} labels to learn from, left out: {said}. A '
        f'network trained on the rest ({there}) alone will not know them'
    )
    warnings.warn(msg, AstrosieveWarning, stacklevel=3)


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
        msg = (
            'not every exposure has a WCS: the split is by place on the chip, and if '
            'the exposures are dithered a star may be in both halves'
        )
        warnings.warn(msg, AstrosieveWarning, stacklevel=3)
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
    classes = CLASSES.ordered(labels.tolist())
    return {
        name: {
            each: int(((split == name) & (labels == each)).sum()) for each in classes
        }
        for name in SPLITS
        if (split == name).any()
    }


def listed(counts: Mapping[str, int]) -> str:
    return ', '.join(f'{n} {name}' for name, n in counts.items())
