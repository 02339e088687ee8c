"""Networks that map contaminants, and their losses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('onnxscript')

import torch

from astrosieve.models.session import OnnxSession
from astrosieve_training.contaminant import networks
from astrosieve_training.contaminant.config import NetworkConfig, load_config
from astrosieve_training.contaminant.losses import MapLoss
from astrosieve_training.learn.export import onnx_bytes
from astrosieve_training.learn.reading import fill_from_onnx

PLANES, CLASSES = 5, 15


def built(config: NetworkConfig) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return networks.build(config, PLANES, CLASSES).eval()


@pytest.mark.parametrize(
    ('name', 'half', 'limit', 'tolerance'),
    [
        ('contaminant', True, 3_000_000, 1e-4),
        ('contaminant-adass', False, 6_000_000, 0.02),
    ],
)
def test_any_size(name: str, half: bool, limit: int, tolerance: float) -> None:
    """ONNX networks of any size: small files that say what torch says."""
    network = built(load_config(name).network)
    if half:  # what is nothing in a fresh network is not in its file
        generator = torch.Generator().manual_seed(4)
        for value in network.state_dict().values():
            if value.is_floating_point():
                value += 0.02 * (torch.rand(value.shape, generator=generator) - 0.5)
    content = onnx_bytes(network, {'image': (PLANES, 64, 96)}, multiple=32, half=half)
    assert len(content) < limit
    if half:
        fill_from_onnx(network, content, name)
    session = OnnxSession(lambda: content, name=name)
    for shape in ((64, 64), (96, 160)):
        image = np.random.default_rng(1).normal(size=(2, PLANES, *shape))
        image = image.astype(np.float32)
        with torch.inference_mode():
            expected = network(torch.from_numpy(image)).numpy()
        assert expected.shape == (2, CLASSES, *shape)
        np.testing.assert_allclose(
            session.run({'image': image}), expected, atol=tolerance
        )


@pytest.mark.parametrize('fine', [0, 8])
def test_offsets_are_of_their_classes(fine: int) -> None:
    """What a calibration adds is added to the logits of its class everywhere."""
    config = replace(load_config('contaminant').network, fine=fine)
    network, image = built(config), torch.zeros(1, PLANES, 64, 64)
    with torch.inference_mode():
        before = network(image)
        networks.shift_logits(network, np.arange(CLASSES, dtype=float))
        change = (network(image) - before)[0].numpy()
    expected = np.broadcast_to(np.arange(CLASSES)[:, None, None], change.shape)
    np.testing.assert_allclose(change, expected, atol=1e-4)


def test_blocks_begin_as_nothing() -> None:
    """A residual block changes no map at first; later it sees two pixels more."""
    config = replace(load_config('contaminant').network, blocks=0)
    fewer, more = (built(replace(config, blocks=n)) for n in (0, 1))
    more.load_state_dict(fewer.state_dict(), strict=False)
    for network in (fewer, more):
        torch.nn.init.ones_(network.get_parameter('detail.1.weight'))
    image = torch.randn(1, PLANES, 64, 64, generator=torch.Generator().manual_seed(1))
    point = torch.zeros(1, 16, 9, 9)
    point[..., 4, 4] = 1.0
    with torch.inference_mode():
        torch.testing.assert_close(more(image), fewer(image))
        torch.nn.init.ones_(more.get_parameter('blocks.0.norm.weight'))
        assert (more(image) != fewer(image)).any()
        blocks = more.get_submodule('blocks')
        changed = (blocks(point) != blocks(torch.zeros_like(point))).any(1)[0]
    inner = torch.zeros(9, 9, dtype=torch.bool)
    inner[2:7, 2:7] = True
    assert changed[inner].float().mean() > 0.8
    assert not changed[~inner].any()


def test_deep_blocks_begin_as_nothing() -> None:
    """Blocks at 1/8 and 1/16 change no map at first, and fit what had none."""
    config = replace(load_config('contaminant').network, deep=0)
    fewer, more = (built(replace(config, deep=n)) for n in (0, 1))
    kept = more.load_state_dict(fewer.state_dict(), strict=False)
    assert not kept.unexpected_keys
    assert {name.split('.')[1] for name in kept.missing_keys} == {'1', '2'}
    image = torch.randn(1, PLANES, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(more(image), fewer(image))
        for level in (1, 2):
            before = more(image)
            torch.nn.init.ones_(more.get_parameter(f'down.{level}.2.norm.weight'))
            assert (more(image) != before).any()


def test_what_is_pooled_is_put_back() -> None:
    """The published network's unpooling puts values where the largest had been."""
    from astrosieve_training.contaminant.networks.adass import _tilted, _unpooled

    image = torch.zeros(1, 1, 4, 4)
    image[0, 0, 1, 2], image[0, 0, 3, 0] = 5.0, 7.0
    pooled, places = torch.nn.functional.max_pool2d(
        _tilted(image), 2, return_indices=True
    )
    np.testing.assert_allclose(_unpooled(pooled, places), image, atol=1e-3)


def test_constant_maps_cost_one() -> None:
    """The best constant of each class, common or rare, has a loss of about one."""
    rng = np.random.default_rng(2)
    shares = np.array([0.3, 0.02, 0.001])
    target = (rng.random((2, 3, 256, 256)) < shares[:, None, None]).astype(np.float32)
    weighted = shares**0.5 / (shares**0.5 + 1 - shares)
    logits = np.log(weighted / (1 - weighted))[:, None, None]
    maps = torch.from_numpy(np.broadcast_to(logits, target.shape).astype(np.float32))
    loss = MapLoss(shares)
    for number in range(3):
        one = MapLoss(shares[number : number + 1])
        part = slice(number, number + 1)
        value = one.plain(maps[:, part], torch.from_numpy(target[:, part]), None)
        assert value.item() == pytest.approx(1, abs=0.1)
    assert loss.plain(maps, torch.from_numpy(target), None).item() < 1.1


def test_what_is_ignored_costs_nothing() -> None:
    """Neither cross-entropy nor overlap know pixels of weight zero."""
    loss = MapLoss(np.array([0.1]), dice=0.5)
    target = torch.zeros(1, 1, 8, 8)
    target[..., :2] = 1
    logits = 8 * (2 * target - 1)
    weight = torch.ones_like(target)
    wrong = logits.clone()
    wrong[..., 4:], weight[..., 4:] = 8, 0
    assert loss(wrong, target, weight).item() < 0.01
    assert loss(wrong, target, None).item() > 1


def test_what_is_alike_counts_more() -> None:
    """A pixel of the other class alone counts four times, in one map."""
    shares = np.full(2, 0.1)
    plain, harder = MapLoss(shares), MapLoss(shares, alike={(0, 1): 3.0})
    logits = torch.zeros(1, 2, 1, 4)
    target = torch.tensor([[[[0.0, 0.0, 1.0, 1.0]], [[0.0, 1.0, 0.0, 1.0]]]])
    gradients = []
    for loss in (plain, harder):
        asked = logits.clone().requires_grad_()
        loss.plain(asked, target, None).backward()
        gradients.append(asked.grad)
    ratio = gradients[1] / gradients[0]
    assert ratio[0, 0, 0].tolist() == pytest.approx([1, 4, 1, 1])
    assert ratio[0, 1, 0].tolist() == pytest.approx([1, 1, 1, 1])
