"""
Positions of stars against the phase of the pixels: finders, centroids, fits.

Run ``python tests/benchmarks/positions.py``. With ``--page docs/tasks/source.md`` the
table of the page is made again. Exposures of four cameras are simulated from seeds that
nothing was trained on, without losses of charge transfer; the stars of DAOStarFinder
that have no neighbour within 8 pixels are measured in several ways on the same pixels.
What all positions of a camera have in common, an offset and a linear change over the
chip, belongs to its distortion and is taken out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.table import Table
from photutils.centroids import centroid_2dg, centroid_quadratic, centroid_sources
from photutils.psf import CircularGaussianPRF, PSFPhotometry
from scipy.spatial import cKDTree

from astrosieve.images.effective_psf import fit_positions
from astrosieve.images.measured import MeasuredImage
from astrosieve.markdown import markdown_table
from astrosieve.source.finders import detect
from astrosieve.tables.catalogs import positions
from astrosieve_training.judge.report import replace_between
from astrosieve_training.simulate.cameras import load_camera
from astrosieve_training.simulate.exposure import simulate_exposure
from astrosieve_training.simulate.scene import SceneConfig

SEED = 5_100_000
CAMERAS = ('wfc3-uvis-f606w', 'acs-wfc-f606w', 'wfpc2-pc-f336w', 'ground-moffat')
SHAPE = (1000, 1000)
SCENE = SceneConfig('field', star_density=700, faint_snr=8, galaxy_density=5)
ALONE = 8.0  # pixels
FAINTEST = 30.0  # S/N in 3x3 pixels
PHASES = 8


@dataclass(frozen=True)
class Field:
    """Stars of an exposure: the image, what was detected, and where they are."""

    image: MeasuredImage
    xy: np.ndarray
    true: np.ndarray
    measured: np.ndarray


def make_field(name: str, seed: int) -> Field:
    """Simulate an exposure, and detect its stars."""
    camera = replace(load_camera(name), cte_loss=0.0)
    exposure = simulate_exposure(camera, seed=seed, scene=SCENE, shape=SHAPE)
    dq = exposure.dq.astype(np.int32)
    unit = 'DN' if camera.instrument == 'WFPC2' else 'electron'
    image = MeasuredImage.of(exposure.sci, dq=dq, unit=unit, gain=camera.gain)
    stars = exposure.truth.stars
    places = np.column_stack([stars['x'], stars['y']]).astype(float)
    xy = positions(detect(image))
    tree = cKDTree(places)
    away, which = tree.query(xy, 2)
    mine = away[:, 0] < 0.7
    star = stars[which[:, 0]]
    measured = mine & (away[:, 1] > ALONE) & (np.asarray(star['snr']) > FAINTEST)
    measured &= ~np.asarray(star['saturated'])
    return Field(image, xy, places[which[:, 0]], measured)


def _centroids(function: Callable[..., np.ndarray]) -> Callable[[Field], np.ndarray]:
    def measure(field: Field) -> np.ndarray:
        data = field.image.sci - np.float32(field.image.background.level)
        x, y = centroid_sources(
            data, *field.xy[field.measured].T, box_size=5, centroid_func=function
        )
        return np.column_stack([x, y])

    return measure


def _gaussian(field: Field) -> np.ndarray:
    data = field.image.sci - np.float32(field.image.background.level)
    start = Table(field.xy[field.measured], names=('x', 'y'))
    photometry = PSFPhotometry(
        CircularGaussianPRF(fwhm=field.image.fwhm), (5, 5), aperture_radius=3
    )
    found = photometry(data, init_params=start)
    found.sort('id')
    return np.column_stack([found['x_fit'], found['y_fit']])


def _fitted(field: Field) -> np.ndarray:
    return _fit(field).xy[field.measured]


def _fit(field: Field):
    near = np.hypot(*(field.xy - field.true).T) < 0.7
    return fit_positions(field.image, field.xy, near)


WAYS: dict[str, Callable[[Field], np.ndarray]] = {
    'DAOStarFinder': lambda field: field.xy[field.measured],
    'centroid_quadratic': _centroids(centroid_quadratic),
    'centroid_2dg': _centroids(centroid_2dg),
    'CircularGaussianPRF': _gaussian,
    'x_fit, y_fit': _fitted,
}


def errors(field: Field, xy: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return errors, less what all stars have in common, linear in the place."""
    true = field.true[field.measured]
    off = xy - true
    known = np.isfinite(noise).all(axis=1)
    good = known & np.isfinite(off).all(axis=1)
    terms = np.column_stack([np.ones(len(true)), true / SHAPE[0] - 0.5])
    for _ in range(3):
        weight = 1 / noise[good, :1]
        common = np.linalg.lstsq(terms[good] * weight, off[good] * weight, rcond=None)
        left = off - terms @ common[0]
        good = known & (np.abs(left) < 0.5).all(axis=1)
    return left


def judge(name: str, n: int) -> list[list[str]]:
    """Return the rows of a camera."""
    fields = [make_field(name, SEED + number) for number in range(n)]
    noise = [_fit(field).error[field.measured] for field in fields]
    expected = np.concatenate(noise)
    phase = np.concatenate([field.true[field.measured] for field in fields])
    part = np.floor((phase + 0.5) % 1 * PHASES).astype(int)
    rows = []
    for way, measure in WAYS.items():
        start = time.process_time()
        found = [measure(field) for field in fields]
        seconds = time.process_time() - start
        left = np.concatenate(
            [errors(*each) for each in zip(fields, found, noise, strict=True)]
        )
        good = np.isfinite(left) & np.isfinite(expected)
        weight = np.where(good, 1 / expected**2, 0)
        value = np.where(good, left, 0)
        bias = [
            abs((value * weight)[part == k].sum() / weight[part == k].sum())
            for k in range(PHASES)
        ]
        rows.append(
            [
                name,
                way,
                f'{len(left)}',
                f'{1.4826 * np.median(np.abs(left[good])):.4f}',
                f'{1.4826 * np.median(np.abs(left[good] / expected[good])):.2f}',
                f'{max(bias):.4f}',
                f'{1e3 * seconds / len(left):.2f}',
            ]
        )
    return rows


def main() -> None:
    """Measure, print, and write the table of a page."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[1])
    parser.add_argument('-n', type=int, default=3, help='exposures of each camera')
    parser.add_argument('--page', type=Path)
    given = parser.parse_args()
    head = (
        'camera', 'position', 'stars', 'error, px', 'over the noise',
        'largest bias of a phase, px', 'ms a star',
    )  # fmt: skip
    rows = [row for name in CAMERAS for row in judge(name, given.n)]
    lines = markdown_table(head, rows)
    print('\n'.join(lines))
    if given.page:
        replace_between(given.page, 'source-positions', lines)


if __name__ == '__main__':
    main()
