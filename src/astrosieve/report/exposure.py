"""The page of an exposure."""

from __future__ import annotations

import json
import platform
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from astrosieve import __version__
from astrosieve.classes import UNSCORED, words
from astrosieve.commands.console import listened
from astrosieve.contaminant.classes import CLASSES as PIXEL_CLASSES
from astrosieve.contaminant.flags import bits_of
from astrosieve.contaminant.plotting import OPACITY
from astrosieve.contaminant.segment import segment_parts
from astrosieve.contaminant.verdict.judge import Verdict, verdict_of, worst_of
from astrosieve.exceptions import AstrosieveWarning
from astrosieve.images.exposures import Chip, read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.images.mosaic import arrange
from astrosieve.models.registry import Model, load_model, sha256_of
from astrosieve.pages import page_text
from astrosieve.pages.overlay import IMAGES, Layer, overlay_data
from astrosieve.pages.thumbnails import thumbnail
from astrosieve.report.psf import psf_facts
from astrosieve.source.classes import CLASSES
from astrosieve.source.exposures import ClassifyOptions, classify_chip
from astrosieve.source.flags import CLASS_FLAGS

__all__ = ['Report', 'ReportOptions', 'exposure_report']

_DOUBTS = 24
_SURE = 0.95  # probability of the likeliest class, from which nothing is doubtful
_LIBRARIES = ('numpy', 'astropy', 'onnxruntime', 'photutils')
_FACTS = (
    ('target', ('TARGNAME', 'OBJECT')),
    ('observed', ('DATE-OBS',)),
    ('programme', ('PROPOSID',)),
)


@dataclass(frozen=True)
class ReportOptions:
    """
    How an exposure is looked at.

    Parameters
    ----------
    classify : `~astrosieve.source.ClassifyOptions`
        How its sources are found and classified.
    map_model : str or `~astrosieve.models.registry.Model` or None
        What maps its spoilt pixels; None leaves the map out.
    """

    classify: ClassifyOptions = field(default_factory=ClassifyOptions)
    map_model: str | Model | None = 'contaminant'

    def loaded(self) -> ReportOptions:
        """Return the same with models that are loaded."""
        model = load_model(self.classify.model, task='source')
        mapping = self.map_model
        return ReportOptions(
            replace(self.classify, model=model),
            None if mapping is None else load_model(mapping, task='contaminant'),
        )


@dataclass(frozen=True)
class Report:
    """
    What a page says.

    Parameters
    ----------
    page : str
        HTML, for `astrosieve.pages.save_page`.
    classes : dict of str to int
        How many detections have each class.
    doubtful : int
        Of how many the likeliest class has a probability below 0.95.
    fwhm : list of float or None
        Width of the PSF of each image, pixels.
    shares : dict of str to float
        Of the pixels, by class of the map; empty where there is none.
    verdict : str
        On the whole exposure; empty where there is no map.
    warnings : tuple of str
        What was warned of.
    """

    page: str
    classes: dict[str, int]
    doubtful: int
    fwhm: list[float | None]
    shares: dict[str, float]
    verdict: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Looked:
    """An image of the exposure, and what was found in it."""

    chip: Chip
    image: MeasuredImage
    table: Table
    mask: np.ndarray | None
    verdict: Verdict | None


