"""The task in small: images, crops, a network, its export and its judge."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('onnxscript')
pytest.importorskip('joblib')
pytest.importorskip('sklearn')
pytest.importorskip('matplotlib')
pytest.importorskip('scipy')
pytest.importorskip('galsim')
pytest.importorskip('astroscrappy')

import torch
from click.testing import CliRunner
from torch import nn

from astrosieve.contaminant import CLASSES, segment_contaminants
from astrosieve.contaminant.flags import (
    CLUSTER_POINT,
    CORE_POINT,
    OPERATING_POINT,
)
from astrosieve.contaminant.surroundings import Lines, Regions
from astrosieve.exceptions import ModelError
from astrosieve.models.registry import Model, load_model
from astrosieve_training.contaminant import ablation, baselines
from astrosieve_training.contaminant.calibrate import (
    _hit_points,
    best_matthews,
)
from astrosieve_training.contaminant.commands import contaminant
from astrosieve_training.contaminant.config import (
    ContaminantConfig,
    ImageSet,
    LossSettings,
    NetworkConfig,
    load_config,
)
from astrosieve_training.contaminant.datasets import (
    Images,
    packed,
    simulated_images,
    unpacked,
)
from astrosieve_training.contaminant.evaluate import cases, checks, judge
from astrosieve_training.contaminant.evaluate.judged import judge_cases
from astrosieve_training.contaminant.export import export_run
from astrosieve_training.contaminant.surroundings import fit_surroundings
from astrosieve_training.contaminant.train import (
    Run,
    _averaged,
    build_network,
    calibrate_run,
    fit,
    load_run,
    train,
)
from astrosieve_training.learn.parity import ExportError
from astrosieve_training.learn.runs import read_run
from astrosieve_training.learn.settings import LoopSettings
from astrosieve_training.learn.warm_start import given_parameters, read_warm_start
from astrosieve_training.settings import ConfigError
from astrosieve_training.stages import Stages

SIDE = 96
HIT, TRAIL, FRINGE = (
    CLASSES.names.index(n) for n in ('cosmic_ray', 'satellite_trail', 'fringe')
)
pytestmark = pytest.mark.usefixtures('converted_once')


@pytest.fixture(scope='module')
def config() -> ContaminantConfig:
    return replace(
        load_config('contaminant'),
        network=NetworkConfig(
            'unet', (8, 8, 8, 8, 8), last=8, fine=4, detail=4, lines=5
        ),
        crop=64,
        average=1.0,
        training=ImageSet(24, 0, SIDE),
        validation=ImageSet(4, 100, SIDE),
        calibrating=ImageSet(16, 200, SIDE),
        judged=ImageSet(4, 300, 128),
        train=LoopSettings(
            epochs=2, batch_size=8, learning_rate=3e-3, runs=1, half=True
        ),
    )


@dataclass(frozen=True)
class Made:
    folder: Path
    run: Run
    model: Model


@pytest.fixture(scope='module')
def made(config: ContaminantConfig, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp('run')
    run = train(config, folder)
    export_run(run, folder / 'weights', n=8)
    model = load_model(folder / 'weights' / f'contaminant-{config.version}.onnx')
    return Made(folder, run, model)


def begun(
    config: ContaminantConfig,
    made: Made,
    folder: Path,
    start: Path | Model,
    **layers: int,
) -> Run:
    """Return a training that begins with another, and hardly moves from it."""
    still = replace(
        config,
        network=replace(config.network, **layers),
        train=replace(config.train, epochs=1, learning_rate=1e-9),
    )
    return train(still, folder, images=made.folder / 'images', start=start)


def test_training_begins_with_another(
    config: ContaminantConfig, made: Made, tmp_path: Path
) -> None:
    """Parameters that fit are taken, others are new; the card says what began."""
    run = begun(config, made, tmp_path, made.folder, lines=7)
    before, after = (each.network.state_dict() for each in (made.run, run))
    np.testing.assert_allclose(
        after['stem.0.0.weight'], before['stem.0.0.weight'], atol=1e-6
    )
    assert after['down.0.2.along_x.weight'].shape[-1] == 7
    card, _ = export_run(run, tmp_path / 'weights', n=8)
    told = f'begun with a training of contaminant {config.version}'
    assert card.training_data.endswith(told)


def test_training_begins_with_a_model(
    config: ContaminantConfig, made: Made, tmp_path: Path
) -> None:
    """A model's file is as good as the folder of its training; new layers are new."""
    run = begun(config, made, tmp_path, made.model, detail=6)
    last = [each.network.get_parameter('maps.weight') for each in (made.run, run)]
    stored, read = last[0].half().float(), last[1]  # a file has halves
    np.testing.assert_allclose(read.detach(), stored.detach(), atol=1e-6)
    assert run.network.get_parameter('detail.0.0.weight').shape[0] == 6
    card, _ = export_run(run, tmp_path / 'weights', n=8)
    assert card.training_data.endswith(f'begun with contaminant {config.version}')


