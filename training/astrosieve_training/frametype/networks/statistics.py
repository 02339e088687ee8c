"""Statistics of a frame's inputs: the same however it is flipped or turned."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from astrosieve.frametype.preprocessing.summary import ACROSS, TRANSPOSED
from astrosieve.frametype.preprocessing.traces import MIRRORED

__all__ = ['Statistics']

_SMALL = 1e-3
_WIDE = 9  # bins of a profile over which it is smoothed


class Statistics(nn.Module):
    """
    Moments, quantiles, steps and likenesses of maps, profiles, crops and traces.

    Of what is measured along both axes there is the lesser and the larger value, so
    that a frame, the flipped ones and the transposed one have the same statistics.
    """

    def forward(
        self, maps: Tensor, profiles: Tensor, axes: Tensor, numbers: Tensor,
        crops: Tensor, traces: Tensor,
    ) -> Tensor:  # fmt: skip
        """Return (N, F) statistics, the measured numbers first."""
        lines = _mirrored(profiles, ACROSS, dim=2)
        along = torch.stack([_of_lines(lines[:, axis]) for axis in (0, 1)], 1)
        followed = _mirrored(traces, MIRRORED, dim=3)
        on = torch.stack([_of_traces(followed[:, axis]) for axis in (0, 1)], 1)
        planes = _mirrored(maps, TRANSPOSED, dim=1)
        return torch.cat(
            [
                numbers, _sides(axes), _sides(along),
                _of_planes(planes, (1, 4)), _of_pairs(planes.flatten(2)),
                _of_planes(crops, (1, 2, 5, 12)), _sides(on),
            ],
            1,
        )  # fmt: skip


def _sides(both: Tensor) -> Tensor:
    """Return the lesser and the larger of what (N, 2, F) holds of both axes."""
    return torch.cat([both.amin(1), both.amax(1)], 1)


def _mirrored(values: Tensor, mirror: tuple[int, ...], *, dim: int) -> Tensor:
    """Return channels of which some change places as mean and difference of these."""
    first = [i for i, j in enumerate(mirror) if i < j]
    second = [mirror[i] for i in first]
    same = [i for i, j in enumerate(mirror) if i == j]
    one, other, rest = (
        values.index_select(dim, torch.tensor(each, device=values.device))
        for each in (first, second, same)
    )
    return torch.cat([rest, (one + other) / 2, (one - other).abs()], dim)


def _quantiles(values: Tensor, *shares: float) -> Tensor:
    """Return quantiles of the last axis, (..., Q)."""
    n = values.shape[-1]
    places = torch.tensor([int(each * (n - 1)) for each in shares])
    return values.sort(-1).values.index_select(-1, places.to(values.device))


def _likeness(values: Tensor, lag: int) -> Tensor:
    """Return mean products of the last axis and itself, moved."""
    return (values[..., lag:] * values[..., :-lag]).mean(-1)


def _of_lines(lines: Tensor) -> Tensor:
    """Return statistics of profiles (N, C, bins), (N, F)."""
    away = lines - lines.mean(-1, keepdim=True)
    variance = (away**2).mean(-1)
    smooth = functional.avg_pool1d(lines, _WIDE, 1, _WIDE // 2, count_include_pad=False)
    fine = lines - smooth
    power = (fine**2).mean(-1) + 1e-6
    values = [
        lines.mean(-1), variance.sqrt(), lines.amax(-1), lines.amin(-1),
        (lines[..., 1:] - lines[..., :-1]).abs().mean(-1),
        power.sqrt(), fine.amax(-1), fine.amin(-1),
        fine.abs().mean(-1) / power.sqrt(), (fine**3).mean(-1).abs() / power**1.5,
        *(_likeness(fine, lag) / power for lag in (1, 2, 4, 8, 16)),
        *(_likeness(away, lag) / (variance + 1e-6) for lag in (4, 16, 64)),
    ]  # fmt: skip
    spread = _quantiles(lines, 0.05, 0.25, 0.5, 0.75, 0.95)
    return torch.cat([torch.stack(values, -1), spread], -1).flatten(1)


def _of_traces(lines: Tensor) -> Tensor:
    """Return statistics of traces (N, traces, C, bins), (N, F)."""
    first, others = lines[:, 0], lines[:, 1:].mean(1)
    return torch.cat([_of_lines(first), _of_pairs(first), _of_lines(others)], 1)


def _scaled(values: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, spread, and values less the one over the other."""
    mean = values.mean(dims, keepdim=True)
    away = values - mean
    size = ((away**2).mean(dims, keepdim=True) + 1e-8).sqrt()
    return mean.flatten(1), size.flatten(1), away / (size + _SMALL)


def _of_planes(planes: Tensor, lags: tuple[int, ...]) -> Tensor:
    """Return statistics of maps or crops (N, C, rows, columns), (N, F)."""
    mean, size, scaled = _scaled(planes, (2, 3))
    sides = []
    for turned, plain in (
        (scaled, planes), (scaled.transpose(2, 3), planes.transpose(2, 3)),
    ):  # fmt: skip
        profile = plain.mean(2)
        away = profile - profile.mean(-1, keepdim=True)
        values = [
            (plain[..., 1:] - plain[..., :-1]).abs().mean((2, 3)),
            (away**2).mean(-1).sqrt() / (size + _SMALL),
            profile.amax(-1) - profile.amin(-1),
            (profile[..., 1:] - profile[..., :-1]).abs().mean(-1),
            *((turned[..., lag:] * turned[..., :-lag]).mean((2, 3)) for lag in lags),
        ]
        sides.append(torch.cat(values, 1))
    spread = _quantiles(planes.flatten(2), 0.02, 0.1, 0.5, 0.9, 0.98)
    return torch.cat(
        [
            mean, size, planes.amax((2, 3)), planes.amin((2, 3)), spread.flatten(1),
            _sides(torch.stack(sides, 1)),
        ],
        1,
    )  # fmt: skip


def _of_pairs(values: Tensor) -> Tensor:
    """Return the correlation of each two of (N, C, values), (N, F)."""
    scaled = _scaled(values, (2,))[2]
    products = scaled @ scaled.transpose(1, 2) / scaled.shape[2]
    n = values.shape[1]
    first, second = torch.triu_indices(n, n, 1)
    return products.flatten(1).index_select(1, (first * n + second).to(values.device))
