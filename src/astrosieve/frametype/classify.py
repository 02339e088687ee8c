"""Frames in, types out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.frametype.classes import UNKNOWN
from astrosieve.frametype.frames import (
    Frame,
    FrameError,
    as_frame,
    check_whole,
    read_frames,
)
from astrosieve.frametype.headers import header_type
from astrosieve.frametype.preprocessing import FLIPS, get_preprocessing
from astrosieve.images.measured import HandedOver
from astrosieve.models.registry import Model, load_model

__all__ = ['TypedFrame', 'classify_file', 'classify_frame', 'decide']

_MAJORITY = 0.75
"""Share of the flips that must agree."""


@dataclass(frozen=True)
class TypedFrame:
    """
    What a frame is.

    Parameters
    ----------
    frame_type : str
        A class, or 'unknown'.
    probabilities : dict of str to float
        Of each class, the mean of the four flips.
    votes : dict of str to int
        How many of the four flips say each class.
    header_type : str
        What the header says; empty where it does not.
    extension : str
        Of the file; empty for a whole file, or an array.
    thumbnail : 2D `~numpy.ndarray` or None
        Pixels, few.
    reason : str
        Why an image of several could not be typed; it is then 'unknown', its
        probabilities NaN.
    """

    frame_type: str
    probabilities: dict[str, float]
    votes: dict[str, int]
    header_type: str = ''
    extension: str = ''
    thumbnail: np.ndarray | None = None
    reason: str = ''

    @property
    def agrees(self) -> bool:
        """Whether the header says the same, or nothing, or the frame has no type."""
        return bool(self.reason) or self.header_type in ('', self.frame_type)


def decide(
    probabilities: np.ndarray, classes: Sequence[str], *, least: float = 1.0
) -> tuple[str, dict[str, int]]:
    """
    Let flips vote.

    Parameters
    ----------
    probabilities : (N, C) `~numpy.ndarray`
        Of the flips.
    classes : sequence of str
        The C classes.
    least : float, optional
        Probability of 'unknown' from which a flip votes so, though another is likelier.

    Returns
    -------
    frame_type : str
        What three quarters agree on; else 'unknown'.
    votes : dict of str to int
        Votes for each class.
    """
    winners = probabilities.argmax(axis=1)
    if UNKNOWN in classes:
        none = list(classes).index(UNKNOWN)
        winners[probabilities[:, none] >= least] = none
    counts = np.bincount(winners, minlength=len(classes))
    votes = dict(zip(classes, counts.tolist(), strict=True))
    first = max(votes, key=lambda name: votes[name])
    agreed = votes[first] >= _MAJORITY * len(probabilities)
    return (first if agreed else UNKNOWN), votes


def _thumbnail(pixels: np.ndarray, size: int = 192) -> np.ndarray:
    steps = [max(-(-each // size), 1) for each in pixels.shape]
    return pixels[:: steps[0], :: steps[1]].copy()


def _scored(pixels: np.ndarray, model: Model) -> np.ndarray:
    """Return the probabilities of the four flips, (4, C)."""
    prepare = get_preprocessing(model.card.preprocessing)
    inputs = prepare(pixels)
    flips = [prepare.flip(inputs, y, x) for y, x in FLIPS]
    batch = {name: np.stack([each[name] for each in flips]) for name in inputs}
    return model.predict(batch)


def classify_frame(
    data: Any,
    header: Mapping[str, Any] | None = None,
    model: str | Path | Model = 'frametype',
) -> TypedFrame:
    """
    Tell what kind of spectral frame an image is.

    Parameters
    ----------
    data : 2D array_like, `~astropy.units.Quantity` or `~astropy.nddata.NDData`
        Raw pixels, in any unit. Of `~astropy.nddata.CCDData` and masked arrays the mask
        counts too.
    header : mapping, optional
        FITS header; it changes nothing but ``header_type``. That of the data where it
        is not given.
    model : str, path-like or `~astrosieve.models.registry.Model`, optional
        The model.

    Returns
    -------
    frame : `TypedFrame`

    Raises
    ------
    FrameError
        If the data are no frame.
    ModelError
        If there is no such model.
    """
    model = load_model(model, task='frametype')
    prepare = get_preprocessing(model.card.preprocessing)
    try:
        handed = HandedOver.of(data)
    except TypeError as error:
        raise FrameError(str(error)) from error
    header = getattr(data, 'meta', None) if header is None else header
    pixels = _plain(handed.data, handed.mask)
    return _typed(as_frame(pixels, prepare.max_pixels), header, model)


def _plain(data: Any, mask: Any) -> np.ndarray:
    """Return the numbers of data; what is masked is NaN."""
    mask = getattr(data, 'mask', None) if mask is None else mask
    values = np.asarray(data)
    if mask is None or not np.any(mask):
        return values
    if np.shape(mask) != values.shape:
        msg = f'the mask is {np.shape(mask)}, the data are {values.shape}'
        raise FrameError(msg)
    return np.where(mask, np.nan, values)


def _typed(
    pixels: np.ndarray,
    header: Mapping[str, Any] | None,
    model: Model,
    extension: str = '',
) -> TypedFrame:
    check_whole(pixels)
    p = _scored(pixels, model)
    classes = model.card.classes
    least = model.card.options.get('least_unknown', 1.0)
    frame_type, votes = decide(p, classes, least=least)
    means = dict(zip(classes, p.mean(axis=0).tolist(), strict=True))
    said = header_type(header)
    return TypedFrame(frame_type, means, votes, said, extension, _thumbnail(pixels))


def classify_file(
    path: str | Path, model: str | Path | Model = 'frametype'
) -> list[TypedFrame]:
    """
    Tell what a file holds.

    Parameters
    ----------
    path : path-like
        FITS file.
    model : str, path-like or `~astrosieve.models.registry.Model`, optional
        The model.

    Returns
    -------
    frames : list of `TypedFrame`
        The whole file; of several extensions each of them after it. A whole is what
        three quarters of the votes of its extensions say. Of several, one that is no
        frame says why.

    Raises
    ------
    FrameError
        If the file cannot be read, or none of its images is a frame.
    """
    model = load_model(model, task='frametype')
    prepare = get_preprocessing(model.card.preprocessing)
    frames = [
        _typed_or_not(frame, model) for frame in read_frames(path, prepare.max_pixels)
    ]
    if all(each.reason for each in frames):
        others = ', as its other images' if len(frames) > 1 else ''
        msg = f'{path}: {frames[0].reason}{others}'
        raise FrameError(msg)
    if len(frames) == 1:
        only = frames[0]
        return [
            TypedFrame(
                only.frame_type, only.probabilities, only.votes, only.header_type,
                thumbnail=only.thumbnail,
            )
        ]  # fmt: skip
    return [_together([each for each in frames if not each.reason]), *frames]


def _typed_or_not(frame: Frame, model: Model) -> TypedFrame:
    """Return the type of an image, or what stands for one that is no frame."""
    problem = frame.problem
    if frame.pixels is not None:
        try:
            return _typed(frame.pixels, frame.header, model, frame.extension)
        except FrameError as error:
            problem = str(error)
    classes = model.card.classes
    return TypedFrame(
        UNKNOWN,
        dict.fromkeys(classes, float('nan')),
        dict.fromkeys(classes, 0),
        header_type(frame.header),
        frame.extension,
        reason=problem,
    )


def _together(frames: Sequence[TypedFrame]) -> TypedFrame:
    names = list(frames[0].votes)
    votes = {name: sum(each.votes[name] for each in frames) for name in names}
    means = {
        name: float(np.mean([each.probabilities[name] for each in frames]))
        for name in names
    }
    first = max(votes, key=lambda name: votes[name])
    agreed = votes[first] >= _MAJORITY * sum(votes.values())
    return TypedFrame(
        first if agreed else UNKNOWN,
        means,
        votes,
        next(_said(frames), ''),
        thumbnail=frames[0].thumbnail,
    )


def _said(frames: Sequence[TypedFrame]) -> Iterator[str]:
    return (each.header_type for each in frames if each.header_type)
