"""Settings of the procedure that labels, and of the split of its datasets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from astrosieve_training.settings import (
    Count,
    Natural,
    NotNegative,
    Positive,
    Rule,
    Settings,
    Share,
    at_least,
    between,
    require,
)

__all__ = [
    'PREPROCESSING',
    'SMALLEST',
    'EmbeddingSettings',
    'LabelSettings',
    'NamingSettings',
    'PeakSettings',
    'SplitSettings',
]

PREPROCESSING = 'zscale-log-1'
"""Normalisation of the cutouts that are embedded, the report's."""

SMALLEST = 30
"""Fewest members of a cluster."""


@dataclass(frozen=True)
class PeakSettings(Settings):
    """
    Which peaks are taken, and when two are one place.

    Parameters
    ----------
    separation : float
        Smallest distance from any brighter pixel, pixels.
    min_electrons : float
        Fewest electrons in the 2x2 pixels that hold the peak.
    nsigma : float
        Threshold of the peak's pixel in units of the sky's noise.
    min_snr : float
        S/N in 3x3 pixels of the combined image from which there is surely a source;
        what is fainter is not labelled.
    radius : float
        Largest distance of two peaks of one place, pixels of the detector.
    min_exposures : int
        Exposures that must cover a place.
    """

    separation: Annotated[float, at_least(1.5)] = 5.0
    min_electrons: NotNegative = 100.0
    nsigma: Annotated[float, at_least(0.1)] = 3.0
    min_snr: Annotated[float, at_least(3)] = 5.0
    radius: Annotated[float, at_least(0.05)] = 1.0
    min_exposures: Count = 2


@dataclass(frozen=True)
class EmbeddingSettings(Settings):
    """
    How places are embedded and clustered.

    Parameters
    ----------
    samples : int
        Largest number of places that are embedded.
    n_neighbors : int
        Of UMAP; as many neighbours make a point dense for HDBSCAN.
    min_dist : float
        Of UMAP.
    cluster_share : float
        Smallest cluster that HDBSCAN may find, as a share of the places.
    part_share : float
        Smallest part into which a mixed cluster is divided, in the same way.
    seed : int
        Of the sample and of UMAP, which then runs on one thread.
    """

    samples: Annotated[int, at_least(100)] = 30_000
    n_neighbors: Annotated[int, at_least(2)] = 35
    min_dist: Share = 0.01
    cluster_share: Annotated[float, between(0, 0.5)] = 0.01
    part_share: Annotated[float, between(0, 0.5)] = 0.003
    seed: Natural = 0

    def min_part(self, n: int) -> int:
        """Return the fewest members of a part of a cluster, among n places."""
        return max(SMALLEST, round(self.part_share * n))


@dataclass(frozen=True)
class NamingSettings(Settings):
    """
    Limits between the classes.

    Parameters
    ----------
    absent, present : float
        Share of a peak's electrons in the combined image below which they were there
        once only, and from which they are always there; what lies between is
        contested.
    psf_like : float
        Correlation with the PSF, over that expected for a star of this S/N, from
        which a place is a star.
    alike : float
        Errors by which a star may be broader or narrower than the PSF.
    stars : float
        Share of stars among places of like S/N that are as much broader than the PSF,
        from which a place is one.
    blended : float
        Correlation down to which a place among stars is one.
    core : float
        Distance from the middle of its saturated pixels, over the FWHM, up to which a
        saturated peak is a star; from twice that it is part of a spike.
    halo, alone : float
        Light that other stars spread, over that of the place, from which it is a
        spike, and up to which it can be extended.
    hit, noise : float
        Share of noise among peaks like one that was there once, up to which it is a
        cosmic ray, and from which it is background.
    """

    absent: Annotated[float, between(0, 1)] = 0.4
    present: Annotated[float, between(0, 1)] = 0.6
    psf_like: Annotated[float, between(0, 1)] = 0.7
    alike: Positive = 3.0
    stars: Annotated[float, between(0, 1)] = 0.6
    blended: Annotated[float, between(0, 1)] = 0.6
    core: Annotated[float, between(0, 1)] = 0.75
    halo: Annotated[float, between(0, 1)] = 0.5
    alone: Annotated[float, between(0, 1)] = 0.2
    hit: Annotated[float, between(0, 1)] = 0.02
    noise: Annotated[float, between(0, 1)] = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        for low, high in (
            ('absent', 'present'),
            ('alone', 'halo'),
            ('hit', 'noise'),
        ):
            value, limit = getattr(self, low), getattr(self, high)
            require(value <= limit, low, value, f'{limit} ({high}) or less')


@dataclass(frozen=True)
class LabelSettings:
    """
    All that decides the labels of exposures.

    Parameters
    ----------
    peaks, embedding, naming
        Sections, see their classes.
    aligned : bool
        Whether the exposures' WCS agree as they are.
    combined : str
        Path of the user's own combined image; empty to combine with AstroDrizzle.
    """

    peaks: PeakSettings = field(default_factory=PeakSettings)
    embedding: EmbeddingSettings = field(default_factory=EmbeddingSettings)
    naming: NamingSettings = field(default_factory=NamingSettings)
    aligned: bool = False
    combined: str = ''


@dataclass(frozen=True)
class SplitSettings(Settings):
    """
    How a dataset is split and balanced.

    Parameters
    ----------
    validation_share : float
        Share of the rows that is kept aside.
    ratio : float
        In training no class has more than this many times the members of the smallest
        (WFC3 ISR 2024-14: 1.5); 0 for no limit.
    min_class : int
        Fewest members in training; a class with fewer is left out.
    seed : int
        Of what is random.
    """

    validation_share: Annotated[
        float, Rule('above 0, up to 0.5', lambda value: 0 < value <= 0.5)
    ] = 0.2
    ratio: Annotated[
        float, Rule('0, or 1 or more', lambda value: value == 0 or value >= 1)
    ] = 1.5
    min_class: Annotated[int, at_least(2)] = 50
    seed: Natural = 0
