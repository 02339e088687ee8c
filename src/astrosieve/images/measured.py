"""An image with what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

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
from astrosieve.images.psf import estimate_fwhm
from astrosieve.images.traits import ImageTraits, measure_traits
from astrosieve.images.units import PixelUnit, electron_scale, parse_unit

if TYPE_CHECKING:
    from astrosieve.images.exposures import Chip

__all__ = ['MeasuredImage']

# How far, as a factor, an estimated width may be from the nominal one of a camera.
_PLAUSIBLE = (0.75, 1.5)


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
        Whether a width that was not given is estimated.
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

    @classmethod
    def of(
        cls,
        data: ArrayLike | u.Quantity,
        *,
        mask: ArrayLike | None = None,
        dq: ArrayLike | None = None,
        err: ArrayLike | None = None,
        unit: str | u.UnitBase | PixelUnit | None = None,
        gain: float | None = None,
        exptime: float | None = None,
        fwhm: float | None = None,
        dq_bits: DQMeaning | None = None,
        nominal_fwhm: float | None = None,
        estimates_fwhm: bool = True,
    ) -> MeasuredImage:
        """
        Take an image as users have it.

        Parameters
        ----------
        data : 2D array_like or `~astropy.units.Quantity`
            Pixels, with or without their sky. Those that are NaN, infinite, or masked
            in a masked array are not usable.
        mask : 2D bool array_like, optional
            `True` excludes a pixel.
        dq : 2D int array_like, optional
            DQ flags; pixels that carry no signal are not usable.
        err : 2D array_like, optional
            Errors; pixels whose error is not finite are taken to carry no signal.
        unit : str, `~astropy.units.UnitBase` or `PixelUnit`, optional
            By default the Quantity's own.
        gain, exptime : float, optional
            Electrons per DN, and seconds.
        fwhm : float, optional
            FWHM of the PSF, pixels.
        dq_bits : `~astrosieve.images.dq.DQMeaning`, optional
            By default that of ACS and WFC3/UVIS.
        nominal_fwhm, estimates_fwhm : optional
            As above.

        Returns
        -------
        image : `MeasuredImage`

        Raises
        ------
        ValueError
            If an array is not 2D or not of the image's shape, or a number not
            positive.
        """
        if isinstance(data, u.Quantity):
            unit = data.unit if unit is None else unit
            data = data.value
        if np.ma.isMaskedArray(data):
            data = np.ma.filled(np.ma.asarray(data, dtype=np.float32), np.nan)
        sci = np.asarray(data)
        if sci.ndim != 2:
            msg = f'data must be a 2D image; got shape {sci.shape}'
            raise ValueError(msg)
        if sci.dtype.kind not in 'iufb':
            msg = f'data must hold real numbers; got {sci.dtype}'
            raise ValueError(msg)
        if fwhm is not None and not fwhm > 0:
            msg = f'fwhm must be positive; got {fwhm}'
            raise ValueError(msg)
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
            given_fwhm=None if fwhm is None else float(fwhm),
            nominal_fwhm=nominal_fwhm,
            estimates_fwhm=estimates_fwhm,
        )

    @classmethod
    def of_chip(
        cls,
        chip: Chip,
        *,
        unit: str | u.UnitBase | PixelUnit | None = None,
        gain: float | None = None,
        exptime: float | None = None,
        fwhm: float | None = None,
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
            FWHM of the PSF, pixels. By default it is estimated, and where the
            estimate is implausible for a camera that is known, its nominal width
            stands.

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
        )

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
        FWHM of the PSF, pixels.

        None where the width is neither given, nor measurable, nor known.
        """
        if self.given_fwhm is not None or not self.estimates_fwhm:
            return self.given_fwhm
        measured = estimate_fwhm(
            self.sci, spoilt=self.spoilt, background=self.background, mesh=self.mesh
        )
        nominal = self.nominal_fwhm
        if nominal is None:
            return measured
        low, high = _PLAUSIBLE
        plausible = measured is not None and low < measured / nominal < high
        return measured if plausible else nominal

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
