"""
Work that runs off the GUI thread: read, detect, classify, load, explain.

Nothing here knows of widgets. Each piece of work takes a `Job`, through which it says
what it does and learns whether it is still wanted.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from astrosieve.exceptions import (
    AstrosieveError,
    AstrosieveWarning,
    CatalogError,
    ExposureError,
)
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.units import PixelUnit, parse_unit
from astrosieve.models.registry import Model, list_models, load_model
from astrosieve.source.explain import Explanation, explain_source
from astrosieve.source.exposures import ClassifyOptions, classify_chip
from astrosieve.source.labels import LABEL_FORMAT
from astrosieve.tables.catalogs import positions, read_catalog

__all__ = [
    'CancelledError',
    'Job',
    'Result',
    'Target',
    'classify',
    'describe',
    'explain',
    'load',
    'target_of',
]

_MOST_OUTSIDE = 0.01  # share of positions beyond the image that is still a coincidence
_MOST_OFF = 3.0  # pixels that the sky of a catalogue may be off the image's
_SAMPLE = 997  # of so many pixels one is compared with the file's

# Python's filters of warnings belong to all threads: one piece of work at a time.
_ONE_AT_A_TIME = threading.Lock()


class CancelledError(Exception):
    """The work is not wanted any more."""


@dataclass
class Job:
    """
    A piece of work that can be watched and cancelled.

    Parameters
    ----------
    report : callable
        Called with a share done (0 to 1) and what is being done.
    """

    report: Callable[[float, str], None]
    texts: list[str] = field(default_factory=list)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask for the work to end."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether the work was asked to end."""
        return self._cancelled.is_set()

    def step(self, share: float, text: str) -> None:
        """Say what is being done; end where the work is cancelled."""
        if self.cancelled:
            raise CancelledError
        self.report(share, text)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait for other work to end; collect warnings in ``texts``."""
        if not _ONE_AT_A_TIME.acquire(blocking=False):
            self.step(0, 'waiting for another channel')
            while not _ONE_AT_A_TIME.acquire(timeout=0.1):
                self.step(0, 'waiting for another channel')
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter('ignore')
                warnings.simplefilter('always', AstrosieveWarning)
                yield
            self.texts += dict.fromkeys(str(warning.message) for warning in caught)
        finally:
            _ONE_AT_A_TIME.release()


@dataclass(frozen=True)
class Target:
    """
    What a channel shows.

    Parameters
    ----------
    key : tuple
        Tells images apart, and chips and planes of one file.
    name : str
        For messages and files: the file's name, else the image's.
    data : 2D `~numpy.ndarray`
        The pixels shown.
    header : dict
        Header of the HDU.
    path : `~pathlib.Path` or None
        File, if the pixels are one of its HDUs.
    ext : str or None
        That HDU, for `~astrosieve.images.exposures.read_chips`.
    """

    key: tuple
    name: str
    data: np.ndarray
    header: dict[str, Any]
    path: Path | None = None
    ext: str | None = None


@dataclass
class Result:
    """
    A classified catalogue and what it was made from.

    Parameters
    ----------
    key : tuple
        Of the `Target`.
    table : `~astropy.table.Table`
        The catalogue.
    options : `~astrosieve.source.exposures.ClassifyOptions`
        With the model loaded.
    chip : `~astrosieve.images.exposures.Chip` or None
        Pixels, while they are at hand.
    extver : int
        Version of the extension.
    """

    key: tuple
    table: Table
    options: ClassifyOptions
    chip: Chip | None
    extver: int


class _WatchedModel(Model):
    """A model that looks at each run whether it is still wanted."""

    def __init__(self, model: Model, watch: Callable[[], None]) -> None:
        self.__dict__.update(model.__dict__)
        self._watch = watch

    def predict(self, inputs: dict[str, np.ndarray], **options: Any) -> np.ndarray:
        self._watch()
        return super().predict(inputs, **options)


def target_of(image: Any) -> Target:
    """
    Say what an image of ginga's is.

    Parameters
    ----------
    image : `ginga.BaseImage.BaseImage` or None
        What a channel shows.

    Returns
    -------
    target : `Target`

    Raises
    ------
    ExposureError
        If there is nothing that can be classified in it.
    """
    if image is None or not hasattr(image, 'get_data'):
        msg = 'no image: open one in this channel first'
        raise ExposureError(msg)
    data = image.get_data()
    if data is None or 0 in data.shape:
        msg = 'the image has no pixels'
        raise ExposureError(msg)
    if data.ndim != 2:
        what = 'an RGB image' if data.ndim == 3 else f'an image of {data.ndim} axes'
        msg = f'this is {what}; only images of one value per pixel are classified'
        raise ExposureError(msg)
    if data.dtype.kind not in 'iufb':
        msg = f'the pixels are {data.dtype}, not real numbers'
        raise ExposureError(msg)
    header = {}
    if hasattr(image, 'get_header'):
        cards = image.get_header()
        header = {key: cards[key] for key in cards.keys()}  # noqa: SIM118 (no dict)
    planes = tuple(int(n) for n in getattr(image, 'naxispath', ()))
    path = image.get('path', None)
    number = image.get('idx', None)
    if not path or not Path(path).is_file():
        name = str(image.get('name', None) or 'image')
        return Target((name, id(image), planes), name, data, header)
    path = Path(path)
    extname = str(header.get('EXTNAME', '') or '').strip().upper()
    extver = _extver(header)
    if extname:
        ext = f'{extname},{extver}'
    elif isinstance(number, int):
        ext = str(number)
    else:
        ext = '0'
    key = (str(path), ext, planes)
    if planes:
        return Target(key, path.name, data, header)
    return Target(key, path.name, data, header, path, ext)


def _extver(header: dict[str, Any]) -> int:
    value = header.get('EXTVER')
    return value if isinstance(value, int) and value > 0 else 1


def _positive(header: dict[str, Any], *keys: str) -> float | None:
    for key in keys:
        value = header.get(key)
        if isinstance(value, (int, float)) and np.isfinite(value) and value > 0:
            return float(value)
    return None


def _unit(header: dict[str, Any]) -> PixelUnit | None:
    try:
        return parse_unit(header.get('BUNIT'))
    except ValueError:
        return None


def _shown_chip(target: Target) -> Chip:
    """Return the pixels that are shown, without ERR and DQ."""
    return Chip(
        sci=np.ascontiguousarray(target.data, dtype=np.float32),
        path=Path(target.name),
        extname=str(target.header.get('EXTNAME', '') or 'PRIMARY'),
        extver=_extver(target.header),
        unit=_unit(target.header),
        gain=_positive(target.header, 'CCDGAIN', 'GAIN'),
        exptime=_positive(target.header, 'EXPTIME'),
        header=fits.Header(),
    )


def _same_pixels(shown: np.ndarray, read: np.ndarray) -> bool:
    if shown.shape != read.shape:
        return False
    some = slice(None, None, _SAMPLE)
    values = np.asarray(shown).ravel()[some].astype(np.float32)
    return bool(np.allclose(values, read.ravel()[some], rtol=1e-5, equal_nan=True))


def _chip_of(target: Target, job: Job) -> Chip:
    """Read the chip that a channel shows, with ERR and DQ where the file has them."""
    if target.path is None:
        job.texts.append('pixels as shown, without ERR and DQ')
        return _shown_chip(target)
    (chip,) = read_chips(target.path, target.ext)
    if not _same_pixels(target.data, chip.sci):
        job.texts.append("the pixels shown are not the file's: without ERR and DQ")
        return _shown_chip(target)
    return chip


def _with_model(options: ClassifyOptions) -> ClassifyOptions:
    if isinstance(options.model, Model):
        return options
    return replace(options, model=load_model(options.model))


def classify(
    target: Target, options: ClassifyOptions, job: Job, *, all_chips: bool = False
) -> list[Result]:
    """
    Detect and classify what a channel shows.

    Parameters
    ----------
    target : `Target`
        What is shown.
    options : `~astrosieve.source.exposures.ClassifyOptions`
        How.
    job : `Job`
        Watches.
    all_chips : bool, optional
        Whether to do all SCI extensions of the file.

    Returns
    -------
    results : list of `Result`
        That of what is shown first.

    Raises
    ------
    AstrosieveError
        If it cannot be done.
    CancelledError
        If it is not wanted any more.
    """
    with job.alone():
        job.step(0.02, f'reading {target.name}')
        options = _with_model(options)
        chips = [_chip_of(target, job)]
        if all_chips and target.path is not None and chips[0].extname == 'SCI':
            others = list(read_chips(target.path))
            chips += [chip for chip in others if chip.extver != chips[0].extver]
        results = []
        for number, chip in enumerate(chips):
            key = target.key
            if number:
                key = (target.key[0], f'{chip.extname},{chip.extver}', ())
            results.append(_classify_chip(chip, options, key, job, number, len(chips)))
        job.step(1.0, 'done')
        return results


def _classify_chip(
    chip: Chip, options: ClassifyOptions, key: tuple, job: Job, number: int, total: int
) -> Result:
    of = f' ({number + 1} of {total})' if total > 1 else ''
    start = (number + 0.05) / total

    def watch() -> None:
        job.step(start + 0.6 / total, f'{chip.name}: classifying{of}')

    job.step(start, f'{chip.name}: detecting{of}')
    model = options.model
    if not isinstance(model, Model):
        msg = f'the model {model!r} is not loaded'
        raise TypeError(msg)
    watched = replace(options, model=_WatchedModel(model, watch))
    table = classify_chip(chip, watched)
    table['id'] = np.arange(1, len(table) + 1)
    return Result(key, table, options, chip, chip.extver)


def load(path: str | Path, target: Target, options: ClassifyOptions, job: Job) -> Any:
    """
    Read a catalogue for the image that a channel shows, or labels.

    Parameters
    ----------
    path : path-like
        Catalogue of ``astrosieve classify`` or of the plugin, or labels.
    target : `Target`
        What is shown.
    options : `~astrosieve.source.exposures.ClassifyOptions`
        How to explain its rows; the catalogue's own model is preferred.
    job : `Job`
        Watches.

    Returns
    -------
    result : `Result` or `~astropy.table.Table`
        A table if the file holds labels.

    Raises
    ------
    CatalogError
        If the file is no such catalogue, or one of another image.
    """
    with job.alone():
        job.step(0.1, f'reading {Path(path).name}')
        table = read_catalog(path)
        if table.meta.get('format') == LABEL_FORMAT:
            return table
        if 'class_name' not in table.colnames:
            msg = (
                f'{path}: no column class_name. Classify it first: '
                'astrosieve classify IMAGE --catalog FILE'
            )
            raise CatalogError(msg)
        chip = _chip_of(target, job)
        job.step(0.6, 'comparing catalogue and image')
        table = _rows_of_chip(table, chip, path)
        _check_same_image(table, chip, path)
        if 'id' not in table.colnames:
            table.add_column(np.arange(1, len(table) + 1), name='id', index=0)
        name = str(table.meta.get('model', '')).partition(' ')[0]
        if name in list_models():
            options = replace(options, model=name)
        job.step(1.0, 'done')
        return Result(target.key, table, _with_model(options), chip, chip.extver)


def _rows_of_chip(table: Table, chip: Chip, path: str | Path) -> Table:
    """Return the rows that belong to a chip."""
    if 'extver' not in table.colnames or not len(table):
        return table
    extver = np.asarray(table['extver'])
    mine = table[extver == chip.extver]
    if not len(mine):
        known = ', '.join(str(n) for n in np.unique(extver))
        msg = f'{path}: no row is of extver {chip.extver}; it has {known}'
        raise CatalogError(msg)
    return mine


def _check_same_image(table: Table, chip: Chip, path: str | Path) -> None:
    """Refuse a catalogue whose positions are not in the image, or not in its sky."""
    xy = positions(table, columns=('x_centroid', 'y_centroid'))
    xy = xy[np.isfinite(xy).all(axis=1)]
    ny, nx = chip.sci.shape
    inside = ((xy > -0.5) & (xy < (nx - 0.5, ny - 0.5))).all(axis=1)
    outside = int((~inside).sum())
    if outside > _MOST_OUTSIDE * len(xy):
        msg = (
            f'{path}: {outside} of {len(xy)} positions are outside of this image of '
            f'{nx}x{ny} pixels: a catalogue of another image'
        )
        raise CatalogError(msg)
    sky = table['sky_centroid'] if 'sky_centroid' in table.colnames else None
    if not isinstance(sky, SkyCoord) or chip.wcs is None:
        return
    x, y = positions(table, columns=('x_centroid', 'y_centroid')).T
    here = chip.wcs.pixel_to_world(x, y)
    pixel = np.sqrt(chip.wcs.proj_plane_pixel_area().to_value('arcsec2'))
    off = here.separation(sky).to_value('arcsec') / pixel
    off = off[np.isfinite(off)]
    if len(off) and np.median(off) > _MOST_OFF:
        msg = (
            f'{path}: its sky positions are {np.median(off):.3g} pixels off those of '
            'this image: a catalogue of another image'
        )
        raise CatalogError(msg)


def explain(
    result: Result, target: Target, position: tuple[float, float], job: Job
) -> Explanation:
    """
    Explain the class of a detection.

    Parameters
    ----------
    result : `Result`
        Where it comes from.
    target : `Target`
        What is shown.
    position : tuple of float
        ``(x, y)``, pixels, 0-based.
    job : `Job`
        Watches.

    Returns
    -------
    explanation : `~astrosieve.source.explain.Explanation`

    Raises
    ------
    CatalogError
        If the detection could not be scored.
    """
    with job.alone():
        job.step(0.1, 'explaining')
        if result.chip is None:
            result.chip = _chip_of(target, job)
        chip, options = result.chip, result.options
        job.step(0.3, 'explaining')
        return explain_source(
            chip.sci,
            position,
            mask=chip.mask,
            dq=chip.dq,
            unit=parse_unit(options.unit) if options.unit else chip.unit,
            model=options.model,
            dq_bits=chip.dq_meaning,
            gain=options.gain or chip.gain,
            exptime=options.exptime or chip.exptime,
            fwhm=result.table.meta.get('fwhm'),
            operating_point=options.operating_point,
            prior=options.prior,
            cosmic_ray_hint=options.cosmic_ray_hint,
        )


def describe(error: Exception) -> str:
    """Return an error as one line for people."""
    text = ' '.join(str(error).split()) or type(error).__name__
    if isinstance(error, AstrosieveError):
        return text
    if isinstance(error, MemoryError):
        return f'not enough memory ({text}); close other images'
    return text if isinstance(error, ValueError) else f'{type(error).__name__}: {text}'
