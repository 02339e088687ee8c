"""
What can be told at all: galaxies at S/N 5 to 10 for one who knows everything.

An observer who knows the PSF, the noise of each pixel and the very galaxy that may be
there asks whether it is that galaxy, or a star of any flux at any place. The best test
(Neyman & Pearson 1933, Phil. Trans. A 231, 289) tells the two apart by the distance of
the galaxy from the star that is most like it, in units of the noise; where the test
keeps the stars' share z, the galaxy is called a star with the probability that a normal
deviate exceeds this distance minus that of z. Nobody who has only the pixels knows the
galaxy, so a classifier can hardly do better, whatever it has learnt. Galaxies whose
half-light radius exceeds 1.5 times the PSF's FWHM are not asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import norm

from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve_training.judge.scores import binned
from astrosieve_training.simulate import Truth
from astrosieve_training.simulate.cameras import build_psf
from astrosieve_training.simulate.extended import render_galaxies
from astrosieve_training.simulate.plans import ExposureSet, plan_camera
from astrosieve_training.simulate.psf import PSF
from astrosieve_training.source.datasets.detections import simulated_exposures
from astrosieve_training.source.evaluate.judged import Judged
from astrosieve_training.source.evaluate.limits import (
    FAINT_COMPLETENESS,
    faint_members,
    faint_threshold,
)

__all__ = ['check_faint', 'distance_from_star']

_PROFILE = ('x', 'y', 'flux', 'radius', 'n', 'axis_ratio', 'angle')
_HALF = 5  # pixels about the middle that are looked at
_RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, np.inf)  # half-light, in FWHM of the PSF


def distance_from_star(
    light: np.ndarray, noise: np.ndarray, psf: PSF, position: tuple[float, float]
) -> float:
    """
    Return how far light is from that of the star that is most like it.

    Parameters
    ----------
    light : (n, n) array_like
        Electrons above sky, n odd.
    noise : (n, n) array_like
        Standard deviation of each pixel, electrons.
    psf : `~astrosieve_training.simulate.psf.PSF`
        Of the image.
    position : (float, float)
        Detector position of the middle, pixels.

    Returns
    -------
    distance : float
        Root of the summed squares of the residuals over the noise, of the star of that
        flux and place for which it is least.
    """
    light, noise = np.asarray(light, float), np.asarray(noise, float)
    half = light.shape[0] // 2
    c = np.arange(-half, half + 1)
    target = light / noise

    def residual(offset: np.ndarray) -> np.ndarray:
        star = psf.value(
            c[None, :] - offset[0], c[:, None] - offset[1], position=position
        )
        star = star / noise
        flux = max((star * target).sum() / (star * star).sum(), 0.0)
        return np.asarray((target - flux * star).ravel())

    found = least_squares(residual, np.zeros(2), bounds=(-2, 2), diff_step=0.02)
    return float(np.sqrt(2 * found.cost))


def _distances(
    judged: Judged, chosen: np.ndarray, exposures: ExposureSet, cache: Path
) -> np.ndarray:
    """Return the distance of each galaxy from a star; NaN for all that is none."""
    rows = judged.rows
    origin = np.asarray(rows['exposure'], dtype=str)
    xy = np.column_stack([rows['x'], rows['y']]).astype(float)
    radius = np.asarray(rows['galaxy_radius'], dtype=float)
    galaxy = chosen & np.isfinite(radius)
    out = np.full(len(rows), np.nan)
    for plan, _, truth in simulated_exposures(exposures, cache):
        mine = np.flatnonzero(galaxy & (origin == plan.label))
        if len(mine):
            psf = build_psf(plan_camera(plan))
            out[mine] = [_of_one(truth, psf, xy[i], radius[i]) for i in mine]
    return out


def _of_one(truth: Truth, psf: PSF, xy: np.ndarray, radius: float) -> float:
    """Return the distance of the galaxy of that radius, alone and without arms."""
    table = truth.galaxies
    mine = np.flatnonzero(np.asarray(table['radius'], dtype=float) == radius)
    galaxy = table[mine[:1]]
    if not len(galaxy) or not np.isfinite(galaxy['n'][0]):  # a trailed source
        return float('nan')
    x, y = np.floor(xy + 0.5).astype(int)
    half = int(min(_HALF, x, y, truth.shape[1] - 1 - x, truth.shape[0] - 1 - y))
    corner = float(x - half), float(y - half)
    alone = {name: np.asarray(galaxy[name], dtype=float) for name in _PROFILE}
    alone['x'], alone['y'] = alone['x'] - corner[0], alone['y'] - corner[1]
    alone['arms'] = np.zeros(1)
    size = 2 * half + 1
    light = render_galaxies((size, size), alone, psf, origin=corner)
    box = slice(y - half, y + half + 1), slice(x - half, x + half + 1)
    return distance_from_star(light, truth.noise[box], psf, (float(x), float(y)))


def check_faint(
    judged: Mapping[str, Judged], sets: Sequence[ExposureSet], cache: Path
) -> list[str]:
    """
    Set a model's leak of faint galaxies beside what an observer could tell.

    Parameters
    ----------
    judged : dict of str to `~astrosieve_training.source.evaluate.judged.Judged`
        Judged detections by the name of their set.
    sets : sequence of `~astrosieve_training.simulate.plans.ExposureSet`
        The sets.
    cache : `~pathlib.Path`
        Folder of cached exposures.

    Returns
    -------
    lines : list of str
        Markdown: both by the galaxies' half-light radius, and for all that is faint.
    """
    kept = float(norm.ppf(FAINT_COMPLETENESS))
    rows = []
    for exposures in sets:
        mine = judged[exposures.name]
        star, other = faint_members(mine.rows)
        if not star.any() or not other.any():
            continue
        scores = next(iter(mine.scores.values()))
        called = scores >= faint_threshold(scores, mine.rows)
        radius = np.asarray(mine.rows['galaxy_radius'], dtype=float)
        size = radius / np.asarray(mine.rows['psf_fwhm'], dtype=float)
        extended = other & (np.asarray(mine.rows['label'], dtype=str) == 'extended')
        small = extended & (size < _RADII[-2])
        distance = _distances(mine, small, exposures, cache)
        told = np.where(np.isfinite(distance), norm.sf(distance - kept), 0.0)
        groups = {
            f'galaxies, half-light radius {low:g} to {high:g} FWHM': extended & inside
            for low, high, inside in binned(size, _RADII)
        }
        groups |= {'all extended': extended, 'all others': other}
        rows += [
            (exposures.name, name, Share.of(called, group), f'{told[group].mean():.2%}')
            for name, group in groups.items()
            if group.any()
        ]
    return [
        f'Uncontested detections of S/N 5 to 10, {FAINT_COMPLETENESS:.0%} of the stars '
        'of that S/N kept. The observer knows the PSF, the noise and the very galaxy, '
        'and asks if it is that or a star; wider galaxies, and what is none, are '
        'never stars to this observer. Called stars:',
        '',
        *markdown_table(('sample', 'what', 'network', 'observer'), rows),
    ]
