"""The command ``astrosieve tweakreg``."""

from __future__ import annotations

import ast
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from astropy.table import Table

from astrosieve.atomic import atomic_path, check_output, protected
from astrosieve.commands.base import Command
from astrosieve.commands.console import console
from astrosieve.commands.options import (
    fwhm_option,
    keep_option,
    model_option,
    nsigma_option,
    output_folder_option,
    overwrite_option,
)
from astrosieve.exceptions import AstrosieveError
from astrosieve.images.exposures import read_chips, root_name
from astrosieve.source.finders import list_finders
from astrosieve_plugins.tweakreg_catalogs.aligning import (
    AFTER,
    OWN_FINDER,
    AlignedSet,
    align_exposures,
)
from astrosieve_plugins.tweakreg_catalogs.hosts import host
from astrosieve_plugins.tweakreg_catalogs.inputs import (
    Exposure,
    check_overlap,
    expand_lists,
    read_exposures,
)
from astrosieve_plugins.tweakreg_catalogs.references import (
    fetch_gaia,
    read_reference,
    sky_positions,
)
from astrosieve_plugins.tweakreg_catalogs.selection import (
    MIN_STARS,
    make_selection,
)
from astrosieve_plugins.tweakreg_catalogs.updating import check_updates

__all__ = ['tweakreg']


