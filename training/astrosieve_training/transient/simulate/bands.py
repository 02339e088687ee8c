"""Three-band difference stamps, with the ten classes by eye of the SDSS-II survey."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from astrosieve_training.transient.simulate.candidates import find_peaks, windows
from astrosieve_training.transient.simulate.faults import draw_edge
from astrosieve_training.transient.simulate.fields import Field, Sky, draw_sky, expose
from astrosieve_training.transient.simulate.rows import Rows
from astrosieve_training.transient.simulate.subtraction import subtract
from astrosieve_training.transient.simulate.surveys import Conditions, survey_named
from astrosieve_training.transient.simulate.truth import what_they_are

__all__ = ['BandCandidates', 'make_band_candidates']

_SIDE = 69
_FIELD = (400, 400)
_COLOURS = (-0.35, 0.0, 0.15)  # of a redder star, magnitudes in g, r, i
_SKY = (0.6, 1.0, 1.4)
_LATER = (-1.0, 0.0, 0.25)  # when the bands are exposed
_BLUE = (0.1, 0.0, -0.1)  # of supernovae, magnitudes in g, r, i
_SUPERNOVAE = ((25.0, 'SN gold'), (14.0, 'SN silver'), (8.0, 'SN bronze'))
_MOST = 10  # of a class in a field
_NAMES = {
    'dipole': 'dipole',
    'saturated': 'saturated star',
    'moving': 'moving',
    'variable': 'variable',
}


@dataclass(frozen=True)
class BandCandidates(Rows):
    """
    Differences in g, r and i about candidates, and the truth about them.

    Their ``label`` is that by eye, of
    `~astrosieve.transient.classes.SURVEY_CLASSES`.

    Parameters
    ----------
    stamps : (N, 3, 69, 69) float32 `~numpy.ndarray`
        Counts; NaN where masked.
    kind : (N,) str `~numpy.ndarray`
        Class of `~astrosieve.transient.classes.CLASSES`.
    snr, share : (N,) float `~numpy.ndarray`
        Of the detection in r, as of `~.candidates.Candidates`.
    fwhm : (N,) float `~numpy.ndarray`
        Seeing in r, pixels.
    field : (N,) int `~numpy.ndarray`
        Seed of the field.
    """

    stamps: np.ndarray
    kind: np.ndarray
    snr: np.ndarray
    share: np.ndarray
    fwhm: np.ndarray
    field: np.ndarray


def make_band_candidates(
    seed: int, *, survey: str = 'sdss', shape: tuple[int, int] = _FIELD
) -> BandCandidates:
    """
    Simulate a field in three bands, one after the other; candidates are those of r.

    Moving objects move between the bands. A new source without a host is a
    'transient', one with a host a supernova: gold, silver, bronze or other, by its
    signal to noise.

    Parameters
    ----------
    seed : int
        Of everything in it.
    survey : str, optional
        Which conditions.
    shape : tuple of int, optional
        Pixels of the field.
    """
    rng = np.random.default_rng([seed, 69])
    middle = Conditions.drawn(survey_named(survey), rng)
    sky = draw_sky(middle, shape, rng)
    speed = rng.gamma(1.5, 2.5, len(sky.changes.x))  # pixels between g and r
    edge = draw_edge(shape, rng)
    images: list[np.ndarray] = []
    for band in range(3):
        conditions = replace(
            middle,
            sky=middle.sky * _SKY[band],
            fwhm=middle.fwhm * float(rng.normal(1.0, 0.04)),
        )
        exposed = expose(_in_band(sky, band, speed), conditions, rng, edge)
        made = subtract(exposed, rng)
        gap = exposed.search.masked | exposed.template.masked
        images.append(np.where(gap, np.nan, made.image) / conditions.survey.gain)
        if band == 1:
            x, y, snr = find_peaks(exposed, made, rng)
            truth = what_they_are(exposed, made, x, y, np.sign(snr))
            host = _hosts(exposed, x, y)
    label = np.array(
        [
            _by_eye(*each)
            for each in zip(truth.label, np.abs(snr), host, strict=True)
        ],
        dtype='U16',
    )  # fmt: skip
    members = [np.flatnonzero(label == name) for name in np.unique(label)]
    rows = np.concatenate(
        [np.empty(0, int), *(rng.permutation(each)[:_MOST] for each in members)]
    )
    stamps = windows(images, x[rows].astype(int), y[rows].astype(int), _SIDE)
    n = len(rows)
    return BandCandidates(
        label[rows], stamps, truth.label[rows], np.abs(snr[rows]), truth.share[rows],
        np.full(n, middle.fwhm), np.full(n, seed),
    )  # fmt: skip


def _in_band(sky: Sky, band: int, speed: np.ndarray) -> Sky:
    """Return what a band shows: stars by colour, moving objects where they then are."""
    changes = sky.changes
    moving = changes.kind == 'moving'
    step = np.where(moving, speed * _LATER[band], 0)
    bluer = np.where(changes.kind == 'transient', _BLUE[band], 0)
    return replace(
        sky,
        flux=sky.flux * 10 ** (0.4 * _COLOURS[band] * (1 + 0.5 * sky.colour)),
        changes=replace(
            changes,
            x=changes.x + step * np.cos(changes.angle),
            y=changes.y + step * np.sin(changes.angle),
            flux=changes.flux * 10 ** (0.4 * bluer),
        ),
    )


def _hosts(field: Field, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return whether the change nearest to each place has a host."""
    changes = field.sky.changes
    away = np.hypot(x[:, None] - changes.x, y[:, None] - changes.y)
    found: np.ndarray = changes.host[away.argmin(axis=1)] > 0
    return found


def _by_eye(kind: str, snr: float, host: bool) -> str:
    if kind != 'transient':
        return _NAMES.get(kind, 'artifact')
    if not host:
        return 'transient'
    named = (name for least, name in _SUPERNOVAE if snr >= least)
    return next(named, 'SN other')
