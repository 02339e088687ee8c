"""Inputs on which torch and onnxruntime are compared."""

from __future__ import annotations

import numpy as np

from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.learn.parity import example_images, parity_inputs

__all__ = ['inputs_of']


def inputs_of(preprocessing: str, n: int = 2048) -> dict[str, np.ndarray]:
    """
    Return inputs of different kinds.

    Parameters
    ----------
    preprocessing : str
        Name of the preprocessing.
    n : int, optional
        How many rows.

    Returns
    -------
    inputs : dict of str to float32 `~numpy.ndarray`
        Images in [0, 1]; up to ten thousand times as bright where there is more than
        one, as these are in units of the noise. Single numbers are widths of the PSF.
    """
    shapes = get_preprocessing(preprocessing).shapes
    images = [name for name, shape in shapes.items() if len(shape) == 3]

    def made(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
        if len(images) == 1:
            return {}
        brightness = 10 ** rng.uniform(0, 4, (n, 1, 1, 1))
        inputs = {}
        for name, shape in shapes.items():
            if name in images:
                pixels = example_images(rng, n, shape) * brightness
                inputs[name] = pixels.astype(np.float32)
            else:
                inputs[name] = rng.uniform(1.2, 5, (n, *shape)).astype(np.float32)
        return inputs

    return parity_inputs(shapes, made, n)
