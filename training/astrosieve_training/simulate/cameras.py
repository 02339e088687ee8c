"""
Cameras: what a detector and its optics are, read from short TOML files.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.exceptions import AstrosieveError
from astrosieve_training.data_folder import data_directory
from astrosieve_training.simulate import optics

__all__ = [
    'Camera',
    'CameraError',
    'PSFConfig',
    'build_psf',
    'list_cameras',
    'load_camera',
    'random_camera',
]

_FOLDER = Path(__file__).resolve().parents[1] / 'cameras'
_LAYOUTS = ('flc', 'c0m', 'ground')
_UNITS = ('ELECTRONS', 'ELECTRONS/S', 'COUNTS')
_KINDS = ('epsf', 'optical', 'moffat', 'gaussian')


class CameraError(AstrosieveError, ValueError):
    """A camera that cannot be: wrong key, impossible value, missing file."""


@dataclass(frozen=True)
class PSFConfig:
    """
    What a camera's PSF is made from.

    Attributes
    ----------
    kind : str
        ``'epsf'`` (STScI grid), ``'optical'`` (GalSim with HST's pupil), ``'moffat'``
        or ``'gaussian'``.
    file : str
        The ePSF grid: a path, or a name inside the data directory's ``hst`` folder.
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
    """

    kind: str = 'moffat'
    file: str = ''
    second_file: str = ''
    mix: float = 0.0
    tinytim: str = ''
    fwhm: float = 2.5
    beta: float = 3.0
    wavelength_nm: float = 606.0
    bandwidth: float = 0.2
    diffusion: float = 0.35
    aberrations: tuple[float, ...] = ()
    wing_radius: int = 300


@dataclass(frozen=True)
class Camera:
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
    layout: str = 'flc'
    unit: str = 'ELECTRONS'
    integer: bool = False
    shape: tuple[int, int] = (1024, 1024)
    n_chips: int = 1
    chip_gap: int = 35
    pixel_size_um: float = 15.0
    thickness_um: float = 15.0
    diffusion_um: float = 4.5
    diffusion_tail: float = 0.25
    plate_scale: float = 0.05
    spike_angles: tuple[float, float] = (45.0, 135.0)
    gain: float = 1.0
    read_noise: float = 3.0
    full_well: float = 70000.0
    bias_offset: float = 0.3
    pedestal: float = 0.0
    dark: float = 0.002
    sky_rate: float = 0.02
    post_flash: float = 0.0
    exptime: float = 500.0
    cosmic_ray_rate: float = 1.1
    cosmic_ray_site: str = 'orbit'
    bleeding: bool = True
    cte_loss: float = 0.0
    hot_fraction: float = 0.002
    warm_fraction: float = 0.004
    dead_fraction: float = 0.0002
    unstable_fraction: float = 0.0005
    hot_rate: float = 0.3
    bad_columns: float = 2.0
    flag_completeness: float = 0.9
    flat_noise: float = 0.003
    psf: PSFConfig = field(default_factory=PSFConfig)

    def __post_init__(self) -> None:
        _check(self)


_POSITIVE = (
    'pixel_size_um', 'thickness_um', 'plate_scale', 'gain', 'full_well', 'exptime',
)  # fmt: skip
_NOT_NEGATIVE = (
    'diffusion_um', 'read_noise', 'bias_offset', 'pedestal', 'dark', 'sky_rate',
    'post_flash', 'cosmic_ray_rate', 'hot_rate', 'bad_columns', 'flat_noise',
    'chip_gap',
)  # fmt: skip
_SHARES = (
    'diffusion_tail', 'cte_loss', 'hot_fraction', 'warm_fraction', 'dead_fraction',
    'unstable_fraction', 'flag_completeness',
)  # fmt: skip


def _require(ok: bool, name: str, camera: str, value: object, rule: str) -> None:
    if not ok:
        msg = f'camera {camera!r}: {name} must be {rule}; got {value!r}'
        raise CameraError(msg)


def _check(camera: Camera) -> None:
    def finite(value: object) -> bool:
        return isinstance(value, int | float) and bool(np.isfinite(value))

    for names, rule, test in (
        (_POSITIVE, 'a positive number', lambda v: v > 0),
        (_NOT_NEGATIVE, 'a number, 0 or more', lambda v: v >= 0),
        (_SHARES, 'a share between 0 and 1', lambda v: 0 <= v <= 1),
    ):
        for name in names:
            value = getattr(camera, name)
            _require(finite(value) and test(value), name, camera.name, value, rule)
    for name, allowed in (
        ('layout', _LAYOUTS),
        ('unit', _UNITS),
        ('cosmic_ray_site', ('orbit', 'ground')),
    ):
        value = getattr(camera, name)
        rule = 'one of ' + ', '.join(map(repr, allowed))
        _require(value in allowed, name, camera.name, value, rule)
    _require(camera.n_chips in (1, 2), 'n_chips', camera.name, camera.n_chips, '1 or 2')
    shape = camera.shape
    good = len(shape) == 2 and all(isinstance(n, int) and n >= 32 for n in shape)
    _require(good, 'shape', camera.name, shape, 'two integers, 32 or more')
    psf = camera.psf
    rule = 'one of ' + ', '.join(map(repr, _KINDS))
    _require(psf.kind in _KINDS, 'psf.kind', camera.name, psf.kind, rule)
    for name in ('fwhm', 'wavelength_nm', 'wing_radius'):
        value = getattr(psf, name)
        _require(
            finite(value) and value > 0, f'psf.{name}', camera.name, value,
            'a positive number',
        )  # fmt: skip
    _require(psf.beta > 1, 'psf.beta', camera.name, psf.beta, 'above 1')
    _require(0 <= psf.mix <= 1, 'psf.mix', camera.name, psf.mix, 'between 0 and 1')
    _require(
        psf.diffusion >= 0, 'psf.diffusion', camera.name, psf.diffusion, '0 or more'
    )
    if psf.kind == 'epsf' and not psf.file:
        msg = f"camera {camera.name!r}: psf.kind 'epsf' needs psf.file"
        raise CameraError(msg)
    angles = camera.spike_angles
    good = len(angles) == 2 and all(finite(a) for a in angles)
    good = good and abs(np.sin(np.deg2rad(angles[0] - angles[1]))) > 0.2
    _require(
        good, 'spike_angles', camera.name, angles, 'two directions well apart, degrees'
    )


def _convert(cls: type, values: dict[str, Any], where: str, source: str) -> Any:
    known = {f.name: f for f in fields(cls)}
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f'; did you mean {near[0]!r}?' if near else ''
            msg = f'{source}: unknown key {where}{key!r}{hint}'
            raise CameraError(msg)
    out: dict[str, Any] = {}
    for key, value in values.items():
        f = known[key]
        if f.default is not MISSING:
            default = f.default
        elif f.default_factory is not MISSING:
            default = f.default_factory()
        else:
            default = ''
        if isinstance(default, PSFConfig):
            if not isinstance(value, dict):
                msg = f'{source}: {key} must be a table; got {value!r}'
                raise CameraError(msg)
            out[key] = _convert(PSFConfig, value, 'psf.', source)
        elif isinstance(default, tuple):
            if not isinstance(value, list):
                msg = f'{source}: {where}{key} must be a list; got {value!r}'
                raise CameraError(msg)
            out[key] = tuple(value)
        elif isinstance(default, bool) != isinstance(value, bool) or not isinstance(
            value, (int, float) if isinstance(default, float) else type(default)
        ):
            kind = 'number' if isinstance(default, float) else type(default).__name__
            msg = f'{source}: {where}{key} must be of type {kind}; got {value!r}'
            raise CameraError(msg)
        else:
            out[key] = float(value) if isinstance(default, float) else value
    return cls(**out)


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
    CameraError
        When there is no such camera, the file is not TOML, a key is unknown or a value
        impossible.
    """
    path = Path(name)
    if path.suffix != '.toml':
        path = _FOLDER / f'{name}.toml'
        if not path.exists():
            near = difflib.get_close_matches(str(name), list_cameras(), n=1, cutoff=0.4)
            hint = f'; did you mean {near[0]!r}?' if near else ''
            msg = (
                f'no camera {str(name)!r}{hint} Known: {", ".join(list_cameras())}; '
                'or give the path of a .toml file'
            )
            raise CameraError(msg)
    try:
        values = tomllib.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError as err:
        msg = f'no camera file {path}'
        raise CameraError(msg) from err
    except tomllib.TOMLDecodeError as err:
        msg = f'{path} is not valid TOML: {err}'
        raise CameraError(msg) from err
    values.setdefault('name', path.stem)
    camera = _convert(Camera, values, '', str(path))
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
        Half of them in orbit with spikes at any angle, half on the ground.
    """
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
        scale = wavelength * 1e-9 / _DIAMETER * 206265 / sampling
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


_DIAMETER = 2.4


def _psf_file(camera: Camera, file: str) -> Path:
    path = Path(file)
    if path.is_absolute():
        if path.exists():
            return path
    else:
        for folder in (data_directory() / 'hst', Path.cwd()):
            if (folder / file).exists():
                return folder / file
        path = data_directory() / 'hst' / file
    msg = (
        f'camera {camera.name!r}: no PSF file {path}; set the environment variable '
        'ASTROSIEVE_DATA to the folder that holds hst/, or give psf.file as a path'
    )
    raise CameraError(msg)


def _tinytim_file(camera: Camera) -> Path | None:
    if not camera.psf.tinytim:
        return None
    parts = camera.psf.tinytim.split('/')
    if len(parts) != 3:
        msg = (
            f'camera {camera.name!r}: psf.tinytim must be '
            f"'instrument/detector/filter'; got {camera.psf.tinytim!r}"
        )
        raise CameraError(msg)
    path = optics.tinytim_path(*parts)
    if path is None or not path.exists():
        where = 'drizzlepac is not installed' if path is None else f'no file {path}'
        msg = (
            f'camera {camera.name!r}: no TinyTim PSF {camera.psf.tinytim!r} ({where}); '
            "pip install drizzlepac, or set psf.tinytim = ''"
        )
        raise CameraError(msg)
    return path


@lru_cache(maxsize=8)
def build_psf(camera: Camera, chip: int = 1) -> optics.PSF:
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
    psf : `~astrosieve_training.simulate.optics.PSF`
        Positions are pixels of this chip. Kept in memory for the next call.
    """
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
    return optics.PSF(planes, x_nodes=x_nodes, y_nodes=y_nodes, wings=wings)
