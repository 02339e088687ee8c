"""Difference images in, blobs out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike

from astrosieve import __version__
from astrosieve.blob.errors import DifferenceError
from astrosieve.blob.flags import BLOB_FLAGS
from astrosieve.blob.marks import LEAST, MARGIN, STRIDE, Marks, read_marks
from astrosieve.blob.preprocessing import (
    ImagePreprocessing,
    Prepared,
    get_preprocessing,
)
from astrosieve.blob.subframes import subframe_numbers
from astrosieve.exceptions import CatalogError, ModelError, OutOfDomainWarning
from astrosieve.images.dq import DQMeaning, dq_to_mask
from astrosieve.images.instruments import WFC3_IR
from astrosieve.images.measured import HandedOver, MeasuredImage
from astrosieve.images.pixels import spoilt_pixels
from astrosieve.models.calibration import ACTIVATIONS
from astrosieve.models.registry import Model, load_model

__all__ = [
    'COLUMNS',
    'OPERATING_POINT',
    'find_blobs',
    'flags_of',
    'known_places',
    'marks_of',
    'network_marks',
]

COLUMNS = (
    'x', 'y', 'radius', 'depth', 'p_blob', 'subframe',
    'x_err', 'y_err', 'radius_err', 'depth_err', 'flags',
)  # fmt: skip
"""Columns of the table of blobs."""

OPERATING_POINT = 'reported'
"""The operating point of a card at which blobs are reported."""

Predict = Callable[[dict[str, np.ndarray]], np.ndarray]

_SIDE = 64  # pixels; less is no image to look for blobs in
_USABLE = 0.2  # share of the pixels
_NEAR = 3.0  # pixels: a known blob is as near, at least
_STRIP, _OVERLAP, _BLOCK = 544, 128, 16  # rows of strips; what sizes are multiples of
_FRACTION = 0.5  # a difference of fractions has no larger level or noise
_SPOILT = 0.25  # share of a blob's pixels
_LEAST = 0.01  # lowest probability that can be asked for


def find_blobs(
    difference: ArrayLike | u.Quantity,
    *,
    mask: ArrayLike | None = None,
    dq: ArrayLike | None = None,
    known: Any = None,
    model: str | Path | Model = 'blob',
    min_probability: float | None = None,
    dq_bits: DQMeaning | None = None,
) -> Table:
    """
    Find the blobs of a difference image.

    Parameters
    ----------
    difference : 2D array_like, Quantity, `~astropy.nddata.NDData` or CCDData
        (reference - image) / reference, so that a blob is positive; of any size, 64
        pixels or more on a side. Of 1024x1024 pixels the five outermost rows and
        columns are reference pixels, and not looked at. NaN is treated as masked.
    mask : 2D bool array_like, optional
        `True` excludes a pixel.
    dq : 2D int array_like, optional
        DQ flags; pixels without signal, hot, unstable or saturated ones are excluded.
        Bit 512 does not count: known blobs are better given as ``known``.
    known : `~astropy.table.Table`, optional
        Blobs that are known, with the columns ``x`` and ``y``, pixels, 0-based, and
        perhaps ``radius``. What is found within the radius of one, or within 3 pixels
        where that is more, is left out.
    model : str, path-like or `~astrosieve.models.registry.Model`, optional
        A model that marks blobs.
    min_probability : float, optional
        Lowest ``p_blob``, 0.01 or more; by default that of the card's operating point
        'reported'.
    dq_bits : `~astrosieve.images.dq.DQMeaning`, optional
        Meaning of the DQ bits; by default that of WFC3/IR.

    Returns
    -------
    blobs : `~astropy.table.Table`
        A row for each blob, by falling ``p_blob``, that is as deep as the card's
        option 'least_depth' at least: ``x`` and ``y`` of the centre of its
        light loss (pixels, 0-based); ``radius``, of the circle as large as the area
        that loses more than half of the depth (pixels); ``depth``, the largest loss,
        in the unit of the difference; ``p_blob``; ``subframe``, see
        `astrosieve.blob.subframes`; ``x_err``, ``y_err``, ``radius_err``,
        ``depth_err``, standard deviations; ``flags``, bits of
        `astrosieve.blob.flags.BLOB_FLAGS`. ``meta`` holds model, hash, version,
        warnings, and how many known blobs were left out.

    Raises
    ------
    DifferenceError
        If no blob can be looked for in the image.
    CatalogError
        If ``known`` lacks its columns.
    ModelError
        If there is no such model, or it does not say where blobs are.
    TypeError, ValueError
        If an array is no image, or not of the image's shape.

    Warns
    -----
    OutOfDomainWarning
        If the values are not fractions.
    """
    loaded = load_model(model, task='blob')
    least = _least(loaded, min_probability)
    places = None if known is None else known_places(known)
    image, remarks = _as_difference(difference, mask, dq, dq_bits)
    prepare = get_preprocessing(loaded.card.preprocessing)
    prepared = prepare.prepare(image.sci, image.spoilt)
    marks = marks_of(loaded, prepare, prepared, least)
    table = _table(marks, loaded, prepared)
    table = table[table['depth'] >= loaded.card.options.get('least_depth', 0)]
    left_out = 0
    if places is not None:
        again = _is_known(table, places)
        left_out = int(again.sum())
        table = table[~again]
    for remark in remarks:
        warnings.warn(remark, OutOfDomainWarning, stacklevel=2)
    card = loaded.card
    table.meta.update(
        model=f'{card.name} {card.version}',
        hash=card.sha256,
        version=__version__,
        min_probability=least,
        known=left_out,
        warnings='; '.join(remarks),
    )
    return table


def _least(model: Model, given: float | None) -> float:
    """Return the lowest probability that is reported."""
    if 'outputs' not in model.card.options:
        msg = (
            f'model {model.card.name} does not say where blobs are, but of which '
            'subframe there is one: use score_subframes, or the model blob'
        )
        raise ModelError(msg)
    if given is None:
        return model.card.threshold(OPERATING_POINT, 'p_blob')
    if not _LEAST <= given < 1:
        msg = f'min_probability must be {_LEAST} or more, and below 1; got {given}'
        raise ValueError(msg)
    return float(given)


def _fraction(data: Any) -> Any:
    """Return data without unit; what is no fraction is refused."""
    own = HandedOver.of(data)
    unit = getattr(own.data, 'unit', None)
    if unit is None:
        return data
    if not unit.is_equivalent(u.dimensionless_unscaled):
        msg = (
            f'the image is in {unit}; a difference, (reference - image) / reference, '
            'has no unit. Make it with make_difference, or give --reference'
        )
        raise DifferenceError(msg)
    mask: Any = own.mask
    pixels = own.data.to_value(u.dimensionless_unscaled)
    if hasattr(pixels, 'unmasked'):
        pixels, mask = pixels.unmasked, pixels.mask if mask is None else mask
    return pixels if mask is None else np.ma.array(pixels, mask=mask)


def _as_difference(
    data: Any,
    mask: ArrayLike | None,
    dq: ArrayLike | None,
    dq_bits: DQMeaning | None,
) -> tuple[MeasuredImage, list[str]]:
    """Return the image with its pixels that are not usable, and what is odd of it."""
    meaning = dq_bits or WFC3_IR.dq
    image = MeasuredImage.of(_fraction(data), mask=mask, dq=dq, dq_bits=meaning)
    shape = image.sci.shape
    if min(shape) < _SIDE:
        msg = (
            f'the image has {shape[0]}x{shape[1]} pixels; at least {_SIDE}x{_SIDE} are '
            'needed to tell a blob from noise. Give the whole image'
        )
        raise DifferenceError(msg)
    excluded = np.zeros(shape, bool) if image.spoilt is None else image.spoilt != 0
    if (shape, 1) in WFC3_IR.science_areas:
        rows, columns = WFC3_IR.science_areas[shape, 1]
        border = np.ones(shape, bool)
        border[rows, columns[0]] = False
        excluded |= border
    if image.dq is not None:
        excluded |= dq_to_mask(image.dq, meaning.hot | meaning.saturated)
    share = 1 - excluded.mean()
    if share < _USABLE:
        msg = (
            f'only {share:.1%} of the pixels are usable, {_USABLE:.0%} at least are '
            'needed: look at mask, DQ flags and NaN'
        )
        raise DifferenceError(msg)
    image = replace(image, spoilt=spoilt_pixels(image.sci, mask=excluded))
    level, noise = image.background.level, image.background.noise
    if not noise > 0:
        msg = (
            f'all usable pixels are {level:g}; an image without noise is no difference '
            'of two exposures'
        )
        raise DifferenceError(msg)
    remarks = []
    if abs(level) > _FRACTION or noise > _FRACTION:
        remarks.append(
            f'the level is {level:.3g} and the noise {noise:.3g}: not a difference '
            '(reference - image) / reference. Depths are in the unit of the image'
        )
    return image, remarks


def marks_of(
    model: Model, prepare: ImagePreprocessing, prepared: Prepared, least: float
) -> Marks:
    """
    Return the candidates of a prepared image.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        The network.
    prepare : `~astrosieve.blob.preprocessing.ImagePreprocessing`
        Makes its inputs.
    prepared : `~astrosieve.blob.preprocessing.Prepared`
        The image.
    least : float
        Lowest probability.

    Returns
    -------
    marks : `~astrosieve.blob.marks.Marks`
    """
    predict = partial(model.outputs, chunk_size=1)
    scale = float(np.ravel(model.card.temperature)[0])
    lowest = scale * float(np.log(least / (1 - least)))
    weights = model.card.options.get('weights')
    if weights is None:
        return network_marks(predict, prepare, prepared.signal, lowest)
    marks = network_marks(predict, prepare, prepared.signal, LEAST).weighed(weights)
    return marks.take(marks.logit >= lowest)


def network_marks(
    predict: Predict, prepare: ImagePreprocessing, signal: np.ndarray, least: float
) -> Marks:
    """
    Return what a network marks within an image.

    Parameters
    ----------
    predict : callable
        Returns the outputs of inputs, (N, 9, cells, cells).
    prepare : `~astrosieve.blob.preprocessing.ImagePreprocessing`
        Makes the inputs.
    signal : (ny, nx) float32 `~numpy.ndarray`
        A prepared image, in units of its noise.
    least : float
        Lowest logit.

    Returns
    -------
    marks : `~astrosieve.blob.marks.Marks`
    """
    marks = read_marks(_outputs(predict, prepare, signal), least)
    ny, nx = signal.shape
    inside = (marks.x > -0.5) & (marks.x < nx - 0.5)
    inside &= (marks.y > -0.5) & (marks.y < ny - 0.5)
    return marks.take(inside)


def _outputs(
    predict: Predict, prepare: ImagePreprocessing, signal: np.ndarray
) -> np.ndarray:
    """
    Return the outputs for an image, (9, ceil(ny / 4), ceil(nx / 4)).

    The image, with a margin of pixels that are not there about it, is given to the
    network in strips of its rows, one for each core or more, and each cell taken from
    the strip whose edges are the farther. By such margins the network knows the edges
    of the images that it learnt from.
    """
    ny, nx = (-(-(n + 2 * MARGIN) // _BLOCK) * _BLOCK for n in signal.shape)
    padded = np.full((ny, nx), np.nan, np.float32)
    rows, columns = (slice(MARGIN, MARGIN + n) for n in signal.shape)
    padded[rows, columns] = signal
    n = max(-(-ny // _STRIP), 1)
    height = -(-(ny + (n - 1) * _OVERLAP) // (n * _BLOCK)) * _BLOCK
    height = min(height, ny)
    starts = (np.linspace(0, ny - height, n) // _BLOCK).astype(int) * _BLOCK
    strips = np.stack([padded[start : start + height] for start in starts])
    outputs = predict(prepare(strips))
    whole = np.empty((outputs.shape[1], ny // STRIDE, nx // STRIDE), np.float32)
    first = 0
    for number, start in enumerate(starts):
        last = start + height
        if number + 1 < n:  # in the middle of what two have in common
            last = (last + starts[number + 1]) // (2 * STRIDE) * STRIDE
        some = slice((first - start) // STRIDE, (last - start) // STRIDE)
        whole[:, first // STRIDE : last // STRIDE] = outputs[number][:, some]
        first = last
    margin = MARGIN // STRIDE
    rows, columns = (slice(margin, margin + -(-n // STRIDE)) for n in signal.shape)
    return whole[:, rows, columns]


def _table(marks: Marks, model: Model, prepared: Prepared) -> Table:
    """Return candidates as a table, depths in the unit of the image."""
    card, shape = model.card, prepared.signal.shape
    _, noise = prepared.mesh.at(marks.x, marks.y)
    depth = marks.depth * noise
    logits = marks.logit[:, None].astype(np.float32)
    temperature = float(np.ravel(card.temperature)[0])
    wider = card.options.get('errors', {})
    position = marks.x_err * wider.get('position', 1.0)
    values = {
        'x': marks.x,
        'y': marks.y,
        'radius': marks.radius,
        'depth': depth,
        'p_blob': ACTIVATIONS['sigmoid'](logits, temperature)[:, 0],
        'subframe': subframe_numbers(marks.x, marks.y, shape),
        'x_err': position,
        'y_err': position,
        'radius_err': marks.radius * marks.radius_err * wider.get('radius', 1.0),
        'depth_err': depth * marks.depth_err * wider.get('depth', 1.0),
        'flags': flags_of(marks, prepared.signal),
    }
    types = {'p_blob': np.float32, 'subframe': np.int16, 'flags': np.int16}
    table = Table(
        {name: np.asarray(values[name], types.get(name, float)) for name in COLUMNS}
    )
    for name in ('x', 'y', 'radius', 'x_err', 'y_err', 'radius_err'):
        table[name].unit = u.pix
    return table


def flags_of(marks: Marks, signal: np.ndarray) -> np.ndarray:
    """Return bits of blobs: at the edge, of few usable pixels, close to another."""
    ny, nx = signal.shape
    to_edge = np.minimum(
        np.minimum(marks.x, nx - 1 - marks.x), np.minimum(marks.y, ny - 1 - marks.y)
    )
    away = np.hypot(marks.x[:, None] - marks.x, marks.y[:, None] - marks.y)
    close = away < marks.radius[:, None] + marks.radius
    flags = BLOB_FLAGS.edge * (to_edge + 0.5 < marks.radius)
    flags += BLOB_FLAGS.close * (close.sum(axis=1) > 1)
    for number in range(len(marks)):
        reach = int(np.ceil(marks.radius[number]))
        rows, columns = (
            slice(max(round(at) - reach, 0), round(at) + reach + 1)
            for at in (marks.y[number], marks.x[number])
        )
        lost = np.isnan(signal[rows, columns]).mean()
        flags[number] += BLOB_FLAGS.spoilt * bool(lost >= _SPOILT)
    return flags


def known_places(known: Any) -> np.ndarray:
    """
    Return position and reach of known blobs.

    Parameters
    ----------
    known : `~astropy.table.Table` or mapping of str to array_like
        ``x``, ``y``, and perhaps ``radius``, pixels.

    Returns
    -------
    places : (N, 3) float `~numpy.ndarray`
        x, y, and how near something is to be the same blob: the radius, 3 pixels at
        least. Rows without a position are left out.

    Raises
    ------
    CatalogError
        If a column is missing, or holds no numbers.
    """
    names = list(known.keys()) if hasattr(known, 'keys') else []
    if not {'x', 'y'} <= {*names}:
        there = f'it has {", ".join(map(str, names))}' if names else 'it has none'
        msg = f'the table of known blobs needs the columns x and y (pixels); {there}'
        raise CatalogError(msg)
    columns = [known[name] for name in ('x', 'y', 'radius') if name in names]
    try:
        values: list[np.ndarray] = [
            np.ma.filled(np.ma.asarray(getattr(each, 'value', each), float), np.nan)
            for each in columns
        ]
    except (TypeError, ValueError) as error:
        msg = f'the table of known blobs must hold numbers of pixels ({error})'
        raise CatalogError(msg) from error
    x, y = values[:2]
    radius = values[2] if len(values) > 2 else np.zeros(len(x))
    reach = np.fmax(radius, _NEAR)
    places = np.column_stack([x, y, reach])
    return places[np.isfinite(places).all(axis=1)]


def _is_known(table: Table, places: np.ndarray) -> np.ndarray:
    x, y, reach = places.T
    away = np.hypot(
        np.asarray(table['x'])[:, None] - x, np.asarray(table['y'])[:, None] - y
    )
    found: np.ndarray = (away <= reach).any(axis=1)
    return found
