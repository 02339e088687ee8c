"""Files of regions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from astrosieve.exceptions import AstrosieveWarning
from astrosieve_training.source.label.errors import RegionsError
from astrosieve_training.source.label.region_files import read_regions, write_regions
from astrosieve_training.source.label.regions import (
    REGIONS_FORMAT,
    Regions,
    cluster_digest,
    embedding_digest,
)
from astrosieve_training.source.label.shapes import Box, Polygon

# A 5x5 grid of points about the origin, those left of x=0 in cluster 0.
GRID = np.array([(x, y) for y in range(-2, 3) for x in range(-2, 3)], dtype=np.float32)
CLUSTERS = np.where(GRID[:, 0] < 0, 0, 1)
NAMES = {0: 'star', 1: 'cosmic_ray'}


def save(path: Path, **content: Any) -> Path:
    path.write_text(json.dumps({'format': REGIONS_FORMAT, **content}))
    return path


def test_round_trip(tmp_path: Path) -> None:
    """What is written is read, and JSON as the page writes it."""
    regions = Regions(
        {0: 'spike', -1: 'unlabelled'},
        (
            Polygon('star', ((0.1, 1 / 3), (2.0, 0.0), (1.5, 3.0))),
            Box('background', -1.5, 1e-7, 0.0, 2.0),
        ),
        embedding_digest(GRID),
        cluster_digest(CLUSTERS),
    )
    path = tmp_path / 'regions.json'
    write_regions(regions, path)
    assert read_regions(path) == regions
    content = json.loads(path.read_text())
    assert content['names'] == {'0': 'spike', '-1': 'unlabelled'}
    assert content['regions'][1] == {'name': 'background', 'box': [-1.5, 1e-7, 0, 2]}
    empty = tmp_path / 'empty.json'
    write_regions(Regions(), empty)
    assert read_regions(empty) == Regions()


def test_by_hand(tmp_path: Path) -> None:
    """Digests, names and regions may be left out."""
    path = save(tmp_path / 'r.json', regions=[{'name': 'spike', 'box': [0, 1, 0, 1]}])
    labels = read_regions(path).apply(GRID, CLUSTERS, NAMES)
    inside = ((GRID >= 0) & (GRID <= 1)).all(axis=1)
    assert inside.sum() == 4
    assert (labels[inside] == 'spike').all()
    assert set(labels[~inside]) == {'star', 'cosmic_ray'}


def test_later_regions_overrule_names_and_earlier_regions() -> None:
    """Automatic names, then names of clusters, then regions in their order."""
    regions = Regions(
        {1: 'background'},
        (Box('spike', 0, 2, 0, 2), Box('unlabelled', 2, 2, 2, 2)),
    )
    labels = dict(
        zip(
            map(tuple, GRID.tolist()), regions.apply(GRID, CLUSTERS, NAMES), strict=True
        )
    )
    assert labels[-1, 2] == 'star'
    assert labels[0, -1] == 'background'
    assert labels[1, 1] == 'spike'
    assert labels[2, 2] == 'unlabelled'


def test_without_regions_labels_are_automatic() -> None:
    """A cluster without a name is unlabelled, as are points in none."""
    labels = Regions().apply(GRID[:3], [0, 7, -1], NAMES)
    assert labels.tolist() == ['star', 'unlabelled', 'unlabelled']
    assert Regions().apply(np.empty((0, 2)), [], NAMES).shape == (0,)


def test_points_that_are_not_finite_are_in_no_region() -> None:
    """They keep the name of their cluster."""
    points = [[np.nan, 0], [0, np.inf], [0, 0]]
    square = Polygon('spike', ((-9, -9), (9, -9), (9, 9), (-9, 9)))
    for region in (Box('spike', -9, 9, -9, 9), square):
        labels = Regions(regions=(region,)).apply(points, [0, 0, 0], NAMES)
        assert labels.tolist() == ['star', 'star', 'spike']


def test_polygon_agrees_with_matplotlib() -> None:
    """Points inside stars that do not cross themselves are those of matplotlib."""
    path = pytest.importorskip('matplotlib.path')
    rng = np.random.default_rng(0)
    points = rng.uniform(-2, 2, (4000, 2))
    for _ in range(20):
        angle = np.sort(rng.uniform(0, 2 * np.pi, 30))
        radius = rng.uniform(0.3, 2, 30)
        corners = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
        inside = Polygon('star', tuple(map(tuple, corners.tolist()))).contains(points)
        assert 200 < inside.sum() < 3800
        assert np.array_equal(inside, path.Path(corners).contains_points(points))


def test_polygon_that_crosses_itself() -> None:
    """What is enclosed twice is outside."""
    star = [(np.sin(k * 0.8 * np.pi), np.cos(k * 0.8 * np.pi)) for k in range(5)]
    inside = Polygon('star', tuple(star)).contains([[0, 0], [0, 0.8], [2, 0]])
    assert inside.tolist() == [False, True, False]


def test_touching_polygons_share_no_point() -> None:
    """A point on a common edge is in one of two polygons that tile the plane."""
    left = Polygon('star', ((-2, -2), (0, -2), (0, 3), (-2, 3)))
    right = Polygon('star', ((0, -2), (2.5, -2), (2.5, 3), (0, 3)))
    both = left.contains(GRID).astype(int) + right.contains(GRID)
    assert (both == 1).all()


def test_other_embedding_is_refused() -> None:
    """Regions of one embedding are not applied to another unless it is not said."""
    other = GRID + np.float32(0.01)
    box = Box('spike', -1, 1, -1, 1)
    regions = Regions(regions=(box,), embedding=embedding_digest(GRID))
    assert 'spike' in regions.apply(GRID.astype(float), CLUSTERS, NAMES)
    with pytest.raises(RegionsError, match=r'drawn on another embedding .* Draw them'):
        regions.apply(other, CLUSTERS, NAMES)
    assert 'spike' in Regions(regions=(box,)).apply(other, CLUSTERS, NAMES)


def test_names_of_other_clusters_are_refused() -> None:
    """Cluster 1 of another clustering need not be cluster 1 of this one."""
    regions = Regions({1: 'spike'}, clusters=cluster_digest(CLUSTERS))
    assert 'spike' in regions.apply(GRID, CLUSTERS, NAMES)
    with pytest.raises(RegionsError, match='names were given to other clusters'):
        regions.apply(GRID, 1 - CLUSTERS, NAMES)


def test_cluster_that_does_not_exist() -> None:
    """The clusters that there are stand in the message."""
    with pytest.raises(RegionsError, match=r'cluster 7 is named but.* there are 0, 1'):
        Regions({7: 'star'}).apply(GRID, CLUSTERS, NAMES)


def test_empty_region_warns() -> None:
    """A region that holds no point is no reason to stop, but is told."""
    regions = Regions(regions=(Box('star', -2, 2, 0, 1), Box('spike', 50, 60, 0, 1)))
    with pytest.warns(AstrosieveWarning, match=r'region 2 \(spike\) holds none of'):
        labels = regions.apply(GRID, CLUSTERS, NAMES)
    assert 'spike' not in labels


SQUARE = [[0, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'format': 'astrosieve-labels-1'}, "its format is 'astrosieve-labels-1'"),
        ({'region': []}, "unknown key 'region'; did you mean 'regions'"),
        ({'embedding': 3}, 'must be text'),
        (
            {'names': ['star']},
            "'names' must be an object of cluster: class; got a list",
        ),
        ({'names': {'0': 'stars'}}, "cluster 0: no class 'stars'; did you mean 'star'"),
        ({'names': {'0': ['star']}}, r'cluster 0: no class .*star'),
        ({'names': {'one': 'star'}}, "names: 'one' is not the number of a cluster"),
        ({'names': {'01': 'star'}}, "names: '01' is not the number of a cluster"),
        ({'regions': {}}, "'regions' must be a list; got an object"),
        ({'regions': ['star']}, 'region 1: must be an object'),
        ({'regions': [{'name': 'star'}]}, "must have 'name' and one of"),
        ({'regions': [{'box': [0, 1, 0, 1]}]}, "must have 'name' and one of"),
        (
            {'regions': [{'name': 'star', 'box': [0, 1, 0, 1], 'polygon': SQUARE}]},
            "one of 'polygon' and 'box'",
        ),
        (
            {'regions': [{'name': 'cosmicray', 'box': [0, 1, 0, 1]}]},
            "region 1: no class 'cosmicray'; did you mean 'cosmic_ray'",
        ),
        ({'regions': [{'name': 'star', 'box': [0, 1, 0]}]}, 'xmin, xmax, ymin, ymax'),
        ({'regions': [{'name': 'star', 'box': [0, 1, 0, True]}]}, '4 numbers'),
        ({'regions': [{'name': 'star', 'box': [2, 1, 0, 1]}]}, 'xmin 2 .* xmax 1'),
        ({'regions': [{'name': 'star', 'box': [0, 1, 1, 0]}]}, 'ymin 1 .* ymax 0'),
        ({'regions': [{'name': 'star', 'box': [0, 10**400, 0, 1]}]}, 'too large'),
        ({'regions': [{'name': 'star', 'polygon': 3}]}, 'a list of .x, y.; got 3'),
        ({'regions': [{'name': 'star', 'polygon': SQUARE[:2]}]}, '3 vertices; got 2'),
        (
            {
                'regions': [
                    {'name': 'star', 'polygon': SQUARE},
                    {'name': 'star', 'polygon': [*SQUARE, [1]]},
                ]
            },
            'region 2: expected .x, y., 2 numbers',
        ),
    ],
)
def test_wrong_content(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    """A file that cannot be meant is refused, and the message says where."""
    path = save(tmp_path / 'wrong.json', **content)
    with pytest.raises(RegionsError, match=rf'wrong\.json: .*{message}'):
        read_regions(path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'no JSON can be read'),
        ('{"format": "astrosieve-regions-1",}', r'no JSON can be read.* line 1'),
        ('[1, 2]', 'holds a list in place of an object'),
        ('null', 'holds null in place'),
        ('[' * 100_000, 'no JSON can be read'),
        (
            '{"format": "astrosieve-regions-1", '
            '"regions": [{"name": "star", "box": [NaN, 1, 0, 1]}]}',
            'NaN is not a number that JSON knows',
        ),
        (
            '{"format": "astrosieve-regions-1", '
            '"regions": [{"name": "star", "polygon": [[0, 0], [1e999, 1], [0, 1]]}]}',
            'region 1: vertex 2 of a polygon must be finite',
        ),
        (
            '{"format": "astrosieve-regions-1", "names": {"0": "star", "0": "spike"}}',
            "'0' is given twice",
        ),
        ('\xff', 'no JSON can be read'),
    ],
)
def test_wrong_text(tmp_path: Path, text: str, message: str) -> None:
    """What is not JSON is refused."""
    path = tmp_path / 'wrong.json'
    path.write_bytes(text.encode('latin-1'))
    with pytest.raises(RegionsError, match=rf'wrong\.json: .*{message}'):
        read_regions(path)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file and a folder are named."""
    with pytest.raises(RegionsError, match=r'none\.json: cannot be read \(No such'):
        read_regions(tmp_path / 'none.json')
    with pytest.raises(RegionsError, match=r'cannot be read \(Is a directory'):
        read_regions(tmp_path)


def test_byte_order_mark(tmp_path: Path) -> None:
    """Files of editors that begin with a mark are read."""
    path = tmp_path / 'mark.json'
    path.write_text(json.dumps({'format': REGIONS_FORMAT}), encoding='utf-8-sig')
    assert not read_regions(path).names


def test_regions_made_in_python_are_checked() -> None:
    """Boxes, polygons and names follow the rules of files."""
    with pytest.raises(RegionsError, match='edges of a box must be finite'):
        Box('star', np.nan, 1, 0, 1)
    with pytest.raises(RegionsError, match='at least 3 vertices'):
        Polygon('star', ((0, 0), (1, 1)))
    with pytest.raises(RegionsError, match="no class 'galaxy'"):
        Regions({0: 'galaxy'})
