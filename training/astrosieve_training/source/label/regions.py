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

import difflib
import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveError, AstrosieveWarning
from astrosieve.models.registry import sha256_of
from astrosieve.source.classes import CLASSES

__all__ = [
    'REGIONS_FORMAT',
    'UNLABELLED',
    'Box',
    'Polygon',
    'Regions',
    'RegionsError',
    'cluster_digest',
    'cluster_names',
    'embedding_digest',
    'read_regions',
    'write_regions',
]

REGIONS_FORMAT = 'astrosieve-regions-1'
"""Value of ``format`` in a file of regions."""

UNLABELLED = 'unlabelled'
"""Name of what is left out of a dataset."""

_KEYS = ('format', 'embedding', 'clusters', 'names', 'regions')


class RegionsError(AstrosieveError, ValueError):
    """Regions cannot be read, or do not belong to the embedding."""


@dataclass(frozen=True)
class Box:
    """
    A box in the plane of an embedding, its edges included.

    Parameters
    ----------
    name : str
        Class of what is inside, or 'unlabelled'.
    xmin, xmax, ymin, ymax : float
        Edges, in units of the embedding.

    Raises
    ------
    RegionsError
        If the name is not one, or an edge is not finite or beyond its opposite.
    """

    name: str
    xmin: float
    xmax: float
    ymin: float
    ymax: float

    def __post_init__(self) -> None:
        _check_name(self.name)
        edges = (self.xmin, self.xmax, self.ymin, self.ymax)
        if not all(map(math.isfinite, edges)):
            msg = f'the edges of a box must be finite; got {list(edges)}'
            raise RegionsError(msg)
        for axis, low, high in (
            ('x', self.xmin, self.xmax),
            ('y', self.ymin, self.ymax),
        ):
            if low > high:
                msg = (
                    f'{axis}min {low:g} of a box is beyond its {axis}max {high:g}; '
                    'a box is [xmin, xmax, ymin, ymax]'
                )
                raise RegionsError(msg)

    def contains(self, points: ArrayLike) -> np.ndarray:
        """
        Tell which points are inside or on an edge.

        Parameters
        ----------
        points : (N, 2) array_like
            Positions in the embedding.

        Returns
        -------
        inside : (N,) bool `~numpy.ndarray`
        """
        x, y = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
        return (x >= self.xmin) & (x <= self.xmax) & (y >= self.ymin) & (y <= self.ymax)


@dataclass(frozen=True)
class Polygon:
    """
    A closed polygon in the plane of an embedding.

    Parameters
    ----------
    name : str
        Class of what is inside, or 'unlabelled'.
    vertices : sequence of (x, y)
        At least three, in units of the embedding; the last joins the first.

    Raises
    ------
    RegionsError
        If the name is not one, or the vertices are too few or not finite.

    Notes
    -----
    A point is inside if a ray from it crosses the outline an odd number of times;
    what a polygon that crosses itself encloses twice is outside.
    """

    name: str
    vertices: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.vertices) < 3:
            msg = f'a polygon has at least 3 vertices; got {len(self.vertices)}'
            raise RegionsError(msg)
        for number, (x, y) in enumerate(self.vertices, 1):
            if not (math.isfinite(x) and math.isfinite(y)):
                msg = f'vertex {number} of a polygon must be finite; got [{x}, {y}]'
                raise RegionsError(msg)

    def contains(self, points: ArrayLike) -> np.ndarray:
        """
        Tell which points are inside.

        Parameters
        ----------
        points : (N, 2) array_like
            Positions in the embedding.

        Returns
        -------
        inside : (N,) bool `~numpy.ndarray`
        """
        x, y = np.asarray(points, dtype=np.float64).reshape(-1, 2).T
        inside = np.zeros(len(x), dtype=bool)
        # Operation by operation as in page.js, so that both round alike.
        x0, y0 = self.vertices[-1]
        for x1, y1 in self.vertices:
            if y0 != y1:
                crosses = (y1 > y) != (y0 > y)
                with np.errstate(invalid='ignore'):  # infinite points cross nothing
                    inside ^= crosses & (x < (x0 - x1) * (y - y1) / (y0 - y1) + x1)
            x0, y0 = x1, y1
        return inside


