"""Choice of the tests of training."""

from __future__ import annotations

import shutil

import pytest


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what needs a browser where there is none."""
    if shutil.which('chromium') is None:
        left_out = [item for item in items if 'browser' in item.keywords]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