def test_nothing_in_common_is_no_start(
    config: ContaminantConfig, made: Made, tmp_path: Path
) -> None:
    """A network that takes nothing from its start is not said to begin with it."""
    other = replace(config, network=NetworkConfig('adass', (16, 16, 16, 16, 16)))
    images = made.folder / 'images'
    with pytest.raises(ConfigError, match='shares no layer with this one'):
        train(other, tmp_path, images=images, start=made.folder)
    with pytest.raises(ModelError, match='has no layer of this network'):
        train(other, tmp_path, images=images, start=made.model)


@pytest.fixture(scope='module')
def images(
    config: ContaminantConfig, tmp_path_factory: pytest.TempPathFactory
) -> Images:
    stages = Stages(tmp_path_factory.mktemp('images'))
    return simulated_images(config, config.validation, stages, 'validation', jobs=1)


def test_bits() -> None:
    """Maps come back from their bits."""
    maps = np.random.default_rng(1).random((15, 5, 7)) < 0.3
    np.testing.assert_array_equal(unpacked(packed(maps)[None])[0], maps)


def test_crops(images: Images) -> None:
    """Pixels and truth are cut and turned alike; nothing is said of what to ignore."""
    rows = np.arange(len(images))
    plain = images.batch(rows, None)
    assert plain[0]['image'].shape == (4, 5, 64, 64)
    assert plain[1].shape == plain[2].shape == (4, 15, 64, 64)
    rng = np.random.default_rng(5)
    marked = replace(images, planes=images.truth[:, None].astype(np.float16))
    inputs, target, _ = marked.batch(rows, rng)
    bits = packed(target[0].astype(bool)).astype(np.float16)
    np.testing.assert_array_equal(inputs['image'][0, 0], bits)
    everything = replace(images, ignore=np.full_like(images.ignore, 0x7FFF))
    assert not everything.batch(rows, rng)[2].any()


def test_columns_stay_columns(images: Images) -> None:
    """An image with a bad column is flipped, never turned on its side."""
    planes = np.zeros((1, 5, SIDE, SIDE), np.float16)
    planes[:, :, :, 40] = 1
    number = CLASSES.names.index('bad_column')
    truth = np.zeros((1, SIDE, SIDE), np.uint16)
    truth[:, :, 40] = 1 << number
    one = Images(planes, truth, np.zeros_like(truth), crop=SIDE)
    rng = np.random.default_rng(6)
    for _ in range(12):
        inputs, target, _ = one.batch(np.array([0]), rng)
        assert inputs['image'][0, 0].any(0).sum() == 1
        np.testing.assert_array_equal(inputs['image'][0, 0], target[0, number])


