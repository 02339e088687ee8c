"""The judge's arithmetic, on sets made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('scipy')
pytest.importorskip('sklearn')
pytest.importorskip('matplotlib')

from astropy.table import Table

from astrosieve.images.background import measure_background
from astrosieve.images.exposures import Chip
from astrosieve.models.metrics import Share
from astrosieve.models.registry import Model, load_model, sha256_of
from astrosieve_training.judge.limits import Limit, Number
from astrosieve_training.learn.sampling import label_numbers
from astrosieve_training.source.config import FinderConfig
from astrosieve_training.source.datasets.detections import (
    DetectionSet,
    detection_set,
    join,
)
from astrosieve_training.source.evaluate import judge as evaluate_module
from astrosieve_training.source.evaluate.baselines import (
    FOREST,
    FOREST_COLUMNS,
    Forest,
    cut_decisions,
    measure_columns,
)
from astrosieve_training.source.evaluate.figures import draw_judgement
from astrosieve_training.source.evaluate.judged import Judged, Rival, judge_set
from astrosieve_training.source.evaluate.limits import FOREST_FACTOR
from astrosieve_training.source.evaluate.report import Judgement

CLASSES = ('star', 'cosmic_ray', 'spike')
PRIOR = dict.fromkeys(CLASSES, 1 / 3)
FAINT = 'leak at S/N 5 to 10, 97 % of the stars kept'


def make_judged(labels: list[str], p_star: list[float], **columns: Any) -> Judged:
    n = len(labels)
    rows = Table(
        {
            'label': np.array(labels),
            'valid': np.ones(n, dtype=bool),
            'contested': np.zeros(n, dtype=bool),
            **columns,
        }
    )
    star = np.array(p_star, dtype=float)
    probabilities = np.column_stack([star, (1 - star) * 0.6, (1 - star) * 0.4])
    return Judged(
        rows, probabilities, CLASSES,
        {'net': probabilities.argmax(axis=1) == 0}, {'net': star},
    )  # fmt: skip


def test_completeness_leak_and_purity() -> None:
    """Each true class has its own share; purity is of what is called star."""
    labels = ['star'] * 4 + ['cosmic_ray'] * 3 + ['spike'] * 2 + ['bad_pixel']
    p_star = [0.9, 0.8, 0.7, 0.1, 0.9, 0.1, 0.1, 0.2, 0.1, 0.6]
    found = judge_set(make_judged(labels, p_star), PRIOR)
    table = found['decisions']['net']
    assert table['star'] == Share(3, 4)
    assert table['cosmic_ray'] == Share(1, 3)
    assert table['spike'] == Share(0, 2)
    assert table['bad_pixel'] == Share(1, 1)
    assert table['purity'] == Share(3, 5)
    assert found['confusion']['star'] == {'star': 3, 'cosmic_ray': 1, 'spike': 0}
    assert found['counts'] == {
        'star': 4, 'cosmic_ray': 3, 'spike': 2, 'bad_pixel': 1,
    }  # fmt: skip


def test_contested_and_unscored_are_counted_apart() -> None:
    """They change no share; contested ones have shares of their own."""
    judged = make_judged(['star', 'star', 'spike', 'spike'], [0.9, 0.1, 0.9, 0.1])
    judged.rows['contested'] = [False, True, True, False]
    judged.rows['valid'] = [True, True, True, False]
    found = judge_set(judged, PRIOR)
    assert found['counts'] == {'star': 1}
    assert found['contested']['star'].k == 0
    assert found['contested']['spike'].k == 1
    assert found['unscored'] == 1
    assert 'purity' not in found['decisions']['net']
    assert 'leak_at_completeness' not in found


def test_leak_at_completeness() -> None:
    """The threshold keeps at least the wanted share of the stars."""
    labels = ['star'] * 100 + ['cosmic_ray'] * 100
    p_star = [*np.linspace(0.5, 0.995, 100), *np.linspace(0, 0.594, 100)]
    found = judge_set(make_judged(labels, p_star), PRIOR)
    table = found['leak_at_completeness']['net']['95.0%']
    assert table['star'].k == 95
    assert table['cosmic_ray'].k == sum(p >= table['threshold'] for p in p_star[100:])
    assert table['cosmic_ray'].k > 0


def test_bins_cover_every_detection_once() -> None:
    """Infinity falls into the last bin, its lower edge included."""
    judged = make_judged(
        ['star'] * 5, [0.9] * 5,
        snr=[1.0, 5.0, 9.9, 1e6, np.inf],
        distance_to_bright=[np.inf, 0.0, 5.0, 79.0, 80.0],
    )  # fmt: skip
    bins = judge_set(judged, PRIOR)['bins']
    assert sum(row['star'].n for row in bins['snr']) == 5
    assert sum(row['star'].n for row in bins['distance_to_bright']) == 5
    assert bins['snr'][0]['star'].n == 1
    assert bins['snr'][1]['star'].n == 2
    assert bins['distance_to_bright'][-1]['star'].n == 2


def test_calibration_is_of_the_mix_of_the_set() -> None:
    """Probabilities that hold for equal shares are carried to the set's."""
    rng = np.random.default_rng(0)
    n = 20_000
    label = np.where(rng.random(n) < 0.9, 'cosmic_ray', 'star')
    value = rng.exponential(np.where(label == 'star', 1.0, 0.5))
    p_star = 1 / (1 + 2 * np.exp(-value))  # the truth for equal shares
    judged = make_judged(label.tolist(), p_star.tolist())
    judged.probabilities[:, 1] = 1 - p_star
    judged.probabilities[:, 2] = 0
    found = judge_set(judged, PRIOR)['calibration']
    assert found['error'] < 0.01
    assert found['error_for_mix_of_card'] > 0.03


