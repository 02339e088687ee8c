"""Pixels in units of the noise about them, at three scales."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from astrosieve.images.background import BackgroundMesh, measure_mesh
from astrosieve.images.cutouts import extract_cutouts
from astrosieve.models.inputs import Batch
from astrosieve.source.preprocessing._base import FittedPreprocessing, cut_out

__all__ = ['LocalNoise']

_LARGEST = np.float32(1e6)
"""S/N beyond which pixels are all alike: fill values are no light."""
_PIXELS = 1_000_000  # that are averaged at once: bounds the memory


class LocalNoise:
    """
    Cutouts at three scales, above the local sky, in units of the local noise.

    A network sees

    - ``cutouts``, (N, 1, 11, 11): the pixels about the position;
    - ``wide``, (N, 1, 11, 11): means of 3x3 pixels over 33x33 pixels;
    - ``far``, (N, 1, 11, 11): means of 9x9 pixels over 99x99 pixels;
    - ``fwhm``, (N, 1): the width of the PSF, pixels, NaN where it is not known.

    Sky and noise come from a mesh (`~astrosieve.images.background.measure_mesh`),
    taken at
    the position; means are in units of the noise of a mean. The blocks of the means
    lie on a grid that is the image's, so that they are made once. Nothing depends on
    the unit or on the level of the sky. Pixels that are not usable count as sky in
    ``cutouts`` and are left out of the means; no value exceeds a million.

    Parameters
    ----------
    size : int, optional
        Side of each of the three, in its own pixels; odd.
    max_spoilt : float, optional
        Largest share of ``cutouts``' pixels that may be unusable.
    apparent : bool, optional
        Whether ``fwhm`` is the width that the 3x3 pixels of a star seem to have, which
        is larger by a fifth where a PSF is undersampled, as networks of
        'local-noise-1' have learnt it; else that of the PSF itself.
    """

    needs_fwhm = True

    def __init__(
        self, size: int = 11, *, max_spoilt: float = 0.25, apparent: bool = False
    ) -> None:
        self.name = 'local-noise-1' if apparent else 'local-noise-2'
        self.apparent = apparent
        self.size = size
        self.max_spoilt = max_spoilt
        self.scales = {'cutouts': 1, 'wide': 3, 'far': 9}
        self.meanings = {
            'cutouts': 'pixels about the detection, in units of the noise',
            'wide': 'means of 3x3 pixels about the detection, in units of their noise',
            'far': 'means of 9x9 pixels about the detection, in units of their noise',
            'fwhm': 'FWHM of the PSF, pixels',
        }
        image = (1, size, size)
        self.shapes: dict[str, tuple[int, ...]] = {
            'cutouts': image,
            'wide': image,
            'far': image,
            'fwhm': (1,),
        }

    def fit(
        self,
        sci: np.ndarray,
        *,
        spoilt: np.ndarray | None = None,
        fwhm: float | None = None,
        mesh: BackgroundMesh | None = None,
    ) -> FittedPreprocessing:
        """
        Measure sky and noise of an image, and bin it.

        Parameters
        ----------
        sci : 2D `~numpy.ndarray`
            Image in any linear unit, with or without its sky.
        spoilt : 2D uint8 `~numpy.ndarray`, optional
            As from `~astrosieve.images.pixels.spoilt_pixels`.
        fwhm : float, optional
            FWHM of the PSF, pixels; NaN in the input where it is not given, see
            `~astrosieve.source.widths.width_hypotheses`.
        mesh : `~astrosieve.images.background.BackgroundMesh`, optional
            Measured where it is not given.

        Returns
        -------
        fitted : callable
            Takes (N, 2) positions, returns a `Batch`.
        """
        mesh = mesh or measure_mesh(sci, spoilt=spoilt)
        level = float(np.median(mesh.level))
        with np.errstate(over='ignore', invalid='ignore'):
            wide, far = _block_means(sci, spoilt, level)
        blind = _FittedLocalNoise(self, sci, spoilt, np.nan, mesh, level, wide, far)
        return blind.told(fwhm)


def _block_sums(image: np.ndarray) -> np.ndarray:
    """Return sums over 3x3 pixels, the last of a row or column over what is left."""
    for axis in (0, 1):
        image = np.moveaxis(image, axis, 0)
        whole = len(image) // 3 * 3
        sums = image[0:whole:3] + image[1:whole:3] + image[2:whole:3]
        if whole < len(image):
            sums = np.concatenate([sums, image[whole:].sum(axis=0)[None]])
        image = np.moveaxis(sums, 0, axis)
    return image


def _numbers(shape: tuple[int, ...], side: int) -> np.ndarray:
    """Return how many pixels lie in each block of side x side."""
    rows, columns = (
        np.minimum(side, n - np.arange(0, n, side)).astype(np.float32) for n in shape
    )
    return rows[:, None] * columns


def _block_means(
    sci: np.ndarray, spoilt: np.ndarray | None, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return means above a level of 3x3 and of 9x9 pixels.

    NaN where no pixel is usable.
    """
    ny, nx = sci.shape
    some = 9 * max(1, _PIXELS // (9 * max(nx, 1)))
    parts = [
        _means(
            sci[y : y + some], None if spoilt is None else spoilt[y : y + some], level
        )
        for y in range(0, max(ny, 1), some)
    ]
    wide, far = (np.concatenate(each) for each in zip(*parts, strict=True))
    return wide, far


def _means(
    sci: np.ndarray, spoilt: np.ndarray | None, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of some rows, nine or a multiple, or the last of an image."""
    if spoilt is None:
        wide = _block_sums(sci)
        far = _block_sums(wide)
        # A common level first: it would cost the larger sums their precision.
        return (
            wide / _numbers(sci.shape, 3) - np.float32(level),
            far / _numbers(sci.shape, 9) - np.float32(level),
        )
    bad = spoilt != 0
    pixels = np.where(bad, np.float32(0), sci - np.float32(level))
    sums, numbers = _block_sums(pixels), _block_sums((~bad).astype(np.float32))
    means = []
    for _ in range(2):
        mean = np.full(sums.shape, np.nan, dtype=np.float32)
        np.divide(sums, numbers, out=mean, where=numbers > 0)
        means.append(mean)
        sums, numbers = _block_sums(sums), _block_sums(numbers)
    return means[0], means[1]


@dataclass(frozen=True)
class _FittedLocalNoise:
    """`LocalNoise` with what one image says."""

    settings: LocalNoise
    sci: np.ndarray
    spoilt: np.ndarray | None
    fwhm: float
    mesh: BackgroundMesh
    level: float
    wide: np.ndarray
    far: np.ndarray

    @property
    def fill(self) -> dict[str, float]:
        """Value of a pixel that shows nothing but sky, by name of an image input."""
        return dict.fromkeys(self.settings.scales, 0.0)

    def told(self, fwhm: float | None) -> _FittedLocalNoise:
        """Return the same with a width of the PSF, pixels, None for not known."""
        if fwhm is not None and not fwhm > 0:
            msg = f'fwhm must be positive, or None where it is not known; got {fwhm}'
            raise ValueError(msg)
        return replace(self, fwhm=float('nan') if fwhm is None else float(fwhm))

    def __call__(self, xy: np.ndarray) -> Batch:
        size = self.settings.size
        cut = cut_out(
            self.sci,
            self.spoilt,
            xy,
            size,
            max_spoilt=self.settings.max_spoilt,
            contrast=bool(np.nanmax(self.mesh.noise, initial=0) > 0),
        )
        sky, noise = self.mesh.at(cut.ix, cut.iy)
        scale = 1 / np.where(noise > 0, noise, np.float32(1))

        def scaled(pixels: np.ndarray, level: np.ndarray, factor: float) -> np.ndarray:
            with np.errstate(over='ignore', invalid='ignore'):
                pixels -= level[:, None, None]
                pixels *= (np.float32(factor) * scale)[:, None, None]
            pixels[np.isnan(pixels)] = 0
            return np.clip(pixels, -_LARGEST, _LARGEST, out=pixels)[:, None]

        inputs = {'cutouts': scaled(cut.pixels, sky, 1)}
        for name, image in (('wide', self.wide), ('far', self.far)):
            side = self.settings.scales[name]
            # The mean of side**2 pixels has 1/side of the noise of one.
            means = extract_cutouts(
                image, cut.ix // side, cut.iy // side, size, fill=np.nan
            )
            inputs[name] = scaled(means, sky - np.float32(self.level), side)
        inputs['fwhm'] = np.full((len(xy), 1), self.fwhm, dtype=np.float32)
        return Batch(inputs, cut.flags, cut.valid)
