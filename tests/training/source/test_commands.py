"""The command astrosieve-train."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from astrosieve_training import cli, steps

HEAVY = ('torch', 'galsim', 'sklearn', 'scipy', 'matplotlib', 'astroscrappy')


def test_help_needs_the_core_alone() -> None:
    """Help of each step imports nothing heavy."""
    code = (
        'import sys\n'
        'from click.testing import CliRunner\n'
        'from astrosieve_training.cli import main\n'
        'for args in ([], ["source"], ["source", "simulate"], ["source", "train"],\n'
        '             ["source", "evaluate"], ["source", "export"]):\n'
        '    result = CliRunner().invoke(main, [*args, "--help"])\n'
        '    assert result.exit_code == 0, result.output\n'
        f'print([name for name in {HEAVY} if name in sys.modules])\n'
    )
    found = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == '[]'


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch the message says what to install."""

    def fail(name: str) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name='torch')

    monkeypatch.setattr(steps, 'import_module', fail)
    result = CliRunner().invoke(cli.main, ['source', 'train'])
    assert result.exit_code == 1
    assert "needs torch; install it with: pip install 'astrosieve[train]'" in (
        result.output
    )


def test_steps_are_the_same_for_each_task() -> None:
    """The task source has the steps of the contract."""
    task = cli.main.get_command(click.Context(cli.main), 'source')
    assert set(task.commands) >= {'simulate', 'train', 'evaluate', 'export'}


def test_unknown_configuration_is_a_message() -> None:
    """No traceback; the known ones are named."""
    result = CliRunner().invoke(cli.main, ['source', 'train', '--config', 'nothing'])
    assert result.exit_code == 1
    assert 'Known: isr2024-published, source-finetuned' in result.output
    assert 'Traceback' not in result.output


def test_unknown_figure_is_a_message(tmp_path: Path) -> None:
    """The known ones are named."""
    pytest.importorskip('torch')
    pytest.importorskip('matplotlib')
    result = CliRunner().invoke(
        cli.main, ['source', 'evaluate', '--figure', 'curve', '-o', str(tmp_path)]
    )
    assert result.exit_code == 1
    assert 'known are curves' in result.output


def simulate(folder: Path, *args: str) -> str:
    pytest.importorskip('galsim')
    pytest.importorskip('tqdm')
    command = ['source', 'simulate', '--camera', 'demo', '--shape', '96', '96', '-o']
    result = CliRunner().invoke(cli.main, [*command, str(folder), *args])
    assert result.exception is None or result.exit_code == 1
    return result.output


def test_simulate_writes_exposures_with_truth(tmp_path: Path) -> None:
    """Files like the camera's, readable by the core; the same again is kept."""
    from astrosieve.images.exposures import read_chips

    output = simulate(tmp_path, '-n', '2', '--seed', '7')
    assert output.startswith('2 exposures written')
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        f'demo-field-{seed}{end}'
        for seed in (7, 8)
        for end in ('.json', '_flc.fits', '_truth.fits')
    }
    chip = next(iter(read_chips(tmp_path / 'demo-field-7_flc.fits')))
    assert chip.sci.shape == (96, 96)
    assert chip.dq is not None
    before = (tmp_path / 'demo-field-7_flc.fits').stat().st_mtime_ns
    assert simulate(tmp_path, '-n', '3', '--seed', '7').startswith(
        '1 exposures written'
    )
    assert (tmp_path / 'demo-field-7_flc.fits').stat().st_mtime_ns == before


def test_simulate_random_cameras(tmp_path: Path) -> None:
    """Each seed has a camera of its own, which is noted beside the exposure."""
    output = simulate(tmp_path, '--camera', 'random', '-n', '2', '--seed', '3')
    assert output.startswith('2 exposures written')
    cameras = [
        json.loads((tmp_path / f'random-field-{seed}.json').read_text())['camera']
        for seed in (3, 4)
    ]
    assert cameras[0]['name'] == cameras[1]['name'] == 'random'
    assert cameras[0]['gain'] != cameras[1]['gain']


def test_simulate_makes_again_what_is_not_whole(tmp_path: Path) -> None:
    """An exposure whose truth or record is missing is written again."""
    simulate(tmp_path)
    (tmp_path / 'demo-field-0_truth.fits').unlink()
    assert simulate(tmp_path).startswith('1 exposures written')
    (tmp_path / 'demo-field-0.json').unlink()
    assert simulate(tmp_path).startswith('1 exposures written')
    assert simulate(tmp_path).startswith('0 exposures written')


def test_simulate_does_not_overwrite_other_settings(tmp_path: Path) -> None:
    """Files of other settings are in the way, and named."""
    simulate(tmp_path)
    output = simulate(tmp_path, '--exptime', '50')
    assert 'made with other settings' in output
    record = json.loads((tmp_path / 'demo-field-0.json').read_text())
    assert record['plan']['exptime'] == 0


def test_simulate_bad_camera_scene_and_folder(tmp_path: Path) -> None:
    """Each message names cause and cure."""
    pytest.importorskip('galsim')
    runner = CliRunner()
    for args, text in (
        (['--camera', 'wfc3-uvis-f363w'], "did you mean 'wfc3-uvis-f336w'"),
        (['--camera', 'demo', '--scene', 'feild'], "did you mean 'field'"),
        (['--scene', 'field'], 'go with --camera'),
        (['--camera', 'demo', '--shape', '8', '8'], 'shape must be'),
    ):
        result = runner.invoke(
            cli.main, ['source', 'simulate', *args, '-o', str(tmp_path)]
        )
        assert result.exit_code == 1
        assert text in result.output
    (tmp_path / 'file').write_text('x')
    result = runner.invoke(
        cli.main,
        ['source', 'simulate', '--camera', 'demo', '-o', str(tmp_path / 'file' / 'a')],
    )
    assert result.exit_code == 1
    assert 'cannot be made' in result.output
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_simulate_full_disk_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No space left: a message, and nothing half-written."""
    pytest.importorskip('galsim')
    from astropy.io import fits

    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(fits.HDUList, 'writeto', full)
    output = simulate(tmp_path)
    assert 'No space left on device' in output
    assert not list(tmp_path.iterdir())
