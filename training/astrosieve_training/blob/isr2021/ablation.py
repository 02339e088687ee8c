"""
The other ideas of WFC3 ISR 2021-08, on the same subframes.

Depth, pooling and dropout of its network; an autoencoder that has seen no blob and
cannot draw one; and UMAP, in whose plane blobs should lie together.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import nn
from torch.nn import functional

from astrosieve.markdown import markdown_table
from astrosieve.models.metrics import Share
from astrosieve_training.blob.isr2021.config import SubframeConfig
from astrosieve_training.blob.isr2021.datasets import (
    CLASSES,
    Subframes,
    drawn_subframes,
)
from astrosieve_training.blob.isr2021.train import fitted
from astrosieve_training.blob.networks import isr2021
from astrosieve_training.judge.scores import roc
from astrosieve_training.learn import loop
from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.stages import Stages
from astrosieve_training.versions import code_version, digest, module_of

__all__ = ['ablation_table']

_VARIANTS: dict[str, dict[str, tuple[float, ...] | int]] = {
    'as in the report': {},
    'one convolution': {'filters': (16,)},
    'three convolutions': {'filters': (8, 16, 32)},
    'four convolutions': {'filters': (8, 16, 32, 32), 'pooling': 3},
    'pooling 8': {'pooling': 8},
    'no dropout': {'dropout': (0.0, 0.0)},
    'dropout 0.3 and 0.5': {'dropout': (0.3, 0.5)},
}
_BLIND = 0.12  # share of the subframes without a blob that an error may accuse
_SMOOTH = 3.0  # pixels: so wide is what the autoencoder is to miss
_NEIGHBOURS = 15
_BIN = 8  # pixels a side whose mean UMAP is given


@dataclass(frozen=True, eq=False)
class _Scored:
    """Scores of the judged subframes, and where a blob is called."""

    name: str
    scores: np.ndarray
    threshold: float
    seconds: float

    def row(self, real: np.ndarray) -> tuple[object, ...]:
        """Return a row of the table."""
        called = self.scores > self.threshold
        return (
            self.name,
            Share.of(called, real),
            Share.of(~called, ~real),
            f'{roc(self.scores, real).area:.3f}',
            f'{self.seconds:.0f}',
        )


class _Autoencoder(nn.Module):
    """Squeezes a subframe to 32x32 cells of 8 numbers, and draws it anew."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(1, 8, 5, stride=4, padding=2),
            nn.ReLU(),
            nn.Conv2d(8, 16, 5, stride=4, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 4, 3, stride=2, padding=1),
        )
        self.up = nn.Sequential(
            nn.ConvTranspose2d(4, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 4, stride=4),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 4, stride=4),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the subframe, as far as it could be kept."""
        drawn: torch.Tensor = self.up(self.down(image))
        return drawn


class _Unlike:
    """Mean square of what a drawing lacks."""

    def __call__(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the loss."""
        return functional.mse_loss(logits, target)

    plain = __call__

    def accuracy(
        self, logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the share of the variance that was drawn."""
        return 1 - functional.mse_loss(logits, target) / target.var()


@dataclass(frozen=True, eq=False)
class _Drawings:
    """Subframes without a blob, whose truth they are themselves."""

    images: np.ndarray
    key: str

    def __len__(self) -> int:
        return len(self.images)

    def batch(
        self, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[dict[str, np.ndarray], np.ndarray, None]:
        image = self.images[rows].astype(np.float32)[:, None]
        return {'image': image}, image, None


def _in_parts(images: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return what a function gives for images, some at a time."""
    parts = [images[at : at + 100] for at in range(0, len(images), 100)]
    return np.concatenate([of(part.astype(np.float32)) for part in parts])


def _variant(
    name: str,
    config: SubframeConfig,
    examples: tuple[Subframes, Subframes],
    judged: Subframes,
    folder: Path,
) -> _Scored:
    state = fitted(config, config.ablation, examples, folder / f'{digest(name)}.pt')
    network = isr2021.build(config)
    network.load_state_dict(state.best)

    def margin(images: np.ndarray) -> np.ndarray:
        logits = loop.predict_logits(network, {'image': images[:, None]})
        return np.asarray(logits[:, 0] - logits[:, 1])

    return _Scored(name, _in_parts(judged.images, margin), 0.0, state.seconds)


def _autoencoder(
    config: SubframeConfig,
    examples: tuple[Subframes, Subframes],
    judged: Subframes,
    folder: Path,
) -> _Scored:
    empty = CLASSES.index('no_blob')
    training, validation = (
        _Drawings(each.images[each.target == empty], each.key) for each in examples
    )
    settings: LoopSettings = replace(config.ablation, learning_rate=3e-3)
    state = loop.train_run(
        _Autoencoder,
        training,
        validation,
        _Unlike(),
        settings,
        seed=config.seed,
        number=0,
        path=folder / 'autoencoder.pt',
        key=code_version(module_of(_Autoencoder)),
    )
    network = _Autoencoder()
    network.load_state_dict(state.best)

    def missed(images: np.ndarray) -> np.ndarray:
        drawn = loop.predict_logits(network, {'image': images[:, None]})[:, 0]
        rest = gaussian_filter(images - drawn, (0, _SMOOTH, _SMOOTH))
        return np.asarray(rest.max(axis=(1, 2)))

    least = float(np.quantile(_in_parts(validation.images, missed), 1 - _BLIND))
    scores = _in_parts(judged.images, missed)
    return _Scored('autoencoder, its largest error', scores, least, state.seconds)


def _means(images: np.ndarray) -> np.ndarray:
    """Return the means of squares of pixels, (N, squares)."""
    n, ny, nx = images.shape
    squares = images.reshape(n, ny // _BIN, _BIN, nx // _BIN, _BIN)
    return np.asarray(squares.mean(axis=(2, 4)).reshape(n, -1))


def _umap(config: SubframeConfig, training: Subframes, judged: Subframes) -> _Scored:
    import umap
    from sklearn.neighbors import KNeighborsClassifier

    began = time.perf_counter()
    reducer = umap.UMAP(
        n_neighbors=_NEIGHBOURS, n_components=2, random_state=config.seed, n_jobs=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        known = reducer.fit_transform(_in_parts(training.images, _means))
        places = reducer.transform(_in_parts(judged.images, _means))
    real = training.target == CLASSES.index('blob')
    neighbours = KNeighborsClassifier(_NEIGHBOURS).fit(known, real)
    p = neighbours.predict_proba(places)[:, 1]
    name = f'UMAP, {_NEIGHBOURS} neighbours in its plane'
    return _Scored(name, p, 0.5, time.perf_counter() - began)


def ablation_table(
    config: SubframeConfig, judged: Subframes, stages: Stages
) -> list[str]:
    """
    Try other networks and other ideas with a small budget, the same for all.

    Parameters
    ----------
    config : `~astrosieve_training.blob.isr2021.config.SubframeConfig`
        The report's network, and the budget.
    judged : `~astrosieve_training.blob.isr2021.datasets.Subframes`
        What all are judged on.
    stages : `~astrosieve_training.stages.Stages`
        Keeps images and trainings.

    Returns
    -------
    lines : list of str
        A table, and what was spent.
    """
    n = config.ablation_subframes
    examples = (
        drawn_subframes(config, 'training', n, stages),
        drawn_subframes(config, 'validation', max(n // 4, 4), stages),
    )
    folder = stages.folder
    found = []
    for name, changes in _VARIANTS.items():
        stages.say(name)
        varied = replace(config, **changes)  # type: ignore[arg-type]
        found.append(_variant(name, varied, examples, judged, folder))
    stages.say('autoencoder and UMAP')
    found.append(_autoencoder(config, examples, judged, folder))
    found.append(_umap(config, examples[0], judged))
    real = np.asarray(judged.target == CLASSES.index('blob'))
    return [
        *markdown_table(
            (
                'idea',
                'with a blob, right',
                'without, right',
                'area under ROC',
                'seconds',
            ),
            [each.row(real) for each in found],
        ),
        '',
        f'Each learnt from {n} subframes in {config.ablation.epochs} epochs: these are '
        'to be compared with each other, not with the network above. The autoencoder '
        f'may accuse {_BLIND:.0%} of the subframes without a blob.',
    ]
