"""
Classes of detections on a ginga canvas: one object for all of them.

`draw_classes` puts a classified catalogue on any canvas: the reference viewer's, the
Jupyter widget's, the one of the renderer that needs Pillow alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from astropy.table import Table
from ginga.canvas.CanvasObject import CanvasObjectBase
from ginga.canvas.render import StandardPipelineRenderer
from ginga.canvas.types.basic import Text
from ginga.canvas.types.layer import CompoundObject
from ginga.colors import resolve_color
from ginga.vec.CanvasRenderVec import VectorRenderMixin

from astrosieve.classes import Marker
from astrosieve.source.classes import CLASSES
from astrosieve.tables.catalogs import fill_masked
from astrosieve.tables.coordinate_files import detection_flux

__all__ = ['ClassLegend', 'ClassMarkers', 'draw_classes']

# Strokes of each shape, as matplotlib calls it, within a circle of radius 1: lines
# from point to point; None is the circle itself.
_R = 0.5**0.5
_STROKES: dict[str, tuple[tuple[tuple[float, float], ...], ...] | None] = {
    'o': None,
    'x': (((-_R, -_R), (_R, _R)), ((-_R, _R), (_R, -_R))),
    '+': (((-1, 0), (1, 0)), ((0, -1), (0, 1))),
    'D': (((0, -1), (1, 0), (0, 1), (-1, 0), (0, -1)),),
    's': (((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8), (-0.8, -0.8)),),
    '.': (((-0.2, 0), (0.2, 0)), ((0, -0.2), (0, 0.2))),
    '1': (((0, 0), (0, 0.9)), ((0, 0), (-0.8, -0.5)), ((0, 0), (0.8, -0.5))),
    'p': (((0, -1), (0.95, -0.3), (0.6, 0.8), (-0.6, 0.8), (-0.95, -0.3), (0, -1)),),
}
_HALO = 0.6  # opacity of the dark rim that sets markers off from bright pixels
_SELECTED = '#ffffff'
_SMALL, _LARGE = 3, 12  # radius of markers, screen pixels
# Where markers crowd they are small, and have a square of that side each, counted in
# cells of twice the side or more; from that scale on all are drawn, and where it would
# take away a few only.
_ROOM, _ALL, _NEARLY_ALL = 14, 2.0, 0.9
_TEXT = {'fontsize': 11, 'bgcolor': 'black', 'bgalpha': 0.6}
_WIDE = 400  # a window with room for a line of text, screen pixels
# Positions in the window, shape, colour, radius, width of the strokes.
_Layer = tuple[np.ndarray, str, str, float, float]
_GLYPHS = {'o': '○', 'x': '×', '+': '+', 'D': '◇', 's': '□', '.': '·', '1': 'Y'}


def glyph(marker: Marker) -> str:
    """Return the character that looks like a marker."""
    return _GLYPHS.get(marker.matplotlib, '⬠')


def _distance(shape: str, x: np.ndarray, y: np.ndarray, radius: float) -> np.ndarray:
    """Return the distance of pixels from the strokes of a shape."""
    strokes = _STROKES.get(shape)
    if strokes is None:
        return np.abs(np.hypot(x, y) - radius)
    nearest = np.full(np.broadcast(x, y).shape, np.inf)
    for stroke in strokes:
        points = np.array(stroke, dtype=float) * radius
        for (x1, y1), (x2, y2) in pairwise(points):
            dx, dy = x2 - x1, y2 - y1
            along = ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy)
            along = np.clip(along, 0, 1)
            away = np.hypot(x - x1 - along * dx, y - y1 - along * dy)
            nearest = np.minimum(nearest, away)
    return nearest


@lru_cache(maxsize=256)
def _sprite(
    shape: str, color: str, radius: float, width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pixels of a marker, least coloured first: dy, dx, RGB and opacity."""
    half = int(np.ceil(radius + width / 2 + 2))
    steps = np.arange(-half, half + 1)
    away = _distance(shape, steps[None, :], steps[:, None], radius)
    stroke = np.clip(width / 2 + 0.5 - away, 0, 1)
    rim = _HALO * np.clip(width / 2 + 1.5 - away, 0, 1)
    opacity = stroke + rim * (1 - stroke)
    rows, columns = np.nonzero(opacity > 0.02)
    order = np.lexsort((opacity[rows, columns], stroke[rows, columns]))
    rows, columns = rows[order], columns[order]
    opacity, stroke = opacity[rows, columns], stroke[rows, columns]
    ink = np.multiply.outer(stroke / opacity, np.multiply(resolve_color(color), 255))
    return steps[rows], steps[columns], np.column_stack([ink, opacity])


