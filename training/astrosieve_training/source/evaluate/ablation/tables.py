"""Tables of what was tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve.source.classes import CLASSES
from astrosieve_training.source.evaluate.ablation.settings import Ablation
from astrosieve_training.source.evaluate.limits import ABSOLUTE_LIMITS

__all__ = ['table_lines']

_MOST_BYTES = 500_000
_COLUMNS = {name: CLASSES.plural(name) for name in ABSOLUTE_LIMITS}
_COLUMNS['faint'] = 'S/N 5 to 10'


def _size(result: Mapping[str, Any]) -> str:
    """Return the size of a row's networks."""
    each = result['bytes'] / len(result['networks'])
    text = f'{each / 1000:.0f}'
    if len(result['networks']) > 1:
        text = f'{len(result["networks"])} x {text}'
    return f'{text} (above {_MOST_BYTES / 1000:.0f})' if each > _MOST_BYTES else text


def _cell(counted: Mapping[str, Any] | None) -> str:
    return str(Share(counted['k'], counted['n'])) if counted else '-'


def table_lines(ablation: Ablation, results: Mapping[str, dict[str, Any]]) -> list[str]:
    """
    Return the tables.

    Parameters
    ----------
    ablation : `Ablation`
        The rows; those that are not done are left out.
    results : dict of str to dict
        As `ablate` returns them.

    Returns
    -------
    lines : list of str
        Markdown: what each row is, then its leaks on all cameras, on the camera that
        is held back, and on the known cameras with a threshold for each instrument,
        which is how networks that know one instrument are compared with one that
        knows all.
    """
    rows = [row for row in ablation.rows if row.name in results]
    lines = [
        f'Each row is {ablation.config.name} with one thing changed, trained once for '
        f'{ablation.epochs} epochs on the detections of the first {ablation.n} of its '
        'training exposures, and judged on exposures on which no network was trained. '
        'kB: parameters of 4 bytes.',
        '',
        *markdown_table(
            ('row', 'what is changed', 'exposures', 'cutouts', 'kB', 'training, s'),
            [
                (
                    row.name,
                    row.text,
                    results[row.name]['exposures'],
                    results[row.name]['cutouts'],
                    _size(results[row.name]),
                    f'{results[row.name]["seconds"]:.0f}',
                )
                for row in rows
            ],
        ),
        '',
        'Called stars where 99.5 % of the stars of S/N 10 and more are kept (PSF FWHM '
        '1.4 to 4 pixels): cosmic rays, spikes, bad pixels and resolved galaxies of '
        'S/N 20 and more; and all that is no star at S/N 5 to 10, where 97 % of the '
        'stars of that S/N are kept. Uncontested detections; 95 % Wilson intervals '
        'and counts.',
    ]
    groups = ', '.join(group.name for group in ablation.groups)
    nearest = next(group.name for group in ablation.groups if group.held_back)
    notes = {
        'judge': f'All cameras ({ablation.judge.origin}), one threshold. One network '
        'per camera has no entry: random cameras have no network.',
        'held_back': f'{ablation.held_back.name} ({ablation.held_back.origin}), '
        f'which no network was trained on. Of the networks per camera that of '
        f'{nearest}.',
        'known': f'The known cameras among the first, with a threshold for each of '
        f'{groups}; the counts are added.',
    }
    for name, note in notes.items():
        found = [(row, results[row.name]['samples'].get(name)) for row in rows]
        lines += [
            '',
            note,
            '',
            *markdown_table(
                ('row', 'stars kept', *_COLUMNS.values()),
                [
                    (row.name, *(_cell(each.get(key)) for key in ('star', *_COLUMNS)))
                    for row, each in found
                    if each is not None
                ],
            ),
        ]
    return lines
