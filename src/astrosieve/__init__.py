"""
Tell what the things in astronomical images really are.

The public names are loaded when they are first used, so that
``import astrosieve`` itself costs nothing.
"""

from __future__ import annotations

from importlib.metadata import version as _version

from astrosieve.lazy import lazy_names

__version__ = _version('astrosieve')

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.blob.find': ('find_blobs',),
        '.commands.calls': ('batch',),
        '.contaminant.segment': ('segment_contaminants',),
        '.frametype.classify': ('classify_frame',),
        '.models.registry': ('list_models', 'load_model'),
        '.source.classify': ('classify_sources',),
        '.source.explain': ('explain_source',),
        '.transient.score': ('score_transients',),
    },
)
