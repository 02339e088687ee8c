"""Images of astropy in, the same with a mask and flags out."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, TypeVar

import numpy as np
from astropy.nddata import FlagCollection, NDData

from astrosieve.contaminant.classes import SPOILT
from astrosieve.contaminant.segment import Contaminants, segment_contaminants

__all__ = ['FLAGS', 'mask_contaminants', 'masked_copy']

FLAGS = 'contaminants'
"""Name of the flags, beside others that an image has already."""

_Image = TypeVar('_Image', bound=NDData)


def mask_contaminants(
    image: _Image, classes: Sequence[str] = SPOILT, **options: Any
) -> _Image:
    """
    Mask what is spoilt in an image of astropy.

    Parameters
    ----------
    image : `~astropy.nddata.NDData` or CCDData
        The image; it is not changed.
    classes : sequence of str, optional
        What is masked; by default all that does not measure the sky.
    **options
        As for `~astrosieve.segment_contaminants`.

    Returns
    -------
    masked : as ``image``
        A copy with the same pixels, unit, uncertainty, WCS and meta. Its mask is `True`
        where it was, and where one of the classes holds; its flags are the bits of all
        classes that hold, see `~astrosieve.contaminant.segment.bits_of`. Flags that
        were there stay, in a `~astropy.nddata.FlagCollection`.

    Raises
    ------
    ValueError
        If the model lacks a class, and as from `~astrosieve.segment_contaminants`.
    """
    if not isinstance(image, NDData):
        msg = (
            f'image must be NDData or CCDData, not {type(image).__name__}; for arrays '
            'there is segment_contaminants'
        )
        raise TypeError(msg)
    return masked_copy(image, segment_contaminants(image, **options), classes)


def masked_copy(
    image: _Image, found: Contaminants, classes: Sequence[str] = SPOILT
) -> _Image:
    """Return an image of astropy with mask and flags of a map that is there already."""
    masked = deepcopy(image)
    spoilt = found.where(*classes)
    own = image.mask
    masked.mask = spoilt if own is None else spoilt | np.asarray(own, bool)
    flags = getattr(image, 'flags', None)
    if flags is None:
        if hasattr(image, 'flags'):
            masked.flags = found.mask
        return masked
    known = flags if isinstance(flags, FlagCollection) else {'flags': flags}
    masked.flags = FlagCollection(shape=found.mask.shape)
    masked.flags.update({**known, FLAGS: found.mask})
    return masked
