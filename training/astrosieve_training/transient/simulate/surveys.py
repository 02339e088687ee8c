"""Surveys: what differs from one to the next, as ranges to draw from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ['HELD_BACK', 'SURVEYS', 'Conditions', 'Survey', 'survey_named']

Range = tuple[float, float]


@dataclass(frozen=True)
class Survey:
    """
    A survey, between whose limits its exposures lie.

    Parameters
    ----------
    name : str
        What it resembles.
    fwhm : tuple of float
        Seeing, pixels.
    sky : tuple of float
        Electrons per pixel.
    read_noise, gain, full_well : float
        Electrons, electrons per count, electrons.
    depth : tuple of float
        Exposures that the template adds up.
    stars : tuple of float
        In 512x512 pixels, down to the limit of detection.
    shift : float
        Standard deviation of the registration, pixels.
    proper : float
        Share of the fields that are subtracted properly, others by a kernel.
    turned : bool
        Whether a candidate that fades is given with its difference's sign turned.
    spikes : float
        Light in diffraction spikes.
    masks : float
        Share of the fields whose saturated pixels are NaN.
    hits : float
        Cosmic rays in 512x512 pixels.
    elongation : float
        Standard deviation of the ellipticity.
    quality : float
        Of PSF models and flat fields: one for a good pipeline, more for worse.
    rows : bool
        Whether charge bleeds along rows instead of columns.
    """

    name: str
    fwhm: Range
    sky: Range
    read_noise: float
    gain: float
    full_well: float
    depth: Range
    stars: Range = (60, 900)
    shift: float = 0.1
    proper: float = 0.0
    turned: bool = False
    spikes: float = 0.01
    masks: float = 0.5
    hits: float = 12.0
    elongation: float = 0.05
    quality: float = 1.0
    rows: bool = False


SURVEYS = (
    Survey('ztf', (1.6, 3.4), (300, 2500), 10, 6.2, 2.2e5, (12, 40), (40, 1500),
           shift=0.12, proper=1.0, turned=True, spikes=0.02, masks=0.4, rows=True),
    Survey('ptf', (1.7, 3.6), (300, 3000), 11, 1.6, 9e4, (3, 20), shift=0.14,
           spikes=0.02, quality=1.6),
    Survey('sdss', (2.6, 4.6), (60, 500), 5, 4.0, 2.5e5, (1, 6), (30, 400),
           shift=0.1, masks=0.7, hits=15),
    Survey('decam', (3.0, 5.8), (150, 3000), 7, 4.2, 1.7e5, (1, 12), shift=0.1,
           hits=40, masks=0.8),
    Survey('rubin', (3.0, 6.0), (150, 1800), 6, 1.6, 1.3e5, (4, 30), shift=0.07,
           spikes=0.015, hits=25, masks=0.7),
    Survey('panstarrs', (3.5, 6.0), (80, 900), 7, 1.0, 6e4, (4, 20), shift=0.1,
           masks=0.9, hits=20),
    Survey('small', (1.5, 5.0), (50, 4000), 12, 1.4, 8e4, (1, 15), (30, 1500),
           shift=0.2, proper=0.3, turned=True, spikes=0.02, elongation=0.12,
           quality=2.0),
    Survey('any', (1.5, 6.0), (30, 5000), 8, 2.0, 1.2e5, (1, 40), (30, 1500),
           shift=0.15, proper=0.5, turned=True, spikes=0.015, elongation=0.08,
           quality=1.4),
)  # fmt: skip
"""To learn from."""

HELD_BACK = (
    Survey('atlas', (1.6, 2.6), (400, 3000), 11, 2.0, 1.2e5, (8, 30), shift=0.15,
           spikes=0.02, quality=1.5),
    Survey('blackgem', (3.5, 6.0), (100, 1200), 9, 2.4, 1.5e5, (2, 15), shift=0.1,
           proper=1.0, masks=0.7),
    Survey('skymapper', (3.0, 6.0), (40, 500), 8, 1.1, 7e4, (1, 8), (60, 1200),
           shift=0.13, hits=30),
)  # fmt: skip
"""To be judged on, never learnt from."""


def survey_named(name: str) -> Survey:
    """Return a survey, known or held back."""
    return next(each for each in SURVEYS + HELD_BACK if each.name == name)


@dataclass(frozen=True)
class Conditions:
    """
    A search and a template of one field, drawn from a survey.

    Parameters
    ----------
    survey : `Survey`
        Their survey.
    fwhm, template_fwhm : float
        Pixels.
    sky, depth, n_stars : float
        Electrons per pixel of the search; exposures of the template; stars.
    shift : tuple of float
        Of the template, pixels (x, y).
    refraction : tuple of float
        Shift of the search's star of unit colour, pixels (x, y).
    """

    survey: Survey
    fwhm: float
    template_fwhm: float
    sky: float
    depth: float
    n_stars: int
    shift: tuple[float, float]
    refraction: tuple[float, float]

    @property
    def noise(self) -> float:
        """Of a pixel of the search's sky, electrons."""
        return float(np.sqrt(self.sky + self.survey.read_noise**2))

    @property
    def faintest(self) -> float:
        """Flux that the search shows at 5 sigma, electrons."""
        return 5 * self.noise * float(np.sqrt(2.27)) * self.fwhm

    def fluxes(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw fluxes of changes: most near the limit, a few far above it."""
        near: np.ndarray = 0.9 + rng.exponential(0.4, n)
        return self.faintest * near * 10 ** rng.exponential(0.3, n)

    @classmethod
    def drawn(cls, survey: Survey, rng: np.random.Generator) -> Conditions:
        """Draw a field; one in ten is badly registered or much refracted."""

        def log_uniform(limits: Range) -> float:
            return float(np.exp(rng.uniform(*np.log(limits))))

        bad, low = rng.random(2) < (0.1, 0.25)
        shift = rng.normal(0, survey.shift * (4 if bad else 1), 2)
        angle = rng.uniform(0, 2 * np.pi)
        bent = abs(rng.normal(0, 0.2 if low else 0.04))
        fwhm = log_uniform(survey.fwhm)
        return cls(
            survey,
            fwhm,
            float(np.clip(fwhm * rng.normal(0.93, 0.13), *survey.fwhm)),
            log_uniform(survey.sky),
            log_uniform(survey.depth),
            int(log_uniform(survey.stars)),
            (float(shift[0]), float(shift[1])),
            (float(bent * np.cos(angle)), float(bent * np.sin(angle))),
        )
