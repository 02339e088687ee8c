"""
Whole exposures: a scene seen through optics by a detector, with its truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from astrosieve.atomic import atomic_path
from astrosieve.images.instruments import instrument
from astrosieve_training.simulate import detector
from astrosieve_training.simulate.cameras import Camera, build_psf
from astrosieve_training.simulate.cosmic_rays import (
    CosmicRayHits,
    CosmicRayTemplates,
    cosmic_ray_image,
)
from astrosieve_training.simulate.detector import Slab
from astrosieve_training.simulate.scene import (
    Scene,
    SceneConfig,
    make_scene,
    nebula_image,
    render_galaxies,
    render_trails,
    scene_config,
)
from astrosieve_training.simulate.truth import Truth, write_truth

if TYPE_CHECKING:
    from pathlib import Path

    from astrosieve_training.simulate.optics import PSF

__all__ = [
    'SimulatedChip',
    'SimulatedExposure',
    'simulate_dithered_set',
    'simulate_exposure',
]


# Streams of chance, so that a change in one part leaves the others alone.
_SCENE, _DEFECTS, _HITS, _NOISE, _POINTING = range(5)


_TARGET = (201.69, -47.48)


# Wings are dropped where they fall below this share of a pixel's noise.
_LEVEL = 0.04


@dataclass(frozen=True)
class SimulatedChip:
    """
    One simulated chip.

    Attributes
    ----------
    sci, err : 2D float32 `~numpy.ndarray`
        In the camera's unit.
    dq : 2D int16 `~numpy.ndarray`
        DQ flags, with the meaning of the camera's instrument.
    truth : `~astrosieve_training.simulate.truth.Truth`
        In electrons.
    noiseless : 2D float32 `~numpy.ndarray`
        Expected electrons with the cosmic rays and the sky, without the pedestal.
    electrons_per_unit : float
        What ``sci`` is to be multiplied by to become electrons.
    wcs : `~astropy.wcs.WCS`
        TAN.
    extver : int
        1, 2.
    origin : (int, int)
        Detector position (x, y) of the first pixel.
    """

    sci: np.ndarray
    err: np.ndarray
    dq: np.ndarray
    truth: Truth
    noiseless: np.ndarray
    electrons_per_unit: float
    wcs: WCS
    extver: int
    origin: tuple[int, int]


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


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng([int(seed), *key])


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
    templates: CosmicRayTemplates | None = None,
    template_share: float = 0.5,
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
        ``'galaxies'``, ``'nebula'``, ``'trailed'``, ``'resolved'``) or configuration.
    exptime : float, optional
        Seconds. Default: the camera's usual one.
    templates : `~astrosieve_training.simulate.cosmic_rays.CosmicRayTemplates`, optional
        Real hits to mix in.
    template_share : float, optional
        Their share.

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
        templates=templates,
        template_share=template_share,
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
    templates: CosmicRayTemplates | None = None,
    template_share: float = 0.5,
) -> list[SimulatedExposure]:
    """
    Simulate exposures of one piece of sky.

    Parameters
    ----------
    camera, seed, shape, scene, exptime, templates, template_share
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
    pointing = _stream(seed, _POINTING)
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
        _stream(seed, _SCENE),
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
            chips.append(
                _simulate_chip(
                    camera,
                    drawn.moved(dx, dy),
                    (dx, dy),
                    size,
                    origin,
                    extver,
                    seed,
                    index,
                    exptime,
                    sky,
                    wcs,
                    templates,
                    template_share,
                )
            )
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