def test_cuts_are_photutils_defaults() -> None:
    """Beyond any one cut is not a star; NaN is not a star."""
    rows = Table(
        {
            'dao_sharpness': [0.5, 0.1, 0.5, np.nan],
            'dao_roundness1': [0.0, 0.0, 1.5, 0.0],
            'dao_roundness2': [0.0, 0.0, 0.0, 0.0],
            'iraf_sharpness': [1.0, 0.4, 1.0, 1.0],
            'iraf_roundness': [0.1, 0.1, 0.3, np.nan],
            'astroscrappy': [False, True, False, False],
            'astroscrappy_tuned': [True, False, False, False],
        }
    )
    found = cut_decisions(rows)
    assert found['DAOStarFinder cuts'].tolist() == [True, False, False, False]
    assert found['IRAFStarFinder cuts'].tolist() == [True, False, False, False]
    assert found['astroscrappy'].tolist() == [True, False, True, True]
    assert found['astroscrappy, tuned'].tolist() == [False, True, True, True]


def make_image() -> np.ndarray:
    rng = np.random.default_rng(2)
    y, x = np.indices((120, 120))
    image = rng.normal(0, 1, (120, 120))
    for cx, cy in ((30, 30), (60, 80), (90, 40)):
        image += 300 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * 0.85**2))
    image[100, 20:30] += 400
    return image.astype(np.float32)


@pytest.mark.parametrize(
    ('prefix', 'finder', 'names'),
    [
        ('dao', 'DAOStarFinder', FOREST_COLUMNS),
        ('iraf', 'IRAFStarFinder', ('sharpness', 'roundness')),
    ],
)
def test_columns_are_those_of_the_finder_itself(
    prefix: str, finder: str, names: tuple[str, ...]
) -> None:
    """At a finder's own detections its own columns come back, in order."""
    detection = pytest.importorskip('photutils.detection')
    image = make_image()
    chip = Chip(sci=image, path=Path('a.fits'))
    threshold = 5 * measure_background(image).noise
    found = getattr(detection, finder)(threshold, 2.0)(image)
    assert len(found) >= 3
    xy = np.column_stack([found['x_centroid'], found['y_centroid']])[::-1]
    columns = measure_columns(image, xy, 2.0, chip)
    for name in names:
        assert columns[f'{prefix}_{name}'][::-1] == pytest.approx(found[name], rel=1e-6)


