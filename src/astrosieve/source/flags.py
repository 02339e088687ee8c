"""Flags of classified detections."""

from __future__ import annotations

from astrosieve.flags import Flag, FlagSet
from astrosieve.images.pixels import PIXEL_FLAGS

__all__ = ['CLASS_FLAGS']

CLASS_FLAGS = FlagSet(
    [
        Flag(1, 'unscored', 'the row has no class; another bit says why'),
        Flag(2, 'bad_position', 'the position is not a finite number'),
        Flag(4, 'outside', 'the position lies outside the image'),
        *PIXEL_FLAGS,
        Flag(128, 'invalid_center', 'the pixel under the position is not usable'),
        Flag(256, 'too_few_pixels', 'too large a share of the cutout is not usable'),
        Flag(512, 'no_contrast', 'the image has one value only, or no usable pixel'),
        Flag(1024, 'saturated', 'a pixel within one pixel is saturated'),
        Flag(2048, 'cosmic_ray_hint', 'DQ calls a pixel within one pixel a cosmic ray'),
        Flag(4096, 'other_chip', 'the row is of a chip that was not asked for'),
        Flag(8192, 'out_of_domain', 'the pixels are unlike those of the training'),
    ]
)
"""Bits of the column ``class_flags``."""
