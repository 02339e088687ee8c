"""Is there a blob in a difference image, and where, how large, how deep?"""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.badpixels': ('expand_bad_pixels', 'write_bad_pixels'),
        '.classes': ('CLASSES',),
        '.difference': ('Difference', 'make_difference'),
        '.errors': ('DifferenceError',),
        '.find': ('find_blobs',),
        '.flags': ('BLOB_FLAGS',),
        '.score': ('score_subframes',),
        '.subframes': ('SIDE', 'subframe_boxes', 'subframe_numbers'),
    },
)
