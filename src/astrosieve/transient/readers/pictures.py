"""Candidates of pictures: differences in three bands as red, green and blue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from astrosieve.transient.candidates import Candidate, Order, as_planes
from astrosieve.transient.errors import StampError

__all__ = ['read_picture']

_WHITE = 255.0


def read_picture(path: Path, order: Order | None = None) -> Iterator[Candidate]:
    """Yield the one candidate of a PNG or JPEG, as ``read_candidates`` does."""
    try:
        from PIL import Image
    except ImportError as error:
        msg = f"{path}: pictures need Pillow: pip install 'astrosieve[pictures]'"
        raise StampError(msg) from error
    order = order or Order('bands')
    try:
        with Image.open(path) as picture:
            colours = picture.getbands()
            if max(picture.size) > 1024:
                wide, high = picture.size
                msg = f'{path}: {wide}x{high} pixels are no stamp of a candidate'
                raise StampError(msg)
            levels = np.asarray(picture.convert('RGB'), dtype=np.float32)
    except StampError:
        raise
    except Exception as error:  # what damaged pictures raise has no common base
        msg = f'{path}: not a readable picture ({" ".join(str(error).split())})'
        raise StampError(msg) from error
    if len(colours) < 3 and colours != ('P',):
        msg = f'{path}: a grey picture has one band; wanted are three'
        raise StampError(msg)
    planes = as_planes(levels, order)
    yield Candidate(path.name.partition('.')[0], planes, order.kind, white=_WHITE)
