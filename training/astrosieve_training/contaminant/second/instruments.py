"""What an instrument is: its optics, its detector, the scenes it is pointed at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = [
    'Chip',
    'GroundOptics',
    'Instrument',
    'Layers',
    'Scene',
    'SpaceOptics',
    'Vanes',
]

Layers = tuple[tuple[str, float], ...]
"""Kinds of what is added, and how high each is, in noises of the empty sky."""


@dataclass(frozen=True)
class SpaceOptics:
    """
    A telescope in space: its images are those of its pupil.

    Parameters
    ----------
    pupil : str
        'hst', 'euclid' or 'jwst'.
    scale : float
        Wavelength over diameter, pixels.
    band : float
        Half of the filter's width, in wavelengths.
    jitter : float
        Standard deviation of the pointing, pixels.
    angle : float
        By which the pupil is turned against the rows, degrees.
    """

    pupil: str
    scale: float
    band: float
    jitter: float
    angle: float


@dataclass(frozen=True)
class Vanes:
    """
    What holds a secondary mirror, and makes spikes.

    Parameters
    ----------
    angles : tuple of float
        Of the spikes, degrees from the rows; each has two arms.
    share : float
        Of a star's light in each spike, before all is scaled to one.
    length : float
        Where a spike begins to fall, pixels.
    """

    angles: tuple[float, ...]
    share: float
    length: float


@dataclass(frozen=True)
class GroundOptics:
    """
    A telescope under the atmosphere.

    Parameters
    ----------
    fwhm : float
        Of the seeing, pixels.
    beta : float
        Power of its Moffat profile.
    vanes : `Vanes`
        That make spikes.
    vignetted : bool
        Whether the corners get less light.
    """

    fwhm: float
    beta: float
    vanes: Vanes
    vignetted: bool = False


@dataclass(frozen=True)
class Chip:
    """
    A detector and its electronics.

    Parameters
    ----------
    gain : float
        Electrons per DN.
    read_noise, full_well : float
        Electrons.
    thickness, pixel : float
        Micrometres.
    diffusion : float
        Standard deviation of charge from the far side, pixels.
    mix : (float, float, float, float)
        Relative numbers of tracks, stopping electrons, X-rays and alpha particles.
    converter : float
        Its highest number, DN.
    orbit : bool
        Whether particles come from everywhere, and slow nuclei among them.
    coupling : float
        Share of a pixel's signal that each of four neighbours reads; IR arrays only.
    trailing : float
        Share of the charge that is left behind on the way from the farthest row.
    bleeds : bool
        Whether charge of full pixels runs along the columns.
    quadrants : bool
        Whether the upper half is read by amplifiers of its own, and both halves decay.
    telegraph : bool
        Whether hot pixels flicker and some pixels are noisy.
    """

    gain: float
    read_noise: float
    full_well: float
    thickness: float
    pixel: float
    diffusion: float
    mix: tuple[float, float, float, float]
    converter: float = np.inf
    orbit: bool = False
    coupling: float = 0.0
    trailing: float = 0.0
    bleeds: bool = False
    quadrants: bool = False
    telegraph: bool = False


@dataclass(frozen=True)
class Scene:
    """
    An exposure of an instrument: what is in it.

    Parameters
    ----------
    shape : (int, int)
        Pixels, (ny, nx).
    unit : str
        'DN', 'DN/s', 'electron' or 'electron/s'.
    pedestal : float
        In that unit.
    exptime : float
        Seconds.
    sky : float
        Electrons in a pixel; by some 12 % more or less in an image.
    stars : int
        Number, apart from bright ones.
    slope : float
        Of their cumulative numbers with flux.
    bright : tuple of float
        Peaks of bright stars, full wells.
    galaxies, hits, hot, bad : int
        Numbers of galaxies, particles, hot pixels and bad pixels.
    clusters, hot_columns, bad_columns, bad_rows, snowballs, dust : int
        Numbers; one bad column or row more in 3 or 4 of 10 images that have any.
    amplifiers : int
        Read side by side.
    row_noise, pattern : float
        Noise common to a row, and a ripple's height, read noises.
    reflections, trails, nebulae, persistence : tuple of (str, float)
        Kinds, and heights in noises of the empty sky.
    fringes : (float, float) or None
        Height in noises of the empty sky, and number of waves.
    overscan : int
        Columns on the right that see no light.
    tree_rings, hatching, shade, pyramid : bool
        Rings of the silicon's growth and a hatching, both in the flat; whether the dome
        cuts a part of the field; the shadow of WFPC2's pyramid.
    gain, fwhm : float or None
        In place of the instrument's.
    ellipticity, coma : float
        Of stars.
    defocus : float
        Radius of a star out of focus, pixels.
    spikes : bool
        Whether the vanes make spikes.
    """

    shape: tuple[int, int]
    unit: str
    pedestal: float
    exptime: float
    sky: float
    stars: int
    slope: float
    bright: tuple[float, ...]
    galaxies: int
    hits: int
    hot: int
    bad: int
    clusters: int = 0
    hot_columns: int = 0
    bad_columns: int = 0
    bad_rows: int = 0
    snowballs: int = 0
    dust: int = 0
    amplifiers: int = 1
    row_noise: float = 0.0
    pattern: float = 0.0
    reflections: Layers = ()
    trails: Layers = ()
    nebulae: Layers = ()
    persistence: Layers = ()
    fringes: tuple[float, float] | None = None
    overscan: int = 0
    tree_rings: bool = False
    hatching: bool = False
    shade: bool = False
    pyramid: bool = False
    gain: float | None = None
    fwhm: float | None = None
    ellipticity: float = 0.04
    coma: float = 0.0
    defocus: float = 0.0
    spikes: bool = True


@dataclass(frozen=True)
class Instrument:
    """
    A telescope, its camera, and what they are pointed at.

    Parameters
    ----------
    description : str
        In a line.
    optics : `SpaceOptics` or `GroundOptics`
        What makes a star's image.
    chip : `Chip`
        What collects and reads it.
    scenes : (`Scene`, `Scene`)
        That take turns.
    """

    description: str
    optics: SpaceOptics | GroundOptics
    chip: Chip
    scenes: tuple[Scene, Scene]
