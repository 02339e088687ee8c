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
from astrosieve_training.source.label.starlight import StarLight

__all__ = ['BROADER', 'CombinedImage']

_SIZE = 11
_HALF = _SIZE // 2
_Y, _X = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1]
_RADIUS = np.hypot(_X, _Y)
_RING = (_RADIUS >= 4) & (_RADIUS < 5.6)
_DISC = _RADIUS < 3.6
_AROUND = (_RADIUS >= 2) & (_RADIUS < 3.6)
_WIDE = _RADIUS < 5
_BROAD = 0.08  # of the core's light, beyond the PSF's, on all sides
BROADER = 4.0
"""Errors by which a place is broader, or narrower, than the PSF."""

_BLUR = 0.4  # FWHM, of the PSF that is compared with the PSF
_LOCUS = 0.003  # least scatter of stars about their common width
_MANY = 0.4  # of the most that are of one width
_ROUNDS = 4  # in which stars and their PSF find each other
_MEDIAN_ERROR = 1.2533 * np.sqrt(1 / _AROUND.sum() + 1 / _RING.sum())
_PSF_SNR = (50.0, 20.0, 10.0)  # of the stars that show the PSF, if there are enough
_PSF_STARS = 20
_FEWEST_STARS = 5
_CALIBRATORS = 10
_STAR_SNR = 20.0  # of stars whose light about them counts
_LEAST_ALIKE = 0.6
_BESIDE = 2.0  # FWHM from a saturated core in which peaks are its own
_EDGE, _EDGE_REACH = 3.0, 60.0  # times a place's light, pixels
_PHASES = (-0.4, -0.2, 0.0, 0.2, 0.4)  # of a star in its pixel


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


