"""Is a detection a star, a cosmic ray, a diffraction spike ...?"""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.classes': ('CLASSES',),
        '.classify': ('classify_image', 'classify_sources'),
        '.explain': (
            'Explanation',
            'View',
            'explain_image',
            'explain_source',
        ),
        '.display': ('ClassView', 'view_classes'),
        '.exposures': (
            'ClassifyOptions',
            'classify_chip',
            'classify_exposure',
            'explain_row',
        ),
        '.finders': ('detect', 'list_finders'),
        '.flags': ('CLASS_FLAGS',),
    },
)
