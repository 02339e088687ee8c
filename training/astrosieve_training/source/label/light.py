"""The light of the combined image at places: its amount, its shape, whose it may be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy.stats import mad_std
from astropy.table import Table

from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.measured import MeasuredImage
from astrosieve_training.source.label.errors import LabelError
from astrosieve_training.source.label.peaks import box_sums, brightest_box

__all__ = ['CombinedImage']

_SIZE = 11
_HALF = _SIZE // 2
_Y, _X = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1]
_RADIUS = np.hypot(_X, _Y)
_RING = (_RADIUS >= 4) & (_RADIUS < 5.6)
_DISC = _RADIUS < 3.6
_AROUND = (_RADIUS >= 2) & (_RADIUS < 3.6)
_BROAD, _BROAD_SIGMA = 0.1, 2.5  # of the core's light, of the noise
_MEDIAN_ERROR = 1.2533 * np.sqrt(1 / _AROUND.sum() + 1 / _RING.sum())
_PSF_SNR = (50.0, 20.0, 10.0)  # of the stars that show the PSF, if there are enough
_PSF_STARS = 20
_FEWEST_STARS = 5
_CALIBRATORS = 10
_BRIGHT_SNR = 100.0  # of stars whose halos count
_HALO_SLOPE = 2.5  # halos and spikes fall so with the distance
_HALO_REACH = 60.0
_PHASES = (-0.4, -0.2, 0.0, 0.2, 0.4)  # of a star in its pixel
_UNDERSAMPLED = 2.35  # FWHM of a Gaussian of one pixel; below, phases show
_OWN = 2.5  # pixels within which a peak is the place's own


@dataclass(frozen=True)
class _Profile:
    """
    Light of cutouts from the middle outwards, per pixel.

    The ring's level and spread, the mean of the 3x3 pixels and the median of those
    about them, these two above the ring.
    """

    ring: np.ndarray
    spread: np.ndarray
    core: np.ndarray
    around: np.ndarray

    @classmethod
    def of(cls, cut: np.ndarray) -> _Profile:
        """Measure (N, 11, 11) cutouts."""
        ring = np.median(cut[:, _RING], axis=1)
        spread = mad_std(cut[:, _RING], axis=1) if len(cut) else ring
        core = cut[:, 4:7, 4:7].mean(axis=(1, 2)) - ring
        around = np.median(cut[:, _AROUND], axis=1) - ring
        return cls(ring, spread, core, around)


class CombinedImage:
    """
    The combined image above its sky, and what can be measured in it.

    Parameters
    ----------
    sci : 2D `~numpy.ndarray`
        In any linear unit; NaN where nothing was combined.
    """

    def __init__(self, sci: np.ndarray) -> None:
        measured = MeasuredImage.of(sci)
        self.spoilt, background = measured.spoilt, measured.background
        if not background.noise > 0:
            msg = (
                'the combined image has no noise: it is empty, or of one value; look '
                'at it, or give another with --combined'
            )
            raise LabelError(msg)
        self.noise = background.noise
        self.image = sci - np.float32(background.level)
        if self.spoilt is not None:
            self.image[self.spoilt != 0] = 0
        self.psf: np.ndarray | None = None

    def _cutouts(self, xy: np.ndarray) -> np.ndarray:
        ix, iy, _, _ = pixel_indices(xy, self.image.shape)
        return extract_cutouts(self.image, ix, iy, _SIZE, fill=0.0)

    def brightest_box(self, xy: np.ndarray) -> np.ndarray:
        """Return the brightest 2x2 pixels within one of each position."""
        return brightest_box(self.image, xy)

    def box_sums(self, xy: np.ndarray) -> np.ndarray:
        """Return the sum of 3x3 pixels above the sky; NaN off the image."""
        return box_sums(self.image, xy)

    def light(self, xy: np.ndarray) -> np.ndarray:
        """Return the S/N of that."""
        return self.box_sums(xy) / (3 * self.noise)

    def measure(self, xy: np.ndarray) -> Table:
        """
        Measure places.

        Parameters
        ----------
        xy : (N, 2) `~numpy.ndarray`
            Pixels of the combined image.

        Returns
        -------
        measured : `~astropy.table.Table`
            ``snr`` (3x3 pixels above the ring at 4 to 5.6 pixels; the noise is the
            sky's or the ring's spread), ``ring`` (the ring's level over the sky's
            noise of a pixel), ``offset`` (from the brightest of the central 5x5
            pixels, in pixels).
        """
        cut = self._cutouts(xy)
        profile = _Profile.of(cut)
        noise = np.maximum(profile.spread, self.noise)
        inner = cut[:, 3:8, 3:8].reshape(len(cut), 25)
        peak = inner.argmax(axis=1)
        return Table(
            {
                'snr': 3 * profile.core / noise,  # of nine pixels
                'ring': profile.ring / self.noise,
                'offset': np.hypot(peak // 5 - 2, peak % 5 - 2),
            }
        )

    def electrons_per_unit(
        self, xy: np.ndarray, electrons: np.ndarray, saturated: np.ndarray
    ) -> float:
        """
        Find the electrons of an exposure for one unit of this image.

        Parameters
        ----------
        xy : (N, 2) `~numpy.ndarray`
            Places of the exposure's peaks, pixels of the combined image.
        electrons : (N,) `~numpy.ndarray`
            Of these peaks.
        saturated : (N,) bool `~numpy.ndarray`
            Peaks that are not to be used.

        Returns
        -------
        factor : float
            Median over the peaks that are plainly in the combined image too.

        Raises
        ------
        LabelError
            If there are too few.
        """
        measured = self.measure(xy)
        shared = (measured['snr'] > 20) & (measured['offset'] < 1.5) & ~saturated
        if shared.sum() < _CALIBRATORS:
            msg = (
                f'only {int(shared.sum())} peaks of the exposure are sources in the '
                f'combined image, at least {_CALIBRATORS} are needed: it is of '
                'another field, is not aligned with the exposure, or holds too few '
                'stars'
            )
            raise LabelError(msg)
        return float(np.median(electrons[shared] / self.brightest_box(xy[shared])))

    def learn_psf(self, xy: np.ndarray, real: np.ndarray) -> int:
        """
        Learn the PSF from isolated bright places.

        Parameters
        ----------
        xy : (N, 2) `~numpy.ndarray`
            Pixels of the combined image.
        real : (N,) bool `~numpy.ndarray`
            Places that are in the combined image and not saturated.

        Returns
        -------
        n : int
            Stars that it is the median of.

        Raises
        ------
        LabelError
            If there are too few.
        """
        measured = self.measure(xy)
        centred = real & (measured['offset'] == 0)
        centred &= np.asarray(measured['ring'] < 0.05 * measured['snr'])
        good = centred & (measured['snr'] > _PSF_SNR[0])
        for limit in _PSF_SNR[1:]:
            if good.sum() < _PSF_STARS:
                good = centred & (measured['snr'] > limit)
        if good.sum() < _FEWEST_STARS:
            msg = (
                f'only {int(good.sum())} isolated stars show the PSF, at least '
                f'{_FEWEST_STARS} are needed: nothing tells a star. Take deeper '
                'exposures, or a richer field'
            )
            raise LabelError(msg)
        cut = self._cutouts(xy[good])
        cut -= np.median(cut[:, _RING], axis=1)[:, None, None]
        cut /= cut[:, 4:7, 4:7].sum(axis=(1, 2))[:, None, None]
        self.psf = np.median(cut, axis=0)
        return int(good.sum())

    @property
    def fwhm(self) -> float:
        """Width of the learnt PSF: of the circle above half of its peak, pixels."""
        from scipy.ndimage import map_coordinates

        assert self.psf is not None
        step = 0.1
        fine = np.arange(0, _SIZE - 1 + step / 2, step)
        grid = np.meshgrid(fine, fine, indexing='ij')
        values = map_coordinates(self.psf, grid, order=3)
        area = (values > 0.5 * values.max()).sum() * step**2
        return float(2 * np.sqrt(area / np.pi))

    def compare_psf(self, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """
        Compare places with the PSF.

        Parameters
        ----------
        xy : (N, 2) `~numpy.ndarray`
            Pixels of the combined image.

        Returns
        -------
        likeness : (N,) `~numpy.ndarray`
            Correlation with the PSF within 3.6 pixels, over that which a star of the
            same amplitude would have in this noise; about 1 for stars. An undersampled
            PSF is moved within the pixel to where it fits best.
        broad : (N,) bool `~numpy.ndarray`
            Whether there is more light about the core than the PSF has, by 2.5 times
            the noise and a tenth of the core's. The median of the pixels about it
            decides, so that a neighbour seldom does.
        """
        from scipy.ndimage import shift

        assert self.psf is not None
        cut = self._cutouts(xy)
        pixels = cut[:, _DISC]
        pixels = pixels - pixels.mean(axis=1, keepdims=True)
        phases = _PHASES if self.fwhm < _UNDERSAMPLED else (0.0,)
        moved = np.array(
            [
                shift(self.psf, (dy, dx), order=3, mode='nearest')
                for dy in phases
                for dx in phases
            ]
        )
        templates = moved[:, _DISC]
        templates = templates - templates.mean(axis=1, keepdims=True)
        templates /= np.sqrt((templates**2).sum(axis=1, keepdims=True))
        amplitudes = pixels @ templates.T
        amplitude = amplitudes.max(axis=1)
        size = np.sqrt((pixels**2).sum(axis=1))
        noise = self.noise * np.sqrt(templates.shape[1] - 1)
        signal = np.maximum(amplitude, 0)
        expected = signal / np.sqrt(signal**2 + noise**2)
        correlation = amplitude / np.maximum(size, 1e-30)
        likeness = correlation / np.maximum(expected, 0.2)

        own, psf = _Profile.of(cut), _Profile.of(moved)
        usual = (psf.around / psf.core)[amplitudes.argmax(axis=1)] * own.core
        sigma = np.maximum(own.spread, self.noise) * _MEDIAN_ERROR
        limit = np.maximum(_BROAD_SIGMA * sigma, _BROAD * own.core)
        return likeness, own.around - usual > limit

    def halo(self, xy: np.ndarray) -> np.ndarray:
        """
        Return how much light brighter stars may spread on places.

        Parameters
        ----------
        xy : (N, 2) `~numpy.ndarray`
            Pixels of the combined image.

        Returns
        -------
        halo : (N,) `~numpy.ndarray`
            The largest ``F (d / FWHM)^-2.5`` of stars of flux F at distances d, over
            the place's own flux, both in 3x3 pixels.
        """
        from scipy.ndimage import maximum_filter, uniform_filter
        from scipy.spatial import cKDTree

        flux = uniform_filter(self.image, 3) * np.float32(9)
        peaks = (maximum_filter(flux, 7) == flux) & (
            flux > 3 * _BRIGHT_SNR * self.noise
        )
        y, x = np.nonzero(peaks)
        ix, iy, _, _ = pixel_indices(xy, self.image.shape)
        own = np.maximum(flux[iy, ix], 3 * self.noise)
        found = np.zeros(len(xy))
        if not len(x):
            return found
        bright = flux[y, x]
        fwhm = self.fwhm
        stars = np.column_stack([x, y])
        near = cKDTree(stars).query_ball_point(np.column_stack([ix, iy]), _HALO_REACH)
        for i, members in enumerate(near):
            distance = np.hypot(*(stars[members] - (ix[i], iy[i])).T)
            other = distance > _OWN
            if other.any():
                spread = (distance[other] / fwhm) ** -_HALO_SLOPE
                found[i] = (bright[members][other] * spread).max()
        return found / own
