"""
Whole exposures: a scene seen through optics by a detector, with its truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from astrosieve.atomic import atomic_path
from astrosieve.images.instruments import instrument
from astrosieve_training.simulate.cameras import Camera, build_psf
from astrosieve_training.simulate.chips import (
    ChipState,
    Effect,
    SimulatedChip,
    Stream,
    simulate_chip,
    stream,
)
from astrosieve_training.simulate.effects import EFFECTS
from astrosieve_training.simulate.scene import SceneConfig, make_scene, scene_config
from astrosieve_training.simulate.truth import Truth, write_truth

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ['SimulatedExposure', 'simulate_dithered_set', 'simulate_exposure']

_TARGET = (201.69, -47.48)


@dataclass(frozen=True)
class SimulatedExposure:
    """
    One simulated exposure.

    ``sci``, ``err``, ``dq``, ``truth`` and ``wcs`` are those of the first chip.

    Attributes
    ----------
    camera : `~astrosieve_training.simulate.cameras.Camera`
        With which it was taken.
    chips : tuple of `SimulatedChip`
        In the order of EXTVER.
    exptime : float
        Seconds.
    seed : int
        From which it can be made again.
    scene : `~astrosieve_training.simulate.scene.SceneConfig`
        What was drawn.
    index : int
        Number in a dithered set.
    """

    camera: Camera
    chips: tuple[SimulatedChip, ...]
    exptime: float
    seed: int
    scene: SceneConfig
    index: int = 0

    @property
    def sci(self) -> np.ndarray:
        """Image of the first chip."""
        return self.chips[0].sci

    @property
    def err(self) -> np.ndarray:
        """Errors of the first chip."""
        return self.chips[0].err

    @property
    def dq(self) -> np.ndarray:
        """DQ flags of the first chip."""
        return self.chips[0].dq

    @property
    def truth(self) -> Truth:
        """Truth of the first chip."""
        return self.chips[0].truth

    @property
    def wcs(self) -> WCS:
        """WCS of the first chip."""
        return self.chips[0].wcs

    @property
    def electrons_per_unit(self) -> float:
        """What ``sci`` is to be multiplied by to become electrons."""
        return self.chips[0].electrons_per_unit

    def to_hdulist(self, rootname: str = 'sim00001q') -> fits.HDUList:
        """
        Return the exposure as FITS.

        Parameters
        ----------
        rootname : str, optional
            For ROOTNAME and EXPNAME.

        Returns
        -------
        hdus : `~astropy.io.fits.HDUList`
            In the camera's layout.
        """
        primary = _primary_header(self, rootname)
        if self.camera.layout == 'ground':
            chip = self.chips[0]
            primary.update(chip.wcs.to_header())
            primary['BUNIT'] = 'adu' if self.camera.unit == 'COUNTS' else 'electron'
            return fits.HDUList([fits.PrimaryHDU(self._pixels(chip), primary)])
        hdus = fits.HDUList([fits.PrimaryHDU(header=primary)])
        for chip in self.chips:
            header = _science_header(self, chip, rootname)
            hdu = fits.ImageHDU(self._pixels(chip), header, name='SCI')
            hdu.ver = chip.extver
            hdus.append(hdu)
            if self.camera.layout == 'flc':
                for name, data in (('ERR', chip.err), ('DQ', chip.dq)):
                    hdu = fits.ImageHDU(data, name=name)
                    hdu.ver = chip.extver
                    hdus.append(hdu)
        return hdus

    def _pixels(self, chip: SimulatedChip) -> np.ndarray:
        if not self.camera.integer:
            return chip.sci
        return np.clip(np.round(chip.sci), 0, 65535).astype(np.uint16)

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """
        Write the exposure.

        Parameters
        ----------
        path : path-like
            To write; whole or not at all.
        overwrite : bool, optional
            Whether an existing file may be replaced.
        """
        with atomic_path(path, overwrite=overwrite) as temporary:
            self.to_hdulist(f's{self.seed % 10**6:06d}{self.index % 10}q').writeto(
                temporary, overwrite=True
            )

    def write_truth(self, path: str | Path, *, overwrite: bool = False) -> None:
        """
        Write the truth of all chips.

        Parameters
        ----------
        path : path-like
            To write; whole or not at all.
        overwrite : bool, optional
            Whether an existing file may be replaced.
        """
        write_truth(path, [chip.truth for chip in self.chips], overwrite=overwrite)


def _sky_level(camera: Camera, exptime: float, config: SceneConfig) -> float:
    sky = camera.sky_rate * config.sky_factor + camera.dark
    return sky * exptime + camera.post_flash


def simulate_exposure(
    camera: Camera,
    *,
    seed: int,
    shape: tuple[int, int] | None = None,
    scene: str | SceneConfig = 'field',
    exptime: float | None = None,
    effects: Sequence[tuple[Effect, int]] = EFFECTS,
) -> SimulatedExposure:
    """
    Simulate an exposure.

    Parameters
    ----------
    camera : `~astrosieve_training.simulate.cameras.Camera`
        With which it is taken.
    seed : int
        The same seed gives the same exposure, bit for bit.
    shape : (int, int), optional
        Of a subarray at a place drawn at random on the first chip. Default: all chips,
        whole.
    scene : str or `~astrosieve_training.simulate.scene.SceneConfig`, optional
        Preset (``'empty'``, ``'sparse'``, ``'field'``, ``'outskirts'``, ``'globular'``,
        ``'galaxies'``, ``'deep'``, ``'nebula'``, ``'trailed'``, ``'resolved'``) or
        configuration.
    exptime : float, optional
        Seconds. Default: the camera's usual one.
    effects : sequence of (callable, int), optional
        See `~astrosieve_training.simulate.chips.simulate_chip`.

    Returns
    -------
    exposure : `SimulatedExposure`
        With the truth of every pixel and source.
    """
    return simulate_dithered_set(
        camera,
        1,
        seed=seed,
        shape=shape,
        scene=scene,
        exptime=exptime,
        effects=effects,
    )[0]


def simulate_dithered_set(
    camera: Camera,
    n: int,
    *,
    seed: int,
    shape: tuple[int, int] | None = None,
    scene: str | SceneConfig = 'field',
    exptime: float | None = None,
    dither: float = 12.0,
    effects: Sequence[tuple[Effect, int]] = EFFECTS,
) -> list[SimulatedExposure]:
    """
    Simulate exposures of one piece of sky.

    Parameters
    ----------
    camera, seed, shape, scene, exptime, effects
        As in `simulate_exposure`.
    n : int
        How many.
    dither : float, optional
        Standard deviation of the offsets between them, pixels. The first has none.

    Returns
    -------
    exposures : list of `SimulatedExposure`
        The same stars, galaxies and defects; other offsets, cosmic rays and noise.
    """
    config = scene_config(scene)
    exptime = camera.exptime if exptime is None else float(exptime)
    if not exptime > 0:
        msg = f'exptime must be positive; got {exptime}'
        raise ValueError(msg)
    pointing = stream(seed, Stream.POINTING)
    ny, nx = camera.shape
    if shape is None:
        n_chips, origin, size = camera.n_chips, (0, 0), camera.shape
    else:
        size = (int(shape[0]), int(shape[1]))
        if min(size) < 32:
            msg = f'shape must be at least 32 pixels each way; got {size}'
            raise ValueError(msg)
        n_chips = 1
        origin = (
            int(pointing.integers(max(nx - size[1], 0) + 1)),
            int(pointing.integers(max(ny - size[0], 0) + 1)),
        )
    height = size[0] * n_chips + camera.chip_gap * (n_chips - 1)
    canvas = (height, size[1])
    sky = _sky_level(camera, exptime, config)
    noise = np.sqrt(sky + camera.read_noise**2)
    drawn = make_scene(
        config,
        canvas,
        stream(seed, Stream.SCENE),
        noise=float(noise),
        full_well=camera.full_well,
        psf=build_psf(camera, 1),
    )
    angle = pointing.uniform(0, 2 * np.pi)
    offsets = pointing.normal(0, dither, (n, 2))
    offsets[0] = 0
    exposures = []
    for index in range(n):
        chips = []
        for extver in range(1, n_chips + 1):
            shift_y = -(extver - 1) * (size[0] + camera.chip_gap)
            dx, dy = offsets[index] + (0, shift_y)
            wcs = _make_wcs(camera, canvas, dx, dy, angle)
            state = ChipState(
                camera, drawn.moved(dx, dy), (dx, dy), wcs, size, origin, exptime, sky,
                seed, extver, index,
            )  # fmt: skip
            chips.append(simulate_chip(state, effects))
        exposures.append(
            SimulatedExposure(camera, tuple(chips), exptime, int(seed), config, index)
        )
    return exposures


def _make_wcs(
    camera: Camera, canvas: tuple[int, int], dx: float, dy: float, angle: float
) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ['RA---TAN', 'DEC--TAN']
    wcs.wcs.crval = _TARGET
    wcs.wcs.crpix = [(canvas[1] + 1) / 2 + dx, (canvas[0] + 1) / 2 + dy]
    scale = camera.plate_scale / 3600
    cos, sin = np.cos(angle), np.sin(angle)
    wcs.wcs.cd = scale * np.array([[-cos, sin], [sin, cos]])
    wcs.wcs.cunit = ['deg', 'deg']
    wcs.wcs.set()
    return wcs


def _primary_header(exposure: SimulatedExposure, rootname: str) -> fits.Header:
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


def _science_header(
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
