"""
Difference images: how much light an image has lost since those before it.

The reference is the median of the images before. Three things move between them: the
level and slope of the airglow, which a plane takes out; the mirror, by less than a
pixel, and with it the older blobs; the detector stays. So the reference is not moved.
Its blobs are: where it has dark spots that follow the mirror they are shifted, and what
belongs to the detector remains where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from astrosieve.exceptions import ExposureError
from astrosieve.images.background import measure_mesh

__all__ = ['Difference', 'make_difference']

_BLOCK = 26  # pixels a side of the squares whose medians a plane is fitted to
_ROWS = 64  # of a stack that are sorted at once
_FEWEST = 5  # values of which outliers can be told
_PAD = 5  # pixels about an image before it is shifted; 1014 becomes a power of two
_SHARP = 1.4  # sigma of the smoothing of spots that are shifted, pixels
_SPOT = 2.0  # sigma of the smoothing with which dark spots are looked for, pixels
_AROUND = 4.0  # how far spots are widened, and shifts compared, pixels
_FURTHEST = 3.0  # shift of the mirror that is believed, pixels
_AGAINST = 4.0  # chi square by which a spot must speak against the shift
_STILL = 2.0  # times the variance of the noise, of what has not changed
_BLIND = 0.25  # noise of a pixel, as a share of the level, that hides every blob


@dataclass(frozen=True, eq=False)
class Difference:
    """
    A difference image, (reference - image) / reference.

    Parameters
    ----------
    data : 2D float32 `~numpy.ndarray`
        Fraction of the throughput that was lost: a new blob is positive. NaN where
        nothing is known.
    mask : 2D bool `~numpy.ndarray`
        `True` where nothing is known.
    noise : float
        Standard deviation of a pixel, robust.
    n_references : int
        Images that the reference was made of.
    level : float
        Level of the image, in its unit.
    slope : (float, float)
        By how much the level changes over the image along y and x, as a share of it.
    shift : (float, float)
        By how much the mirror's pattern lies off that of the references, (dy, dx),
        pixels; zero where it was not measured, or is too small to be.
    warnings : tuple of str
        What to know before it is trusted.
    """

    data: np.ndarray
    mask: np.ndarray
    noise: float
    n_references: int
    level: float
    slope: tuple[float, float]
    shift: tuple[float, float] = (0.0, 0.0)
    warnings: tuple[str, ...] = ()


def make_difference(
    image: np.ndarray,
    references: Sequence[np.ndarray],
    *,
    mask: np.ndarray | None = None,
    reference_masks: Sequence[np.ndarray | None] | None = None,
    register: bool = True,
    clip: float = 3.0,
    degree: int = 1,
) -> Difference:
    """
    Compare an image with the median of those before it.

    After WFC3 ISR 2021-08 (Dauphin, Medina & McCullough), to which the registration
    is added.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        Light that fills the field evenly, such as the airglow over the dark Earth.
    references : sequence of 2D `~numpy.ndarray`
        Images of the same kind and shape before it.
    mask : 2D bool `~numpy.ndarray`, optional
        `True` where the image is not usable; so are pixels that are not finite.
    reference_masks : sequence of 2D bool `~numpy.ndarray` or None, optional
        The same for each reference.
    register : bool, optional
        Whether older blobs of the reference are shifted to where the image has them.
    clip : float, optional
        Values of a pixel further than this from the references' median, in standard
        deviations, do not count.
    degree : int, optional
        Of the polynomial in x and y that the light follows: 1 is level and slope.

    Returns
    -------
    difference : `Difference`

    Raises
    ------
    ValueError
        If shapes differ, or there is no reference.
    ExposureError
        If an image has no light, or no pixel to measure it on.
    """
    shape = image.shape
    masks = list(reference_masks or [None] * len(references))
    _check(shape, references, [mask, *masks])
    stack = np.empty((len(references), *shape), dtype=np.float32)
    for n, (each, spoilt) in enumerate(zip(references, masks, strict=True)):
        stack[n] = _flattened(each, spoilt, degree, f'reference {n + 1}')[0]
    reference = _clipped_median(stack, clip)
    del stack
    reference[reference <= 0] = np.nan
    flat, level, slope = _flattened(image, mask, degree, 'the image')
    with np.errstate(divide='ignore', invalid='ignore'):
        ratio = flat / reference
    surface = _Surface.fit(ratio, degree)
    if surface is None:
        msg = 'the image and its references have no usable pixel in common'
        raise ExposureError(msg)
    ratio /= surface.values
    shift = (0.0, 0.0)
    if register:
        layer = _Spots(reference)
        shift, moved = layer.registered(ratio)
        ratio /= moved
    data = 1 - ratio
    data[~np.isfinite(data)] = np.nan
    noise = _spread(data)
    if noise > _BLIND:
        msg = (
            f'the airglow is too faint: level {level:.3g}, noise of a pixel '
            f'{100 * noise:.0f} % of it, in which no blob is seen'
        )
        raise ExposureError(msg)
    said = []
    if len(references) < _FEWEST:
        said.append(
            f'{len(references)} references are too few to tell cosmic rays from them'
        )
    return Difference(
        data, np.isnan(data), noise, len(references), level, slope, shift, tuple(said)
    )


def _check(
    shape: tuple[int, ...],
    references: Sequence[np.ndarray],
    masks: Sequence[np.ndarray | None],
) -> None:
    if len(shape) != 2:
        msg = f'image must be 2D; its shape is {shape}'
        raise ValueError(msg)
    if not len(references):
        msg = 'a difference needs at least one reference'
        raise ValueError(msg)
    if len(masks) != len(references) + 1:
        msg = f'{len(references)} references need as many masks; got {len(masks) - 1}'
        raise ValueError(msg)
    for each in [*references, *masks]:
        if each is not None and each.shape != shape:
            msg = f'references and masks must have the shape {shape}; got {each.shape}'
            raise ValueError(msg)


def _flattened(
    image: np.ndarray, mask: np.ndarray | None, degree: int, name: str
) -> tuple[np.ndarray, float, tuple[float, float]]:
    """Return an image over its own light, NaN where it is spoilt; level and slope."""
    flat = np.array(image, dtype=np.float32)
    flat[~np.isfinite(flat)] = np.nan
    if mask is not None:
        flat[mask] = np.nan
    surface = _Surface.fit(flat, degree)
    if surface is None:
        msg = f'{name} has no usable pixel'
        raise ExposureError(msg)
    if not surface.values.min() > 0:
        msg = (
            f'the airglow is too faint: the level of {name} is {surface.level:.3g}, '
            'and not above zero all over'
        )
        raise ExposureError(msg)
    flat /= surface.values
    return flat, surface.level, surface.slope


@dataclass(frozen=True, eq=False)
class _Surface:
    """A polynomial through an image."""

    values: np.ndarray
    level: float
    slope: tuple[float, float]

    @classmethod
    def fit(cls, image: np.ndarray, degree: int) -> _Surface | None:
        """Fit medians of squares, without the outliers among them; NaN are left out."""
        ny, nx = image.shape
        rows, columns = -(-ny // _BLOCK), -(-nx // _BLOCK)
        padded = np.full((rows * _BLOCK, columns * _BLOCK), np.nan, dtype=np.float32)
        padded[:ny, :nx] = image
        blocks = padded.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2)
        ranked = np.sort(blocks.reshape(rows * columns, -1)).T  # NaN last
        n = np.isfinite(ranked).sum(axis=0)
        medians = _middle(ranked, np.zeros_like(n), n)
        powers = [(j, i) for j in range(degree + 1) for i in range(degree + 1 - j)]
        v, u = (
            np.clip((np.arange(n) + 0.5) * _BLOCK * 2 / size - 1, -1, 1)
            for n, size in ((rows, ny), (columns, nx))
        )
        terms = np.stack([np.outer(v**j, u**i).ravel() for j, i in powers], axis=1)
        good = np.isfinite(medians)
        for _ in range(5):
            if good.sum() < len(powers):
                return None
            found = np.linalg.lstsq(terms[good], medians[good], rcond=None)[0]
            off = medians - terms @ found
            spread = 1.4826 * np.median(np.abs(off[good]))
            good = np.isfinite(off) & (np.abs(off) <= 3 * spread + 1e-12)
        y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in (ny, nx))
        values = sum(
            np.float32(c) * np.outer(y**j, x**i)
            for c, (j, i) in zip(found, powers, strict=True)
        )
        by = dict(zip(powers, found, strict=True))
        level = float(by[0, 0])
        slope = (2 * by.get((1, 0), 0.0) / level, 2 * by.get((0, 1), 0.0) / level)
        return cls(np.asarray(values), level, (float(slope[0]), float(slope[1])))


def _clipped_median(stack: np.ndarray, clip: float) -> np.ndarray:
    """Return the median along the first axis without outliers; the stack is spoilt."""
    result = np.empty(stack.shape[1:], dtype=np.float32)
    for top in range(0, stack.shape[1], _ROWS):
        part = stack[:, top : top + _ROWS]
        part.sort(axis=0)  # NaN last
        n = np.isfinite(part).sum(axis=0)
        middle = _middle(part, np.zeros_like(n), n)
        low, high = (
            np.take_along_axis(part, (share * n).astype(int)[None], axis=0)[0]
            for share in (0.1587, 0.8413)
        )
        reach = clip * (high - low) / 2
        reach[n < _FEWEST] = np.inf
        with np.errstate(invalid='ignore'):
            begin = (part < middle - reach).sum(axis=0)
            end = (part <= middle + reach).sum(axis=0)
        result[top : top + _ROWS] = _middle(part, begin, end)
    return result


def _middle(ranked: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the medians of sorted values from a rank up to another; NaN if none."""
    ranks = np.stack([begin + end - 1, begin + end]) // 2
    two = np.take_along_axis(ranked, ranks, axis=0)
    return np.where(end > begin, two.mean(axis=0), np.float32(np.nan))


