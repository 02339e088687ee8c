"""Classes on a ginga canvas, with the renderer that needs Pillow alone."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

pytest.importorskip('ginga')

from ginga.misc.log import get_logger
from ginga.pilw.ImageViewPil import CanvasView

from astrosieve.source.classes import CLASSES
from astrosieve_plugins.ginga_classify import canvas as module
from astrosieve_plugins.ginga_classify.canvas import (
    ClassMarkers,
    draw_classes,
)


@pytest.fixture
def view() -> Any:
    """A view of 200x100 pixels at scale 1 of a black image of that size."""
    view = CanvasView(get_logger('test', null=True))
    view.configure_surface(200, 100)
    view.set_data(np.zeros((100, 200), dtype=np.float32))
    view.cut_levels(0, 1)
    view.scale_to(1, 1)
    view.panset_xy(99.5, 49.5)
    view.redraw_now()
    return view


def catalog(**columns: Any) -> Table:
    table = Table({'x_centroid': [50.0, 150.0], 'y_centroid': [30.0, 70.0], **columns})
    if 'class_name' not in table.colnames:
        table['class_name'] = ['star', 'cosmic_ray']
    return table


def pixels(view: Any) -> np.ndarray:
    view.redraw_now(whence=3)
    return np.array(view.renderer.get_surface_as_array(order='RGB')).astype(int)


def near(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """Return the pixels about a position of the image, y up."""
    row, column = round(99 - y), round(x)
    return image[max(row - 8, 0) : row + 9, max(column - 8, 0) : column + 9]


def has(box: np.ndarray, color: str) -> bool:
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(box - wanted).max(axis=-1) < 12).any())


@pytest.mark.parametrize('convention', ['report', 'colour-blind'])
def test_markers_are_where_the_detections_are(view: Any, convention: str) -> None:
    """Each class in its colour at its place, and nothing elsewhere."""
    empty = pixels(view)
    draw_classes(view.get_canvas(), catalog(), convention=convention)
    image = pixels(view)
    for name, x, y in (('star', 50, 30), ('cosmic_ray', 150, 70)):
        assert has(near(image, x, y), CLASSES.marker(name, convention).color)
    changed = np.argwhere((image != empty).any(axis=2))
    away = np.minimum(
        np.abs(changed - (99 - 30, 50)).max(1), np.abs(changed - (99 - 70, 150)).max(1)
    )
    assert len(changed)
    assert away.max() <= 7


def test_a_circle_is_centred_on_its_position(view: Any) -> None:
    """The middle of the lit pixels is the position, to half a pixel."""
    empty = pixels(view)
    draw_classes(view.get_canvas(), catalog()[:1])
    lit = np.argwhere((pixels(view) != empty).any(axis=2))
    middle = (lit.min(axis=0) + lit.max(axis=0)) / 2
    assert np.abs(middle - (99 - 30, 50)).max() <= 1


def test_keep_and_thresholds(view: Any) -> None:
    """Classes left out and improbable rows are not drawn; others are."""
    table = catalog(p_star=[0.6, 0.1], p_cosmic_ray=[0.4, 0.9])
    draw = draw_classes
    assert draw(view.get_canvas(), table, keep=['star']).shown.tolist() == [True, False]
    shown = draw(view.get_canvas(), table, thresholds={'star': 0.7, 'spike': 0.5}).shown
    assert shown.tolist() == [False, True]
    image = pixels(view)
    assert not has(near(image, 50, 30), CLASSES.marker('star', 'colour-blind').color)
    assert has(near(image, 150, 70), CLASSES.marker('cosmic_ray', 'colour-blind').color)


def test_drawing_again_replaces(view: Any) -> None:
    """One object per tag, however often it is drawn; the legend too."""
    for _ in range(3):
        draw_classes(view.get_canvas(), catalog(), legend=True)
    objects = view.get_canvas().get_objects()
    assert sorted(o.kind for o in objects if o.kind.startswith('class')) == [
        'classlegend',
        'classmarkers',
    ]
    corner = pixels(view)[:60, :100]
    assert has(corner, CLASSES.marker('star', 'colour-blind').color)
    draw_classes(view.get_canvas(), catalog())
    assert not has(pixels(view)[:60, :40], CLASSES.marker('star', 'colour-blind').color)


@pytest.mark.parametrize('place', [(-2, 50), (199.4, 50), (100, -3), (100, 101)])
def test_markers_on_the_border_are_cut(view: Any, place: tuple[float, float]) -> None:
    """A marker half outside of the window is drawn in part, on its own side."""
    empty = pixels(view)
    table = catalog(class_name=['star', 'star'])[:1]
    table['x_centroid'], table['y_centroid'] = place
    draw_classes(view.get_canvas(), table)
    changed = np.argwhere((pixels(view) != empty).any(axis=2))
    assert len(changed)
    assert np.abs(changed - (99 - place[1], place[0])).max() <= 8


def test_what_is_out_of_view_is_not_drawn(view: Any) -> None:
    """Positions outside, and those that are no numbers, change no pixel."""
    empty = pixels(view)
    table = catalog()
    table['x_centroid'] = [np.nan, 1000.0]
    markers = draw_classes(view.get_canvas(), table)
    assert np.array_equal(pixels(view), empty)
    assert markers.get_llur() == (1000, 70, 1000, 70)
    draw_classes(view.get_canvas(), table[:0], legend=True)
    assert np.array_equal(pixels(view), empty)


def test_selected_and_labelled_rows_stand_out(view: Any) -> None:
    """A ring about what is selected, double strokes where there is a label."""
    markers = draw_classes(view.get_canvas(), catalog(), convention='report')
    plain = pixels(view)
    markers.selected = np.array([0])
    ring = pixels(view)
    assert has(near(ring, 50, 30), '#ffffff')
    assert np.array_equal(near(ring, 150, 70), near(plain, 150, 70))
    markers.selected = np.array([], dtype=int)
    markers.labelled[1] = True
    color = CLASSES.marker('cosmic_ray').color
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    bold = (np.abs(near(pixels(view), 150, 70) - wanted).max(-1) < 12).sum()
    assert bold > 1.4 * (np.abs(near(plain, 150, 70) - wanted).max(-1) < 12).sum()


def test_overlaps_keep_strokes(view: Any) -> None:
    """In a crowd no marker's rim hides the strokes of another of its class."""
    rng = np.random.default_rng(5)
    xy = rng.uniform(-7, 8, (400, 2)) + np.array([99.5, 49.5])
    table = Table(xy, names=('x_centroid', 'y_centroid'))
    table['class_name'] = 'star'
    view.scale_to(2, 2)  # all are drawn
    draw_classes(view.get_canvas(), table, convention='report')
    color = CLASSES.marker('star').color
    wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    box = pixels(view)[40:60, 90:111]
    assert (np.abs(box - wanted).max(axis=-1) < 12).mean() > 0.5


