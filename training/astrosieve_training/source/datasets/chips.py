"""The detections of an image, and what networks and baselines see of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from astrosieve.images.exposures import Chip
from astrosieve.images.measured import MeasuredImage
from astrosieve.source.finders import detect, kernel_width
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.preprocessing import fit_image, get_preprocessing
from astrosieve.tables.catalogs import positions
from astrosieve_training.source.config import FinderConfig

__all__ = ['Measure', 'baseline_columns', 'find_sources', 'network_inputs']

Measure = Callable[[np.ndarray, np.ndarray, float, Any], Table]
"""Called with an image without its sky, positions, a FWHM in pixels, and the chip."""


def find_sources(image: MeasuredImage, finders: Sequence[FinderConfig]) -> Table:
    """Return ``x``, ``y``, ``finder`` of all that finders find in an image."""
    found = [np.empty((0, 2))]
    names: list[str] = []
    for finder in finders:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', AstropyUserWarning)
            table = detect(image, finder.name, nsigma=finder.nsigma)
        if table is not None and len(table):
            found.append(positions(table))
            names += [finder.label] * len(table)
    xy = np.concatenate(found)
    return Table({'x': xy[:, 0], 'y': xy[:, 1], 'finder': np.array(names, 'U16')})


def network_inputs(
    image: MeasuredImage, xy: np.ndarray, preprocessing: str
) -> dict[str, np.ndarray]:
    """
    Return what a network sees of positions in an image, and rows about it.

    Keys that begin with 'input_' are inputs, with 'row_' columns.
    """
    fitted = fit_image(get_preprocessing(preprocessing), image)
    batch = fitted(xy)
    arrays = {f'input_{key}': value for key, value in batch.inputs.items()}
    arrays['row_valid'] = batch.valid
    arrays['row_edge'] = CLASS_FLAGS.any_set(batch.flags, 'edge')
    arrays['row_fill'] = np.full(len(xy), fitted.fill['cutouts'], dtype=np.float32)
    return arrays


def baseline_columns(
    image: MeasuredImage, chip: Chip, xy: np.ndarray, measure: Measure
) -> dict[str, np.ndarray]:
    """Return the columns that baselines need of positions in the image of a chip."""
    data = image.sci - np.float32(image.background.level)
    if image.spoilt is not None:
        data[image.spoilt != 0] = 0
    columns = measure(data, xy, kernel_width(image), chip)
    return {f'row_{name}': np.asarray(columns[name]) for name in columns.colnames}
