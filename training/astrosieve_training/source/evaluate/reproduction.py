"""
The figures of WFC3 ISR 2024-14, repeated on simulated exposures.

The training is the published one (configuration ``isr2024-published``): cutouts
dealt 80/20 one by one, the excess over 1.5 times the smallest class moved to
validation. What is measured so is too good, as one exposure is on both sides;
beside it stands the same network on exposures that it has not seen.

The report's numbers differ in places. We compare with 94 % of stars right, which
is in its confusion matrix (its abstract says 96 %), with under 1 % of cosmic rays
and of spikes called stars and a purity over 96 %; and with 27,296 detections, which
is in its table (its text says 27,376). Its class ratio of 1.489 we take as the 1.5
that the recipe states. Transfer learning from a large network is not repeated: it
needs pretrained weights.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from astrosieve.atomic import atomic_path
from astrosieve.exceptions import AstrosieveWarning, OutputError
from astrosieve.figures import COLOURS, GREY, INK, SHARES, save_figure
from astrosieve.images.exposures import Chip
from astrosieve.images.units import parse_unit
from astrosieve.models.metrics import Share, confusion_matrix
from astrosieve.models.registry import load_model
from astrosieve.source.classes import CLASSES, REPORT_CLASSES
from astrosieve.source.widths import averaged
from astrosieve_training.data_folder import data_folder
from astrosieve_training.judge.figures import draw_shares, figure_file
from astrosieve_training.judge.report import replace_between
from astrosieve_training.learn.loop import RunState
from astrosieve_training.learn.sampling import label_numbers
from astrosieve_training.settings import ConfigError
from astrosieve_training.source.config import SourceConfig, load_config
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    detection_set,
    join,
)
from astrosieve_training.source.datasets.examples import TrainingData, prepare
from astrosieve_training.source.datasets.real.frames import hrc_47tuc, ngc1261
from astrosieve_training.source.evaluate.checks import scan
from astrosieve_training.source.evaluate.figures import draw_scan
from astrosieve_training.source.networks import build_network
from astrosieve_training.source.train.predict import averaged_logits
from astrosieve_training.source.train.runs import train_network

if TYPE_CHECKING:
    from astrosieve_training.simulate import SimulatedExposure

__all__ = ['FIGURES', 'draw']

_RUNS = 50
_BORDER = 60  # pixels that not all of the dithered exposures show


@dataclass(frozen=True)
class _Setting:
    """What a figure is made from."""

    config: SourceConfig
    model: str
    folder: Path
    runs: int
    pages: Sequence[Path] = ()

    @property
    def cache(self) -> Path:
        """Folder of cached detections and runs."""
        return self.folder / 'cache'

    def data(self) -> TrainingData:
        """Return the published training set."""
        return prepare(self.config, self.cache)

    def unseen(self, data: TrainingData) -> DetectionSet:
        """Return the uncontested detections of exposures that were not seen."""
        both = join([data.calibrating, data.holdout])
        labels = label_numbers(both.rows, self.config.network.classes)
        return both[both.usable & (labels >= 0)]

    def trained(self, data: TrainingData, number: int = 0) -> tuple[Any, RunState]:
        """Return a network trained as published, and its history."""
        path = self.cache / f'published-{number:02d}.pt'
        state = train_network(data.training, data.validation, self.config, number, path)
        network = build_network(self.config.network)
        network.load_state_dict(state.best)
        return network, state


def _note(setting: _Setting, name: str, values: dict[str, Any]) -> None:
    """Write the numbers behind a figure beside it."""
    with atomic_path(setting.folder / f'{name}.json', overwrite=True) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')


def _curves(setting: _Setting, path: Path) -> None:
    """Figure 4: loss and accuracy by epoch, and the time of the training."""
    data = setting.data()
    _, state = setting.trained(data)
    epochs = [each['epoch'] for each in state.history]
    with figure_file(path, columns=2, size=(4.4, 3.4)) as (figure, axes):
        for axis, key in zip(axes[0], ('loss', 'accuracy'), strict=True):
            for prefix, style in (('', 'o-'), ('validation_', 's--')):
                values = [each[f'{prefix}{key}'] for each in state.history]
                label = 'validation' if prefix else 'training'
                axis.plot(epochs, values, style, color=INK, ms=4, label=label)
            axis.axvline(state.best_epoch, color=GREY, lw=1)
            axis.set(xlabel='epoch', ylabel=key)
            axis.grid(alpha=0.3)
        axes[0, 0].legend()
        figure.suptitle(
            f'{len(data.training)} cutouts, {state.seconds:.0f} s, threads: '
            f'{setting.config.train.threads}',
            fontsize=10,
        )
    _note(
        setting,
        'isr2024-curves',
        {
            'counts': data.counts,
            'history': state.history,
            'seconds': state.seconds,
            'best_epoch': state.best_epoch,
        },
    )


def _confusion(setting: _Setting, path: Path) -> None:
    """Figure 5: confusion matrix, as published and on unseen exposures."""
    data = setting.data()
    network, _ = setting.trained(data)
    classes = setting.config.network.classes
    unseen = setting.unseen(data)
    labels = label_numbers(unseen.rows, classes)
    matrices = {
        'split by cutout, as published': confusion_matrix(
            data.validation.labels,
            averaged_logits(network, data.validation.inputs).argmax(axis=1),
            len(classes),
        ),
        'unseen exposures': confusion_matrix(
            labels,
            averaged_logits(network, unseen.inputs).argmax(axis=1),
            len(classes),
        ),
    }
    numbers: dict[str, Any] = {}
    with figure_file(path, columns=2, size=(4.4, 4)) as (_, axes):
        for axis, (name, matrix) in zip(axes[0], matrices.items(), strict=True):
            totals = np.maximum(matrix.sum(axis=1, keepdims=True), 1)
            shares = matrix / totals
            axis.imshow(shares, cmap=SHARES, vmin=0, vmax=1)
            for i, j in np.ndindex(*matrix.shape):
                share = Share(int(matrix[i, j]), int(totals[i, 0]))
                axis.text(
                    j, i,
                    f'{share.value:.2%}\n{share.k}\n({share.low:.2%}-{share.high:.2%})',
                    ha='center', va='center', fontsize=7,
                    color='white' if shares[i, j] > 0.5 else INK,
                )  # fmt: skip
            purity = matrix[0, 0] / max(matrix[:, 0].sum(), 1)
            axis.set_xticks(range(len(classes)), classes)
            axis.set_yticks(range(len(classes)), classes, rotation=90, va='center')
            axis.set(xlabel='prediction', ylabel='truth')
            axis.set_title(f'{name}\npurity of stars {purity:.2%}', fontsize=9)
            numbers[name] = {'matrix': matrix.tolist(), 'purity': purity}
    numbers['classes'] = list(classes)
    numbers['published'] = {
        'stars right': 0.94, 'others called stars, each': 0.01, 'purity': 0.96,
    }  # fmt: skip
    _note(setting, 'isr2024-confusion', numbers)
    for page in setting.pages:
        replace_between(page, 'isr2024-confusion', _beside_published(matrices))


def _beside_published(matrices: dict[str, np.ndarray]) -> list[str]:
    """Return what the matrices say of stars, beside what the report says."""
    stated = (
        ('stars called stars', '94 % in the confusion matrix, 96 % in the abstract'),
        ('cosmic rays called stars', 'under 1 %'),
        ('spikes called stars', 'under 1 %'),
    )
    head = ['', 'published', *(f'here, {name}' for name in matrices)]
    rows = [head, ['---'] * len(head)]
    for i, (what, published) in enumerate(stated):
        shares = [Share(int(m[i, 0]), int(m[i].sum())) for m in matrices.values()]
        rows.append([what, published, *map(str, shares)])
    pure = [Share(int(m[0, 0]), int(m[:, 0].sum())) for m in matrices.values()]
    rows.append(['stars in the list of stars', 'over 96 %', *map(str, pure)])
    return [f'| {" | ".join(row)} |' for row in rows]


def _overlay(setting: _Setting, path: Path) -> None:
    """Figures 6 and 7: the classes over fields of other cameras."""
    from astrosieve.source.exposures import ClassifyOptions, classify_chip
    from astrosieve.source.plotting import overlay_figure

    folder = data_folder()
    if folder is None:
        msg = 'the figure overlay needs the real frames; set ASTROSIEVE_DATA'
        raise OutputError(msg)
    model = load_model(setting.model)
    images, tables, titles = [], [], []
    for frame, (y, x) in (
        (ngc1261(folder, 'right'), (slice(360, 560), slice(500, 780))),
        (hrc_47tuc(folder), (slice(760, 1000), slice(100, 436))),
    ):
        options = ClassifyOptions(finder='peaks', fwhm=frame.fwhm, model=model)
        with warnings.catch_warnings():
            # That the PSF is wider than in training is what the figure is about.
            warnings.simplefilter('ignore', AstrosieveWarning)
            table = classify_chip(frame.chip, options)
        table['x_centroid'] -= x.start
        table['y_centroid'] -= y.start
        xc, yc = np.asarray(table['x_centroid']), np.asarray(table['y_centroid'])
        inside = (xc >= 0) & (yc >= 0)
        inside &= (xc < x.stop - x.start) & (yc < y.stop - y.start)
        images.append(frame.chip.sci[y, x])
        tables.append(table[inside])
        titles.append(f'{frame.name}, {model.card.name}')
    save_figure(overlay_figure(images, tables, titles), path, overwrite=True)


def _pooling(setting: _Setting, path: Path) -> None:
    """Figures 9 and 10: many runs with and without max pooling."""
    data = setting.data()
    unseen = setting.unseen(data)
    classes = setting.config.network.classes
    labels = label_numbers(unseen.rows, classes)
    rng = np.random.default_rng([setting.config.seed, 5])
    # Enough to choose the best epoch by.
    validation = data.validation[rng.permutation(len(data.validation))[:4000]]
    found: dict[str, np.ndarray] = {}
    for name, pooling in (('no pooling', False), ('max pooling', True)):
        config = replace(
            setting.config, network=replace(setting.config.network, pooling=pooling)
        )
        shares = []
        for number in range(setting.runs):
            record = setting.cache / f'pooling-{int(pooling)}-{number:02d}.pt'
            state = train_network(data.training, validation, config, number, record)
            network = build_network(config.network)
            network.load_state_dict(state.best)
            logits = averaged_logits(network, unseen.inputs)
            right = logits.argmax(axis=1) == labels
            by_class = [right[labels == i].mean() for i in range(len(classes))]
            shares.append([right.mean(), *by_class])
        found[name] = np.array(shares)
    with figure_file(path, columns=1 + len(classes), size=(2.8, 3.2)) as (figure, axes):
        for i, (axis, title) in enumerate(zip(axes[0], ('all', *classes), strict=True)):
            values = [rows[:, i] for rows in found.values()]
            edges = np.linspace(np.min(values), np.max(values) + 1e-9, 16)
            for (name, rows), color in zip(
                found.items(), (INK, COLOURS[1]), strict=True
            ):
                axis.hist(rows[:, i], edges, histtype='step', color=color, label=name)
            axis.set(title=title, xlabel='accuracy on unseen exposures')
            axis.tick_params(axis='x', labelsize=7, rotation=30)
        axes[0, 0].legend(fontsize=7)
        axes[0, 0].set_ylabel('runs')
        figure.suptitle(f'{setting.runs} runs each', fontsize=10)
    _note(
        setting,
        'isr2024-pooling',
        {
            'runs': setting.runs,
            'columns': ['all', *classes],
            **{
                name: {
                    'median': np.median(rows, axis=0).tolist(),
                    'min': rows.min(axis=0).tolist(),
                    'max': rows.max(axis=0).tolist(),
                }
                for name, rows in found.items()
            },
        },
    )


def _scan(setting: _Setting, path: Path) -> None:
    """Figures 11 and 12: the network asked at each pixel."""
    from astrosieve_training.simulate import load_camera, simulate_exposure

    model = load_model(setting.model)
    exposure = simulate_exposure(
        load_camera('wfc3-uvis-f336w'), seed=23000, shape=(512, 512),
        scene='outskirts', exptime=1230.0,
    )  # fmt: skip
    images = [('simulated F336W', exposure.sci, 150, 150, exposure.truth.fwhm)]
    folder = data_folder()
    if folder is not None:
        frame = ngc1261(folder, 'right')
        images.append(('NGC 1261 F336W', frame.chip.sci, 500, 400, frame.fwhm))
    panels = []
    for title, sci, x, y, fwhm in images:
        box = (slice(y, y + 160), slice(x, x + 160))
        panels.append((title, sci[box], scan(model, sci, box, fwhm=fwhm)))
    draw_scan(panels, model.card.classes, path)


def _chip_of(exposure: SimulatedExposure) -> Chip:
    """Return a simulated exposure as the chip that reading its file would give."""
    camera = exposure.camera
    return Chip(
        sci=np.asarray(exposure.sci, dtype=np.float32),
        path=Path(f'{camera.name}.fits'),
        err=exposure.err,
        dq=exposure.dq,
        unit=parse_unit(camera.unit),
        gain=camera.gain,
        exptime=float(exposure.exptime),
        instrument=camera.instrument,
        detector=camera.detector,
        filter_name=camera.filter,
        header=fits.Header({'RDNOISE': camera.read_noise}),
    )


def _drizzled(setting: _Setting, path: Path) -> None:
    """Detections on combined exposures: what was learnt on single ones carries over."""
    from scipy.ndimage import shift

    from astrosieve_training.simulate import load_camera
    from astrosieve_training.simulate.exposure import simulate_dithered_set
    from astrosieve_training.simulate.truth import label_positions

    camera = load_camera('wfc3-uvis-f336w')
    exposures = simulate_dithered_set(
        camera, 4, seed=24000, shape=(700, 700), scene='globular', exptime=1230.0
    )
    first = exposures[0]
    layers = []
    for exposure in exposures:
        x, y = exposure.wcs.wcs.crpix - first.wcs.wcs.crpix
        layers.append(shift(exposure.sci, (-y, -x), order=1, cval=np.nan))
    truth = replace(
        first.truth,
        planes={
            **first.truth.planes,
            # The median takes away what is in one exposure only.
            'cosmic_ray': np.zeros_like(first.truth.planes['cosmic_ray']),
            'bad_pixel': np.zeros_like(first.truth.planes['bad_pixel']),
        },
    )
    model = load_model(setting.model)
    star = model.card.classes.index('star')
    numbers: dict[str, Any] = {}
    chip = _chip_of(first)
    with np.errstate(invalid='ignore'):
        combined = {
            'single exposure': first.sci,
            'median of four, resampled': np.nanmedian(layers, axis=0),
        }
    for name, image in combined.items():
        single = image is first.sci
        true = first.truth if single else truth
        used = replace(
            chip,
            sci=np.asarray(image, dtype=np.float32),
            dq=chip.dq if single else None,
        )
        detections = detection_set(
            used,
            partial(label_positions, true),
            finders=setting.config.finders,
            preprocessing=model.card.preprocessing,
            exposure=name,
            camera=camera.name,
            scene='globular',
        )
        x, y = np.asarray(detections.rows['x']), np.asarray(detections.rows['y'])
        inside = np.minimum(x, y) > _BORDER
        inside &= np.maximum(x, y) < image.shape[0] - _BORDER
        detections = detections[inside & detections.usable]
        called = averaged(model.predict, detections.inputs).argmax(axis=1) == star
        label = np.asarray(detections.rows['label'], dtype=str)
        numbers[name] = {
            each: [int(called[label == each].sum()), int((label == each).sum())]
            for each in REPORT_CLASSES
        }
    with figure_file(path, size=(5.4, 3.6)) as (_, axes):
        axis = axes[0, 0]
        for i, found in enumerate(numbers.values()):
            for j, each in enumerate(REPORT_CLASSES):
                share, x = Share(*found[each]), j + 0.15 * (i - 0.5)
                if not share.n:
                    continue
                style = {'fmt': 'os'[i], 'color': CLASSES.ink(each), 'capsize': 3}
                draw_shares(axis, [x], [share], **style)
                axis.annotate(
                    f' {share.k}/{share.n}', (x, share.value), fontsize=7,
                    xytext=(4, -3), textcoords='offset points',
                )  # fmt: skip
        axis.set_xticks(range(len(REPORT_CLASSES)), REPORT_CLASSES)
        axis.set(ylabel='called star (share)', ylim=(-0.05, 1.05), xlim=(-0.5, 2.7))
        axis.set_title('circles: single exposure; squares: median of four', fontsize=9)
        axis.grid(alpha=0.3)
    _note(setting, 'isr2024-drizzled', numbers)


def _cosmic_rays(setting: _Setting, path: Path) -> None:
    """Simulated beside real hits: length, width, peak, charge."""
    from astrosieve_training.simulate.compare import plot_hits

    figure, comparison = plot_hits(_data(), np.random.default_rng(setting.config.seed))
    save_figure(figure, path, overwrite=True)
    _note(setting, 'cosmic-rays', comparison)


def _frames(setting: _Setting, path: Path) -> None:
    """Simulated beside real frames at the same stretch."""
    from astrosieve_training.simulate.compare import plot_frames

    save_figure(plot_frames(_data()), path, overwrite=True)


def _data() -> Path:
    folder = data_folder()
    if folder is None:
        msg = 'this figure needs the real frames; set ASTROSIEVE_DATA'
        raise OutputError(msg)
    return folder.parent


FIGURES: dict[str, tuple[str, Callable[[_Setting, Path], None]]] = {
    'curves': ('isr2024-curves.png', _curves),
    'confusion': ('isr2024-confusion.png', _confusion),
    'overlay': ('isr2024-overlay.png', _overlay),
    'pooling': ('isr2024-pooling.png', _pooling),
    'scan': ('isr2024-scan.png', _scan),
    'drizzled': ('isr2024-drizzled.png', _drizzled),
    'cosmic-rays': ('cosmic-rays.png', _cosmic_rays),
    'frames': ('frames.png', _frames),
}
"""Figures by name: file, and the function that draws it."""


def draw(
    names: Sequence[str],
    model: str,
    folder: Path,
    *,
    runs: int = _RUNS,
    pages: Sequence[Path] = (),
) -> list[Path]:
    """
    Draw figures of the report.

    Parameters
    ----------
    names : sequence of str
        Of `FIGURES`.
    model : str
        Name or path of the model for overlays, scan maps and combined exposures.
    folder : `~pathlib.Path`
        Where the figures go; keeps a cache.
    runs : int, optional
        Runs of each kind for 'pooling'.
    pages : sequence of `~pathlib.Path`, optional
        Whose table ``isr2024-confusion`` the figure 'confusion' writes.

    Returns
    -------
    paths : list of `~pathlib.Path`
        The figures.

    Raises
    ------
    ConfigError
        If there is no figure of a name.
    """
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        msg = f'no figure {unknown[0]!r}; known are {", ".join(FIGURES)}'
        raise ConfigError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    published = load_config('isr2024-published')
    setting = _Setting(published, model, folder, runs, pages)
    paths = []
    for name in names:
        file, function = FIGURES[name]
        function(setting, folder / file)
        paths.append(folder / file)
    return paths