@dataclass(frozen=True)
class Regions:
    """
    What a person says of an embedding and its clusters.

    Parameters
    ----------
    names : mapping of int to str, optional
        Classes of whole clusters.
    regions : tuple of `Box` or `Polygon`, optional
        In the order in which they are applied: the last has its way.
    embedding, clusters : str, optional
        Digests of what they were drawn on (`embedding_digest`, `cluster_digest`);
        empty if it was not recorded.

    Raises
    ------
    RegionsError
        If a name is not one of `~astrosieve.source.classes.CLASSES` or 'unlabelled'.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    regions: tuple[Box | Polygon, ...] = ()
    embedding: str = ''
    clusters: str = ''

    def __post_init__(self) -> None:
        for number, name in self.names.items():
            try:
                _check_name(name)
            except RegionsError as error:
                msg = f'names: cluster {number}: {error}'
                raise RegionsError(msg) from None

    def apply(
        self, embedding: ArrayLike, clusters: ArrayLike, names: Mapping[int, str]
    ) -> np.ndarray:
        """
        Label the points of an embedding.

        Parameters
        ----------
        embedding : (N, 2) array_like
            Positions; those that are not finite are in no region.
        clusters : (N,) array_like of int
            Number of each point's cluster; -1 is none.
        names : mapping of int to str
            Automatic names of the clusters; what it lacks is 'unlabelled'.

        Returns
        -------
        labels : (N,) str `~numpy.ndarray`
            The name of the last region around a point, else the one given to its
            cluster, else the automatic one.

        Raises
        ------
        RegionsError
            If the regions were drawn on another embedding, the names given to other
            clusters, or a cluster that is named does not exist.

        Warns
        -----
        AstrosieveWarning
            If a region holds no point.
        """
        points = np.asarray(embedding, dtype=np.float32).reshape(-1, 2)
        numbers = np.asarray(clusters)
        self._check_digests(points, numbers)
        known = cluster_names(numbers, names)
        for number in self.names:
            if number not in known:
                there = ', '.join(map(str, known)) or 'none'
                msg = f'cluster {number} is named but does not exist; there are {there}'
                raise RegionsError(msg)
        labels = np.full(len(points), UNLABELLED, dtype=object)
        for number, name in {**known, **self.names}.items():
            labels[numbers == number] = name
        for order, region in enumerate(self.regions, 1):
            inside = region.contains(points)
            if not inside.any():
                msg = (
                    f'region {order} ({region.name}) holds none of the {len(points)} '
                    'points of the embedding'
                )
                warnings.warn(msg, AstrosieveWarning, stacklevel=2)
            labels[inside] = region.name
        return labels.astype(str)

    def as_dict(self) -> dict[str, Any]:
        """
        Return what a file of regions holds.

        Returns
        -------
        content : dict
            As JSON can hold it.
        """
        rows: list[dict[str, Any]] = []
        for region in self.regions:
            if isinstance(region, Box):
                box = [region.xmin, region.xmax, region.ymin, region.ymax]
                rows.append({'name': region.name, 'box': box})
            else:
                vertices = [list(vertex) for vertex in region.vertices]
                rows.append({'name': region.name, 'polygon': vertices})
        return {
            'format': REGIONS_FORMAT,
            'embedding': self.embedding,
            'clusters': self.clusters,
            'names': {str(number): name for number, name in self.names.items()},
            'regions': rows,
        }

    def _check_digests(self, points: np.ndarray, numbers: np.ndarray) -> None:
        drawn, mine = self.embedding, embedding_digest(points)
        if self.regions and drawn and drawn != mine:
            msg = (
                f'the regions were drawn on another embedding ({drawn}; this one is '
                f'{mine}): the exposures or the settings have changed since. Draw them '
                "on this embedding's page, or take 'embedding' out of the file to "
                'apply them all the same'
            )
            raise RegionsError(msg)
        named, mine = self.clusters, cluster_digest(numbers)
        if self.names and named and named != mine:
            msg = (
                f'the names were given to other clusters ({named}; these are {mine}): '
                'the exposures or the settings have changed since. Name the clusters '
                "on this embedding's page, or take 'clusters' out of the file to "
                'apply the names all the same'
            )
            raise RegionsError(msg)


def embedding_digest(embedding: ArrayLike) -> str:
    """
    Return a short hash of an embedding, in single precision.

    Parameters
    ----------
    embedding : (N, 2) array_like
        Positions.

    Returns
    -------
    digest : str
        12 hexadecimal digits.
    """
    return sha256_of(np.asarray(embedding).astype('<f4').tobytes())[:12]


def cluster_digest(clusters: ArrayLike) -> str:
    """
    Return a short hash of the clusters that points belong to.

    Parameters
    ----------
    clusters : (N,) array_like of int
        Their numbers.

    Returns
    -------
    digest : str
        12 hexadecimal digits.
    """
    return sha256_of(np.asarray(clusters).astype('<i4').tobytes())[:12]


def cluster_names(clusters: ArrayLike, names: Mapping[int, str]) -> dict[int, str]:
    """
    Return the name of each cluster that is there.

    Parameters
    ----------
    clusters : (N,) array_like of int
        Number of each point's cluster.
    names : mapping of int to str
        Names; what it lacks is 'unlabelled'.

    Returns
    -------
    names : dict of int to str
        By number, ascending.
    """
    numbers = np.unique(np.asarray(clusters)).tolist()
    return {number: names.get(number, UNLABELLED) for number in numbers}


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
            msg = f'unknown key {key!r}.{_hint(key, _KEYS)}'
            raise RegionsError(msg)
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


def _region_from(row: Any) -> Box | Polygon:
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


def _check_name(name: Any) -> None:
    known = (*CLASSES, UNLABELLED)
    if name not in known:
        msg = f'{name!r} is not a class.{_hint(str(name), known)}'
        raise RegionsError(msg)


def _hint(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.4)
    return (
        ''.join(f' Did you mean {n!r}?' for n in near) + f' Known: {", ".join(known)}'
    )


def _kind(value: Any) -> str:
    names = {list: 'a list', dict: 'an object', str: 'text', type(None): 'null'}
    return names.get(type(value), f'{value!r:.40}')