def _stamp(image: np.ndarray, layers: Sequence[_Layer]) -> None:
    """
    Blend markers into an RGB image.

    Each pixel of a marker is written at all its places at once, into a plane of
    numbers of inks, the least coloured first: where markers overlap, the stroke stays.
    """
    height, width = image.shape[:2]
    sprites = [_sprite(*layer[1:]) for layer in layers]
    rim = max(int(max(np.abs(dy).max(), np.abs(dx).max())) for dy, dx, _ in sprites)
    # A frame wide enough for markers beyond the border saves a test for each pixel.
    pad = 2 * rim + 1
    plane = np.zeros((height + 2 * pad, width + 2 * pad), dtype=np.uint16)
    flat = plane.reshape(-1)
    number = 0
    for (points, *_), (dy, dx, _) in zip(layers, sprites, strict=True):
        x, y = np.rint(points).astype(np.intp).T
        x = np.clip(x, -rim - 1, width + rim) + pad
        y = np.clip(y, -rim - 1, height + rim) + pad
        centres = y * plane.shape[1] + x
        for offset in dy * plane.shape[1] + dx:
            number += 1
            flat[centres + offset] = number
    inks = np.vstack([np.zeros((1, 4)), *(ink for _, _, ink in sprites)])
    inks = inks.astype(np.float32)
    window = plane[pad : pad + height, pad : pad + width]
    lit = np.flatnonzero(window)
    chosen = inks[window.reshape(-1)[lit]]
    pixels = image.reshape(-1, 3)
    old = pixels[lit]
    pixels[lit] = old + chosen[:, 3:] * (chosen[:, :3] - old)