@dataclass(frozen=True)
class _Matched:
    """Cutouts, and the PSF where it fits them best."""

    cut: np.ndarray
    pixels: np.ndarray  # of the disc, less their mean
    template: np.ndarray  # the PSF's, of unit length
    moved: np.ndarray  # the PSF at each phase
    blurred: np.ndarray  # and that made broader
    best: np.ndarray  # phase of each cutout


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
        self.locus = (0.0, _LOCUS)  # spread of stars, and its scatter

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
            noise of a pixel), ``on_light`` (the ring's level over that of the 3x3
            pixels, in which there is light), ``offset`` (from the brightest of the
            central 5x5 pixels, in pixels).
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
                'on_light': profile.ring
                / np.maximum(profile.core + profile.ring, self.noise),
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

        Compact galaxies are among these. Stars are all of one width, galaxies of many:
        the PSF is that of the width which most have.

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
        xy = xy[good]
        cut = self._cutouts(xy)
        cut -= np.median(cut[:, _RING], axis=1)[:, None, None]
        cut /= cut[:, 4:7, 4:7].sum(axis=(1, 2))[:, None, None]
        alike = np.ones(len(xy), dtype=bool)
        for _ in range(_ROUNDS):
            self.psf = np.median(cut[alike], axis=0)
            self.locus = (0.0, 0.0)
            spread, sigma = self._spread(self._matched(self._cutouts(xy)))
            alike = _most_alike(spread, np.maximum(sigma, _LOCUS))
        usual = float(np.median(spread[alike]))
        self.locus = (usual, max(float(mad_std(spread[alike])), _LOCUS))
        return int(alike.sum())

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

    def _matched(self, cut: np.ndarray) -> _Matched:
        """Find where in the pixel the PSF fits cutouts best."""
        from scipy.ndimage import gaussian_filter, shift

        assert self.psf is not None
        moved = np.array(
            [
                shift(self.psf, (dy, dx), order=3, mode='nearest')
                for dy in _PHASES
                for dx in _PHASES
            ]
        )
        templates = moved[:, _DISC]
        templates = templates - templates.mean(axis=1, keepdims=True)
        templates /= np.sqrt((templates**2).sum(axis=1, keepdims=True))
        pixels = cut[:, _DISC]
        pixels = pixels - pixels.mean(axis=1, keepdims=True)
        best = (pixels @ templates.T).argmax(axis=1)
        blurred = np.array(
            [gaussian_filter(each, _BLUR * self.fwhm, mode='nearest') for each in moved]
        )
        return _Matched(cut, pixels, templates[best], moved, blurred, best)

    def _spread(self, matched: _Matched) -> tuple[np.ndarray, np.ndarray]:
        """
        Return how much broader than the PSF cutouts are, and the error of that.

        As SPREAD_MODEL of SExtractor (Desai et al. 2012, ApJ 757, 83): what a broader
        PSF has of the light over what the PSF has of it, less that of a star.
        """
        profile = _Profile.of(matched.cut)
        pixels = matched.cut[:, _WIDE] - profile.ring[:, None]
        sharp, broad = (each[:, _WIDE] for each in (matched.moved, matched.blurred))
        sharp, broad = (
            each / np.sqrt((each**2).sum(axis=1, keepdims=True))
            for each in (sharp, broad)
        )
        common = (sharp * broad).sum(axis=1)[matched.best]
        light = np.maximum((pixels * sharp[matched.best]).sum(axis=1), 1e-30)
        spread = (pixels * broad[matched.best]).sum(axis=1) / light - common
        noise = np.maximum(profile.spread, self.noise)
        return spread - self.locus[0], noise * np.sqrt(1 - common**2) / light

    def compare_psf(self, xy: np.ndarray) -> Table:
        """
        Compare places with the PSF.

        Parameters
        ----------
        xy : (N, 2) `~numpy.ndarray`
            Pixels of the combined image.

        Returns
        -------
        compared : `~astropy.table.Table`
            ``psf_likeness``: correlation with the PSF within 3.6 pixels, over that
            which a star of the same amplitude would have in this noise; about 1 for
            stars. ``spread``: how much broader than a star it is, over the error of
            that and the scatter of bright stars; negative for what is narrower.
            ``broad``: whether it is so by more than 4, and has more light on all sides
            of the core than the PSF, by a share of the core's. The median of the
            pixels about it decides, so that a neighbour seldom does.
        """
        matched = self._matched(self._cutouts(xy))
        amplitude = (matched.pixels * matched.template).sum(axis=1)
        size = np.sqrt((matched.pixels**2).sum(axis=1))
        noise = self.noise * np.sqrt(_DISC.sum() - 1)
        signal = np.maximum(amplitude, 0)
        expected = signal / np.sqrt(signal**2 + noise**2)
        likeness = amplitude / np.maximum(size, 1e-30) / np.maximum(expected, 0.2)

        spread, error = self._spread(matched)
        spread /= np.hypot(error, self.locus[1])
        own, psf = _Profile.of(matched.cut), _Profile.of(matched.moved)
        more = own.around - (psf.around / psf.core)[matched.best] * own.core
        sigma = np.maximum(own.spread, self.noise) * _MEDIAN_ERROR
        broad = (spread > BROADER) & (more > np.maximum(sigma, _BROAD * own.core))
        return Table({'psf_likeness': likeness, 'spread': spread, 'broad': broad})

    def halo(self, xy: np.ndarray, saturated: np.ndarray) -> np.ndarray:
        """
        Return which share of the light at places other stars spread there.

        Parameters
        ----------
        xy : (N, 2) `~numpy.ndarray`
            Pixels of the combined image.
        saturated : (M, 2) `~numpy.ndarray`
            Middles of saturated stars, pixels.

        Returns
        -------
        share : (N,) `~numpy.ndarray`
            Of the light in 3x3 pixels, or of three times its noise if there is less.
        """
        from scipy.ndimage import maximum_filter, uniform_filter
        from scipy.spatial import cKDTree

        boxes = uniform_filter(self.image, 3) * np.float32(9)
        noise = 3 * self.noise
        peaks = (maximum_filter(boxes, 7) == boxes) & (boxes > _STAR_SNR * noise)
        stars = np.argwhere(peaks)[:, ::-1].astype(float)
        compared = self.compare_psf(stars)
        alike = (compared['psf_likeness'] > _LEAST_ALIKE) & ~compared['broad']
        alike &= np.abs(compared['spread']) < BROADER
        # What lies on light is no more than stands out of it.
        flux = 9 * _Profile.of(self._cutouts(stars)).core
        alike &= flux > _STAR_SNR * noise
        if len(saturated):
            alike &= cKDTree(saturated).query(stars)[0] > _BESIDE * self.fwhm
        stars, flux = stars[np.asarray(alike)], flux[np.asarray(alike)]
        stars += _centroids(self._cutouts(stars)[:, 4:7, 4:7])
        light = StarLight(
            boxes,
            np.concatenate([stars, saturated]),
            np.concatenate([flux, self.box_sums(saturated)]),
            np.arange(len(stars) + len(saturated)) >= len(stars),
            fwhm=self.fwhm,
            noise=noise,
        ).at(xy)
        share: np.ndarray = light / np.fmax(self.box_sums(xy), 3 * noise)
        return share

    def beside_edge(self, xy: np.ndarray) -> np.ndarray:
        """
        Return where light may be that of something off the image.

        Parameters
        ----------
        xy : (N, 2) `~numpy.ndarray`
            Pixels of the combined image.

        Returns
        -------
        beside : (N,) bool `~numpy.ndarray`
            Whether an edge of the data within 60 pixels is three times as bright.
        """
        from scipy.ndimage import binary_closing, binary_erosion, uniform_filter
        from scipy.spatial import cKDTree

        data = np.ones(self.image.shape, dtype=bool)
        if self.spoilt is not None:
            data = binary_closing(np.pad(self.spoilt == 0, 9), iterations=9)[9:-9, 9:-9]
        y, x = np.nonzero(data & ~binary_erosion(data))
        smooth = uniform_filter(self.image, 9)
        ix, iy, _, _ = pixel_indices(xy, self.image.shape)
        own = np.maximum(smooth[iy, ix], self.noise / 9)
        bright = smooth[y, x] > _EDGE * own.min(initial=np.inf)
        edge, light = np.column_stack([x, y])[bright], smooth[y, x][bright]
        beside = np.zeros(len(xy), dtype=bool)
        if len(edge) and len(xy):
            near = cKDTree(edge).query_ball_point(
                np.column_stack([ix, iy]), _EDGE_REACH
            )
            beside[:] = [
                light[rows].max(initial=0) > _EDGE * each
                for rows, each in zip(near, own, strict=True)
            ]
        return beside


def _most_alike(values: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """
    Return which values are within three errors of the least that many are near.

    Many are near it that are two fifths as many as at any other.
    """
    width = 2 * float(np.median(sigma))
    ordered = np.sort(values)
    near = np.searchsorted(ordered, ordered + width, 'right')
    near -= np.searchsorted(ordered, ordered - width)
    first = int((near >= _MANY * near.max()).argmax())
    last = int(np.searchsorted(ordered, ordered[first] + 2 * width, 'right'))
    mode = ordered[first + near[first:last].argmax()]
    centre = np.median(values[np.abs(values - mode) < width])
    alike: np.ndarray = np.abs(values - centre) < 3 * np.maximum(sigma, width / 2)
    return alike


def _centroids(cut: np.ndarray) -> np.ndarray:
    """Return how far off the middle the light of (N, 3, 3) cutouts is, pixels."""
    light = np.maximum(cut, 0)
    total = np.maximum(light.sum(axis=(1, 2)), 1e-30)
    sides = [light[:, :, 2] - light[:, :, 0], light[:, 2] - light[:, 0]]
    return np.column_stack([each.sum(axis=1) / total for each in sides])
