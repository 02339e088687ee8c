"""
TweakReg on a real pair: 47 Tuc, ACS/HRC F606W and F330W, before and after filtering.

Run ``python tests/benchmarks/tweakreg_hrc.py --output DIR``; it writes
DIR/tweakreg_hrc.ecsv and two pictures. The exposures overlap by about a fifth. Their
WCS is the raw header's pointing and roll with the SIP distortion of another header;
IDCTAB, whose file is not to be had, is left out.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits

from astrosieve.figures import save_figure
from astrosieve.images.exposures import read_chips
from astrosieve_plugins.tweakreg_catalogs.aligning import OWN_FINDER, align_exposures
from astrosieve_plugins.tweakreg_catalogs.figures import match_figure, residual_figure
from astrosieve_plugins.tweakreg_catalogs.inputs import read_exposures
from astrosieve_plugins.tweakreg_catalogs.selection import make_selection
from astrosieve_training.data_folder import data_folder

FRAMES = (
    'acshrc_47tuc_f606w_j8bt06o6q_raw.fits.gz',
    'acshrc_47tuc_f330w_j8bt09jcq_raw.fits.gz',
)
DISTORTION = 'acshrc_sip_header_only_j8bt06nyq_flt.fits'
GAIN = 2.216
KEPT = (
    'CTYPE', 'CUNIT', 'CRPIX', 'CRVAL', 'CD', 'ORIENTAT', 'A_', 'B_', 'AP_', 'BP_',
    'WCSAXES', 'RADESYS', 'EQUINOX', 'IDCSCALE', 'IDCTHETA', 'IDCV2REF', 'IDCV3REF',
    'IDCXREF', 'IDCYREF', 'OCX', 'OCY', 'LTV', 'LTM', 'VAFACTOR',
)  # fmt: skip


def as_flt(raw: Path, distortion: fits.Header, path: Path) -> None:
    """Write a raw exposure as electrons without overscan, with a distorted WCS."""
    with fits.open(raw) as hdus:
        primary, header = hdus[0].header, hdus['SCI', 1].header
        data = hdus['SCI', 1].data.astype(np.float32)
    overscan = float(np.median(data[:1024, 2:18]))
    sci = (data[:1024, 19:1043] - overscan) * np.float32(GAIN)
    new = fits.Header([c for c in distortion.cards if c.keyword.startswith(KEPT)])
    turn = np.deg2rad(header['ORIENTAT'] - distortion['ORIENTAT'])
    matrix = np.array([[distortion[f'CD{i}_{j}'] for j in (1, 2)] for i in (1, 2)])
    rotation = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    matrix = rotation @ matrix
    for i in (1, 2):
        new[f'CRVAL{i}'] = header[f'CRVAL{i}']
        for j in (1, 2):
            new[f'CD{i}_{j}'] = matrix[i - 1, j - 1]
    new['ORIENTAT'] = header['ORIENTAT']
    new['BUNIT'] = 'ELECTRONS'
    keys = (
        'TELESCOP', 'INSTRUME', 'DETECTOR', 'FILTER1', 'FILTER2', 'EXPTIME', 'EXPSTART',
        'EXPEND', 'ROOTNAME', 'CCDGAIN', 'PA_V3',
    )  # fmt: skip
    about = fits.Header([primary.cards[key] for key in keys if key in primary])
    hdu = fits.ImageHDU(np.ascontiguousarray(sci), new, name='SCI')
    hdu.ver = 1
    fits.HDUList([fits.PrimaryHDU(header=about), hdu]).writeto(path)


def main() -> None:
    """Align the pair in two ways, print and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, default=Path())
    parser.add_argument('--model', default='source')
    parser.add_argument('--operating-point', default='balanced')
    parser.add_argument('--finder', default='dao', help=f"or '{OWN_FINDER}'")
    parser.add_argument('--searchrad', type=float, default=3.0, help='arcseconds')
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    folder = data_folder()
    if folder is None:
        parser.error('the real frames are not here; set ASTROSIEVE_DATA')
    selection = make_selection(
        model=given.model, operating_point=given.operating_point, finder=given.finder
    )
    with tempfile.TemporaryDirectory() as work, warnings.catch_warnings():
        warnings.simplefilter('ignore')
        distortion = fits.getheader(folder / DISTORTION, 1)
        paths = []
        for frame in FRAMES:
            path = Path(work) / frame.replace('_raw.fits.gz', '_flt.fits')
            as_flt(folder / frame, distortion, path)
            paths.append(path)
        exposures = read_exposures(paths)
        result = align_exposures(
            exposures, selection, options={'searchrad': given.searchrad, 'minobj': 10}
        )
        print('\n'.join(result.table.pformat(max_lines=-1, max_width=-1)))
        root = f'tweakreg_hrc_{given.finder}'
        result.table.write(
            given.output / f'{root}.ecsv', format='ascii.ecsv', overwrite=True
        )
        figure = residual_figure(result.stages, result.labels)
        if figure is None:
            return
        save_figure(figure, given.output / f'{root}_residuals.png', overwrite=True)
        stages = {
            name: (each[1], result.match_classes(name, each[1]))
            for name, each in result.stages.items()
        }
        images = {chip.extver: chip.sci for chip in read_chips(paths[1])}
        figure = match_figure(images, stages)
        save_figure(figure, given.output / f'{root}_matches.png', overwrite=True)


if __name__ == '__main__':
    main()