def exposure_report(
    path: str | Path,
    options: ReportOptions | None = None,
    *,
    ext: str | Sequence[str] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """
    Look at an exposure, and write a page on it.

    Parameters
    ----------
    path : path-like
        FITS file.
    options : `ReportOptions`, optional
        How.
    ext : str or sequence of str, optional
        As for `~astrosieve.images.read_chips`.
    say : callable, optional
        Told which image is looked at.

    Returns
    -------
    report : `Report`
        The page is one file, which needs no other and no network.

    Raises
    ------
    ExposureError
        If the file cannot be read.
    """
    path, options = Path(path), (options or ReportOptions()).loaded()
    with listened() as heard:
        looked = list(_look(path, options, ext, say))
    said = tuple(dict.fromkeys(heard))
    for text in said:
        warnings.warn(text, AstrosieveWarning, stacklevel=2)
    tables = [each.table for each in looked]
    chips = [each.chip for each in looked]
    names = [str(name) for table in tables for name in table['class_name']]
    counted = Counter(names)
    sure = np.concatenate([_sure(table) for table in tables])
    mapping = options.map_model
    bits = bits_of(mapping.card.classes) if isinstance(mapping, Model) else {}
    shares = _shares(looked, bits)
    verdicts = [each.verdict for each in looked if each.verdict is not None]
    verdict = str(worst_of(verdicts)) if verdicts else ''
    classes = {name: counted[name] for name in CLASSES.ordered(counted)}
    data = overlay_data(
        [chip.sci for chip in chips],
        tables,
        [chip.name for chip in chips],
        arrange([chip.sci.shape for chip in chips], [chip.wcs for chip in chips]),
        classes=CLASSES,
        flags=CLASS_FLAGS,
        layers=_layers(looked, bits, shares),
    )
    doubtful = int((sure < _SURE).sum())
    data['report'] = {
        'facts': _facts(looked, verdict),
        'warnings': said,
        'counts': _counts(looked, classes),
        'flags': _flags(tables),
        'doubtful': doubtful,
        'sure': _SURE,
        'doubts': _doubts(looked),
        'psf': [psf_facts(each.chip.name, each.image, each.table) for each in looked],
        'provenance': _provenance(path, options, looked, verdicts),
    }
    return Report(
        page_text(__package__, title=path.name, data=data, images=IMAGES),
        classes=classes,
        doubtful=doubtful,
        fwhm=[each.image.fwhm for each in looked],
        shares=shares,
        verdict=verdict,
        warnings=said,
    )


def _look(
    path: Path,
    options: ReportOptions,
    ext: str | Sequence[str] | None,
    say: Callable[[str], None],
) -> Any:
    """Yield the images of an exposure with what was found in them."""
    before = 0
    for chip in read_chips(path, ext):
        say(chip.name)
        image = options.classify.measured(chip)
        table = classify_chip(chip, options.classify, image=image)
        table['id'] = np.arange(len(table)) + before + 1
        before += len(table)
        mask, verdict = None, None
        if isinstance(options.map_model, Model):
            parts = segment_parts(image, options.map_model)
            mask = np.concatenate([part.mask for part in parts])
            verdict = verdict_of(image)
            if verdict.failures:
                text = f'{chip.name}: {verdict.warning()}'
                warnings.warn(text, AstrosieveWarning, stacklevel=2)
        yield _Looked(chip, image, table, mask, verdict)


def _probabilities(table: Table) -> tuple[list[str], np.ndarray]:
    """Return the classes of a table, and (N, C) probabilities."""
    names = [name for name in table.colnames if name.startswith('p_')]
    columns = [np.asarray(table[name], float) for name in names]
    return [name.removeprefix('p_') for name in names], np.column_stack(columns)


def _sure(table: Table) -> np.ndarray:
    """Return the probability of the class of each row that has one."""
    best = _probabilities(table)[1].max(axis=1, initial=0)
    return best[np.asarray(table['class_name']) != UNSCORED]


def _doubts(looked: Sequence[_Looked]) -> list[dict[str, Any]]:
    """Return the rows whose class is least sure, and which classes compete for them."""
    found = []
    for number, each in enumerate(looked):
        names, p = _probabilities(each.table)
        scored = np.flatnonzero(np.asarray(each.table['class_name']) != UNSCORED)
        best = p[scored].max(axis=1, initial=0)
        rows = scored[np.argsort(best, kind='stable')][:_DOUBTS]
        found += [(p[row].max(), number, row, names, p[row]) for row in rows]
    found = [each for each in found if each[0] < _SURE]
    found.sort(key=lambda each: each[:3])
    shown = []
    for _, number, index, names, p in found[:_DOUBTS]:
        chip, row = looked[number].chip, looked[number].table[index]
        x, y = float(row['x_centroid']), float(row['y_centroid'])
        ranked = [n for n in np.argsort(-p) if p[n] >= 0.1] or [int(p.argmax())]
        flags = CLASS_FLAGS.decode(row['class_flags'])
        shown.append(
            {
                'id': str(row['id']),
                'class': words(str(row['class_name'])),
                'rivals': [[words(names[n]), float(p[n])] for n in ranked[:3]],
                'flags': [
                    [flag.name, flag.description]
                    for flag in CLASS_FLAGS
                    if flag.name in flags
                ],
                'picture': thumbnail(chip.sci, x, y),
            }
        )
    return shown


def _counts(looked: Sequence[_Looked], classes: dict[str, int]) -> dict[str, Any]:
    """Return how many detections of each class each image has."""
    names = [np.asarray(each.table['class_name'], dtype=str) for each in looked]
    rows = [
        [words(name), *(int((held == name).sum()) for held in names)]
        for name in classes
    ]
    images = [f'{each.chip.extname},{each.chip.extver}' for each in looked]
    return {'images': images, 'rows': rows}


def _flags(tables: Sequence[Table]) -> list[list[Any]]:
    """Return how many rows have each flag."""
    bits = np.concatenate([np.asarray(table['class_flags']) for table in tables])
    counted = [
        [flag.name, int(((bits & flag.value) != 0).sum()), flag.description]
        for flag in CLASS_FLAGS
    ]
    return [each for each in counted if each[1]]


def _shares(looked: Sequence[_Looked], bits: dict[str, int]) -> dict[str, float]:
    """Return which share of the pixels each class of the map holds, where any does."""
    masks = [each.mask for each in looked if each.mask is not None]
    pixels = sum(mask.size for mask in masks)
    held = {
        name: sum(int(np.count_nonzero(mask & bit)) for mask in masks)
        for name, bit in bits.items()
    }
    return {name: n / pixels for name, n in held.items() if n}


def _layers(
    looked: Sequence[_Looked], bits: dict[str, int], shares: dict[str, float]
) -> list[Layer]:
    """Return the map, a layer for each class."""
    return [
        Layer(
            PIXEL_CLASSES.plural(name) if name in PIXEL_CLASSES else words(name),
            PIXEL_CLASSES.marker(name).color,
            [(each.mask & bits[name]) != 0 for each in looked if each.mask is not None],
            f'{100 * share:.2g} %',
            OPACITY.get(name, 0.8),
        )
        for name, share in shares.items()
    ]


def _facts(looked: Sequence[_Looked], verdict: str) -> list[list[str]]:
    """Return what the header says of the exposure, and what is said of the whole."""
    chip, header = looked[0].chip, looked[0].chip.header
    given = [
        ('camera', f'{chip.instrument} {chip.detector}'),
        ('filter', chip.filter_name),
        ('exposure', '' if chip.exptime is None else f'{chip.exptime:g} s'),
        *(
            (name, next((str(header[key]) for key in keys if key in header), ''))
            for name, keys in _FACTS
        ),
        ('images', ', '.join(_size(each) for each in looked)),
        ('verdict', verdict),
    ]
    return [[name, value.strip()] for name, value in given if value.strip()]


def _size(looked: _Looked) -> str:
    ny, nx = looked.chip.sci.shape
    return f'{nx} x {ny}'


def _provenance(
    path: Path,
    options: ReportOptions,
    looked: Sequence[_Looked],
    verdicts: Sequence[Verdict],
) -> list[list[str]]:
    """Return what was looked at, and with what."""
    content = path.read_bytes()
    rows = [
        ['input', f'{path.name}, {len(content)} bytes, SHA-256 {sha256_of(content)}']
    ]
    for name, model in (
        ('classes', options.classify.model),
        ('map', options.map_model),
    ):
        if isinstance(model, Model):
            card = model.card
            rows.append([name, f'{card.name} {card.version}, SHA-256 {card.sha256}'])
    if verdicts:
        meta = verdicts[0].meta
        rows.append(['verdict', f'{meta["model"]}, SHA-256 {meta["hash"]}'])
    for each in looked:
        meta = each.table.meta
        used = json.loads(meta['options'])
        listed = [f'{key} {value}' for key, value in used.items()]
        rows.append([each.chip.name, ', '.join([f'unit {meta["unit"]}', *listed])])
    versions = [f'{name} {version(name)}' for name in _LIBRARIES]
    python = f'Python {platform.python_version()}'
    rows.append(
        ['software', ', '.join([f'astrosieve {__version__}', python, *versions])]
    )
    return rows
