"""Classify detections: stars, cosmic rays, diffraction spikes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table
from numpy.typing import ArrayLike

from astrosieve import __version__
from astrosieve.exceptions import (
    AstrosieveWarning,
    CatalogError,
    ModelError,
    OutOfDomainWarning,
    UnitWarning,
)
from astrosieve.flags import CLASS_FLAGS
from astrosieve.images.background import BackgroundMesh, measure_mesh
from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.dq import DQMeaning, dq_meaning, dq_to_mask
from astrosieve.images.pixels import spoilt_pixels
from astrosieve.images.psf import estimate_fwhm
from astrosieve.images.units import PixelUnit, electron_scale, parse_unit
from astrosieve.models.calibration import complete_prior, reweight
from astrosieve.models.cards import ModelCard
from astrosieve.models.domain import ImageTraits, departures, measure_traits
from astrosieve.models.registry import Model, load_model
from astrosieve.models.session import CHUNK_SIZE
from astrosieve.source.preprocessing import FittedPreprocessing, get_preprocessing
from astrosieve.tables.catalogs import UNSCORED, add_classes, positions

__all__ = [
    'COSMIC_RAY_HINT_ODDS',
    'Explanation',
    'View',
    'classify_sources',
    'explain_source',
]

COSMIC_RAY_HINT_ODDS = 4.0
"""Factor on the odds of 'cosmic_ray' where DQ has a cosmic-ray bit: a hint."""

_BLOCK = 65_536  # rows that are cut out at once: bounds the memory


def classify_sources(
    data: ArrayLike | u.Quantity,
    catalog: Table | ArrayLike,
    mask: ArrayLike | None = None,
    dq: ArrayLike | None = None,
    err: ArrayLike | None = None,
    unit: str | u.UnitBase | PixelUnit | None = None,
    gain: float | None = None,
    exptime: float | None = None,
    fwhm: float | None = None,
    model: str | Model = 'source',
    operating_point: str | None = None,
    prior: Mapping[str, float] | None = None,
    *,
    columns: Sequence[str] | None = None,
    origin: float = 0,
    dq_bits: DQMeaning | None = None,
    cosmic_ray_hint: bool = True,
    extver: int | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> Table:
    """
    Classify the detections of a catalogue in an image.

    Parameters
    ----------
    data : 2D array_like or `~astropy.units.Quantity`
        Image, with or without its sky. NaN and infinite pixels are treated as
        masked.
    catalog : `~astropy.table.Table` or (N, 2) array_like
        One detection per row; or bare positions ``(x, y)``.
    mask : 2D bool array_like, optional
        `True` excludes a pixel.
    dq : 2D int array_like, optional
        DQ flags. Pixels that carry no signal are filled; saturated ones are
        not. Cosmic-ray bits are a hint.
    err : 2D array_like, optional
        Errors; pixels whose error is not finite are taken to carry no signal.
    unit : str or `~astropy.units.UnitBase`, optional
        Unit of ``data``: 'electron', 'electron/s', 'DN', 'DN/s'. By default
        the Quantity's own.
    gain : float, optional
        Electrons per DN.
    exptime : float, optional
        Exposure time, seconds.
    fwhm : float, optional
        FWHM of the point-spread function, pixels; by default it is estimated from
        the image where the model needs it, and where that cannot be done the
        probabilities are means over several widths. Outside the range that the
        model was trained on there is a warning.
    model : str or `~astrosieve.models.registry.Model`, optional
        Name of a model, path of an ONNX file, or a loaded model.
    operating_point : str, optional
        A named threshold of the model card: ``class_name`` is then 'star'
        where ``p_star`` reaches it, else the best other class. By default the
        class of highest probability.
    prior : dict of str to float, optional
        Expected share of classes among the detections, for instance
        ``{'cosmic_ray': 0.8}`` in a long exposure of an empty field. Classes
        left out share the rest as in the model card. The probabilities are
        re-weighted by Bayes' rule before any threshold.
    columns : sequence of str, optional
        Names or 1-based numbers of the position columns of ``catalog``.
    origin : float, optional
        Coordinate of the first pixel's centre in ``catalog``, 0 or 1.
    dq_bits : `~astrosieve.images.dq.DQMeaning`, optional
        Meaning of the DQ bits; by default that of ACS and WFC3/UVIS.
    cosmic_ray_hint : bool, optional
        Whether a cosmic-ray bit of ``dq`` within one pixel multiplies the odds
        of 'cosmic_ray' by `COSMIC_RAY_HINT_ODDS`.
    extver : int, optional
        Chip number, for the column ``extver``.
    chunk_size : int, optional
        Detections per run of the network; changes nothing but time.

    Returns
    -------
    table : `~astropy.table.Table`
        Copy of ``catalog``, rows in its order, with ``id``, ``x_centroid``,
        ``y_centroid`` (0-based), ``class_name``, a float32 column
        ``p_<class>`` for each class, ``class_flags``, and ``extver`` if given.
        Rows that cannot be scored are 'unscored', with NaN probabilities and
        the reason in ``class_flags`` (see `astrosieve.flags.CLASS_FLAGS`).
        ``meta`` holds model, hash, version, options, unit, fwhm, warnings.

    Raises
    ------
    CatalogError
        If the positions cannot be found in the catalogue.
    ModelError
        If the model is not known, not for sources, or lacks what is asked.
    ValueError
        If an array has the wrong shape, or an option is out of its range.

    Warns
    -----
    OutOfDomainWarning
        Once, naming all that is unusual, where the image is unlike those of the
        training: its PSF, correlated noise, many unusable pixels, an unknown unit
        (a `UnitWarning` where it is that alone). All rows then have the flag
        'out_of_domain'.
    AstrosieveWarning
        Where the PSF's width is wanted and cannot be estimated.

    References
    ----------
    Bajaj & Dauphin 2024, WFC3 ISR 2024-14.

    Examples
    --------
    >>> from astrosieve import classify_sources
    >>> table = classify_sources(image, detections, unit='electron')  # doctest: +SKIP
    >>> stars = table[table['class_name'] == 'star']                  # doctest: +SKIP
    """
    loaded = model if isinstance(model, Model) else load_model(model)
    card = loaded.card
    if card.task != 'source':
        msg = f'model {card.name} is for task {card.task!r}, not for sources'
        raise ModelError(msg)
    point = card.operating_point(operating_point) if operating_point else None
    expected = complete_prior(prior, card.class_prior) if prior else card.class_prior
    table = _as_table(catalog)
    xy = positions(table, columns=columns, origin=origin)
    sci, pixel_unit = _as_image(data, unit)
    meaning = dq_bits or dq_meaning()
    dq = _as_plane(dq, 'dq', sci.shape)
    spoilt = _spoilt(sci, mask=mask, dq=dq, err=err, meaning=meaning)
    preprocessing = get_preprocessing(card.preprocessing)
    mesh = measure_mesh(sci, spoilt=spoilt) if preprocessing.needs_fwhm else None
    width, remarks = _width(sci, spoilt, fwhm, mesh)
    traits = measure_traits(sci, spoilt=spoilt, fwhm=width)
    _, problem = electron_scale(pixel_unit, gain=gain, exptime=exptime)
    caution = _caution(card, traits, problem)
    if remarks and len(xy):
        warnings.warn(remarks[0], AstrosieveWarning, stacklevel=2)
    if caution:
        remarks.append(caution[1])
        warnings.warn(caution[1], caution[0], stacklevel=2)

    fitted = preprocessing.fit(sci, spoilt=spoilt, fwhm=width, mesh=mesh)
    probabilities, flags = _score(loaded, fitted, xy, chunk_size)
    if caution:
        flags |= CLASS_FLAGS.out_of_domain
    if dq is not None:
        flags |= _dq_flags(dq, xy, meaning)
    if cosmic_ray_hint:
        probabilities = reweight(
            probabilities,
            card.classes,
            factors={'cosmic_ray': COSMIC_RAY_HINT_ODDS},
            rows=(flags & CLASS_FLAGS.cosmic_ray_hint) != 0,
        )
    if prior:
        probabilities = reweight(
            probabilities,
            card.classes,
            factors={k: expected[k] / card.class_prior[k] for k in card.classes},
        )
    result = add_classes(
        table,
        xy=xy,
        class_names=_class_names(
            probabilities, card.classes, point.threshold if point else None
        ),
        probabilities=probabilities,
        classes=card.classes,
        flags=flags,
        extver=extver,
    )
    options = {
        'operating_point': operating_point,
        'prior': dict(prior) if prior else None,
        'cosmic_ray_hint': cosmic_ray_hint,
        'origin': origin,
        'gain': gain,
        'exptime': exptime,
    }
    # Plain values under short keys, so that FITS keeps them as they are.
    result.meta.update(
        model=f'{card.name} {card.version}',
        hash=card.sha256,
        version=__version__,
        options=json.dumps({k: v for k, v in options.items() if v is not None}),
        unit=str(pixel_unit or 'unknown'),
        warnings='; '.join(remarks),
    )
    if width is not None:
        result.meta['fwhm'] = round(width, 4)
    return result


@dataclass(frozen=True)
class View:
    """
    One of the images that a network sees of a detection.

    Parameters
    ----------
    scale : int
        Pixels of the exposure to one of the view's, along a side.
    cutout : 2D `~numpy.ndarray`
        Pixels as the network sees them.
    saliency : 2D `~numpy.ndarray`
        How much the log-odds of the class fall when the 3x3 pixels about each
        pixel show only sky; negative where those pixels speak against it.
    """

    scale: int
    cutout: np.ndarray
    saliency: np.ndarray


@dataclass(frozen=True)
class Explanation:
    """
    Why a detection has its class.

    Parameters
    ----------
    position : tuple of float
        ``(x, y)``, pixels, 0-based.
    class_name : str
        As `classify_sources` gives it.
    probabilities : dict of str to float
        By class.
    flags : tuple of str
        Names of the bits of ``class_flags``.
    views : tuple of `View`
        What the network sees, the innermost first.
    """

    position: tuple[float, float]
    class_name: str
    probabilities: dict[str, float]
    flags: tuple[str, ...]
    views: tuple[View, ...]

    @property
    def cutout(self) -> np.ndarray:
        """Pixels about the detection, as the network sees them."""
        return self.views[0].cutout

    @property
    def saliency(self) -> np.ndarray:
        """Saliency of these pixels."""
        return self.views[0].saliency


def explain_source(
    data: ArrayLike | u.Quantity,
    position: tuple[float, float],
    mask: ArrayLike | None = None,
    dq: ArrayLike | None = None,
    err: ArrayLike | None = None,
    unit: str | u.UnitBase | PixelUnit | None = None,
    *,
    model: str | Model = 'source',
    dq_bits: DQMeaning | None = None,
    **options: Any,
) -> Explanation:
    """
    Explain the class of one detection, by occlusion.

    Each 3x3 box of the cutout is replaced by sky in turn, and the network asked
    again (Zeiler & Fergus 2014, ECCV, 818).

    Parameters
    ----------
    data, mask, dq, err, unit, model, dq_bits
        As for `classify_sources`.
    position : tuple of float
        ``(x, y)``, pixels, 0-based.
    **options
        Further options of `classify_sources`.

    Returns
    -------
    explanation : `Explanation`

    Raises
    ------
    CatalogError
        If the detection cannot be scored; the message says why.
    """
    loaded = model if isinstance(model, Model) else load_model(model)
    table = classify_sources(
        data,
        np.array([position], dtype=float),
        mask=mask,
        dq=dq,
        err=err,
        unit=unit,
        model=loaded,
        dq_bits=dq_bits,
        **options,
    )
    row = table[0]
    flags = CLASS_FLAGS.decode(row['class_flags'])
    name = str(row['class_name'])
    if name == UNSCORED:
        reasons = ', '.join(flag for flag in flags if flag != UNSCORED)
        msg = f'the detection at {position} has no class to explain: {reasons}'
        raise CatalogError(msg)
    sci, _ = _as_image(data, unit)
    spoilt = _spoilt(
        sci,
        mask=mask,
        dq=_as_plane(dq, 'dq', sci.shape),
        err=err,
        meaning=dq_bits or dq_meaning(),
    )
    preprocessing = get_preprocessing(loaded.card.preprocessing)
    fitted = preprocessing.fit(sci, spoilt=spoilt, fwhm=table.meta.get('fwhm'))
    inputs = fitted(np.array([position], dtype=float)).inputs
    number = loaded.card.classes.index(name)
    return Explanation(
        position=(float(position[0]), float(position[1])),
        class_name=name,
        probabilities={c: float(row[f'p_{c}']) for c in loaded.card.classes},
        flags=tuple(flags),
        views=tuple(
            View(
                scale,
                inputs[key][0, 0],
                _occlusion(loaded, inputs, key, fitted.fill[key], number),
            )
            for key, scale in preprocessing.scales.items()
        ),
    )


def _occlusion(
    model: Model, inputs: dict[str, np.ndarray], name: str, fill: float, number: int
) -> np.ndarray:
    """Return by how much the log-odds of a class fall where an input is hidden."""

    def log_odds(images: np.ndarray) -> np.ndarray:
        rows = {
            key: images if key == name else np.repeat(value, len(images), axis=0)
            for key, value in inputs.items()
        }
        p = model.predict(rows)[:, number].astype(float).clip(1e-6, 1 - 1e-6)
        return np.log(p / (1 - p))

    shape = inputs[name].shape[-2:]
    hidden = np.repeat(inputs[name], shape[0] * shape[1], axis=0)
    for i, (y, x) in enumerate(np.ndindex(shape)):
        box = (slice(max(0, y - 1), y + 2), slice(max(0, x - 1), x + 2))
        hidden[i, 0][box] = fill
    change = log_odds(inputs[name])[0] - log_odds(hidden)
    return np.asarray(change.reshape(shape))


def _as_table(catalog: Table | ArrayLike) -> Table:
    """Return a catalogue as a table; bare positions get columns."""
    if isinstance(catalog, Table):
        return catalog
    xy = np.asarray(catalog)
    if xy.size == 0:
        xy = xy.reshape(0, 2)
    if xy.ndim != 2 or xy.shape[1] != 2 or xy.dtype.kind not in 'iuf':
        msg = (
            'catalog must be a table or positions of shape (N, 2); got '
            f'{type(catalog).__name__} of shape {xy.shape}'
        )
        raise CatalogError(msg)
    return QTable(xy.astype(float), names=('x_centroid', 'y_centroid'))


def _as_image(
    data: ArrayLike | u.Quantity, unit: str | u.UnitBase | PixelUnit | None
) -> tuple[np.ndarray, PixelUnit | None]:
    """Return an image as a native float32 array, and its unit."""
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
    parsed = unit if isinstance(unit, PixelUnit) else parse_unit(unit)
    return np.ascontiguousarray(sci, dtype=np.float32), parsed


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


def _spoilt(
    sci: np.ndarray,
    *,
    mask: ArrayLike | None,
    dq: np.ndarray | None,
    err: ArrayLike | None,
    meaning: DQMeaning,
) -> np.ndarray | None:
    """Return which pixels are not usable, and why."""
    user_mask = _as_plane(mask, 'mask', sci.shape)
    error = _as_plane(err, 'err', sci.shape)
    lost = None if dq is None else dq_to_mask(dq, meaning.no_signal)
    if error is not None:
        lost = ~np.isfinite(error) if lost is None else lost | ~np.isfinite(error)
    return spoilt_pixels(
        sci,
        mask=None if user_mask is None else user_mask.astype(bool),
        no_signal=lost,
    )


def _width(
    sci: np.ndarray,
    spoilt: np.ndarray | None,
    fwhm: float | None,
    mesh: BackgroundMesh | None,
) -> tuple[float | None, list[str]]:
    """Return the width of the PSF, and what is to be said where it is not known."""
    if fwhm is not None:
        if not fwhm > 0:
            msg = f'fwhm must be positive; got {fwhm}'
            raise ValueError(msg)
        return float(fwhm), []
    if mesh is None:  # the network does not ask
        return None, []
    estimate = estimate_fwhm(sci, spoilt=spoilt, mesh=mesh)
    if estimate is not None:
        return estimate, []
    return None, [
        'too few stars to estimate the width of the PSF; the probabilities are means '
        'over widths of 1.6 to 3.7 pixels. Give fwhm= (--fwhm)'
    ]


def _caution(
    card: ModelCard, traits: ImageTraits, problem: str | None
) -> tuple[type[AstrosieveWarning], str] | None:
    """Return the one warning that an image unlike the training's is worth."""
    unusual = list(departures(card, traits))
    if unusual:
        listed = '; '.join(unusual)
        text = f'{listed}. The probabilities may be wrong'
        if problem:
            text += f'. Also: {problem}'
        return OutOfDomainWarning, text
    return (UnitWarning, problem) if problem else None


