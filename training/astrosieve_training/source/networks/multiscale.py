"""
Three scales of cutout, the width of the PSF, and how a star of that width would look.

From the innermost cutout, in units of the noise, the network makes three images: the
S/N on a scale that is linear at the noise and logarithmic above it; the pixels over
the brightest of the central 3x3; and what is left when a Gaussian of the PSF's width,
fitted to the central 3x3 pixels at their centroid, is taken away. The two wider
cutouts show what is near: the bright star to which a spike belongs, a cluster, a
nebula. Strides take the place of pooling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from astrosieve.exceptions import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astrosieve_training.source.config import NetworkConfig

__all__ = ['MultiScale', 'build']

_FLOOR = 3.0  # S/N below which a peak or an amplitude is not divided by
_RATE = 2.7725887  # 4 ln 2: exp(-_RATE r^2 / fwhm^2) is 1/2 at r = fwhm / 2


def _compressed(pixels: torch.Tensor) -> torch.Tensor:
    """Return asinh(pixels / 2) / 5, written so that every runtime has a fast way."""
    size = pixels.abs() / 2
    return pixels.sign() * torch.log(size + torch.sqrt(size * size + 1)) / 5


def _layer(
    inputs: int, outputs: int, *, stride: int = 1, padding: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class MultiScale(nn.Module):
    """
    The network.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.NetworkConfig`
        ``filters`` of the two stages of the innermost cutout, ``dense`` layers,
        ``classes``, and which of ``images`` and ``context`` it uses.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.images = config.images
        self.context = config.context
        first, second = config.filters
        self.core = nn.Sequential(
            _layer(len(config.images), first),
            _layer(first, first, padding=0),
            _layer(first, second, stride=2),
            _layer(second, second),
        )
        self.around = nn.ModuleDict(
            {
                name: nn.Sequential(_layer(1, 16, stride=2), _layer(16, 16, padding=0))
                for name in config.context
                if name != 'fwhm'
            }
        )
        features = second * 5 * 5 + 16 * 4 * 4 * len(self.around)
        features += 1 + ('fwhm' in config.context)
        layers: list[nn.Module] = []
        for width in config.dense:
            layers += [nn.Linear(features, width), nn.ReLU()]
            features = width
        layers.append(nn.Linear(features, len(config.classes)))
        self.head = nn.Sequential(*layers)

    def forward(
        self,
        cutouts: torch.Tensor,
        wide: torch.Tensor,
        far: torch.Tensor,
        fwhm: torch.Tensor,
    ) -> torch.Tensor:
        """Return (N, C) logits."""
        centre = cutouts[:, :, 4:7, 4:7]
        peak = centre.amax((2, 3), keepdim=True).clamp(min=_FLOOR)
        made = []
        for name in self.images:
            if name == 'noise':
                made.append(_compressed(cutouts))
            elif name == 'peak':
                made.append((cutouts / peak).clamp(-0.5, 1.5))
            else:
                made.append(self._residual(cutouts, centre, fwhm))
        features = [self.core(torch.cat(made, 1)).flatten(1)]
        around = {'wide': wide, 'far': far}
        for name, branch in self.around.items():
            features.append(branch(_compressed(around[name])).flatten(1))
        features.append(torch.log10(peak[:, :, 0, 0]) / 2 - 0.7)
        if 'fwhm' in self.context:
            features.append(torch.log2(fwhm / 2))
        logits: torch.Tensor = self.head(torch.cat(features, 1))
        return logits

    @staticmethod
    def _residual(
        cutouts: torch.Tensor, centre: torch.Tensor, fwhm: torch.Tensor
    ) -> torch.Tensor:
        """Return what a star of the PSF's width leaves, in units of its amplitude."""
        light = centre.clamp(min=0) + 1e-6
        total = light.sum((2, 3))
        steps = torch.arange(-1.0, 2.0, device=light.device)
        x = (light.sum(2) * steps).sum(2) / total
        y = (light.sum(3) * steps).sum(2) / total
        grid = torch.arange(-5.0, 6.0, device=light.device)
        rate = _RATE / (fwhm * fwhm)
        across = torch.exp(-rate * (grid - x) ** 2)
        along = torch.exp(-rate * (grid - y) ** 2)
        star = (along[:, :, None] * across[:, None, :])[:, None]
        inner = star[:, :, 4:7, 4:7]
        amplitude = (inner * centre).sum((2, 3), keepdim=True)
        amplitude = amplitude / (inner * inner).sum((2, 3), keepdim=True)
        return (cutouts / amplitude.clamp(min=_FLOOR) - star).clamp(-1, 1)


def build(config: NetworkConfig, *, shapes: Mapping[str, tuple[int, ...]]) -> nn.Module:
    """
    Build the network.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.NetworkConfig`
        See `MultiScale`.
    shapes : dict of str to tuple of int
        Shape of a row of each input; those of the preprocessing 'local-noise-2'.

    Returns
    -------
    network : `torch.nn.Module`
        Takes 'cutouts', 'wide', 'far' (N, 1, 11, 11) and 'fwhm' (N, 1), returns
        (N, C) logits.
    """
    wanted = ['cutouts', 'wide', 'far', 'fwhm']
    if list(shapes) != wanted or shapes['cutouts'] != (1, 11, 11):
        msg = (
            f'multiscale needs the inputs {wanted} with cutouts of 11x11; got {shapes}'
        )
        raise ModelError(msg)
    return MultiScale(config)
