"""Settings of the procedure that labels."""

from __future__ import annotations

from dataclasses import dataclass, field

from astrosieve_training.source.label.embedding import EmbeddingSettings
from astrosieve_training.source.label.naming import NamingSettings
from astrosieve_training.source.label.places import PeakSettings

__all__ = ['LabelSettings']


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
