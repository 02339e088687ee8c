"""Stamps in, probabilities of real out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike

from astrosieve import __version__
from astrosieve.machine import threads
from astrosieve.models.registry import Model, load_model
from astrosieve.transient.candidates import Candidate, Order, as_planes, stacked
from astrosieve.transient.classes import REAL, is_real
from astrosieve.transient.errors import StampError
from astrosieve.transient.flags import STAMP_FLAGS
from astrosieve.transient.preprocessing import get_preprocessing

__all__ = ['CHUNK', 'Scored', 'Scorer', 'score_table', 'score_transients']

CHUNK = 1024
"""Candidates that are held in memory at once."""

_PIECE = 64  # candidates whose planes stay in the cache
_DEFAULT_POINT = 'balanced'
_EVEN = 0.5
_SAID_OTHERWISE = STAMP_FLAGS.value('unreadable', 'moved')


@dataclass(frozen=True, eq=False)
class Scored:
    """
    What a network says of candidates.

    Parameters
    ----------
    candidates : sequence of `~astrosieve.transient.candidates.Candidate`
        N candidates, without their stamps.
    p : (N, C) float32 `~numpy.ndarray`
        Probabilities of the classes of the card; NaN where nothing could be scored.
    p_real : (N,) float32 `~numpy.ndarray`
        The sum over those that are real.
    class_name : list of str
        'real', or the artefact's name; empty where nothing could be scored.
    flags : (N,) int32 `~numpy.ndarray`
        Bits of `~astrosieve.transient.flags.STAMP_FLAGS`.
    """

    candidates: Sequence[Candidate]
    p: np.ndarray
    p_real: np.ndarray
    class_name: list[str]
    flags: np.ndarray

    def reason(self, k: int) -> str:
        """Return what is wrong with a candidate's stamps; empty where nothing is."""
        names = STAMP_FLAGS.decode(self.flags[k] & ~_SAID_OTHERWISE)
        return '; '.join(filter(None, [self.candidates[k].problem, *names]))


