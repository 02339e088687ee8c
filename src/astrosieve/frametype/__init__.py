"""Is a spectral frame a bias, a dark, an arc, a flat, science, a standard ...?"""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.classes': ('CLASSES', 'UNKNOWN'),
        '.classify': ('TypedFrame', 'classify_file', 'classify_frame'),
        '.frames': ('Frame', 'FrameError', 'list_frames', 'read_frames'),
        '.headers': ('header_type',),
        '.night': ('frame_table', 'night_rows'),
    },
)
