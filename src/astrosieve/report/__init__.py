"""
What the tasks together say of an exposure, or of a run, on a page.

It stands above the tasks, and puts together what each of them finds.
"""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__, {'.exposure': ('Report', 'ReportOptions', 'exposure_report')}
)