class Scorer:
    """
    A network that scores candidates.

    Parameters
    ----------
    model : str, path-like or `~astrosieve.models.registry.Model`
        The network.
    operating_point : str, optional
        Where real begins; else 'balanced', where the card has it, else a half.
    prior : dict of str to float, optional
        Expected share of classes; 'real' is that of all its kinds.

    Raises
    ------
    ModelError
        If there is no such model or operating point.
    ValueError
        If ``prior`` names a class that the model lacks, or its shares do not fit.
    """

    def __init__(
        self,
        model: str | Path | Model = 'transient',
        *,
        operating_point: str | None = None,
        prior: Mapping[str, float] | None = None,
    ) -> None:
        self.model = load_model(model, task='transient')
        self.card = self.model.card
        self.real = np.array(is_real(self.card.classes))
        self.artefacts = [
            name
            for name, real in zip(self.card.classes, self.real, strict=True)
            if not real
        ]
        self.prior = self._prior(prior or {})
        point = operating_point
        if point is None and _DEFAULT_POINT in self.card.operating_points:
            point = _DEFAULT_POINT
        on = f'p_{REAL}'
        self.threshold = _EVEN if point is None else self.card.threshold(point, on)
        self._prepare = get_preprocessing(self.card.preprocessing)

    def _prior(self, prior: Mapping[str, float]) -> dict[str, float]:
        """Return expected shares of classes; that of real is its kinds' together."""
        own, expected = self.card.class_prior, dict(prior)
        if REAL in expected and REAL not in own:
            share = expected.pop(REAL)
            kinds = [n for n, real in zip(own, is_real([*own]), strict=True) if real]
            total = sum(own[name] for name in kinds)
            expected |= {name: share * own[name] / total for name in kinds}
        return self.card.complete_prior(expected) if expected else {}

    def chunks(self, candidates: Iterable[Candidate]) -> Iterator[Scored]:
        """
        Score candidates, some at a time, in their order; tell those seen before.

        Parameters
        ----------
        candidates : iterable of `~astrosieve.transient.candidates.Candidate`
            Candidates of any sizes and kinds.

        Yields
        ------
        scored : `Scored`
        """
        left = iter(candidates)
        seen: set[str] = set()
        while some := list(islice(left, CHUNK)):
            scored = self.score(some)
            for k, each in enumerate(some):
                if each.id in seen:
                    scored.flags[k] |= STAMP_FLAGS.duplicate
                seen.add(each.id)
            yield scored

    def score(self, candidates: Sequence[Candidate]) -> Scored:
        """Score candidates, all at once."""
        n = len(candidates)
        p = np.full((n, len(self.card.classes)), np.nan, dtype=np.float32)
        flags = np.zeros(n, dtype=np.int32)
        pieces = list(self._pieces(candidates))
        with ThreadPoolExecutor(max(min(threads(), len(pieces)), 1)) as pool:
            scored = pool.map(lambda rows: self._piece(candidates, rows), pieces)
            for rows, (chances, wrong) in zip(pieces, scored, strict=True):
                p[rows], flags[rows] = chances, wrong
        for k, each in enumerate(candidates):
            if each.planes is None:
                flags[k] |= STAMP_FLAGS.unreadable
        p_real = p[:, self.real].sum(axis=1).clip(max=1)
        about = [replace(each, planes=None) for each in candidates]
        return Scored(about, p, p_real, self.names(p, p_real), flags)

    def names(self, p: np.ndarray, p_real: np.ndarray) -> list[str]:
        """Return 'real', or the likeliest artefact; empty where p is NaN."""
        likeliest = np.nan_to_num(p[:, ~self.real]).argmax(axis=1)
        return [
            ''
            if np.isnan(real)
            else REAL
            if real >= self.threshold
            else self.artefacts[k]
            for real, k in zip(p_real, likeliest, strict=True)
        ]

    def meta(self) -> dict[str, Any]:
        """Return what tables say of the network."""
        return {
            'model': f'{self.card.name} {self.card.version}',
            'hash': self.card.sha256,
            'version': __version__,
            'threshold': self.threshold,
        }

    @staticmethod
    def _pieces(candidates: Sequence[Candidate]) -> Iterator[list[int]]:
        """Yield rows of candidates whose stamps are of one size and kind."""
        alike: dict[Any, list[int]] = {}
        for k, each in enumerate(candidates):
            if each.planes is not None:
                form = (each.planes.shape, each.kind, each.white)
                alike.setdefault(form, []).append(k)
        for rows in alike.values():
            for first in range(0, len(rows), _PIECE):
                yield rows[first : first + _PIECE]

    def _piece(
        self, candidates: Sequence[Candidate], rows: list[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities and flags of candidates of one form."""
        batch = self._prepare(stacked([candidates[k] for k in rows]))
        valid, inputs = batch.valid, batch.inputs
        p = np.full((len(rows), len(self.card.classes)), np.nan, dtype=np.float32)
        if valid.any():
            if not valid.all():
                inputs = {name: each[valid] for name, each in inputs.items()}
            p[valid] = self.model.predict(inputs)
            if self.prior:
                p[valid] = self.card.for_prior(p[valid], self.prior)
        return p, batch.flags


def score_table(parts: Sequence[Scored], scorer: Scorer) -> Table:
    """
    Return what was scored as a table.

    Parameters
    ----------
    parts : sequence of `Scored`
        In order.
    scorer : `Scorer`
        The network.

    Returns
    -------
    table : `~astropy.table.Table`
        A row for each candidate: ``id``; ``object`` and ``mjd``, where they are known;
        ``p_real``; ``class_name``; ``p_<class>`` of the classes of the network;
        ``flags``, of `~astrosieve.transient.flags.STAMP_FLAGS`; ``reason``.
    """
    classes = scorer.card.classes
    candidates = [each for part in parts for each in part.candidates]
    table = Table({'id': np.array([each.id for each in candidates], dtype=str)})
    if any(each.object for each in candidates):
        table['object'] = [each.object for each in candidates]
    if any(np.isfinite(each.mjd) for each in candidates):
        table['mjd'] = [each.mjd for each in candidates]
    p = np.concatenate([each.p for each in parts] or [np.empty((0, len(classes)))])
    table[f'p_{REAL}'] = _joined([each.p_real for each in parts], np.float32)
    table['class_name'] = np.array(
        [name for part in parts for name in part.class_name], dtype=str
    )
    for k, name in enumerate(classes):
        if name != REAL:
            table[f'p_{name}'] = p[:, k].astype(np.float32)
    table['flags'] = _joined([each.flags for each in parts], np.int32)
    table['reason'] = np.array(
        [part.reason(k) for part in parts for k in range(len(part.candidates))],
        dtype=str,
    )
    table.meta.update(scorer.meta())
    return table


def _joined(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([*arrays, np.empty(0, dtype)]).astype(dtype)


def score_transients(
    stamps: ArrayLike | Sequence[ArrayLike],
    bands: Sequence[str] | str | None = None,
    model: str | Path | Model = 'transient',
    *,
    id: Sequence[Any] | None = None,
    fwhm: ArrayLike | None = None,
    operating_point: str | None = None,
    prior: Mapping[str, float] | None = None,
) -> Table:
    """
    Tell real candidates of difference images from bogus ones.

    Parameters
    ----------
    stamps : (N, 3, ny, nx) or (N, ny, nx, 3) array_like, or a sequence of such stamps
        Science, template and difference of each candidate, or differences in three
        bands, in any unit, the candidate at the centre. NaN and masked pixels do not
        count; a plane that is missing is NaN. Those of a sequence may differ in size.
    bands : sequence of str or str, optional
        What the planes are: 'science', 'template', 'difference' in another order, or
        three bands, as 'gri'.
    model : str, path-like or `~astrosieve.models.registry.Model`, optional
        The network.
    id : sequence, optional
        Names of the candidates; else their numbers from 0.
    fwhm : float or (N,) array_like, optional
        FWHM of the PSF, pixels; else it is measured, where a star is bright enough.
    operating_point : str, optional
        Where real begins; else 'balanced', where the card has it.
    prior : dict of str to float, optional
        Expected share of some or all classes; 'real' is that of all its kinds.

    Returns
    -------
    table : `~astropy.table.Table`
        A row for each candidate, see `score_table`. What cannot be scored has NaN
        probabilities, an empty ``class_name``, and a ``reason``.

    Raises
    ------
    ModelError
        If there is no such model or operating point.
    TypeError, ValueError
        If these are no stamps, or there are more or fewer names than stamps.
    """
    order = Order.of(bands)
    scorer = Scorer(model, operating_point=operating_point, prior=prior)
    rows = list(_rows(stamps, order))
    n = len(rows)
    names = [str(each) for each in (range(n) if id is None else id)]
    widths = np.broadcast_to(np.asarray(np.nan if fwhm is None else fwhm, float), (n,))
    if len(names) != n:
        msg = f'id must name each of the {n} candidates; got {len(names)}'
        raise ValueError(msg)
    candidates = (
        Candidate(name, planes, order.kind, fwhm=float(width), problem=problem)
        for name, (planes, problem), width in zip(names, rows, widths, strict=True)
    )
    return score_table(list(scorer.chunks(candidates)), scorer)


def _rows(stamps: Any, order: Order) -> Iterator[tuple[np.ndarray | None, str]]:
    """Yield the planes of each candidate, or None and why there are none."""
    if isinstance(stamps, (str, bytes, os.PathLike)):
        msg = (
            'stamps must be arrays, not the name of a file: read it with '
            'astrosieve.transient.read_candidates'
        )
        raise TypeError(msg)
    if not isinstance(stamps, np.ndarray):
        parts = [np.ma.asanyarray(each) for each in stamps]
        if len({each.shape for each in parts}) != 1:
            for each in parts:
                yield _one(each, order)
            return
        stamps = np.ma.stack(parts)
    try:
        planes = as_planes(stamps, order)
    except StampError as error:
        raise ValueError(str(error)) from error
    for each in planes[None] if planes.ndim == 3 else planes:
        yield each, ''


def _one(stamps: np.ndarray, order: Order) -> tuple[np.ndarray | None, str]:
    try:
        planes = as_planes(stamps, order)
    except StampError as error:
        return None, str(error)
    if planes.ndim != 3:
        return None, f'stamps of one candidate have three axes; got {planes.ndim}'
    return planes, ''
