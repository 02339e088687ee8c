"""Verdicts on whole images."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from click.testing import CliRunner

from astrosieve import load_model, segment_contaminants
from astrosieve.cli import main
from astrosieve.contaminant import (
    FAILURES,
    judge_image,
    read_contaminants,
    write_contaminants,
)
from astrosieve.contaminant.verdict import preprocessing
from astrosieve.contaminant.verdict.judge import (
    VERDICTS,
    Verdict,
    verdict_of,
    worst_of,
)
from astrosieve.contaminant.verdict.preprocessing import (
    CUTOUTS,
    SCALES,
    SIZE,
    Sources,
)
from astrosieve.exceptions import AstrosieveWarning, ModelError
from astrosieve.images.measured import MeasuredImage
from astrosieve.models.registry import Model

GOLDEN = Path(__file__).parents[2] / 'data'
Offsets = list[tuple[float, float]]
ROUND: Offsets = [(0, 0)]
TRAIL: Offsets = [(0.3 * step, 0.6 * step) for step in range(-16, 17)]
TWICE: Offsets = [(0, 0), (0, 0), (9, -6)]
RING: Offsets = [
    (radius * np.sin(turn), radius * np.cos(turn))
    for radius in (4, 5, 6, 7, 8)
    for turn in np.linspace(0, 2 * np.pi, 8 * radius, endpoint=False)
]


def stars(
    offsets: Offsets, shape: tuple[int, int] = (256, 320), seed: int = 4, n: int = 40
) -> np.ndarray:
    """Return an image whose stars have their light at some places about theirs."""
    rng = np.random.default_rng(seed)
    light = np.full(shape, 100.0)
    y, x = np.indices(shape)
    for _ in range(n):
        row, column = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        peak = 10 ** rng.uniform(2, 4) / len(offsets) ** 0.5
        for dy, dx in offsets:
            box = tuple(
                slice(max(int(at) - 9, 0), int(at) + 11)
                for at in (row + dy, column + dx)
            )
            away = (y[box] - row - dy) ** 2 + (x[box] - column - dx) ** 2
            light[box] += peak * np.exp(-away / 2.6)
    return np.asarray(rng.poisson(light) + rng.normal(0, 4, shape), np.float32)


def test_found_sources() -> None:
    """Those of usual S/N are first, their cutouts in the middle; shapes as stated."""
    found = Sources().find(MeasuredImage.of(stars(ROUND)))
    assert found.cutouts.shape == (len(SCALES), CUTOUTS, SIZE, SIZE)
    signals = found.signals[0].reshape(2, -1)
    unusual = np.abs(np.log(signals / 60))
    assert (np.diff(unusual, axis=1) >= 0).all()
    middle = found.cutouts[0, :, SIZE // 2, SIZE // 2]
    assert (middle > 0.5 * found.signals[0] / 3).all()
    inputs = Sources()(MeasuredImage.of(stars(ROUND)))
    for name, shape in Sources().shapes.items():
        assert inputs[name].shape == (1, *shape)
        assert inputs[name].dtype == np.float32


@pytest.mark.parametrize('level', [0.0, 50.0])
def test_light_without_a_pattern(level: float) -> None:
    """A view that is dark, or full of light, has no correlation, and no NaN."""
    view = np.full((4 * SIZE, 4 * SIZE), level)
    assert not preprocessing._correlation([view]).any()


def test_stacks_are_what_all_have() -> None:
    """The second place of doubled stars stands out, in the mean and the correlation."""
    found = Sources().find(MeasuredImage.of(stars(TWICE)))
    here = SIZE // 2
    for stack in (found.stacks[0, 0], found.stacks[0, 2], found.stacks[0, 5]):
        assert stack[here + 9, here - 6] > 3 * abs(stack[here + 9, here + 6])
    round_ = Sources().find(MeasuredImage.of(stars(ROUND)))
    assert round_.stacks[0, 2][here, here] == pytest.approx(1)
    assert abs(round_.stacks[0, 2][here + 9, here - 6]) < 0.15


def test_medians_have_no_hits() -> None:
    """A track of a particle is a peak of the image, and none of its medians."""
    image = np.random.default_rng(0).normal(0, 1, (64, 64))
    image[30, 20:26] += 300
    counts = Sources().find(MeasuredImage.of(image)).counts
    assert counts[0, 0] >= 1
    assert not counts[:, 1].any()


@pytest.mark.parametrize('shape', [(0, 0), (1, 1), (1, 400), (7, 9), (33, 2500)])
def test_any_size(shape: tuple[int, int]) -> None:
    """Nothing fails for want of pixels, and what there is is finite."""
    found = Sources().find(MeasuredImage.of(np.zeros(shape)))
    assert all(np.isfinite(each).all() for each in vars(found).values())
    assert not found.counts.any()


def test_large_images_are_sampled() -> None:
    """Of an image larger than 2048x2048 pixels all four quarters are looked at."""
    image = np.random.default_rng(0).normal(0, 1, (2100, 2100)).astype(np.float32)
    for row, column in ((525, 525), (525, 1575), (1575, 525), (1575, 1575)):
        image[row, column] = 500
    found = Sources().find(MeasuredImage.of(image))
    assert (found.signals[0] > 100).sum() == 4


@pytest.mark.parametrize(
    ('offsets', 'failures'),
    [
        (ROUND, ()),
        (TRAIL, ('tracking_lost',)),
        (TWICE, ('doubled',)),
        (RING, ('out_of_focus',)),
    ],
)
def test_plain_cases(offsets: Offsets, failures: tuple[str, ...]) -> None:
    """What went wrong is told; in other units, and upon a pedestal, the same."""
    verdict = verdict_of(MeasuredImage.of(stars(offsets)))
    assert verdict.told
    assert verdict.failures == failures
    for factor, pedestal in ((1e-3, 0), (2.5, 1000)):
        other = verdict_of(MeasuredImage.of(factor * stars(offsets) + pedestal))
        for name in VERDICTS:
            assert other.probabilities[name] == pytest.approx(
                verdict.probabilities[name], abs=0.01
            )


def test_trail_is_no_lost_tracking() -> None:
    """A satellite across round stars is not the telescope's fault."""
    image = stars(ROUND)
    y, x = np.indices(image.shape)
    image += 300 * np.exp(-((y - 60 - 0.5 * x) ** 2) / 3)
    assert verdict_of(MeasuredImage.of(image)).failures == ()


