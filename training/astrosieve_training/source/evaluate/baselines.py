"""
What a network is compared with, on the same detections.

- ``dao``: `~photutils.detection.DAOStarFinder`'s default cuts, sharpness in
  (0.2, 1.0) and both roundnesses in (-1, 1).
- ``iraf``: `~photutils.detection.IRAFStarFinder`'s default cuts, sharpness in
  (0.5, 2.0) and roundness in (0, 0.2).
- ``forest``: a random forest on seven columns of DAOStarFinder (sharpness,
  roundness1, roundness2, peak, flux, mag, daofind_mag), trained on the network's
  own training exposures.
- ``astroscrappy``: L.A.Cosmic with its defaults, a detection being a cosmic ray
  where a pixel in the 3x3 about it is flagged; ``astroscrappy_tuned`` the same with
  sepmed=False, objlim=2, sigclip=5. Both are told the read noise.

The columns are measured at each detection, whichever finder it comes from, at the
brightest pixel of the finder's convolved image in the 3x3 about it, as the finders
themselves do. Their own calls drop what they take for no star; here each has its row,
so that their formulas are written out. The kernel is theirs.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from photutils.detection import DAOStarFinder
from scipy.ndimage import convolve
from sklearn.ensemble import RandomForestClassifier

from astrosieve.images.background import measure_background
from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.exposures import Chip
from astrosieve.images.units import electron_scale
from astrosieve_training.learn.sampling import balance, label_numbers
from astrosieve_training.source.datasets.detections import DetectionSet

__all__ = [
    'FOREST',
    'FOREST_COLUMNS',
    'Forest',
    'cut_decisions',
    'measure_all',
    'measure_columns',
]

FOREST = 'random forest'
"""What tables call it."""

FOREST_COLUMNS = (
    'sharpness',
    'roundness1',
    'roundness2',
    'peak',
    'flux',
    'mag',
    'daofind_mag',
)
"""Columns of DAOStarFinder that the random forest sees."""

_DAO_CUTS = {'sharpness': (0.2, 1.0), 'roundness1': (-1, 1), 'roundness2': (-1, 1)}
_IRAF_CUTS = {'sharpness': (0.5, 2.0), 'roundness': (0.0, 0.2)}
_SCRAPPY: dict[str, dict[str, Any]] = {
    'astroscrappy': {},
    'astroscrappy_tuned': {'sepmed': False, 'objlim': 2.0, 'sigclip': 5.0},
}


def measure_columns(data: np.ndarray, xy: np.ndarray, fwhm: float, chip: Chip) -> Table:
    """
    Measure what DAOStarFinder and IRAFStarFinder measure, at given positions.

    Parameters
    ----------
    data : 2D `~numpy.ndarray`
        Image without its sky.
    xy : (N, 2) `~numpy.ndarray`
        Positions, pixels, 0-based.
    fwhm : float
        FWHM, pixels.
    chip : `~astrosieve.images.exposures.Chip`
        The chip, for its unit: fluxes are in electrons.

    Returns
    -------
    columns : `~astropy.table.Table`
        ``dao_<column>`` and ``iraf_<column>``, NaN where they cannot be measured.
    """
    scale, _ = electron_scale(chip.unit, gain=chip.gain, exptime=chip.exptime)
    finder = DAOStarFinder(5 * measure_background(data).noise, fwhm)
    kernel = finder.kernel  # the other finder's is the same
    size = len(kernel.data)
    smooth = convolve(data, kernel.data, mode='constant')
    ix, iy = _local_peaks(smooth, xy).T
    cutouts = extract_cutouts(data, ix, iy, size, fill=0)
    smoothed = extract_cutouts(smooth, ix, iy, size, fill=0)
    with np.errstate(all='ignore'):
        dao = _dao_columns(cutouts, smoothed, kernel, finder.threshold_eff)
        iraf = _iraf_columns(cutouts, kernel.mask > 0, fwhm)
    columns = {f'dao_{name}': dao[name] for name in FOREST_COLUMNS}
    columns |= {f'iraf_{name}': iraf[name] for name in _IRAF_CUTS}
    for name, values in columns.items():
        columns[name] = np.where(np.isfinite(values), values, np.nan).astype(float)
    columns['dao_peak'] *= scale
    columns['dao_flux'] *= scale
    columns['dao_mag'] -= 2.5 * np.log10(scale)
    return Table(columns)


def _dao_columns(
    cutouts: np.ndarray, smoothed: np.ndarray, kernel: Any, threshold: float
) -> dict[str, np.ndarray]:
    """Return DAOStarFinder's columns, also where it would find no star."""
    c = cutouts.shape[-1] // 2
    peak, height = cutouts[:, c, c], smoothed[:, c, c]
    others = ((cutouts * kernel.mask).sum(axis=(1, 2)) - peak) / (kernel.mask.sum() - 1)
    around = smoothed.copy()
    around[:, c, c] = 0
    quarters = (
        np.s_[:, : c + 1, c + 1 :], np.s_[:, :c, : c + 1],
        np.s_[:, c:, :c], np.s_[:, c + 1 :, c:],
    )  # fmt: skip
    one, two, three, four = (around[part].sum(axis=(1, 2)) for part in quarters)
    uneven = (-one + two - three + four) / np.abs(around).sum(axis=(1, 2))
    weight = c + 1 - np.abs(np.arange(2 * c + 1) - c)
    gaussian = kernel.gaussian_kernel_unmasked
    x = _fitted_height(cutouts, gaussian, weight)
    y = _fitted_height(cutouts.swapaxes(1, 2), gaussian.T, weight)
    flux = cutouts.sum(axis=(1, 2))
    return {
        'sharpness': (peak - others) / height,
        'roundness1': 2 * uneven,
        'roundness2': 2 * (x - y) / (x + y),
        'peak': peak,
        'flux': flux,
        'mag': -2.5 * np.log10(flux),
        'daofind_mag': -2.5 * np.log10(height / threshold),
    }


