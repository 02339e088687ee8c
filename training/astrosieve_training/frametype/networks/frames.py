"""A network that does not know along which axis the light was dispersed."""

from __future__ import annotations

import torch
from torch import nn

from astrosieve.frametype.preprocessing.summary import TRANSPOSED
from astrosieve_training.frametype.config import FrameConfig
from astrosieve_training.frametype.networks.statistics import Statistics
from astrosieve_training.frametype.networks.trees import Trees

__all__ = ['FrameNetwork', 'FrameNetworks', 'build']

_HIDDEN = 96
_NUMBERS = 64
_FAINT = 0.05  # contrast of a crop below which it is not raised


def _plane(before: int, after: int, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride=2, padding=size // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


def _line(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(before, after, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm1d(after),
        nn.ReLU(),
    )


class FrameNetwork(nn.Module):
    """
    Looks at maps, profiles, crops and traces with either axis first, and keeps what
    both have.

    The answer for a frame and for the transposed one is the same to the last bit but
    the order of sums.

    Parameters
    ----------
    n_classes : int
        Outputs.
    shapes : dict of str to tuple of int
        Of maps, profiles, numbers of the axes, numbers, crops, and traces.
    """

    def __init__(self, n_classes: int, shapes: dict[str, tuple[int, ...]]) -> None:
        super().__init__()
        numbers, along = shapes['numbers'][0], shapes['axes'][1]
        self.maps = nn.Sequential(
            _plane(shapes['maps'][0], 32, 5), _plane(32, 48), _plane(48, 64),
            _plane(64, 64),
        )  # fmt: skip
        self.profiles = nn.Sequential(
            _line(shapes['profiles'][1], 32), _line(32, 48), _line(48, 48),
            _line(48, 48),
        )  # fmt: skip
        self.crops = nn.Sequential(
            _plane(2, 16, 5), _plane(16, 24), _plane(24, 32), _plane(32, 32),
        )  # fmt: skip
        self.traces = nn.Sequential(
            _line(shapes['traces'][2], 24), _line(24, 32), _line(32, 40),
            _line(40, 40),
        )  # fmt: skip
        self.scaled = nn.BatchNorm1d(numbers, affine=False)
        self.scaled_axes = nn.BatchNorm1d(along, affine=False)
        self.looked = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(2 * 64 + 4 * 48 + 4 * 32, _HIDDEN)
        )
        self.followed = nn.Sequential(nn.Dropout(0.2), nn.Linear(4 * 40, _HIDDEN))
        self.measured = nn.Sequential(
            nn.Dropout(0.05),
            nn.Linear(numbers + 2 * along, 2 * _NUMBERS), nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(2 * _NUMBERS, _NUMBERS), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(2 * (_HIDDEN + _NUMBERS), 96), nn.ReLU(),
            nn.Dropout(0.2),
        )  # fmt: skip
        self.last = nn.Linear(96, n_classes)

    def forward(
        self,
        maps: torch.Tensor,
        profiles: torch.Tensor,
        axes: torch.Tensor,
        numbers: torch.Tensor,
        crops: torch.Tensor,
        traces: torch.Tensor,
    ) -> torch.Tensor:
        """Return (N, C) logits."""
        turned = maps[:, list(TRANSPOSED)].transpose(2, 3)
        seen = [self._seen(each) for each in (maps, turned)]
        near = [self._near(each) for each in (crops, crops.transpose(2, 3))]
        along = [self._along(profiles[:, axis]) for axis in (0, 1)]
        on = [self._on(traces[:, axis]) for axis in (0, 1)]
        sides = [self.scaled_axes(axes[:, axis]) for axis in (0, 1)]
        plain = self.scaled(numbers)
        views = [
            torch.cat(
                [
                    torch.relu(
                        self.looked(
                            torch.cat([seen[i], along[i], along[1 - i], near[i]], 1)
                        )
                        + self.followed(on[i])
                    ),
                    self.measured(torch.cat([plain, sides[i], sides[1 - i]], 1)),
                ],
                1,
            )
            for i in (0, 1)
        ]
        both = torch.cat([views[0] + views[1], torch.maximum(views[0], views[1])], 1)
        logits: torch.Tensor = self.last(self.head(both))
        return logits

    def _seen(self, maps: torch.Tensor) -> torch.Tensor:
        features = self.maps(maps)
        return torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)

    def _near(self, crops: torch.Tensor) -> torch.Tensor:
        each = crops.reshape(-1, 1, *crops.shape[2:])
        away = each - each.mean((2, 3), keepdim=True)
        size = (away**2).mean((2, 3), keepdim=True).sqrt() + _FAINT
        features = self.crops(torch.cat([each, away / size], 1))
        found = torch.cat([features.mean((2, 3)), features.amax((2, 3))], 1)
        found = found.reshape(-1, crops.shape[1], found.shape[1])
        return torch.cat([found.mean(1), found.amax(1)], 1)

    def _along(self, profiles: torch.Tensor) -> torch.Tensor:
        features = self.profiles(profiles)
        return torch.cat([features.mean(2), features.amax(2)], 1)

    def _on(self, traces: torch.Tensor) -> torch.Tensor:
        features = self.traces(traces.flatten(0, 1))
        found = torch.cat([features.mean(2), features.amax(2)], 1)
        found = found.reshape(*traces.shape[:2], found.shape[1])
        return torch.cat([found.mean(1), found.amax(1)], 1)


class FrameNetworks(nn.Module):
    """
    Several networks and trees, whose logits are averaged.

    Parameters
    ----------
    members : list of `FrameNetwork`
        The networks.
    n_classes : int
        Outputs.
    trees : `~astrosieve_training.frametype.networks.trees.Trees`, optional
        What has the part ``share`` of the mean; the networks have the rest.
    """

    share: torch.Tensor
    offsets: torch.Tensor

    def __init__(
        self, members: list[FrameNetwork], n_classes: int, trees: Trees | None = None
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.statistics, self.trees = Statistics(), trees
        self.register_buffer('share', torch.tensor(0.0))
        self.register_buffer('offsets', torch.zeros(n_classes))

    def forward(
        self,
        maps: torch.Tensor,
        profiles: torch.Tensor,
        axes: torch.Tensor,
        numbers: torch.Tensor,
        crops: torch.Tensor,
        traces: torch.Tensor,
    ) -> torch.Tensor:
        """Return (N, C) logits."""
        inputs = (maps, profiles, axes, numbers, crops, traces)
        logits = torch.stack([each(*inputs) for each in self.members]).mean(0)
        if self.trees is not None:
            others = self.trees(self.statistics(*inputs))
            logits = logits + self.share * (others - logits)
        return logits + self.offsets


def build(
    config: FrameConfig, shapes: dict[str, tuple[int, ...]], *, whole: bool = False
) -> FrameNetworks:
    """Build one network, or all of them with the trees."""
    n = len(config.classes)
    members = [FrameNetwork(n, shapes) for _ in range(config.train.runs * whole or 1)]
    grown = whole and config.trees.rounds
    return FrameNetworks(members, n, Trees(n, config.trees) if grown else None)
