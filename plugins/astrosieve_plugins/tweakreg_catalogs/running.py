"""TweakReg without a window, in a folder of its own, and what it found."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve.exceptions import (
    AstrosieveError,
    AstrosieveWarning,
    ExposureError,
)
from astrosieve.images.exposures import root_name
from astrosieve_plugins.tweakreg_catalogs.hosts import host

__all__ = ['Alignment', 'alignment_table', 'failed_alignment', 'run_tweakreg']

_SHIFTS = 'shifts.txt'
_LEFT_BEHIND = ('*_catalog.coo', '*.match', _SHIFTS)  # of a run before
_HEADLESS: dict[str, Any] = {
    'interactive': False,
    'see2dplot': False,
    'residplot': 'No plot',
    'runfile': '',
    'writecat': True,
    'clean': False,
    'shiftfile': True,
    'outshifts': _SHIFTS,
    'outwcs': 'shifts_wcs.fits',
    'headerlet': False,
    'updatewcs': False,
}
_CATALOG_COLUMNS = {'xcol': 1, 'ycol': 2, 'fluxcol': 3, 'xyunits': 'pixels'}
_FIT_COLUMNS = (
    'x_frame_ref', 'y_frame_ref', 'x_frame', 'y_frame', 'x_fit', 'y_fit', 'dx', 'dy',
    'x_ref', 'y_ref', 'x', 'y', 'ref_id', 'id', 'extver',
)  # fmt: skip


@dataclass(frozen=True)
class Alignment:
    """
    What TweakReg found for one exposure.

    Parameters
    ----------
    name : str
        The file, as it was given to TweakReg.
    status : {'reference', 'aligned', 'failed'}
        Whether it was aligned.
    n_sources : tuple of int
        Rows of its catalogue, by chip.
    shift : tuple of float
        In x and y, pixels of the reference frame.
    rotation : float
        Degrees, -180 to 180.
    scale : float
        1 for none.
    rms : tuple of float
        Of the residuals in x and y, pixels: XRMS, YRMS.
    matches : `~astropy.table.Table`
        Matches that the fit rests on: ``x``, ``y`` and ``x_ref``, ``y_ref``
        (pixels of the chips, 1-based), ``extver``, ``id`` and ``ref_id`` (row in the
        catalogue of all chips, from 0), ``dx``, ``dy`` (residuals),
        ``x_frame``, ``y_frame`` (reference frame, about its centre).
    """

    name: str
    status: str
    n_sources: tuple[int, ...]
    shift: tuple[float, float]
    rotation: float
    scale: float
    rms: tuple[float, float]
    matches: Table

    @property
    def n_matches(self) -> int:
        """Matches that the fit rests on."""
        return len(self.matches)


@contextlib.contextmanager
def _quiet(folder: Path) -> Iterator[io.StringIO]:
    """Work in a folder; what is printed or logged is returned, not shown."""
    log = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.addHandler(logging.StreamHandler(log))
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(log),
            contextlib.redirect_stderr(log),
        ):
            yield log
    finally:
        root.handlers = handlers
        root.setLevel(level)


def run_tweakreg(
    files: Sequence[str],
    folder: str | Path,
    *,
    catfile: str | None = None,
    **options: Any,
) -> tuple[list[Alignment], str]:
    """
    Run TweakReg without a window, and read what it found.

    Parameters
    ----------
    files : sequence of str
        Exposures, as names within the folder.
    folder : path-like
        Where TweakReg works and leaves its files; not one of yours.
    catfile : str, optional
        List as from `write_catalogs`; without it TweakReg searches itself.
    **options
        Parameters of ``drizzlepac.tweakreg.TweakReg``.

    Returns
    -------
    alignments : list of `Alignment`
        One for each file, in order.
    log : str
        What TweakReg printed.

    Raises
    ------
    ExposureError
        If a file is not in the folder.
    AstrosieveError
        If drizzlepac is not installed, or TweakReg gives up.
    """
    tweakreg = host('drizzlepac.tweakreg')
    folder = Path(folder)
    missing = [name for name in files if not (folder / name).is_file()]
    if missing:
        msg = f'{folder / missing[0]}: no such file'
        raise ExposureError(msg)
    for pattern in _LEFT_BEHIND:
        for old in folder.glob(pattern):
            old.unlink()
    given = {**options, **_HEADLESS}
    if catfile is not None:
        given |= {'catfile': catfile, **_CATALOG_COLUMNS}
    problem: BaseException | None = None
    with _quiet(folder) as log, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('ignore')
        warnings.simplefilter('always', AstrosieveWarning)
        try:
            tweakreg.TweakReg(list(files), **given)
        except (Exception, SystemExit) as error:
            problem = error
        if problem is not None:
            traceback.clear_frames(problem.__traceback__)
        gc.collect()  # it leaves files open, which Python would complain about later
    for warning in caught:  # those of the filter, which the log would have hidden
        warnings.warn(warning.message, stacklevel=2)
    text = log.getvalue()
    if isinstance(problem, AstrosieveError):
        raise problem  # of the filter
    if problem is not None:
        reason = ' '.join(str(problem).split()) or type(problem).__name__
        said = _last_words(text)
        msg = f'TweakReg gave up: {reason}' + (
            f' (it last said: {said})' if said else ''
        )
        raise AstrosieveError(msg) from problem
    return _read_alignments(files, folder), text


def _last_words(log: str) -> str:
    """Return the last line of a log that says something."""
    lines = [' '.join(line.split()) for line in log.splitlines()]
    said = [line for line in lines if any(c.isalpha() for c in line)]
    said = [line for line in said if 'trailer file' not in line.lower()]
    return said[-1] if said else ''


def _read_alignments(files: Sequence[str], folder: Path) -> list[Alignment]:
    shifts: dict[str, list[float]] = {}
    path = folder / _SHIFTS
    if path.is_file():
        for line in path.read_text(encoding='utf-8').splitlines():
            words = line.split()
            if line.strip() and not line.startswith('#'):
                shifts[words[0]] = [float(word) for word in words[1:]]
    return [_read_alignment(name, shifts.get(name), folder) for name in files]


def _read_alignment(name: str, row: Sequence[float] | None, folder: Path) -> Alignment:
    stem = Path(name).stem
    counts: list[int] = []
    while (path := folder / f'{stem}_sci{len(counts) + 1}_xy_catalog.coo').is_file():
        lines = path.read_text(encoding='utf-8').splitlines()
        counts.append(sum(1 for line in lines if line and not line.startswith('#')))
    matches = _read_matches(folder / f'{stem}_catalog_fit.match')
    if row is None or not np.isfinite(row[:2]).all():
        return failed_alignment(name, tuple(counts))
    dx, dy, rotation, scale, xrms, yrms = row
    status = 'aligned' if len(matches) else 'reference'
    return Alignment(
        name,
        status,
        tuple(counts),
        (dx, dy),
        (rotation + 180) % 360 - 180,
        scale,
        (xrms, yrms),
        matches,
    )


def failed_alignment(name: str, n_sources: tuple[int, ...] = ()) -> Alignment:
    """Return the alignment of an exposure that could not be aligned."""
    nan = float('nan')
    none = _as_matches([])
    return Alignment(name, 'failed', n_sources, (nan, nan), nan, nan, (nan, nan), none)


def _read_matches(path: Path) -> Table:
    """Return the matches of a fit, empty where there was none."""
    rows: list[list[float]] = []
    if path.is_file():
        for line in path.read_text(encoding='utf-8').splitlines():
            if line.strip() and not line.startswith('#'):
                rows.append([float(w) for w in line.split()[: len(_FIT_COLUMNS)]])
    return _as_matches(rows)


def _as_matches(rows: list[list[float]]) -> Table:
    values = np.array(rows, dtype=float).reshape(-1, len(_FIT_COLUMNS))
    table = Table(list(values.T), names=_FIT_COLUMNS)
    for name in ('ref_id', 'id', 'extver'):
        table[name] = table[name].astype(int)
    return table


def alignment_table(
    stages: Mapping[str, Sequence[Alignment]], labels: Mapping[str, str] | None = None
) -> Table:
    """
    Return alignments as a table, a row for each exposure and stage.

    Parameters
    ----------
    stages : dict
        Alignments by the name of the stage, for instance before and after.
    labels : dict of str to str, optional
        What to call the files.

    Returns
    -------
    table : `~astropy.table.Table`
        ``exposure``, ``stage``, ``status``, ``sources``, ``matches``, ``dx``,
        ``dy``, ``rotation``, ``scale``, ``xrms``, ``yrms``.
    """
    rows = []
    for number in range(max((len(each) for each in stages.values()), default=0)):
        for stage, alignments in stages.items():
            if number >= len(alignments):
                continue
            one = alignments[number]
            rows.append(
                (
                    (labels or {}).get(one.name, root_name(one.name)),
                    stage,
                    one.status,
                    sum(one.n_sources),
                    one.n_matches,
                    *one.shift,
                    one.rotation,
                    one.scale,
                    *one.rms,
                )
            )
    names = (
        'exposure', 'stage', 'status', 'sources', 'matches', 'dx', 'dy', 'rotation',
        'scale', 'xrms', 'yrms',
    )  # fmt: skip
    kinds = ('U64', 'U16', 'U16', int, int, *[float] * 6)
    table = Table(rows=rows or None, names=names, dtype=kinds)
    for name in ('dx', 'dy', 'xrms', 'yrms'):
        table[name].format = '.3f'
    table['rotation'].format = '.4f'
    table['scale'].format = '.6f'
    return table