def _fitted_height(
    cutouts: np.ndarray, gaussian: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Return the height of a Gaussian along x; NaN where it is not positive."""
    profiles, model = (
        (each * weight[:, None]).sum(axis=-2) for each in (cutouts, gaussian)
    )
    total = weight.sum()
    level, power = (model * weight).sum(), (model**2 * weight).sum()
    rise = (profiles * model * weight).sum(axis=1)
    rise = rise - (profiles * weight).sum(axis=1) * level / total
    return np.where(rise > 0, rise / (power - level**2 / total), np.nan)


def _iraf_columns(
    cutouts: np.ndarray, inner: np.ndarray, fwhm: float
) -> dict[str, np.ndarray]:
    """Return IRAFStarFinder's columns, also where it would find no star."""
    sky = (cutouts * ~inner).sum(axis=(1, 2)) / np.count_nonzero(~inner)
    light = (cutouts - sky[:, None, None]) * inner.astype(int)
    light[light < 0] = 0
    pixels = np.arange(light.shape[-1], dtype=float)
    along_x, along_y = light.sum(axis=1), light.sum(axis=2)
    total = light.sum(axis=(1, 2))
    dx = pixels - (along_x @ pixels / total)[:, None]
    dy = pixels - (along_y @ pixels / total)[:, None]
    xx = (along_x * dx**2).sum(axis=1) / total
    yy = (along_y * dy**2).sum(axis=1) / total
    xy = np.einsum('nij,ni,nj->n', light, dy, dx) / total
    return {
        'sharpness': 2 * np.sqrt(np.log(2) * (xx + yy)) / fwhm,
        'roundness': np.sqrt((xx - yy) ** 2 + 4 * xy**2) / (xx + yy),
    }


def _local_peaks(smooth: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return the brightest pixel in the 3x3 about each position."""
    ix, iy, _, _ = pixel_indices(xy, (smooth.shape[0], smooth.shape[1]))
    boxes = extract_cutouts(smooth, ix, iy, 3, fill=-np.inf)
    best = boxes.reshape(len(ix), 9).argmax(axis=1)
    return np.column_stack([ix + best % 3 - 1, iy + best // 3 - 1])


def _scrappy_flags(chip: Chip, xy: np.ndarray, read_noise: float) -> Table:
    """Return which detections astroscrappy calls cosmic rays."""
    from astroscrappy import detect_cosmics

    scale, _ = electron_scale(chip.unit, gain=chip.gain, exptime=chip.exptime)
    electrons = np.ascontiguousarray(chip.sci * np.float32(scale), dtype=np.float32)
    bad = ~np.isfinite(electrons)
    if chip.mask is not None:
        bad |= chip.mask
    electrons[bad] = 0
    ix, iy, _, _ = pixel_indices(xy, (electrons.shape[0], electrons.shape[1]))
    columns = {}
    for name, options in _SCRAPPY.items():
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            flagged, _ = detect_cosmics(
                electrons, inmask=bad, readnoise=read_noise, **options
            )
        boxes = extract_cutouts(flagged, ix, iy, 3, fill=False)
        columns[name] = boxes.any(axis=(1, 2))
    return Table(columns)


def measure_all(data: np.ndarray, xy: np.ndarray, fwhm: float, chip: Chip) -> Table:
    """
    Measure what all baselines need.

    Parameters
    ----------
    data, xy, fwhm, chip
        As in `measure_columns`. The read noise is taken from the header
        (``READNSEA`` ... ``READNSED``), else from the noise of the sky.

    Returns
    -------
    columns : `~astropy.table.Table`
        Those of `measure_columns`, and booleans ``astroscrappy`` and
        ``astroscrappy_tuned``: called a cosmic ray.
    """
    columns = measure_columns(data, xy, fwhm, chip)
    stated = [
        float(chip.header[key])
        for key in ('RDNOISE', *(f'READNSE{amp}' for amp in 'ABCD'))
        if chip.header.get(key)
    ]
    if stated:
        read_noise = float(np.mean(stated))
    else:
        scale, _ = electron_scale(chip.unit, gain=chip.gain, exptime=chip.exptime)
        read_noise = measure_background(data).noise * scale
    flags = _scrappy_flags(chip, xy, read_noise)
    for name in flags.colnames:
        columns[name] = flags[name]
    return columns


def cut_decisions(rows: Table) -> dict[str, np.ndarray]:
    """
    Return which detections the baselines without training call stars.

    Parameters
    ----------
    rows : `~astropy.table.Table`
        With the columns of `measure_all`.

    Returns
    -------
    decisions : dict of str to (N,) bool `~numpy.ndarray`
        By name of the baseline. For astroscrappy a star is what is not called a
        cosmic ray: it knows nothing else.
    """

    def within(prefix: str, cuts: dict[str, tuple[float, float]]) -> np.ndarray:
        good = np.ones(len(rows), dtype=bool)
        for name, (low, high) in cuts.items():
            values = np.asarray(rows[f'{prefix}_{name}'])
            good &= (values >= low) & (values <= high)
        return good

    return {
        'DAOStarFinder cuts': within('dao', _DAO_CUTS),
        'IRAFStarFinder cuts': within('iraf', _IRAF_CUTS),
        'astroscrappy': ~np.asarray(rows['astroscrappy'], dtype=bool),
        'astroscrappy, tuned': ~np.asarray(rows['astroscrappy_tuned'], dtype=bool),
    }


class Forest:
    """
    A random forest on the columns of DAOStarFinder.

    Parameters
    ----------
    classes : sequence of str
        Classes that it tells apart.
    seed : int
        Of the trees.
    n_trees : int, optional
        Number of trees.
    """

    def __init__(
        self, classes: Sequence[str], *, seed: int, n_trees: int = 200
    ) -> None:
        self.classes = tuple(classes)
        self._forest = RandomForestClassifier(
            n_estimators=n_trees, min_samples_leaf=2, random_state=seed
        )

    @staticmethod
    def _features(rows: Table) -> np.ndarray:
        features = np.column_stack(
            [np.asarray(rows[f'dao_{name}'], dtype=float) for name in FOREST_COLUMNS]
        )
        # What cannot be measured is told by a value that nothing measured has.
        return np.nan_to_num(features, nan=-1e4, posinf=-1e4, neginf=-1e4)

    def fit(
        self, detections: DetectionSet, *, rng: np.random.Generator, ratio: float = 1.5
    ) -> Forest:
        """
        Train on the uncontested detections of its classes, balanced as a network's.

        Parameters
        ----------
        detections : `~astrosieve_training.source.datasets.detections.DetectionSet`
            With the columns of `measure_columns`.
        rng : `~numpy.random.Generator`
            Decides which rows of too frequent classes stay.
        ratio : float, optional
            See `~astrosieve_training.learn.sampling.balance`.

        Returns
        -------
        forest : `Forest`
            Itself.
        """
        labels = label_numbers(detections.rows, self.classes)
        rows = np.flatnonzero(detections.usable & (labels >= 0))
        kept, _ = balance(labels[rows], rng, ratio=ratio, largest=30_000)
        rows = rows[kept]
        self._forest.fit(self._features(detections.rows[rows]), labels[rows])
        return self

    def predict(self, rows: Table) -> np.ndarray:
        """
        Return class probabilities.

        Parameters
        ----------
        rows : `~astropy.table.Table`
            With the columns of `measure_columns`.

        Returns
        -------
        probabilities : (N, C) `~numpy.ndarray`
        """
        found: Any = self._forest.predict_proba(self._features(rows))
        probabilities = np.zeros((len(rows), len(self.classes)))
        probabilities[:, self._forest.classes_] = found
        return probabilities
