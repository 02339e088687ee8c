"""
Photutils: any of its finders with a classifier behind it, and finders by name.

`ClassifiedStarFinder` stands wherever photutils takes a finder. The functions
`dao`, `iraf` and `peaks` are the entries of the group ``astrosieve.finders``.
"""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table
from numpy.typing import ArrayLike

from astrosieve import load_model
from astrosieve.classes import UNSCORED
from astrosieve.exceptions import AstrosieveWarning
from astrosieve.images.cutouts import extract_cutouts
from astrosieve.images.dq import DQMeaning
from astrosieve.images.measured import HandedOver, MeasuredImage
from astrosieve.models.registry import Model
from astrosieve.source.classify import classify_image
from astrosieve.source.finders import with_saturated
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve.source.widths import star_chooser
from astrosieve.tables.catalogs import select_classes

try:
    import photutils
    from photutils.detection import (
        DAOStarFinder,
        IRAFStarFinder,
        StarFinderBase,
        find_peaks,
    )
    from photutils.utils.exceptions import NoDetectionsWarning
except ImportError as error:
    msg = (
        f'{__name__} needs photutils 2.0 or later ({error}); '
        "install it with: pip install 'photutils>=2.0'"
    )
    raise ImportError(msg) from error

__all__ = ['ClassifiedStarFinder', 'PeakFinder', 'dao', 'iraf', 'peaks']

# A residual image is told by the pixels, of every eighth row and column, that no
# source was subtracted from.
_STEP = 8
_UNTOUCHED = 0.3
_NO_PEAKS = 'No peak is isolated and bright enough.'
_OLD_NAMES = int(photutils.__version__.partition('.')[0]) < 3


def _with_reach(finder: StarFinderBase) -> StarFinderBase:
    """Say how far a pixel matters: by the kernel, once more in cutouts, and apart."""
    radius = max(finder.kernel.data.shape) // 2
    apart = getattr(finder, 'min_separation', 0)  # photutils 2 has none in DAOFIND
    finder.reach = int(2 * radius + max(radius, apart) + 2)
    return finder


class _AboveThreshold:
    """
    Looks for peaks where they count, which photutils' finders do in all the noise.

    The values below the threshold rise along the rows, so that none is a peak; those
    above stay as they are, and so do their peaks.
    """

    @staticmethod
    def _find_stars(
        convolved_data: np.ndarray, kernel: Any, threshold: float, **options: Any
    ) -> np.ndarray | None:
        rising = np.arange(-convolved_data.size, 0, dtype=convolved_data.dtype)
        high = np.where(
            convolved_data > threshold,
            convolved_data,
            rising.reshape(convolved_data.shape),
        )
        found: np.ndarray | None = StarFinderBase._find_stars(
            high, kernel, threshold, **options
        )
        return found


class _DAO(_AboveThreshold, DAOStarFinder):
    pass


class _IRAF(_AboveThreshold, IRAFStarFinder):
    pass


def dao(*, threshold: float, fwhm: float, scale: float) -> DAOStarFinder:
    """
    Return a `~photutils.detection.DAOStarFinder` with its default cuts.

    Parameters
    ----------
    threshold : float
        Above the sky, in the image's unit.
    fwhm : float
        FWHM of the point-spread function, pixels.
    scale : float
        Electrons per image unit; has no effect here.

    Returns
    -------
    finder : `~photutils.detection.DAOStarFinder`
    """
    return _with_reach(_DAO(threshold, fwhm))


def iraf(*, threshold: float, fwhm: float, scale: float) -> IRAFStarFinder:
    """
    Return a `~photutils.detection.IRAFStarFinder` with its default cuts.

    Parameters
    ----------
    threshold : float
        Above the sky, in the image's unit.
    fwhm : float
        FWHM of the point-spread function, pixels.
    scale : float
        Electrons per image unit; has no effect here.

    Returns
    -------
    finder : `~photutils.detection.IRAFStarFinder`
    """
    return _with_reach(_IRAF(threshold, fwhm))


def peaks(
    *,
    threshold: float,
    fwhm: float,
    scale: float,
    separation: float = 5.0,
    min_electrons: float = 100.0,
) -> PeakFinder:
    """
    Return a `PeakFinder`, by default with the report's separation and limit.

    Parameters
    ----------
    threshold : float
        Above the sky, in the image's unit.
    fwhm : float
        FWHM of the point-spread function, pixels; has no effect here.
    scale : float
        Electrons per image unit.
    separation, min_electrons : float, optional
        See `PeakFinder`.

    Returns
    -------
    finder : `PeakFinder`
    """
    return PeakFinder(
        threshold, separation=separation, min_electrons=min_electrons, scale=scale
    )


