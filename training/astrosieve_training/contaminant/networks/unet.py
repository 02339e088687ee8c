"""A U-Net (Ronneberger, Fischer & Brox 2015, LNCS 9351, 234) that thinks in halves."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from astrosieve_training.contaminant.config import NetworkConfig

__all__ = ['UNet', 'build']

_RARE = -4.0  # logit before anything is learnt
_DEEP = (1, 2)  # levels below the first that have deep blocks: 1/8 and 1/16


def _layer(before: int, after: int, size: int = 3, *, stride: int = 1) -> nn.Module:
    padding = (size - stride + 1) // 2
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride=stride, padding=padding, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )


class _Lines(nn.Module):
    """Sum what lies along rows and along columns, beside the pixel itself."""

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        half = length // 2
        self.along_x, self.along_y = (
            nn.Conv2d(channels, channels, size, padding=padding, groups=channels,
                      bias=False)
            for size, padding in (((1, length), (0, half)), ((length, 1), (half, 0)))
        )  # fmt: skip
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)  # at first nothing is summed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return maps of the same shape."""
        return functional.relu(x + self.norm(self.along_x(x) + self.along_y(x)))


class _Block(nn.Module):
    """Two layers whose result is added to what they see (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _layer(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)  # at first nothing is added

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return maps of the same shape."""
        return functional.relu(x + self.norm(self.second(self.first(x))))


class UNet(nn.Module):
    """
    Fully convolutional; rows and columns must be multiples of 32.

    The first layer halves the resolution, four pixels becoming so many channels more,
    as wide layers on few positions are the faster ones; the last but one gives the
    four pixels back, and the last sees the image beside them.

    Parameters
    ----------
    filters : tuple of int
        At 1/2, 1/4, 1/8, 1/16 and 1/32 of the resolution.
    last : int
        Filters at 1/2 on the way up.
    fine : int
        Filters at the full resolution, beside the image; 0 for none, and the classes
        of four pixels in place of them.
    detail : int
        Filters of a layer of its own at the full resolution, beside the last; 0 for
        none. At first it adds nothing.
    blocks : int
        Residual blocks of two layers after `detail`, each of which sees two pixels
        more on every side; at first they add nothing. None without `detail`.
    deep : int
        Residual blocks of two layers at 1/8 and at 1/16; at first they add nothing.
    lines : int
        Length of what is summed along rows and columns at 1/4; 0 for nothing.
    planes, classes : int
        Of the inputs and of the outputs.
    """

    def __init__(
        self,
        filters: tuple[int, ...],
        *,
        last: int,
        fine: int,
        detail: int,
        blocks: int,
        deep: int,
        lines: int,
        planes: int,
        classes: int,
    ) -> None:
        super().__init__()
        first, *lower = filters
        self.stem = nn.Sequential(
            _layer(planes, first, 6, stride=2), _layer(first, first)
        )
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for before, after in zip(filters, lower, strict=False):
            number = len(self.down)
            more: list[nn.Module] = []
            if number == 0 and lines:
                more = [_Lines(after, lines)]
            elif number in _DEEP:
                more = [_Block(after) for _ in range(deep)]
            self.down.append(
                nn.Sequential(
                    _layer(before, after, stride=2),
                    _layer(after, after),
                    *(more or [nn.Identity()]),
                )
            )
            kept = before if len(self.up) else last
            self.up.append(
                nn.Sequential(_layer(after + before, kept, 1), _layer(kept, kept))
            )
        self.deepest = _layer(lower[-1], lower[-1])
        self.fine = nn.Conv2d(last, 4 * fine, 1) if fine else None
        self.maps = (
            nn.Conv2d(fine + planes, classes, 3, padding=1)
            if fine
            else nn.Conv2d(last, 4 * classes, 1)
        )
        assert self.maps.bias is not None
        with torch.no_grad():
            self.maps.bias[:] = _RARE
        self.detail = None
        if fine and detail:
            added = nn.Conv2d(detail, classes, 1, bias=False)
            nn.init.zeros_(added.weight)
            self.detail = nn.Sequential(_layer(fine + planes, detail), added)
            self.blocks = nn.Sequential(*(_Block(detail) for _ in range(blocks)))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (N, classes, ny, nx) logits."""
        seen = [self.stem(image)]
        for down in self.down:
            seen.append(down(seen[-1]))
        x = self.deepest(seen.pop())
        for up, beside in zip(reversed(self.up), reversed(seen), strict=True):
            wide = functional.interpolate(x, scale_factor=2.0)
            x = up(torch.cat([wide, beside], 1))
        maps: torch.Tensor
        if self.fine is None:
            maps = functional.pixel_shuffle(self.maps(x), 2)
        else:
            whole = functional.relu(functional.pixel_shuffle(self.fine(x), 2))
            whole = torch.cat([whole, image], 1)
            maps = self.maps(whole)
            if self.detail is not None:
                layer, added = self.detail
                maps = maps + added(self.blocks(layer(whole)))
        return maps


def build(config: NetworkConfig, planes: int, classes: int) -> UNet:
    """Build the network."""
    return UNet(
        config.filters,
        last=config.last,
        fine=config.fine,
        detail=config.detail,
        blocks=config.blocks,
        deep=config.deep,
        lines=config.lines,
        planes=planes,
        classes=classes,
    )