def test_what_a_finder_drops_has_a_row() -> None:
    """No star can be fitted to empty sky; the rest is measured there too."""
    pytest.importorskip('photutils')
    image = make_image()
    xy = np.array([[60.0, 60.0], [30.0, 30.0]])
    columns = measure_columns(image, xy, 2.0, Chip(sci=image, path=Path('a.fits')))
    assert np.isnan(columns['dao_roundness2']).tolist() == [True, False]
    for name in ('sharpness', 'roundness1', 'peak', 'flux'):
        assert np.isfinite(columns[f'dao_{name}']).all()


def test_forest_learns_and_marks_what_cannot_be_measured() -> None:
    """Two kinds apart in one column are told apart; NaN does not stop it."""
    rng = np.random.default_rng(0)
    n = 300
    labels = np.array(CLASSES)[np.arange(n) % 2]
    columns = {f'dao_{name}': rng.normal(0, 1, n) for name in FOREST_COLUMNS}
    columns['dao_sharpness'] += 5 * (labels == 'star')
    columns['dao_mag'][:10] = np.nan
    rows = Table(
        {
            'label': labels, **columns,
            'valid': np.ones(n, bool), 'contested': np.zeros(n, bool),
        }
    )  # fmt: skip
    forest = Forest(CLASSES, seed=0, n_trees=10)
    forest.fit(DetectionSet({}, rows), rng=np.random.default_rng(1))
    p = forest.predict(rows)
    assert p.shape == (n, 3)
    assert ((p.argmax(axis=1) == 0) == (labels == 'star')).mean() > 0.97


def test_detection_set_keeps_order_and_truth() -> None:
    """Rows are the finders' detections, one finder after the other."""
    pytest.importorskip('photutils')
    chip = Chip(sci=make_image(), path=Path('a.fits'))

    def label(xy: np.ndarray) -> Table:
        right = xy[:, 1] < 95
        n = len(xy)
        return Table(
            {
                'label': np.where(right, 'star', 'cosmic_ray'), 'share': np.ones(n),
                'contested': np.zeros(n, bool), 'snr': np.full(n, 50.0),
            }
        )  # fmt: skip

    found = detection_set(
        chip, label, finders=[FinderConfig('peaks'), FinderConfig('dao')],
        preprocessing='zscale-log-1', exposure='e', camera='c', scene='s', fwhm=2.0,
        measure=measure_columns,
    )  # fmt: skip
    assert list(dict.fromkeys(found.rows['finder'])) == ['peaks-5', 'dao-5']
    peaks = found[np.asarray(found.rows['finder']) == 'peaks-5']
    assert (np.asarray(peaks.rows['label']) == 'star').sum() == 3
    assert 'cosmic_ray' in peaks.rows['label']
    assert found.inputs['cutouts'].shape == (len(found), 1, 11, 11)
    assert found.usable.all()
    both = join([found, found])
    assert len(both) == 2 * len(found)
    numbers = label_numbers(found.rows, ('cosmic_ray', 'spike'))
    assert set(numbers) == {0, -1}


