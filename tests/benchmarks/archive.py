"""
What the whole archive of WFC3/UVIS would take, from what one exposure takes here.

    python tests/benchmarks/archive.py [--repeats 3] [--cores 100] [--page FILE]

An exposure of two chips is simulated and classified on one thread, and the processor's
time of each part measured; what was not measured has its source below. ``--page
docs/many.md`` writes the result between its markers.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from compare import full_frame, on_one_thread

from astrosieve import load_model
from astrosieve.images.exposures import read_chips
from astrosieve.images.measured import MeasuredImage
from astrosieve.source.exposures import ClassifyOptions, classify_exposure
from astrosieve.source.finders import detect
from astrosieve.tables.catalogs import write_catalog
from astrosieve_training.judge.report import replace_between

FIRST_LIGHT, UNTIL = date(2009, 6, 24), date(2026, 11, 28)
DAILY = 50, 100
"""Images of WFC3 in a day: Bourque et al. 2017, ASPC 521, 495."""
THROUGHPUT = 85e6
"""Bytes a second of one connection to S3: assumed."""
PRICE = 0.085
"""Dollars for an hour of a core: 0.34 for c5.2xlarge, of four cores; AWS, Amazon EC2
Auto Scaling User Guide, example of prices on demand in US East."""


def seconds_of(path: Path, repeats: int) -> dict[str, float]:
    """Return the processor's time of the parts of an exposure."""
    options = ClassifyOptions(model=load_model('source'))
    table = classify_exposure(path, options)  # opens the model
    images = [MeasuredImage.of_chip(chip) for chip in read_chips(path)]
    for image in images:
        detect(image)
    target = path.with_suffix('.ecsv')

    def cost(work: Callable[[], object]) -> float:
        times = []
        for _ in range(repeats):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
        return statistics.median(times)

    parts = {
        'reading the file': cost(lambda: list(read_chips(path))),
        'the finder, DAOStarFinder': cost(lambda: [detect(each) for each in images]),
        'writing ECSV': cost(lambda: write_catalog(table, target, overwrite=True)),
    }
    whole = cost(lambda: classify_exposure(path, options))
    found = parts['reading the file'] + parts['the finder, DAOStarFinder']
    parts['classes, positions, all else'] = max(whole - found, 0.0)
    return parts


def report(parts: dict[str, float], size: int, cores: int) -> list[str]:
    """Return what stands on the page."""
    parts = {'fetching from S3': size / THROUGHPUT, **parts}
    each = sum(parts.values())
    lines = ['| part of an exposure | seconds | share |', '| --- | ---: | ---: |']
    lines += [
        f'| {name} | {seconds:.2f} | {100 * seconds / each:.0f} % |'
        for name, seconds in sorted(parts.items(), key=lambda pair: -pair[1])
    ]
    days = (UNTIL - FIRST_LIGHT).days
    lines += [
        '',
        f'| exposures | hours on {cores} cores | core-hours | dollars | TB fetched |',
        '| ---: | ---: | ---: | ---: | ---: |',
    ]
    for daily in DAILY:
        n = days * daily
        hours = n * each / 3600
        lines.append(
            f'| {n:,} | {hours / cores:.1f} | {hours:.0f} | {PRICE * hours:.0f} | '
            f'{n * size / 1e12:.0f} |'
        )
    most = max(parts, key=lambda name: parts[name])
    rate = cores * size / each
    lines += [
        '',
        f'Most of the time goes to {most}. All cores together fetch '
        f'{rate / 1e9:.1f} GB/s, {8 * rate / 1e9:.0f} Gbit/s: from a place with a line '
        f'of 1 Gbit/s the network is the limit, and fetching alone takes '
        f'{days * DAILY[0] * size / 125e6 / 86400:.0f} to '
        f'{days * DAILY[1] * size / 125e6 / 86400:.0f} days.',
    ]
    return lines


def main() -> None:
    """Measure, and reckon."""
    parser = argparse.ArgumentParser(description=__doc__.strip().partition('\n')[0])
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--cores', type=int, default=100)
    parser.add_argument('--page', type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        exposure = full_frame(Path(name))
        parts = seconds_of(exposure, asked.repeats)
        lines = report(parts, exposure.stat().st_size, asked.cores)
    print('\n'.join(lines))
    if asked.page:
        replace_between(asked.page, 'archive', lines)


if __name__ == '__main__':
    on_one_thread()
    main()
