"""
The network of WFC3 ISR 2024-14 (Bajaj & Dauphin 2024).

Two convolutions of 3x3 with batch normalisation, no pooling, two dense layers.
The report does not state the size of the second dense layer; here it is 16, as
the first. With 'same' padding an 11x11 cutout becomes 32 * 11 * 11 = 3872
features, the number that the report gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from astrosieve.exceptions import ModelError

if TYPE_CHECKING:
    from astrosieve_training.source.config import NetworkConfig

__all__ = ['build']


def build(
    config: NetworkConfig, *, shapes: dict[str, tuple[int, ...]]
) -> nn.Sequential:
    """
    Build the network.

    Parameters
    ----------
    config : `~astrosieve_training.source.config.NetworkConfig`
        Filters, dense layers, pooling (the report compares both), classes.
    shapes : dict of str to tuple of int
        Shape of a row of each input; the network takes 'cutouts' alone.

    Returns
    -------
    network : `torch.nn.Sequential`
        Takes (N, 1, size, size), returns (N, C) logits.
    """
    layers: list[nn.Module] = []
    if list(shapes) != ['cutouts']:
        msg = f'isr2024 takes cutouts alone; its preprocessing makes {list(shapes)}'
        raise ModelError(msg)
    channels, size, _ = shapes['cutouts']
    for filters in config.filters:
        layers += [
            nn.Conv2d(channels, filters, 3, padding='same'),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
        ]
        if config.pooling:
            layers.append(nn.MaxPool2d(2))
            size //= 2
        channels = filters
    layers.append(nn.Flatten())
    features = channels * size * size
    for width in config.dense:
        layers += [nn.Linear(features, width), nn.ReLU()]
        features = width
    layers.append(nn.Linear(features, len(config.classes)))
    return nn.Sequential(*layers)
