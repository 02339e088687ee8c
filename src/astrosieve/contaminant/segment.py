"""Images in, a map of each class out."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, pairwise, product, starmap
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike

from astrosieve import __version__
from astrosieve.contaminant.display import map_html
from astrosieve.contaminant.flags import Rules
from astrosieve.contaminant.preprocessing import get_preprocessing
from astrosieve.contaminant.priors import Prior, expected_shares
from astrosieve.contaminant.surroundings import Fitted, stated_by
from astrosieve.contaminant.surroundings.cells import Cells, clipped_logits
from astrosieve.contaminant.verdict.judge import Verdict, verdict_of
from astrosieve.exceptions import AstrosieveWarning
from astrosieve.images.dq import DQMeaning
from astrosieve.images.measured import MeasuredImage
from astrosieve.images.tiles import cut_axis
from astrosieve.models.calibration import reweight, sigmoid
from astrosieve.models.registry import Model, load_model

__all__ = [
    'NOTHING_USABLE',
    'Contaminants',
    'Part',
    'segment_contaminants',
    'segment_image',
    'segment_parts',
]

NOTHING_USABLE = 'no pixel of the image is usable; nothing is said of any'
"""What is warned of then."""

_STEP = 32  # what tiles begin at and end at multiples of
_TILE = 1056  # pixels along the longest side of a tile
_OVERLAP = 192  # pixels that tiles share, where the card does not say
_AT_ONCE = 2  # tiles: bounds the memory
_ROWS = 128  # that surroundings are settled in at a time: the same
_SMALLEST = np.finfo(np.float16).smallest_normal  # smaller ones take long to convert

_Piece = tuple[tuple[slice, slice], tuple[slice, slice]]
"""Rows of a tile and those of it that count, and the same of columns."""


@dataclass(frozen=True, eq=False)
class Part:
    """
    What is said of some rows of an image.

    Parameters
    ----------
    rows : slice
        Which.
    probabilities : (C, ny, nx) float16 `~numpy.ndarray`
        Of each class of the model; NaN where a pixel is not usable, 0 below 6e-5.
    mask : (ny, nx) integer `~numpy.ndarray`
        Bits of the classes that hold, each at its own threshold.
    """

    rows: slice
    probabilities: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class Contaminants:
    """
    The map of an image.

    Parameters
    ----------
    probabilities : (C, ny, nx) float16 `~numpy.ndarray`
        Of each class in each pixel; they need not sum to one, since several may hold.
        NaN where a pixel is not usable, 0 below 6e-5.
    mask : (ny, nx) integer `~numpy.ndarray`
        Bits of the classes that hold, each at its own threshold, see ``bits``.
    classes : tuple of str
        Names of the planes.
    bits : dict of str to int
        Value of each class's bit.
    thresholds : dict of str to float
        At which probability a class holds.
    meta : dict
        Model, hash, version, prior.
    image : `~astrosieve.images.measured.MeasuredImage` or None
        What was mapped.
    said : `~astrosieve.contaminant.Verdict` or None
        On the whole image, where it is there already.
    """

    probabilities: np.ndarray
    mask: np.ndarray
    classes: tuple[str, ...]
    bits: dict[str, int]
    thresholds: dict[str, float]
    meta: dict[str, Any] = field(default_factory=dict)
    image: MeasuredImage | None = None
    said: Verdict | None = None

    @cached_property
    def verdict(self) -> Verdict | None:
        """
        Whether tracking or focus failed in the whole image.

        Judged when it is asked for. None for a map of a file that does not say.
        """
        if self.said is not None or self.image is None:
            return self.said
        return verdict_of(self.image)

    def __repr__(self) -> str:
        ny, nx = self.mask.shape
        return f'<Contaminants {len(self.classes)} classes, {ny}x{nx} pixels>'

    def _repr_html_(self) -> str:
        return map_html(
            self.mask,
            self.bits,
            self.thresholds,
            image=None if self.image is None else self.image.sci,
            model=self.meta.get('model', ''),
        )

    def probability(self, name: str) -> np.ndarray:
        """Return the probability of a class, (ny, nx)."""
        self._check(name)
        plane: np.ndarray = self.probabilities[self.classes.index(name)]
        return plane

    def where(self, *names: str) -> np.ndarray:
        """Return in which pixels one of some classes holds, (ny, nx) bool."""
        for name in names:
            self._check(name)
        wanted = sum({self.bits[name] for name in names})
        found: np.ndarray = (self.mask & self.mask.dtype.type(wanted)) != 0
        return found

    def _check(self, name: str) -> None:
        if name not in self.classes:
            msg = f'no class {name!r}; there are {", ".join(self.classes)}'
            raise ValueError(msg)


def segment_contaminants(
    data: ArrayLike | u.Quantity,
    *,
    mask: ArrayLike | None = None,
    dq: ArrayLike | None = None,
    unit: str | u.UnitBase | None = None,
    gain: float | u.Quantity | None = None,
    exptime: float | u.Quantity | None = None,
    model: str | Path | Model = 'contaminant',
    prior: Prior | None = None,
    dq_bits: DQMeaning | None = None,
) -> Contaminants:
    """
    Tell for each pixel what spoils it, or lights it.

    Parameters
    ----------
    data : 2D array_like, Quantity, `~astropy.nddata.NDData` or CCDData
        Pixels, of any size, in any linear unit, with or without sky and bias. Those
        that are NaN, infinite or masked in a masked array are not usable: of them
        nothing is said, and they change nothing of the others.
    mask : 2D bool array_like, optional
        `True` excludes a pixel.
    dq : 2D int array_like, optional
        DQ flags; pixels that carry no signal are not usable.
    unit, gain : optional
        Unit of the pixels, and electrons per DN. They are checked, and change nothing:
        a network sees the image in units of its own noise.
    exptime : float or `~astropy.units.Quantity`, optional
        Exposure time, seconds; needed where ``prior`` holds a rate.
    model : str, path-like or `~astrosieve.models.registry.Model`, optional
        The model.
    prior : dict of str to float or Quantity, optional
        Share of the pixels that a class is expected to hold, or its rate, see
        `~astrosieve.contaminant.priors.expected_shares`. The odds of the probabilities
        are multiplied by those of the prior over those of the training.
    dq_bits : `~astrosieve.images.dq.DQMeaning`, optional
        Meaning of the DQ bits; by default that of ACS and WFC3/UVIS.

    Returns
    -------
    contaminants : `Contaminants`
        ``probabilities`` (C, ny, nx), ``mask``, the bits of the classes that hold at
        their own thresholds, ``classes``, and ``verdict``, on the whole image.

    Raises
    ------
    ModelError
        If there is no such model, or it states no thresholds.
    TypeError, ValueError
        If an array is no 2D image or not of the image's shape, a number not positive,
        or the prior names no class of the model.

    Warns
    -----
    AstrosieveWarning
        If no pixel is usable.

    References
    ----------
    Paillassa, M., Bertin, E. & Bouy, H. 2020, A&A 634, A48 (arXiv:1907.08298).
    """
    loaded = load_model(model, task='contaminant')
    card = loaded.card
    shares = expected_shares(prior, card, exptime) if prior else {}
    image = MeasuredImage.of(
        data, mask=mask, dq=dq, unit=unit, gain=gain, exptime=exptime, dq_bits=dq_bits
    )
    found = segment_image(image, loaded, shares)
    if not image.usable:
        warnings.warn(NOTHING_USABLE, AstrosieveWarning, stacklevel=2)
    return found


def segment_image(
    image: MeasuredImage,
    model: Model,
    shares: dict[str, float] | None = None,
    *,
    on_part: Callable[[float], None] | None = None,
) -> Contaminants:
    """
    Map an image that is measured already.

    Parameters
    ----------
    image : `~astrosieve.images.measured.MeasuredImage`
        The image.
    model : `~astrosieve.models.registry.Model`
        The model.
    shares : dict of str to float, optional
        Expected shares of classes.
    on_part : callable, optional
        Called with the share of the image that is done; what it raises ends the rest.

    Returns
    -------
    contaminants : `Contaminants`

    Raises
    ------
    ValueError
        If the image has no pixels.
    """
    card, shape = model.card, image.sci.shape
    if 0 in shape:
        msg = f'the image has no pixels; its shape is {shape}'
        raise ValueError(msg)
    rules = Rules(card)
    probabilities = np.empty((len(card.classes), *shape), np.float16)
    mask = np.empty(shape, rules.kind)
    for part in segment_parts(image, model, shares):
        probabilities[:, part.rows] = part.probabilities
        mask[part.rows] = part.mask
        if on_part is not None:
            on_part(part.rows.stop / shape[0])
    meta = {
        'model': f'{card.name} {card.version}',
        'hash': card.sha256,
        'version': __version__,
        'prior': dict(shares or {}),
    }
    return Contaminants(
        probabilities, mask, card.classes, rules.bits, rules.thresholds, meta, image
    )


def segment_parts(
    image: MeasuredImage,
    model: Model,
    shares: dict[str, float] | None = None,
    *,
    tile: int = _TILE,
) -> Iterator[Part]:
    """
    Map an image, some rows after the other, so that the memory is bounded.

    Parameters
    ----------
    image : `~astrosieve.images.measured.MeasuredImage`
        The image.
    model : `~astrosieve.models.registry.Model`
        The model.
    shares : dict of str to float, optional
        Expected shares of classes.
    tile : int, optional
        Longest side of the tiles that a network is given, pixels, a multiple of 32;
        changes nothing but time and memory.

    Yields
    ------
    part : `Part`
        From the first row to the last.
    """
    card = model.card
    prepare = get_preprocessing(card.preprocessing)
    rules = Rules(card)
    overlap = int(card.options.get('overlap', _OVERLAP))
    ny, nx = image.sci.shape
    bands, columns = (
        cut_axis(n, size=max(tile, overlap + _STEP), overlap=overlap, step=_STEP)
        for n in (ny, nx)
    )
    levels = prepare.levels(image)
    about = stated_by(card)
    numbers = [number for each in about for number in each.numbers]

    def said(piece: _Piece) -> tuple[np.ndarray, ...]:
        (band, rows), (box, part) = piece
        planes = prepare.planes(levels, (band, box))[None]
        probabilities = model.predict({'image': planes})
        y, x = (
            slice(each.start - whole.start, each.stop - whole.start)
            for each, whole in ((rows, band), (part, box))
        )
        logits = clipped_logits(probabilities[0, numbers, y, x]).astype(np.float16)
        if shares:
            probabilities = card.for_prior(probabilities, shares)
        mask = rules.mask(probabilities[0])[y, x]
        return _halved(probabilities[0, :, y, x]), mask, logits

    maps = _at_once(said, product(bands, columns))

    def mapped(rows: slice) -> tuple[Part, np.ndarray]:
        height = rows.stop - rows.start
        probabilities = np.empty((len(card.classes), height, nx), np.float16)
        mask = np.empty((height, nx), rules.kind)
        logits = np.empty((len(numbers), height, nx), np.float16)
        some = islice(maps, len(columns))
        for (_, part), found in zip(columns, some, strict=True):
            planes = (probabilities[:, :, part], mask[:, part], logits[:, :, part])
            for plane, values in zip(planes, found, strict=True):
                plane[:] = values
        return Part(rows, probabilities, mask), logits

    def without_spoilt(part: Part) -> Part:
        if image.spoilt is not None:
            lost = image.spoilt[part.rows] != 0
            part.probabilities[:, lost] = np.nan
            part.mask[lost] = 0
        return part

    # No name holds a part while the next is made: of a wide image each is large.
    parts = map(mapped, (rows for _, rows in bands))
    settled = _with_surroundings(parts, about, (ny, nx), rules, shares)
    yield from map(without_spoilt, settled)


def _with_surroundings(
    parts: Iterable[tuple[Part, np.ndarray]],
    about: Sequence[Fitted],
    shape: tuple[int, int],
    rules: Rules,
    shares: dict[str, float] | None,
) -> Iterator[Part]:
    """
    Yield parts in which surroundings count, each when what is around it is there.

    Parameters
    ----------
    parts : iterable of (`Part`, `~numpy.ndarray`)
        Each with the network's logits of the classes whose surroundings count.
    about : sequence of `~astrosieve.contaminant.surroundings.Fitted`
        What the model states, each of classes of its own.
    shape : (int, int)
        Of the image.
    rules : `~astrosieve.contaminant.flags.Rules`
        Of the model.
    shares : dict of str to float or None
        Expected shares of classes.
    """
    card = rules.card
    factors = card.prior_factors(shares) if shares else {}
    ends = np.cumsum([0, *(len(each.numbers) for each in about)])
    kinds: list[tuple[Fitted, Cells, slice]] = [
        (each, each.cells(shape), slice(first, end))
        for each, (first, end) in zip(about, pairwise(ends), strict=True)
    ]

    def by_rows(part: Part) -> Iterator[tuple[Fitted, Cells, slice, slice, slice]]:
        firsts = range(0, len(part.mask), _ROWS)
        for (kind, cells, planes), first in product(kinds, firsts):
            some = slice(first, min(first + _ROWS, len(part.mask)))
            rows = slice(part.rows.start + first, part.rows.start + some.stop)
            yield kind, cells, planes, some, rows

    def settle(part: Part, logits: np.ndarray) -> None:
        for kind, cells, planes, some, rows in by_rows(part):
            names = [card.classes[number] for number in kind.numbers]
            p = kind.settled(logits[planes, some], cells, rows)
            if factors:
                p = reweight(p[None], names, factors=factors, exclusive=False)[0]
            part.probabilities[kind.numbers, some] = _halved(p)
            for name, plane in zip(names, p, strict=True):
                rules.restate(part.mask[some], name, plane)

    def needed(rows: slice) -> int:
        return max([rows.stop, *(kind.needed(cells, rows) for kind, cells, _ in kinds)])

    waiting: deque[tuple[Part, np.ndarray]] = deque()

    def seen(part: Part, logits: np.ndarray) -> int:
        for _, cells, planes, some, rows in by_rows(part):
            cells.add(rows.start, sigmoid(logits[None, planes, some])[0])
        waiting.append((part, logits))
        return part.rows.stop

    for stop in starmap(seen, parts):
        while waiting and needed(waiting[0][0].rows) <= stop:
            settle(*waiting[0])
            yield waiting.popleft()[0]


def _halved(p: np.ndarray) -> np.ndarray:
    """Return probabilities in 16 bits, without those that take long to convert."""
    return (p * (p >= _SMALLEST)).astype(np.float16)


def _at_once(
    work: Callable[[_Piece], tuple[np.ndarray, ...]], pieces: Iterable[_Piece]
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the maps of pieces in their order, a few being made at a time."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        waiting: deque[Future[tuple[np.ndarray, ...]]] = deque()
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) == _AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
