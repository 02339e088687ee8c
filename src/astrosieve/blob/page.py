"""The page of a day of the watch: one file of HTML that needs no other."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from astrosieve.blob.difference import Difference
from astrosieve.blob.frames import SIDES
from astrosieve.pages import encoded, grey_png

__all__ = ['difference_png', 'watch_page']

_SHADES = 4.0  # standard deviations of the noise from grey to black or white
_SPARK = (160, 36)  # size of the picture of a history, pixels

_STYLE = """
:root { color-scheme: light dark; --paper: #f5f6f8; --panel: #fff; --ink: #1c2127;
  --soft: #59636e; --line: #d5dae0; --new: #d1242f; --old: #0b63c4; }
@media (prefers-color-scheme: dark) { :root { --paper: #0b0f14; --panel: #161c24;
  --ink: #e6eaef; --soft: #9aa6b3; --line: #2c3642; --new: #ff6b60; --old: #5aa9ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 16px; background: var(--paper);
  color: var(--ink); font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 28px 0 8px; }
h3 { font-size: 15px; margin: 0 0 6px; overflow-wrap: anywhere; }
p { margin: 0 0 8px; } .soft { color: var(--soft); }
section.image { display: grid; grid-template-columns: minmax(0, 1.5fr) minmax(0, 1fr);
  gap: 14px; background: var(--panel); border: 1px solid var(--line);
  border-radius: 8px; padding: 12px; margin: 0 0 14px; }
figure { margin: 0; position: relative; }
figure img { display: block; width: 100%; border-radius: 4px; }
figure svg { position: absolute; inset: 0; width: 100%; height: 100%; }
circle { fill: none; stroke-width: 2px; vector-effect: non-scaling-stroke; }
.new { stroke: #ff3b30; } .old { stroke: #3d9bff; }
svg text { font: 600 34px sans-serif; fill: #fff; stroke: #000; stroke-width: 7px;
  paint-order: stroke; }
.card { display: flex; gap: 10px; border-top: 1px solid var(--line); padding: 8px 0; }
.card img { width: 96px; height: 96px; flex: none; image-rendering: pixelated;
  border-radius: 4px; }
.scroll { overflow-x: auto; background: var(--panel); border: 1px solid var(--line);
  border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 5px 10px; border-top: 1px solid var(--line);
  white-space: nowrap; } th { color: var(--soft); font-weight: 600; border: 0; }
td.text, th.text { text-align: left; } .spark polyline { fill: none;
  stroke: var(--old); stroke-width: 1.5; } .spark circle { fill: var(--old);
  stroke: none; } b.fresh { color: var(--new); }
@media (max-width: 760px) { section.image { grid-template-columns: minmax(0, 1fr); } }
"""


def difference_png(difference: Difference) -> bytes:
    """
    Return a difference as a PNG of half its size, blobs dark, as on the detector.

    Parameters
    ----------
    difference : `~astrosieve.blob.difference.Difference`
        The difference.

    Returns
    -------
    content : bytes
        Grey where nothing has changed, from -4 to 4 standard deviations of the noise
        of a pixel; white where nothing is known.
    """
    ny, nx = (n // 2 for n in difference.data.shape)
    blocks = difference.data[: 2 * ny, : 2 * nx].reshape(ny, 2, nx, 2)
    known = np.isfinite(blocks)
    total = np.where(known, blocks, 0).sum(axis=(1, 3))
    number = known.sum(axis=(1, 3))
    reach = _SHADES * max(difference.noise, 1e-6) / 2  # of the mean of four
    levels = 0.5 - total / np.maximum(number, 1) / (2 * reach)
    levels[number == 0] = 1
    # Few shades: noise that no eye sees would make most of the file.
    shades = np.rint(np.clip(levels, 0, 1) * 31) * (255 / 31)
    return grey_png(shades[::-1].astype(np.uint8))


def watch_page(records: Sequence[dict[str, Any]], day: str, pictures: Path) -> str:
    """
    Return the page of a day.

    Parameters
    ----------
    records : sequence of dict
        All of the log.
    day : str
        'YYYY-MM-DD', UTC.
    pictures : `~pathlib.Path`
        Folder of the pictures of differences.

    Returns
    -------
    page : str
        HTML: the images of the day, newest first, with differences, circles and
        saliency; then the history of all blobs.
    """
    images = [each for each in records if each['kind'] == 'image']
    today = [each for each in images if _day(each['logged']) == day][::-1]
    new = [blob for each in today for blob in each.get('blobs', ()) if blob['new']]
    searched = sum(each['status'] == 'searched' for each in today)
    word = 'blob' if len(new) == 1 else 'blobs'
    parts = [
        f'<h1>Blob monitor, {day}</h1>',
        f'<p>{len(today)} images, {searched} of them searched; '
        f'<b class="{"fresh" if new else ""}">{len(new)} new {word}</b>. '
        '<span class="soft">Blobs are dark, as on the detector; red circles are new, '
        'blue ones were seen before.</span></p>',
        *(_section(each, pictures) for each in today if each['status'] == 'searched'),
    ]
    others = [each for each in today if each['status'] != 'searched']
    if others:
        names = ', '.join(html.escape(each['file']) for each in others)
        parts.append(f'<p class="soft">References only: {names}</p>')
    parts += ['<h2>All blobs</h2>', _history(images)]
    body = '\n'.join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>Blob monitor, {day}</title><style>{_STYLE}</style></head>\n'
        f'<body>\n{body}\n</body></html>\n'
    )


def _day(seconds: float) -> str:
    return time.strftime('%Y-%m-%d', time.gmtime(seconds))


def _section(image: dict[str, Any], pictures: Path) -> str:
    """Return an image with circles, and what is known of its blobs."""
    side = SIDES[0]
    circles = []
    for blob in image['blobs']:
        x, y, radius = blob['x'], side - 1 - blob['y'], max(2 * blob['radius'], 12)
        kind = 'new' if blob['new'] else 'old'
        circles.append(
            f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
        )
        if blob['new']:
            right = x + radius + 60 > side
            at = x - radius - 4 if right else x + radius + 4
            anchor = 'end' if right else 'start'
            circles.append(
                f'<text x="{at:.0f}" y="{y + 12:.0f}" text-anchor="{anchor}">'
                f'{blob["id"]}</text>'
            )
    picture = pictures / image['picture']
    drawn = f'<img alt="difference" src="{_png(picture.read_bytes())}">'
    cards = ''.join(_card(blob) for blob in image['blobs'] if blob['new'])
    seen = sum(not blob['new'] for blob in image['blobs'])
    if seen:
        cards += f'<p class="soft">{seen} more that were seen before</p>'
    if not image['blobs']:
        cards += '<p>No blob.</p>'
    facts = (
        f'{image["n_references"]} references; level {image["level"]:.3g}, noise '
        f'{100 * image["noise"]:.2g} %; mirror shifted by '
        f'({image["shift_x"]:+.2f}, {image["shift_y"]:+.2f}) pixels'
    )
    warned = image.get('warnings')
    warned = f'<p class="soft">{html.escape(warned)}</p>' if warned else ''
    return (
        f'<section class="image"><figure>{drawn}<svg viewBox="0 0 {side} {side}">'
        f'{"".join(circles)}</svg></figure><div><h3>{html.escape(image["file"])}</h3>'
        f'<p class="soft">{facts}</p>{warned}{cards}</div></section>'
    )


def _png(content: bytes) -> str:
    return f'data:image/png;base64,{encoded(content)}'


def _card(blob: dict[str, Any]) -> str:
    """Return what is known of a new blob, with its saliency."""
    picture = ''
    if blob.get('saliency'):
        picture = (
            '<img alt="saliency" title="what it was found by: white counts most" '
            f'src="data:image/png;base64,{blob["saliency"]}">'
        )

    def number(name: str, digits: int, scale: float = 1, unit: str = '') -> str:
        error = blob.get(f'{name}_err')
        text = f'{scale * blob[name]:.{digits}f}'
        return f'{text}{f" ± {scale * error:.{digits}f}" if error else ""}{unit}'

    return (
        f'<div class="card">{picture}<div><b class="fresh">Blob {blob["id"]}</b><br>'
        f'x {number("x", 1)}, y {number("y", 1)}<br>'
        f'radius {number("radius", 1)} pixels<br>depth {number("depth", 1, 100, " %")}'
        f'<br>p = {blob["p_blob"]:.3f}, subframe {blob["subframe"]}</div></div>'
    )


def _history(images: Sequence[dict[str, Any]]) -> str:
    """Return a table of all blobs, each with its depths from image to image."""
    seen: dict[int, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for image in images:
        for blob in image.get('blobs', ()):
            seen.setdefault(blob['id'], []).append((image, blob))
    if not seen:
        return '<p>None yet.</p>'
    rows = []
    for number, pairs in sorted(seen.items(), reverse=True):
        first, blob = pairs[0]
        depths = [100 * each['depth'] for _, each in pairs]
        rows.append(
            f'<tr><td>{number}</td><td class="text">{html.escape(first["file"])}</td>'
            f'<td>{_date(first["mjd"])}</td><td>{blob["x"]:.1f}</td>'
            f'<td>{blob["y"]:.1f}</td><td>{blob["radius"]:.1f}</td>'
            f'<td>{np.median(depths):.1f}</td><td>{blob["p_blob"]:.3f}</td>'
            f'<td>{len(pairs)}</td><td>{_spark(depths)}</td></tr>'
        )
    head = ''.join(
        f'<th{" class=text" if name == "first seen in" else ""}>{name}</th>'
        for name in (
            *('blob', 'first seen in', 'date', 'x', 'y', 'radius', 'depth %', 'p'),
            *('images', 'depth from image to image'),
        )
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _date(mjd: float | None) -> str:
    # MJD 40587 is the first day of Unix time.
    return '' if mjd is None else _day((mjd - 40587) * 86400)


def _spark(depths: Sequence[float]) -> str:
    """Return a line through depths, from zero upwards."""
    width, height = _SPARK
    top = max(*depths, 1e-6) if len(depths) > 1 else max(depths[0], 1e-6)
    n = max(len(depths) - 1, 1)
    at = [
        (4 + k * (width - 8) / n, height - 4 - depth / top * (height - 8))
        for k, depth in enumerate(depths)
    ]
    points = ' '.join(f'{x:.1f},{y:.1f}' for x, y in at)
    x, y = at[-1]
    return (
        f'<svg class="spark" width="{width}" height="{height}" role="img">'
        f'<polyline points="{points}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3"/></svg>'
    )
