"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--run-slow', action='store_true', help='run the complete checks of minutes'
    )


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    if config.getoption('--run-slow'):
        return
    skip = pytest.mark.skip(reason='slow; run with --run-slow')
    for item in items:
        if 'slow' in item.keywords:
            item.add_marker(skip)


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
