"""Tasks that are done by the workers of a Dask cluster."""

from __future__ import annotations

import hashlib
import pickle
import threading
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from astrosieve.commands.engines import Worker, content_of
from astrosieve.commands.work import Answer, Done, Job, Task
from astrosieve.exceptions import ModelIntegrityError, WorkerError
from astrosieve.machine import cores

__all__ = ['Cluster']

PATIENCE = 600.0
"""Seconds for a scheduler that is gone to come back."""

_CONNECT = 30.0  # seconds
_AGAIN = 2.0  # seconds between attempts
_GONE = (OSError, CancelledError)  # what Dask raises where the scheduler is gone
_mine = threading.local()


class Cluster:
    """
    The workers of a Dask cluster.

    Each thread of a worker has a process of its own, as on one machine: it opens its
    model once, ends where a task takes too long, and is replaced.

    Parameters
    ----------
    job : `~astrosieve.commands.work.Job`
        What is done; it must be possible to pickle it.
    address : str
        Of the scheduler, or the name of its JSON file.
    note : callable
        Says where the dashboard is, and that the scheduler is gone.
    time_limit : float, optional
        Seconds after which a task is given up.

    Raises
    ------
    WorkerError
        If Dask is not there, or what is done cannot be handed over.
    """

    def __init__(
        self,
        job: Job,
        address: str,
        note: Callable[[str], None],
        *,
        time_limit: float | None = None,
    ) -> None:
        try:
            import distributed
        except ImportError as error:
            msg = f"--scheduler needs {error.name}: pip install 'astrosieve[batch]'"
            raise WorkerError(msg) from error
        self._distributed = distributed
        self._told = (content_of(job), str(Path.cwd()), time_limit)
        self._address = address
        self._note = note

    def run(self, tasks: Sequence[Task]) -> Generator[Done, None, None]:
        """Do tasks; those that are lost with the scheduler once more."""
        left = {task.number: task for task in tasks}
        client = self._client(patience=0)
        self._note(f'dashboard: {client.dashboard_link}')
        while left:
            try:
                with client:
                    for done in _Round(self._distributed, client, self._told).run(left):
                        del left[done.number]
                        yield done
            except _GONE:
                self._note(f'the scheduler at {self._address} is gone; waiting for it')
                client = self._client(patience=PATIENCE)

    def _client(self, *, patience: float) -> Any:
        where = 'scheduler_file' if self._address.endswith('.json') else 'address'
        end = time.monotonic() + patience
        while True:
            try:
                return self._distributed.Client(
                    **{where: self._address}, timeout=_CONNECT, set_as_default=False
                )
            except (OSError, ValueError) as error:
                if time.monotonic() > end:
                    msg = f'no Dask scheduler answers at {self._address} ({error})'
                    raise WorkerError(msg) from error
            time.sleep(_AGAIN)


class _Round:
    """Tasks as long as the scheduler is there."""

    def __init__(
        self, distributed: Any, client: Any, told: tuple[bytes, str, float | None]
    ) -> None:
        self._client = client
        self._following = distributed.as_completed(loop=client.loop)
        self._killed = distributed.KilledWorker
        self._key = f'astrosieve-{uuid.uuid4().hex}'
        # The result of a task is made again where the workers that held it are lost.
        self._told = client.submit(_same, told, key=f'{self._key}-work')
        self._corrupt: set[str] = set()

    def run(self, left: dict[int, Task]) -> Generator[Done, None, None]:
        """Do tasks."""
        futures = {}
        for task in left.values():
            futures[self._submit(task)] = task
        try:
            for future in self._following:
                task = futures.pop(future)
                try:
                    address, done = future.result()
                except self._killed as error:
                    answer = Answer(error=WorkerError(f'{error}; left out'))
                    done = Done(task.number, answer)
                else:
                    others = self._others(address, done)
                    if others:
                        futures[self._submit(task, workers=others)] = task
                        continue
                yield done
        finally:
            self._client.cancel(list(futures))

    def _submit(self, task: Task, **where: Any) -> Any:
        key = f'{self._key}-{task.number}-{len(self._corrupt)}'
        future = self._client.submit(_do, self._told, task, key=key, **where)
        self._following.add(future)
        return future

    def _others(self, address: str, done: Done) -> list[str]:
        """Return who else can do a task, where a worker's model is damaged."""
        if not isinstance(done.error, ModelIntegrityError):
            return []
        self._corrupt.add(address)
        return sorted(set(self._client.nthreads()) - self._corrupt)


def _same(told: Any) -> Any:
    return told


def _do(told: tuple[bytes, str, float | None], task: Task) -> tuple[str, Done]:
    """Do a task in the process of this thread of a Dask worker."""
    from distributed import get_worker

    here = get_worker()
    content, cwd, time_limit = told
    digest = hashlib.sha256(pickle.dumps(told)).digest()
    if getattr(_mine, 'digest', None) != digest:
        if hasattr(_mine, 'worker'):
            _mine.worker.end()
        threads = max(cores() // here.state.nthreads, 1)
        _mine.worker = Worker(content, threads, time_limit, cwd=cwd)
        _mine.digest = digest
    try:
        return here.address, _mine.worker.do(task)
    except WorkerError as error:
        return here.address, Done(task.number, Answer(error=error))
