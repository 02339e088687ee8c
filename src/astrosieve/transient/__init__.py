"""Is a candidate of a difference image real, or bogus, and of which kind?"""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.by_object': ('combined',),
        '.candidates': ('Candidate', 'Order'),
        '.classes': ('CLASSES', 'REAL', 'REAL_KINDS', 'SURVEY_CLASSES'),
        '.errors': ('StampError',),
        '.flags': ('STAMP_FLAGS',),
        '.preprocessing': ('Stamps', 'get_preprocessing'),
        '.readers': ('read_candidates',),
        '.score': ('Scorer', 'score_table', 'score_transients'),
        '.store': ('read_scores',),
    },
)
