"""
One chip: a list of effects, each of which changes its state.

The state begins as a chip with its faults under an empty sky. An effect adds light,
charge or noise, and says in the planes what of it is whose; it draws from a stream of
chance that only depends on the seed, its own number, the chip and the exposure. So
effects can be added, left out or changed without a change of what the others draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS

from astrosieve_training.simulate.cameras import Camera, build_psf
from astrosieve_training.simulate.detector import flat_field, make_defects
from astrosieve_training.simulate.scene import Scene
from astrosieve_training.simulate.truth import COMPONENTS, Truth

__all__ = [
    'ChipState',
    'Effect',
    'SimulatedChip',
    'Stream',
    'simulate_chip',
    'stream',
]

# Wings are dropped where they fall below this share of a pixel's noise.
_LEVEL = 0.04


class Stream(IntEnum):
    """Streams of chance; further effects take further numbers."""

    SCENE = 0
    DEFECTS = 1
    HITS = 2
    NOISE = 3
    POINTING = 4
    LIGHT = 5
    FOREIGN_HITS = 6


def stream(seed: int, number: int, *key: int) -> np.random.Generator:
    """Return a stream of chance of an exposure."""
    return np.random.default_rng([int(seed), int(number), *key])


@dataclass(frozen=True)
class SimulatedChip:
    """
    One simulated chip.

    Attributes
    ----------
    sci, err : 2D float32 `~numpy.ndarray`
        In the camera's unit.
    dq : 2D int16 `~numpy.ndarray`
        DQ flags, in the bits of the camera's instrument.
    truth : `~astrosieve_training.simulate.truth.Truth`
        In electrons.
    noiseless : 2D float32 `~numpy.ndarray`
        Expected electrons with the cosmic rays and the sky, without the pedestal.
    electrons_per_unit : float
        What ``sci`` is to be multiplied by to become electrons.
    wcs : `~astropy.wcs.WCS`
        TAN.
    extver : int
        1, 2.
    origin : (int, int)
        Detector position (x, y) of the first pixel.
    """

    sci: np.ndarray
    err: np.ndarray
    dq: np.ndarray
    truth: Truth
    noiseless: np.ndarray
    electrons_per_unit: float
    wcs: WCS
    extver: int
    origin: tuple[int, int]


@dataclass
class ChipState:
    """
    A chip while it is simulated; effects change its arrays.

    Parameters
    ----------
    camera : `~astrosieve_training.simulate.cameras.Camera`
        With which it is taken.
    scene : `~astrosieve_training.simulate.scene.Scene`
        As the chip sees it.
    offset : (float, float)
        Chip position minus canvas position, pixels.
    wcs : `~astropy.wcs.WCS`
        Of the chip.
    shape : (int, int)
        Pixels, (ny, nx).
    origin : (int, int)
        Detector position (x, y) of the first pixel.
    exptime, sky : float
        Seconds; electrons per pixel, dark current and flash included.
    seed, extver, index : int
        Of the exposure, of the chip, and number in a dithered set.

    Attributes
    ----------
    psf : `~astrosieve_training.simulate.psf.PSF`
        Of the chip.
    defects : `~astrosieve_training.simulate.detector.Defects`
        Which stay from exposure to exposure, as does ``flat``.
    flat : 2D float32 `~numpy.ndarray`
        What is left of the response after flat-fielding.
    planes : dict of 2D float32 `~numpy.ndarray`
        Electrons above sky that each of
        `~astrosieve_training.simulate.truth.COMPONENTS` leaves; an effect may add one
        of another name, which the truth then has too.
    cosmic_rays : `~astropy.table.Table`
        As the truth has it.
    base : 2D float32 `~numpy.ndarray`
        Electrons of the sky.
    expected, charge : 2D float32 `~numpy.ndarray`
        Mean electrons in a pixel, and electrons that are there, of all that came.
    variance : 2D float32 `~numpy.ndarray`
        Of the photons and of the dark current.
    subtracted : 2D float32 `~numpy.ndarray`
        Dark current that the calibration takes away.
    image, error, noiseless : 2D float32 `~numpy.ndarray`
        Electrons as they are read out; their errors; what is expected of them.
    dq : 2D int16 `~numpy.ndarray`
        Flags.
    """

    camera: Camera
    scene: Scene
    offset: tuple[float, float]
    wcs: WCS
    shape: tuple[int, int]
    origin: tuple[int, int]
    exptime: float
    sky: float
    seed: int
    extver: int = 1
    index: int = 0

    def __post_init__(self) -> None:
        fixed = stream(self.seed, Stream.DEFECTS, self.extver)
        self.psf = build_psf(self.camera, self.extver)
        self.defects = make_defects(self.camera, self.shape, fixed)
        self.flat = flat_field(self.shape, self.camera.flat_noise, fixed)
        self.dq = self.defects.dq.copy()
        self.planes = {name: self._empty() for name in COMPONENTS}
        names = ('x', 'y', 'electrons', 'length', 'theta', 'kind')
        self.cosmic_rays = Table(names=names, dtype=[float] * 5 + ['U8'])
        self.base = self._empty() + np.float32(self.sky)
        self.expected, self.charge = self._empty(), self._empty()
        self.variance, self.subtracted = self._empty(), self._empty()
        self.image, self.error = self._empty(), self._empty()
        self.noiseless = self._empty()

    def _empty(self) -> np.ndarray:
        return np.zeros(self.shape, np.float32)

    @property
    def level(self) -> float:
        """Electrons below which the wings of a source are dropped."""
        return _LEVEL * float(np.sqrt(self.sky + self.camera.read_noise**2))


Effect = Callable[[ChipState, np.random.Generator], None]


def simulate_chip(
    state: ChipState, effects: Sequence[tuple[Effect, int]]
) -> SimulatedChip:
    """
    Simulate a chip.

    Parameters
    ----------
    state : `ChipState`
        To begin with; changed.
    effects : sequence of (callable, int)
        What changes the state, in this order, and the number of the stream from which
        it draws; effects of one number draw from it in turn.

    Returns
    -------
    chip : `SimulatedChip`
        With the truth of every pixel and source.
    """
    streams: dict[int, np.random.Generator] = {}
    for effect, number in effects:
        if number not in streams:
            streams[number] = stream(state.seed, number, state.extver, state.index)
        effect(state, streams[number])
    camera = state.camera
    scale = {'ELECTRONS': 1.0, 'ELECTRONS/S': state.exptime, 'COUNTS': camera.gain}[
        camera.unit
    ]
    readout = np.float32(camera.read_noise**2 + camera.gain**2 / 12)
    noise = np.sqrt(np.maximum(state.variance, 0) + readout)
    truth = Truth(
        planes={k: np.asarray(p, np.float32) for k, p in state.planes.items()},
        noise=noise,
        stars=_star_table(state, noise),
        galaxies=_galaxy_table(state.scene, state.shape),
        cosmic_rays=state.cosmic_rays,
        sky=float(state.sky),
        fwhm=state.psf.fwhm,
        full_well=camera.full_well,
    )
    return SimulatedChip(
        sci=(state.image / scale).astype(np.float32),
        err=(state.error / scale).astype(np.float32),
        dq=state.dq,
        truth=truth,
        noiseless=np.asarray(state.noiseless, np.float32),
        electrons_per_unit=scale,
        wcs=state.wcs,
        extver=state.extver,
        origin=state.origin,
    )


def _star_table(state: ChipState, noise: np.ndarray) -> Table:
    camera, scene, psf = state.camera, state.scene, state.psf
    shape, origin = state.shape, state.origin
    near = (scene.x > -40) & (scene.x < shape[1] + 40)
    near &= (scene.y > -40) & (scene.y < shape[0] + 40)
    index = np.flatnonzero(near)
    x, y, flux = scene.x[index], scene.y[index], scene.flux[index]
    share, peak = psf.box_share(x, y, origin=origin)
    box = np.minimum(share * flux, 9 * camera.full_well)
    xi = np.floor(x + 0.5).astype(int)
    yi = np.floor(y + 0.5).astype(int)
    variance = np.zeros(len(index))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            row = np.clip(yi + dy, 0, shape[0] - 1)
            column = np.clip(xi + dx, 0, shape[1] - 1)
            variance += noise[row, column].astype(float) ** 2
    return Table(
        {
            'id': index,
            'x': x,
            'y': y,
            'flux': flux,
            'box_electrons': box,
            'snr': box / np.sqrt(variance),
            'peak': peak * flux,
            'fwhm': np.full(len(index), psf.fwhm),
            'saturated': peak * flux > camera.full_well,
        }
    )


def _galaxy_table(scene: Scene, shape: tuple[int, int]) -> Table:
    galaxies, trails = scene.galaxies, scene.trails
    n, m = len(galaxies['x']), len(trails['x'])
    table = Table({k: v for k, v in galaxies.items() if k != 'seed'})
    table['trail'] = np.zeros(n)
    if m:
        extra = {name: np.full(m, np.nan) for name in table.colnames}
        extra |= {k: trails[k] for k in ('x', 'y', 'flux')}
        extra['radius'] = trails['length'] / 4
        extra['angle'] = np.deg2rad(trails['angle'])
        extra['trail'] = trails['length']
        table = Table({k: np.concatenate([table[k], extra[k]]) for k in table.colnames})
    near = (table['x'] > -60) & (table['x'] < shape[1] + 60)
    near &= (table['y'] > -60) & (table['y'] < shape[0] + 60)
    return table[near]
