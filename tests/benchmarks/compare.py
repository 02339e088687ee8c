"""
What astrosieve costs beside other programs, on the same images in the same run.

    python tests/benchmarks/compare.py [--repeats 5] [--peers FOLDER] [--page FILE]

Each pair is run in turns on one thread, after once to open what it opens. Seconds are
those of the processor, in this process and in those that it starts; of the ratios of
the turns the median is told, the lowest and the highest. FOLDER holds environments of
other networks, as ``astrosieve-train contaminant peers`` makes them; those that are not
there are left out. ``--page docs/many.md`` writes the tables between their markers.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import astroscrappy
import numpy as np
from astropy.nddata import Cutout2D
from load import simulate
from photutils.detection import DAOStarFinder

from astrosieve import (
    classify_frame,
    classify_sources,
    find_blobs,
    score_transients,
    segment_contaminants,
)
from astrosieve.images.cutouts import extract_cutouts
from astrosieve.images.exposures import read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.machine import BLAS_THREADS
from astrosieve.source.exposures import classify_exposure
from astrosieve.source.finders import detect
from astrosieve_training.contaminant.peers.finders import peer_finders
from astrosieve_training.judge.report import replace_between
from astrosieve_training.simulate.cameras import load_camera
from astrosieve_training.simulate.exposure import simulate_exposure

SEED = 5_100_000  # of exposures that no network learnt from
FULL, SIDE, STAMP = (2051, 4096), 1024, 63  # pixels
N_CUTOUTS, CUTOUT = 10_000, 21
DETECTIONS = 100, 1_000, 10_000, 100_000, 300_000
SIDES = 512, 1024, 2048, 4096
FILES = 1, 10, 100
ONE_THREAD = {
    'OMP_NUM_THREADS': '1',
    'TF_NUM_INTRAOP_THREADS': '1',
    'TF_NUM_INTEROP_THREADS': '1',
    **BLAS_THREADS,
}
CLASSIFY = 'from astrosieve.cli import main; main()'
WATCH = """
import os, subprocess, sys
process = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=sys.stderr)
_, status, used = os.wait4(process.pid, 0)
print(used.ru_maxrss)
sys.exit(bool(status))
"""  # a small process: what it starts counts the memory of who starts it
BEGIN = """
import onnxruntime
import astrosieve.source.command
import astrosieve_plugins.photutils_finder
"""
FIND = """
import sys
from astropy.io import fits
from photutils.detection import DAOStarFinder
with fits.open(sys.argv[1]) as hdus:
    for chip, word in enumerate(sys.argv[2:], 1):
        level, threshold, fwhm = map(float, word.split(','))
        DAOStarFinder(threshold, fwhm)(hdus['SCI', chip].data - level)
"""


@dataclass(frozen=True)
class Pair:
    """What is timed in turns."""

    what: str
    ours: Callable[[], object]
    beside: str
    other: Callable[[], object]

    def row(self, repeats: int) -> str:
        """Return a line of the table."""
        self.ours(), self.other()
        times = [
            (_seconds(self.ours), _seconds(self.other)) for _ in range(max(repeats, 1))
        ]
        ratios = sorted(a / b for a, b in times)
        ours, other = (statistics.median(each) for each in zip(*times, strict=True))
        return (
            f'| {self.what} | {ours:.3g} | {self.beside} | {other:.3g} | '
            f'{statistics.median(ratios):.2f} | {ratios[0]:.2f} to {ratios[-1]:.2f} |'
        )


def _seconds(work: Callable[[], object]) -> float:
    start = _worked()
    work()
    return _worked() - start


def _worked() -> float:
    """Return the seconds of the processor, of processes that go on too."""
    ticks, me = 0, str(os.getpid())
    for file in Path('/proc').glob('[0-9]*/stat'):
        try:
            words = file.read_text().rpartition(') ')[2].split()
        except OSError:  # gone meanwhile
            continue
        if words[1] == me:
            ticks += int(words[11]) + int(words[12])
    return sum(os.times()[:4]) + ticks / os.sysconf('SC_CLK_TCK')


def program(code: str, *words: str) -> int:
    """Run a program; return the bytes that it held at most."""
    folder = next((Path(word).parent for word in words if word.endswith('.fits')), None)
    done = subprocess.run(
        [sys.executable, '-c', WATCH, '-c', code, *words],
        cwd=folder, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return int(done.stdout) * (1 if sys.platform == 'darwin' else 1024)


def classify(images: Sequence[Path]) -> int:
    """Run ``astrosieve classify``."""
    return program(
        CLASSIFY, 'classify', '-q', '--overwrite', '--jobs', '1', *map(str, images)
    )


def finder_of(image: MeasuredImage) -> Callable[[], object]:
    """Return DAOStarFinder's own work on an image."""
    find = DAOStarFinder(5 * image.background.noise, image.fwhm or 2.0)
    data = image.sci - np.float32(image.background.level)
    return partial(find, data)


def full_frame(folder: Path) -> Path:
    """Simulate WFC3/UVIS, F606W, 500 s, two chips."""
    path = folder / 'full_flc.fits'
    camera = replace(load_camera('wfc3-uvis-f606w'), shape=FULL)
    simulate_exposure(camera, seed=SEED, exptime=500.0).write(path)
    return path


