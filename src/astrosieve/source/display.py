"""How a classified catalogue shows itself in a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike

from astrosieve.classes import CONVENTIONS, UNSCORED
from astrosieve.images.measured import HandedOver
from astrosieve.images.stretch import brightest, grey
from astrosieve.pages import encoded, grey_png
from astrosieve.pages.snippets import SIDE, beside, table, text
from astrosieve.source.classes import CLASSES
from astrosieve.tables.catalogs import fill_masked
from astrosieve.tables.coordinate_files import detection_flux

__all__ = ['ClassView', 'view_classes']

_MARKS = 3_000  # that are drawn, the brightest
_SIZE = 5.0  # pixels of the screen from the middle of a marker to its edge
_SHAPES = {
    'x': 'M-1-1L1 1M-1 1L1-1',
    'D': 'M0-1.2L1.2 0L0 1.2L-1.2 0Z',
    's': 'M-1-1H1V1H-1Z',
    '+': 'M-1.2 0H1.2M0-1.2V1.2',
    '1': 'M0 0V1.2M0 0L-1-.6M0 0L1-.6',
    '.': 'M-.3 0A.3.3 0 1 1 .3 0A.3.3 0 1 1-.3 0Z',
    'o': 'M-1 0A1 1 0 1 1 1 0A1 1 0 1 1-1 0Z',
}
"""Outlines of markers, by what matplotlib calls them; others are circles."""


@dataclass(frozen=True, eq=False, repr=False)
class ClassView:
    """
    A classified catalogue over its image, as notebooks show it.

    Parameters
    ----------
    image : 2D `~numpy.ndarray`
        Pixels.
    catalog : `~astropy.table.Table`
        With ``x_centroid``, ``y_centroid`` and ``class_name``.
    convention : str
        Whose colours, see `astrosieve.classes.CONVENTIONS`.
    """

    image: np.ndarray
    catalog: Table
    convention: str = 'colour-blind'

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            CLASSES.marker(UNSCORED, self.convention)  # says which there are

    @property
    def counts(self) -> dict[str, int]:
        """Detections by class."""
        names = self.catalog['class_name'].tolist()
        return {name: names.count(name) for name in CLASSES.ordered(names)}

    def __repr__(self) -> str:
        ny, nx = self.image.shape
        counted = ', '.join(f'{n} {name}' for name, n in self.counts.items())
        return f'<ClassView {nx}x{ny} pixels: {counted or "no detections"}>'

    def _repr_html_(self) -> str:
        rows = [
            (
                '<svg width="16" height="16" viewBox="-8 -8 16 16" style="background:'
                f'#2a3038;border-radius:3px">{self._mark(name, 0, 0)}</svg>',
                text(name),
                str(number),
            )
            for name, number in self.counts.items()
        ]
        said = f'{len(self.catalog)} detections'
        model = self.catalog.meta.get('model')
        if model:
            said += f', {text(model)}'
        if len(self.catalog) > _MARKS:
            said += f'; the brightest {_MARKS} are drawn'
        warned = self.catalog.meta.get('warnings')
        parts = [said, table(rows), text(warned)] if warned else [said, table(rows)]
        return beside(self._picture(), *parts)

    def _picture(self) -> str:
        """Return the image with its markers, as SVG, y upwards."""
        ny, nx = self.image.shape
        longest = max(ny, nx)
        scale, step = SIDE / longest, max(1, -(-longest // (2 * SIDE)))
        levels = grey(brightest(self.image, step))
        png = encoded(grey_png(np.nan_to_num(255 * levels[::-1]).astype(np.uint8)))
        width, height = scale * nx, scale * ny
        # The blocks at the far edges reach beyond the image.
        high = scale * levels.shape[0] * step
        wide = scale * levels.shape[1] * step
        names = np.asarray(self.catalog['class_name'], dtype=str)
        x, y = (
            scale * (fill_masked(self.catalog[name]) + 0.5)
            for name in ('x_centroid', 'y_centroid')
        )
        marks = ''.join(
            self._mark(names[i], x[i], height - y[i])
            for i in self._brightest()
            if np.isfinite(x[i] + y[i])
        )
        return (
            f'<svg viewBox="0 0 {width:.1f} {height:.1f}" style="width:100%;'
            'height:auto;background:#000" role="img" aria-label="the image, with a '
            'marker for each detection">'
            f'<image href="data:image/png;base64,{png}" x="0" '
            f'y="{height - high:.1f}" width="{wide:.1f}" height="{high:.1f}" '
            f'style="image-rendering:pixelated"/>{marks}</svg>'
        )

    def _brightest(self) -> np.ndarray:
        """Return the rows that are drawn."""
        flux = detection_flux(self.catalog)
        if flux is None or len(self.catalog) <= _MARKS:
            return np.arange(len(self.catalog))[:_MARKS]
        return np.argsort(-np.nan_to_num(flux), kind='stable')[:_MARKS]

    def _mark(self, name: str, x: float, y: float) -> str:
        marker = CLASSES.marker(name, self.convention)
        outline = _SHAPES.get(marker.matplotlib, _SHAPES['o'])
        fill = marker.color if marker.matplotlib == '.' else 'none'
        return (
            f'<path d="{outline}" fill="{fill}" stroke="{marker.color}" '
            'stroke-width="1.3" vector-effect="non-scaling-stroke" '
            f'transform="translate({x:.1f} {y:.1f})scale({_SIZE:g})"/>'
        )


def view_classes(
    data: ArrayLike | u.Quantity | Any,
    catalog: Table,
    *,
    convention: str = 'colour-blind',
) -> ClassView:
    """
    Show a classified catalogue over its image, in a notebook.

    What is returned as the last value of a cell is a picture, which stays in the
    notebook and needs neither matplotlib nor a running kernel.

    Parameters
    ----------
    data : 2D array_like, Quantity, `~astropy.nddata.NDData` or CCDData
        The image.
    catalog : `~astropy.table.Table`
        As from `~astrosieve.classify_sources`, of this image.
    convention : {'colour-blind', 'report'}, optional
        Whose colours: those of Okabe & Ito, or those of WFC3 ISR 2024-14.

    Returns
    -------
    view : `ClassView`

    Raises
    ------
    TypeError, ValueError
        If ``data`` is no 2D image, or there is no such convention.
    """
    pixels = HandedOver.of(data).data
    image = np.asarray(getattr(pixels, 'value', pixels), dtype=np.float32)
    if image.ndim != 2:
        msg = f'data must be a 2D image; got shape {image.shape}'
        raise ValueError(msg)
    return ClassView(image, catalog, convention)
