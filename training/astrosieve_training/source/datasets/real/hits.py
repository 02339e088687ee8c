"""Truth from a frame in which nearly all that is sharp is a cosmic ray."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from scipy.spatial import cKDTree

from astrosieve.images.cutouts import extract_cutouts, pixel_indices

__all__ = ['HitTruth']


@dataclass(frozen=True)
class HitTruth:
    """
    Labels of detections by a list of hits.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        The exposure, electrons above sky.
    hits : `~astropy.table.Table`
        ``x``, ``y``, ``length`` of each hit, pixels.
    noise : float
        Of a pixel of the sky, electrons.
    margin : float, optional
        A detection belongs to a hit within half its length and this, pixels.
    """

    image: np.ndarray
    hits: Table
    noise: float
    margin: float = 1.0

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
            As `~astrosieve_training.source.datasets.real.median.MedianTruth`; what
            belongs to no hit is contested.
        """
        places = np.column_stack([self.hits['x'], self.hits['y']])
        distance, nearest = cKDTree(places).query(xy)
        reach = np.asarray(self.hits['length'])[nearest] / 2 + self.margin
        hit = distance <= reach
        ix, iy, _, _ = pixel_indices(xy, (self.image.shape[0], self.image.shape[1]))
        electrons = extract_cutouts(self.image, ix, iy, 3, fill=0.0).sum(axis=(1, 2))
        noise = np.sqrt(9 * self.noise**2 + np.maximum(electrons, 0))
        return Table(
            {
                'label': np.where(hit, 'cosmic_ray', 'background'),
                'share': np.where(hit, 1.0, 0.0),
                'contested': ~hit,
                'snr': electrons / noise,
                'saturated': np.zeros(len(xy), dtype=bool),
            }
        )
