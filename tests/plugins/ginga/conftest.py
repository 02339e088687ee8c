"""One reference viewer for all tests of plugins: Qt allows no second application."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _harness() -> Any:
    """Load the module beside this one; tests are no package."""
    path = Path(__file__).with_name('viewer.py')
    spec = importlib.util.spec_from_file_location('ginga_viewer', path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules['ginga_viewer'] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='session')
def session(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, pixels_model: Path
) -> Iterator[Any]:
    """The reference viewer; the plugins' settings name the hand-made networks."""
    folder = tmp_path_factory.mktemp('ginga')
    (folder / 'plugin_ClassifySources.cfg').write_text(f"model = '{tiny_model}'\n")
    (folder / 'plugin_ContaminantMask.cfg').write_text(
        f"model = '{pixels_model}'\nsave_folder = '{folder}'\n"
    )
    viewer = _harness().Viewer(folder)
    yield viewer
    viewer.quit()


@pytest.fixture
def viewer(session: Any) -> Iterator[Any]:
    """The reference viewer, one empty channel; nothing may be logged as an error."""
    session.clear()
    yield session
    errors = list(session.errors.texts)
    session.clear()
    assert errors == []
