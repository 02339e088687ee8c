"""Whether torch and onnxruntime say the same."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from astrosieve_training.learn.export import ExportError

__all__ = ['TOLERANCE', 'check_parity', 'parity_inputs']


TOLERANCE = 1e-5
"""Largest difference between torch and onnxruntime, of each row's largest logit."""


def parity_inputs(
    shapes: Mapping[str, tuple[int, ...]], n: int = 2048, *, seed: int = 0
) -> dict[str, np.ndarray]:
    """
    Return inputs of different kinds, to compare two runtimes on.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Shape of a row of each input, as the preprocessing states them.
    n : int, optional
        How many rows.
    seed : int, optional
        Of what is random in them.

    Returns
    -------
    inputs : dict of str to float32 `~numpy.ndarray`
        Images (1, size, size) in [0, 1]: flat ones, noise, stars of all widths,
        tracks, single pixels, images with half their pixels filled; up to ten
        thousand times as bright where there is more than one image, as these are
        in units of the noise. Single numbers are widths of the PSF.
    """
    rng = np.random.default_rng(seed)
    images = [name for name, shape in shapes.items() if len(shape) == 3]
    brightness = 10 ** rng.uniform(0, 4, n) if len(images) > 1 else np.ones(n)
    inputs = {}
    for name, shape in shapes.items():
        if name in images:
            pixels = _parity_images(shape[-1], n, rng)
            inputs[name] = (pixels * brightness[:, None, None, None]).astype(np.float32)
        else:
            inputs[name] = rng.uniform(1.2, 5, (n, *shape)).astype(np.float32)
    return inputs


def _parity_images(size: int, n: int, rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - size // 2
    cutouts = np.empty((n, 1, size, size))
    for i in range(n):
        kind = i % 6
        image = rng.normal(0.1, 0.05, (size, size))
        if kind == 0:
            image = np.full((size, size), rng.random())
        elif kind == 1:
            image = rng.random((size, size))
        elif kind in (2, 5):
            dx, dy = rng.uniform(-0.5, 0.5, 2)
            sigma = rng.uniform(0.4, 3)
            image += np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / (2 * sigma**2))
        elif kind == 3:
            angle = rng.uniform(0, np.pi)
            distance = np.abs(x * np.sin(angle) - y * np.cos(angle))
            image += rng.random() * (distance < rng.uniform(0.4, 1.5))
        else:
            image[size // 2, size // 2] += rng.random()
        if kind == 5:
            image[:, : size // 2] = 0.1
        cutouts[i, 0] = image.clip(0, 1)
    return cutouts


def check_parity(
    expected: np.ndarray, actual: np.ndarray, *, tolerance: float = TOLERANCE
) -> float:
    """
    Compare the outputs of two runtimes.

    Parameters
    ----------
    expected, actual : (N, C) `~numpy.ndarray`
        Logits.
    tolerance : float, optional
        Largest difference that passes.

    Returns
    -------
    difference : float
        The largest, in units of the row's largest logit where that is above 1.

    Raises
    ------
    ExportError
        If they differ by more, in shape, or are not finite.
    """
    if expected.shape != actual.shape:
        msg = f'torch gives {expected.shape} logits, onnxruntime {actual.shape}'
        raise ExportError(msg)
    scale = np.abs(expected).max(axis=1, initial=1.0, keepdims=True)
    difference = float((np.abs(expected - actual) / scale).max(initial=0.0))
    if not difference <= tolerance:
        msg = (
            f'torch and onnxruntime differ by up to {difference:.3g} on '
            f'{len(expected)} cutouts, more than {tolerance:g}; nothing was exported. '
            'Try other versions of torch, onnxscript and onnxruntime'
        )
        raise ExportError(msg)
    return difference
