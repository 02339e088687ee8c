"""The command of the task."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from astropy.io import fits

from astrosieve.atomic import atomic_path, check_output
from astrosieve.commands.base import Command
from astrosieve.commands.batch import (
    Answer,
    OutputOption,
    Outputs,
    plan_outputs,
    run_batch,
)
from astrosieve.commands.console import Say
from astrosieve.commands.options import (
    chosen_model,
    images_argument,
    keep_option,
    model_option,
    output_option,
    overwrite_option,
)
from astrosieve.models.registry import Model
from astrosieve.tables.catalogs import select_classes, write_catalog
from toytask.classes import CLASSES
from toytask.classify import classify_frames, map_classes

__all__ = ['toy']


@click.command(cls=Command)
@images_argument
@output_option('ROOT_toy.ecsv or ROOT_toy.fits')
@model_option('toy')
@keep_option('all')
@overwrite_option
def toy(images: tuple[Path, ...], **given: Any) -> None:
    """Say what frames show."""
    model = chosen_model(given['model'], 'toy', keep=given['keep'])
    suffix = 'fits' if model.card.activation == 'sigmoid' else 'ecsv'
    option = OutputOption('-o', given['output'], f'_toy.{suffix}', always=True)
    work = partial(_classify, model=model, keep=given['keep'], again=given['overwrite'])
    run_batch(images, plan_outputs(images, [option]), work)


def _classify(
    image: Path,
    outputs: Outputs,
    say: Say,
    *,
    model: Model,
    keep: tuple[str, ...],
    again: bool,
) -> Answer:
    target = outputs['-o']
    assert target is not None
    check_output(target, overwrite=again)
    if model.card.activation == 'sigmoid':
        maps = map_classes(image, model)
        with atomic_path(target, overwrite=again) as temporary:
            fits.PrimaryHDU(maps).writeto(temporary, overwrite=True)
        counts = dict(
            zip(model.card.classes, (maps > 0.5).sum(axis=(1, 2)), strict=True)
        )
    else:
        table = select_classes(classify_frames(image, model), keep)
        write_catalog(table, target, overwrite=again)
        names, numbers = np.unique(table['class_name'], return_counts=True)
        counts = dict(zip(names.tolist(), numbers, strict=True))
    found = ', '.join(f'{counts[name]} {name}' for name in CLASSES.ordered(counts))
    return Answer(f'{image.name}: {found}; {target}', {'written': str(target)})