def test_weights_of_the_paper(config: ContaminantConfig, tmp_path: Path) -> None:
    """Pixels of rarer classes count more, and those beside them a part of it."""
    images = simulated_images(config, config.training, Stages(tmp_path), 'some', jobs=1)
    by_pixel = replace(images, by_pixel=True)
    _, target, weight = by_pixel.batch(np.arange(len(images)), None)
    alone = np.where(weight.any(1), weight.max(1), np.nan)
    of_none = alone[~target.astype(bool).any(1)]
    of_some = alone[target.astype(bool).any(1)]
    of_rare = alone[target[:, images.shares[:-1] < 0.01].astype(bool).any(1)]
    assert np.nanmedian(of_some) > 2 * np.nanmedian(of_none)
    assert np.nanmedian(of_rare) > 4 * np.nanmedian(of_none)
    assert np.nanmin(alone) > 0


def test_best_matthews() -> None:
    """The threshold between two heaps, and a coefficient as of the true share."""
    rng = np.random.default_rng(7)
    has = np.repeat([True, False], 5000)
    scores = np.where(has, rng.normal(2, 0.5, 10000), rng.normal(0, 0.5, 10000))
    even, coefficient = best_matthews(scores, has, 0.5)
    rare, _ = best_matthews(scores, has, 0.001)
    assert even == pytest.approx(1, abs=0.1)
    assert coefficient > 0.9
    assert rare > even + 0.2
    lower, left = best_matthews(scores, has, 0.5, enough=0.9)
    assert lower < even
    assert 0.9 * coefficient <= left < 0.92 * coefficient


@pytest.mark.parametrize('kind', ['training', 'model'])
def test_an_average_with_what_it_began_with(
    made: Made, tmp_path: Path, kind: str
) -> None:
    """Parameters lie between both; statistics are those of the average."""
    config = replace(
        made.run.config, average=0.75, train=replace(made.run.config.train, epochs=1)
    )
    stages = Stages(made.folder / 'images', tidy=False)
    start: Path | Model = made.folder if kind == 'training' else made.model
    network, summary = fit(config, tmp_path, stages, start=start)
    learnt = torch.load(tmp_path / 'run-00.pt', weights_only=False)['best']
    if kind == 'training':
        _, before = read_run(made.folder)
    else:
        images = simulated_images(config, config.training, stages, 'training')
        before = given_parameters(
            partial(build_network, config), read_warm_start(start), images, config.seed
        )
    average = network.state_dict()
    for name in ('maps.weight', 'stem.0.0.weight', 'stem.0.1.weight'):
        between = 0.25 * before[name] + 0.75 * learnt[name]
        torch.testing.assert_close(average[name], between)
        assert not torch.equal(before[name], learnt[name])
    assert average['stem.0.1.num_batches_tracked'] == 3
    assert 'and averaged with it (25% of that)' in summary['begun_with']
    more = _averaged({'new.norm.weight': torch.ones(2)}, {}, 0.75)
    assert more['new.norm.weight'].tolist() == [0.75, 0.75]
    other = _averaged({'wide': torch.ones(2)}, {'wide': torch.zeros(3)}, 0.75)
    assert other['wide'].tolist() == [1, 1]


class Told(nn.Module):
    """Says of a class what the first plane holds, and nothing of the others."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return (N, classes, ny, nx) logits."""
        logits = torch.full((len(image), len(CLASSES), *image.shape[2:]), -9.0)
        logits[:, self.number] = self.factor * image[:, 0]
        return logits


@pytest.mark.parametrize(
    ('sure', 'limit', 'matthews'), [(0.95, 0.3, 1.0), (0.75, 0.6, 0.0)]
)
def test_hits_may_be_faint_beside_sure_ones(
    sure: float, limit: float, matthews: float
) -> None:
    """Faint ends of tracks are flagged if no star is; where nothing is gained, not."""
    track, bright, stars = np.zeros((3, 96, 96), bool)
    bright[20, 10:90:8] = True
    track[20, 11:90:8] = True
    stars[40:90:5, 5:90:5] = True
    p = np.where(track | stars, 0.35, np.where(bright, sure, 1e-4))
    planes = np.zeros((2, 5, 96, 96), np.float32)
    planes[:, 0] = np.log(p / (1 - p))
    truth = np.where(track | bright, 1 << HIT, 0).astype(np.uint16)
    truth = np.stack([truth, truth])
    images = Images(planes, truth, np.zeros_like(truth), crop=96)
    cores = np.zeros((200, 2, 7, 7))
    cores[:, 0, 3, 3] = 0.35
    cores[:10, 0, 2:5, 2:5] = 0.8
    hits = _hit_points(
        Told(HIT), images, np.ones(len(CLASSES)), cores, [0.6, 0.48, 0.3]
    )
    assert hits.limit == limit
    assert hits.matthews == pytest.approx(matthews)
    assert hits.points('')[CORE_POINT].threshold['cosmic_ray'] == 0.8
    assert hits.found.n == np.count_nonzero(truth)


