"""A small picture of why a detection has its class, drawn with Pillow alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from astrosieve.source.classes import CLASSES
from astrosieve.source.explain import Explanation

__all__ = ['explanation_picture', 'message_picture']

_BACKGROUND = '#1e1e1e'
_TEXT = '#e6e6e6'
_FAINT = '#9a9a9a'
_GAP = 6
_FOR, _AGAINST = np.array([222, 69, 53]), np.array([66, 133, 220])


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _grey(cutout: np.ndarray) -> np.ndarray:
    """Return a cutout as RGB: an inverse hyperbolic sine between its extremes."""
    shown = np.arcsinh(cutout.astype(float))
    low, high = np.nanmin(shown), np.nanmax(shown)
    level = (shown - low) / (high - low) if high > low else np.zeros_like(shown)
    grey = (255 * np.nan_to_num(level)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _signed(saliency: np.ndarray) -> np.ndarray:
    """Return a saliency map as RGB: red speaks for the class, blue against it."""
    limit = max(float(np.abs(saliency).max()), 1e-3)
    weight = np.abs(saliency)[..., None] / limit
    ink = np.where(saliency[..., None] > 0, _FOR, _AGAINST)
    return (30 + weight * (ink - 30)).astype(np.uint8)


def _tile(rgb: np.ndarray, side: int) -> Image.Image:
    """Return pixels enlarged, the first row at the bottom as on the sky."""
    image = Image.fromarray(np.ascontiguousarray(rgb[::-1]))
    return image.resize((side, side), Image.Resampling.NEAREST)


def explanation_picture(
    explanation: Explanation,
    probabilities: Mapping[str, float],
    *,
    title: str = '',
    convention: str = 'colour-blind',
    width: int = 390,
) -> Image.Image:
    """
    Draw cutouts as the network sees them, their saliency, and the probabilities.

    Parameters
    ----------
    explanation : `~astrosieve.source.explain.Explanation`
        As from `~astrosieve.source.explain.explain_source`.
    probabilities : dict of str to float
        By class, as the catalogue has them.
    title : str, optional
        Name of the detection.
    convention : {'colour-blind', 'report'}, optional
        Whose colours.
    width : int, optional
        Pixels.

    Returns
    -------
    picture : `~PIL.Image.Image`
    """
    views = explanation.views
    side = 66 if len(views) > 1 else 84
    across = (0, side + _GAP) if len(views) > 1 else (side + _GAP, 0)
    columns = max(len(views), 2)
    height = 36 + side + across[1] + _GAP
    height = max(height, 38 + 20 * len(probabilities))
    picture = Image.new('RGB', (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    draw.text((_GAP, 3), title, fill=_TEXT, font=_font(13))
    for column, view in enumerate(views):
        left = _GAP + column * (side + _GAP)
        caption = f'1/{view.scale} scale' if view.scale > 1 else 'cutout'
        draw.text((left, 20), caption, fill=_FAINT, font=_font(11))
        picture.paste(_tile(_grey(view.cutout), side), (left, 36))
        place = (left + across[0], 36 + across[1])
        picture.paste(_tile(_signed(view.saliency), side), place)
    if len(views) == 1:
        left = _GAP + side + _GAP
        draw.text((left, 20), 'saliency', fill=_FAINT, font=_font(11))
    left = 2 * _GAP + columns * (side + _GAP)
    _bars(draw, probabilities, explanation, convention, (left, 36, width - _GAP))
    draw.text((left, 20), 'probability', fill=_FAINT, font=_font(11))
    return picture


def _bars(
    draw: ImageDraw.ImageDraw,
    probabilities: Mapping[str, float],
    explanation: Explanation,
    convention: str,
    box: tuple[int, int, int],
) -> None:
    """Draw a bar for each probability between x = box[0] and box[2]."""
    left, y, right = box
    for name, p in probabilities.items():
        ink = CLASSES.marker(name, convention).color
        draw.rectangle((left, y + 2, right, y + 16), outline='#444444')
        draw.rectangle((left, y + 2, left + (right - left) * p, y + 16), fill=ink)
        text = f'{name.replace("_", " ")} {p:.3f}'
        draw.text(
            (left + 4, y + 2),
            text,
            fill='#ffffff',
            font=_font(11),
            stroke_width=2,
            stroke_fill='#000000',
        )
        y += 20


def message_picture(text: str, *, width: int = 390, height: int = 40) -> Image.Image:
    """
    Draw a text in place of an explanation.

    Parameters
    ----------
    text : str
        The text.
    width, height : int, optional
        Pixels.

    Returns
    -------
    picture : `~PIL.Image.Image`
    """
    picture = Image.new('RGB', (width, height), _BACKGROUND)
    draw = ImageDraw.Draw(picture)
    font = _font(12)
    lines, line = [], ''
    for word in text.split():
        longer = f'{line} {word}'.strip()
        if draw.textlength(longer, font=font) > width - 2 * _GAP:
            lines.append(line)
            longer = word
        line = longer
    draw.multiline_text((_GAP, 4), '\n'.join([*lines, line]), fill=_FAINT, font=font)
    return picture
