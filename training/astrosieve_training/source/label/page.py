"""
A page on which people look at an embedding, name its clusters and draw regions.

It is one file of HTML that needs no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import ArrayLike

from astrosieve.classes import CONVENTIONS
from astrosieve.pages import encoded, grey_png, page_text, save_page
from astrosieve.source.classes import CLASSES
from astrosieve_training.source.label.names import UNLABELLED
from astrosieve_training.source.label.regions import (
    REGIONS_FORMAT,
    Regions,
    cluster_digest,
    cluster_names,
    embedding_digest,
)
from astrosieve_training.source.label.sheets import GREY_GAMMA, grey_limits
from astrosieve_training.versions import digest

__all__ = ['write_page']

_UNLABELLED_COLOUR = '#59636e'  # darker than the class 'background'
_NAMES = (*CLASSES, UNLABELLED)
_COLOURMAP = 'viridis'
_SHARES = np.linspace(0.12, 1, 64)  # the darkest do not show on the dark plot
_MAGNITUDE_PERCENTILES = (1, 99)


def write_page(
    path: str | Path,
    *,
    embedding: ArrayLike,
    cutouts: np.ndarray,
    magnitudes: ArrayLike,
    clusters: ArrayLike,
    names: Mapping[int, str],
    title: str,
    magnitude_label: str = 'magnitude',
    regions: Regions | None = None,
    overwrite: bool = False,
) -> None:
    """
    Write an embedding as a page to look at, with its cutouts.

    Parameters
    ----------
    path : path-like
        HTML file.
    embedding : (N, 2) array_like
        Positions, kept in single precision; what is not finite is not drawn.
    cutouts : (N, size, size) `~numpy.ndarray`
        Cutouts in [0, 1], kept with 8 bits a pixel.
    magnitudes : (N,) array_like
        Not finite where there is none.
    clusters : (N,) array_like of int
        Number of each point's cluster; -1 is none.
    names : mapping of int to str
        Automatic classes of the clusters; what it lacks is 'unlabelled'.
    title : str
        Of the page.
    magnitude_label : str, optional
        What the magnitudes are.
    regions : `~astrosieve_training.source.label.regions.Regions`, optional
        Names and regions that the page starts with.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    ValueError
        If the shapes do not agree, or there is no point.
    RegionsError
        If ``regions`` do not belong to the embedding.
    OutputError
        If the file cannot be written.
    """
    points = np.asarray(embedding, dtype='<f4')
    brightness = np.asarray(magnitudes, dtype='<f4')
    numbers = np.asarray(clusters).astype('<i4')
    cutouts = np.asarray(cutouts)
    n = len(points)
    if (
        n == 0
        or points.shape != (n, 2)
        or cutouts.shape != (n, *cutouts.shape[-1:] * 2)
        or brightness.shape != (n,)
        or numbers.shape != (n,)
    ):
        msg = (
            'embedding, cutouts, magnitudes and clusters must have shapes (N, 2), '
            '(N, size, size), (N,) and (N,), N at least 1; got '
            f'{points.shape}, {cutouts.shape}, {brightness.shape}, {numbers.shape}'
        )
        raise ValueError(msg)
    known = cluster_names(numbers, names)
    start = regions or Regions()
    start.apply(points, numbers, known)
    content = _about(points, numbers, known, start)
    content |= {
        'magnitudeLabel': magnitude_label,
        **_arrays(points, cutouts, brightness, numbers),
    }
    text = page_text(__package__, title=title, data=content)
    save_page(text, path, overwrite=overwrite)


def _about(
    points: np.ndarray, numbers: np.ndarray, names: dict[int, str], start: Regions
) -> dict[str, Any]:
    """Return names, regions and colours, and a key that tells pages apart."""
    about = {
        'format': REGIONS_FORMAT,
        'embeddingDigest': embedding_digest(points),
        'clustersDigest': cluster_digest(numbers),
        'names': {str(number): name for number, name in names.items()},
        'regions': start.as_dict(),
    }
    return {
        **about,
        'key': digest(about),
        'classes': [{'name': name, 'colours': _colours(name)} for name in _NAMES],
        'colourmap': [to_hex(c) for c in mpl.colormaps[_COLOURMAP](_SHARES)],
    }


def _arrays(
    points: np.ndarray, cutouts: np.ndarray, brightness: np.ndarray, numbers: np.ndarray
) -> dict[str, Any]:
    """Return positions, cutouts, magnitudes and clusters, and how they are drawn."""
    sprite, columns = _sprite(cutouts)
    finite = brightness[np.isfinite(brightness)]
    brightness = np.where(np.isfinite(brightness), brightness, np.float32(np.nan))
    limits = np.percentile(finite, _MAGNITUDE_PERCENTILES) if len(finite) else (0, 0)
    return {
        'magnitudeRange': [float(limit) for limit in limits],
        'grey': [*grey_limits(cutouts), GREY_GAMMA],
        'cutoutSize': cutouts.shape[-1],
        'spriteColumns': columns,
        'sprite': f'data:image/png;base64,{encoded(grey_png(sprite))}',
        'embedding': encoded(points),
        'magnitudes': encoded(brightness),
        'clusters': encoded(numbers),
    }


def _colours(name: str) -> list[str]:
    if name == UNLABELLED:
        return [_UNLABELLED_COLOUR] * len(CONVENTIONS)
    return [CLASSES.marker(name, convention).color for convention in CONVENTIONS]


def _sprite(cutouts: np.ndarray) -> tuple[np.ndarray, int]:
    """Return all cutouts in one image of bytes, rows from the top, and its columns."""
    n, size, _ = cutouts.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    sheet = np.zeros((rows * columns, size, size), dtype=np.uint8)
    sheet[:n] = np.rint(255 * np.clip(np.nan_to_num(cutouts[:, ::-1]), 0, 1))
    sheet = sheet.reshape(rows, columns, size, size).transpose(0, 2, 1, 3)
    return sheet.reshape(rows * size, columns * size), columns
