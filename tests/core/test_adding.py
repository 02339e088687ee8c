"""What docs/adding.md says is all that there is to do: each addition is tried."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs' / 'adding.md').read_text(encoding='utf-8')
STEP = re.compile(
    r'(?:in `(?P<file>[^`\n]+)`, (?P<where>after|before|in place of) `(?P<mark>[^\n]+)`'
    r'|a new file, `(?P<new>[^`\n]+)`):\n\n```\w+\n(?P<text>.*?)```\n',
    re.IGNORECASE | re.DOTALL,
)


class Copy:
    """A copy of the three packages, changed as a section of the page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns('__pycache__', '*.egg-info')
        for name in ('src', 'plugins', 'training', 'docs'):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        shutil.copy(ROOT / 'pyproject.toml', folder)

    def add(self, section: str) -> None:
        """Do what a section says, step by step."""
        body = PAGE.split(f'\n## {section}\n')[1].split('\n## ')[0]
        steps = list(STEP.finditer(body))
        assert steps, section
        assert len(steps) == len(re.findall(r'\n```\w+\n', body)) or (
            section == 'A finder'  # its entry point is in a distribution of its own
        )
        for step in steps:
            if step['new']:
                path = self.folder / step['new']
                assert not path.exists(), path
                path.write_text(step['text'], encoding='utf-8')
                continue
            path = self.folder / step['file']
            text = path.read_text(encoding='utf-8')
            assert text.count(step['mark']) == 1, (path, step['mark'])
            before, after = text.split(step['mark'])
            new = {
                'after': f'{step["mark"]}\n{step["text"].rstrip()}',
                'before': f'{step["text"]}{step["mark"]}',
                'in place of': step['text'].rstrip(),
            }[step['where'].lower()]
            path.write_text(before + new + after, encoding='utf-8')

    def install(self, name: str, entry_points: dict[str, dict[str, str]]) -> None:
        """Write what importlib.metadata reads of a distribution."""
        folder = self.folder / f'{name}-0.1.0.dist-info'
        folder.mkdir()
        head = f'Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n'
        (folder / 'METADATA').write_text(head, encoding='utf-8')
        lines = []
        for group, entries in entry_points.items():
            lines += [f'[{group}]', *(f'{k} = {v}' for k, v in entries.items())]
        (folder / 'entry_points.txt').write_text('\n'.join(lines), encoding='utf-8')

    def run(self, code: str, *words: object) -> str:
        """Run code with the copy in place of what is installed; return its output."""
        roots = [self.folder / name for name in ('src', 'plugins', 'training')]
        done = subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', code, *map(str, words)],
            cwd=self.folder,
            env=os.environ
            | {
                'PYTHONPATH': os.pathsep.join(map(str, [self.folder, *roots])),
                'OMP_NUM_THREADS': '1',
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def astrosieve(self, *words: object) -> str:
        """Run the command astrosieve."""
        return self.run('from astrosieve.cli import main; main()', *words)

    def train(self, *words: object) -> str:
        """Run the command astrosieve-train."""
        return self.run('from astrosieve_training.cli import main; main()', *words)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_a_camera(copy: Copy) -> None:
    """Its files are read with its unit, gain, DQ bits and width, and simulated."""
    pytest.importorskip('galsim')
    copy.add('A camera')
    header = fits.Header({'INSTRUME': 'goodcam', 'DETECTOR': 'RED', 'ATODGAIN': 2})
    image = np.random.default_rng(1).normal(100, 5, (40, 40)).astype('f4')
    flags = np.zeros((40, 40), np.int16)
    flags[3, 4] = 1
    fits.HDUList(
        [
            fits.PrimaryHDU(header=header),
            fits.ImageHDU(image, name='SCI'),
            fits.ImageHDU(flags, name='DQ'),
        ]
    ).writeto(copy.folder / 'a.fits')
    said = copy.run(
        'from astrosieve.images.exposures import read_chips\n'
        'from astrosieve.images.measured import MeasuredImage\n'
        'image = MeasuredImage.of_chip(next(read_chips("a.fits")))\n'
        'print(image.unit, image.electrons_per_unit, image.fwhm)\n'
        'print(image.spoilt.nonzero())'
    )
    assert said.split()[:3] == ['DN', '1.6', '2.6']
    assert 'array([3]), array([4])' in said
    step = ('source', 'simulate', '--camera', 'goodcam-red-r', '-n', 1)
    copy.train(*step, '--seed', 5, '-o', 'made')
    [made] = (copy.folder / 'made').glob('*_flc.fits')
    with fits.open(made) as hdus:
        assert hdus[0].header['INSTRUME'] == 'GOODCAM'
        bits = np.bitwise_or.reduce(hdus['DQ'].data, axis=None)
    assert bits & 8  # hot pixels
    assert not bits & ~15
    said = copy.astrosieve('classify', made, '-o', 'out.ecsv')
    assert 'detections' in said
    assert Table.read(copy.folder / 'out.ecsv').meta['unit'] == 'DN'


def test_a_class(copy: Copy) -> None:
    """It is drawn, simulated with its truth, known to networks, limited, documented."""
    pytest.importorskip('galsim')
    copy.add('A class')
    said = copy.run("""
import numpy as np
from astropy.table import Table
from astrosieve.source.classes import CLASSES
from astrosieve.tables.regions import write_regions
from astrosieve_training.simulate import load_camera, simulate_exposure
from astrosieve_training.simulate.truth import label_positions, read_truth, write_truth
from astrosieve_training.source.config import NetworkConfig
from astrosieve_training.source.evaluate.limits import ABSOLUTE_LIMITS

camera = load_camera('demo')
exposure = simulate_exposure(camera, seed=3, shape=(200, 200), scene='globular')
write_truth('truth.fits', [chip.truth for chip in exposure.chips])
[truth] = read_truth('truth.fits')
yy, xx = np.nonzero(truth.planes['ghost'])
print('ghost' in set(label_positions(truth, np.column_stack([xx, yy]))['label']))
print(NetworkConfig('isr2024', 'zscale-log-1', classes=('star', 'ghost')).classes[1])
print(CLASSES.plural('ghost'), ABSOLUTE_LIMITS['ghost'])
rows = {'x_centroid': [5.0], 'y_centroid': [5.0], 'class_name': ['ghost'], 'id': [1]}
write_regions(Table(rows), 'a.reg', CLASSES)
print(CLASSES.document() in open('docs/tasks/source.md', encoding='utf-8').read())
""")
    assert said.split() == ['True', 'ghost', 'ghosts', '0.05', 'True']
    assert 'color=#00e5c8 tag={ghost}' in (copy.folder / 'a.reg').read_text()


def test_a_model(copy: Copy) -> None:
    """It is trained, exported, and classifies."""
    pytest.importorskip('torch')
    pytest.importorskip('galsim')
    copy.add('A model')
    copy.train('source', 'train', '--config', 'source-wide', '-o', 'run')
    copy.train('source', 'export', 'run', '-o', 'weights')
    model = 'weights/source-wide-1.0.onnx'
    demo = copy.folder / 'src' / 'astrosieve' / 'data' / 'demo_flc.fits.gz'
    said = copy.astrosieve('classify', demo, '--model', model, '-o', 'out.ecsv')
    assert 'detections' in said
    assert 'p_spike' in Table.read(copy.folder / 'out.ecsv').colnames


def test_a_finder(copy: Copy) -> None:
    """A module of anybody's finds what is classified."""
    copy.add('A finder')
    section = PAGE.split('\n## A finder\n')[1].split('\n## ')[0]
    table = section.split('```toml\n')[1].split('```')[0]
    copy.install('brightest', tomllib.loads(table)['project']['entry-points'])
    demo = copy.folder / 'src' / 'astrosieve' / 'data' / 'demo_flc.fits.gz'
    args = 'classify', demo, '--finder', 'brightest', '--no-saturated'
    copy.astrosieve(*args, '-o', 'out.ecsv')
    assert len(Table.read(copy.folder / 'out.ecsv')) == 1


def test_a_host(copy: Copy) -> None:
    """Its command is one of the program's."""
    copy.add('A host')
    project = tomllib.loads((copy.folder / 'pyproject.toml').read_text('utf-8'))
    copy.install('astrosieve', project['project']['entry-points'])
    assert 'count' in copy.astrosieve('--help')
    demo = copy.folder / 'src' / 'astrosieve' / 'data' / 'demo_flc.fits.gz'
    counted = dict(
        line.split()[1:] for line in copy.astrosieve('count', demo).splitlines()
    )
    assert int(counted['star']) > 10
