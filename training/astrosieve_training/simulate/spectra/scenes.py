"""What each type of frame shows: light per second on the detector's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from astrosieve_training.simulate.spectra import sources
from astrosieve_training.simulate.spectra.chance import log_uniform
from astrosieve_training.simulate.spectra.optics import (
    Beam,
    Layer,
    fringe_image,
    paint,
    profile_grid,
    slit_profile,
    stray,
    trace,
)
from astrosieve_training.simulate.spectra.spectrographs import Slit, Spectrograph
from astrosieve_training.simulate.spectra.visible import sky_seen

__all__ = [
    'KINDS',
    'Scene',
    'arc',
    'dark',
    'flat',
    'science',
    'standard',
]

_LONGEST = 300.0  # seconds, of a standard
_BROAD = 30  # pixels over which a continuum is even
_CONTRAST = 0.05  # above the continuum, of lines that can be seen
_PINHOLES = 3  # in a slit, that a star's one trace is not taken for
_ACCOMPANIED = 0.35  # of the single objects, by others in a long slit
_FAINTER = 0.3  # are what stands beside a standard, than beside other objects
_BRIGHT = 25  # sigma that an observer wants of a standard in each pixel
_COOLEST = 5500.0  # kelvin, of standards
_EXPOSED = {'bright': (4, 900), 'emission': (40, 3600), 'point': (40, 3600)}  # seconds
_STARS = {'hot': 0.2, 'warm': 0.12, 'other': 0.68}  # the former two as standards are

KINDS = {
    'arc': ('lamps', 'one lamp', 'comb', 'part of the slit'),
    'flat': (
        'lamp',
        'dome',
        'dome lines',
        'twilight',
        'diodes',
        'pinholes',
        'part of the slit',
        'detector',
    ),
    'science': ('faint', 'point', 'bright', 'extended', 'emission', 'several', 'blank'),
    'standard': ('night', 'wide slit', 'twilight'),
    'bias': ('bias',),
    'dark': ('dark', 'light leak'),
}
_ODDS = {
    'arc': (0.7, 0.14, 0.06, 0.1),
    'flat': (0.32, 0.2, 0.08, 0.12, 0.07, 0.05, 0.06, 0.1),
    'science': (0.18, 0.18, 0.33, 0.11, 0.1, 0.07, 0.03),
    'standard': (0.6, 0.3, 0.1),
    'dark': (0.8, 0.2),
}


@dataclass(frozen=True)
class Scene:
    """
    Light before the detector.

    Attributes
    ----------
    rate : 2D float32 `~numpy.ndarray`
        Electrons per second, the dispersion along x, red to the right.
    exptime : float
        Seconds.
    kind : str
        One of ``KINDS`` of the frame's type.
    twin : str
        What shows the same, though it is of another type; empty if nothing does.
    """

    rate: np.ndarray
    exptime: float
    kind: str
    twin: str = ''


def draw_kind(frame_type: str, rng: np.random.Generator, kind: str | None) -> str:
    """Return a kind of frame, drawn unless it is given."""
    kinds = KINDS[frame_type]
    if kind is None:
        return str(rng.choice(kinds, p=_ODDS.get(frame_type)))
    if kind not in kinds:
        msg = f'a {frame_type} frame is one of {", ".join(kinds)}; got {kind!r}'
        raise ValueError(msg)
    return kind


def _nice(seconds: float) -> float:
    """Round an exposure time as observers do."""
    if seconds < 2:
        return max(round(seconds, 1), 0.1)
    step = 10 ** np.floor(np.log10(seconds)) / 2
    return float(max(round(seconds / step) * step, 1))


def _limit(spectrograph: Spectrograph) -> float:
    """Return how many electrons a pixel can show."""
    ccd = spectrograph.ccd
    return min(ccd.full_well, (ccd.ceiling - ccd.pedestal) * ccd.gain)


def _finish(image: np.ndarray, spectrograph: Spectrograph) -> np.ndarray:
    return stray(image * fringe_image(spectrograph), spectrograph)


def _blank(spectrograph: Spectrograph) -> np.ndarray:
    return np.zeros(spectrograph.optical_shape, np.float32)


def _lit(spectrograph: Spectrograph, beam: Beam, spectrum: np.ndarray) -> np.ndarray:
    """Return all slits evenly lit by one spectrum."""
    image = _blank(spectrograph)
    for slit in spectrograph.slits:
        layer = Layer(spectrum, slit_profile(spectrograph, slit))
        paint(image, beam, slit, [layer])
    return image


def _unevenly(
    image: np.ndarray, rng: np.random.Generator, low: float, high: float
) -> None:
    """Dim the rows outside a part of the slit."""
    n = len(image)
    half = rng.uniform(low, high) * n / 2
    away = np.abs(np.arange(n) - n * rng.uniform(0.3, 0.7)) - half
    edge = 0.5 * (1 - np.tanh(away / rng.uniform(1, 0.1 * n)))
    image *= np.maximum(edge, rng.uniform(0, 0.15)).astype(np.float32)[:, None]


def _exposure(
    spectrograph: Spectrograph,
    rng: np.random.Generator,
    rate: float,
    low: float,
    high: float,
    longest: float,
) -> float:
    """Return seconds in which the brightest light reaches a share of what is shown."""
    target = _limit(spectrograph) * log_uniform(rng, low, high)
    floor = 40 * spectrograph.ccd.read_noise  # what an observer would call lit
    return _nice(float(np.clip(max(target, floor) / rate, 0.1, longest)))


def arc(
    spectrograph: Spectrograph,
    rng: np.random.Generator,
    exptime: float | None,
    kind: str | None,
) -> Scene:
    """Lamps with lines, and some continuum of theirs."""
    kind = draw_kind('arc', rng, kind)
    beam = Beam(spectrograph)
    lamp = np.random.default_rng([spectrograph.seed, 10])
    if kind == 'comb':
        lines = sources.comb(beam.wave, lamp)
    else:
        elements = spectrograph.lamps
        if kind == 'one lamp':
            elements = (str(rng.choice(elements)),)
        lines = sources.arc_lamps(beam.wave, elements, lamp)
    lines = beam.smear(lines * spectrograph.throughput(beam.wave))
    lines /= max(lines.max(), 1e-30)
    smooth = ndimage.gaussian_filter1d(lines, _BROAD * beam.steps)
    twin = '' if np.abs(lines - smooth).max() > _CONTRAST else 'flat'
    glow = log_uniform(rng, 1e-5, 0.2) if rng.random() < 0.7 else 0.0
    continuum = sources.black_body(beam.wave, rng.uniform(2500, 7000))
    continuum *= spectrograph.throughput(beam.wave)
    lines += glow * continuum / max(continuum.max(), 1e-30)
    image = spectrograph.arc_rate * _lit(spectrograph, beam, lines)
    if kind == 'part of the slit':
        _unevenly(image, rng, 0.1, 0.7)
    if exptime is None:
        exptime = _exposure(spectrograph, rng, spectrograph.arc_rate, 0.01, 8, 600)
    return Scene(_finish(image, spectrograph), exptime, kind, twin)


def _flat_light(
    spectrograph: Spectrograph, beam: Beam, rng: np.random.Generator, kind: str
) -> np.ndarray:
    """Return the spectrum of what lights a flat, smeared."""
    wave = beam.wave
    if kind == 'twilight':
        light = sources.twilight(wave)
        if rng.random() < 0.3:  # late, so that lines of the night show
            night = beam.smear(sources.night_sky(wave, rng))
            light = light / light.max()
            light += rng.uniform(0.02, 0.2) * night / max(night.max(), 1e-30)
    elif kind == 'diodes':
        light = sources.diodes(wave, rng)
    else:
        light = sources.black_body(wave, spectrograph.flat_temperature)
        if rng.random() < 0.4:  # a blue filter, or a second lamp
            light = light * np.exp(-(wave - wave[0]) / rng.uniform(1500, 9000))
        if kind == 'dome':
            light = light * sources.wobble(wave, rng, 6, 0.04)
    light = light * spectrograph.throughput(wave)
    light /= max(light.max(), 1e-30)
    if kind == 'dome lines':
        lamps = sources.LAMPS[rng.integers(6)] if rng.random() < 0.3 else ('Hg',)
        lines = sources.arc_lamps(wave, lamps, rng) * spectrograph.throughput(wave)
        smeared = beam.smear(lines)
        light = light + rng.uniform(0.03, 0.6) * smeared / max(smeared.max(), 1e-30)
    return beam.smear(light)


def _pinholes(
    spectrograph: Spectrograph, slit: Slit, rng: np.random.Generator
) -> tuple[np.ndarray, bool]:
    """Return the light along a slit behind pinholes, and whether they are few."""
    step = max(2 * slit.half / rng.integers(3, 20), 3 * spectrograph.seeing)
    count = max(int(2 * slit.half / step), 1)
    places = (np.arange(count) - (count - 1) / 2) * step
    width = spectrograph.seeing * 0.6
    lights = [trace(spectrograph, slit, at, width) for at in places]
    return np.sum(lights, axis=0), count < _PINHOLES


def _whole_detector(spectrograph: Spectrograph, rng: np.random.Generator) -> np.ndarray:
    """Return the light of a lamp behind a broad slit, or none: no edge, no spectrum."""
    n, nd = spectrograph.optical_shape
    x, y = np.linspace(-1, 1, nd), np.linspace(-1, 1, n)
    along = sources.wobble(x, rng, 5, rng.choice([0.05, 0.3]))
    across = sources.wobble(y, rng, 5, rng.choice([0.02, 0.1]))
    return np.outer(across, along).astype(np.float32)


def flat(
    spectrograph: Spectrograph,
    rng: np.random.Generator,
    exptime: float | None,
    kind: str | None,
) -> Scene:
    """A lamp, a lit dome, or the sky at twilight."""
    kind = draw_kind('flat', rng, kind)
    if kind == 'pinholes' and spectrograph.fibre:
        kind = 'lamp'
    beam, twin = Beam(spectrograph), ''
    if kind == 'detector':
        image = _whole_detector(spectrograph, rng)
    else:
        light = _flat_light(spectrograph, beam, rng, kind)
        if kind == 'pinholes':
            image = _blank(spectrograph)
            for slit in spectrograph.slits:
                holes, few = _pinholes(spectrograph, slit, rng)
                paint(image, beam, slit, [Layer(light, holes)])
                twin = 'standard' if few else twin
        else:
            image = _lit(spectrograph, beam, light)
    image *= spectrograph.flat_rate / max(image.max(), 1e-30)
    n = image.shape[0]
    image *= sources.wobble(np.arange(n), rng, 3, 0.03).astype(np.float32)[:, None]
    if kind == 'part of the slit':
        _unevenly(image, rng, 0.15, 0.8)
    if exptime is None:
        high = 0.75 if rng.random() < 0.88 else 4
        low = 0.04 if rng.random() < 0.8 else 0.004
        exptime = _exposure(spectrograph, rng, spectrograph.flat_rate, low, high, 300)
    return Scene(_finish(image, spectrograph), exptime, kind, twin)


def _sky(
    spectrograph: Spectrograph,
    beam: Beam,
    rng: np.random.Generator,
    moon: float = 0.0,
    width: float | None = None,
) -> np.ndarray:
    """Return the sky in the slit, electrons per second and pixel."""
    sky = sources.night_sky(beam.wave, rng, moon=moon)
    sky *= spectrograph.throughput(beam.wave) * spectrograph.sky_rate
    return beam.smear(sky, width) * rng.lognormal(0, 0.3)


def _air(
    spectrograph: Spectrograph, beam: Beam, rng: np.random.Generator
) -> np.ndarray:
    """Return what air and instrument let through."""
    mass = rng.uniform(1.0, 2.0)
    air = sources.extinction(beam.wave, spectrograph.site, mass)
    air = air * sources.telluric(beam.wave, mass, rng.lognormal(0, 0.6))
    return air * spectrograph.throughput(beam.wave)


def _noise(spectrograph: Spectrograph, sky: np.ndarray, exptime: float) -> float:
    """Return the noise of a typical pixel, electrons."""
    level = np.median(sky) * exptime + spectrograph.ccd.dark * exptime
    return float(np.hypot(spectrograph.ccd.read_noise, np.sqrt(level)))


def _unit(spectrum: np.ndarray) -> np.ndarray:
    """Scale so that the bright parts of a spectrum are about 1."""
    return spectrum / max(np.percentile(spectrum, 90), spectrum.max() / 30, 1e-30)


def _place(
    spectrograph: Spectrograph,
    slit: Slit,
    rng: np.random.Generator,
    *,
    off: bool = False,
    anywhere: bool = False,
) -> float:
    """Return where an object stands, pixels from the middle of its slit."""
    if off:
        return float(rng.choice([-1, 1]) * slit.half * rng.uniform(0.93, 1.0))
    n = spectrograph.optical_shape[0]
    place = np.clip(rng.normal(0, 0.25), -0.8, 0.8) * min(slit.half, 400.0)
    if anywhere:
        place = rng.uniform(-0.95, 0.95) * slit.half
    if slit.half > 0.25 * n:  # the slit may go on outside the detector
        place = np.clip(slit.centre + place, 0.06 * n, 0.94 * n) - slit.centre
    return float(place)


def _star(wave: np.ndarray, rng: np.random.Generator, sort: str) -> np.ndarray:
    """Return the spectrum of a star, hot, warm or cooler."""
    if sort == 'hot':
        return sources.random_star(wave, rng, hot=1.0)
    limit = {'coolest' if sort == 'warm' else 'warmest': _COOLEST}
    return sources.random_star(wave, rng, hot=0.0, **limit)


def _object_layers(
    spectrograph: Spectrograph,
    beam: Beam,
    slit: Slit,
    kind: str,
    peak: float,
    air: np.ndarray,
    rng: np.random.Generator,
    *,
    off: bool,
    sort: str = 'other',
    anywhere: bool = False,
) -> list[Layer]:
    """
    Return one object in a slit; peak in electrons per second and pixel.

    ``sort`` is one of ``_STARS``, of the star if it is one.
    """
    wave, drift = beam.wave, float(rng.normal(0, 1.0))
    place = _place(spectrograph, slit, rng, off=off, anywhere=anywhere)
    seeing = spectrograph.seeing * rng.lognormal(0, 0.2)
    z = rng.choice([0.0, rng.uniform(0, 0.15), rng.uniform(0, 1.0)])
    if kind == 'emission':
        lines = beam.smear(sources.nebula(wave, z, rng) * air)
        lines /= max(lines.max(), 1e-30)
        v = profile_grid(slit)
        size = slit.half * log_uniform(rng, 0.08, 1.5) if rng.random() < 0.6 else 2.0
        size = max(size, seeing / 2)
        blob = np.exp(-(np.abs((v - place) / size) ** rng.uniform(1.5, 4)))
        blob *= sources.wobble(v, rng, 12, 0.25) * slit_profile(spectrograph, slit)
        layers = [Layer(lines * peak * rng.uniform(1, 12), blob)]
        if rng.random() < 0.5:
            star = _unit(sources.random_star(wave, rng, hot=0.6) * air)
            light = trace(spectrograph, slit, place, seeing)
            layers.append(Layer(beam.smear(star) * peak * rng.uniform(0, 0.5), light))
        return layers
    if kind == 'extended':
        spectrum = beam.smear(_unit(sources.galaxy(wave, z, rng) * air))
        v = profile_grid(slit)
        size = max(seeing, slit.half * log_uniform(rng, 0.03, 0.4))
        away = np.hypot((v - place) / size, 0.1)
        light = np.exp(-2 * (away**0.6)) * slit_profile(spectrograph, slit)
        light /= light.max() + 1e-9
        layers = [Layer(spectrum * peak, light, drift)]
        if rng.random() < 0.6:
            lines = beam.smear(sources.nebula(wave, z, rng) * air)
            lines *= peak * rng.uniform(0.3, 4) / max(lines.max(), 1e-30)
            turn = rng.uniform(-8, 8) * np.tanh((v - place) / size)
            layers.append(
                Layer(lines, light * sources.wobble(v, rng, 15, 0.3), drift, turn)
            )
        return layers
    if sort != 'other':
        spectrum = _star(wave, rng, sort)
    elif kind != 'bright' and rng.random() < 0.25:
        spectrum = sources.quasar(wave, rng.uniform(0.1, 4), rng)
    elif rng.random() < 0.4:
        spectrum = sources.galaxy(wave, z, rng)
    else:
        spectrum = _star(wave, rng, sort)
    spectrum = beam.smear(_unit(spectrum * air))
    return [Layer(spectrum * peak, trace(spectrograph, slit, place, seeing), drift)]


def _neighbours(
    spectrograph: Spectrograph,
    beam: Beam,
    slit: Slit,
    peak: float,
    air: np.ndarray,
    rng: np.random.Generator,
) -> list[Layer]:
    """Return what else stands in a long slit: often nothing, or what is fainter."""
    if spectrograph.family != 'long_slit' or rng.random() > _ACCOMPANIED:
        return []
    seen = []
    for _ in range(1 + rng.poisson(0.7)):
        what = str(rng.choice(['point', 'extended'], p=[0.8, 0.2]))
        part = peak * log_uniform(rng, 0.002, 0.4)
        seen += _object_layers(
            spectrograph, beam, slit, what, part, air, rng, off=False, anywhere=True,
        )  # fmt: skip
    return seen


def science(
    spectrograph: Spectrograph,
    rng: np.random.Generator,
    exptime: float | None,
    kind: str | None,
    *,
    off: bool = False,
) -> Scene:
    """Objects and the night sky."""
    kind = draw_kind('science', rng, kind)
    beam = Beam(spectrograph)
    if exptime is None:
        least, most = _EXPOSED.get(kind, (100, 3600))
        exptime = _nice(log_uniform(rng, least, most))
    moon = rng.exponential(1.5) if rng.random() < 0.4 else 0.0
    sky = _sky(spectrograph, beam, rng, moon)
    air = _air(spectrograph, beam, rng)
    noise = _noise(spectrograph, sky, exptime)
    limit = _limit(spectrograph)
    image = _blank(spectrograph)
    crowd = spectrograph.family in ('multi_slit', 'fibre')
    parts = spectrograph.family == 'long_slit'
    target = int(rng.integers(len(spectrograph.slits))) if parts else 0
    seen: list[Layer] = []
    single = kind in ('point', 'bright') and not crowd
    twin = ''
    for i, slit in enumerate(spectrograph.slits):
        if parts:
            seen = []
        if crowd or i == target:  # the orders of an echelle show the same
            count = 1 + (int(rng.integers(1, 6)) if kind == 'several' else 0)
            if spectrograph.fibre:
                count = 1
            if kind == 'blank' or (crowd and rng.random() < 0.15):
                count = 0
            seen = []
            for _ in range(count):
                what = kind
                peak = noise * log_uniform(rng, 2.0, 40)
                if kind == 'faint':
                    peak = noise * log_uniform(rng, 0.4, 3.0)
                elif kind == 'bright':
                    peak = limit * log_uniform(rng, 0.005, 0.85)
                elif kind in ('several', 'point') and crowd:
                    what = str(rng.choice(['point', 'extended', 'emission']))
                sort = str(rng.choice([*_STARS], p=[*_STARS.values()]))
                make = _fibre_layers if spectrograph.fibre else _object_layers
                seen += make(
                    spectrograph, beam, slit, what, peak / exptime, air, rng, off=off,
                    sort=sort,
                )  # fmt: skip
                if single:
                    seen += _neighbours(
                        spectrograph, beam, slit, peak / exptime, air, rng
                    )
                if single and sort != 'other' and peak > _BRIGHT * noise:
                    seen_sky = sky_seen(spectrograph, slit, sky, exptime)
                    if exptime <= _LONGEST or not seen_sky:
                        twin = 'standard'
        paint(image, beam, slit, [Layer(sky, slit_profile(spectrograph, slit)), *seen])
    return Scene(_finish(image, spectrograph), exptime, kind, twin)


def _fibre_layers(
    spectrograph: Spectrograph,
    beam: Beam,
    slit: Slit,
    kind: str,
    peak: float,
    air: np.ndarray,
    rng: np.random.Generator,
    *,
    off: bool,
    sort: str,
) -> list[Layer]:
    """Return one object in a fibre; six spectra are enough for hundreds."""
    peak *= 0.05 if off else 1.0
    draw = np.random.default_rng([spectrograph.seed, int(rng.integers(6))])
    z = draw.uniform(0, 0.2)
    light = slit_profile(spectrograph, slit)
    if kind == 'emission':
        spectrum = beam.smear(sources.nebula(beam.wave, z, draw) * air)
        return [Layer(peak * spectrum / max(spectrum.max(), 1e-30), light)]
    if kind == 'extended':
        spectrum = sources.galaxy(beam.wave, z, draw)
    else:
        spectrum = _star(beam.wave, draw, sort)
    return [Layer(peak * beam.smear(_unit(spectrum * air)), light)]


def standard(
    spectrograph: Spectrograph,
    rng: np.random.Generator,
    exptime: float | None,
    kind: str | None,
    *,
    off: bool = False,
) -> Scene:
    """A bright star in one slit."""
    kind = draw_kind('standard', rng, kind)
    beam = Beam(spectrograph)
    if exptime is None:
        exptime = _nice(log_uniform(rng, 1, _LONGEST))
    wide = (
        spectrograph.slit_width * rng.uniform(2.5, 8) if kind == 'wide slit' else None
    )
    moon = rng.exponential(1.0) if rng.random() < 0.4 else 0.0
    sky = _sky(spectrograph, beam, rng, moon, wide)
    if kind == 'twilight':
        glow = beam.smear(
            sources.twilight(beam.wave) * spectrograph.throughput(beam.wave)
        )
        sky = sky + glow * spectrograph.sky_rate * log_uniform(rng, 30, 1500)
    air = _air(spectrograph, beam, rng)
    seeing = spectrograph.seeing * rng.lognormal(0.05, 0.25)
    width = min(seeing, wide or spectrograph.slit_width)
    star = sources.random_star(beam.wave, rng, hot=0.97, coolest=_COOLEST)
    star = beam.smear(_unit(star * air), width)
    floor = _BRIGHT * _noise(spectrograph, sky, exptime)
    limit = _limit(spectrograph)
    high = 1.3 if rng.random() < 0.12 else 0.85
    peak = max(limit * log_uniform(rng, 0.003, high), min(floor, 0.5 * limit)) / exptime
    slits = spectrograph.slits
    image = _blank(spectrograph)
    everywhere = spectrograph.family == 'echelle'
    target = int(rng.integers(len(slits)))
    bundle = int(rng.integers(1, 12)) if spectrograph.fibre else 0
    share, drift = (
        _place(spectrograph, slits[0], rng, off=off) / slits[0].half,
        rng.normal(0, 1.5),
    )
    others = _neighbours(spectrograph, beam, slits[target], _FAINTER * peak, air, rng)
    for i, slit in enumerate(slits):
        layers = [Layer(sky, slit_profile(spectrograph, slit))]
        if everywhere or i == target or abs(i - target) < bundle:
            light = peak * np.exp(-((abs(i - target) / max(bundle, 1)) ** 2) * 2)
            if everywhere:
                light = peak
            if spectrograph.fibre:
                layers.append(Layer(star * light, slit_profile(spectrograph, slit)))
            else:
                place = share * slit.half
                body = trace(spectrograph, slit, place, seeing)
                layers += [Layer(star * light, body, drift), *others]
        paint(image, beam, slit, layers)
    return Scene(_finish(image, spectrograph), exptime, kind)


def dark(
    spectrograph: Spectrograph,
    rng: np.random.Generator,
    exptime: float | None,
    kind: str | None,
) -> Scene:
    """No light, or a little that leaks in."""
    kind = draw_kind('dark', rng, kind)
    if exptime is None:
        exptime = _nice(log_uniform(rng, 180, 3600))
    rate = _blank(spectrograph)
    if kind == 'light leak':
        n, nd = rate.shape
        field = np.zeros((16, 16))
        field[rng.integers(16), rng.integers(16)] = 1
        field = ndimage.gaussian_filter(field, rng.uniform(2, 6))
        field += rng.uniform(0, 0.5) * np.linspace(0, 1, 16)[:, None] * field.max()
        leak = ndimage.zoom(field / field.max(), (-(-n // 16), -(-nd // 16)), order=1)
        rate += leak[:n, :nd] * log_uniform(rng, 0.01, 0.4)
    return Scene(rate, exptime, kind)