def test_nothing_to_tell_by() -> None:
    """Of empty, spoilt and tiny images nothing is said, and nothing is warned of."""
    rng = np.random.default_rng(2)
    for image in (
        np.zeros((0, 0)),
        np.full((40, 40), np.nan),
        np.ones((1, 1)),
        rng.normal(5, 1, (300, 200)),
    ):
        verdict = judge_image(image)
        assert not verdict.told
        assert verdict.failures == ()
        assert all(np.isnan(verdict.probabilities[name]) for name in FAILURES)
        assert str(verdict) == 'no stars to judge the image by'


@pytest.mark.parametrize(('n', 'told'), [(2, False), (40, True)])
def test_few_sources_have_nothing_in_common(n: int, told: bool) -> None:
    """Two trails may be two galaxies; forty are no chance."""
    verdict = verdict_of(MeasuredImage.of(stars(TRAIL, n=n, seed=6)))
    assert verdict.told is told
    assert verdict.failures == (('tracking_lost',) if told else ())
    assert np.isnan(verdict.probabilities['tracking_lost']) == (not told)


def test_warning() -> None:
    """What went wrong is warned of in words."""
    with pytest.warns(AstrosieveWarning, match='stars are drawn out.*probability'):
        verdict = judge_image(stars(TRAIL))
    assert str(verdict).startswith('tracking_lost ')


def test_masked_pixels_do_not_count() -> None:
    """Half of an image that is NaN, or masked, changes nothing of the other."""
    image = stars(TRAIL, shape=(256, 400), n=80)
    image[:, 320:] = np.nan
    with pytest.warns(AstrosieveWarning):
        assert judge_image(image).failures == ('tracking_lost',)
    image[:, 320:] = stars(ROUND)[:, :80]
    with pytest.warns(AstrosieveWarning):
        masked = judge_image(image, mask=np.arange(400) >= np.full((256, 1), 320))
    assert masked.failures == ('tracking_lost',)


