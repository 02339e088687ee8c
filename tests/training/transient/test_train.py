"""Networks for candidates: configured, trained, exported, judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from astrosieve.models.registry import load_model
from astrosieve.transient.classes import REAL_KINDS
from astrosieve.transient.preprocessing import Stamps, get_preprocessing
from astrosieve_training.cli import main
from astrosieve_training.settings import ConfigError
from astrosieve_training.stages import Stages
from astrosieve_training.transient.config import (
    FieldSet,
    TransientConfig,
    load_config,
)

pytest.importorskip('torch')

from astrosieve_training.transient import evaluate, gains, networks, objects
from astrosieve_training.transient.baselines import LEARNERS
from astrosieve_training.transient.datasets import (
    Alerts,
    Facts,
    class_numbers,
    simulated_sets,
)
from astrosieve_training.transient.evaluate import BANDS, UNSEEN, also_in, judge
from astrosieve_training.transient.export import export_run
from astrosieve_training.transient.judged import Judged
from astrosieve_training.transient.train import Agreement, Run, load_run, train

pytestmark = pytest.mark.usefixtures('converted_once')
CONFIGS = (
    'transient', 'transient-negm2021', 'transient-negm2021-plain',
    'transient-negm2021-triplets',
)  # fmt: skip


def small() -> TransientConfig:
    """Return the flagship's configuration, of a few fields."""
    config = load_config('transient')
    return replace(
        config,
        training=replace(config.training, fields=6, band_fields=1),
        validation=replace(config.validation, fields=2, band_fields=1),
        calibrating=replace(config.calibrating, fields=2, band_fields=1),
        judged=replace(config.judged, fields=2, band_fields=1),
        labelled=replace(config.labelled, fields=4),
        train=replace(config.train, epochs=3, threads=1),
        unlabelled=0.0,
    )


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """Return a short training and its folder."""
    folder = tmp_path_factory.mktemp('run')
    return train(small(), folder, jobs=1), folder


@pytest.mark.parametrize('name', CONFIGS)
def test_configurations_are_whole(name: str) -> None:
    """Each comes with the package, and its network is as large as may be shipped."""
    config = load_config(name)
    assert config.name == name
    weights = sum(each.numel() for each in networks.build(config).parameters())
    assert 4 * weights < (1.45e6 if config.kind == 'stamps' else 6e6)


def test_judged_surveys_are_not_learnt_from() -> None:
    """What the flagship is judged on are other surveys than those it has seen."""
    config = load_config('transient')
    assert config.judged is not None
    seen = {*config.training.surveys, *config.calibrating.surveys}
    assert not {*config.judged.surveys} & seen


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'judged': None}, 'validation, calibrating and judged'),
        ({'validation': FieldSet(100000, fields=1)}, 'two sets share a field'),
        ({'classes': ('dipole', 'noise')}, "classes must have 'real'"),
    ],
)
def test_impossible_configurations_are_refused(changes: dict, message: str) -> None:
    """A message says what cannot be."""
    with pytest.raises(ConfigError, match=message):
        replace(load_config('transient'), **changes)


def test_class_numbers_follow_the_network() -> None:
    """Kinds are numbers where the network tells them, else real or bogus."""
    labels = np.array(['variable', 'dipole', 'noise'])
    assert class_numbers(labels, ('real', 'bogus')).tolist() == [0, 1, 1]
    assert class_numbers(labels, ('variable', 'dipole')).tolist() == [0, 1, -1]


def test_sets_come_from_the_cache(run: tuple[Run, Path]) -> None:
    """What a training has simulated is there again, contested candidates left out."""
    made, folder = run
    stages = Stages(folder / 'fields', say=pytest.fail, tidy=False)
    sets = simulated_sets(made.config, stages, ('training', 'calibrating'), jobs=1)
    assert len(sets['training']) == made.summary['counts']['training']
    assert not sets['training'].contested.any()
    assert set(sets['training'].facts.survey) > {'bands'}


def test_training_lowers_the_loss(run: tuple[Run, Path]) -> None:
    """The last epoch is better than the first; what is written is read again."""
    made, folder = run
    losses = [each['loss'] for each in made.summary['history']]
    assert losses[-1] < losses[0]
    again = load_run(folder)
    assert again.temperature == made.temperature
    assert again.points == made.points
    assert sum(again.prior[name] for name in REAL_KINDS) == pytest.approx(0.5, abs=1e-4)


