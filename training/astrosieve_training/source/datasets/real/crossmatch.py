"""
Truth from the same sky in another filter: what is in both is a star.

Nothing follows for what is in one only: it may be a cosmic ray, or a star too
faint for the other filter. So only the completeness of stars can be measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from astrosieve.images.cutouts import extract_cutouts, pixel_indices

__all__ = ['CrossmatchTruth', 'find_offset']


def find_offset(
    xy: np.ndarray, reference: np.ndarray, *, reach: float = 30.0, step: float = 1.0
) -> tuple[np.ndarray, int]:
    """
    Find the shift that brings positions onto a reference.

    Parameters
    ----------
    xy, reference : (N, 2), (M, 2) `~numpy.ndarray`
        Positions, pixels.
    reach : float, optional
        Largest shift along each axis, pixels.
    step : float, optional
        Bin of the histogram of differences, pixels.

    Returns
    -------
    offset : (2,) `~numpy.ndarray`
        To add to ``xy``: the peak of the histogram, then the median of the pairs
        within 1.5 bins of it.
    pairs : int
        How many pairs that are.
    """
    near = cKDTree(xy).query_ball_tree(cKDTree(reference), reach * np.sqrt(2))
    first = np.repeat(np.arange(len(xy)), [len(each) for each in near])
    second = np.fromiter((j for each in near for j in each), dtype=int)
    differences = reference[second] - xy[first]
    bins = np.arange(-reach, reach + step, step)
    counts, *_ = np.histogram2d(differences[:, 0], differences[:, 1], bins=(bins, bins))
    smooth = uniform_filter(counts, 3, mode='constant')
    peak = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    offset = bins[np.array(peak)] + step / 2
    for _ in range(3):
        close = np.hypot(*(differences - offset).T) < 1.5 * step
        if not close.any():
            return np.zeros(2), 0
        offset = np.median(differences[close], axis=0)
    return offset, int(close.sum())


@dataclass(frozen=True)
class CrossmatchTruth:
    """
    Labels of detections by their counterparts in another exposure.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The exposure that is judged, electrons above sky.
    wcs, other_wcs : `~astropy.wcs.WCS`
        Of this exposure and of the other.
    reference : (M, 2) `~numpy.ndarray`
        Positions of the other's detections, in its own pixels.
    offset : (2,) `~numpy.ndarray`
        What is left between the two WCS, in pixels of this exposure.
    noise : float
        Of a pixel of the sky, electrons.
    saturation : float
        Electrons from which a pixel is saturated.
    radius : float, optional
        Pixels within which a counterpart counts.
    """

    image: np.ndarray
    wcs: WCS
    other_wcs: WCS
    reference: np.ndarray
    offset: np.ndarray
    noise: float
    saturation: float
    radius: float = 1.0

    def counterparts(self) -> np.ndarray:
        """Return the other's positions in pixels of this exposure."""
        sky = self.other_wcs.all_pix2world(self.reference, 0)
        return self.wcs.all_world2pix(sky, 0, quiet=True) - self.offset

    def __call__(self, xy: np.ndarray) -> Table:
        """
        Label detections.

        Parameters
        ----------
        xy : (N, 2) `~numpy.ndarray`
            Positions, pixels, 0-based.

        Returns
        -------
        labels : `~astropy.table.Table`
            As `~astrosieve_training.source.datasets.real.median.MedianTruth`; what has
            no counterpart is contested.
        """
        there = self.counterparts()
        distance, _ = cKDTree(there).query(xy)
        # Stars only: a detection has the counterpart that has it.
        _, back = cKDTree(xy).query(there)
        mutual = np.zeros(len(xy), dtype=bool)
        mutual[back] = True
        star = mutual & (distance < self.radius)
        ix, iy, _, _ = pixel_indices(xy, self.image.shape)
        boxes = extract_cutouts(self.image, ix, iy, 3, fill=0.0)
        electrons = boxes.sum(axis=(1, 2))
        noise = np.sqrt(9 * self.noise**2 + np.maximum(electrons, 0))
        return Table(
            {
                'label': np.where(star, 'star', 'background'),
                'share': np.where(star, 1.0, 0.0),
                'contested': ~star,
                'snr': electrons / noise,
                'distance_to_bright': _distance_to_bright(xy, electrons),
                'saturated': boxes.max(axis=(1, 2)) >= self.saturation,
            }
        )


def _distance_to_bright(xy: np.ndarray, electrons: np.ndarray) -> np.ndarray:
    """Return the distance to the nearest detection that is 30 times brighter."""
    distance = np.full(len(xy), np.inf)
    for i in range(len(xy)):
        other = electrons > 30 * max(electrons[i], 1)
        if other.any():
            distance[i] = np.hypot(*(xy[other] - xy[i]).T).min()
    return distance
