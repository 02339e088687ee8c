"""The plugin in a real window, under a virtual X server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('ginga')
pytest.importorskip('PySide6')

from PIL import Image

from astrosieve.source.classes import CLASSES


@pytest.mark.xvfb
def test_picture_under_xvfb(tmp_path: Path) -> None:
    """The window shows markers in their colours, and nothing is logged as an error."""
    script = Path(__file__).with_name('screenshot.py')
    path = tmp_path / 'picture.png'
    screen = ('xvfb-run', '-a', '-s', '-screen 0 1600x1000x24')
    done = subprocess.run(
        [*screen, sys.executable, str(script), str(path)],
        env={**os.environ, 'QT_QPA_PLATFORM': 'xcb'},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    image = np.array(Image.open(path).convert('RGB')).astype(int)
    assert image.shape == (950, 1500, 3)
    for name, least in (('star', 500), ('cosmic_ray', 500), ('extended', 100)):
        color = CLASSES.marker(name, 'colour-blind').color
        wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(image - wanted).max(axis=-1) < 12).sum() > least, name
