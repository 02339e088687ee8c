"""Simulated candidates as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from astrosieve.atomic import atomic_path
from astrosieve_training.settings import ConfigError, not_known
from astrosieve_training.transient.simulate.bands import make_band_candidates
from astrosieve_training.transient.simulate.candidates import make_candidates
from astrosieve_training.transient.simulate.rows import Rows, joined
from astrosieve_training.transient.simulate.surveys import HELD_BACK, SURVEYS

__all__ = ['write_candidates']


def write_candidates(
    seeds: Sequence[int],
    folder: Path,
    *,
    surveys: Sequence[str] = (),
    bands: bool = False,
    overwrite: bool = False,
) -> Table:
    """
    Write the candidates of simulated fields.

    Parameters
    ----------
    seeds : sequence of int
        Of the fields.
    folder : `~pathlib.Path`
        Gets ``stamps.npz`` and ``truth.ecsv``.
    surveys : sequence of str, optional
        To choose from; those that networks learn from by default.
    bands : bool, optional
        Differences in g, r and i instead of triplets.
    overwrite : bool, optional
        Whether files may be replaced.

    Returns
    -------
    table : `~astropy.table.Table`
        The truth, a row for each candidate.

    Raises
    ------
    ConfigError
        If a survey is not known.
    OutputError
        If a file is there and may not be replaced.
    """
    known = [each.name for each in SURVEYS + HELD_BACK]
    for name in surveys:
        if name not in known:
            raise ConfigError(not_known('no survey', name, known))
    chosen = list(surveys) or [each.name for each in SURVEYS]
    made: Rows = joined(
        [
            make_band_candidates(seed) if bands else make_candidates(seed, chosen)
            for seed in seeds
        ]
    )
    columns = dict(vars(made))
    stamps = columns.pop('stamps')
    names = [f'{f}-{i}' for i, f in enumerate(columns['field'])]
    table = Table({'id': names, **columns})
    with (
        atomic_path(folder / 'stamps.npz', overwrite=overwrite) as packed,
        atomic_path(folder / 'truth.ecsv', overwrite=overwrite) as truth,
    ):
        with packed.open('wb') as output:
            np.savez_compressed(
                output, stamps=stamps.transpose(0, 2, 3, 1), id=np.array(names)
            )
        table.write(truth, format='ascii.ecsv', overwrite=True)
    return table
