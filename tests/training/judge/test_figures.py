"""Figures of a judgement."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip('matplotlib')

import matplotlib as mpl
from PIL import Image

from astrosieve.figures import line_styles
from astrosieve.models.metrics import Share
from astrosieve_training.judge.figures import draw_shares, figure_file


def test_figure_is_saved_when_all_went_well(tmp_path: Path) -> None:
    """Axes in rows and columns, as large as asked; settings are back afterwards."""
    path = tmp_path / 'new' / 'a.png'
    before = mpl.rcParams['font.size']
    with figure_file(path, rows=2, columns=3, size=(1, 1.5)) as (figure, axes):
        assert axes.shape == (2, 3)
        assert figure.get_size_inches().tolist() == [3, 3]
        axes[0, 0].plot([0, 1])
        assert not path.exists()
    with Image.open(path) as image:
        assert image.format == 'PNG'
        assert min(image.size) > 300
    assert mpl.rcParams['font.size'] == before


def test_nothing_is_left_of_a_figure_that_failed(tmp_path: Path) -> None:
    """An error while drawing leaves the old file."""
    path = tmp_path / 'a.png'
    path.write_bytes(b'old')
    with pytest.raises(RuntimeError), figure_file(path):
        raise RuntimeError
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_shares_are_drawn_with_their_intervals(tmp_path: Path) -> None:
    """A point for each, and bars from the lower end to the upper."""
    shares = [Share(0, 5), Share(3, 4), Share(9, 9)]
    with figure_file(tmp_path / 'a.png') as (_, axes):
        draw_shares(axes[0, 0], [1, 2, 3], shares, color='red')
        ((points, _, (bars,)),) = axes[0, 0].containers
    assert points.get_xydata().tolist() == [[1, 0], [2, 0.75], [3, 1]]
    for bar, share in zip(bars.get_segments(), shares, strict=True):
        assert bar[:, 1] == pytest.approx([share.low, share.high])


def test_a_thing_looks_the_same_in_every_panel(tmp_path: Path) -> None:
    """Also where one panel lacks another thing; no two look alike."""
    names = ['network', 'forest', 'bayes', 'forest', *'abcdefgh']
    styles = line_styles(names)
    assert list(styles) == list(dict.fromkeys(names))
    assert len({tuple(each.values()) for each in styles.values()}) == len(styles)
    with figure_file(tmp_path / 'a.png', columns=2) as (_, axes):
        for axis, shown in zip(axes[0], (names[:4], names[2:4]), strict=True):
            for name in shown:
                axis.plot([0, 1], label=name, **styles[name])
        left, right = (
            {line.get_label(): line.get_color() for line in axis.lines}
            for axis in axes[0]
        )
    assert right.items() <= left.items()
