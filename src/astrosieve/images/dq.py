"""
Meaning of DQ bits.

Four meanings matter here: no signal, saturated, cosmic ray, and a charge of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ['DQMeaning', 'dq_to_mask']


@dataclass(frozen=True)
class DQMeaning:
    """
    Bits of one instrument's DQ array, grouped by what they mean to a cutout.

    Parameters
    ----------
    no_signal : int
        The pixel carries no signal: lost data, bad detector, reference pixel.
    saturated : int
        Full-well or converter saturation; the pixel still belongs to a source.
    cosmic_ray : int
        An earlier program took the pixel for a cosmic ray: a hint.
    hot : int
        Hot, warm or unstable: the pixel adds charge of its own to its signal.
    written : dict of str to int
        The bit that a pipeline sets, by what it found: 'lost', 'bad', 'hot',
        'unstable', 'warm', 'full_well', 'converter', 'hit', 'trail' (that of a
        satellite); 0 where it leaves no mark.
    """

    no_signal: int
    saturated: int
    cosmic_ray: int
    hot: int
    written: Mapping[str, int] = field(default_factory=dict)


def dq_to_mask(dq: np.ndarray, bits: int) -> np.ndarray:
    """
    Return where a DQ array has one of some bits.

    Parameters
    ----------
    dq : 2D integer `~numpy.ndarray`
        DQ array.
    bits : int
        Bits to look for.

    Returns
    -------
    mask : 2D bool `~numpy.ndarray`
        `True` where a bit is set.

    Raises
    ------
    ValueError
        If ``dq`` is not an integer array.
    """
    if not np.issubdtype(dq.dtype, np.integer):
        msg = f'dq must be an integer array; got {dq.dtype}'
        raise ValueError(msg)
    return (dq & np.asarray(bits).astype(dq.dtype)) != 0
