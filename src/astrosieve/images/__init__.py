"""Pixels in: exposures, what they say of themselves, and pieces of them."""

from __future__ import annotations

from astrosieve.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        '.background': (
            'Background',
            'BackgroundMesh',
            'measure_background',
            'measure_mesh',
            'measure_noise',
        ),
        '.dq': ('DQMeaning',),
        '.exposures': ('Chip', 'chip_from_header', 'read_chips'),
        '.footprints': ('Footprint',),
        '.instruments': ('Instrument', 'instrument'),
        '.measured': ('MeasuredImage',),
        '.mosaic': ('Place', 'arrange'),
        '.psf': ('estimate_fwhm',),
        '.tiles': ('Tiling', 'cut_axis', 'run_tiles'),
        '.traits': ('ImageTraits',),
        '.units': ('PixelUnit', 'parse_unit'),
    },
)