@pytest.fixture
def crowd() -> Table:
    """4000 detections in 1000x2000 pixels, half of them in a corner."""
    rng = np.random.default_rng(8)
    xy = rng.uniform(0, (2000, 1000), (4000, 2))
    xy[::2] /= 10
    table = Table(xy, names=('x_centroid', 'y_centroid'))
    table['flux'] = rng.permutation(4000)
    table['class_name'] = 'star'
    return table


@pytest.fixture
def wide(view: Any) -> Any:
    """A view of 500x250 pixels of an image four times as large."""
    view.configure_surface(500, 250)
    view.set_data(np.zeros((1000, 2000), dtype=np.float32))
    view.cut_levels(0, 1)
    view.scale_to(0.25, 0.25)
    return view


def test_markers_in_a_crowd_leave_the_image_to_be_seen(wide: Any, crowd: Table) -> None:
    """At full view less than a third of the image is under markers, in any part."""
    empty = pixels(wide)
    draw_classes(wide.get_canvas(), crowd)
    covered = (pixels(wide) != empty).any(axis=2)[:220]  # above the line of text
    assert covered.mean() > 0.05
    blocks = covered[:200].reshape(4, 50, 10, 50).mean(axis=(1, 3))
    assert blocks.max() < 0.34


def test_the_brightest_of_a_crowd_are_drawn(wide: Any, crowd: Table) -> None:
    """Those left out are fainter than those that are near; others do without flux."""
    markers = draw_classes(wide.get_canvas(), crowd)
    drawn = markers.drawn(wide)
    out = np.setdiff1d(np.arange(4000), drawn)
    assert len(out) > 2000
    assert crowd['flux'][drawn].mean() > crowd['flux'][out].mean() + 500
    assert np.argmax(crowd['flux']) in drawn
    crowd.remove_column('flux')
    again = draw_classes(wide.get_canvas(), crowd).drawn(wide)
    assert len(again) == len(drawn)


