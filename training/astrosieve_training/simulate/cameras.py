"""
Cameras: what a detector and its optics are, read from short TOML files.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from astrosieve_training.data_folder import data_folder
from astrosieve_training.settings import (
    ConfigError,
    Count,
    Natural,
    NotNegative,
    Positive,
    Rule,
    Settings,
    Share,
    load_dataclass,
    not_known,
    one_of,
    require,
)
from astrosieve_training.simulate import optics
from astrosieve_training.simulate.psf import PSF

__all__ = [
    'Camera',
    'PSFConfig',
    'build_psf',
    'list_cameras',
    'load_camera',
    'random_camera',
]

_FOLDER = Path(__file__).resolve().parents[1] / 'cameras'
_SHAPE = Rule('two integers, 32 or more', lambda shape: min(shape) >= 32)


@dataclass(frozen=True)
class PSFConfig(Settings):
    """
    What a camera's PSF is made from.

    Attributes
    ----------
    kind : str
        ``'epsf'`` (STScI grid), ``'optical'`` (GalSim with HST's pupil), ``'moffat'``
        or ``'gaussian'``.
    file : str
        The ePSF grid: a path, or a name inside `data_folder`.
    second_file : str
        Another grid to interpolate with, for a filter between two; may be empty.
    mix : float
        Share of ``second_file``, 0 to 1.
    tinytim : str
        ``'instrument/detector/filter'`` of the model that drizzlepac carries, from
        which the wings come; empty for GalSim's wings.
    fwhm : float
        Pixels, for Moffat and Gaussian, before the integration over the pixel.
    beta : float
        Moffat's exponent.
    wavelength_nm, bandwidth : float
        Of the filter; the second as a share of the first.
    diffusion : float
        Standard deviation of the charge diffusion, pixels.
    aberrations : tuple of float
        Zernike coefficients from focus on, waves RMS at 547 nm.
    wing_radius : int
        Pixels to which wings and spikes reach.
    defocus, coma, trail : float
        Diameter of the ring that a telescope out of focus makes of a point, length of
        its coma, and path of the image during the exposure, pixels.
    angle : float
        Of coma and trail, degrees from +x towards +y.
    """

    kind: Annotated[str, one_of('epsf', 'optical', 'moffat', 'gaussian')] = 'moffat'
    file: str = ''
    second_file: str = ''
    mix: Share = 0.0
    tinytim: str = ''
    fwhm: Positive = 2.5
    beta: Annotated[float, Rule('above 1', lambda beta: beta > 1)] = 3.0
    wavelength_nm: Positive = 606.0
    bandwidth: float = 0.2
    diffusion: NotNegative = 0.35
    aberrations: tuple[float, ...] = ()
    wing_radius: Count = 300
    defocus: NotNegative = 0.0
    coma: NotNegative = 0.0
    trail: NotNegative = 0.0
    angle: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == 'epsf' and not self.file:
            msg = "kind 'epsf' needs file, the grid"
            raise ConfigError(msg)


@dataclass(frozen=True)
class Camera(Settings):
    """
    A detector with its optics.

    Attributes
    ----------
    name, instrument, detector, filter : str
        As they go into headers. Instrument and detector decide which DQ bits are set.
    layout : str
        ``'flc'`` (primary, then SCI, ERR, DQ for each chip), ``'c0m'`` (primary, then
        SCI) or ``'ground'`` (one primary image).
    unit : str
        ``'ELECTRONS'``, ``'ELECTRONS/S'`` or ``'COUNTS'``.
    integer : bool
        Whether the written image is of integers, as raw frames are.
    shape : (int, int)
        Of one chip, (ny, nx).
    n_chips : int
        1 or 2; two lie above each other with ``chip_gap`` pixels between.
    pixel_size_um, thickness_um : float
        Pixel pitch, and thickness of the layer that collects charge.
    diffusion_um : float
        Standard deviation of the lateral spread of charge set free at the surface far
        from the gates.
    diffusion_tail : float
        Share of the charge that comes from a layer without field and spreads farther.
    plate_scale : float
        Arcseconds per pixel.
    spike_angles : (float, float)
        Directions of the two pairs of spikes, degrees from +x towards +y.
    gain, read_noise, full_well : float
        Electrons per count, electrons, electrons.
    bias_offset : float
        Left-over bias after calibration, electrons, standard deviation over exposures.
    pedestal : float
        Counts that every pixel starts from, so that integers need not be negative.
    dark, sky_rate : float
        Electrons per second and pixel.
    post_flash : float
        Electrons added to each pixel against losses in transfer.
    exptime : float
        Usual exposure time, seconds.
    cosmic_ray_rate : float
        Hits per second and square centimetre.
    cosmic_ray_site : str
        ``'orbit'`` (isotropic, protons and ions) or ``'ground'`` (muons, and electrons
        set free by radioactivity).
    bleeding : bool
        Whether charge above full well runs along the columns.
    cte_loss : float
        Share of a 1,000 electron packet's charge that is left behind (after any
        correction) by a transfer over the whole chip.
    hot_fraction, warm_fraction, dead_fraction, unstable_fraction : float
        Shares of all pixels.
    hot_rate : float
        Scale of the exponential distribution of the hot pixels' dark current, electrons
        per second.
    bad_columns : float
        Expected number in a chip.
    flag_completeness : float
        Share of the defects which DQ marks.
    flat_noise : float
        Residual of the pixel-to-pixel response after flat-fielding.
    psf : `PSFConfig`
        What the PSF is made from.
    """

    name: str
    instrument: str = ''
    detector: str = ''
    filter: str = ''
    layout: Annotated[str, one_of('flc', 'c0m', 'ground')] = 'flc'
    unit: Annotated[str, one_of('ELECTRONS', 'ELECTRONS/S', 'COUNTS')] = 'ELECTRONS'
    integer: bool = False
    shape: Annotated[tuple[int, int], _SHAPE] = (1024, 1024)
    n_chips: Annotated[int, Rule('1 or 2', lambda n: n in (1, 2))] = 1
    chip_gap: Natural = 35
    pixel_size_um: Positive = 15.0
    thickness_um: Positive = 15.0
    diffusion_um: NotNegative = 4.5
    diffusion_tail: Share = 0.25
    plate_scale: Positive = 0.05
    spike_angles: tuple[float, float] = (45.0, 135.0)
    gain: Positive = 1.0
    read_noise: NotNegative = 3.0
    full_well: Positive = 70000.0
    bias_offset: NotNegative = 0.3
    pedestal: NotNegative = 0.0
    dark: NotNegative = 0.002
    sky_rate: NotNegative = 0.02
    post_flash: NotNegative = 0.0
    exptime: Positive = 500.0
    cosmic_ray_rate: NotNegative = 1.1
    cosmic_ray_site: Annotated[str, one_of('orbit', 'ground')] = 'orbit'
    bleeding: bool = True
    cte_loss: Share = 0.0
    hot_fraction: Share = 0.002
    warm_fraction: Share = 0.004
    dead_fraction: Share = 0.0002
    unstable_fraction: Share = 0.0005
    hot_rate: NotNegative = 0.3
    bad_columns: NotNegative = 2.0
    flag_completeness: Share = 0.9
    flat_noise: NotNegative = 0.003
    psf: PSFConfig = field(default_factory=PSFConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        angles = self.spike_angles
        good = abs(np.sin(np.deg2rad(angles[0] - angles[1]))) > 0.2
        require(good, 'spike_angles', angles, 'two directions well apart, degrees')


def list_cameras() -> list[str]:
    """
    Return the names of the cameras that come with the package.

    Returns
    -------
    names : list of str
        In alphabetical order.
    """
    return sorted(path.stem for path in _FOLDER.glob('*.toml'))


def load_camera(name: str | Path) -> Camera:
    """
    Read a camera.

    Parameters
    ----------
    name : str or `~pathlib.Path`
        One of `list_cameras`, or the path of a TOML file.

    Returns
    -------
    camera : `Camera`
        Checked.

    Raises
    ------
    ConfigError
        When there is no such camera, the file is not TOML, a key is unknown or a value
        impossible.
    """
    path = Path(name)
    if path.suffix != '.toml':
        path = _FOLDER / f'{name}.toml'
        if not path.exists():
            msg = not_known('no camera', str(name), list_cameras())
            msg += '; or give the path of a .toml file'
            raise ConfigError(msg)
    camera = load_dataclass(Camera, path, name=path.stem)
    file = camera.psf.file
    local = path.parent / file
    if file and not Path(file).is_absolute() and local.exists():
        camera = replace(camera, psf=replace(camera.psf, file=str(local.resolve())))
    return camera


def random_camera(rng: np.random.Generator) -> Camera:
    """
    Draw a camera that does not exist, for domain randomisation.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.

    Returns
    -------
    camera : `Camera`
        Three of five in orbit with spikes at any angle, the others on the ground. A
        quarter is out of focus, has coma or does not follow the stars; one of four
        detectors in orbit is thick.
    """
    camera = _sound_camera(rng)
    if rng.random() < 0.25 and camera.cosmic_ray_site == 'orbit':
        camera = replace(camera, thickness_um=float(10 ** rng.uniform(1.4, 2.4)))
    if rng.random() >= 0.25:
        return camera
    faults = {
        'defocus': float(rng.uniform(1.5, 5)),
        'coma': float(rng.uniform(0.8, 4)),
        'trail': float(rng.uniform(0.8, 4)),
    }
    # One of them, sometimes two.
    kept = rng.choice([*faults], size=rng.choice([1, 1, 2]), replace=False)
    chosen: dict[str, Any] = {str(name): faults[str(name)] for name in kept}
    psf = replace(camera.psf, angle=float(rng.uniform(0, 180)), **chosen)
    return replace(camera, psf=psf)


def _sound_camera(rng: np.random.Generator) -> Camera:
    """Draw a camera in focus that follows the stars."""
    space = bool(rng.random() < 0.6)
    gain = float(np.exp(rng.uniform(np.log(0.8), np.log(8))))
    angle = float(rng.uniform(0, 90))
    skew = float(rng.normal(0, 3))
    pixel = float(rng.uniform(9, 24))
    common: dict[str, Any] = {
        'name': 'random',
        'instrument': 'SIM',
        'detector': 'CCD',
        'filter': 'ANY',
        'spike_angles': (angle, angle + 90 + skew),
        'gain': gain,
        'full_well': float(rng.uniform(4e4, 1.6e5)),
        'pixel_size_um': pixel,
        'hot_fraction': float(10 ** rng.uniform(-4, -2)),
        'warm_fraction': float(10 ** rng.uniform(-4, -2)),
        'bad_columns': float(rng.uniform(0, 4)),
        'bias_offset': float(rng.uniform(0, 1)),
        'flat_noise': float(10 ** rng.uniform(-3, -2)),
        'flag_completeness': float(rng.uniform(0.5, 1)),
    }
    if space:
        # The FWHM of HST's optics with pixel and diffusion comes out between 1.2
        # and 5 pixels for these ratios of wavelength to pixel.
        sampling = float(np.exp(rng.uniform(np.log(0.75), np.log(4.5))))
        wavelength = float(rng.uniform(275, 900))
        scale = wavelength * 1e-9 / optics.HST_DIAMETER * 206265 / sampling
        return Camera(
            **common,
            plate_scale=scale,
            thickness_um=float(rng.uniform(8, 20)),
            diffusion_um=float(rng.uniform(0.2, 0.38)) * pixel,
            read_noise=float(rng.uniform(2, 8)),
            dark=float(10 ** rng.uniform(-3, -1.7)),
            sky_rate=float(10 ** rng.uniform(-2.7, -0.5)),
            exptime=float(10 ** rng.uniform(1.8, 3.2)),
            cosmic_ray_rate=float(rng.uniform(0.7, 1.8)),
            cte_loss=float(rng.uniform(0, 0.12)),
            hot_rate=float(rng.uniform(0.05, 0.6)),
            psf=PSFConfig(
                kind='optical',
                wavelength_nm=wavelength,
                bandwidth=float(rng.uniform(0.05, 0.35)),
                diffusion=float(rng.uniform(0.2, 0.5)),
                aberrations=tuple(float(a) for a in rng.normal(0, 0.02, 5)),
                wing_radius=200,
            ),
        )
    return Camera(
        **common,
        layout='ground',
        pedestal=float(rng.uniform(100, 1000)),
        unit='COUNTS',
        integer=bool(rng.random() < 0.5),
        plate_scale=float(rng.uniform(0.15, 0.6)),
        thickness_um=float(rng.uniform(15, 100)),
        diffusion_um=float(rng.uniform(0.25, 0.5)) * pixel,
        read_noise=float(rng.uniform(3, 15)),
        dark=float(10 ** rng.uniform(-3, -0.5)),
        sky_rate=float(10 ** rng.uniform(-0.5, 1.3)),
        exptime=float(10 ** rng.uniform(1.3, 2.8)),
        cosmic_ray_rate=float(rng.uniform(0.01, 0.06)),
        cosmic_ray_site='ground',
        hot_rate=float(rng.uniform(0.5, 5)),
        psf=PSFConfig(
            kind='moffat' if rng.random() < 0.8 else 'gaussian',
            fwhm=float(np.exp(rng.uniform(np.log(1.2), np.log(4.8)))),
            beta=float(rng.uniform(2.2, 4.8)),
        ),
    )


def _psf_file(camera: Camera, file: str) -> Path:
    for folder in (data_folder(), Path.cwd()):
        if folder is not None and (folder / file).exists():
            return folder / file
    msg = (
        f'camera {camera.name!r}: no PSF file {file}; set the environment variable '
        'ASTROSIEVE_DATA to the folder that holds hst/, or give psf.file as a path'
    )
    raise ConfigError(msg)


def _tinytim_file(camera: Camera) -> Path | None:
    if not camera.psf.tinytim:
        return None
    parts = camera.psf.tinytim.split('/')
    if len(parts) != 3:
        msg = (
            f'camera {camera.name!r}: psf.tinytim must be '
            f"'instrument/detector/filter'; got {camera.psf.tinytim!r}"
        )
        raise ConfigError(msg)
    path = optics.tinytim_path(*parts)
    if path is None or not path.exists():
        where = 'drizzlepac is not installed' if path is None else f'no file {path}'
        msg = (
            f'camera {camera.name!r}: no TinyTim PSF {camera.psf.tinytim!r} ({where}); '
            "pip install drizzlepac, or set psf.tinytim = ''"
        )
        raise ConfigError(msg)
    return path


@lru_cache(maxsize=8)
def build_psf(camera: Camera, chip: int = 1) -> PSF:
    """
    Return a camera's PSF.

    Parameters
    ----------
    camera : `Camera`
        Its ``psf`` says what to build.
    chip : int, optional
        EXTVER, 1 (the lower one) or 2.

    Returns
    -------
    psf : `~astrosieve_training.simulate.psf.PSF`
        Positions are pixels of this chip. Kept in memory for the next call.
    """
    psf = _sharp_psf(camera, chip)
    faults = camera.psf
    if not (faults.defocus or faults.coma or faults.trail):
        return psf
    kernel = optics.ray_kernel(
        defocus=faults.defocus, coma=faults.coma, trail=faults.trail,
        angle=faults.angle,
    )  # fmt: skip
    return psf.blurred(kernel)


def _sharp_psf(camera: Camera, chip: int) -> PSF:
    psf = camera.psf
    if psf.kind == 'gaussian':
        return optics.gaussian_psf(psf.fwhm)
    if psf.kind == 'moffat':
        return optics.moffat_psf(psf.fwhm, psf.beta)
    tinytim = _tinytim_file(camera)
    if psf.kind == 'optical':
        return optics.optical_psf(
            wavelength_nm=psf.wavelength_nm,
            plate_scale=camera.plate_scale,
            bandwidth=psf.bandwidth,
            spike_angles=camera.spike_angles,
            diffusion=psf.diffusion,
            aberrations=psf.aberrations,
            tinytim=tinytim,
            wing_radius=psf.wing_radius,
        )
    planes, x_nodes, y_nodes = optics.epsf_planes(_psf_file(camera, psf.file))
    if psf.second_file:
        other, *_ = optics.epsf_planes(_psf_file(camera, psf.second_file))
        planes = (1 - psf.mix) * planes + psf.mix * other
    if camera.n_chips == 2:
        half = len(y_nodes) // 2
        rows = slice(0, half) if chip == 1 else slice(half, None)
        planes = planes.reshape(len(y_nodes), len(x_nodes), *planes.shape[1:])
        planes = planes[rows].reshape(-1, *planes.shape[2:])
        y_nodes = y_nodes[rows] - y_nodes[rows][0]
    wide = optics.optical_wings(
        wavelength_nm=psf.wavelength_nm,
        bandwidth=psf.bandwidth,
        plate_scale=camera.plate_scale,
        spike_angles=camera.spike_angles,
        wing_radius=psf.wing_radius,
        tinytim=tinytim,
    )
    planes, wings = optics.join_wings(planes, wide, match=True)
    return PSF(planes, x_nodes=x_nodes, y_nodes=y_nodes, wings=wings)