class ClassMarkers(CanvasObjectBase):
    """
    Markers of all detections of an image, of which those in view are drawn.

    Where they would hide an image that is shown small, the brightest detections of each
    part of it are drawn, and the labelled and selected ones.

    Parameters
    ----------
    x, y : (N,) array_like
        Positions, pixels, 0-based. Those that are not finite are not drawn.
    codes : (N,) int array_like
        Number of each detection's class in ``classes``.
    classes : sequence of str
        Names of the classes; the last is drawn first.
    brightness : (N,) array_like, optional
        What makes a detection go before others where markers crowd; by default their
        order.
    convention : {'colour-blind', 'report'}, optional
        Whose colours; see `astrosieve.classes.CONVENTIONS`.
    size : float, optional
        Factor on the size of the markers.

    Attributes
    ----------
    shown : (N,) bool `~numpy.ndarray`
        Which detections are drawn, where there is room.
    selected : (M,) int `~numpy.ndarray`
        Rows that have a ring around them.
    labelled : (N,) bool `~numpy.ndarray`
        Rows drawn with double strokes.
    """

    def __init__(
        self,
        x: np.ndarray,
        y: np.ndarray,
        codes: np.ndarray,
        classes: Sequence[str],
        *,
        brightness: np.ndarray | None = None,
        convention: str = 'colour-blind',
        size: float = 1.0,
        **kwargs: Any,
    ) -> None:
        self.kind = 'classmarkers'
        super().__init__(**kwargs)
        self.editable = False
        self.points = np.column_stack([x, y]).astype(np.float64)
        self.codes = np.asarray(codes)
        self.classes = tuple(classes)
        self.convention = convention
        self.size = float(size)
        self.shown = np.ones(len(self.points), dtype=bool)
        self.selected = np.empty(0, dtype=np.intp)
        self.labelled = np.zeros(len(self.points), dtype=bool)
        dimness = np.zeros(len(self.points)) if brightness is None else -brightness
        order = np.argsort(dimness, kind='stable')
        self._brightest_first = order[np.isfinite(self.points[order]).all(axis=1)]

    def get_llur(self) -> tuple[float, float, float, float]:
        """Return the box that holds all positions: x1, y1, x2, y2."""
        finite = self.points[np.isfinite(self.points).all(axis=1)]
        if not len(finite):
            return (0.0, 0.0, 0.0, 0.0)
        (x1, y1), (x2, y2) = finite.min(axis=0), finite.max(axis=0)
        return (float(x1), float(y1), float(x2), float(y2))

    def get_reference_pt(self) -> tuple[float, float]:
        """Return the middle of the box that holds all positions."""
        x1, y1, x2, y2 = self.get_llur()
        return ((x1 + x2) / 2, (y1 + y2) / 2)

    def radius(self, viewer: Any) -> float:
        """Return the radius of the markers at a viewer's scale, screen pixels."""
        scale = viewer.get_scale_max()
        x1, y1, x2, y2 = self.get_llur()
        apart = np.sqrt((x2 - x1) * (y2 - y1) / max(self.shown.sum(), 1)) / self.size
        room = _SMALL * scale * apart / _ROOM
        radius = np.clip(min(4 * scale, room), _SMALL, _LARGE)
        return float(np.round(radius * self.size * 2) / 2)

    def drawn(self, viewer: Any) -> np.ndarray:
        """Return the rows that have markers at a viewer's scale, in view or not."""
        scale = viewer.get_scale_max()
        rows = self._brightest_first[self.shown[self._brightest_first]]
        if scale >= _ALL or not len(rows):
            return rows
        scale /= self.size
        # Cells stay where they are when the image moves, and halve when it grows.
        side = 2.0 ** np.ceil(np.log2(2 * _ROOM / scale))
        most = int((side * scale / _ROOM) ** 2)
        column, line = np.floor(self.points[rows] / side).T
        cells = column + line * (np.ptp(column) + 1)
        order = np.argsort(cells, kind='stable')
        _, first, counts = np.unique(
            cells[order], return_index=True, return_counts=True
        )
        place = np.empty(len(rows), dtype=np.intp)
        place[order] = np.arange(len(rows)) - np.repeat(first, counts)
        kept = (place < most) | self.labelled[rows] | np.isin(rows, self.selected)
        return rows if kept.mean() > _NEARLY_ALL else rows[kept]

    def draw(self, viewer: Any) -> None:
        """Draw the markers that are in a viewer's window."""
        width, height = viewer.get_window_size()
        radius = self.radius(viewer)
        margin = 2 * radius
        rows = self.drawn(viewer)
        left_out = self.shown[self._brightest_first].sum() - len(rows)
        at = np.asarray(viewer.get_canvas_pt(self.points[rows]))[:, :2]
        with np.errstate(invalid='ignore'):
            inside = (at > -margin) & (at < np.array([width, height]) + margin)
        near = np.flatnonzero(inside.all(axis=1))
        rows, at = rows[near], at[near]
        if not len(rows):
            return
        layers = self._layers(rows, at, radius)
        _draw(viewer, self, layers)
        if left_out and width >= _WIDE:
            text = f'{left_out} faint detections without marker: zoom in to see them'
            note = Text(8, height - 8, text, color='white', coord='window', **_TEXT)
            note.initialize(None, viewer, self.logger)
            note.draw(viewer)

    def _layers(self, rows: np.ndarray, at: np.ndarray, radius: float) -> list[_Layer]:
        """Return what to draw: positions, shape, colour, radius, line width."""
        layers = []
        codes, labelled = self.codes[rows], self.labelled[rows]
        line = 1.2 if radius < 5 else 1.6
        for code in reversed(range(len(self.classes))):
            marker = CLASSES.marker(self.classes[code], self.convention)
            mine = codes == code
            for which, width in ((~labelled, line), (labelled, 2 * line)):
                points = at[mine & which]
                if len(points):
                    layers.append(
                        (points, marker.matplotlib, marker.color, radius, width)
                    )
        ring = at[np.isin(rows, self.selected)]
        if len(ring):
            layers.append((ring, 'o', _SELECTED, 1.7 * radius + 1, 1.8))
        return layers


def _draw(viewer: Any, shape: CanvasObjectBase, layers: Sequence[_Layer]) -> None:
    """Draw markers with a viewer's renderer."""
    renderer = viewer.renderer
    if isinstance(renderer, StandardPipelineRenderer) and not isinstance(
        renderer, VectorRenderMixin
    ):
        _paint(renderer, layers)
    else:
        _stroke(renderer.setup_cr(shape), layers)


def _paint(renderer: StandardPipelineRenderer, layers: Sequence[_Layer]) -> None:
    """Blend markers into the pixels of a renderer's surface."""
    image = np.array(renderer.get_surface_as_array(order='RGB'))
    _stamp(image, layers)
    order = renderer.get_rgb_order()
    surface = np.full((*image.shape[:2], len(order)), 255, dtype=np.uint8)
    for number, channel in enumerate('RGB'):
        surface[..., order.index(channel)] = image[..., number]
    renderer.render_image(surface, order, (0, 0))


def _stroke(context: Any, layers: Sequence[_Layer]) -> None:
    """Draw markers one by one, with a renderer that has no pixels of its own."""
    for points, shape, color, radius, width in layers:
        line = context.get_line(color, linewidth=width)
        strokes = _STROKES.get(shape)
        for x, y in points:
            if strokes is None:
                context.draw_circle(x, y, radius, line=line)
                continue
            for stroke in strokes:
                context.draw_path(
                    [(x + radius * dx, y + radius * dy) for dx, dy in stroke],
                    line=line,
                )