def _parse_pairs(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Read KEY=VALUE options; values are Python literals, else text."""
    pairs = {}
    for value in values:
        key, equals, text = value.partition('=')
        if not equals or not key.strip().isidentifier():
            msg = f'{value!r} must be KEY=VALUE, for instance threshold=50'
            raise click.BadParameter(msg)
        try:
            pairs[key.strip()] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            pairs[key.strip()] = text
    return pairs


def _check_parameters(options: Mapping[str, Any]) -> None:
    """Refuse parameters that TweakReg does not know, which it would only print."""
    known = _known_parameters()
    unknown = sorted(set(options) - known)
    if unknown:
        has = ', '.join(sorted(known))
        msg = f'TweakReg has no parameter {unknown[0]!r}; it has {has}'
        raise click.UsageError(msg)


def _known_parameters() -> set[str]:
    teal = host('stsci.tools.teal')
    host('drizzlepac.tweakreg')
    names: set[str] = set()

    def collect(section: Mapping[str, Any]) -> None:
        for key, value in section.items():
            if isinstance(value, Mapping):
                collect(value)
            elif not key.startswith('_'):
                names.add(key)

    collect(teal.load('tweakreg', defaults=True))
    return names - {'input'}


@click.command(cls=Command)
@click.argument('exposures', nargs=-1, required=True, metavar='EXPOSURE...')
@output_folder_option('the table and the pictures')
@click.option('--refcat', type=click.Path(path_type=Path), help='Catalogue of the sky.')
@click.option('--gaia', is_flag=True, help='Fetch Gaia DR3 as the reference catalogue.')
@click.option('--update', is_flag=True, help='Change headers; keep the original ones.')
@click.option(
    '--finder',
    help="Source finder; 'tweakreg' is TweakReg's own. Default: dao, or tweakreg where "
    'its own options are given.',
)
@fwhm_option
@nsigma_option
@click.option(
    '--saturated/--no-saturated', default=False, show_default=True,
    help='Use plateaus too, where the finder sees no peak.',
)  # fmt: skip
@model_option('source')
@keep_option('star')
@click.option(
    '--operating-point', default='balanced', show_default=True, metavar='NAME',
    help="Threshold on p_star of the model's card; 'none' for the likeliest class.",
)  # fmt: skip
@click.option(
    '--min-stars', type=click.IntRange(min=0), default=MIN_STARS, show_default=True,
    help='Fewest rows of an exposure; below, the threshold is lowered, with a warning.',
)  # fmt: skip
@click.option(
    '--compare/--no-compare', default=True, show_default=True,
    help='Run TweakReg on the unfiltered detections as well.',
)  # fmt: skip
@click.option(
    '--catalogs', is_flag=True, help='Write the catalogues too, with rejects.'
)
@click.option('--minobj', type=int, help="TweakReg's; fewest matches.")
@click.option('--searchrad', type=float, help="TweakReg's; arcseconds by default.")
@click.option('--tolerance', type=float, help="TweakReg's; pixels.")
@click.option(
    '--fitgeometry', type=click.Choice(['shift', 'rscale', 'general']),
    help="TweakReg's.",
)  # fmt: skip
@click.option('--exclusions', type=click.Path(path_type=Path), help="TweakReg's.")
@click.option('--refimage', type=click.Path(path_type=Path), help="TweakReg's.")
@click.option('--wcsname', help="TweakReg's; name of the new WCS.")
@click.option(
    '--imagefindcfg', multiple=True, metavar='KEY=VALUE', callback=_parse_pairs,
    help='Parameter of its own finder.',
)  # fmt: skip
@click.option(
    '--refimagefindcfg', multiple=True, metavar='KEY=VALUE', callback=_parse_pairs,
    help='The same, for --refimage.',
)  # fmt: skip
@click.option(
    '--set', 'others', multiple=True, metavar='KEY=VALUE', callback=_parse_pairs,
    help='Any other parameter of TweakReg, for instance nclip=5.',
)  # fmt: skip
@click.option('--log', type=click.Path(path_type=Path), help='Keep what TweakReg says.')
@overwrite_option
def tweakreg(exposures: tuple[str, ...], **given: Any) -> None:
    """
    Align exposures with TweakReg on their stars.

    EXPOSURE is a file or @LIST. Prints matches, shifts and residuals before and
    after filtering, and writes tweakreg.ecsv, tweakreg_residuals.png and one
    ROOT_matches.png for each aligned exposure.
    """
    with console().warnings_of():  # warnings name the exposure
        failed = _tweakreg(exposures, given)
    if failed:
        console().error(f'not aligned: {", ".join(failed)}')
        sys.exit(1)


def _tweakreg(arguments: tuple[str, ...], given: dict[str, Any]) -> list[str]:
    """Do what the command says; return what could not be aligned."""
    host('drizzlepac')
    own = _tweakreg_options(given)
    finder = _chosen_finder(given, own)
    point = None if given['operating_point'] == 'none' else given['operating_point']
    try:
        selection = make_selection(
            given['keep'] or ('star',),
            operating_point=point,
            model=given['model'],
            min_stars=given['min_stars'],
            finder=finder,
            fwhm=given['fwhm'],
            nsigma=given['nsigma'],
            saturated=given['saturated'],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    exposures = read_exposures(expand_lists(arguments))
    output: Path = given['output']
    output.mkdir(parents=True, exist_ok=True)
    plots = find_spec('matplotlib') is not None
    read = [given[name] for name in ('refcat', 'refimage', 'exclusions')]
    with protected([*(e.path for e in exposures), *(each for each in read if each)]):
        for path in _outputs(exposures, output, given['log'], plots=plots):
            check_output(path, overwrite=given['overwrite'])
    if given['update']:
        check_updates(exposures)
    reference = _reference(exposures, given)
    if not given['refimage']:
        sky = None if reference is None else sky_positions(reference)
        check_overlap(exposures, sky)
    with tempfile.TemporaryDirectory(prefix='astrosieve-') as extra:
        _bring_along(own, exposures, Path(extra))
        result = align_exposures(
            exposures,
            selection,
            reference=reference,
            update=given['update'],
            compare=given['compare'],
            options=own,
            catalogs_to=output if given['catalogs'] else None,
            overwrite=given['overwrite'],
        )
    written = _write_results(result, output, plots=plots, given=given)
    for line in result.table.pformat(max_lines=-1, max_width=-1):
        click.echo(line)
    click.echo(f'-> {", ".join(map(str, written))}')
    after = result.stages[AFTER]
    if not any(each.status == 'aligned' for each in after):
        click.echo('TweakReg aligned nothing; no header is changed', err=True)
    elif given['update']:
        names = [result.labels[a.name] for a in after if a.status != 'failed']
        kept = ', '.join(map(str, result.kept)) or 'already there'
        click.echo(f'headers updated: {", ".join(names)}; original headers: {kept}')
    else:
        click.echo('no header is changed (--update)')
    return [result.labels[each.name] for each in after if each.status == 'failed']


def _tweakreg_options(given: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are TweakReg's."""
    names = (
        'minobj', 'searchrad', 'tolerance', 'fitgeometry', 'exclusions', 'refimage',
        'wcsname',
    )  # fmt: skip
    own = {name: given[name] for name in names if given[name] is not None}
    own |= given['others']
    _check_parameters(own)
    fixed = {'catfile', 'refcat', 'updatehdr', 'headerlet', 'shiftfile'} & set(own)
    if fixed:
        msg = f'--set {min(fixed)}: the command sets it itself'
        raise click.UsageError(msg)
    for name in ('imagefindcfg', 'refimagefindcfg'):
        if given[name]:
            own[name] = given[name]
    for name in ('exclusions', 'refimage'):
        if name in own and not Path(own[name]).is_file():
            msg = f'--{name} {own[name]}: no such file'
            raise AstrosieveError(msg)
    return own


def _chosen_finder(given: dict[str, Any], own: Mapping[str, Any]) -> str:
    """Return the finder: TweakReg's own where its own options are given."""
    needs_own = [name for name in ('exclusions', 'imagefindcfg') if name in own]
    finder = given['finder'] or (OWN_FINDER if needs_own else 'dao')
    if finder != OWN_FINDER:
        if needs_own:
            msg = f"--{needs_own[0]} goes with TweakReg's own finder: --finder tweakreg"
            raise click.UsageError(msg)
        if finder not in list_finders():
            known = ', '.join([*list_finders(), OWN_FINDER])
            msg = f'--finder must be one of {known}; got {finder!r}'
            raise click.UsageError(msg)
    return str(finder)


def _outputs(
    exposures: Sequence[Exposure], output: Path, log: Path | None, *, plots: bool
) -> list[Path]:
    """Return what will be written, the pictures of some exposures perhaps not."""
    paths = [output / 'tweakreg.ecsv']
    if plots:
        paths.append(output / 'tweakreg_residuals.png')
        paths += [output / f'{root_name(e.path)}_matches.png' for e in exposures]
    if log is not None:
        paths.append(log)
    return paths


def _reference(exposures: Sequence[Exposure], given: dict[str, Any]) -> Table | None:
    if given['refcat'] is not None and given['gaia']:
        msg = 'give --refcat or --gaia, not both'
        raise click.UsageError(msg)
    if given['refcat'] is not None:
        return read_reference(given['refcat'])
    if given['gaia']:
        return fetch_gaia([f.corners for e in exposures for f in e.footprints])
    return None


def _bring_along(
    own: dict[str, Any], exposures: Sequence[Exposure], folder: Path
) -> None:
    """Name region files and reference image as TweakReg finds them from elsewhere."""
    if 'refimage' in own:
        link = folder / Path(own['refimage']).name.replace(' ', '_')
        link.symlink_to(Path(own['refimage']).resolve())
        own['refimage'] = str(link)
    if 'exclusions' not in own:
        return
    listing = Path(own['exclusions'])
    by_name = {each.path.name: each.name for each in exposures}
    lines: list[str] = []
    for line in listing.read_text(encoding='utf-8').splitlines():
        words = line.split()
        if not words or words[0].startswith('#'):
            continue
        name = Path(words[0]).name
        if name not in by_name:
            continue  # lists may serve more exposures than these
        regions = []
        for number, word in enumerate(words[1:]):
            if word in ('None', 'INDEF'):
                regions.append('None')
                continue
            source = listing.parent / word
            if not source.is_file():
                msg = f'{listing}: region file {source}: no such file'
                raise AstrosieveError(msg)
            link = folder / f'{len(lines)}_{number}{source.suffix}'
            link.symlink_to(source.resolve())
            regions.append(link.name)
        lines.append(' '.join([by_name[name], *regions]))
    if not lines:
        msg = f'{listing}: names none of the exposures'
        raise AstrosieveError(msg)
    own['exclusions'] = str(folder / 'exclusions.list')
    Path(own['exclusions']).write_text('\n'.join(lines) + '\n', encoding='utf-8')


def _write_results(
    result: AlignedSet, output: Path, *, plots: bool, given: dict[str, Any]
) -> list[Path]:
    overwrite = given['overwrite']
    table = output / 'tweakreg.ecsv'
    with atomic_path(table, overwrite=overwrite) as temporary:
        result.table.write(temporary, format='ascii.ecsv', overwrite=True)
    written = [table]
    if given['log'] is not None:
        with atomic_path(given['log'], overwrite=overwrite) as temporary:
            temporary.write_text(result.log, encoding='utf-8')
        written.append(given['log'])
    if not plots:
        click.echo("no pictures: pip install 'astrosieve[tweakreg]'", err=True)
        return written
    from astrosieve.figures import save_figure
    from astrosieve_plugins.tweakreg_catalogs.figures import (
        match_figure,
        residual_figure,
    )

    figure = residual_figure(result.stages, result.labels)
    if figure is not None:
        path = output / 'tweakreg_residuals.png'
        save_figure(figure, path, overwrite=overwrite)
        written.append(path)
    for number, exposure in enumerate(result.exposures):
        stages = {name: each[number] for name, each in result.stages.items()}
        if stages[AFTER].status != 'aligned':
            continue
        images = {chip.extver: chip.sci for chip in read_chips(exposure.path)}
        figure = match_figure(
            images,
            {
                name: (one, result.match_classes(name, one))
                for name, one in stages.items()
            },
        )
        path = output / f'{root_name(exposure.path)}_matches.png'
        save_figure(figure, path, overwrite=overwrite)
        written.append(path)
    return written
