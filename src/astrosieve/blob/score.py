"""Subframes in, probabilities of a blob out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike

from astrosieve import __version__
from astrosieve.blob.preprocessing.isr2021 import ZScaleClip
from astrosieve.blob.subframes import SIDE, subframe_boxes
from astrosieve.exceptions import ModelError
from astrosieve.images.dq import dq_to_mask
from astrosieve.images.instruments import WFC3_IR
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import Model, load_model

__all__ = ['score_subframes']


def score_subframes(
    difference: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    dq: ArrayLike | None = None,
    model: str | Path | Model = 'blob-isr2021',
) -> Table:
    """
    Say of each subframe of a difference image how likely a new blob is in it.

    Parameters
    ----------
    difference : 2D array_like, Quantity, `~astropy.nddata.NDData` or CCDData
        (reference - image) / reference, so that a blob is positive; of 256x256 pixels
        or more. NaN is treated as masked.
    mask : 2D bool array_like, optional
        `True` excludes a pixel.
    dq : 2D int array_like, optional
        DQ flags of WFC3/IR; pixels without signal, hot, unstable or saturated ones are
        excluded.
    model : str, path-like or `~astrosieve.models.registry.Model`, optional
        A network that tells subframes apart, as that of WFC3 ISR 2021-08.

    Returns
    -------
    subframes : `~astropy.table.Table`
        A row for each: ``subframe``, its number, see `astrosieve.blob.subframes`;
        ``x_first`` and ``y_first``, its first pixel; ``p_blob``; and ``class_name``,
        'blob' where that is more likely than not. ``meta`` holds model, hash, version.

    Raises
    ------
    ModelError
        If there is no such model, or it does not tell subframes apart.
    TypeError, ValueError
        If the image is none, or smaller than a subframe.
    """
    loaded = load_model(model, task='blob')
    card, prepare = loaded.card, ZScaleClip()
    if card.preprocessing != prepare.name:
        msg = (
            f'model {card.name} does not tell subframes apart, it says where blobs '
            'are: use find_blobs, or the model blob-isr2021'
        )
        raise ModelError(msg)
    meaning = WFC3_IR.dq
    image = MeasuredImage.of(difference, mask=mask, dq=dq, dq_bits=meaning)
    shape = image.sci.shape
    if min(shape) < SIDE:
        msg = (
            f'the image has {shape[1]}x{shape[0]} pixels, fewer than a subframe of '
            f'{SIDE}x{SIDE}; give the whole image'
        )
        raise ValueError(msg)
    spoilt = np.zeros(shape, bool) if image.spoilt is None else image.spoilt != 0
    if image.dq is not None:
        spoilt |= dq_to_mask(image.dq, meaning.hot | meaning.saturated)
    whole = prepare.prepare(image.sci, spoilt)
    boxes = subframe_boxes(shape)
    inputs = prepare(np.stack([whole[box] for box in boxes]))
    p = loaded.predict(inputs)[:, card.classes.index('blob')]
    return Table(
        {
            'subframe': np.arange(len(boxes), dtype=np.int16),
            'x_first': [columns.start for _, columns in boxes],
            'y_first': [rows.start for rows, _ in boxes],
            'p_blob': p.astype(np.float32),
            'class_name': np.where(p > 0.5, 'blob', 'no_blob'),
        },
        meta={
            'model': f'{card.name} {card.version}',
            'hash': card.sha256,
            'version': __version__,
        },
    )
