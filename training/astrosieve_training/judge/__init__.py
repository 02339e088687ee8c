"""Judging: scores, limits, reports, figures; no task."""
