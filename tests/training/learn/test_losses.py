"""Losses: what they are, what they ignore."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')

import torch

from astrosieve_training.learn.losses import BinaryLoss, ClassLoss


class TestClassLoss:
    """Cross-entropy, weighted by class, focal if wanted."""

    def make(self) -> tuple[Any, Any]:
        rng = np.random.default_rng(0)
        logits = torch.from_numpy(rng.normal(0, 3, (50, 3)).astype(np.float32))
        return logits, torch.from_numpy(rng.integers(0, 3, 50))

    def test_is_cross_entropy(self) -> None:
        """Without focus; with weights it is torch's weighted mean."""
        logits, labels = self.make()
        for weights in (torch.ones(3), torch.tensor([1.0, 5.0, 0.2])):
            expected = torch.nn.functional.cross_entropy(logits, labels, weight=weights)
            assert ClassLoss(weights, 0.0)(logits, labels).item() == pytest.approx(
                expected.item(), rel=1e-6
            )

    def test_focus_is_on_what_is_wrong(self) -> None:
        """Each cutout counts by one minus its probability, to the power."""
        logits, labels = self.make()
        p = torch.softmax(logits, 1).numpy()[np.arange(50), labels.numpy()]
        expected = np.mean((1 - p) ** 2 * -np.log(p))
        assert ClassLoss(torch.ones(3), 2.0)(logits, labels).item() == pytest.approx(
            expected, rel=1e-4
        )

    @pytest.mark.parametrize(
        'focal',
        [1.0, 2.0],
    )
    def test_what_is_certain_has_a_gradient(self, focal: float) -> None:
        """A cutout whose loss is 0 in float32 does not spoil the parameters."""
        logits = torch.tensor([[40.0, -40.0, -40.0]], requires_grad=True)
        ClassLoss(torch.ones(3), focal)(logits, torch.tensor([0])).backward()
        assert torch.isfinite(logits.grad).all()

    def test_maps_with_ignored_pixels(self) -> None:
        """A class for each pixel; weight 0 is as good as not there."""
        rng = np.random.default_rng(1)
        logits = torch.from_numpy(rng.normal(0, 3, (4, 3, 5, 5)).astype(np.float32))
        labels = torch.from_numpy(rng.integers(0, 3, (4, 5, 5)))
        weight = torch.zeros(4, 5, 5)
        weight[:2] = 1
        loss = ClassLoss(torch.tensor([1.0, 5.0, 0.2]), 2.0)
        for ask in (loss, loss.plain, loss.accuracy):
            expected = ask(logits[:2], labels[:2]).item()
            assert ask(logits, labels, weight).item() == pytest.approx(expected)

    def test_plain_has_no_weights_of_classes(self) -> None:
        """Epochs are compared by the cross-entropy; accuracy counts what is right."""
        logits, labels = self.make()
        loss = ClassLoss(torch.tensor([1.0, 5.0, 0.2]), 2.0)
        expected = torch.nn.functional.cross_entropy(logits, labels)
        assert loss.plain(logits, labels).item() == expected.item()
        right = np.mean(logits.numpy().argmax(axis=1) == labels.numpy())
        assert loss.accuracy(logits, labels).item() == pytest.approx(right)


class TestBinaryLoss:
    """A sigmoid for each class."""

    @pytest.mark.parametrize('shape', [(40, 3), (4, 3, 5, 5)])
    def test_is_binary_cross_entropy(self, shape: tuple[int, ...]) -> None:
        """Rows or maps; with weights its mean weighted by class."""
        rng = np.random.default_rng(2)
        logits = torch.from_numpy(rng.normal(0, 3, shape).astype(np.float32))
        truth = torch.from_numpy(rng.integers(0, 2, shape).astype(np.float32))
        each = -torch.log(torch.sigmoid(torch.where(truth > 0, logits, -logits)))
        loss = BinaryLoss(torch.tensor([1.0, 5.0, 0.2]))
        by_class = each.transpose(0, 1).reshape(3, -1).mean(1)
        expected = (by_class[0] + 5 * by_class[1] + 0.2 * by_class[2]).item() / 6.2
        assert loss(logits, truth).item() == pytest.approx(expected, rel=1e-4)
        assert loss.plain(logits, truth).item() == pytest.approx(
            each.mean().item(), rel=1e-4
        )
        right = ((logits > 0) == (truth > 0)).double().mean().item()
        assert loss.accuracy(logits, truth).item() == pytest.approx(right)

    def test_ignored_pixels(self) -> None:
        """A weight for each pixel holds for all classes."""
        rng = np.random.default_rng(3)
        logits = torch.from_numpy(rng.normal(0, 3, (2, 3, 5, 5)).astype(np.float32))
        truth = torch.from_numpy(rng.integers(0, 2, (2, 3, 5, 5)).astype(bool))
        weight = torch.ones(2, 1, 5, 5)
        weight[..., 0] = 0
        loss = BinaryLoss(torch.tensor([1.0, 5.0, 0.2]))
        for ask in (loss, loss.plain, loss.accuracy):
            expected = ask(logits[..., 1:], truth[..., 1:]).item()
            assert ask(logits, truth, weight).item() == pytest.approx(expected)

    def test_nothing_that_counts(self) -> None:
        """A batch of ignored pixels changes nothing, and spoils nothing."""
        logits = torch.ones(2, 3, 5, 5, requires_grad=True)
        loss = BinaryLoss(torch.ones(3))(
            logits, torch.ones(2, 3, 5, 5), torch.zeros(2, 1, 5, 5)
        )
        loss.backward()
        assert loss.item() == 0
        assert not logits.grad.any()
