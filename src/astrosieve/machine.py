"""What there is of this machine for us: cores and memory, in containers too."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ['BLAS_THREADS', 'cores', 'free_memory', 'peak_memory', 'threads']

BLAS_THREADS = {
    'OPENBLAS_NUM_THREADS': '1',
    'MKL_NUM_THREADS': '1',
    'VECLIB_MAXIMUM_THREADS': '1',
}
"""
Variables that keep linear algebra to one thread, set before numpy is imported.

Sums over several are taken in another order, and differ in their last bits.
"""
_CGROUP = Path('/sys/fs/cgroup')
_MEMINFO = Path('/proc/meminfo')


def _words(path: Path) -> list[str]:
    try:
        return path.read_text(encoding='ascii').split()
    except OSError:  # not Linux, or no limits
        return []


def cores() -> int:
    """Return how many cores this process may use."""
    try:
        n = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        n = os.cpu_count() or 1
    quota = _words(_CGROUP / 'cpu.max')
    if len(quota) == 2 and quota[0].isdigit():
        n = min(n, max(round(int(quota[0]) / int(quota[1])), 1))
    return n


def threads() -> int:
    """Return how many threads to compute with: OMP_NUM_THREADS, else the cores."""
    asked = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0].strip()
    return int(asked) if asked.isdigit() and int(asked) else cores()


def free_memory() -> int | None:
    """Return how many bytes can still be taken, or None where that is not known."""
    free = []
    words = _words(_MEMINFO)
    if 'MemAvailable:' in words:
        free.append(1024 * int(words[words.index('MemAvailable:') + 1]))
    limit, used = (_words(_CGROUP / f'memory.{what}') for what in ('max', 'current'))
    if limit and used and limit[0].isdigit():
        free.append(int(limit[0]) - int(used[0]))
    return min(free, default=None)


def peak_memory() -> int | None:
    """Return how many bytes this process has held at most, or None on Windows."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else 1024 * peak
