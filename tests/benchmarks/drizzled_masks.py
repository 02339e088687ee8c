"""
AstroDrizzle on simulated exposures, before and after ``astrosieve segment --write-dq``.

Run ``python tests/benchmarks/drizzled_masks.py --model NAME --output DIR``. With
``--page docs/tasks/contaminant.md --picture docs/images/drizzled_masks.png`` the table
and the picture of the page are made again.

Each field is three dithered exposures of WFC3/UVIS. AstroDrizzle combines the first
alone, and all three: with the DQ planes that they come with, with those in which
``segment`` has set its bits, and, as the truth, exposures without the hits. What a hit
leaves behind is how far an image is above that truth, as a share of what it is where
nothing was rejected. A star is off where its light in an aperture of 3 pixels differs
from the truth by more than 5 %, or where a pixel of the aperture has no data.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from astrosieve.images.stretch import grey
from astrosieve.models.metrics import Share
from astrosieve_training.judge.figures import figure_file
from astrosieve_training.judge.report import replace_between
from astrosieve_training.simulate.files import write_dithered_set
from astrosieve_training.simulate.plans import ExposurePlan
from astrosieve_training.simulate.truth import read_truth
from astrosieve_training.source.label.drizzling import output_frame, write_plain
from astrosieve_training.source.label.exposures import check_exposures

SEED = 7_100_000  # nothing was trained on exposures of such seeds
CAMERA, SCENE, EXPTIME, SHAPE = 'wfc3-uvis-f606w', 'field', 900.0, (512, 512)
N = 3
GOOD = 64 | 256 | 2048  # warm and saturated pixels are used, as pipelines do
REJECTS = {'median': True, 'blot': True, 'driz_cr': True}
CASES = (
    ('one exposure', 1, False, False),
    ('one exposure, bits of `segment`', 1, True, False),
    ('three, nothing rejected', N, False, False),
    ('three, bits of `segment`', N, True, False),
    ("three, AstroDrizzle's rejection", N, False, True),
    ("three, AstroDrizzle's rejection, bits of `segment`", N, True, True),
)
_PROGRAM = """
import json, sys
from drizzlepac.astrodrizzle import AstroDrizzle
names, options = json.load(sys.stdin)
AstroDrizzle(names, **options)
"""

ALT = (
    'Part of a field, combined in four ways: one exposure full of hits, the same with '
    'holes where most hits were and its stars whole, and three exposures after '
    "AstroDrizzle's rejection, without and with the bits, clean but for faint remains"
)


@dataclass
class Sums:
    """What is summed over fields."""

    left: float = 0.0
    fallen: float = 0.0
    empty: int = 0
    pixels: int = 0
    off: int = 0
    stars: int = 0


@dataclass(frozen=True, eq=False)
class Field:
    """
    A field's exposures.

    Parameters
    ----------
    plain, marked, clean : list of `~pathlib.Path`
        As they come; with the bits of ``segment``; without hits.
    frame : dict
        Of the combined image, as AstroDrizzle takes it.
    sky : (n, 2) `~numpy.ndarray`
        Places of stars of S/N 10 or more, degrees.
    """

    plain: list[Path]
    marked: list[Path] = field(default_factory=list)
    clean: list[Path] = field(default_factory=list)
    frame: dict[str, Any] = field(default_factory=dict)
    sky: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))


def make_field(seed: int, model: str, folder: Path) -> Field:
    """Simulate a field, mark its exposures, and make those without hits."""
    plan = ExposurePlan(CAMERA, SCENE, EXPTIME, seed, SHAPE)
    pairs = write_dithered_set(plan, N, folder / 'simulated')
    exposures = check_exposures([path for path, _ in pairs], combined=False)
    for name in ('plain', 'marked', 'clean'):
        (folder / name).mkdir()
    plain, clean = [], []
    for number, ((_, truth), exposure) in enumerate(zip(pairs, exposures, strict=True)):
        path = folder / 'plain' / f'e{number}_flc.fits'
        write_plain(exposure, path)
        plain.append(path)
        without = folder / 'clean' / path.name
        with fits.open(path) as hdus:
            known = read_truth(truth)[0]
            hdus['SCI', 1].data -= known.planes['cosmic_ray'].astype(np.float32)
            hdus.writeto(without)
        clean.append(without)
    command = [sys.executable, '-c', 'from astrosieve.cli import main; main()']
    command += ['segment', '--model', model]
    command += ['--write-dq', '-o', f'{folder / "marked"}/', *map(str, plain)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    marked = [folder / 'marked' / f'e{number}_dq_flc.fits' for number in range(N)]
    first = read_truth(pairs[0][1])[0]
    stars = first.stars[first.stars['snr'] > 10]
    wcs = WCS(fits.getheader(plain[0], ('SCI', 1)))
    sky = np.column_stack(wcs.all_pix2world(stars['x'], stars['y'], 0))
    return Field(plain, marked, clean, output_frame(exposures), sky)


def drizzle(
    paths: Sequence[Path], frame: dict[str, Any], folder: Path, *, reject: bool
) -> tuple[np.ndarray, np.ndarray, WCS]:
    """Return image (electrons per second), which pixels have data, and WCS."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        names = []
        for number, path in enumerate(paths):
            names.append(f'e{number}_flc.fits')
            (Path(work) / names[-1]).write_bytes(path.read_bytes())
        options = {
            'output': 'combined', 'build': False, 'updatewcs': False, 'skysub': False,
            'num_cores': 1, 'preserve': False, 'driz_sep_bits': GOOD,
            'final_bits': GOOD, 'driz_sep_wcs': True, 'final_wcs': True,
            'resetbits': 4096, 'median': False, 'blot': False, 'driz_cr': False,
            'driz_separate': reject, 'combine_type': 'minmed',
            **(REJECTS if reject else {}),
            **{f'{step}_{k}': v for step in ('driz_sep', 'final')
               for k, v in frame.items()},
        }  # fmt: skip
        subprocess.run(
            [sys.executable, '-P', '-W', 'ignore', '-c', _PROGRAM],
            input=json.dumps([names, options]),
            cwd=work, check=True, encoding='utf-8', stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        sci, header = fits.getdata(
            next(Path(work).glob('combined_dr?_sci.fits')), header=True
        )
        weight = fits.getdata(next(Path(work).glob('combined_dr?_wht.fits')))
    return np.nan_to_num(sci), weight > 0, WCS(header)


def light(image: np.ndarray, xy: np.ndarray, radius: float = 3.0) -> np.ndarray:
    """Return sums in apertures."""
    y, x = np.indices(image.shape)
    return np.array([image[np.hypot(x - px, y - py) <= radius].sum() for px, py in xy])


def judge(each: Field, folder: Path, sums: dict[str, Sums]) -> list[np.ndarray]:
    """Combine a field in all ways, add to the sums, return the images."""
    truths = {
        n: drizzle(each.clean[:n], each.frame, folder, reject=False) for n in (1, N)
    }
    fallen: dict[int, float] = {}
    images = []
    for name, n, marked, reject in CASES:
        truth, covered, wcs = truths[n]
        paths = (each.marked if marked else each.plain)[:n]
        image, there, _ = drizzle(paths, each.frame, folder, reject=reject)
        above = np.where(there & covered, image - truth, 0)
        left = float(np.clip(above, 0, None).sum())
        fallen.setdefault(n, left)
        xy = wcs.all_world2pix(each.sky, 0)
        ny, nx = image.shape
        inside = ((xy > 8) & (xy < (nx - 9, ny - 9))).all(axis=1)
        inside[inside] &= light(~covered, xy[inside]) == 0
        expected, found = (light(plane, xy[inside]) for plane in (truth, image))
        off = np.abs(found / expected - 1) > 0.05
        off |= light(~there & covered, xy[inside]) > 0
        total = sums.setdefault(name, Sums())
        total.left += left
        total.fallen += fallen[n]
        total.empty += int((covered & ~there).sum())
        total.pixels += int(covered.sum())
        total.off += int(off.sum())
        total.stars += len(off)
        images.append(np.where(there, image, np.nan))
    return images


def rows(sums: dict[str, Sums], fields: int, model: str) -> list[str]:
    """Return the table of the page."""
    said = [
        f'{fields} simulated fields of {N} exposures of {EXPTIME:.0f} s, '
        f'{CAMERA}, {SHAPE[0]}x{SHAPE[1]} pixels, seeds from {SEED}; model {model}.',
        '',
        '| combined | charge of hits that is left | pixels without data | stars off '
        'by 5 % or without data |',
        '| --- | --- | --- | --- |',
    ]
    for name, each in sums.items():
        said.append(
            f'| {name} | {100 * each.left / each.fallen:.2f} % | '
            f'{100 * each.empty / each.pixels:.2f} % | {Share(each.off, each.stars)} |'
        )
    return said


def draw(images: Sequence[np.ndarray], path: Path) -> None:
    """Draw part of a field, combined in four ways."""
    part = slice(150, 350), slice(150, 350)
    with figure_file(path, rows=2, columns=2, size=(4, 4.2)) as (_, axes):
        for axis, number in zip(axes.flat, (0, 1, 4, 5), strict=True):
            shades = grey(images[number][part].astype(np.float32))
            axis.imshow(shades, cmap='gray', origin='lower', vmin=0, vmax=1)
            axis.set_facecolor('#1c4f9c')
            axis.set(title=CASES[number][0].replace('`', ''), xticks=[], yticks=[])


def main() -> None:
    """Combine fields, and print, write or draw what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').partition('\n\n')[0])
    parser.add_argument('--model', default='contaminant')
    parser.add_argument('--output', type=Path, required=True)
    parser.add_argument('--fields', type=int, default=4)
    parser.add_argument('--page', type=Path)
    parser.add_argument('--picture', type=Path)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    sums: dict[str, Sums] = {}
    for number in range(given.fields):
        with tempfile.TemporaryDirectory(dir=given.output) as work:
            each = make_field(SEED + number, given.model, Path(work))
            images = judge(each, Path(work), sums)
        if given.picture and not number:
            draw(images, given.picture)
    lines = rows(sums, given.fields, Path(given.model).stem)
    print('\n'.join(lines))
    if given.page:
        if given.picture:
            place = os.path.relpath(given.picture, given.page.parent)
            lines += ['', f'![{ALT}]({place})']
        replace_between(given.page, 'contaminant-drizzled', lines)


if __name__ == '__main__':
    main()
