"""The command ``astrosieve report``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from astrosieve.atomic import check_output
from astrosieve.commands.base import Command
from astrosieve.commands.batch import (
    STDOUT,
    Answer,
    OutputOption,
    Outputs,
    delivered,
    plan_outputs,
    run_batch,
    without_existing,
)
from astrosieve.commands.console import Say, as_options
from astrosieve.commands.options import (
    batch_options,
    chosen_model,
    exptime_option,
    ext_option,
    fwhm_option,
    gain_option,
    input_files,
    json_option,
    model_option,
    nsigma_option,
    output_option,
    overwrite_option,
    skip_existing_option,
    unit_option,
)
from astrosieve.commands.remote import Input
from astrosieve.pages import save_page
from astrosieve.report.exposure import ReportOptions, exposure_report
from astrosieve.report.runs import run_report
from astrosieve.source.exposures import ClassifyOptions
from astrosieve.source.options import check_finder, finder_option


@click.command(cls=Command)
@click.argument(
    'inputs', nargs=-1, required=True, metavar='INPUT...', callback=input_files
)
@output_option('ROOT_report.html')
@ext_option
@finder_option
@fwhm_option
@nsigma_option
@model_option('source')
@click.option(
    '--map',
    'map_model',
    default='contaminant',
    show_default=True,
    help="Model that maps spoilt pixels, by name or path; 'none' leaves them out.",
)
@unit_option
@gain_option
@exptime_option
@overwrite_option
@skip_existing_option
@json_option
@batch_options
def report(inputs: tuple[Input, ...], **given: Any) -> None:
    """
    Write a page on an exposure, or on the folder of a run.

    One file of HTML: the image with classes and spoilt pixels to switch, what is
    doubtful and why, the PSF, warnings, and what all was made with.
    """
    check_finder(given['finder'])
    model = chosen_model(given['model'], 'source')
    mapping = given['map_model']
    options = ReportOptions(
        ClassifyOptions(
            model=model,
            **{
                name: given[name]
                for name in ('finder', 'fwhm', 'nsigma', 'unit', 'gain', 'exptime')
            },
        ),
        None if mapping == 'none' else chosen_model(mapping, 'contaminant'),
    )
    plan = plan_outputs(
        inputs, [OutputOption('-o', given['output'], '_report.html', always=True)]
    )
    left: Sequence[Input] = inputs
    if given['skip_existing']:
        left, plan = without_existing(inputs, plan)
    asked = _Asked(options, given['ext'], overwrite=given['overwrite'])
    run_batch(left, plan, asked.report, model=model)


@dataclass(frozen=True)
class _Asked:
    """What is done with each input."""

    options: ReportOptions
    ext: tuple[str, ...] = ()
    overwrite: bool = False

    def report(self, path: Path, outputs: Outputs, say: Say) -> Answer:
        """Write the page of an exposure or of a run, return what to print."""
        target = outputs['-o'] or STDOUT
        if target != STDOUT:
            check_output(target, overwrite=self.overwrite)
        answer = {'input': str(path), 'written': [str(target)]}
        if path.is_dir():
            page, said = run_report(path)
            text = f'{path.name}: {said["images"]} images, {said["failed"]} failed'
        else:
            found = exposure_report(path, self.options, ext=self.ext, say=say)
            page = found.page
            said = {
                'classes': found.classes,
                'doubtful': found.doubtful,
                'fwhm': found.fwhm,
                'shares': found.shares,
                'verdict': found.verdict,
                'warnings': [as_options(text) for text in found.warnings],
            }
            number = sum(found.classes.values())
            text = f'{path.name}: {number} detections, {found.doubtful} doubtful'
            text += f'; {found.verdict}' if found.verdict else ''
        with delivered(target) as file:
            save_page(page, file, overwrite=self.overwrite)
        return Answer(f'{text} -> {target}', {**answer, **said})
