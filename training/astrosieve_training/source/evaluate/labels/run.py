"""
How right the labels of the step label are, and what networks learn from them.

Dithered sets are simulated, labelled as a user would, and compared with their truth,
beside simpler ways to the same labels. The report's network is trained on the labels
and on the truth, and judged on other fields. The shipped network is fitted to cameras
that it has not seen by labels of their own. What is finished is not done again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from astrosieve.atomic import atomic_path
from astrosieve.models.registry import load_model
from astrosieve_training.judge.report import slug
from astrosieve_training.source.config import SourceConfig, load_config
from astrosieve_training.source.evaluate.labels.networks import (
    STARTED,
    TUNED,
    check_network,
    check_tuned,
)
from astrosieve_training.source.evaluate.labels.primitives import PrimitiveField
from astrosieve_training.source.evaluate.labels.settings import Field, LabelChecks
from astrosieve_training.source.evaluate.labels.tables import table_lines
from astrosieve_training.source.evaluate.labels.truth import check_field, check_ngc1261
from astrosieve_training.source.networks import network_module
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest

__all__ = ['check_labels']


def _exposures(field: Field | PrimitiveField, *seeds: int) -> list[str]:
    """Return what decides the exposures of a field."""
    return [field.decides(seed) for seed in seeds]


def _learning(name: str) -> tuple[SourceConfig, str]:
    """Return what decides a network that is trained by a configuration."""
    config = load_config(name)
    return config, code_version(network_module(config.network.kind))


def check_labels(
    checks: LabelChecks, folder: Path, *, say: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """
    Do all checks.

    Parameters
    ----------
    checks : `LabelChecks`
        What is checked.
    folder : `~pathlib.Path`
        Keeps exposures, stages and results; gets ``labelling.json`` and
        ``labelling.md``.
    say : callable, optional
        Told, in a line, what begins.

    Returns
    -------
    results : dict
        ``fields`` (one dict per seed), ``network``, ``tuned``, ``ngc1261``.
    """
    tell = say or (lambda text: None)
    folder.mkdir(parents=True, exist_ok=True)
    stages = Stages(folder / 'results', tell)
    code = code_version(sys.modules[__name__])
    results: dict[str, Any] = {'fields': [], 'tuned': {}}
    fields: list[Field | PrimitiveField] = [*checks.fields, *checks.primitive]
    for field in fields:
        for seed in field.seeds:
            key = digest(code, field, _exposures(field, seed))
            results['fields'].append(
                stages.record(
                    f'{slug(field.name)}-{seed}', key,
                    partial(check_field, field, seed, folder, tell),
                )
            )  # fmt: skip
    if checks.network is not None:
        real = stages.record(
            'ngc1261', digest(code), lambda: {'found': check_ngc1261(folder, tell)}
        )
        results['ngc1261'] = real['found']
        first = checks.fields[0]
        seeds = checks.network.training + checks.network.judged
        key = digest(
            code, checks.network, _learning(checks.network.config), first, checks.seed,
            _exposures(first, *seeds),
        )  # fmt: skip
        results['network'] = stages.record(
            'network', key, lambda: check_network(checks, folder, tell)
        )
    for tuned in checks.tuned:
        seeds = tuned.seeds + tuned.judged
        key = digest(
            code, tuned, _learning(TUNED), load_model(STARTED).card.sha256, checks.seed,
            _exposures(tuned.field(tuned.seeds[0]), *seeds),
        )  # fmt: skip
        results['tuned'][tuned.name] = stages.record(
            f'tuned-{slug(tuned.name)}', key,
            partial(check_tuned, tuned, checks, folder, tell),
        )  # fmt: skip
    text = json.dumps(results, indent=2) + '\n'
    with atomic_path(folder / 'labelling.json', overwrite=True) as temporary:
        temporary.write_text(text, encoding='utf-8')
    lines = '\n'.join(table_lines(results)) + '\n'
    with atomic_path(folder / 'labelling.md', overwrite=True) as temporary:
        temporary.write_text(lines, encoding='utf-8')
    return results