def _spread(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(1.4826 * np.median(np.abs(known - np.median(known))))


def _fast_length(n: int) -> int:
    """Return the next length whose transform is fast."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1


def _smooth(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return an image under a Gaussian; beyond its edges is zero."""
    ny, nx = image.shape
    size = tuple(_fast_length(n + int(np.ceil(4 * sigma))) for n in (ny, nx))
    ky = np.fft.fftfreq(size[0])[:, None]
    kx = np.fft.rfftfreq(size[1])
    response = np.exp(-2 * np.pi**2 * sigma**2 * (ky**2 + kx**2))
    smoothed = np.fft.irfft2(np.fft.rfft2(image, size) * response, size)
    return smoothed[:ny, :nx].astype(np.float32)


class _Spots:
    """
    Dark spots of a reference, which may follow the mirror.

    Parameters
    ----------
    reference : 2D `~numpy.ndarray`
        Reference, about one.
    """

    def __init__(self, reference: np.ndarray) -> None:
        known = np.isfinite(reference)
        log = np.log(np.where(known, reference, 1)).astype(np.float32)
        share = _smooth(known.astype(np.float32), _SPOT)
        filled = _smooth(log, _SPOT) / np.maximum(share, 1e-6)
        log = np.where(known, log, filled)
        ny, nx = log.shape
        mesh = measure_mesh(log)
        high = filled - mesh.over(slice(0, ny), slice(0, nx))[0]
        dark = high < -max(4 * _spread(high), 0.004)
        self.near = _smooth(dark.astype(np.float32), _AROUND) > 0.02
        self._padded = np.pad(log, _PAD, mode='reflect')
        self._ky = np.fft.fftfreq(self._padded.shape[0])[:, None]
        self._kx = np.fft.rfftfreq(self._padded.shape[1])
        self._k2 = 2 * np.pi**2 * (self._ky**2 + self._kx**2)
        self._spectrum = np.fft.rfft2(self._padded)

    def _moved(
        self, response: np.ndarray, shift: np.ndarray, axis: int | None = None
    ) -> np.ndarray:
        """Return the filtered logarithm shifted, or its slope along an axis."""
        phase = -2j * np.pi * (self._ky * shift[0] + self._kx * shift[1])
        spectrum = self._spectrum * (response * np.exp(phase))
        if axis is not None:
            spectrum = spectrum * (2j * np.pi * (self._ky, self._kx)[axis])
        moved = np.fft.irfft2(spectrum, self._padded.shape)
        return moved[_PAD:-_PAD, _PAD:-_PAD].astype(np.float32)

    def registered(self, ratio: np.ndarray) -> tuple[tuple[float, float], np.ndarray]:
        """
        Measure the mirror's shift, and by what the reference is to be multiplied.

        Parameters
        ----------
        ratio : 2D `~numpy.ndarray`
            Image over reference.

        Returns
        -------
        shift : (float, float)
            Pixels, (dy, dx).
        factor : 2D `~numpy.ndarray`
            One where nothing has moved.
        """
        nothing = (0.0, 0.0), np.ones_like(ratio)
        with np.errstate(divide='ignore', invalid='ignore'):
            log = np.log(ratio)
        known = np.isfinite(log)
        near = self.near & known
        if near.sum() < 4 * _AROUND**2:
            return nothing
        log[~known] = 0
        # Smoothed alike, image and reference show the same shift, and the pixels of
        # the flat, which do not move, hold it back no longer.
        wide = np.exp(-self._k2 * _SPOT**2)
        smooth = _smooth(log, _SPOT)
        noise, scatter = (max(_spread(each[near]), 1e-6) for each in (log, smooth))
        apart = np.sqrt(4 * np.pi) * _SPOT  # independent pixels are fewer
        shift = np.zeros(2)
        follows, change = near, np.zeros_like(log)
        for _ in range(8):
            off = smooth - change
            used = follows & (np.abs(off) < 4 * scatter + np.abs(change))
            terms = -np.stack([self._moved(wide, shift, n)[used] for n in (0, 1)])
            normal = (terms @ terms.T).astype(float)
            try:
                step = np.linalg.solve(normal, (terms @ off[used]).astype(float))
            except np.linalg.LinAlgError:
                return nothing
            shift = shift + step
            if not np.hypot(*shift) < _FURTHEST:
                return nothing
            change = self._moved(wide, shift) - self._moved(wide, np.zeros(2))
            follows = near & self._agrees(smooth, change, scatter * apart)
            if np.abs(step).max() < 1e-3:
                break
        error = scatter * apart * np.sqrt(np.linalg.inv(normal).diagonal())
        if not (np.abs(shift) > 3 * error).any():
            return nothing
        # Smoothed by a pixel, and once more what that took away: noise goes, and of
        # a blob's slopes next to nothing.
        sharp = 1 - (1 - np.exp(-self._k2 * _SHARP**2)) ** 2
        change = self._moved(sharp, shift) - self._moved(sharp, np.zeros(2))
        follows = self.near & self._agrees(log, np.where(known, change, 0), noise)
        factor = np.where(follows, np.exp(change), 1)
        return (float(shift[0]), float(shift[1])), factor.astype(np.float32)

    @staticmethod
    def _agrees(log: np.ndarray, change: np.ndarray, noise: float) -> np.ndarray:
        """Return `True` where the neighbourhood does not speak against a change."""
        # Only what lies still as well as noise does: over a new blob neither holds.
        still = _smooth(log**2, _AROUND) < _STILL * noise**2
        gained = _smooth(2 * log * change - change**2, _AROUND)
        chi_square = gained * 2 * np.pi * _AROUND**2 / noise**2
        return ~(still & (chi_square < -_AGAINST))