def test_split_keeps_fields_together(tmp_path: Path) -> None:
    """Where one set is given, no field is on two sides of its split."""
    config = replace(
        load_config('transient-negm2021'), training=FieldSet(500000, band_fields=9)
    )
    sets = simulated_sets(config, Stages(tmp_path, tidy=False), jobs=1)
    fields = [
        set(sets[name].facts.field) for name in ('training', 'validation', 'judged')
    ]
    assert all(fields)
    assert not fields[0] & fields[1] | fields[0] & fields[2] | fields[1] & fields[2]
    assert sets['judged'].inputs['stamps'].shape[1:] == (3, 69, 69)


def test_agreement_falls_with_indecision() -> None:
    """A network that is sure, and says always the same, adds less than others."""
    from torch import nn

    shapes = get_preprocessing('stamps-1').shapes
    rng = np.random.default_rng(0)
    inputs = {
        name: rng.normal(size=(40, *shape)).astype(np.float16)
        for name, shape in shapes.items()
    }
    alerts = Alerts(inputs, np.empty(40))
    added = Agreement(alerts, 1.0, [True, False])

    class Answer(nn.Module):
        def __init__(self, scale: float, sway: float) -> None:
            super().__init__()
            self.scale, self.sway = scale, sway

        def forward(self, stamps, told):  # type: ignore[no-untyped-def]
            tilt = self.sway * stamps[:, 0, :3].mean((1, 2))
            return (self.scale + tilt)[:, None] * stamps.new_tensor([[1.0, -1.0]])

    sure, unsure, wavering = (
        float(added(Answer(*each), np.random.default_rng(1)))
        for each in ((5, 0), (0, 0), (0, 50))
    )
    assert sure < unsure
    assert sure < wavering


def test_export_is_small_and_scores(run: tuple[Run, Path], tmp_path: Path) -> None:
    """The ONNX file is under the limit, and gives probabilities that sum to one."""
    card, difference = export_run(run[0], tmp_path, n=64)
    path = tmp_path / f'{card.name}-{card.version}.onnx'
    assert path.stat().st_size < 1.5e6
    assert difference < 1e-5
    model = load_model(path, task='transient')
    stamps = np.random.default_rng(0).normal(size=(5, 3, 63, 63)).astype(np.float32)
    batch = get_preprocessing(card.preprocessing)(Stamps(stamps))
    np.testing.assert_allclose(model.predict(batch.inputs).sum(axis=1), 1, atol=1e-4)
    assert card.threshold('balanced', 'p_real') > 0


def test_judge_reports_all(
    run: tuple[Run, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report has unseen surveys and three bands, and each of the learners."""
    monkeypatch.setattr(objects, '_FIELDS', 1)
    monkeypatch.setattr(gains, '_LABELS', (100,))
    monkeypatch.setattr(evaluate, '_ROUNDS', 1)
    made, folder = run
    card, _ = export_run(made, tmp_path, n=64)
    model = load_model(tmp_path / f'{card.name}-{card.version}.onnx', task='transient')
    report = judge(model, made.config, tmp_path, fields=folder / 'fields', jobs=1)
    text = report.markdown()
    assert all(f'| {UNSEEN} | {name}' in text for name in (*LEARNERS, 'transient'))
    assert f'| {BANDS} | transient' in text
    assert {'By survey', 'By kind', 'By signal to noise'} <= {
        each.heading for each in report.sections
    }
    assert all(path.is_file() for path in report.figures)
    report.update_card()
    assert (
        'auc'
        in load_model(model.path, task='transient').card.metrics['judge'][
            f'{UNSEEN}, transient'
        ]
    )


def test_others_are_judged_on_the_same_candidates() -> None:
    """What the judged network cannot score counts for none; real stamps have no S/N."""
    n = 5
    snr = np.array([9.0, 9.0, np.nan, 7.0, 8.0])
    empty = np.full(n, '')
    theirs = Facts(empty, empty, snr, np.ones(n), snr, empty, np.array([1, 2, 3, 3, 3]))
    own = theirs.take(np.array([0, 2, 4]))
    assert also_in(own, theirs).tolist() == [True, False, True, False, True]


def test_measures_of_scores() -> None:
    """Known scores give known measures."""
    score = np.array([0.9, 0.8, 0.4, 0.7, 0.2, 0.1])
    real = np.array([True, True, True, False, False, False])
    judged = Judged('some', 'me', score, real, 0.5)
    assert judged.auc.value == pytest.approx(8 / 9)
    assert (judged.recall.k, judged.false.k, judged.precision.k) == (2, 1, 2)
    assert judged.f1.value == pytest.approx(2 / 3)
    assert judged.complete.k == 2


def test_steps_help_without_torch() -> None:
    """Each step says what it does."""
    for step in ('simulate', 'train', 'export', 'evaluate'):
        done = CliRunner().invoke(main, ['transient', step, '--help'])
        assert done.exit_code == 0, done.output
