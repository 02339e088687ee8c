"""The scores of all stamps of an object, combined."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.table import Table

from astrosieve.exceptions import CatalogError
from astrosieve.tables.catalogs import read_catalog
from astrosieve.transient.classes import REAL
from astrosieve.transient.flags import STAMP_FLAGS
from astrosieve.transient.score import Scorer

__all__ = ['combined', 'objects_of', 'read_objects']

_CORRELATION = 0.7  # that of simulated objects, by their cross-entropy
_LEAST = 1e-3  # a probability that one stamp alone cannot undercut
_TINY = 1e-30
_IDS = ('id', 'candid', 'diaSourceId')
_OBJECTS = ('object', 'oid', 'objectId', 'diaObjectId')


def read_objects(path: Path) -> dict[str, str]:
    """
    Read of which object each candidate is a detection.

    Parameters
    ----------
    path : `~pathlib.Path`
        Table with ``id`` and ``object``, or what surveys call them.

    Raises
    ------
    CatalogError
        If the table cannot be read, or lacks the columns.
    """
    table = read_catalog(path)
    found = [
        next((name for name in names if name in table.colnames), None)
        for names in (_IDS, _OBJECTS)
    ]
    if None in found:
        msg = f'{path}: wanted are the columns id and object; it has {table.colnames}'
        raise CatalogError(msg)
    ids, objects = (map(str, table[name]) for name in found)
    return dict(zip(ids, objects, strict=True))


def objects_of(table: Table, known: Mapping[str, str]) -> list[str]:
    """Return the object of each row: as the table has it, else as is known by id."""
    own = table['object'] if 'object' in table.colnames else [''] * len(table)
    return [
        str(a) or known.get(str(b), '') for a, b in zip(own, table['id'], strict=True)
    ]


def combined(
    table: Table,
    scorer: Scorer,
    known: Mapping[str, str] | None = None,
    *,
    correlation: float | None = None,
) -> Table:
    """
    Combine the scores of each object's stamps.

    Stamps of one object share its host, its template and its neighbours, so they are
    no independent witnesses. The log-likelihoods of n stamps count as those of
    n / (1 + (n - 1) c) independent ones: with c = 0.7 two stamps as 1.2, many as
    1.4. Of several, none makes a class less likely than 1 in 1000.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As `~astrosieve.transient.score.score_table` makes it.
    scorer : `~astrosieve.transient.score.Scorer`
        The network that has scored it.
    known : mapping of str to str, optional
        The objects of candidates, by their ids, where the table does not say them.
    correlation : float, optional
        c; else ``correlation`` of the card's options, else 0.7.

    Returns
    -------
    objects : `~astropy.table.Table`
        A row for each object, in the order of their first stamps: ``object``; ``n``,
        its stamps, and ``n_scored``, those that count, duplicates being left out;
        ``mjd_first`` and ``mjd_last``, where dates are known; ``p_real``,
        ``class_name``, ``p_<class>``. A candidate without an object is one of its own,
        and has its id.
    """
    names = [
        own or str(row['id'])
        for own, row in zip(objects_of(table, known or {}), table, strict=True)
    ]
    objects = list(dict.fromkeys(names))
    number = {name: k for k, name in enumerate(objects)}
    rows = np.array([number[name] for name in names], dtype=int)
    classes = scorer.card.classes
    prior = np.array([scorer.card.class_prior[name] for name in classes])
    p = np.stack([np.asarray(table[f'p_{name}'], float) for name in classes], axis=1)
    counts = ~np.isnan(p).any(axis=1)
    counts &= ~STAMP_FLAGS.any_set(table['flags'], 'duplicate')
    n = np.bincount(rows, minlength=len(objects))
    n_scored = np.bincount(rows[counts], minlength=len(objects))
    evidence = np.zeros((len(objects), len(classes)))
    least = np.where(n_scored[rows[counts], None] > 1, _LEAST, _TINY)
    likelihood = np.log(np.maximum(p[counts], least)) - np.log(prior)
    np.add.at(evidence, rows[counts], likelihood)
    own = scorer.card.options.get('correlation', _CORRELATION)
    c = float(own if correlation is None else correlation)
    evidence /= (1 + np.maximum(n_scored - 1, 0) * c)[:, None]
    evidence += np.log(prior)
    together = np.exp(evidence - evidence.max(axis=1, keepdims=True, initial=-np.inf))
    together /= together.sum(axis=1, keepdims=True)
    together[n_scored == 0] = np.nan
    p_real = together[:, scorer.real].sum(axis=1).clip(max=1).astype(np.float32)
    found = Table(
        {'object': np.array(objects, dtype=str), 'n': n, 'n_scored': n_scored}
    )
    if 'mjd' in table.colnames:
        for name, first in (('mjd_first', np.fmin), ('mjd_last', np.fmax)):
            dates = np.full(len(objects), np.nan)
            first.at(dates, rows, np.asarray(table['mjd'], float))
            found[name] = dates
    found[f'p_{REAL}'] = p_real
    found['class_name'] = np.array(scorer.names(together, p_real), dtype=str)
    for k, name in enumerate(classes):
        if name != REAL:
            found[f'p_{name}'] = together[:, k].astype(np.float32)
    found.meta.update(table.meta)
    return found
