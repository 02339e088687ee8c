"""
Mutants of files, read by workers: no crash, no hang, no hunger, one kind of error.

    python tests/fuzz/mutants.py [--mutants 100000] [--seed 0] [--only KIND]

Each reader of files is given files of its kind in which bytes, lines and blocks were
changed, by a generator that the seed and the mutant's number make. A reader returns, or
raises one of the package's errors; within 10 s and 2 GB. What does otherwise is printed
with its number, and written to ``mutants/``; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from astrosieve.commands.engines import Workers
from astrosieve.commands.work import Answer, Job, Task
from astrosieve.exceptions import AstrosieveError
from astrosieve.images.exposures import read_chips
from astrosieve.machine import cores
from astrosieve.models.cards import ModelCard
from astrosieve.source.labels import make_labels, read_labels, write_labels
from astrosieve.tables.catalogs import positions, read_catalog
from astrosieve.transient.readers import read_candidates
from astrosieve_plugins.pypeit_frames import write_types

SECONDS, MEMORY = 10.0, 2 * 2**30
_WORDS = (
    b'\xff\xff\xff\xff', b'\0\0\0\0', b'-1', b'99999999999', b'nan', b'1e400', b"'",
    b'"', b'<', b'{', b'[', b'\n', b'%s', b'../', b'\xed\xa0\x80',
)  # fmt: skip


def _table(format: str) -> bytes:
    rng = np.random.default_rng(1)
    x, y = rng.random((2, 20))
    rows = Table({'id': np.arange(20), 'x_centroid': x, 'y_centroid': y})
    rows.meta['note'] = 'seed'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'seed'
        rows.write(path, format=format)
        return path.read_bytes()


def _exposure() -> bytes:
    hdus = [fits.PrimaryHDU()]
    for name, kind in (('SCI', np.float32), ('ERR', np.float32), ('DQ', np.int16)):
        hdus.append(fits.ImageHDU(np.ones((20, 30), kind), name=name, ver=1))
    hdus[1].header.update({'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN', 'BUNIT': 'DN'})
    content = io.BytesIO()
    fits.HDUList(hdus).writeto(content)
    return content.getvalue()


def _packed() -> bytes:
    pixels = np.random.default_rng(3).normal(100, 5, (40, 30))
    hdus = [fits.PrimaryHDU()]
    for extver, kind in enumerate(('RICE_1', 'GZIP_2', 'HCOMPRESS_1'), 1):
        whole = pixels.astype(np.int16)
        hdu = fits.CompImageHDU(whole, compression_type=kind, name='SCI')
        hdu.ver = extver
        hdus.append(hdu)
    content = io.BytesIO()
    fits.HDUList(hdus).writeto(content)
    return content.getvalue()


def _stamps() -> bytes:
    content = io.BytesIO()
    planes = np.ones((4, 3, 21, 21), np.float32)
    np.savez(content, stamps=planes, id=np.arange(4))
    return content.getvalue()


def _packets() -> bytes:
    import fastavro

    stamp = {'type': 'record', 'name': 'stamp', 'fields': [
        {'name': 'fileName', 'type': 'string'}, {'name': 'stampData', 'type': 'bytes'},
    ]}  # fmt: skip
    schema = {'type': 'record', 'name': 'alert', 'fields': [
        {'name': 'candid', 'type': 'long'}, {'name': 'cutoutScience', 'type': stamp},
    ]}  # fmt: skip
    content = io.BytesIO()
    cutout = {'fileName': 'a.fits', 'stampData': _exposure()}
    fastavro.writer(content, schema, [{'candid': 1, 'cutoutScience': cutout}])
    return content.getvalue()


def _labels() -> bytes:
    rng = np.random.default_rng(2)
    rows = make_labels('a_flc.fits', 1, rng.random((20, 2)), ['star', 'spike'] * 10)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'seed.ecsv'
        write_labels(rows, path)
        return path.read_bytes()


def _pypeit() -> bytes:
    rows = ''.join(f'| b{n}.fits | arc,tilt | {n}.0 |\n' for n in range(9))
    head = 'setup read\n Setup A:\nsetup end\n\ndata read\n path /data\n'
    return f'{head}| filename | frametype | exptime |\n{rows}data end\n'.encode()


def _card() -> bytes:
    return (Path(__file__).parents[1] / 'data' / 'tiny.json').read_bytes()


def _read_table(path: Path) -> None:
    positions(read_catalog(path))


def _read_pypeit(path: Path) -> None:
    write_types(path, Table({'file': ['b1.fits'], 'frame_type': ['bias']}))


def _read_card(path: Path) -> None:
    ModelCard.from_json(path.read_text(encoding='utf-8', errors='replace'), source='x')


KINDS: dict[str, tuple[str, Callable[[], bytes], Callable[[Path], object]]] = {
    'fits': ('.fits', _exposure, lambda path: list(read_chips(path))),
    'fits-packed': ('.fits.fz', _packed, lambda path: list(read_chips(path))),
    'ecsv': ('.ecsv', lambda: _table('ascii.ecsv'), _read_table),
    'csv': ('.csv', lambda: _table('ascii.csv'), _read_table),
    'votable': ('.vot', lambda: _table('votable'), _read_table),
    'fits-table': ('.fits', lambda: _table('fits'), _read_table),
    'npz': ('.npz', _stamps, lambda path: list(read_candidates(path))),
    'card': ('.json', _card, _read_card),
    'labels': ('.ecsv', _labels, read_labels),
    'pypeit': ('.pypeit', _pypeit, _read_pypeit),
}
"""Suffix, a file that is well, and its reader."""
if find_spec('fastavro') is not None:
    KINDS['avro'] = ('.avro', _packets, lambda path: list(read_candidates(path)))


@cache
def _seed_file(kind: str) -> bytes:
    return KINDS[kind][1]()


def mutant(kind: str, seed: int, number: int) -> bytes:
    """Return a file in which some things were changed."""
    rng = np.random.default_rng([seed, *kind.encode(), number])
    content = bytearray(_seed_file(kind))
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(max(len(content), 1)))
        size = int(min(rng.geometric(0.05), 2880))
        match rng.integers(6):
            case 0:
                content[at : at + 1] = bytes([rng.integers(256)])
            case 1:
                word = _WORDS[rng.integers(len(_WORDS))]
                content[at : at + len(word)] = word
            case 2:
                del content[at : at + size]
            case 3:
                other = int(rng.integers(max(len(content), 1)))
                content[at:at] = content[other : other + size]
            case 4:
                del content[at:]
            case 5:
                content[at : at + size] = rng.bytes(size)
    return bytes(content)


@dataclass(frozen=True)
class Fuzz:
    """Reads mutants of one kind, some at a time."""

    seed: int
    some: int

    def read(self, path: Path, first: int, say: Callable[[str], None]) -> Answer:
        """Read mutants from a number on; return what went wrong, and how often not."""
        kind = path.name
        suffix, _, read = KINDS[kind]
        _limit_memory()
        wrong = []
        for number in range(first, first + self.some):
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter('ignore')
                file = Path(folder) / f'mutant{suffix}'
                file.write_bytes(mutant(kind, self.seed, number))
                try:
                    read(file)
                except AstrosieveError:
                    pass
                except Exception as error:
                    wrong.append((number, f'{type(error).__name__}: {error}'))
        return Answer(result=wrong)


def _limit_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def hunt(
    mutants: int, seed: int, kinds: list[str], *, jobs: int, some: int = 50
) -> list[tuple[str, int, str]]:
    """Return the mutants that were read badly: kind, number, and how."""
    each = -(-mutants // len(kinds) // some)
    plan = [(kind, some * k) for k in range(each) for kind in kinds]
    tasks = [Task(n, Path(kind), first) for n, (kind, first) in enumerate(plan)]
    bad = []
    # Some are read in one task: one that hangs takes their time, and is then sought.
    workers = Workers(Job(Fuzz(seed, some).read), jobs, time_limit=SECONDS + 0.5 * some)
    lost = []
    for done in workers.run(tasks):
        kind, first = plan[done.number]
        if done.error is not None:
            lost += [(kind, first + k) for k in range(some)]
        bad += [(kind, number, text) for number, text in done.answer.result or []]
    single = [Task(n, Path(kind), first) for n, (kind, first) in enumerate(lost)]
    if single:
        alone = Workers(Job(Fuzz(seed, 1).read), jobs, time_limit=SECONDS)
        for done in alone.run(single):
            if done.error is not None:
                bad.append((*lost[done.number], str(done.error)))
    return sorted(bad)


def main() -> None:
    """Hunt, and tell what was found."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition('\n')[0])
    parser.add_argument('--mutants', type=int, default=100_000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', choices=sorted(KINDS))
    parser.add_argument('--jobs', type=int, default=cores())
    asked = parser.parse_args()
    kinds = [asked.only] if asked.only else sorted(KINDS)
    bad = hunt(asked.mutants, asked.seed, kinds, jobs=asked.jobs)
    for kind, number, text in bad:
        folder = Path('mutants')
        folder.mkdir(exist_ok=True)
        file = folder / f'{kind}-{asked.seed}-{number}{KINDS[kind][0]}'
        file.write_bytes(mutant(kind, asked.seed, number))
        print(f'{file}: {" ".join(text.split())[:300]}')
    counts = json.dumps(Counter(kind for kind, _, _ in bad))
    print(f'{asked.mutants} mutants of {", ".join(kinds)}; read badly: {counts}')
    sys.exit(bool(bad))


if __name__ == '__main__':
    from mutants import main  # as the workers know it

    main()