def _simulate_chip(
    camera: Camera,
    scene: Scene,
    offset: tuple[float, float],
    shape: tuple[int, int],
    origin: tuple[int, int],
    extver: int,
    seed: int,
    index: int,
    exptime: float,
    sky: float,
    wcs: WCS,
    templates: CosmicRayTemplates | None,
    template_share: float,
) -> SimulatedChip:
    psf = build_psf(camera, extver)
    noise = _stream(seed, _NOISE, extver, index)
    level = _LEVEL * float(np.sqrt(sky + camera.read_noise**2))
    core, rest = psf.render(
        shape, scene.x, scene.y, scene.flux, level=level, origin=origin
    )
    extended = render_galaxies(
        shape, scene.galaxies, psf, level=0.5 * level, origin=origin
    )
    extended += render_trails(shape, scene.trails, psf, level=level, origin=origin)
    if scene.nebula is not None:
        extended += nebula_image(scene, shape, *offset)
    hits = cosmic_ray_image(
        shape,
        Slab(
            camera.pixel_size_um,
            camera.thickness_um,
            camera.diffusion_um,
            camera.diffusion_tail,
        ),
        _stream(seed, _HITS, extver, index),
        rate=camera.cosmic_ray_rate,
        exptime=exptime,
        site=camera.cosmic_ray_site,
        templates=templates,
        template_share=template_share,
    )
    fixed = _stream(seed, _DEFECTS, extver)
    defects = detector.make_defects(camera, shape, fixed)
    flat = detector.flat_field(shape, camera.flat_noise, fixed)
    # Light on the detector, and what a dead pixel makes of it.
    planes = {'star': core, 'spike': rest, 'extended': extended}
    for plane in planes.values():
        plane *= flat
    seen = planes['star'] + planes['spike'] + planes['extended'] + np.float32(sky)
    for plane in planes.values():
        plane *= defects.response
    light = seen * defects.response
    # Dark current, of which the pipeline takes away what it knows.
    hot, subtracted = _dark_current(camera, defects, exptime, noise)
    charge = noise.poisson(np.minimum(light + hot, 1e8)).astype(np.float32)
    charge += hits.image
    expected = light + hot + hits.image
    planes['cosmic_ray'] = hits.image.copy()
    planes['bad_pixel'] = hot.copy()
    base = np.float32(sky) * defects.response
    variance = light + hot
    charge, expected = _saturate(camera, planes, charge, expected, base)
    charge = _transfer(camera, planes, charge, expected, base, shape, origin, extver)
    noiseless = base + sum(planes.values()) - subtracted
    planes['bad_pixel'] += defects.columns - subtracted
    noiseless += defects.columns
    # Defects of negative excess leave no charge.
    np.maximum(planes['bad_pixel'], 0, out=planes['bad_pixel'])
    image = charge + defects.columns
    image += camera.read_noise * noise.standard_normal(shape, dtype=np.float32)
    pedestal = camera.pedestal * camera.gain
    image += np.float32(camera.bias_offset * noise.normal() + pedestal)
    ceiling = camera.gain * 65535
    full = charge >= 0.98 * camera.full_well
    over = image >= ceiling
    np.minimum(image, ceiling, out=image)
    image = np.round(image / camera.gain) * np.float32(camera.gain)
    image -= subtracted
    readout = camera.read_noise**2 + camera.gain**2 / 12
    sigma = np.sqrt(np.maximum(variance, 0) + np.float32(readout))
    error = np.sqrt(np.maximum(image - np.float32(pedestal), 0) + np.float32(readout))
    bits = instrument(camera.instrument, camera.detector).dq.written
    dq = defects.dq.copy()
    dq[full] |= bits['full_well']
    dq[over] |= bits['converter']
    # A compression block of telemetry is lost now and then.
    for _ in range(noise.poisson(0.02 * image.size / 250_000)):
        row, start = int(noise.integers(shape[0])), int(noise.integers(shape[1]))
        block = np.s_[row, start : start + 64]
        dq[block] |= bits['lost']
        for plane in (image, noiseless, *planes.values()):
            plane[block] = 0
    scale = _electrons_per_unit(camera, exptime)
    truth = Truth(
        planes={name: np.asarray(p, np.float32) for name, p in planes.items()},
        noise=sigma,
        stars=_star_table(camera, scene, psf, sigma, shape, origin),
        galaxies=_galaxy_table(scene, shape),
        cosmic_rays=_hit_table(hits),
        sky=float(sky),
        fwhm=psf.fwhm,
        full_well=camera.full_well,
    )
    return SimulatedChip(
        sci=(image / scale).astype(np.float32),
        err=(error / scale).astype(np.float32),
        dq=dq,
        truth=truth,
        noiseless=np.asarray(noiseless, np.float32),
        electrons_per_unit=scale,
        wcs=wcs,
        extver=extver,
        origin=origin,
    )


def _electrons_per_unit(camera: Camera, exptime: float) -> float:
    return {'ELECTRONS': 1.0, 'ELECTRONS/S': exptime, 'COUNTS': camera.gain}[
        camera.unit
    ]


