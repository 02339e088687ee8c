"""Architectures: their form, and what they make of their inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('torch')

import torch

from astrosieve.exceptions import ModelError
from astrosieve.source.preprocessing import get_preprocessing
from astrosieve_training.learn.loop import predict_logits
from astrosieve_training.settings import ConfigError
from astrosieve_training.source.config import NetworkConfig, load_config
from astrosieve_training.source.export import MAX_BYTES
from astrosieve_training.source.networks import build_network
from astrosieve_training.source.networks.multiscale import MultiScale, _compressed
from astrosieve_training.source.train.parity import inputs_of

SHAPES = get_preprocessing('local-noise-2').shapes
MULTISCALE = NetworkConfig(
    kind='multiscale', preprocessing='local-noise-2', filters=(4, 8), dense=(8,)
)


def built(config: NetworkConfig = MULTISCALE) -> MultiScale:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_network(config).eval()


def star(dx: float, dy: float, fwhm: float, amplitude: float) -> np.ndarray:
    """Return an 11x11 cutout of a Gaussian."""
    y, x = np.mgrid[-5:6, -5:6]
    radius2 = (x - dx) ** 2 + (y - dy) ** 2
    return amplitude * np.exp(-4 * np.log(2) * radius2 / fwhm**2)


def residual(cutout: np.ndarray, fwhm: float) -> np.ndarray:
    pixels = torch.tensor(cutout, dtype=torch.float32)[None, None]
    told = torch.tensor([[fwhm]])
    return MultiScale._residual(pixels, pixels[:, :, 4:7, 4:7], told)[0, 0].numpy()


def test_network_has_the_reports_form() -> None:
    """3872 features enter the first dense layer; pooling leaves 128."""
    config = NetworkConfig()
    shapes = [tuple(p.shape) for p in build_network(config).parameters()]
    assert (16, 3872) in shapes
    assert (3, 16) in shapes
    pooled = build_network(replace(config, pooling=True))
    assert (16, 128) in [tuple(p.shape) for p in pooled.parameters()]


def test_unknown_network_is_named() -> None:
    """A typo in the kind names the nearest one."""
    config = replace(NetworkConfig(), kind='isr2025')
    with pytest.raises(ModelError, match="did you mean 'isr2024'"):
        build_network(config)


def test_wrong_preprocessing_is_named() -> None:
    """A network that needs three scales says which inputs it lacks."""
    config = replace(MULTISCALE, preprocessing='zscale-log-1')
    with pytest.raises(
        ModelError, match=r"needs the inputs \['cutouts', 'wide', 'far'"
    ):
        build_network(config)


def test_published_network_takes_cutouts_alone() -> None:
    """A preprocessing that makes more inputs is refused before there is a network."""
    config = replace(NetworkConfig(), preprocessing='local-noise-2')
    with pytest.raises(ModelError, match='isr2024 takes cutouts alone'):
        build_network(config)


@pytest.mark.parametrize('name', ['source-isr2024', 'source-multiscale'])
def test_shipped_forms_are_small(name: str) -> None:
    """Parameters of 4 bytes fit into the largest file that may be exported."""
    network = build_network(load_config(name).network)
    assert 4 * sum(p.numel() for p in network.parameters()) < MAX_BYTES


class TestMultiScale:
    """Three scales and the width of the PSF."""

    def test_logits(self) -> None:
        """A row of finite numbers for each detection, one per class."""
        inputs = inputs_of('local-noise-2', 30)
        classes = ('star', 'cosmic_ray', 'extended', 'background')
        logits = predict_logits(built(replace(MULTISCALE, classes=classes)), inputs)
        assert logits.shape == (30, 4)
        assert logits.dtype == np.float32
        assert np.isfinite(logits).all()
        assert np.ptp(logits, axis=0).min() > 0

    def test_rows_do_not_see_each_other(self) -> None:
        """In evaluation a row's logits are its own."""
        inputs = inputs_of('local-noise-2', 12)
        together = predict_logits(built(), inputs)
        apart = predict_logits(built(), inputs, chunk_size=1)
        assert apart == pytest.approx(together, abs=1e-5)

    @pytest.mark.parametrize(
        'images', [('noise',), ('peak',), ('residual',), ('noise', 'residual')]
    )
    @pytest.mark.parametrize(
        'context', [(), ('wide',), ('far', 'fwhm'), ('wide', 'far', 'fwhm')]
    )
    def test_parts_can_be_left_out(
        self, images: tuple[str, ...], context: tuple[str, ...]
    ) -> None:
        """What is left out changes nothing any more; what is there does."""
        network = built(replace(MULTISCALE, images=images, context=context))
        inputs = inputs_of('local-noise-2', 20)
        expected = predict_logits(network, inputs)
        assert expected.shape == (20, 3)
        for name in ('cutouts', 'wide', 'far', 'fwhm'):
            other = predict_logits(network, inputs | {name: inputs[name] * 0.8})
            used = name in ('cutouts', *context)
            used |= name == 'fwhm' and 'residual' in images
            assert bool((other != expected).any()) == used, name

    def test_each_part_is_learnt(self) -> None:
        """A gradient reaches every parameter."""
        network = built().train()
        inputs = inputs_of('local-noise-2', 60)
        logits = network(*(torch.from_numpy(value) for value in inputs.values()))
        torch.nn.functional.cross_entropy(logits, torch.arange(60) % 3).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().max() > 0, name

    def test_compression(self) -> None:
        """Is asinh(x / 2) / 5: linear at the noise, logarithmic above, odd."""
        pixels = np.array([-1e6, -30, -1, -1e-3, 0, 1e-3, 0.5, 1, 4, 250, 1e5, 1e12])
        found = _compressed(torch.tensor(pixels, dtype=torch.float32)).numpy()
        assert found == pytest.approx(np.arcsinh(pixels / 2) / 5, rel=1e-5, abs=1e-7)

    def test_enormous_pixels(self) -> None:
        """As bright as the preprocessing lets a pixel be, there is a verdict."""
        inputs = inputs_of('local-noise-2', 8)
        inputs['cutouts'][:, 0, 5, 5] = 1e6
        assert np.isfinite(predict_logits(built(), inputs)).all()

    @pytest.mark.parametrize('fwhm', [1.4, 2.0, 3.0, 4.0])
    def test_star_of_the_told_width_leaves_nothing(self, fwhm: float) -> None:
        """Centred on a pixel; off it the centroid of 3x3 pixels leaves a little."""
        for amplitude in (10, 500, 1e5):
            left = residual(star(0, 0, fwhm, amplitude), fwhm)
            assert np.abs(left).max() < 1e-5
        assert np.abs(residual(star(0.3, -0.2, fwhm, 500), fwhm)).max() < 0.15

    @pytest.mark.parametrize('fwhm', [1.4, 2.0, 3.0])
    def test_what_is_no_star_leaves_much(self, fwhm: float) -> None:
        """A single pixel, a galaxy twice as wide, a star on the wrong width."""
        hit = np.zeros((11, 11))
        hit[5, 5] = 500
        assert np.abs(residual(hit, fwhm)).max() > 0.2
        assert np.abs(residual(star(0, 0, 2 * fwhm, 500), fwhm)).max() > 0.3
        assert np.abs(residual(star(0, 0, fwhm, 500), 2 * fwhm)).max() > 0.2

    def test_residual_is_in_units_of_the_amplitude(self) -> None:
        """What lies beside a star shows as its share of it; empty sky as no star."""
        field = star(0, 0, 2.0, 400.0)
        field[1, 8] += 100
        left = residual(field, 2.0)
        assert left[1, 8] == pytest.approx(0.25, abs=0.01)
        left[1, 8] = 0
        assert np.abs(left).max() < 0.01
        empty = residual(np.zeros((11, 11)), 2.0)
        assert empty[5, 5] == pytest.approx(-1, abs=1e-3)

    @pytest.mark.parametrize(
        ('changes', 'words'),
        [
            ({'images': ('noise', 'edges')}, '^images must be of'),
            ({'images': ()}, '^images must be of'),
            ({'context': ('sky',)}, '^context must be of'),
        ],
    )
    def test_unknown_parts_are_refused(self, changes: dict, words: str) -> None:
        """The message names the key and the known ones."""
        with pytest.raises(ConfigError, match=words):
            replace(MULTISCALE, **changes)
