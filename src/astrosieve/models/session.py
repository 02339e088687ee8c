"""An onnxruntime session that opens late, can be copied, and runs in chunks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np

from astrosieve.exceptions import ModelIntegrityError
from astrosieve.machine import threads as threads_here

__all__ = ['CHUNK_SIZE', 'OnnxSession']

# onnxruntime reports its use to its maker, unless told otherwise before its import.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')

CHUNK_SIZE = 256
"""Rows per run: small chunks stay in the cache and bound the memory."""


class OnnxSession:
    """
    A network, opened when it is first run.

    Parameters
    ----------
    read : callable
        Returns the verified bytes of the ONNX file. It travels with copies and
        pickles, and is asked again where they are first run.
    name : str
        What messages call the network.
    threads : int, optional
        Chunks that are run at once; by default OMP_NUM_THREADS, else as many as there
        are cores. A small network gains more from this than from threads of
        onnxruntime's own.
    """

    def __init__(
        self, read: Callable[[], bytes], *, name: str, threads: int | None = None
    ) -> None:
        self._read = read
        self._name = name
        self._threads = threads
        self._lock = threading.Lock()
        self._session: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {
            'read': self._read,
            'name': self._name,
            'threads': self._threads,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def _open(self) -> Any:
        with self._lock:
            if self._session is None:
                import onnxruntime

                options = onnxruntime.SessionOptions()
                options.log_severity_level = 3
                options.intra_op_num_threads = 1
                options.enable_mem_pattern = False  # takes half as much again
                content = self._read()
                try:
                    self._session = onnxruntime.InferenceSession(
                        content, options, providers=['CPUExecutionProvider']
                    )
                except Exception as error:  # onnxruntime has no common base
                    reason = ' '.join(str(error).split())
                    msg = f'{self._name}: not a usable ONNX network ({reason})'
                    raise ModelIntegrityError(msg) from error
            return self._session

    def run(
        self,
        inputs: dict[str, np.ndarray],
        *,
        chunk_size: int = CHUNK_SIZE,
        on_chunk: Callable[[], None] | None = None,
    ) -> np.ndarray:
        """
        Run the network on all rows.

        Parameters
        ----------
        inputs : dict of str to `~numpy.ndarray`
            Arrays of N rows, by name of the input.
        chunk_size : int, optional
            Rows per run. The result does not depend on it.
        on_chunk : callable, optional
            Called after each run, in the thread of the caller; what it raises ends
            the rest.

        Returns
        -------
        logits : (N, C, ...) float32 `~numpy.ndarray`
        """
        if chunk_size < 1:
            msg = f'chunk_size must be at least 1; got {chunk_size}'
            raise ValueError(msg)
        session = self._open()
        n_rows = len(next(iter(inputs.values())))

        def run_chunk(start: int) -> np.ndarray:
            rows = slice(start, start + chunk_size)
            chunk = {key: value[rows] for key, value in inputs.items()}
            try:
                logits: np.ndarray = session.run(['logits'], chunk)[0]
            except MemoryError:
                raise
            except Exception as error:  # onnxruntime has no common base
                reason = ' '.join(str(error).split())
                msg = f'{self._name}: the network cannot be run ({reason})'
                raise ModelIntegrityError(msg) from error
            return logits

        starts = range(0, n_rows, chunk_size)
        threads = min(self._threads or threads_here(), len(starts))
        parts = []
        with ThreadPoolExecutor(threads) if threads > 1 else nullcontext() as pool:
            run_each: Callable[..., Iterator[np.ndarray]] = pool.map if pool else map
            for logits in run_each(run_chunk, starts):
                parts.append(logits)
                if on_chunk is not None:
                    on_chunk()
        if not parts:
            sizes = session.get_outputs()[0].shape[1:]
            shape = (n if isinstance(n, int) else 0 for n in sizes)
            return np.empty((0, *shape), dtype=np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
