"""Headers of simulated exposures, with what pipelines and tools look for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from astrosieve.images.instruments import instrument

if TYPE_CHECKING:
    from astrosieve_training.simulate.chips import SimulatedChip
    from astrosieve_training.simulate.exposure import SimulatedExposure

__all__ = ['primary_header', 'science_header']


def primary_header(exposure: SimulatedExposure, rootname: str) -> fits.Header:
    """Return the header of the first HDU."""
    camera = exposure.camera
    start = 58000.0 + (exposure.seed % 1000) + exposure.index * 0.02
    header = fits.Header()
    cards: dict[str, object] = {
        'TELESCOP': 'GROUND' if camera.layout == 'ground' else 'HST',
        'INSTRUME': camera.instrument,
        'DETECTOR': camera.detector,
        'FILTER': camera.filter,
        'ROOTNAME': rootname,
        'FILENAME': f'{rootname}_flc.fits',
        'FILETYPE': 'SCI',
        'TARGNAME': f'SIM-{exposure.scene.name.upper()}',
        'EXPTIME': exposure.exptime,
    }
    if camera.layout == 'ground':
        cards |= {'GAIN': camera.gain, 'RDNOISE': camera.read_noise}
    else:
        gain = camera.gain
        cards |= {
            'FILTER1': camera.filter, 'FILTER2': 'CLEAR2S', 'DATE-OBS': '2018-01-01',
            'TIME-OBS': '00:00:00', 'EXPSTART': start,
            'EXPEND': start + exposure.exptime / 86400, 'EXPFLAG': 'NORMAL',
            'PROPOSID': 0, 'FLSHCORR': 'OMIT', 'CCDGAIN': gain, 'CCDAMP': 'ABCD',
            'SUBARRAY': exposure.chips[0].sci.shape != tuple(camera.shape),
            'BINAXIS1': 1, 'BINAXIS2': 1, 'PHOTMODE': f'{camera.instrument} SIM',
            'NEXTEND': len(exposure.chips) * (3 if camera.layout == 'flc' else 1),
            'PA_V3': 0.0, 'MEANDARK': camera.dark * exposure.exptime,
        }  # fmt: skip
        for amp in 'ABCD':
            cards[f'ATODGN{amp}'] = gain
            cards[f'READNSE{amp}'] = camera.read_noise
            cards[f'BIASLEV{amp}'] = 0.0
        commanded = instrument(camera.instrument, camera.detector).gains
        if commanded:
            nearest = min(commanded, key=lambda name: abs(commanded[name] - gain))
            cards |= {'FILTNAM1': camera.filter, 'ATODGAIN': nearest}
    cards |= {'SIMCAM': camera.name, 'SIMSEED': exposure.seed}
    header.update(cards)
    return header


def science_header(
    exposure: SimulatedExposure, chip: SimulatedChip, rootname: str
) -> fits.Header:
    """Return the header of a chip's image."""
    camera = exposure.camera
    header = fits.Header()
    wcs = chip.wcs.wcs
    cd = wcs.cd
    scale = camera.plate_scale
    header.update(
        {
            'BUNIT': camera.unit, 'EXPNAME': rootname, 'CCDCHIP': 3 - chip.extver
            if camera.n_chips == 2 else 1, 'WCSAXES': 2,
            'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN',
            'CRPIX1': wcs.crpix[0], 'CRPIX2': wcs.crpix[1],
            'CRVAL1': wcs.crval[0], 'CRVAL2': wcs.crval[1],
            'CD1_1': cd[0, 0], 'CD1_2': cd[0, 1], 'CD2_1': cd[1, 0], 'CD2_2': cd[1, 1],
            'NGOODPIX': int((chip.dq == 0).sum()), 'BINAXIS1': 1, 'BINAXIS2': 1,
            'LTV1': float(-chip.origin[0]), 'LTV2': float(-chip.origin[1]),
            'LTM1_1': 1.0, 'LTM2_2': 1.0, 'MDRIZSKY': 0.0, 'PHOTFLAM': 1e-19,
            'PHOTPLAM': camera.psf.wavelength_nm * 10, 'VAFACTOR': 1.0,
            'MEANDARK': camera.dark * exposure.exptime,
            'ORIENTAT': float(np.rad2deg(np.arctan2(cd[0, 1], cd[1, 1]))),
            'IDCSCALE': scale, 'IDCTHETA': 0.0, 'IDCV2REF': 1.0, 'IDCV3REF': 1.0,
            'OCX10': 0.0, 'OCX11': scale, 'OCY10': scale, 'OCY11': 0.0,
        }
    )  # fmt: skip
    return header