class ClassLegend(CompoundObject):
    """
    A list of classes with counts in the upper left corner of a window.

    Parameters
    ----------
    counts : dict of str to int
        Detections by class.
    convention : {'colour-blind', 'report'}, optional
        Whose colours.
    """

    def __init__(
        self, counts: Mapping[str, int], *, convention: str = 'colour-blind'
    ) -> None:
        self._layers: list[_Layer] = []
        lines = []
        for number, name in enumerate(CLASSES.ordered(counts)):
            marker = CLASSES.marker(name, convention)
            y = 20.0 + 20 * number
            place = np.array([[16.0, y]])
            self._layers.append((place, marker.matplotlib, marker.color, 6.0, 1.6))
            text = f'{name.replace("_", " ")}  {counts[name]}'
            lines.append(
                Text(30, y + 5, text, color=marker.color, coord='window', **_TEXT)
            )
        super().__init__(*lines)
        self.kind = 'classlegend'

    def draw(self, viewer: Any) -> None:
        """Draw the list in a viewer's window."""
        super().draw(viewer)
        if self._layers:
            _draw(viewer, self, self._layers)


def draw_classes(
    canvas: Any,
    catalog: Table,
    *,
    keep: Sequence[str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    convention: str = 'colour-blind',
    size: float = 1.0,
    legend: bool = False,
    tag: str = 'astrosieve-classes',
) -> ClassMarkers:
    """
    Put the classes of a catalogue on a ginga canvas.

    Parameters
    ----------
    canvas : ginga canvas
        For instance ``viewer.get_canvas()``, whatever the viewer's toolkit.
    catalog : `~astropy.table.Table`
        Of one chip, with ``x_centroid``, ``y_centroid`` and ``class_name``.
    keep : sequence of str, optional
        Classes to draw; by default all.
    thresholds : dict of str to float, optional
        By class, the least probability ``p_<class>`` of a detection that is drawn.
    convention : {'colour-blind', 'report'}, optional
        Whose colours: those of Okabe & Ito, or those of WFC3 ISR 2024-14, in
        which stars are green, cosmic rays red and spikes blue.
    size : float, optional
        Factor on the size of the markers.
    legend : bool, optional
        Whether to list the classes, with counts, in the upper left corner.
    tag : str, optional
        Tag of the canvas object; what the canvas has under it is replaced.

    Returns
    -------
    markers : `ClassMarkers`
        The object on the canvas.

    Examples
    --------
    >>> from astropy.io import fits
    >>> from ginga.misc.log import NullLogger
    >>> from ginga.pilw.ImageViewPil import CanvasView
    >>> from photutils.detection import DAOStarFinder
    >>> from astrosieve import classify_sources
    >>> from astrosieve.source.demo import demo_exposure
    >>> from astrosieve_plugins.ginga_classify.canvas import draw_classes
    >>> image = fits.getdata(demo_exposure(), 'SCI')
    >>> detections = DAOStarFinder(threshold=25, fwhm=1.8)(image)
    >>> table = classify_sources(image, detections, unit='electron')
    >>> viewer = CanvasView(NullLogger())
    >>> viewer.set_window_size(512, 512)
    >>> viewer.set_data(image)
    >>> markers = draw_classes(viewer.get_canvas(), table)
    >>> viewer.save_rgb_image_as_file('classes.png')
    """
    names = np.asarray(catalog['class_name'], dtype=str)
    classes = CLASSES.ordered(names.tolist())
    codes = np.array([classes.index(name) for name in names], dtype=np.int16)
    markers = ClassMarkers(
        fill_masked(catalog['x_centroid']),
        fill_masked(catalog['y_centroid']),
        codes,
        classes,
        brightness=detection_flux(catalog),
        convention=convention,
        size=size,
    )
    if keep is not None:
        markers.shown &= np.isin(names, list(keep))
    for name, threshold in (thresholds or {}).items():
        if f'p_{name}' in catalog.colnames:
            p = fill_masked(catalog[f'p_{name}'])
            markers.shown &= (names != name) | (p >= threshold)
    canvas.delete_object_by_tag(tag, redraw=False)
    canvas.delete_object_by_tag(f'{tag}-legend', redraw=False)
    canvas.add(markers, tag=tag, redraw=not legend)
    if legend:
        counts = Counter(names[markers.shown].tolist())
        canvas.add(ClassLegend(counts, convention=convention), tag=f'{tag}-legend')
    return markers
