"""Which pixels of an image are spoilt, and by what?"""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.classes': ('CLASSES', 'FAILURES', 'SPOILT'),
        '.dq': ('MASK_BITS',),
        '.files': ('read_contaminants', 'write_contaminants'),
        '.filling': ('inpaint',),
        '.nddata': ('mask_contaminants', 'masked_copy'),
        '.priors': ('expected_shares',),
        '.segment': ('Contaminants', 'segment_contaminants'),
        '.verdict.judge': ('Verdict', 'judge_image'),
    },
)