def _dark_current(
    camera: Camera,
    defects: detector.Defects,
    exptime: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the excess dark charge, and what calibration subtracts of it."""
    hot = defects.rate * np.float32(exptime)
    if defects.unstable.any():
        change = rng.lognormal(-0.5, 1.2, int(defects.unstable.sum()))
        hot[defects.unstable] *= change.astype(np.float32)
    hot = np.minimum(hot, np.float32(1.5 * camera.full_well))
    subtracted = np.zeros_like(hot)
    if camera.layout == 'ground':
        return hot, subtracted
    # Half of the hot pixels are older than the pipeline's dark frame.
    at = np.flatnonzero(hot)
    known = at[rng.random(len(at)) < 0.5]
    ratio = np.clip(rng.normal(0.85, 0.15, len(known)), 0, 1.3)
    level = np.minimum(hot.reshape(-1)[known], np.float32(camera.full_well))
    subtracted.reshape(-1)[known] = level * ratio.astype(np.float32)
    return hot, subtracted


def _saturate(
    camera: Camera,
    planes: dict[str, np.ndarray],
    charge: np.ndarray,
    expected: np.ndarray,
    base: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Clip at full well; components shrink alike, and what bleeds is 'spike'."""
    well = float(np.float32(camera.full_well))
    if not ((charge > well).any() or (expected > well).any()):
        return charge, expected
    if camera.bleeding:
        kept, moved = detector.bleed(charge, well)
        charge = kept + moved
        kept, moved = detector.bleed(expected, well)
    else:
        charge = np.minimum(charge, well)
        kept = np.minimum(expected, well)
        moved = np.zeros_like(kept)
    over = expected > well
    ratio = (kept[over] - base[over]) / (expected[over] - base[over])
    for plane in planes.values():
        plane[over] *= ratio
    planes['spike'] += moved
    return charge, kept + moved


def _transfer(
    camera: Camera,
    planes: dict[str, np.ndarray],
    charge: np.ndarray,
    expected: np.ndarray,
    base: np.ndarray,
    shape: tuple[int, int],
    origin: tuple[int, int],
    extver: int,
) -> np.ndarray:
    """Leave a share of each packet behind on its way to the register."""
    if camera.cte_loss == 0:
        return charge
    rows = (np.arange(shape[0]) + origin[1]) / camera.shape[0]
    # The chips of a pair are read out at their outer edges.
    away = 1 if extver == 1 else -1
    transfers = rows if away == 1 else 1 - rows
    share = detector.cte_fractions(expected, camera.cte_loss, transfers)
    # Traps take a share of the mean packet, not of its Poisson noise.
    deferred = share * (expected - base)
    charge = charge - deferred + detector.trail(deferred, away)
    for name, target in (
        ('spike', 'spike'), ('star', 'spike'), ('extended', 'extended'),
        ('cosmic_ray', 'cosmic_ray'), ('bad_pixel', 'bad_pixel'),
    ):  # fmt: skip
        deferred = share * planes[name]
        planes[name] -= deferred
        planes[target] += detector.trail(deferred, away)
    return charge


def _star_table(
    camera: Camera,
    scene: Scene,
    psf: PSF,
    sigma: np.ndarray,
    shape: tuple[int, int],
    origin: tuple[int, int],
) -> Table:
    near = (scene.x > -40) & (scene.x < shape[1] + 40)
    near &= (scene.y > -40) & (scene.y < shape[0] + 40)
    index = np.flatnonzero(near)
    x, y, flux = scene.x[index], scene.y[index], scene.flux[index]
    share, peak = psf.box_share(x, y, origin=origin)
    box = np.minimum(share * flux, 9 * camera.full_well)
    xi = np.floor(x + 0.5).astype(int)
    yi = np.floor(y + 0.5).astype(int)
    variance = np.zeros(len(index))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            row = np.clip(yi + dy, 0, shape[0] - 1)
            column = np.clip(xi + dx, 0, shape[1] - 1)
            variance += sigma[row, column].astype(float) ** 2
    return Table(
        {
            'id': index,
            'x': x,
            'y': y,
            'flux': flux,
            'box_electrons': box,
            'snr': box / np.sqrt(variance),
            'peak': peak * flux,
            'fwhm': np.full(len(index), psf.fwhm),
            'saturated': peak * flux > camera.full_well,
        }
    )


def _galaxy_table(scene: Scene, shape: tuple[int, int]) -> Table:
    galaxies, trails = scene.galaxies, scene.trails
    n, m = len(galaxies['x']), len(trails['x'])
    table = Table({k: v for k, v in galaxies.items() if k != 'seed'})
    table['trail'] = np.zeros(n)
    if m:
        extra = {name: np.full(m, np.nan) for name in table.colnames}
        extra |= {k: trails[k] for k in ('x', 'y', 'flux')}
        extra['radius'] = trails['length'] / 4
        extra['angle'] = np.deg2rad(trails['angle'])
        extra['trail'] = trails['length']
        table = Table({k: np.concatenate([table[k], extra[k]]) for k in table.colnames})
    near = (table['x'] > -60) & (table['x'] < shape[1] + 60)
    near &= (table['y'] > -60) & (table['y'] < shape[0] + 60)
    return table[near]


def _hit_table(hits: CosmicRayHits) -> Table:
    return Table(
        {
            name: getattr(hits, name)
            for name in ('x', 'y', 'electrons', 'length', 'theta', 'kind')
        }
    )


def _primary_header(exposure: SimulatedExposure, rootname: str) -> fits.Header:
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
