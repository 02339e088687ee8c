"""
Optics: the PSFs of telescopes, computed, or read from grids and models.

Core and wings are joined by a smooth taper and share a total of 1.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from astrosieve_training.simulate.psf import (
    OVERSAMPLING,
    PSF,
    TAPER,
    radius_grid,
    window_centroid,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    'HST_DIAMETER',
    'epsf_planes',
    'gaussian_psf',
    'join_wings',
    'moffat_psf',
    'optical_psf',
    'optical_wings',
    'ray_kernel',
    'tinytim_path',
    'tinytim_wings',
]

_CORE_RADIUS = 12
HST_DIAMETER = 2.4  # metres
_HST_OBSCURATION = 0.33
_HST_STRUT = 0.011


def tinytim_path(instrument: str, detector: str, filter_name: str) -> Path | None:
    """
    Return the path of one of the TinyTim models that drizzlepac carries.

    Drizzlepac is located, not imported.

    Parameters
    ----------
    instrument, detector, filter_name : str
        As in the file names, in any case, for example ``'wfc3'``, ``'uvis'``,
        ``'f336w'``.

    Returns
    -------
    path : `~pathlib.Path` or `None`
        `None` where drizzlepac is not installed.
    """
    spec = importlib.util.find_spec('drizzlepac')
    if spec is None or spec.origin is None:
        return None
    parts = [instrument.lower(), detector.lower(), filter_name.lower()]
    folder = Path(spec.origin).parent / 'pars' / 'psfs' / parts[0] / parts[1]
    return folder / ('_'.join(parts) + '.fits')


def _smooth_step(r: np.ndarray, inner: float, outer: float) -> np.ndarray:
    """Fall smoothly from 1 at ``inner`` to 0 at ``outer``."""
    t = np.clip((outer - r) / (outer - inner), 0, 1)
    return t * t * t * (t * (6 * t - 15) + 10)


def gaussian_psf(fwhm: float) -> PSF:
    """
    Return a Gaussian PSF, integrated over the pixels.

    Parameters
    ----------
    fwhm : float
        Of the Gaussian before the integration, pixels.

    Returns
    -------
    psf : `~astrosieve_training.simulate.psf.PSF`
        Its total is 1.
    """
    return _analytic_psf(fwhm, None)


def moffat_psf(fwhm: float, beta: float = 3.0) -> PSF:
    """
    Return a Moffat PSF, integrated over the pixels.

    Parameters
    ----------
    fwhm : float
        Of the Moffat profile before the integration, pixels.
    beta : float, optional
        Exponent, above 1.

    Returns
    -------
    psf : `~astrosieve_training.simulate.psf.PSF`
        Its total is 1 when the wings beyond its radius are counted.
    """
    if beta <= 1:
        msg = f'beta must exceed 1; got {beta}'
        raise ValueError(msg)
    return _analytic_psf(fwhm, beta)


def _analytic_psf(fwhm: float, beta: float | None) -> PSF:
    if fwhm <= 0:
        msg = f'fwhm must be positive; got {fwhm}'
        raise ValueError(msg)
    radius = int(np.clip(np.ceil(4 * fwhm), _CORE_RADIUS, 24))
    fine = 3  # points per sample, for the integration over the pixel
    n = 2 * (radius + 1) * OVERSAMPLING + 1
    size = n * fine

    def profile(r: np.ndarray) -> np.ndarray:
        if beta is None:
            return np.exp(-4 * np.log(2) * (r / fwhm) ** 2)
        alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
        return (1 + (r / alpha) ** 2) ** -beta

    image = profile(radius_grid(size, OVERSAMPLING * fine))
    box = OVERSAMPLING * fine
    kernel = np.ones(box + 1)
    kernel[[0, -1]] = 0.5
    kernel /= box
    for axis in (0, 1):
        image = ndimage.convolve1d(image, kernel, axis=axis, mode='nearest')
    plane = image[fine // 2 :: fine, fine // 2 :: fine]
    if beta is None:
        total = np.pi * fwhm**2 / (4 * np.log(2))
        return PSF(plane / total)
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    total = np.pi * alpha**2 / (beta - 1)
    plane = plane / total
    taper = _smooth_step(radius_grid(n, OVERSAMPLING), radius - 4, radius)
    wide = 150
    r = radius_grid(2 * wide + 1, 1)
    wings = profile(r) / total * (1 - _smooth_step(r, radius - 4, radius))
    wings *= _smooth_step(r, wide - 30, wide)
    return PSF(plane * taper, wings=wings)


def ray_kernel(
    *, defocus: float = 0.0, coma: float = 0.0, trail: float = 0.0, angle: float = 0.0
) -> np.ndarray:
    """
    Return where the rays of a faulty telescope meet the detector.

    Geometrical optics of a pupil with a central obscuration of a third.

    Parameters
    ----------
    defocus : float, optional
        Diameter of the ring of a star out of focus, pixels.
    coma : float, optional
        Length of the comet, pixels.
    trail : float, optional
        Path of the image during the exposure, pixels.
    angle : float, optional
        Of coma and trail, degrees from +x towards +y.

    Returns
    -------
    kernel : 2D `~numpy.ndarray`
        Odd in size, four samples per pixel, total 1.
    """
    rho = np.sqrt(np.linspace(_HST_OBSCURATION**2, 1, 24))[:, None]
    phi = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    # The rays of a ring of the pupil make a circle, which is displaced by its diameter.
    x = defocus / 2 * rho * np.cos(phi) + coma / 3 * rho**2 * (2 + np.cos(2 * phi))
    y = defocus / 2 * rho * np.sin(phi) + coma / 3 * rho**2 * np.sin(2 * phi)
    path = np.linspace(-trail / 2, trail / 2, 1 + int(8 * trail))
    x = (x - x.mean()).ravel()[:, None] + path
    y = np.broadcast_to(y.ravel()[:, None], x.shape)
    cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    half = 1 + int(np.ceil(np.hypot(x, y).max() * OVERSAMPLING))
    edges = np.arange(-half, half + 2) - 0.5
    rays = np.histogram2d(
        ((y * cos + x * sin) * OVERSAMPLING).ravel(),
        ((x * cos - y * sin) * OVERSAMPLING).ravel(),
        bins=[edges, edges],
    )[0]
    return rays / rays.sum()


@lru_cache(maxsize=16)
def _optical_images(
    wavelength_nm: float,
    bandwidth: float,
    plate_scale: float,
    spike_angles: tuple[float, ...],
    diffusion: float,
    aberrations: tuple[float, ...],
    wing_radius: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the oversampled core and the wide image of HST's optics."""
    try:
        import galsim
    except ImportError as err:
        msg = "optical PSFs need GalSim: pip install 'astrosieve[train]'"
        raise ImportError(msg) from err
    n = 2 * _CORE_RADIUS * OVERSAMPLING + 5
    core = np.zeros((n, n))
    factors = 1 + bandwidth * np.linspace(-0.5, 0.5, 7)
    first, second = np.deg2rad(spike_angles[0]), np.deg2rad(spike_angles[1])
    jacobian = np.array(
        [[np.cos(first), np.cos(second)], [np.sin(first), np.sin(second)]]
    )
    jacobian /= np.sqrt(abs(np.linalg.det(jacobian)))
    pupil = {
        'diam': HST_DIAMETER,
        'obscuration': _HST_OBSCURATION,
        'nstruts': 4,
        'strut_thick': _HST_STRUT,
        'strut_angle': 0 * galsim.degrees,
    }
    for factor in factors:
        lam = wavelength_nm * factor
        # Zernike coefficients in waves at 547 nm, as TinyTim gives them.
        waves = [0.0] * 4 + [a * 547.0 / lam for a in aberrations]
        optics = galsim.OpticalPSF(lam=lam, aberrations=waves, pad_factor=2, **pupil)
        parts = [optics.transform(*jacobian.ravel()), galsim.Pixel(plate_scale)]
        if diffusion > 0:
            parts.append(galsim.Gaussian(sigma=diffusion * plate_scale))
        step = plate_scale / OVERSAMPLING
        image = galsim.Convolve(parts).drawImage(
            nx=n, ny=n, scale=step, method='no_pixel'
        )
        core += image.array * OVERSAMPLING**2 / len(factors)
    # Far out, a change of wavelength only changes the scale.
    fine = 3
    size = fine * (2 * wing_radius + 1)
    # GalSim wants at least some hundred diffraction widths, whatever is asked for.
    extent = max(
        1.2 * wing_radius * plate_scale / 206265.0,
        150 * wavelength_nm * 1e-9 / HST_DIAMETER,
    )
    aperture = galsim.Aperture(
        lam=wavelength_nm,
        pupil_plane_size=2 * HST_DIAMETER,
        pupil_plane_scale=wavelength_nm * 1e-9 / extent,
        **pupil,
    )
    optics = galsim.OpticalPSF(
        lam=wavelength_nm, diam=HST_DIAMETER, aper=aperture
    ).transform(*jacobian.ravel())
    wide = np.zeros((size, size))
    for factor in factors:
        wide += (
            optics.dilate(factor)
            .drawImage(nx=size, ny=size, scale=plate_scale / fine, method='no_pixel')
            .array
        )
    wide = wide.reshape(size // fine, fine, size // fine, fine).sum(axis=(1, 3))
    return core, np.maximum(wide / len(factors), 0)


def optical_wings(
    *,
    wavelength_nm: float,
    bandwidth: float,
    plate_scale: float,
    spike_angles: Sequence[float],
    wing_radius: int,
    tinytim: Path | None = None,
) -> np.ndarray:
    """
    Return an image of HST's whole PSF at the detector's sampling.

    Parameters
    ----------
    wavelength_nm, bandwidth, plate_scale, spike_angles, wing_radius, tinytim
        As in `optical_psf`.

    Returns
    -------
    image : 2D `~numpy.ndarray`
        Odd in size, centred, total near 1.
    """
    _, wide = _optical_images(
        float(wavelength_nm),
        float(bandwidth),
        float(plate_scale),
        tuple(float(a) for a in spike_angles),
        0.35,
        (),
        int(wing_radius),
    )
    wide = _add_scattering(wide)
    return wide if tinytim is None else tinytim_wings(tinytim, wide)


def _add_scattering(wide: np.ndarray) -> np.ndarray:
    """Add the halo that dust and micro-roughness of the mirrors scatter."""
    # 3 % of the light, falling with the inverse 2.3rd power of the distance.
    r = radius_grid(wide.shape[0], 1)
    halo = (1 + (r / 6.0) ** 2) ** -1.15
    return 0.97 * wide + 0.03 * halo / halo.sum()


def join_wings(planes: np.ndarray, wide: np.ndarray, *, match: bool) -> tuple:
    """
    Join oversampled cores to one wide image and give them a total of 1.

    Parameters
    ----------
    planes : (K, n, n) array_like
        Cores, four samples per pixel.
    wide : 2D array_like
        Image of the whole PSF at the detector's sampling.
    match : bool
        Whether to scale each core so that it holds as much as ``wide`` in the ring in
        which they are joined. Without it both keep their own scale.

    Returns
    -------
    planes, wings : `~numpy.ndarray`
        What `~astrosieve_training.simulate.psf.PSF` takes.
    """
    planes = np.array(planes, dtype=float)
    r = radius_grid(planes.shape[1], OVERSAMPLING)
    rw = radius_grid(wide.shape[0], 1)
    inner, outer = TAPER
    wide = np.asarray(wide, float)
    wings = wide * (1 - _smooth_step(rw, inner, outer))
    ring = (r >= inner) & (r <= outer)
    if match:
        reference = wide[(rw >= inner) & (rw <= outer)].mean()
        level = planes[:, ring].mean(axis=1)
        planes *= (reference / np.maximum(level, 1e-12))[:, None, None]
    planes *= _smooth_step(r, inner, outer)
    totals = planes.sum(axis=(1, 2)) / OVERSAMPLING**2
    scale = 1 / (np.median(totals) + wings.sum())
    # Each plane carries the same share, so that a star's flux does not depend on
    # where it falls.
    planes *= (np.median(totals) / totals)[:, None, None] * scale
    return planes, wings * scale


def tinytim_wings(path: Path, wide: np.ndarray) -> np.ndarray:
    """
    Put a TinyTim model into the middle of a wider image.

    Parameters
    ----------
    path : `~pathlib.Path`
        One of drizzlepac's models, sampled like the detector.
    wide : 2D `~numpy.ndarray`
        Image of the optics, odd in size, total near 1; it goes on where the model
        ends, scaled to the model at its edge.

    Returns
    -------
    image : 2D `~numpy.ndarray`
        Same shape as ``wide``.
    """
    from astropy.io import fits

    model = fits.getdata(path).astype(float)
    valid = model > 1e-9
    peak = np.unravel_index(np.argmax(model), model.shape)
    cut = model[peak[0] - 6 : peak[0] + 7, peak[1] - 6 : peak[1] + 7]
    offset = window_centroid(cut, 1, 1.2)
    half = wide.shape[0] // 2
    canvas = np.zeros_like(wide)
    weight = np.zeros_like(wide)
    distance = ndimage.distance_transform_edt(np.pad(valid, 1))[1:-1, 1:-1]
    shift = (half - peak[0] - offset[1], half - peak[1] - offset[0])
    whole = np.round(shift).astype(int)
    ny, nx = model.shape
    target = np.s_[whole[0] : whole[0] + ny, whole[1] : whole[1] + nx]
    part = (shift[0] - whole[0], shift[1] - whole[1])
    canvas[target] = np.maximum(ndimage.shift(model, part, order=3), 0)
    weight[target] = _smooth_step(-distance, -12.0, -2.0)
    edge = (weight > 0.2) & (weight < 0.8)
    scale = canvas[edge].sum() / max(wide[edge].sum(), 1e-12)
    return weight * canvas + (1 - weight) * wide * scale


def optical_psf(
    *,
    wavelength_nm: float,
    plate_scale: float,
    bandwidth: float = 0.2,
    spike_angles: Sequence[float] = (45.0, 135.0),
    diffusion: float = 0.35,
    aberrations: Sequence[float] = (),
    tinytim: Path | None = None,
    wing_radius: int = 300,
) -> PSF:
    """
    Return HST's optical PSF, computed by GalSim.

    Parameters
    ----------
    wavelength_nm : float
        Central wavelength.
    plate_scale : float
        Arcseconds per pixel.
    bandwidth : float, optional
        Full width of the filter as a share of the wavelength.
    spike_angles : (float, float), optional
        Directions of the two pairs of spikes, degrees from +x towards +y.
    diffusion : float, optional
        Standard deviation of the charge diffusion, pixels.
    aberrations : sequence of float, optional
        Zernike coefficients from focus (Noll 4) on, waves RMS at 547 nm.
    tinytim : `~pathlib.Path`, optional
        A TinyTim model from which the wings are taken.
    wing_radius : int, optional
        Pixels to which the spikes reach.

    Returns
    -------
    psf : `~astrosieve_training.simulate.psf.PSF`
        Its total is 1.
    """
    core, wide = _optical_images(
        float(wavelength_nm),
        float(bandwidth),
        float(plate_scale),
        tuple(float(a) for a in spike_angles),
        float(diffusion),
        tuple(float(a) for a in aberrations),
        int(wing_radius),
    )
    wide = _add_scattering(wide)
    if tinytim is not None:
        wide = tinytim_wings(tinytim, wide)
    planes, wings = join_wings(core[None], wide, match=False)
    return PSF(planes, wings=wings)


def epsf_planes(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Read a grid of STScI empirical PSFs.

    Parameters
    ----------
    path : `~pathlib.Path`
        A file ``PSFSTD``: a cube of planes, four samples per pixel, with the nodes in
        its header.

    Returns
    -------
    planes : (K, 101, 101) `~numpy.ndarray`
        Filled edges and negative values are set to 0.
    x_nodes, y_nodes : `~numpy.ndarray`
        Detector positions. Where two chips meet a node occurs twice.
    """
    import warnings

    from astropy.io import fits
    from astropy.io.fits.verify import VerifyWarning

    with warnings.catch_warnings():
        warnings.simplefilter('ignore', VerifyWarning)
        with fits.open(path) as hdus:
            header = hdus[0].header
            planes = hdus[0].data.astype(float)
            nx, ny = int(header['NXPSFS']), int(header['NYPSFS'])
    x_nodes = np.array([header[f'IPSFX{i + 1:02d}'] for i in range(nx)], float)
    y_nodes = np.array([header[f'JPSFY{i + 1:02d}'] for i in range(ny)], float)
    return np.maximum(planes, 0), x_nodes, y_nodes
