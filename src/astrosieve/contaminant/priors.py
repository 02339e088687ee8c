"""Expected shares of classes, as observers know them."""

from __future__ import annotations

from collections.abc import Mapping

import astropy.units as u

from astrosieve.images.units import plain_number
from astrosieve.models.cards import ModelCard

__all__ = ['DEFECTS', 'Prior', 'expected_shares']

DEFECTS = 'defects'
"""Stands for all defects of the detector, which share it as the model's do."""

_DEFECTS = ('hot_pixel', 'bad_pixel', 'hot_column', 'bad_column', 'bad_row')

Prior = Mapping[str, float | u.Quantity]


def expected_shares(
    prior: Prior, card: ModelCard, exptime: float | u.Quantity | None = None
) -> dict[str, float]:
    """
    Return the shares of pixels that classes are expected to hold.

    Parameters
    ----------
    prior : dict of str to float or `~astropy.units.Quantity`
        By class, or 'defects' for the share of the pixels that are defects of the
        detector, which its classes have in the proportions of the card. A rate, such
        as ``2e-5 / u.s`` for cosmic rays, is multiplied by the exposure time.
    card : `~astrosieve.models.cards.ModelCard`
        Of the model.
    exptime : float or `~astropy.units.Quantity`, optional
        Exposure time, seconds.

    Returns
    -------
    shares : dict of str to float

    Raises
    ------
    ValueError
        If the model has no such class, a share is not between 0 and 1, or there is a
        rate and no exposure time.
    """
    seconds = plain_number('exptime', exptime)
    shares = {
        name: _share(name, value, seconds)
        for name, value in prior.items()
        if name != DEFECTS
    }
    if DEFECTS in prior:
        total = _share(DEFECTS, prior[DEFECTS], seconds)
        own = {
            name: card.class_prior[name] for name in card.classes if name in _DEFECTS
        }
        if not own:
            msg = f'prior names {DEFECTS}; model {card.name} has no class of them'
            raise ValueError(msg)
        if not 0 < total < 1:
            msg = f'prior of {DEFECTS} must be a share between 0 and 1; got {total}'
            raise ValueError(msg)
        whole = sum(own.values())
        split = {name: total * share / whole for name, share in own.items()}
        shares = {**split, **shares}
    card.complete_prior(shares)
    return shares


def _share(name: str, value: float | u.Quantity, seconds: float | None) -> float:
    """Return a share of pixels, of a rate that after the exposure time."""
    if not isinstance(value, u.Quantity):
        return float(value)
    if value.unit.is_equivalent(u.one):
        return float(value.to_value(u.one))
    if not value.unit.is_equivalent(1 / u.s):
        msg = f'prior of {name} is in {value.unit}; give a share, or a share per second'
        raise ValueError(msg)
    if seconds is None:
        msg = (
            f'prior of {name} is a rate, and the exposure time is not known. '
            'Give exptime='
        )
        raise ValueError(msg)
    return float(value.to_value(1 / u.s)) * seconds
