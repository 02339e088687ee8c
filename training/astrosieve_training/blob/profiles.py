"""
Profiles of blobs: analytic ones, and real ones.

Blobs are spots on a mirror that the camera sees far out of focus: discs with soft
edges, some with a hole, some squarish, some two in one. The shapes were held against
the real cutouts of WFC3 ISR 2021-08 (their half-depth radii are 2 to 8 pixels),
and go beyond them in every parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter
from scipy.optimize import least_squares

from astrosieve_training.data_folder import data_folder

__all__ = ['Profile', 'Shape', 'Stamps', 'draw_profile', 'fit_shape', 'real_stamps']

RADII = (2.5, 14.0)
"""Half-depth radii that are drawn, pixels."""
_JUDGED = 6  # real cutouts that are held back
_CLIPPED = (-3.0, 2.95)  # beyond these the real cutouts were cut off
_SIDE = 61  # of a real blob with what its shape says beyond the cutout, pixels
_HALF = float(np.log(2))


@dataclass(frozen=True)
class Shape:
    """
    Loss of light over its largest: a disc with a soft edge and perhaps a hole.

    Parameters
    ----------
    radius : float
        At which half the loss is left, pixels, but for the hole.
    steepness : float
        Power of the radius in the exponent: 2 is a Gaussian, 8 nearly a disc.
    squareness : float
        Power of the norm: 2 is an ellipse, 1 a diamond.
    ratio : float
        Minor over major axis.
    angle : float
        Of the major axis, radians from x.
    hole : float
        Share of the loss that is missing in the middle of the hole.
    hole_radius : float
        Over the radius.
    hole_x, hole_y : float
        Middle of the hole, in radii.
    """

    radius: float
    steepness: float = 2.0
    squareness: float = 2.0
    ratio: float = 1.0
    angle: float = 0.0
    hole: float = 0.0
    hole_radius: float = 0.4
    hole_x: float = 0.0
    hole_y: float = 0.0

    def __call__(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the loss at offsets from the middle, pixels."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        stretch = np.sqrt(self.ratio)
        u = np.abs(cosine * x + sine * y) * stretch / self.radius
        v = np.abs(cosine * y - sine * x) / (stretch * self.radius)
        n = self.squareness
        q = (u**n + v**n) ** (1 / n)
        loss = np.exp(-_HALF * np.minimum(q, 50) ** self.steepness)
        if self.hole:
            size = self.hole_radius * self.radius
            away = np.hypot(
                x - self.hole_x * self.radius, y - self.hole_y * self.radius
            )
            loss = loss * (1 - self.hole * np.exp(-_HALF * (away / size) ** 2))
        return np.asarray(loss)


@dataclass(frozen=True, eq=False)
class Profile:
    """
    A blob of unit depth on a small image of its own.

    Parameters
    ----------
    image : (n, n) float32 `~numpy.ndarray`
        Loss over the depth, which is the largest loss once smoothed by one pixel.
    x, y : float
        Centre of light, from the middle pixel, pixels.
    radius : float
        Of the circle as large as the area that loses more than half of the depth.
    kind : str
        What it is.
    """

    image: np.ndarray
    x: float
    y: float
    radius: float
    kind: str


def measured(image: np.ndarray, kind: str) -> Profile:
    """Return a profile of an image of the loss, whose scale does not matter."""
    image = np.maximum(image, 0)
    smooth = gaussian_filter(image, 1.0)
    depth = smooth.max()
    middle = image.shape[0] // 2
    along = np.arange(image.shape[0]) - middle
    x, y = ((image.sum(axis) * along).sum() / image.sum() for axis in (0, 1))
    radius = np.sqrt((smooth > depth / 2).sum() / np.pi)
    return Profile(
        (image / depth).astype(np.float32), float(x), float(y), float(radius), kind
    )


@dataclass(frozen=True, eq=False)
class Stamps:
    """
    Real blobs without their noise.

    Parameters
    ----------
    names : tuple of str
        As in their file.
    images : tuple of (61, 61) `~numpy.ndarray`
        Loss over its largest.
    shapes : tuple of `Shape`
        What was fitted to them.
    """

    names: tuple[str, ...]
    images: tuple[np.ndarray, ...]
    shapes: tuple[Shape, ...]

    def draw(self, rng: np.random.Generator) -> Profile:
        """Return one at another size, orientation, and place within a pixel."""
        number = int(rng.integers(len(self.images)))
        image, size = self.images[number], rng.uniform(0.7, 1.5)
        middle = image.shape[0] // 2
        angle, mirror = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1])
        cosine, sine = np.cos(angle) / size, np.sin(angle) / size
        turn = np.array([[cosine, -sine], [mirror * sine, mirror * cosine]])
        place = middle + rng.uniform(-0.5, 0.5, 2)
        turned = affine_transform(image, turn, middle - turn @ place, order=1)
        return measured(turned, 'real')


def fit_shape(cutout: np.ndarray) -> tuple[Shape, np.ndarray]:
    """
    Fit a shape to a noisy real cutout.

    Where the cutout was clipped a model beyond the limit is right: so discs of unknown
    height are fitted too, by their edges.

    Parameters
    ----------
    cutout : (n, n) `~numpy.ndarray`
        Standardised, the blob positive.

    Returns
    -------
    shape : `Shape`
    numbers : (4,) `~numpy.ndarray`
        Level, height, and the middle of the shape: x, y.
    """
    n = cutout.shape[0]
    y, x = np.indices(cutout.shape, dtype=float)
    prior = np.array([0, 1.5, 0, 0, np.log(n / 3.5), np.log(3), 2, -0.2, 0, 0.1])
    width = np.array([2, 0.7, 2, 2, 0.5, 0.4, 0.4, 0.25, 2, 0.3])
    prior[2:4] = (n - 1) / 2

    def shape_of(p: np.ndarray) -> Shape:
        radius, steepness, ratio = np.exp([p[4], p[5], -abs(p[7])])
        squareness = float(np.clip(p[6], 0.9, 4))
        return Shape(
            float(radius), float(steepness), squareness, float(ratio), float(p[8]),
            hole=float(np.clip(p[9], 0, 1)),
        )  # fmt: skip

    def off(p: np.ndarray) -> np.ndarray:
        model = p[0] + np.exp(p[1]) * shape_of(p)(x - p[2], y - p[3])
        missed = np.clip(model, *_CLIPPED) - np.clip(cutout, *_CLIPPED)
        return np.concatenate([missed.ravel(), (p - prior) / width])

    p = least_squares(off, prior, loss='soft_l1', max_nfev=60).x
    return shape_of(p), np.array([p[0], np.exp(p[1]), p[2], p[3]])


def _without_noise(cutout: np.ndarray) -> tuple[np.ndarray, Shape]:
    """Return a real blob: its shape, and what a low-pass leaves of the rest."""
    shape, (level, height, x0, y0) = fit_shape(cutout)
    y, x = np.indices(cutout.shape, dtype=float)
    known = ((cutout > _CLIPPED[0]) & (cutout < _CLIPPED[1])).astype(float)
    rest = known * (cutout - level - height * shape(x - x0, y - y0))
    share = gaussian_filter(known, 1.2)
    rest = gaussian_filter(rest, 1.2) / np.maximum(share, 0.3)
    edge = np.minimum.reduce([x, y, x[:, ::-1], y[::-1]])
    rest *= np.minimum(edge / 3, 1)
    middle = _SIDE // 2
    y, x = np.indices((_SIDE, _SIDE), dtype=float) - middle
    image = shape(x, y)
    top, left = round(middle - y0), round(middle - x0)
    n = cutout.shape[0]
    whole = np.zeros_like(image)
    whole[top : top + n, left : left + n] = rest / height
    image = np.maximum(image + whole, 0)
    return image / gaussian_filter(image, 1.0).max(), shape


@lru_cache(maxsize=4)
def real_stamps(part: str = 'training', folder: Path | None = None) -> Stamps | None:
    """
    Return real blobs of the data folder.

    Parameters
    ----------
    part : {'training', 'judged'}
        Six of the eighteen are held back to judge by; which, is fixed.
    folder : `~pathlib.Path`, optional
        Of the real HST data; by default that of
        `~astrosieve_training.data_folder.data_folder`.

    Returns
    -------
    stamps : `Stamps` or None
        None where the file is not there.
    """
    folder = folder or data_folder()
    path = folder / 'wfc3ir_blob_stamps_18.npz' if folder else None
    if path is None or not path.is_file():
        return None
    with np.load(path) as file:
        names = sorted(file.files)
        order = np.random.default_rng(2021_08).permutation(len(names))
        chosen = order[:_JUDGED] if part == 'judged' else order[_JUDGED:]
        cutouts = {names[number]: file[names[number]] for number in sorted(chosen)}
    found = [_without_noise(each.astype(float)) for each in cutouts.values()]
    images, shapes = zip(*found, strict=True)
    return Stamps(tuple(cutouts), images, shapes)


def _drawn_shape(rng: np.random.Generator, radius: float) -> tuple[Shape, str]:
    """Return a disc, a Gaussian, a doughnut or something long, and which."""
    steepness = float(np.exp(rng.uniform(np.log(1.5), np.log(8))))
    squareness = 2.0 if rng.random() < 0.5 else float(rng.uniform(1.0, 3.0))
    angle = float(rng.uniform(0, np.pi))
    ratio = float(1 - np.abs(rng.normal(0, 0.12)))
    kind, hole = 'disc' if steepness > 2.8 else 'gaussian', {}
    if rng.random() < 0.15:
        kind, ratio = 'long', float(rng.uniform(0.4, 0.75))
    if rng.random() < 0.3:
        kind, steepness = 'doughnut', max(steepness, 2.0)
        x, y = rng.normal(0, 0.15, 2)
        hole = {
            'hole': rng.uniform(0.15, 1.0), 'hole_radius': rng.uniform(0.15, 0.6),
            'hole_x': x, 'hole_y': y,
        }  # fmt: skip
    ratio = max(ratio, 0.4)
    return Shape(radius, steepness, squareness, ratio, angle, **hole), kind


def draw_profile(
    rng: np.random.Generator,
    stamps: Stamps | None = None,
    radii: tuple[float, float] = RADII,
) -> Profile:
    """
    Return a blob's profile, its middle anywhere within the middle pixel.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Draws everything.
    stamps : `Stamps`, optional
        Real blobs, of which 3 in 10 profiles are made.
    radii : (float, float), optional
        Between which analytic radii lie; most are near 5 pixels.
    """
    if stamps is not None and rng.random() < 0.3:
        return stamps.draw(rng)
    radius = float(np.exp(rng.uniform(*np.log(radii))))
    if rng.random() < 0.6:
        radius = float(np.clip(rng.normal(5.2, 1.6), *radii))
    shape, kind = _drawn_shape(rng, radius)
    wings = 2.0 if shape.steepness > 3 else 2.8
    half = int(np.ceil(wings * radius / np.sqrt(shape.ratio))) + 4
    y, x = np.indices((2 * half + 1,) * 2) - half
    u, v = x - rng.uniform(-0.5, 0.5), y - rng.uniform(-0.5, 0.5)
    image = shape(u, v)
    if rng.random() < 0.2:
        kind = 'merged' if rng.random() < 0.5 else 'satellite'
        share = (0.6, 1.0) if kind == 'merged' else (0.2, 0.5)
        other = _drawn_shape(rng, radius * rng.uniform(*share))[0]
        turn = rng.uniform(0, 2 * np.pi)
        away = radius * rng.uniform(0.4, 1.3)
        second = other(u - away * np.cos(turn), v - away * np.sin(turn))
        image = 1 - (1 - 0.5 * image) * (1 - 0.5 * rng.uniform(0.3, 1) * second)
    if rng.random() < 0.3:
        lumps = gaussian_filter(rng.normal(size=image.shape), 0.3 * radius + 0.7)
        image = image * np.exp(rng.uniform(0.05, 0.3) * lumps / lumps.std())
    if rng.random() < 0.5:
        image = gaussian_filter(image, rng.uniform(0.4, 1.2))
    return measured(image, kind)
