"""Real images of which is known whether tracking and focus held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from astropy.io import fits

from astrosieve.exceptions import AstrosieveError
from astrosieve.images.exposures import read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve_training.data_folder import data_folder

__all__ = ['RealImage', 'real_images']

_EDGE = 64  # pixels of the pyramid's edge in WFPC2 frames
_JUMPS = ((9, 4), (0, 14), (23, -17))  # pixels, of exposures that are added up
_STAMPS = 64  # of alerts


@dataclass(frozen=True)
class RealImage:
    """
    A real image.

    Parameters
    ----------
    sample, name : str
        What it is.
    image : `~astrosieve.images.measured.MeasuredImage`
        Its pixels.
    failures : tuple of str or None
        What went wrong with it; None where nobody can tell.
    """

    sample: str
    name: str
    image: MeasuredImage
    failures: tuple[str, ...] | None


def _read(path: Path) -> MeasuredImage | None:
    """Return the first image of a file."""
    if not path.is_file():
        return None
    try:
        return MeasuredImage.of_chip(next(iter(read_chips(path))))
    except (AstrosieveError, StopIteration):
        with fits.open(path) as hdus:
            planes = (np.asarray(h.data) for h in hdus if h.data is not None)
            return MeasuredImage.of(next(each for each in planes if each.ndim == 2))


def _jumped(frame: np.ndarray, jump: tuple[int, int]) -> np.ndarray:
    """Return a frame as if the telescope had jumped: itself, and itself displaced."""
    dy, dx = jump
    ny, nx = (n - abs(d) for n, d in zip(frame.shape, jump, strict=True))
    y, x = max(dy, 0), max(dx, 0)
    first = frame[y : y + ny, x : x + nx]
    return first + frame[y - dy : y - dy + ny, x - dx : x - dx + nx]


def real_images() -> Iterator[RealImage]:
    """
    Yield the real images that are there.

    Of frames whose tracking held some are added to themselves, displaced, as if the
    telescope had jumped; of the series that drifts, frames are added to others.
    """
    hst = data_folder()
    if hst is None:
        return
    masks = hst.parent / 'others' / 'masks'
    pluto = _read(hst / 'wfc3uvis_pluto1_f606w_flt.fits')
    if pluto is not None:
        yield RealImage(
            'stars drawn out', 'WFC3/UVIS, Pluto', pluto, ('tracking_lost',)
        )
    good = {
        'WFPC2, NGC 1261': hst / 'wfpc2pc_ngc1261_f336w_single.fits',
        'ACS/HRC, 47 Tuc, F606W': hst / 'acshrc_47tuc_f606w_j8bt06o6q_raw.fits.gz',
        'ACS/HRC, 47 Tuc, F330W': hst / 'acshrc_47tuc_f330w_j8bt09jcq_raw.fits.gz',
        'ACS/HRC, Pulcova': hst / 'acshrc_pulcova_f550m_j6gp01lzq_raw.fits.gz',
        'satellite trails': masks / 'trailblazer' / 'cutout_bi327715.fits',
    }
    for name, path in good.items():
        image = _read(path)
        if image is None:
            continue
        if name.startswith('WFPC2'):
            image = MeasuredImage.of(image.sci[_EDGE:, _EDGE:])
        yield RealImage('good', name, image, ())
        if name != 'ACS/HRC, Pulcova' and name != 'satellite trails':
            for jump in _JUMPS:
                twice = MeasuredImage.of(_jumped(image.sci, jump))
                yield RealImage('added to itself', name, twice, ('doubled',))
    yield from _drifting(masks / 'hatp32')
    yield from _stamps(hst.parent / 'others' / 'alerts' / 'ztf_train.npz')


def _drifting(folder: Path) -> Iterator[RealImage]:
    """Yield a series that drifts; its stars are round in the end, not at first."""
    frames = [fits.getdata(path).astype(float) for path in sorted(folder.glob('*'))]
    for number, frame in enumerate(frames):
        image = MeasuredImage.of(frame)
        yield RealImage(
            'drifting, a frame', f'MicroObservatory, {number + 1}', image, None
        )
    for first, second in ((0, 5), (2, 8), (1, 11), (4, 10)):
        if len(frames) > second:
            added = MeasuredImage.of(frames[first] + frames[second])
            name = f'MicroObservatory, {first + 1} and {second + 1}'
            yield RealImage('drifting, two frames added', name, added, ('doubled',))


def _stamps(path: Path) -> Iterator[RealImage]:
    """Yield science stamps of alerts, 63x63 pixels."""
    if not path.is_file():
        return
    with np.load(path) as kept:
        stamps = kept['stamps'][..., 0]
    for number, stamp in enumerate(islice(stamps[:: len(stamps) // _STAMPS], _STAMPS)):
        yield RealImage(
            'stamps of ZTF', f'ZTF, {number + 1}', MeasuredImage.of(stamp), ()
        )
