"""Other networks, as finders that run in environments of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from astrosieve.contaminant.classes import CLASSES
from astrosieve.exceptions import AstrosieveError
from astrosieve_training.contaminant.baselines import Finder, filled
from astrosieve_training.contaminant.peers import running
from astrosieve_training.contaminant.peers.environments import python_of

__all__ = ['peer_finders']

_HITS = ('cosmic_ray',)
_NETWORKS = {
    'deepcr-acs': ('deepCR, ACS-WFC', 'deepcr', _HITS),
    'deepcr-decam': ('deepCR, decam', 'deepcr', _HITS),
    'cosmic-conn': ('Cosmic-CoNN', 'cosmic-conn', _HITS),
    'maximask': (
        'MaxiMask',
        'maximask',
        tuple(name for name in CLASSES.names if name != 'reflection'),
    ),
}


@dataclass
class _Peer:
    """A network in another process, which starts when it is first asked."""

    name: str
    python: Path
    process: subprocess.Popen[str] | None = field(default=None, init=False)

    def maps(
        self, sci: np.ndarray, masked: np.ndarray | None, known: Mapping[str, Any]
    ) -> dict[str, np.ndarray]:
        """Return its maps of an image, given in electrons where that is known."""
        if self.process is None:
            self.process = subprocess.Popen(
                [str(self.python), running.__file__, self.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        with TemporaryDirectory() as folder:
            source, target = (f'{folder}/{name}.npz' for name in ('image', 'maps'))
            image = filled(sci, masked) * np.float32(known.get('gain') or 1.0)
            np.savez(source, image=image)
            print(f'{source}\t{target}', file=process.stdin, flush=True)
            if process.stdout.readline() != 'done\n':
                msg = f'{self.name} ended; run its script by hand to see why'
                raise AstrosieveError(msg)
            with np.load(target) as made:
                return {name: made[name].astype(np.float32) for name in made.files}


def peer_finders(folder: Path | None) -> list[Finder]:
    """
    Return the other networks whose environments are there.

    Parameters
    ----------
    folder : `~pathlib.Path` or None
        Of the environments.
    """
    if folder is None:
        return []
    return [
        Finder(title, classes, _Peer(name, python_of(folder, environment)).maps)
        for name, (title, environment, classes) in _NETWORKS.items()
        if python_of(folder, environment).is_file()
    ]
