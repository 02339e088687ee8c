"""Maps of real exposures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from astrosieve import segment_contaminants

SATURATED = 256  # bit of DQ


def test_saturated_pixels_of_a_flat_fielded_exposure(data_dir: Path) -> None:
    """Most of those that DQ names are found, though flats make them uneven."""
    with fits.open(data_dir / 'hst' / 'wfc3uvis_pluto1_f606w_flt.fits') as hdus:
        sci = hdus['SCI', 1].data.astype(np.float32)
        full = (hdus['DQ', 1].data & SATURATED) != 0
    assert full.sum() > 300
    assert sci[full].min() < 0.9 * sci[full].max()
    found = segment_contaminants(sci).where('saturation')
    assert found[full].mean() > 0.75
    assert full[found].mean() > 0.95
