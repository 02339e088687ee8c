"""Types of frames in collections of ccdproc."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

import astrosieve_plugins.ccdproc_frames as plugin
from astrosieve.exceptions import AstrosieveWarning
from astrosieve.frametype import FrameError


def _typed(path: str, model: str) -> list[SimpleNamespace]:
    """Stand in for the network: by name; one file is broken."""
    if 'broken' in path:
        msg = f'{path}: the file is truncated'
        raise FrameError(msg)
    return [SimpleNamespace(frame_type=Path(path).stem)]


@pytest.mark.ccdproc
def test_column_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collection filters by it; a broken frame is unknown, with a warning."""
    import ccdproc

    for name in ('arc', 'bias', 'broken'):
        fits.PrimaryHDU(np.ones((20, 20))).writeto(tmp_path / f'{name}.fits')
    monkeypatch.setattr(plugin, 'classify_file', _typed)
    collection = ccdproc.ImageFileCollection(tmp_path)
    for _ in range(2):
        with pytest.warns(AstrosieveWarning, match='truncated'):
            plugin.add_frame_types(collection)
    assert collection.summary['frame_type'].tolist() == ['arc', 'bias', 'unknown']
    assert list(collection.files_filtered(frame_type='arc')) == ['arc.fits']
