"""
The command ``astrosieve-train TASK STEP``.

Everything heavy is imported when a step runs, so that ``--help`` works with the
core alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from astrosieve.exceptions import AstrosieveError

__all__ = ['main']

_CONFIG = 'source-isr2024'


def _need(module: str) -> Any:
    """Import a module of this package; name the extra where something is missing."""
    try:
        return import_module(f'astrosieve_training.{module}')
    except ImportError as error:
        name = (error.name or '').partition('.')[0]
        if name in ('astrosieve', 'astrosieve_training'):
            raise
        msg = (
            f'this step needs {name or error}; install it with: '
            "pip install 'astrosieve[train]'"
        )
        raise click.ClickException(msg) from error


class _Group(click.Group):
    """A group whose commands turn the package's errors into messages."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AstrosieveError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(package_name='astrosieve')
def main() -> None:
    """
    Make, judge and export the networks of astrosieve.

    Needs the extra 'train': pip install 'astrosieve[train]'
    """


@main.group()
def source() -> None:
    """Is a detection a star, a cosmic ray, a diffraction spike ...?"""


def _config_option(function: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        '--config',
        default=_CONFIG,
        show_default=True,
        metavar='NAME|FILE',
        help='Configuration of the network: a name, or a TOML file.',
    )(function)


@source.command()
@click.option(
    '--camera', metavar='NAME|FILE', help='A camera; by default the configuration says.'
)
@click.option('-n', '--number', type=click.IntRange(min=1), help='How many exposures.')
@click.option(
    '-o',
    '--output',
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help='Folder; the current one by default.',
)
@click.option('--seed', type=click.IntRange(min=0), help='Seed of the first exposure.')
@click.option('--scene', help="Scene preset, with --camera; 'field' by default.")
@click.option('--exptime', type=click.FloatRange(min=0, min_open=True), help='Seconds.')
@click.option(
    '--shape',
    type=(int, int),
    metavar='NY NX',
    help='Size of a subarray; full chips by default with --camera.',
)
@_config_option
def simulate(
    camera: str | None,
    number: int | None,
    output: Path,
    seed: int | None,
    scene: str | None,
    exptime: float | None,
    shape: tuple[int, int] | None,
    config: str,
) -> None:
    """
    Write simulated exposures with their truth.

    Each is a FITS file like those of the camera (FLC: SCI, ERR, DQ) and a truth
    file: the electrons of each kind in each pixel, tables of stars, galaxies
    and cosmic rays. Files that are there with the same settings are kept.

    Without --camera the exposures are those that the configuration's network is
    trained on. The step train makes its own, by the same seeds, in its cache, so
    that these files are for looking at and for other programs.
    """
    written, kept = _need('simulated_files').write_exposures(
        config,
        output,
        camera=camera,
        number=number,
        seed=seed,
        scene=scene,
        exptime=exptime,
        shape=shape,
    )
    click.echo(f'{written} exposures written to {output}, {kept} were there already')


@source.command()
@_config_option
@click.option(
    '-o',
    '--output',
    type=click.Path(file_okay=False, path_type=Path),
    help='Folder of the training; NAME-run in the current one by default.',
)
@click.option('--seed', type=click.IntRange(min=0), help="In place of the file's.")
def train(config: str, output: Path | None, seed: int | None) -> None:
    """
    Train a network.

    Simulates, detects and labels what the configuration says, trains, and
    calibrates on exposures kept aside. An interrupted training goes on where it
    stopped.
    """
    loaded = _need('config').load_config(config)
    if seed is not None:
        loaded = replace(loaded, seed=seed)
    folder = output or Path(f'{loaded.name}-run')
    run = _need('train').train(loaded, folder)
    _show_run(run, folder)


def _show_run(run: Any, folder: Path) -> None:
    for kind, counts in run.summary['counts'].items():
        listed = ', '.join(f'{n} {name}' for name, n in counts.items())
        click.echo(f'{kind}: {listed}')
    for number, each in enumerate(run.summary['runs']):
        last = each['history'][each['best_epoch'] - 1]
        mark = ' (taken)' if number == run.summary['best_run'] else ''
        click.echo(
            f'run {number}: validation loss {each["best_loss"]:.4f}, accuracy '
            f'{last["validation_accuracy"]:.2%} after epoch {each["best_epoch"]}, '
            f'{each["seconds"]:.0f} s{mark}'
        )
    for name, point in run.calibration.operating_points.items():
        click.echo(
            f'{name}: p_star >= {point.threshold:.4f}: completeness '
            f'{point.completeness:.2%}, purity {point.purity:.2%}'
        )
    click.echo(f'written to {folder}')


