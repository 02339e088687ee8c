"""Images of all kinds of instruments, with the truth of every pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from astrosieve.contaminant.classes import CLASSES, FAILURES
from astrosieve_training.contaminant.simulate import (
    backgrounds,
    bright,
    defects,
    hits,
    persistence,
    scenes,
    trails,
)
from astrosieve_training.contaminant.simulate.draft import Draft
from astrosieve_training.contaminant.simulate.exposure import expose
from astrosieve_training.contaminant.simulate.failures import (
    draw_failure,
    draw_harmless,
)
from astrosieve_training.contaminant.simulate.instruments import (
    JUDGED_FAMILIES,
    TRAINED_FAMILIES,
    draw_instrument,
)
from astrosieve_training.contaminant.simulate.profiles import draw_profile
from astrosieve_training.settings import Count, Settings, Share, at_least

__all__ = ['SimulatedImage', 'SimulationSettings', 'make_image', 'simulated_image']

SHARES = {
    'cosmic_ray': 0.45,
    'hot_pixel': 0.32,
    'bad_pixel': 0.24,
    'hot_column': 0.22,
    'bad_column': 0.22,
    'bad_row': 0.22,
    'persistence': 0.33,
    'satellite_trail': 0.36,
    'fringe': 0.27,
    'bright': 0.45,  # of bright stars, which saturate and bleed
    'spike': 0.75,  # of images with bright stars
    'nebulosity': 0.28,
    'reflection': 0.36,
}
"""Of images that have a contaminant."""
DARK, SPECTRA = 0.05, 0.03
"""Shares of images without light, and of those of a slit."""
DETECTOR = {
    'cosmic_ray',
    'hot_pixel',
    'bad_pixel',
    'hot_column',
    'bad_column',
    'bad_row',
}
"""What a dark has."""
_LONGEST = 0.35
"""Of a side of the image: how long trails of its stars are at most."""


@dataclass(frozen=True, eq=False)
class SimulatedImage:
    """
    An image and its truth.

    Parameters
    ----------
    sci : (ny, nx) float32 `~numpy.ndarray`
        In whatever unit; NaN where masked.
    truth : (C, ny, nx) bool `~numpy.ndarray`
        Which pixels are of a class, in the order of ``CLASSES``; several may hold.
    ignore : (C, ny, nx) bool `~numpy.ndarray`
        Pixels of which nobody can tell, faint ones mostly; never true.
    masked : (ny, nx) bool `~numpy.ndarray`
        Pixels without a value.
    meta : dict
        ``family``, ``fwhm`` (pixels), ``unit``, ``seed``, ``noise`` (electrons),
        ``gain`` (electrons per number, None for units of flux), ``read_noise``
        (electrons), ``ceiling`` (electrons), ``classes`` (those with a true pixel),
        ``failures`` (of ``FAILURES``, what went wrong with the image as a whole),
        ``stars`` (S/N of those within the image, the brightest first, as of a fit of
        their profile).
    """

    sci: np.ndarray
    truth: np.ndarray
    ignore: np.ndarray
    masked: np.ndarray
    meta: dict[str, Any]


@dataclass(frozen=True)
class SimulationSettings(Settings):
    """
    What images are to be made.

    Parameters
    ----------
    shape : (int, int)
        Pixels, (ny, nx), at least 64.
    clean : float
        Share of images without any contaminant.
    failed : float
        Share of images whose tracking, guiding or focus failed as a whole.
    harmless : float
        Share of the others whose stars are wider than their family's.
    moving : float
        Share of images with an asteroid.
    real : bool
        Whether real pixels are used where the data folder has them.
    """

    shape: tuple[Annotated[Count, at_least(64)], Annotated[Count, at_least(64)]] = (
        256,
        256,
    )
    clean: Share = 0.03
    failed: Share = 0.0
    harmless: Share = 0.0
    moving: Share = 0.0
    real: bool = True


def _wanted(draft: Draft, clean: float) -> set[str]:
    """Draw which contaminants an image has."""
    rng, kind = draft.rng, draft.instrument.kind
    chances = rng.random(len(SHARES))
    wanted = {
        name
        for (name, share), u in zip(SHARES.items(), chances, strict=True)
        if u < share
    }
    if kind.detector == 'ir' and rng.random() < 0.4:
        wanted.add('persistence')
    return wanted - set(kind.without) if rng.random() >= clean else set()


def _fill(draft: Draft, wanted: set[str]) -> None:
    """Add the scene, then each contaminant."""
    scene = draft.rng.random()
    if scene < DARK:
        wanted = wanted & DETECTOR
        level = draft.rng.uniform(0, 1) * draft.instrument.read_noise**2
        draft.instrument = replace(draft.instrument, sky=level)
    backgrounds.add_sky(draft)
    draft.add_light('object', np.zeros(draft.shape, np.float32))
    if DARK <= scene < DARK + SPECTRA:
        scenes.add_spectra(draft)
    elif scene >= DARK:
        scenes.add_stars(draft)
        scenes.add_galaxies(draft)
    if 'bright' in wanted:
        scenes.add_bright_stars(draft)
    if 'spike' in wanted and draft.stars:
        bright.add_spikes(draft)
    for name, add in (
        ('nebulosity', backgrounds.add_nebulosity),
        ('fringe', backgrounds.add_fringes),
        ('reflection', bright.add_reflections),
        ('satellite_trail', trails.add_trails),
        ('persistence', persistence.add_persistence),
        ('hot_pixel', defects.add_hot_pixels),
        ('bad_pixel', defects.add_bad_pixels),
        ('cosmic_ray', hits.add_cosmic_rays),
    ):
        if name in wanted:
            add(draft)
    drawn = draft.real and draft.rng.random() < 0.35
    if drawn:
        defects.add_real_defects(draft, wanted)
    for name in ('hot_column', 'bad_column', 'bad_row'):
        if name in wanted and not (name in draft.truth and drawn):
            defects.add_lines(draft, name)


def _failures(draft: Draft) -> tuple[str, ...]:
    """Return what went wrong; of a camera that is out of focus by intention too."""
    blur = draft.profile.blur
    names = {*(blur.names if blur else ())}
    if draft.instrument.psf == 'defocused':
        names.add('out_of_focus')
    return tuple(name for name in FAILURES if name in names)


def _signals(draft: Draft) -> list[float]:
    """Return the S/N of the stars within an image, as of a fit of their profile."""
    ny, nx = draft.shape
    least = np.sqrt(draft.profile.sharpness) / draft.noise
    found = [
        star.flux * least
        for star in draft.sown
        if 0 <= star.x <= nx - 1 and 0 <= star.y <= ny - 1
    ]
    return sorted(found, reverse=True)


def make_image(
    seed: int,
    settings: SimulationSettings | None = None,
    family: str | None = None,
) -> SimulatedImage:
    """
    Make an image: a clean scene first, then what spoils it.

    Parameters
    ----------
    seed : int
        Decides everything.
    settings : `SimulationSettings`, optional
        What is made.
    family : str, optional
        Of instruments, see `FAMILIES`. Default: one of those for training.

    Returns
    -------
    image : `SimulatedImage`
        The same for the same arguments, as long as the data folder is the same.
    """
    settings = settings or SimulationSettings()
    rng = np.random.default_rng([seed, 15])
    drawn = str(rng.choice(TRAINED_FAMILIES))
    family = family or drawn
    instrument = draw_instrument(rng, family)
    failed = rng.random() < settings.failed
    profile = draw_profile(rng, instrument)
    if failed:
        longest = _LONGEST * min(settings.shape)
        profile = profile.blurred_by(draw_failure(rng, profile.width, longest))
    elif settings.harmless and rng.random() < settings.harmless:
        profile = profile.blurred_by(draw_harmless(rng, instrument.fwhm))
    draft = Draft(
        rng, settings.shape, instrument, profile,
        real=settings.real, judged=family in JUDGED_FAMILIES,
    )  # fmt: skip
    _fill(draft, _wanted(draft, settings.clean))
    if settings.moving and rng.random() < settings.moving:
        scenes.add_moving(draft)
    sci, masked = expose(draft)
    truth, ignore = draft.planes()
    made = draft.instrument
    factor = {
        'raw': made.gain,
        'counts': made.gain,
        'electron': 1.0,
        'rate': made.exptime,
    }
    meta = {
        'family': family,
        'fwhm': made.fwhm,
        'unit': made.unit,
        'seed': seed,
        'noise': made.noise,
        'gain': factor.get(made.unit),
        'read_noise': made.read_noise,
        'ceiling': made.ceiling,
        'classes': [n for n, t in zip(CLASSES.names, truth, strict=True) if t.any()],
        'failures': _failures(draft),
        'stars': _signals(draft),
    }
    return SimulatedImage(sci, truth, ignore, masked, meta)


def simulated_image(seed: int, side: int, *, judged: bool = False) -> SimulatedImage:
    """
    Make an image of a family for training, or of one that is kept for judging.

    Parameters
    ----------
    seed : int
        Decides everything.
    side : int
        Pixels.
    judged : bool, optional
        Whether of a family kept for judging; these take turns. Of images for training 3
        in 100 have failed as a whole, so that their stars are known for stars.

    Returns
    -------
    image : `SimulatedImage`
        As `make_image` makes it.
    """
    family = JUDGED_FAMILIES[seed % len(JUDGED_FAMILIES)] if judged else None
    failed = 0.0 if judged else 0.03
    return make_image(seed, SimulationSettings((side, side), failed=failed), family)
