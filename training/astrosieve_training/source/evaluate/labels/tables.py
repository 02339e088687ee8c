"""Tables of how right labels are, and of what networks learn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve.source.classes import REPORT_CLASSES

__all__ = ['COMPLETENESS', 'summed', 'table_lines']

COMPLETENESS = 0.99
"""Share of the stars that is kept where leaks are counted."""

_WAYS = {
    'whole': 'whole procedure',
    'clusters': "HDBSCAN's clusters, named",
    'physics': 'physics of each place, no embedding',
    'twice': 'found in two exposures: star',
}


def summed(counts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Add up counts of the same form.

    Parameters
    ----------
    counts : sequence of dict
        Lists of numbers, in dicts of dicts.

    Returns
    -------
    total : dict
    """
    first = counts[0]
    if isinstance(first, Mapping):
        return {key: summed([each[key] for each in counts]) for key in first}
    total: Any = np.sum(counts, axis=0).tolist()
    return total


def _cell(counts: Sequence[int] | None) -> str:
    return str(Share(*counts)) if counts else '-'


def _cells(counts: Mapping[str, Sequence[int]], *names: str) -> list[str]:
    return [_cell(counts.get(name)) for name in names]


def table_lines(results: Mapping[str, Any]) -> list[str]:
    """
    Return what was found as tables.

    Parameters
    ----------
    results : dict
        As from `check_labels`.

    Returns
    -------
    lines : list of str
        Markdown.
    """
    fields = results['fields']
    total = summed([each['ways'] for each in fields])
    counts = summed([each['all'] for each in fields])
    classes = (*REPORT_CLASSES, 'extended', 'bad_pixel')
    lines = [
        'Labels that are right, of those given; 95 % Wilson intervals and counts; '
        'uncontested detections. All fields together, then each; the same places, '
        'labelled in simpler ways, below.',
        '',
        *markdown_table(
            ('labels', 'all', *REPORT_CLASSES),
            [
                [
                    f'{text} ({len(fields)} fields)',
                    _cell(total[way]['right']),
                    *_cells(total[way]['given'], *REPORT_CLASSES),
                ]
                for way, text in _WAYS.items()
            ],
        ),
        '',
        *markdown_table(
            ('field', 'places', 'clusters', 'all', *classes),
            [
                [
                    f'{each["field"]["name"]} ({each["field"]["seed"]})',
                    each['report']['embedded'],
                    len(each['report']['clusters']),
                    _cell(each['all']['right']),
                    *_cells(each['all']['given'], *classes),
                ]
                for each in fields
            ],
        ),
        '',
        'Of the true members of each class: labels that are right, of those that have '
        'one; and how many have one (of what is empty in the combined image only some '
        'places are drawn).',
        '',
        *markdown_table(
            ('', *classes),
            [
                ['right', *_cells(counts['true'], *classes)],
                ['labelled', *_cells(counts['labelled'], *classes)],
            ],
        ),
    ]
    lines += _real_lines(results.get('ngc1261'))
    lines += _network_lines(results.get('network'))
    for name, tuned in results['tuned'].items():
        lines += _tuned_lines(name, tuned)
    return lines


def _real_lines(found: Mapping[str, Any] | None) -> list[str]:
    if not found:
        return []
    counts = found['compared']
    both = ('star', 'cosmic_ray')
    return [
        '',
        'NGC 1261 F336W, one exposure with the median of three as combined image, '
        'against the comparison of the two frames:',
        '',
        *markdown_table(
            ('', *both),
            [
                ['right, of those given', *_cells(counts['given'], *both)],
                ['right, of the true', *_cells(counts['true'], *both)],
                ['labelled', *_cells(counts['labelled'], *both)],
            ],
        ),
    ]


def _network_lines(found: Mapping[str, Any] | None) -> list[str]:
    if not found:
        return []
    return [
        '',
        "The report's network, trained on labels and on the truth, judged on fields "
        'that neither has seen:',
        '',
        *markdown_table(
            ('trained on', *REPORT_CLASSES),
            [
                [kind, *_cells(found[kind]['right'], *REPORT_CLASSES)]
                for kind in ('labels', 'truth')
            ],
        ),
    ]


def _spread(counts: Sequence[Sequence[int]]) -> str:
    """Return the mean of shares, and the least and most of them."""
    if len(counts) == 1 or not counts[0][1]:
        return _cell(counts[0])
    shares = [100 * hits / n for hits, n in counts]
    return f'{np.mean(shares):.2f}% ({min(shares):.2f}% to {max(shares):.2f}%)'


def _tuned_lines(name: str, found: Mapping[str, Any]) -> list[str]:
    shipped, fits = found['shipped'], found['fits']
    classes = list(shipped['right'])
    others = [each for each in classes if each != 'star']
    n = len(fits)
    networks = {
        '`source`, as shipped': [shipped],
        f'new, from these labels alone ({n})': [fit['new'] for fit in fits],
        f'`source`, fitted by these labels ({n})': [fit['tuned'] for fit in fits],
    }

    def rows(kind: str, names: Sequence[str]) -> list[list[str]]:
        return [
            [text, *(_spread([each[kind][c] for each in those]) for c in names)]
            for text, those in networks.items()
        ]

    known = ', '.join(found['known'])
    return [
        '',
        f'Camera {name!r}: labels of {n} fields, a network from each; mean of these, '
        'and the least and most. Detections of other fields called right: all; those '
        f'of the labelled classes ({known}) where only these compete:',
        '',
        *markdown_table(
            ('network', 'all', 'labelled classes'),
            [
                [text, *(_spread([e[k] for e in those]) for k in ('all', 'known'))]
                for text, those in networks.items()
            ],
        ),
        '',
        'By class:',
        '',
        *markdown_table(('network', *classes), rows('right', classes)),
        '',
        f'Called star at {COMPLETENESS:.0%} completeness:',
        '',
        *markdown_table(
            ('network', 'all others', *others), rows('leak', ['all', *others])
        ),
        '',
        'Each field:',
        '',
        *markdown_table(
            (
                'seed', 'labels used', 'labels right', 'all right: new', 'fitted',
                'called star: new', 'fitted',
            ),
            [_fit_row(fit) for fit in fits],
        ),
    ]  # fmt: skip


def _fit_row(fit: Mapping[str, Any]) -> list[str]:
    both = fit['new'], fit['tuned']
    return [
        str(fit['seed']),
        ', '.join(f'{n} {each}' for each, n in fit['used'].items()),
        _cell(fit['labels']['right']),
        *(_cell(each['all']) for each in both),
        *(_cell(each['leak']['all']) for each in both),
    ]
