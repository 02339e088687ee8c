"""
Time to draw 50,000 markers in the reference viewer of ginga, without a screen.

Run with ``python -m pytest tests/benchmarks``; not among the pass/fail tests.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

pytest.importorskip('ginga')
pytest.importorskip('PySide6')
pytestmark = [
    pytest.mark.filterwarnings('ignore::DeprecationWarning'),
    pytest.mark.filterwarnings('ignore::ResourceWarning'),
]

from ginga.AstroImage import AstroImage  # noqa: E402

from astrosieve.source.classes import CLASSES  # noqa: E402
from astrosieve.tables.catalogs import write_catalog  # noqa: E402

N = 50_000
SIDE = 4096


@pytest.fixture(scope='module')
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The reference viewer of the tests of the plugin."""
    path = Path(__file__).parents[1] / 'plugins' / 'ginga' / 'viewer.py'
    spec = importlib.util.spec_from_file_location('ginga_viewer', path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules['ginga_viewer'] = module
    spec.loader.exec_module(module)
    viewer = module.Viewer(tmp_path_factory.mktemp('ginga'))
    yield viewer
    viewer.quit()


@pytest.fixture(scope='module')
def plugin(viewer: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The plugin on an image of 4096x4096 pixels; its catalogue is a file."""
    rng = np.random.default_rng(50)
    image = AstroImage(
        data_np=rng.normal(0, 5, (SIDE, SIDE)).astype(np.float32),
        logger=viewer.fv.logger,
    )
    image.set(name='large')
    viewer.show(image)
    p = rng.dirichlet(np.ones(len(CLASSES)), N).astype(np.float32)
    table = Table(
        {
            'id': np.arange(1, N + 1),
            'x_centroid': rng.uniform(0, SIDE - 1, N),
            'y_centroid': rng.uniform(0, SIDE - 1, N),
            'class_name': np.array(CLASSES)[p.argmax(axis=1)],
            **{f'p_{name}': p[:, i] for i, name in enumerate(CLASSES)},
        }
    )
    path = tmp_path_factory.mktemp('catalog') / 'large.fits'
    write_catalog(table, path)
    plugin = viewer.start()
    plugin.catalog = path
    return plugin


def drawn(plugin: Any, work: Callable[[], object]) -> float:
    """Return the time from an action to the picture that follows it."""
    ready: list[float] = []

    def note(*_: Any) -> None:
        ready.append(time.perf_counter())

    plugin.view.add_callback('redraw', note)
    start = time.perf_counter()
    work()
    while not ready:
        plugin.viewer.fv.update_pending(timeout=0.001)
    plugin.viewer.fv.update_pending(timeout=0.0)
    end = time.perf_counter()
    plugin.view.remove_callback('redraw', note)
    plugin.viewer.rest(0.4)
    return end - start


def test_first_show(plugin: Any) -> None:
    """From the catalogue at hand to markers, counts and table: below 2 s."""
    plugin.load(plugin.catalog)
    review = plugin.review
    assert review is not None, plugin.status
    assert plugin.shown == N
    plugin.desk.show(None)
    seconds = drawn(plugin, lambda: plugin.desk.show(review))
    print(f'\nfirst show of {N} markers: {seconds:.3f} s')
    assert seconds < 2


def test_threshold_and_pan(plugin: Any) -> None:
    """A slider's step and a pan, at three scales: median below 0.3 s."""
    slider = plugin.w.slider['star'].get_widget()
    medians = {}
    for scale in (None, 0.5, 2.0):
        if scale is None:
            plugin.view.zoom_fit()
        else:
            plugin.view.scale_to(scale, scale)
        plugin.viewer.rest(0.3)
        slides, pans = [], []
        for step in range(1, 8):
            value = slider.value() + (5 if step % 2 else -5)
            slides.append(drawn(plugin, lambda value=value: slider.setValue(value)))
            x = SIDE / 2 + 40 * step
            pans.append(drawn(plugin, lambda x=x: plugin.view.panset_xy(x, SIDE / 2)))
        name = 'fit' if scale is None else f'{scale:g}'
        medians[name] = statistics.median(slides), statistics.median(pans)
        print(f'\nscale {name}: threshold {medians[name][0]:.3f} s, ', end='')
        print(f'pan {medians[name][1]:.3f} s')
    assert max(max(pair) for pair in medians.values()) < 0.3