def _score(
    model: Model, fitted: FittedPreprocessing, xy: np.ndarray, chunk_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return class probabilities, NaN where there are none, and flags."""
    shape = (len(xy), len(model.card.classes))
    probabilities = np.full(shape, np.nan, dtype=np.float32)
    flags = np.zeros(len(xy), dtype=np.int32)
    for start in range(0, len(xy), _BLOCK):
        block = slice(start, start + _BLOCK)
        batch = fitted(xy[block])
        flags[block] = batch.flags
        inputs = batch.inputs
        if not batch.valid.all():
            inputs = {key: value[batch.valid] for key, value in inputs.items()}
        scored = model.predict(inputs, chunk_size=chunk_size)
        probabilities[block][batch.valid] = scored
    return probabilities, flags


def _dq_flags(dq: np.ndarray, xy: np.ndarray, meaning: DQMeaning) -> np.ndarray:
    """Return the flags that the DQ pixels within one pixel of positions give."""
    ix, iy, _, inside = pixel_indices(xy, (dq.shape[0], dq.shape[1]))
    near = np.bitwise_or.reduce(extract_cutouts(dq, ix, iy, 3, fill=0), axis=(1, 2))
    flags = np.zeros(len(xy), dtype=np.int32)
    for bits, flag in (
        (meaning.saturated, CLASS_FLAGS.saturated),
        (meaning.cosmic_ray, CLASS_FLAGS.cosmic_ray_hint),
    ):
        flags[inside & dq_to_mask(near, bits)] |= flag
    return flags


def _class_names(
    probabilities: np.ndarray, classes: Sequence[str], threshold: float | None
) -> np.ndarray:
    """Return the class of each row, by highest probability or by threshold."""
    scored = np.isfinite(probabilities).all(axis=1)
    ranked = np.where(scored[:, None], probabilities, 0)
    best = ranked.argmax(axis=1)
    if threshold is not None:
        if 'star' not in classes:
            msg = 'an operating point needs a model with the class star'
            raise ModelError(msg)
        star = classes.index('star')
        others = ranked.copy()
        others[:, star] = -1
        best = np.where(ranked[:, star] >= threshold, star, others.argmax(axis=1))
    names = np.array([*classes, UNSCORED])
    return names[np.where(scored, best, len(classes))]
