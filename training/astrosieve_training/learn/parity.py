"""Whether torch and onnxruntime say the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from astrosieve.exceptions import AstrosieveError

__all__ = [
    'TOLERANCE',
    'ExportError',
    'check_parity',
    'example_images',
    'parity_inputs',
]

TOLERANCE = 1e-5
"""Largest difference between torch and onnxruntime, of each row's largest logit."""


class ExportError(AstrosieveError, RuntimeError):
    """The exported network is not the trained one, or too large."""


def parity_inputs(
    shapes: Mapping[str, tuple[int, ...]],
    made: Callable[[np.random.Generator, int], Mapping[str, np.ndarray]] | None = None,
    n: int = 2048,
    *,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """
    Return inputs of different kinds, to compare two runtimes on.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Shape of a row of each input, as the preprocessing states them.
    made : callable, optional
        Takes a generator and the number of rows, and returns inputs that are not as
        those here.
    n : int, optional
        How many rows.
    seed : int, optional
        Of what is random in them.

    Returns
    -------
    inputs : dict of str to float32 `~numpy.ndarray`
        Those that ``made`` gives; images (c, ny, nx) as of `example_images`; other
        numbers are normal.
    """
    rng = np.random.default_rng(seed)
    inputs = dict(made(rng, n)) if made is not None else {}
    for name, shape in shapes.items():
        if name not in inputs:
            image = len(shape) == 3
            values = (
                example_images(rng, n, shape) if image else rng.normal(size=(n, *shape))
            )
            inputs[name] = values.astype(np.float32)
    return {name: inputs[name] for name in shapes}


def example_images(
    rng: np.random.Generator, n: int, shape: tuple[int, ...]
) -> np.ndarray:
    """
    Return images of six kinds.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        What is random in them.
    n : int
        How many.
    shape : tuple of int
        Planes, rows, columns.

    Returns
    -------
    images : (n, *shape) `~numpy.ndarray`
        In [0, 1]: flat ones, noise, round spots of all widths, tracks, single pixels,
        spots with half of the pixels filled.
    """
    planes, ny, nx = shape
    y, x = np.ogrid[:ny, :nx]
    y, x = y - ny // 2, x - nx // 2
    images = np.empty((n * planes, ny, nx))
    for i in range(len(images)):
        kind = i % 6
        image = rng.normal(0.1, 0.05, (ny, nx))
        if kind == 0:
            image = np.full((ny, nx), rng.random())
        elif kind == 1:
            image = rng.random((ny, nx))
        elif kind in (2, 5):
            dx, dy = rng.uniform(-0.5, 0.5, 2)
            sigma = rng.uniform(0.4, 3)
            image += np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / (2 * sigma**2))
        elif kind == 3:
            angle = rng.uniform(0, np.pi)
            distance = np.abs(x * np.sin(angle) - y * np.cos(angle))
            image += rng.random() * (distance < rng.uniform(0.4, 1.5))
        else:
            image[ny // 2, nx // 2] += rng.random()
        if kind == 5:
            image[:, : nx // 2] = 0.1
        images[i] = image.clip(0, 1)
    return images.reshape(n, planes, ny, nx)


def check_parity(
    expected: np.ndarray, actual: np.ndarray, *, tolerance: float = TOLERANCE
) -> float:
    """
    Compare the outputs of two runtimes.

    Parameters
    ----------
    expected, actual : (N, C, ...) `~numpy.ndarray`
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
    rest = tuple(range(1, expected.ndim))
    scale = np.abs(expected).max(axis=rest, initial=1.0, keepdims=True)
    difference = float((np.abs(expected - actual) / scale).max(initial=0.0))
    if not difference <= tolerance:
        msg = (
            f'torch and onnxruntime differ by up to {difference:.3g} on '
            f'{len(expected)} inputs, more than {tolerance:g}; nothing was exported. '
            'Try other versions of torch, onnxscript and onnxruntime'
        )
        raise ExportError(msg)
    return difference
