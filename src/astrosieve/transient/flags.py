"""Flags of candidates: what is wrong with their stamps, or was put right."""

from __future__ import annotations

from astrosieve.flags import Flag, FlagSet

__all__ = ['STAMP_FLAGS']

STAMP_FLAGS = FlagSet(
    [
        Flag(1, 'unreadable', 'the stamps could not be read, unscored'),
        Flag(2, 'blank', 'no plane holds anything, unscored'),
        Flag(4, 'too_small', 'fewer than 11 pixels along an axis, unscored'),
        Flag(8, 'masked', 'half of the pixels at the centre are not usable, unscored'),
        Flag(16, 'no_science', 'no science image, or an empty one'),
        Flag(32, 'no_template', 'no template, or an empty one'),
        Flag(64, 'no_difference', 'no difference, or an empty one'),
        Flag(128, 'moved', 'the peak is 2 pixels or more from the centre'),
        Flag(256, 'partly_masked', 'some pixels near the centre are not usable'),
        Flag(512, 'order', 'the planes seem to be in another order'),
        Flag(1024, 'duplicate', 'the same candidate was there before'),
    ]
)
"""The bits of the column ``flags``."""
