"""
Load: many exposures, classified in runs of one process and of several.

    python tests/benchmarks/load.py [--images 1000] [--shape 1024] [--jobs 1 2]
        [--page FILE]

Prints for each number of processes the rate and its ratio to that of one, the growth
of the largest process's memory per image, and the share of the time in which the
processes did no work on images. 16 exposures are simulated, seed 20, and stand under as
many names as are asked for. No other work should run meanwhile. ``--page
docs/many.md`` writes the table between its markers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from astropy.io import fits

from astrosieve.commands.runs.folder import read_log
from astrosieve_training.judge.report import replace_between

_DIFFERENT = 16
_FWHM = 2.0  # pixels
_EVERY = 0.5  # seconds between looks at memory
_WARM = 0.3  # share of the images after which memory should be flat


def simulate(path: Path, side: int, rng: np.random.Generator) -> None:
    """Write an exposure: sky, stars, hits of cosmic rays, in electrons."""
    image = rng.normal(50, 5, (side, side))
    reach = np.arange(-8, 9)
    for flux in rng.pareto(1.2, side * side // 2500) * 300:
        x, y = rng.uniform(9, side - 9, 2)
        i, j = int(x), int(y)
        core = [
            np.exp(-((reach - (at - int(at))) ** 2) * 4 * np.log(2) / _FWHM**2)
            for at in (y, x)
        ]
        star = np.outer(*core) * min(flux, 3e5) / (1.133 * _FWHM**2)
        image[j - 8 : j + 9, i - 8 : i + 9] += star
    hits = rng.integers(0, side, (2, side * side // 2000))
    image[tuple(hits)] += rng.exponential(1500, hits.shape[1])
    hdu = fits.ImageHDU(image.astype(np.float32), name='SCI')
    hdu.header['BUNIT'] = 'ELECTRONS'
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)


@dataclass(frozen=True)
class Measured:
    """What a run took."""

    jobs: int
    images: int
    seconds: float
    work: float
    growth: float

    def row(self, one: Measured) -> str:
        """Return a line of the table."""
        rate = self.images / self.seconds
        idle = 1 - self.work / (self.jobs * self.seconds)
        return (
            f'| {self.jobs} | {60 * rate:.1f} | '
            f'{rate / (one.images / one.seconds):.2f} | {self.growth / 1000:.1f} | '
            f'{100 * idle:.1f} % |'
        )


def _memory(process: int) -> dict[int, int]:
    """Return the resident bytes of a process and its children."""
    found = {}
    for status in Path('/proc').glob('[0-9]*/status'):
        try:
            lines = dict(
                line.split(':', 1)
                for line in status.read_text().splitlines()
                if ':' in line
            )
        except OSError:  # gone meanwhile
            continue
        number = int(status.parent.name)
        if process in (number, int(lines['PPid'])) and 'VmRSS' in lines:
            found[number] = 1024 * int(lines['VmRSS'].split()[0])
    return found


def measure(images: list[Path], jobs: int, folder: Path) -> Measured:
    """Classify exposures in a run, and look at it meanwhile."""
    listed = folder / 'images.txt'
    listed.write_text('\n'.join(map(str, images)))
    run = folder / f'run-{jobs}'
    words = ['classify', f'@{listed}', '--run', str(run), '--jobs', str(jobs), '-q']
    seen: list[tuple[int, dict[int, int]]] = []
    with subprocess.Popen(
        [sys.executable, '-c', 'from astrosieve.cli import main; main()', *words],
        env=os.environ,
    ) as process:
        while process.poll() is None:
            done = len(list((run / 'rows').glob('*/rows.parquet')))
            seen.append((done, _memory(process.pid)))
            time.sleep(_EVERY)
    if process.returncode:
        raise SystemExit(process.returncode)
    events = list(read_log(run))
    times = [datetime.fromisoformat(each['time']) for each in events]
    work = sum(each.get('seconds', 0) for each in events)
    return Measured(
        jobs, len(images), (times[-1] - times[0]).total_seconds(), work,
        _growth(seen, len(images), jobs),
    )  # fmt: skip


def _growth(seen: list[tuple[int, dict[int, int]]], n: int, jobs: int) -> float:
    """Return the bytes by which the process that grows most grows per image of its."""
    late = [(done, memory) for done, memory in seen if _WARM * n < done < n]
    slopes = []
    for process in {number for _, memory in late for number in memory}:
        pairs = [(d / jobs, memory[process]) for d, memory in late if process in memory]
        if len(pairs) > 2 and pairs[-1][0] > pairs[0][0]:
            slopes.append(np.polyfit(*zip(*pairs, strict=True), 1)[0])
    return max(slopes, default=float('nan'))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition('\n')[0])
    parser.add_argument('--images', type=int, default=1000)
    parser.add_argument('--shape', type=int, default=1024)
    parser.add_argument('--jobs', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--page', type=Path)
    asked = parser.parse_args()
    rng = np.random.default_rng(20)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = []
        for k in range(min(_DIFFERENT, asked.images)):
            kinds.append(folder / f'kind{k}.fits')
            simulate(kinds[-1], asked.shape, rng)
        images = [folder / f'image{k:05}.fits' for k in range(asked.images)]
        for k, image in enumerate(images):
            image.symlink_to(kinds[k % len(kinds)])
        found = [measure(images, jobs, folder) for jobs in asked.jobs]
    lines = [
        f'{asked.images} images of {asked.shape}x{asked.shape} pixels:',
        '',
        '| processes | images/min | ratio | kB/image | not at work |',
        '| ---: | ---: | ---: | ---: | ---: |',
        *(each.row(found[0]) for each in found),
    ]
    print('\n'.join(lines))
    if asked.page:
        replace_between(asked.page, 'load', lines)


if __name__ == '__main__':
    main()
