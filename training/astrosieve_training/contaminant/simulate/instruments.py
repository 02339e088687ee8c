"""
Families of instruments: what their images have in common, and one drawn from each.

Ranges are wide on purpose: a network that learnt them is told nothing of an instrument.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from astrosieve_training.simulate.detector import Slab
from astrosieve_training.simulate.fields import log_uniform

__all__ = [
    'FAMILIES',
    'JUDGED_FAMILIES',
    'TRAINED_FAMILIES',
    'Family',
    'Instrument',
    'draw_instrument',
]

Range = tuple[float, float]


@dataclass(frozen=True)
class Family:
    """
    What the images of like instruments have in common.

    Parameters
    ----------
    detector : str
        'ccd', 'thick' (a fully depleted CCD), 'ir' or 'cmos'.
    fwhm, sky, read_noise, gain, well, exptime : (float, float)
        Lowest and highest: pixels, electrons a pixel, electrons, electrons per DN,
        electrons, seconds.
    psf : tuple of str
        Kinds of point-spread functions, each as often as it stands here.
    units : tuple of str
        'raw' (DN with pedestal), 'counts' (DN without), 'electron', 'rate' (electrons
        per second), 'scaled' (flux units), 'subtracted' (sky taken away). Of any, 6 in
        100 are a 'picture', a JPEG's grey of 256 levels.
    pixel_um, thickness_um, diffusion_um : float
        Of the silicon.
    site : str
        'orbit' or 'ground', which decides the particles.
    arms : tuple of int
        Numbers of diffraction spikes.
    bits : int
        Of the converter.
    without : tuple of str
        Classes that its images never have.
    """

    detector: str
    fwhm: Range
    sky: Range
    read_noise: Range
    gain: Range
    well: Range
    exptime: Range = (20.0, 900.0)
    psf: tuple[str, ...] = ('moffat',)
    units: tuple[str, ...] = ('raw', 'counts', 'electron', 'scaled', 'subtracted')
    pixel_um: float = 15.0
    thickness_um: float = 20.0
    diffusion_um: float = 4.5
    site: str = 'ground'
    arms: tuple[int, ...] = (4,)
    bits: int = 16
    without: tuple[str, ...] = ()


_NO_BLEED = ('bleed',)
FAMILIES = {
    'hst_ccd': Family(
        'ccd', (1.4, 2.4), (8, 300), (3, 8), (0.8, 2.0), (5e4, 9e4), (60, 1500),
        ('airy', 'undersampled', 'moffat'), ('raw', 'counts', 'electron', 'rate'),
        thickness_um=15.0, site='orbit',
    ),
    'hst_ir': Family(
        'ir', (1.2, 2.3), (60, 3000), (9, 22), (1.5, 3.0), (4e4, 1e5), (50, 1500),
        ('undersampled', 'airy'), ('electron', 'rate', 'counts', 'subtracted'),
        pixel_um=18.0, thickness_um=8.0, site='orbit', without=_NO_BLEED,
    ),
    'lsst_thick': Family(
        'thick', (2.8, 6.0), (100, 4000), (4, 9), (1.0, 2.0), (8e4, 1.5e5), (15, 60),
        pixel_um=10.0, thickness_um=100.0,
    ),
    'decam': Family(
        'thick', (2.8, 6.0), (100, 20000), (6, 10), (3.0, 5.0), (1e5, 1.8e5),
        pixel_um=15.0, thickness_um=250.0, diffusion_um=7.0, arms=(4, 4, 8),
    ),
    'ztf': Family(
        'ccd', (1.5, 3.2), (200, 3000), (8, 12), (5.0, 6.5), (2e5, 3.5e5), (30, 60),
        ('moffat', 'gauss'), thickness_um=30.0,
    ),
    'mosaic_thin': Family(
        'ccd', (2.4, 6.0), (50, 8000), (3, 8), (1.0, 3.0), (5e4, 2e5), (30, 600),
        ('moffat', 'gauss'), thickness_um=20.0, arms=(4, 4, 6),
    ),
    'amateur_ccd': Family(
        'ccd', (1.8, 6.0), (60, 9000), (7, 18), (0.4, 2.5), (2e4, 1e5), (10, 900),
        ('moffat', 'gauss', 'moffat', 'airy'), ('raw', 'raw', 'counts', 'subtracted'),
        pixel_um=9.0, thickness_um=12.0, arms=(3, 4, 4, 6),
    ),
    'segmented_ir': Family(
        'ir', (1.2, 2.6), (20, 3000), (6, 18), (1.4, 2.4), (4e4, 1e5), (20, 1500),
        ('airy', 'undersampled', 'moffat'), ('rate', 'rate', 'electron', 'counts'),
        pixel_um=18.0, thickness_um=8.0, site='orbit', arms=(6, 8), without=_NO_BLEED,
    ),
    'survey_cmos': Family(
        'cmos', (1.5, 5.0), (30, 5000), (1.2, 4), (0.2, 2.0), (1.5e4, 9e4), (1, 120),
        ('moffat', 'gauss'), ('raw', 'raw', 'counts', 'electron', 'scaled'),
        pixel_um=4.0, thickness_um=6.0, diffusion_um=2.0, without=_NO_BLEED,
    ),
    'allsky': Family(
        'cmos', (1.2, 2.2), (100, 9000), (2, 9), (0.3, 2.0), (1e4, 6e4), (1, 60),
        ('gauss', 'undersampled', 'moffat'), ('raw', 'counts', 'subtracted'),
        pixel_um=6.0, thickness_um=6.0, arms=(2, 4, 6), bits=14, without=_NO_BLEED,
    ),
    'photometer': Family(
        'ccd', (2.5, 6.0), (20, 4000), (4, 12), (1.0, 2.5), (6e4, 2e5), (5, 300),
        ('defocused', 'defocused', 'moffat'), ('raw', 'counts', 'electron'),
        arms=(4, 6),
    ),
    'near_ir': Family(
        'ir', (1.5, 3.5), (2000, 40000), (10, 30), (1.5, 5.0), (5e4, 2e5), (2, 60),
        ('moffat', 'gauss'), ('raw', 'counts', 'subtracted', 'subtracted', 'scaled'),
        pixel_um=20.0, thickness_um=8.0, arms=(4, 6), without=_NO_BLEED,
    ),
    'undersampled': Family(
        'ccd', (1.0, 1.8), (3, 3000), (2, 15), (0.5, 5.0), (2e4, 2e5), (1, 2000),
        ('moffat', 'gauss', 'airy', 'undersampled'),
        ('raw', 'counts', 'electron', 'rate', 'scaled', 'subtracted'),
        thickness_um=30.0, arms=(2, 3, 4, 4, 6, 8),
    ),
    'narrow': Family(
        'ccd', (0.9, 1.6), (20, 2000), (3, 10), (0.5, 3.0), (3e4, 2e5), (10, 900),
        ('moffat', 'moffat', 'gauss', 'airy'),
        ('raw', 'counts', 'electron', 'rate', 'subtracted'), arms=(4, 4, 6),
    ),
    'any': Family(
        'ccd', (1.2, 6.0), (3, 20000), (2, 20), (0.5, 5.0), (2e4, 3e5), (1, 2000),
        ('moffat', 'gauss', 'airy', 'undersampled', 'defocused'),
        ('raw', 'counts', 'electron', 'rate', 'scaled', 'subtracted'),
        thickness_um=40.0, arms=(2, 3, 4, 4, 6, 8),
    ),
    'hsc_thick': Family(
        'thick', (2.5, 5.5), (300, 12000), (4, 6), (2.5, 3.5), (1e5, 1.8e5), (30, 300),
        thickness_um=200.0, diffusion_um=7.5,
    ),
    'euclid_vis': Family(
        'ccd', (1.6, 2.4), (40, 300), (3, 6), (3.0, 4.0), (1e5, 2e5), (80, 600),
        ('airy', 'airy', 'moffat'), ('counts', 'electron', 'raw'),
        pixel_um=12.0, thickness_um=40.0, site='orbit', arms=(6,),
    ),
    'vista_ir': Family(
        'ir', (2.0, 4.0), (1000, 30000), (15, 25), (3.0, 5.0), (1e5, 1.5e5), (5, 60),
        ('moffat',), ('raw', 'counts', 'subtracted', 'scaled'),
        pixel_um=20.0, thickness_um=8.0, without=_NO_BLEED,
    ),
    'small_cmos': Family(
        'cmos', (1.8, 5.0), (20, 3000), (1.0, 3.5), (0.1, 1.2), (1.2e4, 6e4), (5, 300),
        ('moffat', 'gauss'), ('raw', 'raw', 'counts', 'electron'),
        pixel_um=3.8, thickness_um=6.0, diffusion_um=2.0, arms=(4, 6), bits=12,
        without=_NO_BLEED,
    ),
}  # fmt: skip
JUDGED_FAMILIES = ('hsc_thick', 'euclid_vis', 'vista_ir', 'small_cmos')
"""Families that no training image has."""
TRAINED_FAMILIES = tuple(name for name in FAMILIES if name not in JUDGED_FAMILIES)


@dataclass(frozen=True)
class Instrument:
    """
    An instrument of a family, and its exposure.

    Parameters
    ----------
    family : str
        Name of its family.
    kind : `Family`
        What it shares with that.
    psf : str
        Kind of its point-spread function.
    fwhm : float
        Pixels.
    sky, read_noise, gain, well, exptime : float
        As in `Family`, values instead of ranges; the sky holds the dark charge.
    unit : str
        Of its images.
    pedestal : float
        DN.
    coupling : float
        Share of a pixel's charge that each of its four neighbours reads (IR arrays).
    slab : `~astrosieve_training.simulate.detector.Slab`
        In which particles leave charge.
    """

    family: str
    kind: Family
    psf: str
    fwhm: float
    sky: float
    read_noise: float
    gain: float
    well: float
    exptime: float
    unit: str
    pedestal: float
    coupling: float
    slab: Slab

    @property
    def noise(self) -> float:
        """Standard deviation of a pixel of empty sky, electrons."""
        rounding = self.gain**2 / 12 if self.unit in ('raw', 'counts') else 0.0
        return float(np.sqrt(self.sky + self.read_noise**2 + rounding))

    @property
    def ceiling(self) -> float:
        """Electrons above which nothing is told: full well, or the converter's end."""
        converter = (2.0**self.kind.bits - 1 - self.pedestal) * self.gain
        return float(min(self.well, converter))


