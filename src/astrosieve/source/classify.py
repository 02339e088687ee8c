"""Classify detections: stars, cosmic rays, diffraction spikes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table
from numpy.typing import ArrayLike

from astrosieve import __version__
from astrosieve.classes import UNSCORED
from astrosieve.exceptions import (
    AstrosieveWarning,
    CatalogError,
    ModelError,
    OutOfDomainWarning,
    UnitWarning,
)
from astrosieve.images.cutouts import extract_cutouts, pixel_indices
from astrosieve.images.dq import DQMeaning, dq_to_mask
from astrosieve.images.measured import MeasuredImage
from astrosieve.images.units import PixelUnit
from astrosieve.models.calibration import reweight
from astrosieve.models.cards import ModelCard
from astrosieve.models.domain import departures
from astrosieve.models.registry import Model, load_model
from astrosieve.models.session import CHUNK_SIZE
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.preprocessing import (
    FittedPreprocessing,
    fit_image,
    get_preprocessing,
)
from astrosieve.source.widths import averaged, star_chooser
from astrosieve.tables.catalogs import add_classes, position_columns, positions

__all__ = ['COSMIC_RAY_HINT_ODDS', 'classify_image', 'classify_sources']

COSMIC_RAY_HINT_ODDS = 4.0
"""Factor on the odds of 'cosmic_ray' where DQ has a cosmic-ray bit: a hint."""

_UNKNOWN_WIDTH = (
    'too few stars to estimate the width of the PSF; the probabilities are means over '
    'widths of 1.6 to 3.7 pixels. Give fwhm='
)
_BLOCK = 65_536  # rows that are cut out at once: bounds the memory


def classify_sources(
    data: ArrayLike | u.Quantity,
    catalog: Table | ArrayLike,
    mask: ArrayLike | None = None,
    dq: ArrayLike | None = None,
    err: ArrayLike | None = None,
    unit: str | u.UnitBase | PixelUnit | None = None,
    gain: float | u.Quantity | None = None,
    exptime: float | u.Quantity | None = None,
    fwhm: float | u.Quantity | None = None,
    model: str | Model = 'source',
    operating_point: str | None = None,
    prior: Mapping[str, float] | None = None,
    *,
    columns: Sequence[str] | None = None,
    origin: float | None = None,
    dq_bits: DQMeaning | None = None,
    cosmic_ray_hint: bool = True,
    extver: int | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> Table:
    """
    Classify the detections of a catalogue in an image.

    Parameters
    ----------
    data : 2D array_like, Quantity, `~astropy.nddata.NDData` or CCDData
        Image, with or without its sky. NaN and infinite pixels are treated as
        masked. Mask, unit, uncertainty and WCS of an NDData count where the
        arguments below say nothing else.
    catalog : `~astropy.table.Table` or (N, 2) array_like
        One detection per row, a DataFrame or structured array too; or bare positions
        ``(x, y)``, pixels.
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
    gain : float or `~astropy.units.Quantity`, optional
        Electrons per DN.
    exptime : float or `~astropy.units.Quantity`, optional
        Exposure time, seconds.
    fwhm : float or `~astropy.units.Quantity`, optional
        FWHM of the point-spread function, pixels. Where the model needs it, it is
        estimated from the image, too: a width that is given is taken to be right
        within 15 % and weighed with that of the stars, but where they differ by half
        it stands, with a warning. Where there is neither, the probabilities are means
        over several widths. Outside the range that the model was trained on there is
        a warning.
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
        Coordinate of the first pixel's centre in ``catalog``. By default what its
        columns say (``X_IMAGE`` of SExtractor, ``XCENTER`` of IRAF: 1), else 0.
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
        ``y_centroid`` (0-based), ``sky_centroid`` where there is a WCS,
        ``class_name``, a float32 column
        ``p_<class>`` for each class, ``class_flags``, and ``extver`` if given.
        Rows that cannot be scored are 'unscored', with NaN probabilities and
        the reason in ``class_flags`` (see `astrosieve.source.flags.CLASS_FLAGS`).
        ``meta`` holds model, hash, version, options, unit, fwhm, warnings.

    Raises
    ------
    CatalogError
        If the positions cannot be found in the catalogue.
    ModelError
        If the model is not known, not for sources, or lacks what is asked.
    TypeError
        If ``data`` is no image, but a file's name or an HDU.
    ValueError
        If an array has the wrong shape, or an option is out of its range.

    Warns
    -----
    OutOfDomainWarning
        Once, naming all that is unusual, where the pixels are unlike those of the
        training: the PSF, noise that is correlated, or none, many that are not usable.
        All rows then have the flag 'out_of_domain'.
    UnitWarning
        Where the unit of the pixels, which changes no probability, is not known.
    AstrosieveWarning
        Where the PSF's width is wanted and cannot be estimated.

    References
    ----------
    Bajaj & Dauphin 2024, WFC3 ISR 2024-14.

    Examples
    --------
    >>> from astropy.io import fits
    >>> from photutils.detection import DAOStarFinder
    >>> from astrosieve import classify_sources
    >>> from astrosieve.source.demo import demo_exposure
    >>> image = fits.getdata(demo_exposure(), 'SCI')
    >>> detections = DAOStarFinder(threshold=25, fwhm=1.8)(image)
    >>> table = classify_sources(image, detections, unit='electron')
    >>> stars = table[table['class_name'] == 'star']
    >>> 0 < len(stars) < len(table) == len(detections)
    True
    """
    loaded = load_model(model, task='source')
    image = image_for(
        loaded,
        data,
        mask=mask,
        dq=dq,
        err=err,
        unit=unit,
        gain=gain,
        exptime=exptime,
        fwhm=fwhm,
        dq_bits=dq_bits,
    )
    return classify_image(
        image,
        catalog,
        model=loaded,
        operating_point=operating_point,
        prior=prior,
        columns=columns,
        origin=origin,
        cosmic_ray_hint=cosmic_ray_hint,
        extver=extver,
        chunk_size=chunk_size,
    )


def classify_image(
    image: MeasuredImage,
    catalog: Table | ArrayLike,
    *,
    model: str | Model = 'source',
    operating_point: str | None = None,
    prior: Mapping[str, float] | None = None,
    columns: Sequence[str] | None = None,
    origin: float | None = None,
    cosmic_ray_hint: bool = True,
    extver: int | None = None,
    chunk_size: int = CHUNK_SIZE,
    on_chunk: Callable[[], None] | None = None,
) -> Table:
    """
    Classify the detections of a catalogue in an image that knows itself.

    Parameters
    ----------
    image : `~astrosieve.images.measured.MeasuredImage`
        The image.
    catalog : `~astropy.table.Table` or (N, 2) array_like
        As for `classify_sources`.
    model, operating_point, prior, columns, origin : optional
        As for `classify_sources`.
    cosmic_ray_hint, extver, chunk_size : optional
        As for `classify_sources`, which also says what is raised and warned of.
    on_chunk : callable, optional
        Called after each run of the network; what it raises ends the work.

    Returns
    -------
    table : `~astropy.table.Table`
        As from `classify_sources`.
    """
    loaded = load_model(model, task='source')
    card = loaded.card
    threshold = card.threshold(operating_point, 'p_star') if operating_point else None
    table = as_table(catalog)
    *_, counted_from = position_columns(table, columns=columns, origin=origin)
    xy = positions(table, columns=columns, origin=counted_from)
    table = _with_sky(table, image.wcs, xy)
    preprocessing = get_preprocessing(card.preprocessing)
    remarks = []
    if preprocessing.needs_fwhm and image.fwhm is None:
        remarks.append(_UNKNOWN_WIDTH)
        if len(xy):
            warnings.warn(_UNKNOWN_WIDTH, AstrosieveWarning, stacklevel=3)
    unusual = '; '.join(departures(card, image.traits))
    caution = _caution(unusual, _contradiction(image), image.problem)
    if caution:
        remarks.append(caution[1])
        warnings.warn(caution[1], caution[0], stacklevel=3)

    fitted = fit_image(preprocessing, image)
    predict = partial(loaded.predict, chunk_size=chunk_size, on_chunk=on_chunk)
    probabilities, flags = _score(predict, len(card.classes), fitted, xy)
    if unusual:
        flags |= CLASS_FLAGS.out_of_domain
    flags[image.plateaus.near(xy)[0]] |= CLASS_FLAGS.saturated
    if image.dq is not None:
        flags |= _hints(image.dq, xy, image.dq_bits)
    hinted = (flags & CLASS_FLAGS.cosmic_ray_hint) != 0 if cosmic_ray_hint else None
    probabilities = _reweighted(probabilities, card, hinted, prior)
    result = add_classes(
        table,
        xy=xy,
        class_names=_class_names(probabilities, card.classes, threshold),
        probabilities=probabilities,
        classes=card.classes,
        flags=flags,
        extver=extver,
    )
    options = {
        'operating_point': operating_point,
        'prior': dict(prior) if prior else None,
        'cosmic_ray_hint': cosmic_ray_hint,
        'origin': counted_from,
        'gain': image.gain,
        'exptime': image.exptime,
    }
    # Plain values under short keys, so that FITS keeps them as they are.
    result.meta.update(
        model=f'{card.name} {card.version}',
        hash=card.sha256,
        version=__version__,
        options=json.dumps({k: v for k, v in options.items() if v is not None}),
        unit=str(image.unit or 'unknown'),
        warnings='; '.join(remarks),
    )
    if image.fwhm is not None:
        result.meta['fwhm'] = round(image.fwhm, 4)
    return result


def _contradiction(image: MeasuredImage) -> str | None:
    """Return what there is to say of a width that the stars do not have."""
    stars = image.psf_stars
    if stars is None or not image.contradicted:
        return None
    return (
        f'a width of {image.given_fwhm:.2f} pixels was given, but {len(stars)} '
        f'sources that look like stars are {stars.fwhm:.2f} wide; what was given '
        'stands. Leave out fwhm= to believe the image'
    )


def image_for(
    model: Model, data: ArrayLike | u.Quantity, **known: Any
) -> MeasuredImage:
    """Return an array as an image whose width is estimated if the model asks for it."""
    preprocessing = get_preprocessing(model.card.preprocessing)
    return MeasuredImage.of(
        data,
        estimates_fwhm=preprocessing.needs_fwhm,
        likely_stars=star_chooser(model),
        **known,
    )


def _reweighted(
    probabilities: np.ndarray,
    card: ModelCard,
    hinted: np.ndarray | None,
    prior: Mapping[str, float] | None,
) -> np.ndarray:
    """Return probabilities with the hints of DQ, and another mix of classes."""
    if hinted is not None:
        probabilities = reweight(
            probabilities,
            card.classes,
            factors={'cosmic_ray': COSMIC_RAY_HINT_ODDS},
            rows=hinted,
        )
    if prior:
        probabilities = card.for_prior(probabilities, prior)
    return probabilities


def as_table(catalog: Any) -> Table:
    """Return a catalogue of any kind as a table; bare positions get columns."""
    if isinstance(catalog, Table):
        return catalog
    if hasattr(catalog, 'iloc'):  # of pandas
        return QTable.from_pandas(catalog)
    try:
        xy = np.asarray(getattr(catalog, 'value', catalog))
    except (TypeError, ValueError):  # ragged, or Quantities one by one
        xy = np.asarray(None)
    if xy.dtype.names:
        return QTable(xy)
    if xy.size == 0:
        xy = xy.reshape(0, 2).astype(float)
    if xy.ndim != 2 or xy.shape[1] != 2 or xy.dtype.kind not in 'iuf':
        msg = (
            'catalog must be a table or positions of shape (N, 2), real numbers of '
            f'pixels; got {type(catalog).__name__}'
            f'{f" of {xy.dtype}, shape {xy.shape}" if xy.ndim else ""}'
        )
        raise CatalogError(msg)
    unit = getattr(catalog, 'unit', None)
    return QTable(
        xy.astype(float), names=('x_centroid', 'y_centroid'), units=(unit, unit)
    )


def _with_sky(table: Table, wcs: Any, xy: np.ndarray) -> Table:
    """Return a copy with ``sky_centroid`` where a WCS gives positions on the sky."""
    if wcs is None or 'sky_centroid' in table.colnames:
        return table
    sky = wcs.pixel_to_world(xy[:, 0], xy[:, 1])
    if not isinstance(sky, SkyCoord):
        return table
    table = table.copy()
    table['sky_centroid'] = sky
    return table


def _caution(
    unusual: str, contradiction: str | None, problem: str | None
) -> tuple[type[AstrosieveWarning], str] | None:
    """Return the one warning that an image unlike the training's is worth."""
    kind: type[AstrosieveWarning] = AstrosieveWarning
    if unusual:
        kind, unusual = OutOfDomainWarning, f'{unusual}. The probabilities may be wrong'
    elif not contradiction:
        kind = UnitWarning
    said = [each for each in (unusual, contradiction, problem) if each]
    return (kind, '. Also: '.join(said)) if said else None


