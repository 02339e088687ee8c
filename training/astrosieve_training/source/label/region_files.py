"""
Regions of an embedding, and names of its clusters, in files that people may edit.

A file of regions is JSON::

    {"format": "astrosieve-regions-1",
     "embedding": "0123456789ab", "clusters": "ba9876543210",
     "names": {"0": "star", "3": "spike"},
     "regions": [{"name": "star", "polygon": [[1, 2], [3, 2], [2, 5]]},
                 {"name": "cosmic_ray", "box": [-4.5, -1, 0, 2.5]}]}

``embedding`` and ``clusters`` are digests by which a file that belongs to others is
recognised; in a file written by hand they may be left out, as may ``names`` and
``regions``. A box is ``[xmin, xmax, ymin, ymax]``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

from astrosieve.atomic import atomic_path
from astrosieve_training.settings import not_known
from astrosieve_training.source.label.errors import RegionsError
from astrosieve_training.source.label.regions import REGIONS_FORMAT, Regions
from astrosieve_training.source.label.shapes import Box, Polygon, Region

__all__ = ['read_regions', 'write_regions']

_KEYS = ('format', 'embedding', 'clusters', 'names', 'regions')


def write_regions(
    regions: Regions, path: str | Path, *, overwrite: bool = False
) -> None:
    """
    Write regions as JSON.

    Parameters
    ----------
    regions : `Regions`
        What to write.
    path : path-like
        The file.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    content = regions.as_dict()
    rows = ',\n  '.join(map(json.dumps, content.pop('regions')))
    head = json.dumps(content, indent=1).removesuffix('\n}')
    text = f'{head},\n "regions": [\n  {rows}\n ]\n}}\n'
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding='utf-8')


def read_regions(path: str | Path) -> Regions:
    """
    Read regions.

    Parameters
    ----------
    path : path-like
        File of `write_regions`, of the page, or written by hand.

    Returns
    -------
    regions : `Regions`

    Raises
    ------
    RegionsError
        If the file is missing or is not one of regions.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding='utf-8-sig')
        content = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_unique
        )
    except OSError as error:
        msg = f'{path}: cannot be read ({error.strerror or error})'
        raise RegionsError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f'{path}: not a file of regions: no JSON can be read from it ({error})'
        raise RegionsError(msg) from error
    try:
        return _regions_from(content)
    except RegionsError as error:
        msg = f'{path}: {error}'
        raise RegionsError(msg) from error


def _refuse_constant(name: str) -> NoReturn:
    msg = f'{name} is not a number that JSON knows'
    raise ValueError(msg)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is given twice, of which JSON would keep the last."""
    built: dict[str, Any] = {}
    for key, value in pairs:
        if key in built:
            msg = f'{key!r} is given twice'
            raise ValueError(msg)
        built[key] = value
    return built


def _regions_from(content: Any) -> Regions:
    if not isinstance(content, dict):
        msg = f'not a file of regions: it holds {_kind(content)} in place of an object'
        raise RegionsError(msg)
    if content.get('format') != REGIONS_FORMAT:
        msg = (
            f'not a file of regions: its format is {content.get("format")!r}, not '
            f'{REGIONS_FORMAT!r}'
        )
        raise RegionsError(msg)
    for key in content:
        if key not in _KEYS:
            raise RegionsError(not_known('unknown key', key, _KEYS))
    digests = [content.get(key, '') for key in ('embedding', 'clusters')]
    if not all(isinstance(digest, str) for digest in digests):
        msg = "'embedding' and 'clusters' must be text"
        raise RegionsError(msg)
    names, rows = content.get('names', {}), content.get('regions', [])
    if not isinstance(names, dict):
        msg = f"'names' must be an object of cluster: class; got {_kind(names)}"
        raise RegionsError(msg)
    if not isinstance(rows, list):
        msg = f"'regions' must be a list; got {_kind(rows)}"
        raise RegionsError(msg)
    regions = []
    for order, row in enumerate(rows, 1):
        try:
            regions.append(_region_from(row))
        except RegionsError as error:
            msg = f'region {order}: {error}'
            raise RegionsError(msg) from None
    return Regions(
        {_cluster(key): name for key, name in names.items()}, tuple(regions), *digests
    )


def _region_from(row: Any) -> Region:
    if not isinstance(row, dict):
        msg = f'must be an object with name and polygon or box; got {_kind(row)}'
        raise RegionsError(msg)
    shape = set(row) - {'name'}
    if 'name' not in row or shape not in ({'polygon'}, {'box'}):
        msg = f"must have 'name' and one of 'polygon' and 'box'; it has {sorted(row)}"
        raise RegionsError(msg)
    if shape == {'box'}:
        return Box(row['name'], *_numbers(row['box'], 4, '[xmin, xmax, ymin, ymax]'))
    if not isinstance(row['polygon'], list):
        msg = f'a polygon must be a list of [x, y]; got {_kind(row["polygon"])}'
        raise RegionsError(msg)
    pairs = [_numbers(pair, 2, '[x, y]') for pair in row['polygon']]
    return Polygon(row['name'], tuple((x, y) for x, y in pairs))


def _numbers(values: Any, n: int, what: str) -> list[float]:
    fits = isinstance(values, list) and len(values) == n
    if not fits or not all(type(value) in (int, float) for value in values):
        msg = f'expected {what}, {n} numbers; got {json.dumps(values)[:60]}'
        raise RegionsError(msg)
    try:
        return [float(value) for value in values]
    except OverflowError:
        msg = f'expected {what}; one of the numbers is too large'
        raise RegionsError(msg) from None


def _cluster(key: str) -> int:
    if not re.fullmatch(r'-1|0|[1-9][0-9]{0,8}', key):
        msg = f'names: {key!r} is not the number of a cluster'
        raise RegionsError(msg)
    return int(key)


def _kind(value: Any) -> str:
    names = {list: 'a list', dict: 'an object', str: 'text', type(None): 'null'}
    return names.get(type(value), f'{value!r:.40}')
