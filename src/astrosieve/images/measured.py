"""An image with what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike

from astrosieve.images.background import (
    Background,
    BackgroundMesh,
    measure_background,
    measure_mesh,
)
from astrosieve.images.dq import DQMeaning, dq_to_mask
from astrosieve.images.instruments import instrument
from astrosieve.images.pixels import spoilt_pixels
from astrosieve.images.psf import PSFStars, find_psf_stars
from astrosieve.images.saturation import Plateaus, find_plateaus
from astrosieve.images.traits import ImageTraits, measure_traits
from astrosieve.images.units import (
    PixelUnit,
    electron_scale,
    parse_unit,
    plain_number,
)

if TYPE_CHECKING:
    from astrosieve.images.exposures import Chip

__all__ = ['HandedOver', 'MeasuredImage']

# How far, as a factor, an estimated width may be from the nominal one of a camera: its
# filters are between, HRC's F330W of 1.6 pixels for instance, and a telescope breathes.
_PLAUSIBLE = (0.65, 1.6)
_GIVEN_ERROR = 0.15  # of the logarithm of a width that was given
_APART = 1.5  # the factor between what was given and the stars, beyond which they err
# FWHM, pixels, and what Gaussians fitted to 3x3 pixels say of it: HST's cameras.
_APPARENT = (
    (1.25, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0),
    (1.55, 1.67, 1.82, 1.95, 2.07, 2.55, 3.0),
)
_WIDEST = 50.0  # pixels: finders need the memory of its square about each detection


@dataclass(frozen=True)
class HandedOver:
    """
    An image as users hand it over, taken apart.

    Parameters
    ----------
    data : 2D array_like
        Pixels; a Quantity where they have a unit.
    mask, err : 2D array_like or None
        What comes with it.
    wcs : object or None
        WCS of astropy's common interface.
    """

    data: Any
    mask: ArrayLike | None = None
    err: ArrayLike | None = None
    wcs: Any = None

    @classmethod
    def of(cls, data: Any) -> HandedOver:
        """
        Take an array, Quantity, masked array, NDData or CCDData apart.

        Raises
        ------
        TypeError
            If it is none of these; the message says what to pass.
        """
        name = type(data).__name__
        cure = None
        if isinstance(data, (str, bytes, PathLike)):
            name = f'the name {str(data)!r}'
            cure = 'open the file with astrosieve.images.read_chips or CCDData.read'
        elif hasattr(data, 'fileinfo'):  # of astropy's HDUs and their lists
            cure = 'pass the pixels, hdu.data, with unit=, or CCDData.read(file)'
        if cure:
            kinds = 'an array, Quantity, NDData or CCDData'
            msg = f'data must be {kinds}, not {name}: {cure}'
            raise TypeError(msg)
        if not hasattr(data, 'uncertainty'):
            return cls(data)
        pixels = data.data if data.unit is None else data.data << data.unit
        return cls(pixels, data.mask, _errors(data.uncertainty), data.wcs)


def _errors(uncertainty: Any) -> np.ndarray | None:
    """Return what is not finite where an uncertainty says that nothing is known."""
    array = getattr(uncertainty, 'array', None)
    if array is None or uncertainty.uncertainty_type != 'ivar':
        return array
    with np.errstate(divide='ignore'):
        return np.asarray(1 / np.asarray(array, dtype=float))


@dataclass(frozen=True, eq=False)
class MeasuredImage:
    """
    An image with what is known of it, and what is measured on it once.

    Made by `of` and `of_chip`.

    Parameters
    ----------
    sci : 2D float32 `~numpy.ndarray`
        Pixels, in ``unit``.
    spoilt : 2D uint8 `~numpy.ndarray` or None
        Which pixels are not usable, and why, as from
        `~astrosieve.images.pixels.spoilt_pixels`.
    dq : 2D integer `~numpy.ndarray` or None
        DQ flags.
    dq_bits : `~astrosieve.images.dq.DQMeaning`
        Meaning of the DQ bits.
    unit : `~astrosieve.images.units.PixelUnit` or None
        Unit of the pixels; None where it is not known.
    gain, exptime : float or None
        Electrons per DN, and seconds; None where they are not known.
    electrons_per_unit : float
        What pixels are multiplied by to be electrons; what is not known counts as 1.
    problem : str or None
        What of it is not known, and how to say it.
    given_fwhm : float or None
        FWHM of the PSF, pixels, as it was given.
    nominal_fwhm : float or None
        That of the camera.
    estimates_fwhm : bool
        Whether the image is asked for its width, too.
    wcs : object or None
        WCS of astropy's common interface, if there is one.
    likely_stars : callable or None
        Called with this image and places, says how likely they are stars, as
        `~astrosieve.images.psf.LikelyStars` does: a classifier that chooses the stars
        by which the width of the PSF is measured.
    """

    sci: np.ndarray
    spoilt: np.ndarray | None
    dq: np.ndarray | None
    dq_bits: DQMeaning
    unit: PixelUnit | None
    gain: float | None
    exptime: float | None
    electrons_per_unit: float
    problem: str | None
    given_fwhm: float | None
    nominal_fwhm: float | None
    estimates_fwhm: bool
    wcs: Any = None
    likely_stars: Callable[[MeasuredImage, np.ndarray], Any] | None = None

    @classmethod
    def of(
        cls,
        data: ArrayLike | u.Quantity,
        *,
        mask: ArrayLike | None = None,
        dq: ArrayLike | None = None,
        err: ArrayLike | None = None,
        unit: str | u.UnitBase | PixelUnit | None = None,
        gain: float | u.Quantity | None = None,
        exptime: float | u.Quantity | None = None,
        fwhm: float | u.Quantity | None = None,
        dq_bits: DQMeaning | None = None,
        nominal_fwhm: float | None = None,
        estimates_fwhm: bool = True,
        wcs: Any = None,
        likely_stars: Callable[[MeasuredImage, np.ndarray], Any] | None = None,
    ) -> MeasuredImage:
        """
        Take an image as users have it.

        Parameters
        ----------
        data : 2D array_like, Quantity, `~astropy.nddata.NDData` or CCDData
            Pixels, with or without their sky. Those that are NaN, infinite, or masked
            in a masked array are not usable. Mask, unit, uncertainty and WCS of an
            NDData count where the arguments say nothing else.
        mask : 2D bool array_like, optional
            `True` excludes a pixel.
        dq : 2D int array_like, optional
            DQ flags; pixels that carry no signal are not usable.
        err : 2D array_like, optional
            Errors; pixels whose error is not finite are taken to carry no signal.
        unit : str, `~astropy.units.UnitBase` or `PixelUnit`, optional
            By default the Quantity's own.
        gain, exptime : float or `~astropy.units.Quantity`, optional
            Electrons per DN, and seconds.
        fwhm : float or `~astropy.units.Quantity`, optional
            FWHM of the PSF, pixels, 50 at most.
        dq_bits : `~astrosieve.images.dq.DQMeaning`, optional
            By default that of ACS and WFC3/UVIS.
        nominal_fwhm, estimates_fwhm, wcs, likely_stars : optional
            As above.

        Returns
        -------
        image : `MeasuredImage`

        Raises
        ------
        TypeError
            If ``data`` is no image; the message says what to pass.
        ValueError
            If an array is not 2D or not of the image's shape, or a number not
            positive or in a wrong unit.
        """
        own = HandedOver.of(data)
        data = own.data
        mask = own.mask if mask is None else mask
        err = own.err if err is None else err
        wcs = own.wcs if wcs is None else wcs
        if isinstance(data, u.Quantity):
            unit = data.unit if unit is None else unit
            data = data.value
        if hasattr(data, 'unmasked'):
            data = np.ma.array(data.unmasked, mask=data.mask)
        if np.ma.isMaskedArray(data):
            data = np.ma.filled(np.ma.asarray(data, dtype=np.float32), np.nan)
        sci = np.asarray(data)
        if sci.ndim != 2:
            msg = f'data must be a 2D image; got shape {sci.shape}'
            if sci.ndim > 2:
                msg += '. Pass one plane, as data[0]'
            raise ValueError(msg)
        if sci.dtype.kind not in 'iuf':
            msg = f'data must hold real numbers; got {sci.dtype}'
            raise ValueError(msg)
        width = plain_number('fwhm', fwhm)
        if width is not None and width > _WIDEST:
            most = f'{_WIDEST:g} pixels'
            msg = f'fwhm must be at most {most}; got {width:g}. Bin the image first'
            raise ValueError(msg)
        gain, exptime = plain_number('gain', gain), plain_number('exptime', exptime)
        sci = np.ascontiguousarray(sci, dtype=np.float32)
        meaning = dq_bits or instrument().dq
        flags = _as_plane(dq, 'dq', sci.shape)
        excluded = _as_plane(mask, 'mask', sci.shape)
        errors = _as_plane(err, 'err', sci.shape)
        lost = None if flags is None else dq_to_mask(flags, meaning.no_signal)
        if errors is not None:
            lost = ~np.isfinite(errors) if lost is None else lost | ~np.isfinite(errors)
        if excluded is not None:
            excluded = excluded.astype(bool)
        pixel_unit = unit if isinstance(unit, PixelUnit) else parse_unit(unit)
        scale, problem = electron_scale(pixel_unit, gain=gain, exptime=exptime)
        return cls(
            sci=sci,
            spoilt=spoilt_pixels(sci, mask=excluded, no_signal=lost),
            dq=flags,
            dq_bits=meaning,
            unit=pixel_unit,
            gain=gain,
            exptime=exptime,
            electrons_per_unit=scale,
            problem=problem,
            given_fwhm=width,
            nominal_fwhm=nominal_fwhm,
            estimates_fwhm=estimates_fwhm,
            wcs=wcs,
            likely_stars=likely_stars,
        )

    @classmethod
    def of_chip(
        cls,
        chip: Chip,
        *,
        unit: str | u.UnitBase | PixelUnit | None = None,
        gain: float | u.Quantity | None = None,
        exptime: float | u.Quantity | None = None,
        fwhm: float | u.Quantity | None = None,
        likely_stars: Callable[[MeasuredImage, np.ndarray], Any] | None = None,
    ) -> MeasuredImage:
        """
        Take a chip of an exposure.

        Parameters
        ----------
        chip : `~astrosieve.images.exposures.Chip`
            The chip; its errors do not count.
        unit, gain, exptime : optional
            In place of the chip's own.
        fwhm : float, optional
            FWHM of the PSF, pixels. It is estimated, too, and where the estimate is
            implausible for a camera that is known, its nominal width stands.
        likely_stars : callable, optional
            As above.

        Returns
        -------
        image : `MeasuredImage`
        """
        return cls.of(
            chip.sci,
            mask=chip.mask,
            dq=chip.dq,
            unit=unit or chip.unit,
            gain=chip.gain if gain is None else gain,
            exptime=chip.exptime if exptime is None else exptime,
            fwhm=fwhm,
            dq_bits=chip.dq_meaning,
            nominal_fwhm=instrument(chip.instrument, chip.detector).fwhm,
            wcs=chip.wcs,
            likely_stars=likely_stars,
        )

    @property
    def usable(self) -> bool:
        """Whether any pixel is."""
        return bool(self.sci.size) and (self.spoilt is None or not self.spoilt.all())

    @cached_property
    def background(self) -> Background:
        """Sky of the whole image."""
        return measure_background(self.sci, spoilt=self.spoilt)

    @cached_property
    def mesh(self) -> BackgroundMesh:
        """Sky from place to place."""
        return measure_mesh(self.sci, spoilt=self.spoilt, background=self.background)

    @cached_property
    def fwhm(self) -> float | None:
        """
        FWHM of the PSF, pixels: as it was given, else as the stars say.

        None where the width is neither given, nor measurable, nor known.
        """
        return self.weighed_fwhm if self.given_fwhm is None else self.given_fwhm

    @cached_property
    def weighed_fwhm(self) -> float | None:
        """
        FWHM of the PSF, pixels: what was given, weighed with what the stars say.

        A width that was given counts as right within 15 %, the stars' by their number
        (`~astrosieve.images.psf.PSFStars.fwhm_error`); where the two differ by half,
        what was given stands.
        """
        stars = self.psf_stars
        measured = self.nominal_fwhm if stars is None else stars.fwhm
        return self._weighed(self.given_fwhm, measured)

    @cached_property
    def weighed_apparent_fwhm(self) -> float | None:
        """Width that the 3x3 pixels of stars of `weighed_fwhm` seem to have, pixels."""
        stars = self.psf_stars
        measured = self.nominal_fwhm if stars is None else stars.apparent_fwhm
        given = self.given_fwhm
        if given is not None and given <= _APPARENT[0][-1]:
            given = float(np.interp(given, *_APPARENT))
        return self._weighed(given, measured)

    def _weighed(self, given: float | None, measured: float | None) -> float | None:
        """Return a width that counts, of one that was given and one that is known."""
        if given is None:
            return measured if self.estimates_fwhm else None
        if self.psf_stars is None or measured is None or self.contradicted:
            return given
        variance = self.psf_stars.fwhm_error**2
        share = _GIVEN_ERROR**2 / (_GIVEN_ERROR**2 + variance)
        return float(given * (measured / given) ** share)

    @cached_property
    def contradicted(self) -> bool:
        """Whether the stars say a width that differs by half from that given."""
        if self.given_fwhm is None or self.psf_stars is None:
            return False
        return abs(np.log(self.psf_stars.fwhm / self.given_fwhm)) > np.log(_APART)

    @cached_property
    def psf_stars(self) -> PSFStars | None:
        """
        Stars that agree on the width of the PSF.

        None where they are too few, where their width cannot be the camera's, and where
        no width is to be estimated.
        """
        if not self.estimates_fwhm:
            return None
        chooser = self.likely_stars
        stars = find_psf_stars(
            self.sci,
            spoilt=self.spoilt,
            background=self.background,
            mesh=self.mesh,
            likely=None if chooser is None else partial(chooser, self),
        )
        if stars is None or self.nominal_fwhm is None:
            return stars
        low, high = _PLAUSIBLE
        return stars if low < stars.fwhm / self.nominal_fwhm < high else None

    @cached_property
    def plateaus(self) -> Plateaus:
        """Saturated pixels, in groups."""
        return find_plateaus(
            self.sci,
            background=self.background,
            spoilt=self.spoilt,
            dq=self.dq,
            dq_bits=self.dq_bits,
        )

    @cached_property
    def traits(self) -> ImageTraits:
        """What tells whether the image is usual."""
        return measure_traits(self.sci, spoilt=self.spoilt, fwhm=self.fwhm)


def _as_plane(
    plane: ArrayLike | None, name: str, shape: tuple[int, ...]
) -> np.ndarray | None:
    """Return a plane that goes with the image."""
    if plane is None:
        return None
    array = np.asarray(getattr(plane, 'value', plane))
    if array.shape != shape:
        msg = f'{name} must have the shape of data, {shape}; got {array.shape}'
        raise ValueError(msg)
    return array
