"""Contaminants in pipelines of ccdproc: a step in place of its cosmic-ray rejection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.nddata import CCDData

from astrosieve.contaminant import inpaint, masked_copy, segment_contaminants
from astrosieve.contaminant.priors import Prior
from astrosieve.models.registry import Model

__all__ = ['cosmicray_astrosieve']


def cosmicray_astrosieve(
    ccd: Any,
    sigclip: float = 4.5,
    sigfrac: float = 0.3,
    objlim: float = 5.0,
    gain: float | u.Quantity = 1.0,
    readnoise: float | u.Quantity = 6.5,
    satlevel: float = 65535.0,
    pssl: float = 0.0,
    niter: int = 4,
    sepmed: bool = True,
    cleantype: str = 'meanmask',
    fsmode: str = 'median',
    psfmodel: str = 'gauss',
    psffwhm: float = 2.5,
    psfsize: int = 7,
    psfk: Any = None,
    psfbeta: float = 4.765,
    verbose: bool = False,
    gain_apply: bool = True,
    inbkg: Any = None,
    invar: Any = None,
    *,
    classes: Sequence[str] = ('cosmic_ray',),
    model: str | Path | Model = 'contaminant',
    prior: Prior | None = None,
) -> Any:
    """
    Find cosmic rays and fill them, as `ccdproc.cosmicray_lacosmic` is called.

    Parameters
    ----------
    ccd : `~astropy.nddata.CCDData` or 2D `~numpy.ndarray`
        The image, in any unit.
    gain : float or `~astropy.units.Quantity`, optional
        Electrons per DN.
    gain_apply : bool, optional
        Whether the image that is returned is multiplied by the gain.
    sigclip, sigfrac, objlim, readnoise, satlevel, pssl, niter, sepmed, cleantype, \
fsmode, psfmodel, psffwhm, psfsize, psfk, psfbeta, verbose, inbkg, invar : optional
        As there. They change nothing: the network sees noise and PSF in the image.
    classes : sequence of str, optional
        What is masked and filled.
    model : str, path-like or `~astrosieve.models.registry.Model`, optional
        The model.
    prior : dict of str to float, optional
        Expected shares of pixels, as for `~astrosieve.segment_contaminants`.

    Returns
    -------
    ccd : `~astropy.nddata.CCDData`
        A copy with the pixels filled, the mask extended, flags of all classes, and, if
        the gain was applied, in electrons, the uncertainty too. Of an array:
        (filled, mask), as there.

    Raises
    ------
    TypeError
        If ``ccd`` is neither.
    ValueError
        If the gain is no electrons per DN, or there is no such class.
    """
    if not isinstance(ccd, (CCDData, np.ndarray)):
        msg = f'ccd must be a CCDData or ndarray, not {type(ccd).__name__}'
        raise TypeError(msg)
    found = segment_contaminants(ccd, gain=gain, model=model, prior=prior)
    hit = found.where(*classes)
    pixels = ccd.data if isinstance(ccd, CCDData) else ccd
    filled = np.where(hit, inpaint(pixels.astype(np.float32), hit), pixels)
    factor = u.Quantity(gain, getattr(gain, 'unit', u.electron / u.adu))
    if isinstance(ccd, np.ndarray):
        return (filled * factor.value if gain_apply else filled), hit
    cleaned = masked_copy(ccd, found, classes)
    cleaned.data = filled
    if not gain_apply or ccd.unit.is_equivalent(u.electron):
        return cleaned
    flags = cleaned.flags
    cleaned = cleaned.multiply(factor, handle_meta='first_found')
    cleaned.flags = flags
    return cleaned
