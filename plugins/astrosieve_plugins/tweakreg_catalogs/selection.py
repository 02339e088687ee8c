"""Which detections TweakReg shall see, and what is done where they are too few."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.exceptions import AstrosieveWarning, ModelError
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import Model, load_model
from astrosieve.source.exposures import ClassifyOptions

__all__ = ['MIN_STARS', 'Selection', 'make_selection']

MIN_STARS = 20
"""Fewest rows of an exposure that are kept: TweakReg wants 15 matches of them."""


@dataclass(frozen=True)
class Selection:
    """
    What is kept of classified detections.

    A row is kept where its class is one of ``keep``. Where fewer than
    ``min_stars`` rows are, the operating point is lowered to the next lower of the
    model, and so on; where that is not enough, rows are added in the order of the
    probability of the kept classes (``p_star``), the highest first, until there are
    ``min_stars``. Each step down is said in a warning.

    Parameters
    ----------
    options : `~astrosieve.source.exposures.ClassifyOptions`
        How exposures are searched and classified; the model is loaded.
    keep : tuple of str
        Classes.
    min_stars : int
        Fewest rows of an exposure.
    """

    options: ClassifyOptions
    keep: tuple[str, ...] = ('star',)
    min_stars: int = MIN_STARS

    @property
    def card(self) -> ModelCard:
        """Card of the model."""
        if not isinstance(self.options.model, Model):
            msg = 'options.model must be loaded: use make_selection'
            raise TypeError(msg)
        return self.options.model.card

    @property
    def description(self) -> dict[str, object]:
        """Model and settings, for the headers of catalogues."""
        card, options = self.card, self.options
        return {
            'model': f'{card.name} {card.version}',
            'hash': card.sha256,
            'keep': ', '.join(self.keep),
            'operating_point': options.operating_point or 'highest probability',
            'min_stars': self.min_stars,
            'finder': options.finder,
            'nsigma': options.nsigma,
            'saturated': options.saturated,
        }

    def choose(
        self, table: Table, name: str, *, min_stars: int | None = None
    ) -> tuple[np.ndarray, str]:
        """
        Choose rows of a classified catalogue.

        Parameters
        ----------
        table : `~astropy.table.Table`
            All detections of an exposure, classified.
        name : str
            What warnings call it.
        min_stars : int, optional
            In place of the selection's own.

        Returns
        -------
        kept : (N,) bool `~numpy.ndarray`
            Which rows.
        rule : str
            By which rule.

        Warns
        -----
        AstrosieveWarning
            Where the first rule leaves too few.
        """
        wanted = self.min_stars if min_stars is None else min_stars
        names = np.asarray(table['class_name'], dtype=str)
        kept = np.isin(names, self.keep)
        n_first = int(kept.sum())
        rule = 'class ' + ' or '.join(self.keep)
        if self.options.operating_point:
            rule += f' at operating point {self.options.operating_point}'
        if n_first >= wanted:
            return kept, rule
        rule_first = rule
        if 'star' in self.keep:
            p_star = np.asarray(table['p_star'], dtype=float)
            for point, threshold in self._lower_points():
                kept |= p_star >= threshold
                rule = f'p_star at operating point {point}'
                if kept.sum() >= wanted:
                    break
        if kept.sum() < wanted:
            kept = self._add_likeliest(table, kept, wanted)
            rule = 'highest ' + ' + '.join(f'p_{each}' for each in self._known())
        if kept.sum() > n_first:
            what = f'{n_first} rows pass ({rule_first}), fewer than {wanted}: '
            what += f'{int(kept.sum())} are kept by {rule}'
        else:
            rule = rule_first
            what = f'{n_first} rows of {len(table)} detections pass, fewer than '
            what += f'{wanted}, and no other can be added'
        warnings.warn(f'{name}: {what}', AstrosieveWarning, stacklevel=3)
        return kept, rule

    def _lower_points(self) -> list[tuple[str, float]]:
        """Return operating points below the one in use, the highest first."""
        card = self.card
        points = {n: card.threshold(n, 'p_star') for n in card.operating_points}
        name = self.options.operating_point
        start = points[name] if name else np.inf
        return sorted(
            ((n, t) for n, t in points.items() if t < start), key=lambda item: -item[1]
        )

    def _known(self) -> list[str]:
        return [name for name in self.keep if name in self.card.classes]

    def _add_likeliest(self, table: Table, kept: np.ndarray, wanted: int) -> np.ndarray:
        score = np.sum(
            [np.asarray(table[f'p_{name}'], dtype=float) for name in self._known()],
            axis=0,
        )
        score = np.where(np.isfinite(score) & ~kept, score, -1.0)
        order = np.argsort(-score, kind='stable')
        order = order[score[order] >= 0][: wanted - int(kept.sum())]
        kept = kept.copy()
        kept[order] = True
        return kept


def make_selection(
    keep: Sequence[str] = ('star',),
    *,
    operating_point: str | None = 'balanced',
    model: str | Model = 'source',
    min_stars: int = MIN_STARS,
    **options: Any,
) -> Selection:
    """
    Return a selection, its parameters checked and its model loaded.

    Parameters
    ----------
    keep : sequence of str, optional
        Classes.
    operating_point : str or None, optional
        Named threshold on ``p_star``.
    model : str or `~astrosieve.models.registry.Model`, optional
        Name, path, or a loaded model.
    min_stars : int, optional
        Fewest rows of an exposure.
    **options
        Further fields of `~astrosieve.source.exposures.ClassifyOptions`. By default
        ``saturated`` is False: the middle of a group of saturated pixels, in which the
        finder sees no peak, is known to some tenths of a pixel, a star to hundredths.

    Returns
    -------
    selection : `Selection`

    Raises
    ------
    ModelError
        If the model is not known, or lacks the operating point or a class.
    ValueError
        If ``min_stars`` is negative or ``keep`` names nothing.
    """
    loaded = load_model(model, task='source')
    names = (keep,) if isinstance(keep, str) else tuple(keep)
    unknown = [name for name in names if name not in loaded.card.classes]
    if unknown or not names:
        msg = (
            f'keep must name classes of {loaded.card.name}, '
            f'{", ".join(loaded.card.classes)}; got {keep!r}'
        )
        raise ModelError(msg)
    if min_stars < 0:
        msg = f'min_stars must be 0 or more; got {min_stars}'
        raise ValueError(msg)
    if operating_point:
        loaded.card.threshold(operating_point, 'p_star')
    return Selection(
        ClassifyOptions(
            model=loaded,
            operating_point=operating_point,
            **{'saturated': False, **options},
        ),
        names,
        min_stars,
    )