@pytest.mark.parametrize('telling', [True, False])
def test_surroundings_count_if_they_tell(telling: bool) -> None:
    """Faint signs are believed in images that have many of them, if these were true."""
    rng = np.random.default_rng(3)
    planes = np.full((24, 5, 96, 96), -6, np.float16)
    truth = np.zeros((24, 96, 96), np.uint16)
    for row in range(24):
        many = row % 2 == 0
        signs = rng.random((96, 96)) < (0.3 if many else 0.02)
        planes[row, 0][signs] = -1
        true = signs if telling and many else signs & (rng.random(signs.shape) < 0.2)
        truth[row][true] = 1 << FRINGE
    images = Images(planes, truth, np.zeros_like(truth), crop=96)
    network, ones = Told(FRINGE), np.ones(len(CLASSES))
    settled = fit_surroundings(network, ones, images, Regions, (FRINGE, TRAIL), 1)
    about = settled.fitted
    assert about.numbers.tolist() == [FRINGE]  # no pixel is of a trail
    p, has = settled.samples[FRINGE]
    assert p.mean() == pytest.approx(has.mean(), rel=0.05)
    found = []
    for row in (0, 1):
        signs = planes[row, 0] == -1
        cells = about.cells((96, 96))
        logits = planes[row, :1].astype(np.float32)
        cells.add(0, 1 / (1 + np.exp(-logits)))
        found.append(about.settled(logits, cells, slice(0, 96))[0][signs].mean())
    wanted = (1, 0.2) if telling else (0.2, 0.2)
    assert found == pytest.approx(wanted, abs=0.05)


