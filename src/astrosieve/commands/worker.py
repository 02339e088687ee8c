"""The process of a worker: tasks on its standard input, what came of them out."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from queue import SimpleQueue
from typing import IO

from astrosieve.commands.base import ended_by_signals
from astrosieve.commands.work import Job, Task, packed


def _told(stream: IO[bytes], tasks: SimpleQueue[Task]) -> None:
    """Pass on tasks; end this process where nobody waits for it any more."""
    try:
        while True:
            tasks.put(pickle.load(stream))
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Do the tasks that come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    incoming, outgoing = os.fdopen(os.dup(0), 'rb'), os.fdopen(os.dup(1), 'wb')
    os.dup2(2, 1)  # what others print must not be taken for an answer
    sys.path[:], content = pickle.load(incoming)

    def send(content: bytes) -> None:
        outgoing.write(content)
        outgoing.flush()

    try:
        job: Job = pickle.loads(content)
    except Exception as error:  # whatever the modules of others raise
        text = f'{type(error).__name__}: {error}'
        send(pickle.dumps(f'a worker cannot load what is to be done ({text})'))
        return
    send(pickle.dumps(''))
    tasks: SimpleQueue[Task] = SimpleQueue()
    threading.Thread(target=_told, args=(incoming, tasks), daemon=True).start()
    with ended_by_signals(), job.begun():
        while True:
            task = tasks.get()
            said = [task.path.name]
            done = job.do(task, said.append)
            send(packed(done, said))


if __name__ == '__main__':
    main()