def test_zooming_in_shows_all(wide: Any, crowd: Table) -> None:
    """The closer, the more markers; from a scale of 2 on each detection has one."""
    markers = draw_classes(wide.get_canvas(), crowd)
    counts = []
    for scale in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0):
        wide.scale_to(scale, scale)
        counts.append(len(markers.drawn(wide)))
    assert counts == sorted(counts)
    assert counts[0] < 200
    assert counts[-2:] == [4000, 4000]
    assert markers.shown.all()


def test_moving_the_image_keeps_its_markers(wide: Any, crowd: Table) -> None:
    """Which detections are drawn depends on the scale alone."""
    markers = draw_classes(wide.get_canvas(), crowd)
    before = markers.drawn(wide), markers.radius(wide)
    wide.panset_xy(300.3, 270.7)
    assert np.array_equal(before[0], markers.drawn(wide))
    assert before[1] == markers.radius(wide)


def test_a_few_detections_all_have_markers(wide: Any, crowd: Table) -> None:
    """Without a crowd nothing is left out; hidden rows leave room to others."""
    markers = draw_classes(wide.get_canvas(), crowd)
    assert len(markers.drawn(wide)) < 2000
    few = np.arange(1, 4000, 80)
    markers.shown[:] = False
    markers.shown[few] = True
    assert sorted(markers.drawn(wide)) == few.tolist()
    assert markers.radius(wide) == 3


def test_chosen_rows_are_drawn_in_any_crowd(wide: Any, crowd: Table) -> None:
    """What is selected or labelled has its marker, however faint."""
    markers = draw_classes(wide.get_canvas(), crowd)
    out = np.setdiff1d(np.arange(4000), markers.drawn(wide))[:2]
    markers.selected, markers.labelled[out[1]] = out[:1], True
    assert np.isin(out, markers.drawn(wide)).all()


def test_what_is_left_out_is_said_on_the_image(wide: Any, crowd: Table) -> None:
    """A line of text stands in the lower left corner, only then."""
    corner = np.s_[225:, :200]
    empty = pixels(wide)
    markers = draw_classes(wide.get_canvas(), crowd[1::2])
    markers.shown[:] = crowd['y_centroid'][1::2] > 200
    said = pixels(wide)
    assert (said[corner] != empty[corner]).any(axis=2).mean() > 0.1
    markers.shown[20:] = False
    assert np.array_equal(pixels(wide)[corner], empty[corner])


class _Recorder:
    """A render context that keeps what it is told to draw."""

    def __init__(self) -> None:
        self.circles: list[tuple[float, float]] = []
        self.paths: list[list[tuple[float, float]]] = []

    def get_line(self, color: str, *, linewidth: float) -> tuple[str, float]:
        return color, linewidth

    def draw_circle(self, x: float, y: float, radius: float, *, line: Any) -> None:
        self.circles.append((x, y))

    def draw_path(self, points: list[tuple[float, float]], *, line: Any) -> None:
        self.paths.append(points)


def test_renderers_without_pixels_get_strokes(view: Any) -> None:
    """A renderer that only takes lines gets circles and paths, in view alone."""

    class Vectors:
        def __init__(self) -> None:
            self.context = _Recorder()

        def __getattr__(self, name: str) -> Any:
            return getattr(renderer, name)

        def setup_cr(self, shape: Any) -> _Recorder:
            return self.context

    markers = ClassMarkers([50, 150, 9000], [30, 70, 5], [0, 1, 0], ['star', 'spike'])
    renderer, vectors = view.renderer, Vectors()
    view.renderer = vectors
    try:
        markers.draw(view)
    finally:
        view.renderer = renderer
    assert vectors.context.circles == [pytest.approx(view.get_canvas_xy(50, 30))]
    (path,) = vectors.context.paths
    assert np.mean(path[:-1], axis=0) == pytest.approx(view.get_canvas_xy(150, 70))


@pytest.mark.parametrize('shape', sorted(module._STROKES))
def test_each_shape_has_pixels(shape: str) -> None:
    """A sprite is not empty and stays within its radius."""
    dy, dx, ink = module._sprite(shape, '#ffffff', 6.0, 1.6)
    assert len(dy) > 5
    assert np.hypot(dy, dx).max() <= 6 + 3
    assert (ink[:, 3] <= 1).all()
    assert ink[-1, 3] > 0.9


def test_it_needs_no_gui() -> None:
    """The overlay loads no toolkit, and none of the other hosts."""
    code = (
        'import sys, astrosieve_plugins.ginga_classify.canvas as c; '
        'print(*{n.partition(".")[0] for n in sys.modules})'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert 'ginga' in loaded
    assert not loaded & {'PySide6', 'qtpy', 'torch', 'photutils'}
