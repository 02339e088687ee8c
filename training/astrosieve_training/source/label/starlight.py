"""
The light that stars spread about them, by a PSF that the image itself shows.

Near a star its PSF is that of the stars which fill no pixel; farther out that of the
brightest, whose wings stand out of the noise. All is done in sums of 3x3 pixels.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

__all__ = ['StarLight']

_REACH = 200  # pixels
_INNER = 2.5  # pixels within which a star's light is its own
_CORE = 3.0  # FWHM to which the PSF is that of stars which fill no pixel, and
_CORE_LEAST = 5.0  # pixels
_STACKED = 9  # stars of which the median is taken
_TOLD = 2.0  # S/N, in the mean of its ring, of a sum that tells the PSF
_TELLERS = 2  # stars to whose last ring it is measured
_ANGLES = 720
_SLOPES = (2.0, 6.0)  # of wings, beyond
_SPIKE = 1.7  # light of a spike, at least, over that at most angles
_FAINTEST = 0.3  # of the noise of a sum, to which a star's light counts


class StarLight:
    """
    Stars of an image, and the PSF that they show.

    Parameters
    ----------
    boxes : 2D `~numpy.ndarray`
        Sums of 3x3 pixels of the image, above its sky.
    xy : (N, 2) `~numpy.ndarray`
        Middles of its stars, pixels.
    flux : (N,) `~numpy.ndarray`
        The sums at these.
    saturated : (N,) bool `~numpy.ndarray`
        Whether their middles show less light than they gave.
    fwhm : float
        Of the PSF, pixels.
    noise : float
        Of a sum.
    """

    def __init__(
        self,
        boxes: np.ndarray,
        xy: np.ndarray,
        flux: np.ndarray,
        saturated: np.ndarray,
        *,
        fwhm: float,
        noise: float,
    ) -> None:
        self.xy = np.asarray(xy, dtype=float).reshape(-1, 2)
        self.flux = np.maximum(np.nan_to_num(flux), noise)
        self._noise = noise
        self._join = max(_CORE * fwhm, _CORE_LEAST)
        y, x = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]
        self._distance = np.hypot(y, x)
        self.psf = np.zeros(self._distance.shape)
        if (~saturated).any():
            self.psf = self._stacked(boxes, ~saturated)
            self._measure_saturated(boxes, saturated)
            wings = self._stacked(boxes, self.flux > 0)
            self.psf = np.where(self._distance > self._join, wings, self.psf)
        self.psf[self._distance > _REACH] = 0

    def _cut(self, boxes: np.ndarray, row: int) -> np.ndarray:
        """Return what is about a star, NaN off the image."""
        x, y = self.xy[row]
        size = 2 * _REACH + 1
        return ndimage.affine_transform(
            boxes, (1.0, 1.0), (y - _REACH, x - _REACH), output_shape=(size, size),
            order=1, cval=np.nan,
        )  # fmt: skip

    def _stacked(self, boxes: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """
        Return the PSF over its sum in 3x3 pixels.

        A PSF is the same from both sides; what is on one side only is a neighbour's.
        """
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(-self.flux[rows], kind='stable')][:_STACKED]
        cut = np.array(
            [self._cut(boxes, row) / self.flux[row] for row in rows.tolist()]
        )
        both = np.minimum(cut, cut[:, ::-1, ::-1])
        unseen = np.isnan(both).all(axis=0)
        both[:, unseen] = np.nan_to_num(cut[:, unseen])
        rings = self._distance.astype(int)
        usual = ndimage.mean(np.nan_to_num(both[0]), rings, np.arange(_REACH))
        tell = np.asarray(usual) * self.flux[rows][:, None] >= _TOLD * self._noise
        few = tell.sum(axis=0) < min(_TELLERS, len(rows))
        last = int(few.argmax()) if few.any() else _REACH
        # Where a star is lost in the noise, brighter ones tell.
        lost = ~tell[:, np.minimum(rings, _REACH - 1)]
        both[1:][lost[1:]] = np.nan
        both[0][np.isnan(both).all(axis=0)] = 0
        psf: np.ndarray = np.maximum(np.nanmedian(both, axis=0), 0)
        return self._extended(psf, last)

    def _extended(self, psf: np.ndarray, last: int) -> np.ndarray:
        """
        Let a PSF fall on beyond a radius: as it does, in the mean, within; spikes by
        the square of the distance, as wide as they are.
        """
        beyond = self._distance > last
        if last < 2 * self._join:
            return np.where(beyond, 0, psf)
        near, far = (
            np.mean(psf[np.abs(self._distance - share * last) < 0.05 * last])
            for share in (0.55, 0.9)
        )
        slope = np.log(max(near, 1e-30) / max(far, 1e-30)) / np.log(0.9 / 0.55)
        slope = float(np.clip(slope, *_SLOPES))
        turns = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
        radii = last * np.linspace(0.6, 1.0, 9)[:, None]
        seen = ndimage.map_coordinates(
            psf,
            [_REACH + radii * np.sin(turns), _REACH + radii * np.cos(turns)],
            order=1,
        )
        light = np.median(seen * radii**slope, axis=0)
        usual = np.median(light)
        y, x = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]
        distance = np.maximum(self._distance, 1)
        wings = np.full(psf.shape, usual) / distance**slope
        spikes = np.median(seen * radii ** _SLOPES[0], axis=0)
        wide = ndimage.maximum_filter1d(light, _ANGLES // 12, mode='wrap')
        for turn in turns[(light == wide) & (light > _SPIKE * usual)]:
            along = x * np.cos(turn) + y * np.sin(turn)
            across = y * np.cos(turn) - x * np.sin(turn)
            aside = np.arctan2(across, 0.8 * last)
            row = np.rint((turn + aside) / (2 * np.pi) * _ANGLES).astype(int)
            its = spikes[row % _ANGLES] / distance ** _SLOPES[0]
            on = (along > 0) & (np.abs(aside) < np.pi / 12)
            wings = np.where(on, np.maximum(wings, its), wings)
        return np.where(beyond, wings, psf)

    def _measure_saturated(self, boxes: np.ndarray, saturated: np.ndarray) -> None:
        """Give saturated stars the flux that their wings tell."""
        ring = (self._distance > self._join) & (self._distance < 2 * self._join)
        ring &= self.psf > 0
        for row in np.flatnonzero(saturated).tolist():
            cut = self._cut(boxes, row)
            seen = np.fmin(cut, cut[::-1, ::-1])[ring]
            there = np.isfinite(seen)
            if there.any():
                ratio = np.median(seen[there]) / np.median(self.psf[ring][there])
                self.flux[row] = max(self.flux[row], ratio)

    def at(self, xy: np.ndarray) -> np.ndarray:
        """
        Return the light of stars at positions, but of those within 2.5 pixels.

        Parameters
        ----------
        xy : (N, 2) `~numpy.ndarray`
            Pixels.

        Returns
        -------
        light : (N,) `~numpy.ndarray`
            Sums of 3x3 pixels.
        """
        light = np.zeros(len(xy))
        if not len(xy):
            return light
        xy = np.rint(xy)  # as the sums are
        tree = cKDTree(xy)
        for place, flux, reach in zip(self.xy, self.flux, self._reaches(), strict=True):
            rows = np.array(tree.query_ball_point(place, reach), dtype=int)
            offset = xy[rows] - place
            seen = ndimage.map_coordinates(self.psf, offset.T[::-1] + _REACH, order=1)
            light[rows] += flux * seen * (np.hypot(*offset.T) > _INNER)
        return light

    def _reaches(self) -> np.ndarray:
        """Return how far the light of each star counts."""
        rings = self._distance.astype(int)
        highest = ndimage.maximum(self.psf, rings, np.arange(_REACH + 1))
        envelope = np.maximum.accumulate(np.asarray(highest)[::-1])
        least = _FAINTEST * self._noise / np.maximum(self.flux, 1e-30)
        reach: np.ndarray = _REACH + 1 - np.searchsorted(envelope, least)
        return reach
