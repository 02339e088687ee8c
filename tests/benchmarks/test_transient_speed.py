"""
Time to score candidates.

Run with ``python -m pytest tests/benchmarks``; not among the pass/fail tests.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from astrosieve.models.registry import load_model
from astrosieve.transient.candidates import Candidate
from astrosieve.transient.preprocessing import NoiseUnits, Stamps
from astrosieve.transient.score import Scorer

N_STAMPS = 6000


@pytest.fixture(scope='module')
def stamps() -> np.ndarray:
    """Triplets of 63x63 pixels: a new source, a star, noise."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:63, :63] - 31
    planes = rng.normal(0, 5, (512, 3, 63, 63)).astype(np.float32)
    planes[:, [0, 2]] += 200 * np.exp(-(x**2 + y**2) / 2.5)
    planes[:, :2] += 100 + 900 * np.exp(-((x - 14) ** 2 + (y + 9) ** 2) / 2.5)
    return planes


def test_candidates_each_second(stamps: np.ndarray) -> None:
    """2,000 triplets a second on two cores, from their pixels to the names."""
    scorer = Scorer(load_model('transient', threads=2))
    candidates = [Candidate(str(k), stamps[k % len(stamps)]) for k in range(N_STAMPS)]
    scorer.score(candidates[:256])
    start = time.perf_counter()
    n = sum(len(part.candidates) for part in scorer.chunks(candidates))
    seconds = time.perf_counter() - start
    print(f'{n} candidates in {seconds:.2f} s: {n / seconds:.0f} a second')
    assert n / seconds > 2000


def test_preprocessing_of_one_core(stamps: np.ndarray) -> None:
    """Less than half a millisecond of a core for each triplet."""
    prepare = NoiseUnits()
    prepare(Stamps(stamps[:64]))
    start = time.process_time()
    for first in range(0, len(stamps), 64):
        prepare(Stamps(stamps[first : first + 64]))
    each = (time.process_time() - start) / len(stamps)
    print(f'{1000 * each:.2f} ms of a core for each triplet')
    assert each < 0.0005