class PeakFinder(StarFinderBase):
    """
    Find isolated peaks, whatever their shape.

    A peak is a pixel above the threshold that has no brighter pixel nearby,
    and enough electrons in the 2x2 box that holds it. No cut on shape is made:
    cosmic rays and diffraction spikes are found as well as stars.

    Parameters
    ----------
    threshold : float or `~astropy.units.Quantity`
        Value, above the sky, that a peak must exceed, in the image's unit.
    separation : float, optional
        Smallest distance, pixels, from any brighter pixel. Of equal pixels
        the first in the order of the array stands for all.
    min_electrons : float, optional
        Fewest electrons in the brightest of the four 2x2 boxes that hold the
        peak.
    scale : float, optional
        Electrons per image unit.

    References
    ----------
    Bajaj & Dauphin 2024, WFC3 ISR 2024-14; Anderson 2022, WFC3 ISR 2022-5
    (hst1pass, whose isolation and flux limits these are).
    """

    def __init__(
        self,
        threshold: float | u.Quantity,
        *,
        separation: float = 5.0,
        min_electrons: float = 100.0,
        scale: float = 1.0,
    ) -> None:
        if not np.isscalar(getattr(threshold, 'value', threshold)):
            msg = f'threshold must be one number; got {threshold!r}'
            raise ValueError(msg)
        if not separation >= 1.5:
            msg = f'separation must be at least 1.5 pixels; got {separation}'
            raise ValueError(msg)
        if not min_electrons >= 0:
            msg = f'min_electrons must not be negative; got {min_electrons}'
            raise ValueError(msg)
        if not scale > 0:
            msg = f'scale must be positive; got {scale}'
            raise ValueError(msg)
        self.threshold = threshold
        self.separation = separation
        self.min_electrons = min_electrons
        self.scale = scale

    @property
    def reach(self) -> int:
        """How far a pixel can matter to a detection, pixels."""
        return int(np.ceil(self.separation)) + 2

    def __repr__(self) -> str:
        return (
            f'PeakFinder({self.threshold!r}, separation={self.separation}, '
            f'min_electrons={self.min_electrons}, scale={self.scale})'
        )

    def find_stars(
        self, data: ArrayLike | u.Quantity, *, mask: ArrayLike | None = None
    ) -> QTable | None:
        """
        Find peaks in an image.

        Parameters
        ----------
        data : 2D array_like or `~astropy.units.Quantity`
            Image without its sky. NaN and infinite pixels are masked.
        mask : 2D bool array_like, optional
            `True` excludes a pixel: it is no peak and outshines none.

        Returns
        -------
        table : `~astropy.table.QTable` or None
            None, with a warning, where there is no peak. Columns:

            * ``id``: number of the peak, from 1.
            * ``x_centroid``, ``y_centroid``: vertex of the parabola through
              the peak and its two neighbours in x, in y; within half a pixel.
            * ``x_peak``, ``y_peak``: the pixel.
            * ``peak_value``: its value.
            * ``flux_2x2``: sum over the brightest 2x2 box that holds it.

            With photutils 2 also ``xcentroid`` and ``ycentroid``.

        Warns
        -----
        `~photutils.utils.exceptions.NoDetectionsWarning`
            Where there is no peak.
        """
        unit = getattr(data, 'unit', None)
        if getattr(self.threshold, 'unit', None) != unit:
            msg = f'threshold must have the unit of data, {unit}; got {self.threshold}'
            raise ValueError(msg)
        image = np.array(getattr(data, 'value', data))
        image = image.astype(np.result_type(image, np.float32), copy=False)
        image[~np.isfinite(image)] = np.nan
        if mask is not None:
            image[_checked_mask(mask, image.shape)] = np.nan
        if np.isnan(image).all():
            warnings.warn(_NO_PEAKS, NoDetectionsWarning, stacklevel=2)
            return None
        threshold = getattr(self.threshold, 'value', self.threshold)
        # The largest square within the circle; the rest of the circle follows.
        side = 2 * int(self.separation / 1.5) + 1
        table = find_peaks(image, threshold, box_size=side)
        if table is None:
            return None  # find_peaks has warned
        table = self._isolated(table, image, unit)
        if not len(table):
            warnings.warn(_NO_PEAKS, NoDetectionsWarning, stacklevel=2)
            return None
        return _in_host_dialect(table)

    def _isolated(
        self, table: QTable, image: np.ndarray, unit: u.UnitBase | None
    ) -> QTable:
        """Return the peaks that are isolated and bright enough, measured."""
        x, y = (np.asarray(table[name]) for name in ('x_peak', 'y_peak'))
        half = int(np.ceil(self.separation)) - 1
        boxes = extract_cutouts(image, x, y, 2 * half + 1, fill=np.nan)
        steps = np.arange(boxes.shape[1]) - boxes.shape[1] // 2
        near = np.hypot(steps[:, None], steps) < self.separation
        earlier = (steps[:, None] < 0) | ((steps[:, None] == 0) & (steps < 0))
        peak = image[y, x][:, None, None]
        outshone = (near & (boxes > peak)) | (near & earlier & (boxes == peak))
        centre = boxes.shape[1] // 2
        core = boxes[:, centre - 1 : centre + 2, centre - 1 : centre + 2]
        light = np.nan_to_num(core)
        pairs = light[:, 1:] + light[:, :-1]
        flux = (pairs[:, :, 1:] + pairs[:, :, :-1]).max(axis=(1, 2))
        good = ~outshone.any(axis=(1, 2)) & (flux * self.scale >= self.min_electrons)

        table, core = table[good], core[good]
        x_centroid = x[good] + _vertex(core[:, 1, 0], core[:, 1, 1], core[:, 1, 2])
        y_centroid = y[good] + _vertex(core[:, 0, 1], core[:, 1, 1], core[:, 2, 1])
        table['id'] = np.arange(1, len(table) + 1)
        table.add_columns(
            [x_centroid, y_centroid], [1, 1], names=['x_centroid', 'y_centroid']
        )
        table['flux_2x2'] = flux[good]
        if unit is not None:
            table['peak_value'] = table['peak_value'] << unit
            table['flux_2x2'] = table['flux_2x2'] << unit
        return table


