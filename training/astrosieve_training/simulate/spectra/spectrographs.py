"""What a spectrograph is made of: slits, optics, detector."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from astrosieve_training.simulate.detector import Slab
from astrosieve_training.simulate.spectra.quirks import Quirks

__all__ = [
    'CCD',
    'FAMILIES',
    'ORIENTATIONS',
    'Slit',
    'Spectrograph',
]

FAMILIES = ('long_slit', 'multi_slit', 'echelle', 'fibre')
ORIENTATIONS = ('x+', 'x-', 'y+', 'y-')


@dataclass(frozen=True)
class CCD:
    """
    A detector and its electronics.

    Attributes
    ----------
    slab : `Slab`
        Silicon; the pitch is that of a pixel as read out, so with its binning.
    gain, read_noise, full_well : float
        Electrons per ADU, electrons, electrons.
    pedestal : float
        ADU.
    ceiling : float
        Largest ADU that is written.
    amplifiers : (int, int)
        Along y and x.
    overscan, prescan : int
        Columns of each amplifier without light.
    overscan_rows : int
        Rows without light.
    inner : bool
        Whether the overscans of two amplifiers lie between their halves.
    trimmed, subtracted : bool
        Whether overscans were cut off, and the pedestal taken off, before writing.
    number : str
        ``'uint16'``, ``'int16'`` (unsigned numbers read as signed), ``'int32'``,
        ``'float32'``.
    dark : float
        Electrons per second and pixel.
    hot_share, hot_rate : float
        Share of hot pixels, and their electrons per second.
    bad_columns : int
        Dead, hot, or trapped ones.
    response : float
        Standard deviation of the response of pixels.
    structure : float
        Size of the bias's pattern, ADU.
    glow : float
        Electrons per second at the corner next to the amplifier.
    cosmic_ray_rate : float
        Hits per second and square centimetre.
    read_time : float
        Seconds that a readout takes.
    infrared : bool
        An array without bleeding, its rows and columns read by channels.
    quirks : `~astrosieve_training.simulate.spectra.quirks.Quirks`
        What its electronics, and the archive, add.
    """

    slab: Slab
    gain: float
    read_noise: float
    full_well: float
    pedestal: float
    ceiling: float
    amplifiers: tuple[int, int]
    overscan: int
    prescan: int
    overscan_rows: int
    inner: bool
    trimmed: bool
    subtracted: bool
    number: str
    dark: float
    hot_share: float
    hot_rate: float
    bad_columns: int
    response: float
    structure: float
    glow: float
    cosmic_ray_rate: float
    read_time: float = 0.0
    infrared: bool = False
    quirks: Quirks = field(default_factory=Quirks)


@dataclass(frozen=True)
class Slit:
    """
    One slit, order or fibre, in a frame whose x is the dispersion, red to the right.

    Attributes
    ----------
    centre : float
        Row at the middle column.
    half : float
        Half of its length, pixels.
    bend : tuple of float
        How its row changes along x: coefficients of t and t squared, pixels, for t
        from -1 to 1.
    wave : tuple of float
        Wavelength as a polynomial in t, lowest order first, Angstrom.
    tilt, curve : float
        How a line moves along x per pixel, and per pixel squared, of the row.
    shift : float
        Further move of all lines, pixels.
    strength : float
        Relative throughput.
    blaze : (float, float) or None
        Wavelength of the peak of an order, and its free range.
    """

    centre: float
    half: float
    bend: tuple[float, float]
    wave: tuple[float, ...]
    tilt: float = 0.0
    curve: float = 0.0
    shift: float = 0.0
    strength: float = 1.0
    blaze: tuple[float, float] | None = None

    def wavelength(self, x: np.ndarray, n: int) -> np.ndarray:
        """Return the wavelength at a column of n, on the middle of the slit."""
        t = 2 * (np.asarray(x, float) - self.shift) / (n - 1) - 1
        return np.polynomial.polynomial.polyval(t, self.wave)


@dataclass(frozen=True)
class Spectrograph:
    """
    An instrument as it stands for a night.

    Attributes
    ----------
    name, family : str
        The family is one of ``FAMILIES``.
    seed : int
        What it was drawn with; fixes its detector's faults too.
    orientation : str
        ``'x+'``: wavelengths rise along x; ``'x-'``, ``'y+'``, ``'y-'``.
    shape : (int, int)
        Lit pixels of the detector, (ny, nx), binned.
    binning : (int, int)
        Along y and x.
    slits : tuple of `Slit`
        One, or many.
    fibre : bool
        Whether the slits are images of fibres, so without edges.
    lsf, slit_width, seeing : float
        Standard deviation of the line spread, width of the slit's image, and FWHM of a
        star, pixels.
    wings : float
        Share of a line's light in its wings.
    scatter, ghost : float
        Share of the light that goes astray.
    band : (float, float)
        Wavelengths at which filters cut.
    peak, breadth : float
        Where the throughput is best, and how broad it is, Angstrom.
    lamps : tuple of str
        Line lists of its arc lamps.
    arc_rate, flat_rate : float
        Electrons per second of the brightest line and of the flat lamp.
    flat_temperature : float
        Kelvin.
    sky_rate : float
        Electrons per second and pixel of the dark sky at the best wavelength.
    fringes : float
        Size of the fringes in the far red.
    site : str
        Whose extinction.
    ccd : `CCD`
        The detector.
    """

    name: str
    family: str
    seed: int
    orientation: str
    shape: tuple[int, int]
    binning: tuple[int, int]
    slits: tuple[Slit, ...]
    fibre: bool
    lsf: float
    slit_width: float
    seeing: float
    wings: float
    scatter: float
    ghost: float
    band: tuple[float, float]
    peak: float
    breadth: float
    lamps: tuple[str, ...]
    arc_rate: float
    flat_rate: float
    flat_temperature: float
    sky_rate: float
    fringes: float
    site: str
    ccd: CCD = field(repr=False)

    @property
    def optical_shape(self) -> tuple[int, int]:
        """Rows across the dispersion, columns along it."""
        ny, nx = self.shape
        return (ny, nx) if self.orientation[0] == 'x' else (nx, ny)

    def to_detector(self, image: np.ndarray) -> np.ndarray:
        """Turn an image with the dispersion along x, red right, to the detector."""
        if self.orientation[1] == '-':
            image = image[:, ::-1]
        return image if self.orientation[0] == 'x' else image.T

    def throughput(self, wave: np.ndarray) -> np.ndarray:
        """Return the relative efficiency at wavelengths, 1 at best."""
        low, high = self.band
        out = 1 / (1 + ((wave - self.peak) / self.breadth) ** 4)
        out *= 0.5 * (1 + np.tanh((wave - low) / 25))
        out *= 0.5 * (1 - np.tanh((wave - high) / 25))
        if not self.ccd.infrared:  # silicon: blind below 3000 and above 10900
            out *= np.clip((wave - 2900) / 1500, 0, 1) ** 0.7
            out *= np.clip((10900 - wave) / 2600, 0, 1) ** 0.8
        return out
