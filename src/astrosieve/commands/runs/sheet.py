"""The first images of a run beside each other, with what was found in them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from astrosieve.classes import ClassSet, words
from astrosieve.commands.remote import is_url
from astrosieve.commands.runs.folder import ROWS
from astrosieve.exceptions import AstrosieveError
from astrosieve.images.exposures import read_chips
from astrosieve.images.stretch import brightest
from astrosieve.pages.thumbnails import grey_url

__all__ = ['NAMES', 'POSITIONS', 'contact_sheet', 'named']

NAMES = ('class_name', 'frame_type')
"""Columns that say what a row is."""
POSITIONS = (('x_centroid', 'y_centroid'), ('x', 'y'))
"""Columns that say where it is."""

_SHOWN = 24  # images
_SIDE = 300  # pixels of the longest side of a picture
_MARKS = 2_000  # in a picture


def named(row: dict[str, Any]) -> str:
    """Return what a row is, empty where its table does not say."""
    return next((str(row[each]) for each in NAMES if each in row), '')


def contact_sheet(folder: Path, classes: ClassSet) -> dict[str, Any]:
    """
    Return the first images of a run, as far as they are at hand.

    Parameters
    ----------
    folder : `~pathlib.Path`
        Of the run.
    classes : `~astrosieve.classes.ClassSet`
        How what was found is drawn.

    Returns
    -------
    sheet : dict
        ``said``, ``markers`` by class, and ``images``: picture, size, and the place and
        class of each row.
    """
    from pyarrow import dataset

    wanted = {'file', 'extver', *NAMES, *sum(POSITIONS, ())}
    parts = list(dataset.dataset(folder / ROWS, format='parquet').get_fragments())
    images: list[dict[str, Any]] = []
    for part in parts:
        if len(images) >= _SHOWN:
            break
        names = [name for name in part.physical_schema.names if name in wanted]
        images += _images(part.to_table(columns=names).to_pylist())
    images = images[:_SHOWN]
    found = {name for each in images for *_, name in each['marks']}
    for each in images:
        each['marks'] = [[*place, words(name)] for *place, name in each['marks']]
    files = len({each['file'] for each in images})
    return {
        'said': f'{files} of {len(parts)} files. The switches of the classes show and '
        'hide what was found.',
        'markers': {
            words(name): {'shape': marker.matplotlib, 'colour': marker.color}
            for name in found
            for marker in [classes.marker(name, 'colour-blind')]
        },
        'images': images,
    }


def _images(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the images of a file, none where it is not at hand."""
    if not rows or is_url(rows[0]['file']):
        return []
    pair = next((each for each in POSITIONS if each[0] in rows[0]), None)
    images = []
    try:
        for chip in read_chips(rows[0]['file']):
            mine = [
                row for row in rows if row.get('extver', chip.extver) == chip.extver
            ]
            ny, nx = chip.sci.shape
            step = max(1, -(-max(ny, nx) // _SIDE))
            counted = Counter(named(row) for row in mine)
            images.append(
                {
                    'file': rows[0]['file'],
                    'name': chip.name,
                    'said': ', '.join(
                        f'{n} {words(each)}' for each, n in counted.most_common()
                    ),
                    'picture': grey_url(brightest(chip.sci, step)),
                    'width': -(-nx // step) * step,
                    'height': -(-ny // step) * step,
                    'marks': [
                        [*(round(row[name], 1) for name in pair), named(row)]
                        for row in mine[:: -(-len(mine) // _MARKS) or 1]
                        if pair is not None and row[pair[0]] == row[pair[0]]
                    ],
                }
            )
    except AstrosieveError:
        return []
    return images
