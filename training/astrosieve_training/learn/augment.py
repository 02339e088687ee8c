"""Augmentation."""

from __future__ import annotations

import numpy as np


def turned(
    inputs: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """
    Return each row's images in one of the eight orientations, all the same.

    Parameters
    ----------
    inputs : dict of str to `~numpy.ndarray`
        Arrays of N rows; of those (N, C, size, size) each row is turned. Maps of the
        truth are turned alike where they are among them.
    rng : `~numpy.random.Generator`
        Draws the orientations.

    Returns
    -------
    turned : dict of str to `~numpy.ndarray`
    """
    kind = rng.integers(8, size=len(next(iter(inputs.values()))))
    turned = dict(inputs)
    for name, images in inputs.items():
        if images.ndim != 4:
            continue
        turned[name] = np.empty_like(images)
        for number in range(8):
            part = np.rot90(images[kind == number], number % 4, axes=(2, 3))
            turned[name][kind == number] = part[..., ::-1] if number >= 4 else part
    return turned
