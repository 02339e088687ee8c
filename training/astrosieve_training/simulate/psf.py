"""
Effective point-spread functions: how a point of light falls on the pixels.

A `PSF` includes the optics, the charge diffusion and the integration over the pixel, so
that its value at an offset is the share of a star's electrons that a pixel at this
offset holds. The core is an oversampled grid that may vary over the detector; wings and
diffraction spikes, which are smooth on the scale of a pixel, are one image at the
detector's own sampling.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    'OVERSAMPLING',
    'PSF',
    'TAPER',
    'radius_grid',
    'window_centroid',
]

OVERSAMPLING = 4
TAPER = (7.5, 11.5)  # pixels between which core and wings are joined


def radius_grid(n: int, scale: float) -> np.ndarray:
    """Return the distances from the middle of n x n samples, pixels."""
    c = (np.arange(n) - (n - 1) / 2) / scale
    return np.hypot(c[:, None], c[None, :])


def _bspline_weights(t: np.ndarray) -> np.ndarray:
    """Return the four cubic B-spline weights at fractions ``t``, shape (N, 4)."""
    s = 1 - t
    return np.stack(
        [
            s**3 / 6,
            (4 - 6 * t**2 + 3 * t**3) / 6,
            (4 - 6 * s**2 + 3 * s**3) / 6,
            t**3 / 6,
        ],
        axis=-1,
    )


def window_centroid(plane: np.ndarray, scale: float, sigma: float) -> np.ndarray:
    """Return the Gaussian-weighted centroid (x, y), pixels from the centre."""
    c = (np.arange(plane.shape[0]) - (plane.shape[0] - 1) / 2) / scale
    x0 = y0 = 0.0
    for _ in range(30):
        wx = np.exp(-0.5 * ((c - x0) / sigma) ** 2)
        wy = np.exp(-0.5 * ((c - y0) / sigma) ** 2)
        w = plane * wy[:, None] * wx
        total = w.sum()
        dx = (w.sum(axis=0) @ (c - x0)) / total
        dy = (w.sum(axis=1) @ (c - y0)) / total
        x0 += 2 * dx
        y0 += 2 * dy
        if abs(dx) + abs(dy) < 1e-6:
            break
    return np.array([x0, y0])


def _fwhm_of(plane: np.ndarray, scale: float) -> float:
    """Return the diameter of the circle as large as the area above half maximum."""
    n = plane.shape[0] // 2
    half = min(n, int(8 * scale))
    cut = plane[n - half : n + half + 1, n - half : n + half + 1]
    fine = ndimage.zoom(cut, 4, order=3)
    step = (cut.shape[0] - 1) / (fine.shape[0] - 1) / scale
    area = np.count_nonzero(fine > 0.5 * fine.max()) * step**2
    return float(2 * np.sqrt(area / np.pi))


@dataclass(frozen=True)
class _Nodes:
    x: np.ndarray
    y: np.ndarray


class PSF:
    """
    An effective point-spread function, possibly variable over the detector.

    Parameters
    ----------
    planes : (K, n, n) array_like
        Oversampled effective PSF, n odd, centre in the middle; the value is the share
        of the electrons in a pixel centred there. K is ``len(x_nodes) *
        len(y_nodes)``, rows of nodes first.
    oversampling : int, optional
        Samples per pixel along one axis.
    x_nodes, y_nodes : array_like, optional
        Detector positions of the planes, pixels, ascending. The PSF is interpolated
        linearly between them and is constant outside.
    wings : 2D array_like, optional
        What is to be added to the core at the detector's own sampling, odd in size.
    recentre : bool, optional
        Whether to move each plane so that its Gaussian-weighted centroid lies at its
        centre.

    Attributes
    ----------
    fwhm : float
        Full width at half maximum in pixels, of the plane in the middle.
    peak : float
        Largest share of the electrons that one pixel can hold.
    """

    def __init__(
        self,
        planes: np.ndarray,
        oversampling: int = OVERSAMPLING,
        *,
        x_nodes: Sequence[float] | np.ndarray = (0.0,),
        y_nodes: Sequence[float] | np.ndarray = (0.0,),
        wings: np.ndarray | None = None,
        recentre: bool = True,
    ) -> None:
        planes = np.asarray(planes, dtype=float)
        if planes.ndim == 2:
            planes = planes[None]
        if planes.ndim != 3 or planes.shape[1] != planes.shape[2]:
            msg = f'planes must have shape (K, n, n); got {planes.shape}'
            raise ValueError(msg)
        if planes.shape[1] % 2 == 0:
            msg = f'planes must have an odd size; got {planes.shape[1]}'
            raise ValueError(msg)
        if planes.shape[0] != len(x_nodes) * len(y_nodes):
            msg = (
                f'{planes.shape[0]} planes do not fill a grid of {len(x_nodes)} x '
                f'{len(y_nodes)} nodes'
            )
            raise ValueError(msg)
        self.oversampling = int(oversampling)
        self._nodes = _Nodes(np.asarray(x_nodes, float), np.asarray(y_nodes, float))
        middle = planes[len(planes) // 2]
        self.fwhm = _fwhm_of(middle, self.oversampling)
        if recentre:
            sigma = self.fwhm / 2.0
            planes = np.stack([self._centred(plane, sigma) for plane in planes])
        self.planes = planes
        self.wings = None if wings is None else np.asarray(wings, np.float32)
        self.peak = float(planes.max())
        self._coefficients = np.stack(
            [ndimage.spline_filter(p, order=3, mode='mirror') for p in planes]
        ).astype(np.float32)
        self._half = planes.shape[1] // 2
        self.core_radius = (self._half - 2) // self.oversampling
        self._taps: dict[tuple[int, int, int], np.ndarray] = {}
        self._envelope = self._measure_envelope()

    def _centred(self, plane: np.ndarray, sigma: float) -> np.ndarray:
        offset = window_centroid(plane, self.oversampling, sigma)
        shift = (-offset[1] * self.oversampling, -offset[0] * self.oversampling)
        moved = ndimage.shift(plane, shift, order=3, mode='nearest')
        return moved * (plane.sum() / moved.sum())

    def _measure_envelope(self) -> np.ndarray:
        """Return the largest value at or beyond each integer radius."""
        core = self.planes.max(axis=0)
        r = np.round(radius_grid(core.shape[0], self.oversampling)).astype(int)
        size = r.max() + 1
        if self.wings is not None:
            rw = np.round(radius_grid(self.wings.shape[0], 1)).astype(int)
            size = max(size, rw.max() + 1)
        out = np.zeros(size)
        np.maximum.at(out, r.ravel(), core.ravel())
        if self.wings is not None:
            np.maximum.at(out, rw.ravel(), self.wings.ravel())
        return np.maximum.accumulate(out[::-1])[::-1]

    @property
    def max_radius(self) -> int:
        """Radius in pixels to which the PSF is known."""
        wing = 0 if self.wings is None else self.wings.shape[0] // 2
        return max(self.core_radius, wing)

    def radius(self, flux: np.ndarray, level: float) -> np.ndarray:
        """
        Return how far stars rise above a level.

        Parameters
        ----------
        flux : array_like
            Total electrons of each star.
        level : float
            Electrons in one pixel.

        Returns
        -------
        radius : int `~numpy.ndarray`
            Pixels; at least 3, at most `max_radius`.
        """
        flux = np.asarray(flux, dtype=float)
        wanted = np.asarray(level) / np.maximum(flux, 1e-30)
        # The envelope falls, so search in its reverse.
        reverse = self._envelope[::-1]
        n = len(reverse) - np.searchsorted(reverse, wanted, side='right')
        return np.clip(n, 3, self.max_radius)

    def _cells(self, v: np.ndarray, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower node and the fraction to the next one."""
        if len(nodes) == 1:
            return np.zeros(len(v), int), np.zeros(len(v))
        i = np.clip(np.searchsorted(nodes, v, side='right') - 1, 0, len(nodes) - 2)
        f = np.clip((v - nodes[i]) / (nodes[i + 1] - nodes[i]), 0, 1)
        return i, f

    def _plane_weights(
        self, x: np.ndarray, y: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return indices and weights, each (N, 4), of the planes around positions."""
        ix, fx = self._cells(x, self._nodes.x)
        iy, fy = self._cells(y, self._nodes.y)
        nx = len(self._nodes.x)
        jx = np.minimum(ix + 1, nx - 1)
        jy = np.minimum(iy + 1, len(self._nodes.y) - 1)
        index = np.stack([iy * nx + ix, iy * nx + jx, jy * nx + ix, jy * nx + jx], 1)
        weight = np.stack(
            [(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx], 1
        )
        return index, weight

    def blurred(self, kernel: np.ndarray) -> PSF:
        """
        Return the PSF convolved with a kernel.

        Parameters
        ----------
        kernel : 2D `~numpy.ndarray`
            Sampled as the planes, odd in size, total 1; the wings are smooth to it.

        Returns
        -------
        psf : `PSF`
            Centred anew.
        """
        from scipy.signal import fftconvolve  # brings scipy.stats

        planes = fftconvolve(self.planes, kernel[None], mode='same', axes=(1, 2))
        return PSF(
            np.maximum(planes, 0), self.oversampling, wings=self.wings,
            x_nodes=self._nodes.x, y_nodes=self._nodes.y,
        )  # fmt: skip

    def value(
        self,
        dx: np.ndarray,
        dy: np.ndarray,
        *,
        position: tuple[float, float] = (0.0, 0.0),
    ) -> np.ndarray:
        """
        Return the share of a star's electrons in pixels at given offsets.

        Parameters
        ----------
        dx, dy : array_like
            Pixel centre minus star centre, pixels.
        position : (float, float), optional
            Where on the detector the star is, for a variable PSF.

        Returns
        -------
        share : `~numpy.ndarray`
            Of the broadcast shape of ``dx`` and ``dy``.
        """
        dx, dy = np.broadcast_arrays(np.asarray(dx, float), np.asarray(dy, float))
        index, weight = self._plane_weights(
            np.array([position[0]]), np.array([position[1]])
        )
        coefficients = np.tensordot(weight[0], self._coefficients[index[0]], axes=1)
        s = self.oversampling
        at = np.stack([dy.ravel() * s + self._half, dx.ravel() * s + self._half])
        out = ndimage.map_coordinates(
            coefficients, at, order=3, prefilter=False, mode='constant'
        )
        if self.wings is not None:
            w = self.wings.shape[0] // 2
            at = np.stack([dy.ravel() + w, dx.ravel() + w])
            out = out + ndimage.map_coordinates(
                self.wings, at, order=1, mode='constant'
            )
        return out.reshape(dx.shape)

    def render(
        self,
        shape: tuple[int, int],
        x: np.ndarray,
        y: np.ndarray,
        flux: np.ndarray,
        *,
        level: float = 0.02,
        origin: tuple[float, float] = (0.0, 0.0),
        core_distance: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """
        Render stars into an image.

        Parameters
        ----------
        shape : (int, int)
            Shape of the image, (ny, nx).
        x, y : (N,) array_like
            Centres, pixels, 0-based; they may lie outside the image.
        flux : (N,) array_like
            Total electrons of each star.
        level : float, optional
            Electrons per pixel below which a star's wings are dropped.
        origin : (float, float), optional
            Detector position (x, y) of the image's first pixel.
        core_distance : float, optional
            Pixels nearer than this to the star's centre belong to its core. Default:
            `fwhm`.

        Returns
        -------
        core, rest : 2D float32 `~numpy.ndarray`
            Electrons within ``core_distance`` of each star's own centre, and all
            others. Their sum is the image.
        """
        x = np.atleast_1d(np.asarray(x, float))
        y = np.atleast_1d(np.asarray(y, float))
        flux = np.atleast_1d(np.asarray(flux, float))
        core_distance = self.fwhm if core_distance is None else core_distance
        core = np.zeros(shape, np.float32)
        rest = np.zeros(shape, np.float32)
        radius = self.radius(flux, level)
        classes = sorted({3, 5, 8, self.core_radius})
        classes = [c for c in classes if c <= self.core_radius]
        smallest = int(np.ceil(core_distance))
        classes = [c for c in classes if c >= smallest] or [self.core_radius]
        bins = np.searchsorted(classes, np.minimum(radius, classes[-1]))
        for k, r in enumerate(classes):
            inside = (bins == k) & (x > -r - 1) & (x < shape[1] + r)
            chosen = np.flatnonzero(inside & (y > -r - 1) & (y < shape[0] + r))
            if len(chosen):
                self._render_core(
                    core, rest, x[chosen], y[chosen], flux[chosen], r, origin,
                    core_distance,
                )  # fmt: skip
        if self.wings is not None:
            for i in np.flatnonzero(radius > TAPER[0]):
                _render_wings(rest, self.wings, x[i], y[i], flux[i], int(radius[i]))
        return core, rest

    def _render_core(
        self,
        core: np.ndarray,
        rest: np.ndarray,
        x: np.ndarray,
        y: np.ndarray,
        flux: np.ndarray,
        radius: int,
        origin: tuple[float, float],
        core_distance: float,
    ) -> None:
        ny, nx = core.shape
        grid = np.arange(-radius, radius + 1)
        gy, gx = (g.ravel() for g in np.meshgrid(grid, grid, indexing='ij'))
        for part, values in self._sampled(x, y, radius, origin):
            values *= flux[part, None].astype(np.float32)
            cols = np.floor(x[part, None] + 0.5).astype(int) + gx
            rows = np.floor(y[part, None] + 0.5).astype(int) + gy
            good = (cols >= 0) & (cols < nx) & (rows >= 0) & (rows < ny)
            near = np.hypot(cols - x[part, None], rows - y[part, None])
            near = near <= core_distance
            flat = rows * nx + cols
            for target, mask in ((core, good & near), (rest, good & ~near)):
                np.add.at(target.reshape(-1), flat[mask], values[mask])

    def _sampled(
        self, x: np.ndarray, y: np.ndarray, radius: int, origin: tuple[float, float]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield indices of stars and their (n, pixels) shares around the centre."""
        s = self.oversampling
        # Position in the grid of pixel i is centre + (i - star) * s.
        px = (x - np.floor(x + 0.5)) * s
        py = (y - np.floor(y + 0.5)) * s
        ox = np.ceil(px).astype(int)
        oy = np.ceil(py).astype(int)
        wx = _bspline_weights(ox - px)
        wy = _bspline_weights(oy - py)
        taps = (wy[:, :, None] * wx[:, None, :]).reshape(len(x), 16).astype(np.float32)
        index, weight = self._plane_weights(x + origin[0], y + origin[1])
        phase = (oy + s) * 4 * s + (ox + s)
        key = index[:, 0] * (16 * s * s) + phase
        order = np.argsort(key, kind='stable')
        bounds = np.flatnonzero(np.diff(key[order], prepend=-1, append=-1))
        for start, stop in pairwise(bounds):
            members = order[start:stop]
            first = members[0]
            # The spline of the four planes around, as one product of matrices.
            used = np.flatnonzero(weight[members].any(axis=0))
            matrix = np.concatenate(
                [
                    self._phase_matrix(
                        int(index[first, j]), int(oy[first]), int(ox[first]), radius
                    )
                    for j in used
                ]
            )
            for part in np.array_split(members, 1 + len(members) // 1000):
                w = weight[part][:, used].astype(np.float32)
                values = (w[:, :, None] * taps[part, None, :]).reshape(
                    len(part), -1
                ) @ matrix
                yield part, values

    def box_share(
        self,
        x: np.ndarray,
        y: np.ndarray,
        *,
        radius: int = 1,
        origin: tuple[float, float] = (0.0, 0.0),
    ) -> tuple[np.ndarray, np.ndarray]:
        """
        Return the share of each star's electrons in the box about its centre.

        Parameters
        ----------
        x, y : (N,) array_like
            Centres, pixels.
        radius : int, optional
            Half the size of the box: 1 for 3x3.
        origin : (float, float), optional
            Detector position (x, y) of the image's first pixel.

        Returns
        -------
        total, peak : (N,) `~numpy.ndarray`
            Share in the box, and in its brightest pixel.
        """
        x = np.atleast_1d(np.asarray(x, float))
        y = np.atleast_1d(np.asarray(y, float))
        total = np.zeros(len(x))
        peak = np.zeros(len(x))
        for part, values in self._sampled(x, y, radius, origin):
            total[part] = values.sum(axis=1)
            peak[part] = values.max(axis=1)
        return total, peak

    def _phase_matrix(self, plane: int, oy: int, ox: int, radius: int) -> np.ndarray:
        key = (plane, oy * 100 + ox, radius)
        if key not in self._taps:
            s = self.oversampling
            c = self._coefficients[plane]
            offsets = np.arange(-radius, radius + 1) * s + self._half
            rows = []
            for b in range(-1, 3):
                iy = np.clip(offsets - oy + b, 0, c.shape[0] - 1)
                for a in range(-1, 3):
                    ix = np.clip(offsets - ox + a, 0, c.shape[0] - 1)
                    rows.append(c[np.ix_(iy, ix)].ravel())
            self._taps[key] = np.array(rows, dtype=np.float32)
        return self._taps[key]


def _render_wings(
    image: np.ndarray, wings: np.ndarray, x: float, y: float, flux: float, radius: int
) -> None:
    """Add a star's wings, moved by a fraction of a pixel, to an image."""
    half = wings.shape[0] // 2
    radius = min(radius, half - 1)
    xi, yi = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - xi, y - yi
    ny, nx = image.shape
    # A pixel at xi + k looks up the wings at k - fx.
    x0, x1 = max(0, xi - radius + 1), min(nx, xi + radius + 1)
    y0, y1 = max(0, yi - radius + 1), min(ny, yi + radius + 1)
    if x0 >= x1 or y0 >= y1:
        return
    a = half + x0 - xi
    b = half + y0 - yi
    block = wings[b - 1 : b + y1 - y0, a - 1 : a + x1 - x0]
    rows = (1 - fy) * block[1:] + fy * block[:-1]
    image[y0:y1, x0:x1] += flux * ((1 - fx) * rows[:, 1:] + fx * rows[:, :-1])
