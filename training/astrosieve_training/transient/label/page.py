"""The page on which people say what candidates are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from astrosieve.pages import encoded, grey_png, page_text, save_page
from astrosieve.transient.candidates import Candidate, stacked
from astrosieve.transient.preprocessing import measure_levels
from astrosieve_training.versions import digest

__all__ = ['write_page']

_SIDE = 63  # pixels along a side of what is shown
_DARK, _BRIGHT = -1.5, 4.0  # arcsinh of half the signal over noise: black, white
_GREY = 110  # of pixels without a value


def write_page(
    path: Path,
    candidates: Sequence[Candidate],
    *,
    p_real: np.ndarray | None = None,
    labels: Mapping[str, str] | None = None,
    number: int | None = None,
    overwrite: bool = False,
) -> int:
    """
    Write a contact sheet of candidates, which saves labels.

    Parameters
    ----------
    path : `~pathlib.Path`
        HTML file, which needs no network.
    candidates : sequence of `~astrosieve.transient.candidates.Candidate`
        What is to be labelled; those without stamps are left out.
    p_real : (N,) `~numpy.ndarray`, optional
        Probabilities; the most doubtful candidates come first.
    labels : mapping of str to str, optional
        Labels by id that the page begins with.
    number : int, optional
        Candidates at most.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Returns
    -------
    n : int
        Candidates on the page.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    p = np.full(len(candidates), np.nan) if p_real is None else np.asarray(p_real)
    doubt = np.nan_to_num(np.abs(p - 0.5), nan=-1.0)
    order = [
        int(k)
        for k in np.argsort(doubt, kind='stable')
        if candidates[k].planes is not None
    ][:number]
    shown = [candidates[k] for k in order]
    ids = [each.id for each in shown]
    known = {name: label for name, label in (labels or {}).items() if name in set(ids)}
    data = {
        'key': digest(ids),
        'side': _SIDE,
        'candidates': [
            {
                'id': each.id,
                'p': None if np.isnan(p[k]) else round(float(p[k]), 3),
                'image': 'data:image/png;base64,' + encoded(grey_png(_strip(each))),
            }
            for k, each in zip(order, shown, strict=True)
        ],
        'labels': known,
    }
    text = page_text(__package__, title=f'{len(shown)} candidates', data=data)
    save_page(text, path, overwrite=overwrite)
    return len(shown)


def _strip(candidate: Candidate) -> np.ndarray:
    """Return the three planes of a candidate side by side, as grey levels."""
    stamps = stacked([candidate])
    levels = measure_levels(stamps)
    signal = np.arcsinh(levels.signal(stamps.planes)[0] / 2)
    grey = 255 * np.clip((signal - _DARK) / (_BRIGHT - _DARK), 0, 1)
    grey[~levels.usable[0]] = _GREY
    strip = np.full((_SIDE, 3 * _SIDE + 4), 255, np.uint8)
    ny, nx = grey.shape[1:]
    top, left = ny // 2 - _SIDE // 2, nx // 2 - _SIDE // 2
    for number, plane in enumerate(grey):
        cut = plane[max(top, 0) : top + _SIDE, max(left, 0) : left + _SIDE]
        y, x = max(-top, 0), max(-left, 0) + number * (_SIDE + 2)
        strip[y : y + cut.shape[0], x : x + cut.shape[1]] = np.rint(cut)
    return strip
