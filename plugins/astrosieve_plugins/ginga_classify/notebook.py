"""A classified catalogue over its image in a notebook, by Ginga's Jupyter widget."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike

from astrosieve.classes import words
from astrosieve.contaminant.classes import CLASSES as PIXEL_CLASSES
from astrosieve.contaminant.plotting import OPACITY, paint
from astrosieve.contaminant.segment import Contaminants
from astrosieve.images.background import measure_background
from astrosieve.images.measured import HandedOver
from astrosieve.source.classes import CLASSES
from astrosieve.source.flags import CLASS_FLAGS

try:
    import ipywidgets
    from ginga.canvas.types.image import Image
    from ginga.ColorDist import AsinhDist
    from ginga.misc.log import get_logger
    from ginga.RGBImage import RGBImage
    from ginga.web.jupyterw.ImageViewJpw import EnhancedCanvasView
except ImportError as error:
    msg = f"{__name__} needs {error.name}: pip install 'astrosieve[jupyter]'"
    raise ImportError(msg) from error

from astrosieve_plugins.ginga_classify.canvas import draw_classes

__all__ = ['ClassOverlay']

_CLASSES, _MAP = 'astrosieve-classes', 'astrosieve-map'
_LIMITS = (-2.0, 300.0)  # times the noise, what is black and what white
_STEEP = 100.0  # of the stretch: linear up to some three times the noise
_REACH = 12  # pixels of the screen between a click and the marker that is meant


class ClassOverlay(ipywidgets.HBox):
    """
    An image to pan and zoom, with classes and maps to switch.

    Parameters
    ----------
    data : 2D array_like, Quantity, `~astropy.nddata.NDData` or CCDData
        The image.
    catalog : `~astropy.table.Table`
        As from `~astrosieve.classify_sources`, of this image.
    contaminants : `~astrosieve.contaminant.Contaminants`, optional
        Its map.
    convention : {'colour-blind', 'report'}, optional
        Whose colours.
    width, height : int, optional
        Pixels of the screen of the image.

    Attributes
    ----------
    viewer : `ginga.web.jupyterw.ImageViewJpw.EnhancedCanvasView`
        Ginga's viewer, whose canvas may hold more.
    markers : `~astrosieve_plugins.ginga_classify.canvas.ClassMarkers`
        The markers; ``markers.selected`` is the row that was clicked.
    switches, layers : dict of str to `ipywidgets.Checkbox`
        By class, those of the markers and those of the map.

    Raises
    ------
    ValueError
        If ``data`` is no 2D image, or the map is of one of another shape.
    """

    def __init__(
        self,
        data: ArrayLike | Any,
        catalog: Table,
        contaminants: Contaminants | None = None,
        *,
        convention: str = 'colour-blind',
        width: int = 640,
        height: int = 560,
    ) -> None:
        pixels = HandedOver.of(data).data
        image = np.asarray(getattr(pixels, 'value', pixels), dtype=np.float32)
        if image.ndim != 2:
            msg = f'data must be a 2D image; got shape {image.shape}'
            raise ValueError(msg)
        if contaminants is not None and contaminants.mask.shape != image.shape:
            msg = (
                f'contaminants must be of the image, {image.shape}; got '
                f'{contaminants.mask.shape}'
            )
            raise ValueError(msg)
        self._catalog, self._map = catalog, contaminants
        self._names = np.asarray(catalog['class_name'], dtype=str)
        shown = ipywidgets.Image(format='png', width=width, height=height)
        self.viewer = EnhancedCanvasView(logger=get_logger('astrosieve', null=True))
        self.viewer.set_widget(shown)
        self.viewer.get_bindings().enable_all(True)
        self.viewer.set_data(image)
        self._stretch(image)
        canvas = self.viewer.get_canvas()
        self.markers = draw_classes(
            canvas, catalog, convention=convention, tag=_CLASSES
        )
        self.viewer.add_callback('cursor-down', self._clicked)
        self.switches = {
            name: self._switch(f'{name} ({np.sum(self._names == name)})', True)
            for name in CLASSES.ordered(self._names.tolist())
        }
        self.layers = {} if contaminants is None else self._layers(contaminants)
        for box in self.switches.values():
            box.observe(self._show_classes, 'value')
        for box in self.layers.values():
            box.observe(self._show_map, 'value')
        self._told = ipywidgets.HTML('Click a marker.')
        parts: list[Any] = [self._buttons(), *self.switches.values()]
        if self.layers:
            parts += [ipywidgets.HTML('<b>map</b>'), *self.layers.values()]
        super().__init__([shown, ipywidgets.VBox([*parts, self._told])])

    def _stretch(self, image: np.ndarray) -> None:
        """Let faint and bright show, as in the pictures."""
        sky = measure_background(image, spoilt=~np.isfinite(image))
        noise = sky.noise if sky.noise > 0 else 1.0
        colours = self.viewer.get_rgbmap()
        size = colours.get_hash_size()
        colours.set_dist(
            AsinhDist(size, factor=_STEEP, nonlinearity=np.arcsinh(_STEEP))
        )
        self.viewer.cut_levels(*(sky.level + noise * limit for limit in _LIMITS))

    def _layers(self, found: Contaminants) -> dict[str, Any]:
        held = [n for n in PIXEL_CLASSES.ordered(found.classes) if found.where(n).any()]
        return {name: self._switch(name, False) for name in held}

    def _switch(self, text: str, on: bool) -> Any:
        return ipywidgets.Checkbox(description=words(text), value=on, indent=False)

    def _buttons(self) -> Any:
        """Return what zooms; Ginga's keys and mouse do too."""
        actions = (
            ('−', self.viewer.zoom_out),
            ('+', self.viewer.zoom_in),
            ('fit', self.viewer.zoom_fit),
        )
        buttons = []
        for text, act in actions:
            button = ipywidgets.Button(description=text, layout={'width': '52px'})
            button.on_click(lambda _, act=act: act())
            buttons.append(button)
        return ipywidgets.HBox(buttons)

    def _show_classes(self, _change: Any) -> None:
        wanted = [name for name, box in self.switches.items() if box.value]
        self.markers.shown = np.isin(self._names, wanted)
        self.viewer.redraw(whence=3)

    def _show_map(self, _change: Any) -> None:
        assert self._map is not None
        canvas = self.viewer.get_canvas()
        canvas.delete_object_by_tag(_MAP, redraw=False)
        wanted = [name for name, box in self.layers.items() if box.value]
        opacity = {name: OPACITY.get(name, 0.8) for name in wanted}
        if opacity:
            colours = paint(self._map.mask, self._map.bits, opacity)
            picture = RGBImage()
            picture.set_data(np.rint(255 * colours).astype(np.uint8), order='RGBA')
            canvas.add(Image(0, 0, picture), tag=_MAP, redraw=False)
            canvas.lower_object_by_tag(_MAP, belowThis=_CLASSES, redraw=False)
        self.viewer.redraw(whence=2)

    def _clicked(self, viewer: Any, _button: Any, x: float, y: float) -> None:
        """Say what is known of the marker that was clicked."""
        away = np.hypot(*(self.markers.points - (x, y)).T)
        away = np.where(self.markers.shown, np.nan_to_num(away, nan=np.inf), np.inf)
        near = len(away) > 0 and away.min() * viewer.get_scale_max() < _REACH
        self.markers.selected = np.array([away.argmin()] if near else [], dtype=np.intp)
        self._told.value = self._said(int(away.argmin())) if near else 'Click a marker.'
        viewer.redraw(whence=3)

    def _said(self, row: int) -> str:
        found = self._catalog[row]
        p = {n[2:]: found[n] for n in self._catalog.colnames if n.startswith('p_')}
        lines = [
            f'<b>{found["id"]}: {self._names[row].replace("_", " ")}</b>',
            f'x {found["x_centroid"]:.2f}, y {found["y_centroid"]:.2f}',
            *(f'{name.replace("_", " ")} {value:.3f}' for name, value in p.items()),
        ]
        if 'class_flags' in self._catalog.colnames:
            lines.append(', '.join(CLASS_FLAGS.decode(found['class_flags'])))
        return '<br>'.join(lines)