def test_other_models_are_refused() -> None:
    """A network that maps pixels cannot judge, and the other way round."""
    with pytest.raises(ModelError, match="is for task 'contaminant'"):
        judge_image(np.zeros((9, 9)), model='contaminant')
    with pytest.raises(ModelError, match="is for task 'verdict'"):
        segment_contaminants(np.zeros((9, 9)), model='contaminant-verdict')
    shipped = load_model('contaminant-verdict')
    point = replace(shipped.card.operating_points['warn'], threshold=0.5)
    card = replace(shipped.card, operating_points={'warn': point})
    with pytest.raises(ModelError, match='threshold for each of tracking_lost'):
        judge_image(np.zeros((9, 9)), model=Model(card, shipped.path))


def test_worst_of_several() -> None:
    """Of the images of an exposure the surest counts; NaN where none can be told."""
    good = verdict_of(MeasuredImage.of(stars(ROUND)))
    lost = verdict_of(MeasuredImage.of(stars(TRAIL)))
    empty = verdict_of(MeasuredImage.of(np.zeros((20, 20))))
    worst = worst_of([empty, good, lost])
    assert worst.told
    assert worst.failures == ('tracking_lost',)
    assert worst.probabilities['tracking_lost'] == lost.probabilities['tracking_lost']
    assert not worst_of([empty, empty]).told


def test_map_has_it(model: Model, tmp_path: Path) -> None:
    """The map of an image judges it when asked; files keep it, and empty ones too."""
    for image, failures in (
        (stars(TRAIL), ('tracking_lost',)),
        (stars(ROUND, n=0), ()),
    ):
        found = segment_contaminants(image, model=model)
        assert found.verdict is not None
        assert found.verdict.failures == failures
        path = tmp_path / 'map.fits'
        write_contaminants(found, path, overwrite=True)
        kept = read_contaminants(path).verdict
        assert isinstance(kept, Verdict)
        assert kept.failures == failures
        assert kept.told == found.verdict.told
        for name, p in found.verdict.probabilities.items():
            assert kept.probabilities[name] == pytest.approx(p, abs=1e-4, nan_ok=True)


def test_command(pixels_model: Path, tmp_path: Path) -> None:
    """It is told, warned of, and written into headers, of the worst of all chips."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for extver, offsets in enumerate((ROUND, TWICE), 1):
        hdus.append(fits.ImageHDU(stars(offsets), name='SCI', ver=extver))
    hdus.writeto(tmp_path / 'a.fits')
    out = tmp_path / 'out.fits'
    words = ['segment', str(tmp_path / 'a.fits'), '-o', str(out)]
    result = CliRunner().invoke(main, [*words, '--model', str(pixels_model), '--json'])
    assert result.exit_code == 0, result.output
    assert 'each star is there twice' in result.stderr
    (said,) = json.loads(result.stdout)
    assert said['failures'] == ['doubled']
    assert said['verdict']['doubled'] > 0.5
    with fits.open(out) as made:
        assert made[0].header['VERDICT'] == 'doubled'
        assert made[0].header['P_DOUBLE'] == pytest.approx(
            said['verdict']['doubled'], abs=1e-4
        )
        assert made['MASK', 1].header['VERDICT'] == 'good'
        assert made['MASK', 2].header['VERDICT'] == 'doubled'
        made.verify('exception')


def test_golden() -> None:
    """The bundled exposure is good, drawn out and doubled not; to 1e-4 as ever."""
    card = load_model('contaminant-verdict').card
    path = GOLDEN / f'golden-{card.name}-{card.version}.npz'
    expected = np.load(path)['probabilities']
    drawn = runpy.run_path(str(GOLDEN / 'make_golden.py'))
    np.testing.assert_allclose(drawn['verdicts'](card.name), expected, atol=1e-4)
    failures = [verdict_of(MeasuredImage.of(e)).failures for e in drawn['exposures']()]
    assert failures == [(), ('tracking_lost',), ('doubled',)]


def test_limits_of_size() -> None:
    """At most 1 MB."""
    assert load_model('contaminant-verdict').path.stat().st_size <= 1_000_000
