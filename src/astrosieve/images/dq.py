"""
Meaning of the DQ bits, by instrument.

The bits are those of the HST Data Handbooks of ACS, WFC3, WFPC2 and STIS. Four
meanings matter here: no signal, saturated, cosmic ray, and a charge of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ['DQMeaning', 'dq_meaning', 'dq_to_mask']


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
    """

    no_signal: int
    saturated: int
    cosmic_ray: int
    hot: int


_CCD = DQMeaning(
    no_signal=1 | 2 | 4,
    saturated=256 | 2048,
    cosmic_ray=4096 | 8192,
    hot=16 | 32 | 64,
)
_MEANINGS = {
    ('WFC3', 'IR'): DQMeaning(
        no_signal=1 | 2 | 4 | 128,
        saturated=256,
        cosmic_ray=4096 | 8192,
        hot=16 | 32,
    ),
    ('WFPC2', ''): DQMeaning(
        no_signal=1 | 4 | 16, saturated=8, cosmic_ray=4096 | 8192, hot=256 | 512
    ),
    ('STIS', ''): DQMeaning(
        no_signal=1 | 4 | 8, saturated=256, cosmic_ray=8192, hot=16
    ),
}


def dq_meaning(instrument: str = '', detector: str = '') -> DQMeaning:
    """
    Return the meaning of an instrument's DQ bits.

    Parameters
    ----------
    instrument, detector : str
        ``INSTRUME`` and ``DETECTOR`` of the header. Instruments that are not
        in the table read as ACS and WFC3/UVIS, which share their bits.

    Returns
    -------
    meaning : `DQMeaning`
    """
    key = (instrument.strip().upper(), detector.strip().upper())
    return _MEANINGS.get(key) or _MEANINGS.get((key[0], ''), _CCD)


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
