"""A stream of candidates: each is scored once, and said."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astrosieve.commands.folders import State, file_states, settle
from astrosieve.exceptions import OutputError
from astrosieve.transient.by_object import combined
from astrosieve.transient.candidates import Candidate, Order
from astrosieve.transient.errors import StampError
from astrosieve.transient.readers import SUFFIXES, file_root, read_candidates
from astrosieve.transient.score import CHUNK, Scored, Scorer
from astrosieve.transient.store import Row, Store, rows_table

__all__ = ['FolderStream', 'Sink']

_TRIES = 2


@dataclass
class Sink:
    """
    What scores candidates, keeps the scores, and says them.

    Parameters
    ----------
    store : `~astrosieve.transient.store.Store`
        The scores.
    scorer : `~astrosieve.transient.score.Scorer`
        The network.
    report : callable
        Called with each candidate that was scored, a dict for JSON.
    by_object : bool
        Whether the dict has what the stamps of its object say together.
    known : dict of str to str
        Objects of candidates, by their ids, where stamps do not say them.
    """

    store: Store
    scorer: Scorer
    report: Callable[[dict[str, Any]], None]
    by_object: bool = False
    known: Mapping[str, str] = field(default_factory=dict)

    def take(
        self,
        candidates: list[tuple[Candidate, str]],
        files: Iterable[tuple[Path, State, int, str]] = (),
    ) -> int:
        """
        Score candidates that have no score yet, keep and say them.

        Parameters
        ----------
        candidates : list of tuple
            Candidates, and the file or message of each.
        files : iterable of tuple
            Files that are done with them, as for
            `~astrosieve.transient.store.Store.add`.

        Returns
        -------
        n : int
            How many were scored.
        """
        known = self.store.known([each.id for each, _ in candidates])
        new: dict[str, tuple[Candidate, str]] = {}
        for each, place in candidates:
            if each.id not in known:
                new.setdefault(each.id, (each, place))
        scored = self.scorer.score([each for each, _ in new.values()])
        self.store.add(self._rows(scored, [place for _, place in new.values()]), files)
        self.say()
        return len(new)

    def say(self) -> None:
        """Say what was scored and not said yet, also before a restart."""
        rows = self.store.unsaid()
        together = self._together(rows) if self.by_object and rows else {}
        for row in rows:
            event = {name: row[name] for name in row if name not in ('seq', 'said')}
            event['p'] = json.loads(row['p'])
            self.report(event | together.get(row['object'], {}))
        self.store.mark_said(rows)

    def _rows(self, scored: Scored, places: list[str]) -> Iterator[Row]:
        classes = self.scorer.card.classes
        model = f'{self.scorer.card.name} {self.scorer.card.version}'
        for k, (each, place) in enumerate(zip(scored.candidates, places, strict=True)):
            p = dict(zip(classes, map(_number, scored.p[k]), strict=True))
            yield {
                'id': each.id,
                'object': each.object or self.known.get(each.id, ''),
                'mjd': _number(each.mjd),
                'file': place,
                'p_real': _number(scored.p_real[k]),
                'class_name': scored.class_name[k],
                'p': json.dumps(p),
                'flags': int(scored.flags[k]),
                'reason': scored.reason(k),
                'model': model,
                'scored': time.time(),
            }

    def _together(self, rows: list[Row]) -> dict[str, dict[str, Any]]:
        """Return what all stamps of objects say, by object."""
        names = dict.fromkeys(row['object'] for row in rows if row['object'])
        if not names:
            return {}
        table = combined(rows_table(self.store.of_objects(names)), self.scorer)
        return {
            str(row['object']): {
                'object_n': int(row['n_scored']),
                'object_p_real': _number(row['p_real']),
                'object_class_name': str(row['class_name']),
            }
            for row in table
        }


def _number(value: float) -> float | None:
    """Return a number for JSON, None for NaN; of float32 no more digits than it has."""
    return None if math.isnan(value) else float(f'{value:.7g}')


@dataclass
class FolderStream:
    """
    A folder in which files of stamps arrive.

    Parameters
    ----------
    folder : `~pathlib.Path`
        The folder.
    sink : `Sink`
        What takes the candidates.
    trouble : callable
        Called with a file and what is wrong with it.
    order : `~astrosieve.transient.candidates.Order`, optional
        What the planes are.
    schema : object, optional
        Avro schema of packets that do not carry theirs.
    """

    folder: Path
    sink: Sink
    trouble: Callable[[Path, str], None]
    order: Order | None = None
    schema: Any = None
    _states: dict[Path, State] = field(default_factory=dict)
    _failed: dict[Path, int] = field(default_factory=dict)
    _done: set[tuple[str, int, int]] | None = None
    _said: str = ''

    def scan(self, *, wait: bool = False) -> int:
        """
        Score what has arrived.

        Parameters
        ----------
        wait : bool, optional
            Whether to wait until files have been the same for half a second, and to
            do with one look; else those that have changed since the last call are left
            for the next, and those that cannot be read have a second try.

        Returns
        -------
        failed : int
            How many files could not be read whole.
        """
        try:
            ready = self._ready(wait=wait)
            self.sink.say()
            failed = self._take(ready, tries=1 if wait else _TRIES)
        except (StampError, OutputError) as error:
            # A full disk, or a folder that is gone for a while, is said once.
            if str(error) != self._said:
                here = isinstance(error, StampError)
                self.trouble(self.folder if here else self.sink.store.path, str(error))
            self._said = str(error)
            return 1
        self._said = ''
        return failed

    def _ready(self, *, wait: bool) -> dict[Path, State]:
        """Return the files that are to be scored, having waited for them."""
        try:
            if wait:
                self._settled()
                settle()
            return self._settled()
        except OSError as error:
            msg = f'{self.folder}: cannot be read ({error.strerror or error})'
            raise StampError(msg) from error

    def _settled(self) -> dict[Path, State]:
        """Return the files that are not done, and were the same before."""
        if self._done is None:
            self._done = self.sink.store.files()
        before = self._states
        self._states = file_states(self.folder, SUFFIXES)
        ready = {}
        for path, state in self._states.items():
            if before.get(path) != state:
                self._failed.pop(path, None)
            elif (path.name, *state) not in self._done:
                ready[path] = state
        return ready

    def _take(self, ready: dict[Path, State], *, tries: int) -> int:
        """Score the candidates of files, many at once."""
        held: list[tuple[Candidate, str]] = []
        done: list[tuple[Path, State, int, str]] = []
        failed = 0
        for path, state in ready.items():
            n, problem = 0, ''
            try:
                for each in read_candidates(path, order=self.order, schema=self.schema):
                    held.append((each, path.name))
                    n += 1
                    if len(held) >= CHUNK:
                        self._flush(held, done)
            except StampError as error:
                problem = str(error)
                self._failed[path] = self._failed.get(path, 0) + 1
                failed += 1
                if self._failed[path] < tries:
                    continue  # it may still be written
                name = f'{file_root(path)}_{n}' if n else file_root(path)
                held.append((Candidate(name, None, problem=problem), path.name))
                self.trouble(path, problem)
            done.append((path, state, n, problem))
        self._flush(held, done)
        return failed

    def _flush(
        self,
        held: list[tuple[Candidate, str]],
        done: list[tuple[Path, State, int, str]],
    ) -> None:
        if held or done:
            self.sink.take(held, done)
        assert self._done is not None
        self._done |= {(path.name, *state) for path, state, _, _ in done}
        held.clear()
        done.clear()