def _score(
    predict: Callable[[dict[str, np.ndarray]], np.ndarray],
    n_classes: int,
    fitted: FittedPreprocessing,
    xy: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return class probabilities, NaN where there are none, and flags."""
    probabilities = np.full((len(xy), n_classes), np.nan, dtype=np.float32)
    flags = np.zeros(len(xy), dtype=np.int32)
    for start in range(0, len(xy), _BLOCK):
        block = slice(start, start + _BLOCK)
        batch = fitted(xy[block])
        flags[block] = batch.flags
        inputs = batch.inputs
        if not batch.valid.all():
            inputs = {key: value[batch.valid] for key, value in inputs.items()}
        scored = averaged(predict, inputs)
        probabilities[block][batch.valid] = scored
    return probabilities, flags


def _hints(dq: np.ndarray, xy: np.ndarray, meaning: DQMeaning) -> np.ndarray:
    """Return where DQ calls a pixel within one pixel of positions a cosmic ray."""
    ix, iy, _, inside = pixel_indices(xy, (dq.shape[0], dq.shape[1]))
    near = np.bitwise_or.reduce(extract_cutouts(dq, ix, iy, 3, fill=0), axis=(1, 2))
    hinted = inside & dq_to_mask(near, meaning.cosmic_ray)
    return np.where(hinted, CLASS_FLAGS.cosmic_ray_hint, 0).astype(np.int32)


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
