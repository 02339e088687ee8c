"""Judging the report's network: its table, its confusion matrix, saliency maps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from astrosieve.classes import words
from astrosieve.figures import SHARES
from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model
from astrosieve_training.blob.isr2021.ablation import ablation_table
from astrosieve_training.blob.isr2021.datasets import (
    CLASSES,
    Subframes,
    drawn_subframes,
    judged_subframes,
)
from astrosieve_training.blob.isr2021.train import SubframeRun
from astrosieve_training.judge.figures import figure_file
from astrosieve_training.judge.limits import Limit
from astrosieve_training.judge.report import Report, Section
from astrosieve_training.stages import Stages

__all__ = ['JudgedSubframes', 'judge_subframes', 'saliency']

PUBLISHED = (0.94, 0.88)
"""Of subframes with a blob, and of those without, that the report's network got."""

_TEST = 2000  # subframes that are drawn as the training's were
_DEPTHS = (0.02, 0.03, 0.05, 0.1, 0.2, 0.31)
_WHOLE = 'simulated images, 16 subframes each'
_CLEAR = 'those where no older blob became deeper'
_DRAWN = 'right 25 % of images, as in training'


@dataclass(frozen=True, eq=False)
class JudgedSubframes:
    """
    What a network says of subframes.

    Parameters
    ----------
    name : str
        Of the sample.
    subframes : `~astrosieve_training.blob.isr2021.datasets.Subframes`
        The sample.
    p : (N,) `~numpy.ndarray`
        Probability of a blob.
    """

    name: str
    subframes: Subframes
    p: np.ndarray

    @property
    def real(self) -> np.ndarray:
        """Which have a blob."""
        return np.asarray(self.subframes.target == CLASSES.index('blob'))

    @property
    def shares(self) -> tuple[Share, Share]:
        """Right of those with a blob, and of those without."""
        called = self.p > 0.5
        return Share.of(called, self.real), Share.of(~called, ~self.real)

    def take(self, name: str, chosen: np.ndarray) -> JudgedSubframes:
        """Return some of them, by a mask."""
        images, target = self.subframes.images[chosen], self.subframes.target[chosen]
        part = Subframes(images, target, self.subframes.key)
        return JudgedSubframes(name, part, self.p[chosen])

    @property
    def matrix(self) -> np.ndarray:
        """Counts: rows are the truth, columns what was said."""
        called = self.p > 0.5
        return np.array(
            [
                [(truth & said).sum() for said in (called, ~called)]
                for truth in (self.real, ~self.real)
            ]
        )


