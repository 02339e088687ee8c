"""
Truth from the median of several exposures.

Stars are there each time, cosmic rays once. What is in one exposure and in the
median of all is part of the sky; what exceeds the median is a cosmic ray.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from scipy.ndimage import maximum_filter, uniform_filter

from astrosieve.images.background import measure_background
from astrosieve.images.cutouts import extract_cutouts, pixel_indices

__all__ = ['MedianTruth']


@dataclass(frozen=True)
class MedianTruth:
    """
    Labels of detections in one exposure, by the median of several.

    The electrons above sky in the 3x3 pixels about a detection are compared
    with those at the same place in the median. Thresholds are conservative:
    what is not plainly one or the other is contested.

    - ``cosmic_ray``: at least ``cosmic_ray_share`` of the electrons are absent
      from the median, by more than ``n_sigma`` times the noise.
    - ``star``: the median holds more than ``n_sigma`` times its noise, its peak
      is within a pixel, is not as sharp as a hot pixel and stands out of the ring
      around it, and the two sums agree within 3 sigma and ``star_agreement``.

    Parts of bright stars (spikes, halo) cannot be told from faint stars in this
    way: within ``bright_radius`` of a star that is ``bright_ratio`` times brighter
    the label is contested.

    Parameters
    ----------
    single, median : 2D `~numpy.ndarray`
        The exposure, and the median of all, aligned with it; electrons.
    read_noise : float
        Of the exposure, electrons.
    n_sigma, cosmic_ray_share, star_agreement : float, optional
        See above.
    bright_radius, bright_ratio : float, optional
        See above; pixels, and a ratio of electrons in 3x3 pixels.
    """

    single: np.ndarray
    median: np.ndarray
    read_noise: float
    n_sigma: float = 8.0
    cosmic_ray_share: float = 0.8
    star_agreement: float = 0.25
    bright_radius: float = 12.0
    bright_ratio: float = 15.0

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
            ``label``, ``share``, ``contested``, ``snr``, ``distance_to_bright``,
            ``saturated``.
        """
        ix, iy, _, _ = pixel_indices(xy, self.single.shape)
        sky = measure_background(self.single).level
        sky_median = measure_background(self.median).level
        once = extract_cutouts(self.single - sky, ix, iy, 5, fill=0.0)
        always = extract_cutouts(self.median - sky_median, ix, iy, 5, fill=0.0)
        once_sum = once[:, 1:4, 1:4].sum(axis=(1, 2))
        always_sum = always[:, 1:4, 1:4].sum(axis=(1, 2))
        excess = once_sum - always_sum

        # The noise of a median of three is 0.67 of one exposure's.
        source = np.maximum(always_sum, 0)
        variance = 9 * (self.read_noise**2 + max(sky, 0))
        noise = np.sqrt(1.45 * (variance + source))
        noise_median = 0.67 * np.sqrt(variance + source)
        total = np.maximum(once_sum, 1)

        cosmic_ray = (excess > self.n_sigma * noise) & (
            excess > self.cosmic_ray_share * total
        )
        star = always_sum > self.n_sigma * noise_median
        star &= np.abs(excess) < np.maximum(3 * noise, self.star_agreement * total)
        star &= self._like_star(always)

        distance = self._distance_to_bright(ix, iy, once_sum)
        near_bright = distance < self.bright_radius
        star &= ~near_bright
        label = np.full(len(xy), 'background', dtype='U10')
        label[star] = 'star'
        label[cosmic_ray] = 'cosmic_ray'
        share = np.where(cosmic_ray, excess / total, always_sum / total).clip(0, 1)
        deviation = np.where(cosmic_ray, excess, always_sum) / np.sqrt(
            variance + np.maximum(once_sum, 0)
        )
        return Table(
            {
                'label': label,
                'share': share,
                'contested': ~(star | cosmic_ray),
                'snr': deviation,
                'distance_to_bright': distance,
                'saturated': np.zeros(len(xy), dtype=bool),
            }
        )

    @staticmethod
    def _like_star(boxes: np.ndarray) -> np.ndarray:
        """Return which 5x5 boxes of the median peak near their centre, as a star."""
        inner = boxes[:, 1:4, 1:4].reshape(len(boxes), 9)
        peak = inner.max(axis=1)
        ring = boxes.sum(axis=(1, 2)) - inner.sum(axis=1)
        with np.errstate(invalid='ignore', divide='ignore'):
            sharpness = peak / inner.sum(axis=1)
            contrast = (ring / 16) / (inner.sum(axis=1) / 9)
        brightest = peak >= boxes.reshape(len(boxes), 25).max(axis=1)
        return brightest & (sharpness < 0.6) & (contrast < 0.5)

    def _distance_to_bright(
        self, ix: np.ndarray, iy: np.ndarray, electrons: np.ndarray
    ) -> np.ndarray:
        """Return the distance to the nearest star that is far brighter, pixels."""
        level = measure_background(self.median).level
        box = uniform_filter(np.nan_to_num(self.median - level), 3) * 9
        peaks = (maximum_filter(box, 5) == box) & (box > 0)
        y, x = np.nonzero(peaks)
        bright = box[y, x]
        distance = np.full(len(ix), np.inf)
        for i, (xx, yy, flux) in enumerate(zip(ix, iy, electrons, strict=True)):
            other = bright > self.bright_ratio * max(flux, 1)
            if other.any():
                distance[i] = np.hypot(x[other] - xx, y[other] - yy).min()
        return distance
