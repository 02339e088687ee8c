"""Pictures of classes over images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

pytest.importorskip('matplotlib')

from matplotlib.figure import Figure

from astrosieve.figures import save_figure
from astrosieve.images.mosaic import Place
from astrosieve.images.stretch import brightest, grey
from astrosieve.source.classes import CLASSES
from astrosieve.source.plotting import draw_overlay, overlay_figure


def make_table(n: int, shape: tuple[int, int], seed: int = 0) -> Table:
    """Return detections of all classes in an image."""
    rng = np.random.default_rng(seed)
    return Table(
        {
            'x_centroid': rng.uniform(0, shape[1] - 1, n),
            'y_centroid': rng.uniform(0, shape[0] - 1, n),
            'class_name': np.resize([*CLASSES, 'unscored'], n),
        }
    )


def noise(shape: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(1).normal(100, 5, shape).astype(np.float32)


def sizes(figure: Figure) -> list[float]:
    """Return the sizes of the markers, of a picture 1000 wide."""
    longest = 72 * max(figure.get_size_inches())
    return [
        float(1000 * each.get_sizes()[0] ** 0.5 / longest)
        for each in figure.axes[0].collections
    ]


def test_grey_levels() -> None:
    """Black is two sigma below the sky, white 300 above; NaN stays."""
    image = noise((200, 200))
    image[3, 4], image[5, 6], image[7, 8] = 1e6, np.nan, -1e6
    levels = grey(image)
    assert levels.dtype == np.float32
    assert levels[3, 4] == 1
    assert np.isnan(levels[5, 6])
    assert levels[7, 8] == 0
    sky = np.arcsinh(2 / 3) / (np.arcsinh(100) + np.arcsinh(2 / 3))
    assert np.nanmedian(levels) == pytest.approx(sky, abs=0.005)
    image[7, 8] = np.inf
    assert np.nanmax(grey(image, 4)) == 1
    assert np.isnan(grey(np.full((4, 4), np.nan))).all()


def test_a_hit_stays_in_a_reduced_image() -> None:
    """Each block is its brightest pixel; those at the far edges are smaller."""
    image = np.zeros((7, 10))
    image[6, 9], image[1, 3], image[0, 0] = 5, 7, np.nan
    reduced = brightest(image, 3)
    assert reduced.shape == (3, 4)
    assert (reduced[2, 3], reduced[0, 1]) == (5, 7)
    assert np.isfinite(reduced).all()
    assert brightest(image, 1) is image


@pytest.mark.parametrize(('n', 'least', 'most'), [(300, 7, 12), (30_000, 2.5, 4)])
def test_markers_of_a_full_frame(n: int, least: float, most: float) -> None:
    """They are seen in the picture, and do not hide each other where they crowd."""
    frame = Place((64, 64), 64)  # as wide as 4096 pixels
    figure = overlay_figure(
        [noise((64, 64))], [make_table(n, (64, 64))], ['a'], [frame]
    )
    assert max(figure.get_size_inches()) * figure.dpi > 1500
    found = sizes(figure)
    assert len(found) == len(CLASSES) + 1
    assert least < found[0] < most


def test_chips_lie_in_their_places() -> None:
    """Markers and names too; the picture is as wide as all of them."""
    shape = (40, 60)
    places = [Place(shape), Place(shape, 2j, -10 + 3j), Place(shape, -1, 200, True)]
    tables = [make_table(7, shape, seed) for seed in range(3)]
    titles = ['first', 'second', 'third']
    figure = overlay_figure([noise(shape)] * 3, tables, titles, places)
    (axes,) = figure.axes
    z = [np.asarray(t['x_centroid']) + 1j * np.asarray(t['y_centroid']) for t in tables]
    wanted = [place(each) for place, each in zip(places, z, strict=True)]
    offsets = np.concatenate([each.get_offsets() for each in axes.collections])
    found = {(round(x, 6), round(y, 6)) for x, y in offsets}
    assert found == {
        (round(p.real, 6), round(p.imag, 6)) for each in wanted for p in each
    }
    assert [text.get_text() for text in axes.texts] == titles
    assert axes.get_xlim() == pytest.approx((-89, 200.5))
    for picture, place in zip(axes.images, places, strict=True):
        left, right, low, high = picture.get_extent()
        matrix = picture.get_transform() - axes.transData
        corners = matrix.transform(
            [(left, low), (right, low), (right, high), (left, high)]
        )
        assert corners[:, 0] + 1j * corners[:, 1] == pytest.approx(place.corners)


def test_what_lies_outside_is_not_drawn() -> None:
    """Nor what is nowhere; the legend counts it all the same."""
    table = make_table(7, (40, 60))
    table['x_centroid'][0], table['y_centroid'][1] = -3, np.nan
    figure = overlay_figure([noise((40, 60))], [table], ['a'])
    assert sum(len(each.get_offsets()) for each in figure.axes[0].collections) == 5
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[:2] == ['star (1)', 'cosmic ray (1)']
    assert labels[-1] == 'unscored (1)'


@pytest.mark.parametrize('shapes', [[(400, 400)], [(100, 900)], [(300, 100)] * 2])
def test_the_legend_covers_nothing(shapes: list[tuple[int, int]]) -> None:
    """It stands below the image and what is written about it."""
    images = [noise(shape) for shape in shapes]
    tables = [make_table(50, shape) for shape in shapes]
    figure = overlay_figure(images, tables, ['a name'] * len(shapes))
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    legend = figure.legends[0].get_window_extent(renderer)
    assert legend.y1 <= figure.axes[0].get_tightbbox(renderer).y0 + 1
    assert 0.03 < legend.width / figure.bbox.width < 1.01


def test_nothing_to_draw(tmp_path: Path) -> None:
    """An image without detections is a picture without a legend."""
    figure = overlay_figure([noise((30, 40))], [make_table(0, (30, 40))], ['a'])
    assert not figure.legends
    save_figure(figure, tmp_path / 'a.pdf')
    assert (tmp_path / 'a.pdf').read_bytes().startswith(b'%PDF')


def test_several_images_on_given_axes() -> None:
    """Without places they are one above the other."""
    figure = Figure()
    axes = figure.subplots()
    shapes = [(30, 40), (20, 40)]
    draw_overlay(axes, [noise(s) for s in shapes], [make_table(7, s) for s in shapes])
    assert axes.get_ylim()[0] < -20
    assert axes.get_ylim()[1] == 29.5
    assert len(axes.images) == 2