def draw_instrument(rng: np.random.Generator, family: str) -> Instrument:
    """
    Draw an instrument of a family.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Source of chance.
    family : str
        A key of `FAMILIES`.

    Returns
    -------
    instrument : `Instrument`
        Whose sky leaves at least the upper 60 % of the full well.
    """
    kind = FAMILIES[family]
    gain, well = log_uniform(rng, *kind.gain), log_uniform(rng, *kind.well)
    top = 2**kind.bits
    pedestal = log_uniform(rng, 0.001 * top, 0.05 * top)
    gain = max(gain, 0.3 * well / top)
    sky = min(log_uniform(rng, *kind.sky), 0.4 * min(well, gain * top))
    reading = log_uniform(rng, *kind.read_noise)
    if rng.random() < 0.05:  # a converter too coarse for the noise
        gain = max(gain, float(np.sqrt(sky + reading**2)) * rng.uniform(0.5, 2))
    slab = Slab(
        kind.pixel_um,
        kind.thickness_um * rng.uniform(0.7, 1.5),
        kind.diffusion_um * rng.uniform(0.7, 1.4),
        0.0 if kind.detector == 'thick' else 0.25,
    )
    unit = str(rng.choice(kind.units)) if rng.random() >= 0.06 else 'picture'
    coupling = rng.uniform(0, 0.02) if kind.detector == 'ir' else 0.0
    return Instrument(
        family, kind, str(rng.choice(kind.psf)), log_uniform(rng, *kind.fwhm), sky,
        reading, gain, well, log_uniform(rng, *kind.exptime),
        unit, pedestal, coupling, slab,
    )  # fmt: skip
