"""What a network says where the width of the PSF may not be known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from astrosieve.models.calibration import softmax
from astrosieve.source.widths import width_hypotheses
from astrosieve_training.learn.loop import predict_logits

if TYPE_CHECKING:
    from torch import nn

__all__ = ['averaged_logits']


def averaged_logits(network: nn.Module, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """
    Run a network as `~astrosieve.models.registry.Model` does.

    Parameters
    ----------
    network : `torch.nn.Module`
        The network.
    inputs : dict of str to `~numpy.ndarray`
        Arrays of N rows, in the order of the network's arguments.

    Returns
    -------
    logits : (N, C) float32 `~numpy.ndarray`
        Where the width of the PSF is not known, those of which the softmax is the
        mean of the probabilities over the widths that are assumed.
    """
    parts = [predict_logits(network, each) for each in width_hypotheses(inputs)]
    if len(parts) == 1:
        return parts[0]
    mean = np.mean([softmax(each) for each in parts], axis=0)
    return np.log(np.maximum(mean, 1e-30)).astype(np.float32)
