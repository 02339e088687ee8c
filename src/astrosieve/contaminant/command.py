"""The command ``astrosieve segment``."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import astropy.units as u
import click
import numpy as np
from astropy.table import Table

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
    without_run,
)
from astrosieve.commands.console import Say
from astrosieve.commands.options import (
    batch_options,
    chosen_model,
    exptime_option,
    ext_option,
    gain_option,
    images_argument,
    json_option,
    model_option,
    output_option,
    overwrite_option,
    skip_existing_option,
    unit_option,
)
from astrosieve.commands.remote import Input, Remote
from astrosieve.contaminant.classes import SPOILT
from astrosieve.contaminant.dq import (
    FlaggedImage,
    bits_of_camera,
    check_update,
    dq_copy,
    read_bits,
    update_dq,
    write_dq,
)
from astrosieve.contaminant.files import map_file
from astrosieve.contaminant.filling import write_inpainted
from astrosieve.contaminant.flags import bits_of, mask_type, thresholds_of
from astrosieve.contaminant.plotting import overlay_figure
from astrosieve.contaminant.priors import Prior, expected_shares
from astrosieve.contaminant.segment import NOTHING_USABLE, Part, segment_parts
from astrosieve.contaminant.verdict.judge import Verdict, verdict_of, worst_of
from astrosieve.exceptions import AstrosieveError, AstrosieveWarning
from astrosieve.figures import require_matplotlib, save_figure
from astrosieve.images.exposures import Chip, read_chips, read_header, root_name
from astrosieve.images.instruments import instrument
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import Model


def _prior(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, float | u.Quantity]:
    prior: dict[str, float | u.Quantity] = {}
    for value in values:
        name, _, share = (part.strip() for part in value.partition('='))
        try:
            number, slash, unit = share.partition('/')
            prior[name] = float(number) / u.Unit(unit) if slash else float(number)
        except (TypeError, ValueError):
            msg = (
                f'{value!r} must be CLASS=SHARE, a class of the model and a number, or '
                'a rate: CLASS=SHARE/s'
            )
            raise click.BadParameter(msg) from None
    return prior


@click.command(cls=Command)
@images_argument
@output_option('ROOT_segment.fits')
@ext_option
@model_option('contaminant')
@click.option(
    '--prior',
    multiple=True,
    metavar='CLASS=SHARE',
    callback=_prior,
    help='Expected share of pixels that a class holds, or its rate: '
    'cosmic_ray=2e-5/s; defects=SHARE for all of the detector.',
)
@unit_option
@gain_option
@exptime_option
@click.option(
    '--write-dq',
    is_flag=True,
    help='Set bits in the DQ planes of a copy, ROOT_dq.fits (NAME_dq_flc.fits).',
)
@click.option(
    '--update',
    is_flag=True,
    help='With --write-dq: in the image itself; its planes are kept in '
    'ROOT_dq_before.fits.',
)
@click.option(
    '--dq-bits',
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar='TABLE',
    help="Columns class and bit, in place of the camera's own DQ bits.",
)
@click.option(
    '--plot',
    metavar='FILE',
    help='Draw the classes over the image: PNG, PDF or SVG; a folder for several '
    'images.',
)
@click.option(
    '--inpaint',
    is_flag=True,
    help='Write an image without what is spoilt, ROOT_inpainted.fits, for looking at '
    'only.',
)
@overwrite_option
@skip_existing_option
@json_option
@batch_options
def segment(images: tuple[Input, ...], **given: Any) -> None:
    """
    Tell which pixels of images are spoilt, and by what.

    For each SCI extension a cube PROB with a plane of probabilities for each class,
    and a MASK with a bit for each class that holds. Whether tracking, guiding or focus
    failed in the whole image is told too.
    """
    without_run('update')
    if given['update'] and not given['write_dq']:
        msg = '--update goes with --write-dq'
        raise click.UsageError(msg)
    if given['update'] and any(isinstance(image, Remote) for image in images):
        msg = '--update changes files of this machine only'
        raise click.UsageError(msg)
    model = chosen_model(given['model'], 'contaminant')
    bits: dict[str, int] | None = None
    try:
        thresholds_of(model.card)
        expected_shares(given['prior'], model.card, exptime=1.0)
        if given['dq_bits']:
            bits = read_bits(given['dq_bits'])
    except (AstrosieveError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    if given['plot']:
        require_matplotlib()
    asked = _Asked(
        model,
        bits=bits,
        **{
            name: given[name]
            for name in (
                'prior', 'ext', 'unit', 'gain', 'exptime', 'write_dq', 'update',
                'inpaint', 'overwrite',
            )
        },
    )  # fmt: skip
    plan = plan_outputs(
        images,
        [
            OutputOption('-o', given['output'], '_segment.fits', always=True),
            OutputOption('--plot', given['plot'], '_segment.png'),
        ],
    )
    left: Sequence[Input] = images
    if given['skip_existing']:
        left, plan = without_existing(images, plan)
    read = [given['dq_bits']] if given['dq_bits'] else []
    run_batch(left, plan, asked.segment, protect=read, model=model)


@dataclass
class _Seen:
    """What is kept of the images of a file."""

    chips: list[Chip] = field(default_factory=list)
    masks: list[FlaggedImage] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    counts: list[dict[str, int]] = field(default_factory=list)

    @property
    def pixels(self) -> list[int]:
        """Pixels of each image."""
        return [each.mask.size for each in self.masks]

    def take(
        self,
        chip: Chip,
        shape: tuple[int, int],
        bits: dict[str, int],
        parts: Iterable[Part],
    ) -> None:
        """Keep the mask of a chip, and how many pixels each class holds."""
        mask = np.empty(shape, mask_type(bits))
        counts = dict.fromkeys(bits, 0)

        def keep(part: Part) -> None:
            mask[part.rows] = part.mask
            for name, bit in bits.items():
                counts[name] += int(np.count_nonzero(part.mask & bit))

        for _ in map(keep, parts):  # by no name, see `segment_parts`
            pass
        self.counts.append(counts)
        self.masks.append(FlaggedImage(chip.extname, chip.extver, mask))


@dataclass(frozen=True)
class _Asked:
    """What is done with each file."""

    model: Model
    prior: Prior = field(default_factory=dict)
    ext: tuple[str, ...] = ()
    unit: str | None = None
    gain: float | None = None
    exptime: float | None = None
    write_dq: bool = False
    update: bool = False
    bits: dict[str, int] | None = None
    inpaint: bool = False
    overwrite: bool = False

    def segment(self, path: Path, outputs: Outputs, say: Say) -> Answer:
        """Map the images of a file, write what was asked for, return what to print."""
        target, plot = outputs['-o'] or STDOUT, outputs['--plot']
        folder = Path() if target == STDOUT else target.parent
        bits = self._bits(path)
        filled = folder / f'{root_name(path)}_inpainted.fits' if self.inpaint else None
        copy = dq_copy(path, folder) if bits and not self.update else None
        written = [each for each in (target, plot, filled, copy) if each is not None]
        for each in written:
            if each != STDOUT:
                check_output(each, overwrite=self.overwrite)
        keep = plot is not None or self.inpaint
        with delivered(target) as file:
            seen = self._map(path, file, say, keep=keep)
        if plot is not None:
            figure = overlay_figure(
                [chip.sci for chip in seen.chips],
                [each.mask for each in seen.masks],
                bits_of(self.model.card.classes),
                [chip.name for chip in seen.chips],
            )
            save_figure(figure, plot, overwrite=self.overwrite)
        if filled is not None:
            spoilt = sum(
                bit
                for name, bit in bits_of(self.model.card.classes).items()
                if name in SPOILT
            )
            pairs = zip(seen.chips, seen.masks, strict=True)
            images = ((chip, (each.mask & spoilt) != 0) for chip, each in pairs)
            write_inpainted(images, filled, overwrite=self.overwrite)
        if copy is not None:
            write_dq(path, copy, seen.masks, bits, overwrite=self.overwrite)
        elif bits:
            written += [path, update_dq(path, seen.masks, bits)]
        return self._answer(path, seen, written)

    def _bits(self, path: Path) -> dict[str, int]:
        """Return the DQ bits to set; none where no DQ plane is wanted."""
        if not self.write_dq:
            return {}
        if self.update:
            check_update(path)
        if self.bits is not None:
            return self.bits
        header = read_header(path, self.ext)
        names = (str(header.get(key, '')) for key in ('INSTRUME', 'DETECTOR'))
        return bits_of_camera(instrument(*names))

    def _map(self, path: Path, file: Path, say: Say, *, keep: bool) -> _Seen:
        """Write the maps of a file's images."""
        card = self.model.card
        seen = _Seen()
        with map_file(
            file,
            thresholds_of(card),
            model=f'{card.name} {card.version}',
            sha256=card.sha256,
            image=path.name,
            overwrite=self.overwrite,
        ) as maps:
            for chip in read_chips(path, self.ext):
                say(chip.name)
                image = MeasuredImage.of_chip(
                    chip, unit=self.unit, gain=self.gain, exptime=self.exptime
                )
                shares = expected_shares(self.prior, card, image.exptime)
                if not image.usable:
                    said = f'{chip.name}: {NOTHING_USABLE}'
                    warnings.warn(said, AstrosieveWarning, stacklevel=2)
                verdict = verdict_of(image)
                if verdict.failures:
                    said = f'{chip.name}: {verdict.warning()}'
                    warnings.warn(said, AstrosieveWarning, stacklevel=2)
                seen.verdicts.append(verdict)
                parts = maps.add(
                    segment_parts(image, self.model, shares),
                    image.sci.shape,
                    extver=chip.extver,
                    prior=shares,
                    wcs=chip.wcs,
                    verdict=verdict,
                )
                seen.take(chip, image.sci.shape, bits_of(card.classes), parts)
                if keep:
                    seen.chips.append(chip)
        return seen

    def _answer(self, path: Path, seen: _Seen, written: list[Path]) -> Answer:
        """Say what was found and where it is."""
        shares = {
            name: sum(each[name] for each in seen.counts) / sum(seen.pixels)
            for name in self.model.card.classes
        }
        found = ', '.join(
            f'{100 * share:.2g} % {name}' for name, share in shares.items() if share
        )
        files = [str(each) for each in written]
        verdict = worst_of(seen.verdicts)
        p = verdict.probabilities
        return Answer(
            f'{path.name}: {found or "nothing found"}; {verdict} -> {", ".join(files)}',
            {
                'input': str(path),
                'extensions': [f'{each.extname},{each.extver}' for each in seen.masks],
                'shares': shares,
                'verdict': {n: None if math.isnan(v) else v for n, v in p.items()},
                'failures': verdict.failures,
                'written': files,
            },
            rows=_rows(seen),
        )


def _rows(seen: _Seen) -> Table:
    """Return a row for each image: what share of its pixels each class holds."""
    table = Table(
        {
            'extname': [each.extname for each in seen.masks],
            'extver': np.array([each.extver for each in seen.masks], dtype=np.int16),
        }
    )
    for name in seen.counts[0]:
        pairs = zip(seen.counts, seen.pixels, strict=True)
        table[f'share_{name}'] = [each[name] / pixels for each, pixels in pairs]
    table['failures'] = [', '.join(each.failures) for each in seen.verdicts]
    return table
