"""Raw frames of a spectrograph, with what was exposed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from astrosieve.atomic import atomic_path
from astrosieve_training.simulate.spectra import scenes
from astrosieve_training.simulate.spectra.oddities import (
    ODDITIES,
    altered,
    corrupt,
    draw_oddity,
    odd_scene,
)
from astrosieve_training.simulate.spectra.readout import (
    dark_current,
    expose,
    layout,
    read_out,
)
from astrosieve_training.simulate.spectra.scenes import Scene
from astrosieve_training.simulate.spectra.spectrographs import Spectrograph
from astrosieve_training.simulate.spectra.visible import exposed, lit

__all__ = [
    'FAULTS',
    'FRAME_TYPES',
    'FrameTruth',
    'SimulatedFrame',
    'simulate_frame',
    'write_frame',
]

FRAME_TYPES = ('bias', 'dark', 'arc', 'flat', 'science', 'standard', 'unknown')
FAULTS = {
    'dead lamp': ('arc', 'flat'),
    'shutter open': ('bias', 'dark'),
    'off the slit': ('science', 'standard'),
}
_SCENES = {
    'dark': scenes.dark, 'arc': scenes.arc, 'flat': scenes.flat,
    'science': scenes.science, 'standard': scenes.standard,
}  # fmt: skip


@dataclass(frozen=True)
class FrameTruth:
    """
    What a frame is.

    Attributes
    ----------
    frame_type : str
        What the image shows, one of ``FRAME_TYPES``.
    intended : str
        What the observer wanted; the header says so. Differs only with a fault.
    kind : str
        Finer: one of ``scenes.KINDS`` or ``ODDITIES``.
    fault : str
        One of ``FAULTS``, or empty.
    spectrograph, family, orientation : str
        Name, layout and direction of rising wavelengths.
    exptime : float
        Seconds.
    lamps : tuple of str
        What burnt.
    contested : str
        Another type that the frame could as well be, for what makes its own does not
        stand out of the noise; empty if it does.
    rows, columns : 1D int `~numpy.ndarray`
        Which lit row and column each of the file's is; -1 for overscan.
    """

    frame_type: str
    intended: str
    kind: str
    fault: str
    spectrograph: str
    family: str
    orientation: str
    exptime: float
    lamps: tuple[str, ...]
    contested: str
    rows: np.ndarray
    columns: np.ndarray


@dataclass(frozen=True)
class SimulatedFrame:
    """
    A raw frame.

    Attributes
    ----------
    data : 2D `~numpy.ndarray`
        As the detector writes it.
    header : `~astropy.io.fits.Header`
        What the observatory says of it.
    truth : `FrameTruth`
        What it is.
    """

    data: np.ndarray
    header: fits.Header
    truth: FrameTruth


def _dead(scene: Scene) -> Scene:
    return Scene(np.zeros_like(scene.rate), scene.exptime, scene.kind)


def _scene(
    spectrograph: Spectrograph,
    frame_type: str,
    rng: np.random.Generator,
    exptime: float | None,
    kind: str | None,
    fault: str,
) -> Scene:
    if frame_type == 'unknown':
        kind = draw_oddity(rng) if kind is None else kind
        if kind not in ODDITIES:
            msg = f'an unknown frame is one of {", ".join(ODDITIES)}; got {kind!r}'
            raise ValueError(msg)
        return odd_scene(spectrograph, rng, kind)
    if frame_type == 'bias':
        dark = np.zeros(spectrograph.optical_shape, np.float32)
        scene = Scene(dark, 0.0, scenes.draw_kind('bias', rng, kind))
    elif fault == 'off the slit':
        make = scenes.science if frame_type == 'science' else scenes.standard
        return make(spectrograph, rng, exptime, kind, off=True)
    else:
        scene = _SCENES[frame_type](spectrograph, rng, exptime, kind)
    if fault == 'dead lamp':
        return _dead(scene)
    if fault == 'shutter open':
        # Light falls while the rows move: all that is along the columns is smeared.
        light = scenes.flat(spectrograph, rng, None, None)
        seen = spectrograph.to_detector(light.rate).mean(axis=0, keepdims=True)
        smear = np.broadcast_to(seen, spectrograph.shape).astype(np.float32)
        back = smear if spectrograph.orientation[0] == 'x' else smear.T
        back = back[:, ::-1] if spectrograph.orientation[1] == '-' else back
        return Scene(back * 0.2 + scene.rate, max(scene.exptime, 1.0), scene.kind)
    return scene


def _unseen(scene: Scene, light: np.ndarray, spectrograph: Spectrograph) -> str:
    """Return 'bias' or 'dark' if an exposed frame shows no more than such a one."""
    ccd = spectrograph.ccd
    if scene.kind in (*scenes.KINDS['bias'], *ODDITIES) or lit(
        light, ccd, scene.exptime
    ):
        return ''
    if not exposed(dark_current(spectrograph), ccd, scene.exptime):
        return 'bias'
    return '' if scene.kind in scenes.KINDS['dark'] else 'dark'


def _header(
    spectrograph: Spectrograph,
    intended: str,
    scene: Scene,
    lamps: tuple[str, ...],
    exptime: float,
) -> fits.Header:
    ccd = spectrograph.ccd
    objects = {'science': 'J1255+2654', 'standard': 'Feige110', 'unknown': 'test'}
    lit = intended in ('arc', 'flat', 'science', 'standard', 'unknown')
    header = fits.Header()
    header['INSTRUME'] = spectrograph.name
    header['OBSTYPE'] = 'object' if intended in objects else intended
    header['OBJECT'] = objects.get(intended, intended)
    header['EXPTIME'] = (exptime, 'seconds')
    header['LAMPS'] = '+'.join(lamps) if lamps else 'off'
    header['SHUTTER'] = 'open' if lit else 'closed'
    header['GAIN'] = (round(ccd.gain, 3), 'electrons per ADU')
    header['RDNOISE'] = (round(ccd.read_noise, 2), 'electrons')
    header['CCDSUM'] = f'{spectrograph.binning[1]} {spectrograph.binning[0]}'
    header['DISPAXIS'] = 1 if spectrograph.orientation[0] == 'x' else 2
    return header


def simulate_frame(
    spectrograph: Spectrograph,
    frame_type: str,
    seed: int,
    *,
    exptime: float | None = None,
    kind: str | None = None,
    fault: str = '',
) -> SimulatedFrame:
    """
    Expose one raw frame.

    Parameters
    ----------
    spectrograph : `Spectrograph`
        Instrument, from `random_spectrograph`.
    frame_type : str
        One of ``FRAME_TYPES``.
    seed : int
        The same spectrograph, type and seed give the same frame.
    exptime : float, optional
        Seconds; drawn as observers choose it if not given. A bias has none.
    kind : str, optional
        Which of ``scenes.KINDS``, or of ``ODDITIES`` for an unknown one; drawn if not
        given.
    fault : str, optional
        ``'dead lamp'``, ``'shutter open'`` or ``'off the slit'``. A dead lamp leaves a
        bias or dark, an open shutter nothing of use; the header does not know.

    Returns
    -------
    frame : `SimulatedFrame`
        Data, header and truth.

    Raises
    ------
    ValueError
        If there is no such type or kind, or the fault cannot happen to it.
    """
    if frame_type not in FRAME_TYPES:
        msg = f'frame_type must be one of {", ".join(FRAME_TYPES)}; got {frame_type!r}'
        raise ValueError(msg)
    if fault and frame_type not in FAULTS.get(fault, ()):
        msg = f'fault {fault!r} does not happen to a {frame_type} frame'
        raise ValueError(msg)
    code = FRAME_TYPES.index(frame_type)
    rng = np.random.default_rng([spectrograph.seed, seed, code])
    scene = _scene(spectrograph, frame_type, rng, exptime, kind, fault)
    light = spectrograph.to_detector(scene.rate) * np.float32(scene.exptime)
    electrons = expose(light, spectrograph, scene.exptime, rng)
    data = whole = read_out(electrons, spectrograph, scene.exptime, rng)
    if scene.kind in ('corrupted', 'half read', 'noise'):
        data = corrupt(data, scene.kind, rng)
    twin = '' if scene.kind == 'corrupted' and altered(whole, data) else scene.twin
    shown = frame_type
    if fault == 'dead lamp':
        shown = 'bias' if scene.exptime < 60 else 'dark'
    elif fault == 'shutter open':
        shown = 'unknown'
    lamps = spectrograph.lamps if frame_type == 'arc' else ()
    if frame_type == 'flat' and scene.kind != 'twilight':
        lamps = ('halogen',)
    said = 0.0 if frame_type == 'bias' else scene.exptime
    rows, columns = layout(spectrograph.ccd, spectrograph.shape)
    truth = FrameTruth(
        shown, frame_type, scene.kind, fault, spectrograph.name, spectrograph.family,
        spectrograph.orientation, scene.exptime, lamps,
        twin or _unseen(scene, light, spectrograph), rows, columns,
    )  # fmt: skip
    return SimulatedFrame(
        data, _header(spectrograph, frame_type, scene, lamps, said), truth
    )


def write_frame(
    frame: SimulatedFrame, path: str | Path, *, overwrite: bool = False
) -> None:
    """
    Write a frame as an observatory does.

    Parameters
    ----------
    frame : `SimulatedFrame`
        From `simulate_frame`.
    path : path-like
        FITS file. The truth is not in it.
    overwrite : bool, optional
        Whether an existing file may be replaced.
    """
    hdu = fits.PrimaryHDU(frame.data, frame.header)
    with atomic_path(path, overwrite=overwrite) as temporary:
        hdu.writeto(temporary)