def pairs(exposure: Path, peers: Path | None) -> Iterator[Pair]:
    """Yield what is compared."""
    images = [MeasuredImage.of_chip(chip) for chip in read_chips(exposure)]
    first = images[0]
    side = min(SIDE, *first.sci.shape)
    part = np.ascontiguousarray(first.sci[-side:, :side])
    known = {'unit': 'electron', 'exptime': 500.0}
    small = MeasuredImage.of(part, **known)
    rng = np.random.default_rng(SEED)
    xy = rng.uniform(0, side, (N_CUTOUTS, 2))
    ix, iy = xy.T.astype(int)
    yield Pair(
        f'{N_CUTOUTS:,} cutouts of {CUTOUT}x{CUTOUT}',
        lambda: extract_cutouts(part, ix, iy, CUTOUT, fill=0),
        'Cutout2D of astropy',
        lambda: [Cutout2D(part, at, CUTOUT, mode='partial') for at in xy],
    )
    catalog = detect(first)
    yield Pair(
        f'classification of {len(catalog):,} detections',
        lambda: classify_sources(first.sci, catalog, **known),
        'DAOStarFinder',
        finder_of(first),
    )
    finders = [finder_of(image) for image in images]
    seen = [(each.background, each.fwhm) for each in images]
    told = [f'{sky.level},{5 * sky.noise},{fwhm}' for sky, fwhm in seen]
    for beside, other in (
        ('DAOStarFinder', lambda: [find() for find in finders]),
        ('a program that reads and finds', lambda: program(FIND, str(exposure), *told)),
    ):
        yield Pair('`classify`, two chips', lambda: classify([exposure]), beside, other)
    segment = f'segmentation, {side}x{side}'
    ours = partial(segment_contaminants, part, **known)
    yield Pair(segment, ours, 'DAOStarFinder', finder_of(small))
    yield Pair(
        segment,
        ours,
        'astroscrappy',
        lambda: astroscrappy.detect_cosmics(part, readnoise=3.1, gain=1.0),
    )
    for peer in peer_finders(peers):
        yield Pair(segment, ours, peer.name, partial(peer.maps, part, None, {}))
    difference = rng.normal(0, 0.02, part.shape).astype(np.float32)
    yield Pair(
        f'blobs, {side}x{side}',
        lambda: find_blobs(difference),
        'DAOStarFinder',
        finder_of(MeasuredImage.of(difference, fwhm=2.0)),
    )
    raw = first.sci
    yield Pair(
        f'frame type, {raw.shape[1]}x{raw.shape[0]}',
        lambda: classify_frame(raw),
        'DAOStarFinder',
        finders[0],
    )
    n = side // STAMP
    stamps = part[: n * STAMP, : n * STAMP].reshape(n, STAMP, n, STAMP)
    stamps = stamps.swapaxes(1, 2).reshape(-1, 1, STAMP, STAMP)
    triplets = np.concatenate([stamps, stamps[::-1], stamps - stamps[::-1]], axis=1)
    yield Pair(
        f'{len(triplets)} transients, triplets of {STAMP}x{STAMP}',
        lambda: score_transients(triplets),
        'DAOStarFinder on the first stamps',
        finder_of(small),
    )


def growth(folder: Path, repeats: int) -> Iterator[str]:
    """Yield lines of how costs grow with detections, pixels, files."""
    rng = np.random.default_rng(SEED)

    def made(side: int, name: str) -> Path:
        path = folder / name
        simulate(path, side, rng)
        return path

    def cost(work: Callable[[], object]) -> float:
        work()
        return statistics.median(_seconds(work) for _ in range(max(repeats, 1)))

    (chip,) = read_chips(made(2048, 'detections.fits'))
    for n in DETECTIONS:
        xy = rng.uniform(0, 2047, (n, 2))
        seconds = cost(lambda xy=xy: classify_sources(chip.sci, xy, unit='electron'))
        yield f'| {n:,} detections | {seconds:.3g} | {1e6 * seconds / n:.3g} us |'
    for side in SIDES:
        image = made(side, f'side{side}.fits')
        seconds = cost(lambda image=image: classify_exposure(image))
        yield (
            f'| {side}x{side} pixels, finder included | {seconds:.3g} | '
            f'{1e9 * seconds / side**2:.3g} ns |'
        )
    one = made(256, 'one.fits')
    for n in FILES:
        files = [folder / f'file{k}.fits' for k in range(n)]
        for file in files:
            file.unlink(missing_ok=True)
            file.symlink_to(one)
        words = files if n > 1 else [*files, *('-o', str(folder / 'one.ecsv'))]
        seconds = cost(lambda words=words: classify(words))
        what = f'{n} files, 256x256, the whole program'
        yield f'| {what} | {seconds:.3g} | {seconds / n:.3g} s |'


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition('\n')[0])
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--peers', type=Path, help='folder of their environments')
    parser.add_argument('--page', type=Path)
    asked = parser.parse_args()
    tables: dict[str, list[str]] = {
        'costs': [
            '| what | seconds | beside | its seconds | ratio | from, to |',
            '| --- | ---: | --- | ---: | ---: | --- |',
        ],
        'growth': ['| of | seconds | for each |', '| --- | ---: | ---: |'],
    }

    def say(table: str, line: str) -> None:
        tables[table].append(line)
        print(line, flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exposure = full_frame(folder)
        for pair in pairs(exposure, asked.peers):
            say('costs', pair.row(asked.repeats))
        held, begun = (each / 1e6 for each in (classify([exposure]), program(BEGIN)))
        say('costs', '')
        say(
            'costs',
            f'`classify` of the two chips holds {held:.0f} MB at most. Another process '
            f'holds {begun:.0f} MB and takes {_seconds(lambda: program(BEGIN)):.1f} s '
            'until it can begin with a chip.',
        )
        for line in growth(folder, min(asked.repeats, 3)):
            say('growth', line)
    if asked.page:
        for table, lines in tables.items():
            replace_between(asked.page, table, lines)


def on_one_thread() -> None:
    """Begin anew where libraries would compute on more."""
    if not ONE_THREAD.items() <= os.environ.items():
        environment = {**os.environ, **ONE_THREAD}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)


if __name__ == '__main__':
    on_one_thread()
    main()