def test_nothing_found_is_said() -> None:
    """Sets without detections cannot be joined into nothing."""
    with pytest.raises(ValueError, match='no detections'):
        join([DetectionSet({}, Table())])


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A copy of the shipped model in a folder of its own."""
    from dataclasses import replace

    from astrosieve_training.learn.shipping import write_model

    shipped = load_model('source-isr2024')
    content = shipped.path.read_bytes()
    card = replace(shipped.card, name='copy', sha256=sha256_of(content))
    folder = tmp_path / 'weights'
    folder.mkdir()
    write_model(folder, card, content)
    return load_model(folder / f'copy-{card.version}.onnx')


def make_detections(n: int = 60) -> DetectionSet:
    rng = np.random.default_rng(0)
    rows = Table(
        {
            'label': np.array(CLASSES)[np.arange(n) % 3],
            'finder': np.full(n, 'peaks-5'),
            'valid': np.ones(n, bool),
            'contested': np.zeros(n, bool),
            'snr': rng.uniform(5, 100, n),
            'fwhm': np.full(n, 2.0),
            'psf_fwhm': np.full(n, 2.0),
            'extended_snr': rng.uniform(0, 6, n),
            'astroscrappy': rng.random(n) < 0.5,
            'astroscrappy_tuned': rng.random(n) < 0.5,
        }
    )
    for name in ('dao_sharpness', 'dao_roundness1', 'dao_roundness2'):
        rows[name] = rng.random(n)
    for name in ('iraf_sharpness', 'iraf_roundness'):
        rows[name] = rng.random(n)
    cutouts = rng.random((n, 1, 11, 11)).astype(np.float32)
    return DetectionSet({'cutouts': cutouts}, rows)


def test_report_writes_tables_and_figures(model: Model, tmp_path: Path) -> None:
    """JSON that any reader takes, Markdown with the counts, PNG figures."""
    judgement = Judgement(model)
    judgement.add_set('A set', 'made by hand', make_detections(), None)
    paths = judgement.report().write(tmp_path / 'out')
    paths += draw_judgement(judgement, tmp_path / 'out')
    assert {path.suffix for path in paths} == {'.json', '.md', '.png'}
    assert all(path.stat().st_size > 100 for path in paths)
    found = json.loads((tmp_path / 'out' / 'copy-judge.json').read_text())
    assert found['sets']['A set']['peaks-5']['counts']['star'] == 20
    text = (tmp_path / 'out' / 'copy-judge.md').read_text()
    assert '| A set (peaks-5) | copy |' in text
    assert '/20)' in text


def test_update_fills_card_and_readme(model: Model, tmp_path: Path) -> None:
    """Card and docs get the same table; the manifest follows, and the model loads."""
    readme = tmp_path / 'page.md'
    marks = '<!-- table:source-all begin -->\nold\n<!-- table:source-all end -->'
    readme.write_text(f'# A\n\n{marks}\n\nafter\n', encoding='utf-8')
    judgement = Judgement(model)
    judgement.add_set('A set', 'made by hand', make_detections(), None)
    report = judgement.report()
    report.update_card()
    report.update_readme(readme, 'source')
    text = readme.read_text(encoding='utf-8')
    assert '\nold\n' not in text
    assert text.startswith('# A\n')
    assert text.endswith('after\n')
    again = load_model(model.path)
    lines = again.card.metrics['tables']
    assert lines[:-2] == judgement.summary_table()
    assert lines[-1].startswith('Networks and the forest at the threshold that keeps')
    assert '\n'.join(again.card.metrics['tables']) in text
    manifest = json.loads((model.path.parent / 'manifest.json').read_text())
    card = model.path.with_suffix('.json').read_bytes()
    assert manifest['models']['copy']['card_sha256'] == sha256_of(card)
    table = judgement.sets['A set']
    decisions = table[next(iter(table))]['decisions']
    assert again.card.operating_points
    for name, point in again.card.operating_points.items():
        measured = decisions[f'{again.card.name}, {name}']
        if not measured['purity'].n:  # nothing kept: nothing measured
            assert point == model.card.operating_points[name]
            continue
        assert point.threshold == model.card.operating_points[name].threshold
        assert point.measured == {
            'completeness': measured['star'],
            'purity': measured['purity'],
        }
        assert point.sample.startswith('A set')
    samples = [each.sample for each in again.card.operating_points.values()]
    assert any(sample.startswith('A set') for sample in samples)
    report.update_readme(readme, 'source')
    assert readme.read_text(encoding='utf-8') == text


def test_checks_bring_the_limits_into_the_tables(model: Model) -> None:
    """Card and README then show what holds and what does not."""
    judgement = Judgement(model)
    judgement.add_set('A set', 'made by hand', make_detections(), None)
    phases = Limit('phases', Number(0.5, 10), 0.02)
    sky = Limit('sky', Share(99, 100), 0.95, least=True)
    judgement.add_check('More', ['a line'], [phases, sky])
    report = judgement.report()
    assert '## More\n\na line\n' in report.markdown()
    lines = report.card_lines()
    assert '| further checks | phases | 0.5000 (10) | at most 0.02 | **no** |' in lines
    assert set(judgement.summary_table()) <= set(lines)
    lines = report.readme_lines()
    assert set(judgement.summary_table(short=True)) <= set(lines)
    held = [limit.holds for _, limit in report.limits]
    assert lines[-1].startswith(f'Of {len(held)} limits {sum(held)} hold; not: ')
    assert lines[-1].endswith('; phases (further checks): 0.5000 (10), at most 0.02.')
    assert 'sky' not in lines[-1]


def test_a_readme_gets_what_matters(model: Model, tmp_path: Path) -> None:
    """The model on each set that was not held back, what people use on the first."""
    readme = tmp_path / 'README.md'
    readme.write_text('<!-- table:source begin -->\n<!-- table:source end -->\n')
    judgement = Judgement(model, held_back=('Held back',))
    for name in ('A set', 'Another', 'Held back'):
        judgement.add_set(name, 'made by hand', make_detections(), None)
    report = judgement.report()
    rows = [line.split(' | ')[:2] for line in judgement.summary_table(short=True)[2:]]
    assert [row[0].removeprefix('| ').split(' (')[0] for row in rows] == [
        *['A set'] * (len(rows) - 1), 'Another',
    ]  # fmt: skip
    methods = [row[1] for row in rows]
    assert methods[0] == methods[-1] == 'copy'
    assert {*methods[1:-1]} <= {'DAOStarFinder cuts', 'astroscrappy, tuned'}
    assert {*judgement.summary_table(short=True)} < {*judgement.summary_table()}
    report.update_readme(readme, 'source')
    assert '\n'.join(judgement.summary_table(short=True)) in readme.read_text()


def test_rivals_see_the_same_detections(model: Model) -> None:
    """A rival decides and scores beside the model, which stays the first."""
    detections = make_detections()
    asked = []

    def predict(inputs: dict[str, np.ndarray]) -> np.ndarray:
        asked.append(inputs)
        star = np.linspace(0, 1, len(inputs['other']))
        return np.column_stack([1 - star, star])

    rival = Rival('rival', 'any', ('spike', 'star'), predict)
    judgement = Judgement(model)
    theirs = DetectionSet({'other': np.zeros((60, 1))}, detections.rows)
    judgement.add_set('A set', 'made by hand', detections, None, [(rival, theirs)])
    (judged,) = judgement.judged['A set'].values()
    assert list(asked[0]) == ['other']
    assert list(judged.scores) == ['copy', 'rival']
    assert judged.scores['rival'] == pytest.approx(np.linspace(0, 1, 60))
    assert judged.decisions['rival'].tolist() == [False] * 30 + [True] * 30
    assert any('| rival |' in line for line in judgement.summary_table())


def test_limits_are_measured_where_the_width_is_known() -> None:
    """By score at a completeness, by decision, and on extended light."""
    labels = ['star'] * 4 + ['cosmic_ray'] * 4
    p_star = [0.9, 0.8, 0.7, 0.1, 0.75, 0.2, 0.05, 0.05]
    columns = {
        'snr': np.full(8, 30.0),
        'fwhm': np.full(8, 2.0),
        'psf_fwhm': np.full(8, 2.0),
        'extended_snr': np.array([5.0, 0, 0, 5.0, 9, 9, 9, 9]),
    }
    found = judge_set(make_judged(labels, p_star, **columns), PRIOR)
    assert found['leaks']['net']['cosmic_ray'] == Share(2, 4)
    assert found['decided']['net']['star'] == Share(3, 4)
    assert found['decided']['net']['cosmic_ray'] == Share(1, 4)
    assert found['on_extended'] == Share(2, 2)
    assert found['faint'] == {'net': None}
    assert 'leaks' not in judge_set(make_judged(labels, p_star), PRIOR)


def test_limits_of_a_report(model: Model) -> None:
    """Absolute, relative, faint and calibration, and twice the leak if held back."""
    star = Share(995, 1000)

    def results(k: int, error: float) -> dict[str, Any]:
        leak = {'star': star, 'spike': Share(k, 1000)}
        return {
            'leaks': {
                'copy': leak,
                FOREST: {'star': star, 'spike': Share(300, 1000)},
            },
            'faint': {'copy': Share(50, 1000), FOREST: None},
            'faint_sharp': {'copy': Share(3, 1000), FOREST: None},
            'on_extended': Share(70, 100),
            'calibration': {'error': error, 'n': 2000},
        }

    judgement = Judgement(
        model,
        sets={
            'first': {'peaks': results(4, 0.02), 'dao': results(900, 0.9)},
            'held': {'peaks': results(60, 0.02)},
            'frame': {'peaks': {'calibration': {'error': 0.04, 'n': 50}}},
        },
        held_back=('held',),
        real=['frame'],
        factors={FOREST: FOREST_FACTOR},
    )
    limits = judgement.limits()
    found = {(name, each.what.split(':')[0]): each for name, each in limits}
    holds = {key: each.holds for key, each in found.items()}
    assert holds == {
        ('first', 'spikes called stars'): True,
        ('first', 'spike'): True,
        ('first', FAINT): False,
        ('first', f'{FAINT}, extended left out'): True,
        ('first', 'stars of S/N 20 on nebulae and galaxies kept'): False,
        ('first', 'expected calibration error'): False,
        ('held', 'spikes called stars'): False,
        ('held', 'spike'): False,
        ('held', FAINT): False,
        ('held', f'{FAINT}, extended left out'): True,
        ('held', 'stars of S/N 20 on nebulae and galaxies kept'): False,
        ('held', 'expected calibration error'): True,
        ('held', 'spikes'): False,
        ('frame', 'expected calibration error'): False,
    }
    assert found['first', 'spike'].limit == pytest.approx(0.03)
    twice = found['held', 'spikes']
    assert twice.limit == pytest.approx(2 * Share(4, 1000).high)


def test_class_that_only_the_held_back_set_has_fails(model: Model) -> None:
    """Twice a leak that was not measured is no limit that could hold."""
    leak = {'star': Share(99, 100), 'spike': Share(0, 1000)}
    nothing = {'faint': {'copy': None}, 'faint_sharp': {'copy': None}}
    sets = {
        'first': {'peaks': {'leaks': {'copy': {'star': Share(99, 100)}}, **nothing}},
        'held': {'peaks': {'leaks': {'copy': leak}, **nothing}},
    }
    for results in sets.values():
        results['peaks']['calibration'] = {}
    (limit,) = (
        limit
        for _, limit in Judgement(model, sets=sets, held_back=('held',)).limits()
        if 'twice' in limit.what
    )
    assert limit.what == 'spikes: twice the leak of first, where none was measured'
    assert not limit.holds


def test_absent_real_frames_are_said(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge goes on without them, and says so."""
    from astrosieve_training.source.config import load_config

    monkeypatch.setattr(evaluate_module, 'data_folder', lambda: None)
    monkeypatch.setattr(evaluate_module, 'train_forest', lambda *a, **k: None)
    monkeypatch.setattr(
        evaluate_module, 'simulated_set', lambda *a, **k: make_detections()
    )
    said: list[str] = []
    report = evaluate_module.evaluate(
        str(model.path), load_config('source-isr2024'), tmp_path, say=said.append
    )
    assert len(said) == 1
    assert 'ASTROSIEVE_DATA' in said[0]
    assert 'UVIS-like' in report.numbers['sets']
    assert all(path.is_file() for path in report.figures)
    assert len(report.figures) > 2