@source.command()
@click.argument('run', type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    '-o',
    '--output',
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help='Folder of weights; the current one by default.',
)
def export(run: Path, output: Path) -> None:
    """
    Export a training as ONNX file, model card and manifest.

    RUN is the folder that the step train wrote. Torch and onnxruntime are
    compared on thousands of cutouts; if they differ nothing is written.
    """
    card, difference = _need('export').export_run(run, output)
    click.echo(
        f'{output / f"{card.name}-{card.version}.onnx"}: differs from torch by '
        f'{difference:.2g} at most on {card.metrics["export"]["cutouts"]} cutouts'
    )


@source.command()
@click.argument('model', default='source')
@_config_option
@click.option(
    '-o',
    '--output',
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help='Folder for tables and figures; the current one by default.',
)
@click.option(
    '--figure',
    'figures',
    multiple=True,
    metavar='NAME',
    help='Draw a figure of WFC3 ISR 2024-14 in place of judging: curves, confusion, '
    'overlay, pooling, scan, drizzled; or cosmic-rays, frames (simulated beside real). '
    'May be given several times.',
)
@click.option(
    '--runs',
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help='Trainings of each kind for the figure pooling.',
)
@click.option(
    '--seed',
    type=click.IntRange(min=0),
    help="Judge on other exposures: the first one's seed, in place of the file's.",
)
@click.option(
    '--update',
    is_flag=True,
    help="Write the tables into the model's card and, with --readme, into a README.",
)
@click.option(
    '--readme',
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the markers '<!-- table:source begin -->' and '... end -->'; "
    "with --ablation 'table:ablation'.",
)
@click.option(
    '--ablation',
    is_flag=True,
    help='In place of judging a model, train and judge the networks of the table of '
    'what was tried; --config then names an ablation file. An interrupted table goes '
    'on.',
)
def evaluate(
    model: str,
    config: str,
    output: Path,
    figures: tuple[str, ...],
    runs: int,
    seed: int | None,
    update: bool,
    readme: Path | None,
    ablation: bool,
) -> None:
    """
    Judge a model beside its baselines.

    MODEL is a name, or the path of an ONNX file with its card beside it. The
    exposures are those of the configuration's section judge, made from their
    seeds, and the real frames, where they are found. With --ablation there is no
    MODEL: a network is trained for each row of a table, and judged.
    """
    if ablation:
        for path in _ablate(click.get_current_context(), output, readme):
            click.echo(path)
        return
    if figures:
        for path in _need('reproduction').draw(figures, model, output, runs=runs):
            click.echo(path)
        return
    loaded = _need('config').load_config(config)
    if seed is not None:
        loaded = loaded.judged_from(seed)
    report = _need('evaluate').evaluate(
        model, loaded, output, say=lambda text: click.echo(text, err=True)
    )
    for path in report.write(output):
        click.echo(path)
    if update:
        for path in report.update(readme):
            click.echo(path)


def _ablate(ctx: click.Context, output: Path, readme: Path | None) -> list[Path]:
    """Make the table of what was tried; return what was written."""

    def given(name: str) -> bool:
        return ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE

    refused = {
        'model': 'MODEL', 'figures': '--figure', 'runs': '--runs', 'seed': '--seed',
        'update': '--update',
    }  # fmt: skip
    for name, shown in refused.items():
        if given(name):
            msg = (
                f'{shown} does not go with --ablation, which trains networks of its '
                'own; --config, --output and --readme do'
            )
            raise click.UsageError(msg)
    ablation = _need('ablation')
    files = [ctx.params['config']] if given('config') else []
    loaded = ablation.load_ablation(*files)
    results = ablation.ablate(
        loaded, output, say=lambda text: click.echo(text, err=True)
    )
    paths = [output / 'ablation.json', output / 'ablation.md']
    if readme is not None:
        lines = ablation.table_lines(loaded, results)
        _need('evaluate').replace_between(readme, lines, 'ablation')
        paths.append(readme)
    return paths


if __name__ == '__main__':
    sys.exit(main())