def _vertex(before: np.ndarray, peak: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return where the parabola through three pixels peaks; 0 if one is missing."""
    curvature = 2 * peak - before - after
    with np.errstate(invalid='ignore', divide='ignore'):
        offset = (after - before) / (2 * curvature)
    return np.where(np.isfinite(offset), offset, 0.0).astype(float)


def _in_host_dialect(table: Table) -> Table:
    """Add the names that the PSF photometry of photutils 2 asks for."""
    if _OLD_NAMES and 'xcentroid' not in table.colnames:
        after = table.colnames.index('y_centroid') + 1
        table.add_columns(
            [table['x_centroid'], table['y_centroid']],
            [after, after],
            names=['xcentroid', 'ycentroid'],
        )
    return table


def _checked_mask(mask: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(mask, dtype=bool)
    if array.shape != shape:
        msg = f'mask must have the shape of data, {shape}; got {array.shape}'
        raise ValueError(msg)
    return array


class ClassifiedStarFinder(StarFinderBase):
    """
    A finder whose detections are classified, and kept by their class.

    It is itself a photutils finder: `~photutils.psf.PSFPhotometry`,
    `~photutils.psf.IterativePSFPhotometry` and everything else that takes a
    finder takes it. It can be copied, pickled, and used by several threads.

    Parameters
    ----------
    finder : callable
        Any photutils finder, or a callable ``finder(data, mask=mask)`` or
        ``finder(data)`` that returns a table of positions or None, for
        instance ``functools.partial(find_peaks, threshold=50.0)``.
    keep : sequence of str or None, optional
        Classes to keep; 'unscored' stands for the rows that cannot be scored.
        None keeps all rows.
    model : str or `~astrosieve.models.registry.Model`, optional
        Name of a model, path of an ONNX file, or a loaded model.
    operating_point : str, optional
        A named threshold of the model card; by default each row has its class
        of highest probability.
    prior : dict of str to float, optional
        Expected share of classes among the detections.
    dq : 2D int array_like, optional
        DQ flags of the images that the finder will be given.
    err : 2D array_like, optional
        Errors of those images.
    unit : str or `~astropy.units.UnitBase`, optional
        Unit of those images: 'electron', 'electron/s', 'DN', 'DN/s'. By
        default that of the Quantity.
    gain : float or `~astropy.units.Quantity`, optional
        Electrons per DN.
    exptime : float or `~astropy.units.Quantity`, optional
        Exposure time, seconds.
    fwhm : float or `~astropy.units.Quantity`, optional
        FWHM of the point-spread function, pixels, weighed with that of the image's
        stars as by `~astrosieve.classify_sources`; outside the range that the model
        was trained on there is a warning.
    dq_bits : `~astrosieve.images.dq.DQMeaning`, optional
        Meaning of the DQ bits; by default that of ACS and WFC3/UVIS.
    cosmic_ray_hint : bool, optional
        Whether cosmic-ray bits of ``dq`` raise the odds of 'cosmic_ray'.
    saturated : bool, optional
        Whether groups of saturated pixels, in which finders see no peak or several,
        have a row each, with the flag 'saturated'. Their columns of the finder are NaN
        but for positions, peaks and fluxes, lower limits. By default only what the
        finder finds has a row.

    Attributes
    ----------
    finder : callable
        The finder within.
    keep : tuple of str or None
        The classes that are kept.
    model : `~astrosieve.models.registry.Model`
        The model, loaded and verified once.

    Raises
    ------
    TypeError
        If ``finder`` cannot be called.
    ModelError
        If the model is not known, not for sources, or lacks the operating
        point.
    ValueError
        If ``keep`` or ``prior`` names a class that the model does not know, or
        another option is out of its range.

    See Also
    --------
    astrosieve.classify_sources : The same for an existing table.

    Examples
    --------
    >>> from astropy.io import fits
    >>> from photutils.detection import DAOStarFinder
    >>> from astrosieve.source.demo import demo_exposure
    >>> from astrosieve_plugins.photutils_finder import ClassifiedStarFinder
    >>> image = fits.getdata(demo_exposure(), 'SCI')
    >>> finder = ClassifiedStarFinder(
    ...     DAOStarFinder(threshold=50.0, fwhm=1.9), unit='electron'
    ... )
    >>> set(finder(image)['class_name']) == {'star'}
    True
    """

    def __init__(
        self,
        finder: Callable[..., Table | None],
        keep: Sequence[str] | None = ('star',),
        *,
        model: str | Model = 'source',
        operating_point: str | None = None,
        prior: Mapping[str, float] | None = None,
        dq: ArrayLike | None = None,
        err: ArrayLike | None = None,
        unit: str | u.UnitBase | None = None,
        gain: float | u.Quantity | None = None,
        exptime: float | u.Quantity | None = None,
        fwhm: float | u.Quantity | None = None,
        dq_bits: DQMeaning | None = None,
        cosmic_ray_hint: bool = True,
        saturated: bool = False,
    ) -> None:
        if not callable(finder):
            msg = f'finder must be a photutils finder or a callable; got {finder!r}'
            raise TypeError(msg)
        self.finder = finder
        self.saturated = saturated
        self.model = load_model(model, task='source')
        self.keep = _checked_keep(keep, self.model)
        self._takes_mask = _takes_mask(finder)
        preprocessing = get_preprocessing(self.model.card.preprocessing)
        self._needs_fwhm = preprocessing.needs_fwhm
        self._chooser = star_chooser(self.model)
        self._model_options: dict[str, Any] = {
            'model': self.model,
            'operating_point': operating_point,
            'prior': dict(prior) if prior else None,
            'cosmic_ray_hint': cosmic_ray_hint,
        }
        self._image_options: dict[str, Any] = {
            'unit': unit,
            'gain': gain,
            'exptime': exptime,
            'fwhm': fwhm,
            'dq_bits': dq_bits,
        }
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstrosieveWarning)
            # No detections: wrong options are refused now, not at the first image.
            nothing = MeasuredImage.of(np.zeros((1, 1)), **self._image_options)
            classify_image(nothing, np.empty((0, 2)), **self._model_options)
        self._planes = {'dq': dq, 'err': err}
        self._last: _Measured | None = None

    def __repr__(self) -> str:
        given = {
            key: value
            for key, value in (self._model_options | self._image_options).items()
            if value is not None and key not in ('model', 'cosmic_ray_hint')
        }
        given.update(
            {
                key: f'<array of shape {np.shape(plane)}>'
                for key, plane in self._planes.items()
                if plane is not None
            }
        )
        rest = ''.join(f', {key}={value!r}' for key, value in given.items())
        return (
            f'<ClassifiedStarFinder({self.finder!r}, {self.keep}, {self.model}{rest})>'
        )

    def find_stars(
        self, data: ArrayLike | u.Quantity, *, mask: ArrayLike | None = None
    ) -> Table | None:
        """
        Find sources and classify them.

        Parameters
        ----------
        data : 2D array_like, Quantity, `~astropy.nddata.NDData` or CCDData
            Image, as the finder within wants it. That of an NDData is handed to it
            with its mask, and with its unit if the finder's threshold has one.
        mask : 2D bool array_like, optional
            `True` excludes a pixel, from detection and from cutouts. By default that
            of an NDData.

        Returns
        -------
        table : `~astropy.table.Table` or None
            The finder's own table with the columns ``class_name``,
            ``p_<class>`` and ``class_flags`` (see
            `~astrosieve.classify_sources`), rows of the kept classes only,
            ``id`` renumbered from 1. None where nothing is left. With photutils
            2 the positions are in ``xcentroid`` and ``ycentroid`` as well.

        Warns
        -----
        `~photutils.utils.exceptions.NoDetectionsWarning`
            Where the finder finds nothing, or nothing of the kept classes.
        """
        own = HandedOver.of(data)
        mask = own.mask if mask is None else mask
        options = {'mask': mask} if self._takes_mask else {}
        pixels = own.data
        if own.data is not data and not hasattr(_threshold(self.finder), 'unit'):
            pixels = np.asarray(getattr(pixels, 'value', pixels))
        # A copy: StarFinder of photutils 2 sets negative pixels to zero.
        found = self.finder(np.array(pixels, subok=True), **options)
        image = None
        if self.saturated:
            image = self._image(own, mask)
            found = with_saturated(image, found)
        if found is None:
            return None  # the finder has warned
        if not len(found):
            warnings.warn('No sources were found.', NoDetectionsWarning, stacklevel=2)
            return None
        image = image or self._image(own, mask)
        table = classify_image(image, found, **self._model_options)
        kept = select_classes(table, self.keep)
        if self.keep and not len(kept):
            counts = Counter(map(str, table['class_name'])).most_common()
            others = ', '.join(f'{number} {name}' for name, number in counts)
            msg = f'None of the detections is {" or ".join(self.keep)}: {others}.'
            warnings.warn(msg, NoDetectionsWarning, stacklevel=2)
            return None
        kept['id'] = np.arange(1, len(kept) + 1)
        return _in_host_dialect(kept)

    def _image(self, own: HandedOver, mask: ArrayLike | None) -> MeasuredImage:
        """
        Return the image; the width of its PSF stands for its residuals too.

        `~photutils.psf.IterativePSFPhotometry` hands over an image, then the image
        without the sources that were fitted, in which no star is left to measure.
        """
        data = own.data
        given = {'mask': mask, 'wcs': own.wcs, **self._planes, **self._image_options}
        if given['err'] is None:
            given['err'] = own.err
        values = np.asarray(getattr(data, 'value', data))
        pixels = values[::_STEP, ::_STEP].astype(np.float32)
        if self._last is not None and self._last.has_residual(pixels):
            known = self._last.fwhm
            return MeasuredImage.of(
                data, **given | {'fwhm': known}, estimates_fwhm=known is None
            )
        image = MeasuredImage.of(data, likely_stars=self._chooser, **given)
        self._last = _Measured(pixels, image.weighed_fwhm) if self._needs_fwhm else None
        return image


@dataclass(frozen=True)
class _Measured:
    """Some pixels of an image, and the width of its PSF."""

    pixels: np.ndarray
    fwhm: float | None

    def has_residual(self, pixels: np.ndarray) -> bool:
        """Return whether pixels are of this image, or of it without some sources."""
        if self.pixels.shape != pixels.shape:
            return False
        return float(np.mean(self.pixels == pixels)) > _UNTOUCHED


def _threshold(finder: Any) -> Any:
    """Return the threshold of a finder, also of one with some arguments given."""
    given = getattr(finder, 'keywords', {})
    return getattr(finder, 'threshold', given.get('threshold'))


def _takes_mask(finder: Callable[..., Any]) -> bool:
    """Return whether a callable can be given ``mask`` by name."""
    try:
        parameters = inspect.signature(finder).parameters
    except (TypeError, ValueError):  # compiled, and does not say
        return True
    return 'mask' in parameters or any(
        each.kind is each.VAR_KEYWORD for each in parameters.values()
    )


def _checked_keep(keep: Sequence[str] | None, model: Model) -> tuple[str, ...] | None:
    if keep is None:
        return None
    names = (keep,) if isinstance(keep, str) else tuple(keep)
    known = (*model.card.classes, UNSCORED)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        msg = (
            f'keep must name classes of {model.card.name}, {", ".join(known)}, or be '
            f'None for all; got {keep!r}'
        )
        raise ValueError(msg)
    return names
