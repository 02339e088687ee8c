"""Files of labels: the columns ``id`` and ``label``."""

from __future__ import annotations

from pathlib import Path

from astropy.table import Table

from astrosieve.transient.classes import CLASSES
from astrosieve_training.settings import ConfigError, not_known

__all__ = ['LABELS', 'read_labels']

LABELS = ('real', 'bogus', 'unsure')
"""What the page gives; files may hold any class beside."""


def read_labels(path: Path) -> dict[str, str]:
    """
    Read labels.

    Parameters
    ----------
    path : `~pathlib.Path`
        Table with the columns ``id`` and ``label``, CSV or ECSV.

    Returns
    -------
    labels : dict of str to str
        By id, the last where there are several.

    Raises
    ------
    ConfigError
        If it is no such table, or has labels that are not known.
    """
    kind = 'ascii.ecsv' if path.suffix == '.ecsv' else 'ascii.csv'
    try:
        table = Table.read(path, format=kind)
        pairs = zip(table['id'].astype(str), table['label'].astype(str), strict=True)
    except (OSError, ValueError, KeyError) as error:
        msg = f'{path}: no labels ({error}); needs the columns id and label'
        raise ConfigError(msg) from error
    known = (*LABELS, *CLASSES)
    labels = {str(name): str(label) for name, label in pairs}
    for label in labels.values():
        if label not in known:
            raise ConfigError(f'{path}: ' + not_known('no label', label, known))
    return labels
