"""Is a whole image spoilt: tracking lost, doubled, out of focus?"""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.judge': ('Verdict', 'judge_image', 'verdict_of'),
        '.preprocessing': ('Sources',),
    },
)