def test_lines_count_if_they_are_trails() -> None:
    """As faint as others, what lies in a line is believed, if such were trails."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:192, :192]
    planes = np.full((12, 5, 192, 192), -6, np.float16)
    truth = np.zeros((12, 192, 192), np.uint16)
    for row in range(12):
        turn, at = rng.uniform(0.2, 1.3), rng.uniform(60, 130)
        away = (y - at) * np.cos(turn) - (x - at) * np.sin(turn)
        trail = np.abs(away) < 3
        patches = rng.random((6, 6)).repeat(32, 0).repeat(32, 1) < 0.15
        planes[row, 0][trail | patches & (rng.random((192, 192)) < 0.5)] = -1
        truth[row][trail] = 1 << TRAIL
    images = Images(planes, truth, np.zeros_like(truth), crop=192)
    settled = fit_surroundings(
        Told(TRAIL), np.ones(len(CLASSES)), images, Lines, (TRAIL,), 1
    )
    assert isinstance(settled.fitted, Lines)
    p, has = settled.samples[TRAIL]
    assert p.mean() == pytest.approx(has.mean(), rel=0.05)
    assert p[has].mean() > p[~has].mean() + 0.3
    (weights,) = settled.fitted.weights
    assert weights[1] + weights[3] > 0


def test_calibrated_anew(made: Made, config: ContaminantConfig, tmp_path: Path) -> None:
    """The same network, with other thresholds; a command writes it."""
    other = replace(config, regions=('nebulosity',), lines=(), seed=9)
    found = calibrate_run(made.run, other, tmp_path, images=made.folder / 'images')
    assert load_run(tmp_path).config == other
    assert found.options.keys() <= {'surroundings'}
    before, after = (
        [p for n, p in run.network.state_dict().items() if p.ndim > 1]
        for run in (load_run(made.folder), load_run(tmp_path))
    )
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
    with pytest.raises(ConfigError, match='has another network than the training of'):
        calibrate_run(made.run, load_config('contaminant'), tmp_path)
    result = CliRunner().invoke(
        contaminant, ['calibrate', str(made.folder), '-o', str(tmp_path / 'new')]
    )
    assert result.exit_code == 1
    assert 'has another network' in result.output
    assert not any((tmp_path / 'new').iterdir())


def test_a_class_is_of_a_region_or_a_line(config: ContaminantConfig) -> None:
    with pytest.raises(ConfigError, match='fringe is in regions and in lines'):
        replace(config, regions=('fringe',), lines=('fringe',))


def test_a_run_is_kept(made: Made) -> None:
    """What is read back is what was trained; done again nothing is trained anew."""
    again = load_run(made.folder)
    assert again.config == made.run.config
    assert again.temperatures == made.run.temperatures
    assert again.points == made.run.points
    assert again.options == made.run.options
    assert train(made.run.config, made.folder).summary == made.run.summary


def test_export(made: Made, tmp_path: Path) -> None:
    """The card has thresholds, priors and overlap; the core runs the model."""
    card = made.model.card
    assert card.classes == CLASSES.names
    assert {*card.operating_points[OPERATING_POINT].threshold} == {*CLASSES.names}
    for name in (CORE_POINT, CLUSTER_POINT):
        (sure,) = card.operating_points[name].threshold.items()
        assert sure[0] == 'cosmic_ray'
        assert sure[1] >= card.operating_points[OPERATING_POINT].threshold['cosmic_ray']
        cores = card.operating_points[name].measured['cores of stars flagged']
        assert cores.n > 5
        assert cores.value < 0.1
    assert 0 < card.options['overlap'] <= 384
    assert card.options['surroundings'].keys() <= {*made.run.config.regions}
    assert card.options['surroundings'] == made.run.options['surroundings']
    image = np.random.default_rng(8).normal(100, 5, (70, 131))
    found = segment_contaminants(image, model=made.model)
    assert found.probabilities.shape == (15, 70, 131)
    with pytest.raises(ExportError, match='more than 1000'):
        export_run(made.run, tmp_path, n=2, max_bytes=1000)
    assert not list(tmp_path.iterdir())


def test_baselines_find_what_they_are_for() -> None:
    """Hits, hot pixels, saturated pixels and a trail, in a plain image."""
    rng = np.random.default_rng(9)
    image = rng.normal(200, 14, (128, 128)).astype(np.float32)
    image[20, 30:36] += 4000
    image[90, 90] += 2000
    trail = np.abs(np.subtract.outer(np.arange(128), np.arange(128)) - 20) < 2
    image += 200 * trail
    for finder in baselines.baselines({'sigclip': 4.5}):
        if finder.slow:
            continue
        maps = finder.maps(image, None, {})
        assert {*maps} == {*finder.classes}
        if 'cosmic_ray' in maps:
            assert (maps['cosmic_ray'][20, 30:36] > 0).mean() > 0.5
        if 'hot_pixel' in maps:
            assert maps['hot_pixel'][90, 90] > 0.9
        if 'satellite_trail' in maps:
            assert (maps['satellite_trail'][trail] > 0).mean() > 0.5


def test_who_knows_all_is_right() -> None:
    """The truth as its own finder has precision one; a shuffled one has none of it."""
    known = list(cases.simulated_cases(ImageSet(2, 300, 128)))
    truths = iter([each.truth for each in known])

    def knows(*_: object) -> dict[str, np.ndarray]:
        return {n: t.astype(np.float32) for n, t in next(truths).items()}

    def nothing(sci: np.ndarray, *_: object) -> dict[str, np.ndarray]:
        return {n: np.full(sci.shape, 0.5, np.float32) for n in CLASSES.names}

    finders = [
        baselines.Finder('knows', CLASSES.names, knows),
        baselines.Finder('nothing', CLASSES.names, nothing),
    ]
    judged = judge_cases(known, finders)
    best = judged[cases.SIMULATED, 'knows']
    worst = judged[cases.SIMULATED, 'nothing']
    assert best.mean_precision() == pytest.approx(1)
    assert worst.mean_precision() < 0.3
    assert best.images == 2


def test_star_fields() -> None:
    """Stars have the ratio of signal and noise that was asked for, where it is said."""
    rng = np.random.default_rng(10)
    image, places = checks.star_field(rng, 2.0, 50.0)
    boxes = np.array([image[r - 1 : r + 2, c - 1 : c + 2].sum() for r, c in places])
    above = boxes - 9 * 120.0
    ratio = above / np.sqrt(boxes + 9 * 25.0)
    assert np.median(ratio) == pytest.approx(50, rel=0.1)


def test_evaluate(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command writes report, figures, card and README."""
    monkeypatch.setenv('ASTROSIEVE_DATA', str(tmp_path))
    every = baselines.baselines

    def few(settings: dict[str, float]) -> list[baselines.Finder]:
        return [finder for finder in every(settings) if not finder.slow]

    for name, value in {
        'CORE_WIDTHS': (2.0,), 'SIGNALS': (30.0,), '_FIELDS': 1, '_TRAILS': 1,
    }.items():  # fmt: skip
        monkeypatch.setattr(checks, name, value)
    monkeypatch.setattr(judge, '_TUNING', 1)
    monkeypatch.setattr(judge, '_SPEED_SIDE', 512)
    monkeypatch.setattr(judge, 'baselines', few)
    readme = tmp_path / 'README.md'
    readme.write_text(
        '<!-- table:contaminant begin -->\n<!-- table:contaminant end -->\n'
    )
    path = made.model.path
    done = CliRunner().invoke(
        contaminant,
        ['evaluate', str(made.folder), '--model', str(path), '-o', str(tmp_path / 'o'),
         '--update', '--readme', str(readme)],
        catch_exceptions=False,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert 'mean of 14 classes' in readme.read_text()
    content = json.loads((tmp_path / 'o' / 'contaminant-judge.json').read_text())
    assert len(content['limits']) > 20
    assert 'cosmic_ray' in content['precision']['other instruments, contaminant']
    card = load_model(path).card
    assert any('cosmic_ray' in line for line in card.metrics['tables'])
    for figure in ('precision', 'reliability', 'cores', 'sheet', 'roc'):
        assert (tmp_path / 'o' / f'contaminant-{figure}.png').stat().st_size > 5000


def test_ablation(config: ContaminantConfig, tmp_path: Path) -> None:
    """The shipped one is read; a small one has a row for each trial."""
    shipped = ablation.load_ablation('contaminant')
    assert len({trial.name for trial in shipped.trials}) == len(shipped.trials) > 5
    small = tmp_path / 'small.toml'
    small.write_text("""
name = 'small'
crop = 64
network = {kind = 'unet', filters = [8, 8], last = 8, fine = 0, lines = 0}
training = {images = 8, seed = 0, side = 64}
validation = {images = 2, seed = 100, side = 64}
calibrating = {images = 8, seed = 200, side = 64}
judged = {images = 2, seed = 300, side = 64}
""")
    trials = (
        ablation.Trial('as it is'),
        ablation.Trial('of the paper', loss=LossSettings('pixel'), images=4),
    )
    tried = ablation.Ablation(str(small), 8, 1, 64, ImageSet(2, 400, 64), trials)
    lines = ablation.ablate(tried, tmp_path / 'o', None, lambda text: None)
    assert sum('of the paper' in line for line in lines) == 1
    kept = json.loads((tmp_path / 'o' / 'ablation.json').read_text())
    assert [row['name'] for row in kept['rows']] == ['as it is', 'of the paper']