def saliency(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """
    Return how much each pixel matters to whether there is a blob.

    Parameters
    ----------
    network : `torch.nn.Module`
        Takes (N, 1, ny, nx), gives two logits.
    images : (N, ny, nx) `~numpy.ndarray`
        Subframes.

    Returns
    -------
    maps : (N, ny, nx) float32 `~numpy.ndarray`
        Size of the gradient of the blob's logit less that of none (Simonyan et al.
        2013, arXiv:1312.6034), smoothed by two pixels.
    """
    network.eval()
    inputs = torch.from_numpy(images.astype(np.float32)[:, None]).requires_grad_()
    logits = network(inputs)
    (slope,) = torch.autograd.grad((logits[:, 0] - logits[:, 1]).sum(), inputs)
    return np.asarray(gaussian_filter(slope[:, 0].abs().numpy(), (0, 2, 2)))


def _judged(name: str, subframes: Subframes, model: Model) -> JudgedSubframes:
    n = len(subframes)
    p = [
        model.predict(subframes.batch(np.arange(at, min(at + 100, n)), None)[0])
        for at in range(0, n, 100)
    ]
    return JudgedSubframes(name, subframes, np.concatenate(p)[:, 0])


def _summary(found: list[JudgedSubframes], run: SubframeRun) -> list[str]:
    rows = [(each.name, *each.shares) for each in found]
    published = tuple(f'{share:.0%}' for share in PUBLISHED)
    epochs = run.summary['epochs']
    total = epochs['adam'] + epochs['sgd']
    return [
        *markdown_table(
            ('sample', 'with a blob, right', 'without, right'),
            [('published, WFC3 ISR 2021-08', *published), *rows],
        ),
        '',
        f'Trained on {run.summary["subframes"]} subframes for {epochs["adam"]} epochs '
        f'of Adam and {epochs["sgd"]} of gradient descent, {total} of the '
        f"report's 200" + (': the loss had stopped falling.' if total < 200 else '.'),
    ]


def _by_depth(judged: JudgedSubframes, depth: np.ndarray) -> list[str]:
    called = judged.p > 0.5
    rows = []
    for low, high in pairwise(_DEPTHS):
        members = (depth >= low) & (depth < high)
        rows.append((f'{low:.0%} to {min(high, 0.3):.0%}', Share.of(called, members)))
    return markdown_table(('deepest blob', 'subframes called'), rows)


def _matrix_lines(judged: JudgedSubframes) -> list[str]:
    rows = [
        (truth, *(str(count) for count in counts))
        for truth, counts in zip(CLASSES, judged.matrix, strict=True)
    ]
    return markdown_table(('truth', *(f'called {name}' for name in CLASSES)), rows)


def _draw_matrices(found: list[JudgedSubframes], path: Path) -> None:
    with figure_file(path, columns=len(found), size=(4.2, 3.8)) as (_, axes):
        for axis, judged in zip(axes[0], found, strict=True):
            counts = judged.matrix
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            axis.imshow(shares, cmap=SHARES, vmin=0, vmax=1)
            for row, column in np.ndindex(2, 2):
                axis.text(
                    column,
                    row,
                    f'{shares[row, column]:.1%}\n{counts[row, column]}',
                    ha='center',
                    va='center',
                    color='white' if shares[row, column] > 0.5 else 'black',
                )
            names = [words(name) for name in CLASSES]
            axis.set_xticks([0, 1], names)
            axis.set_yticks([0, 1], names, rotation=90, va='center')
            axis.set_xlabel('called')
            axis.set_ylabel('truth')
            axis.set_title(judged.name)


def _draw_saliency(judged: JudgedSubframes, network: nn.Module, path: Path) -> None:
    """Draw subframes of all four outcomes, the surest of each, and their maps."""
    chosen, titles = [], []
    outcomes = (
        ('blob, called', judged.real & (judged.p > 0.5), -judged.p),
        ('blob, missed', judged.real & (judged.p <= 0.5), judged.p),
        ('none, called', ~judged.real & (judged.p > 0.5), -judged.p),
        ('none, rejected', ~judged.real & (judged.p <= 0.5), judged.p),
    )
    for title, members, order in outcomes:
        rows = np.flatnonzero(members)
        for row in rows[np.argsort(order[rows], kind='stable')][: 1 + (':' in title)]:
            chosen.append(row)
            titles.append(f'{title}: p = {judged.p[row]:.2f}')
    images = judged.subframes.images[chosen]
    maps = saliency(network, images)
    with figure_file(path, rows=2, columns=len(chosen), size=(3.2, 3.3)) as (_, axes):
        for column, (image, each) in enumerate(zip(images, maps, strict=True)):
            axes[0, column].imshow(image, cmap='gray', origin='lower', vmin=-3, vmax=3)
            axes[0, column].set_title(titles[column])
            axes[1, column].imshow(each, cmap='magma', origin='lower')
            axes[1, column].set_title('saliency')
        for axis in axes.flat:
            axis.set_xticks([])
            axis.set_yticks([])


def judge_subframes(
    model: Model, run: SubframeRun, folder: Path, *, ablation: bool = False
) -> Report:
    """
    Judge a network that tells subframes apart.

    Parameters
    ----------
    model : `~astrosieve.models.registry.Model`
        What was exported.
    run : `~astrosieve_training.blob.isr2021.train.SubframeRun`
        The training; it has the gradients.
    folder : `~pathlib.Path`
        Gets the figures, and keeps what was simulated.
    ablation : bool, optional
        Whether the report's other ideas are tried too.

    Returns
    -------
    report : `~astrosieve_training.judge.report.Report`
    """
    config = run.config
    stages = Stages(folder / 'images', tidy=False)
    drawn = drawn_subframes(config, 'test', _TEST, stages)
    whole, depth, grown = judged_subframes(config)
    found = [_judged(_DRAWN, drawn, model), _judged(_WHOLE, whole, model)]
    found.append(found[1].take(_CLEAR, ~grown))
    figures = [folder / f'{config.name}-{name}.png' for name in ('matrix', 'saliency')]
    _draw_matrices(found, figures[0])
    _draw_saliency(found[1], run.network, figures[1])
    sections = [
        Section('By depth, simulated images', _by_depth(found[1], depth)),
        *(Section(f'Confusion, {each.name}', _matrix_lines(each)) for each in found),
    ]
    limits = [
        (each.name, Limit(what, share, published, least=True))
        for each in found
        for what, share, published in zip(
            ('with a blob, right', 'without, right'),
            each.shares,
            PUBLISHED,
            strict=True,
        )
    ]
    summary = _summary(found, run)
    if ablation:
        summary += ['', *ablation_table(config, whole, stages)]
    return Report(
        model,
        summary,
        limits,
        sections,
        {
            'samples': {
                each.name: dict(zip(CLASSES, each.shares, strict=True))
                for each in found
            },
            'epochs': run.summary['epochs'],
        },
        scope=(
            f'images of seeds {config.judged.seed} on, with real blobs that were held '
            'back'
        ),
        measured={each.name: [share.value for share in each.shares] for each in found},
        binding=False,
        figures=figures,
        short=summary,
    )
