"""Why a detection has its class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import QTable
from click.testing import CliRunner

from astrosieve import classify_sources, explain_source, load_model
from astrosieve.cli import main
from astrosieve.exceptions import AstrosieveWarning, CatalogError
from astrosieve.images.pixels import spoilt_pixels
from astrosieve.models.registry import Model
from astrosieve.source.classify import image_for
from astrosieve.source.explain import explain_image
from astrosieve.source.flags import CLASS_FLAGS
from astrosieve.source.plotting import explanation_figure
from astrosieve.source.preprocessing import get_preprocessing


def test_the_explanation_is_of_the_same_classification(
    tiny_model: Path, star_field
) -> None:
    """Class and probabilities are those of the table."""
    table = classify_sources(
        star_field.data, star_field.stars, unit='electron', model=str(tiny_model)
    )
    for row in table[:3]:
        position = (row['x_centroid'], row['y_centroid'])
        explanation = explain_source(
            star_field.data, position, unit='electron', model=str(tiny_model)
        )
        assert explanation.class_name == row['class_name']
        for name, value in explanation.probabilities.items():
            assert value == pytest.approx(row[f'p_{name}'])
        assert explanation.position == pytest.approx(position)


def test_the_network_is_asked_about_one_width(
    scales_model: Path, star_field, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is hidden and what is not are seen with the width of the classification."""
    model = load_model(scales_model)
    predict = type(model).predict
    image = image_for(model, star_field.data, unit='electron')
    assert image.fwhm  # the network is asked which stars tell it, under several
    widths: list[float] = []

    def noted(self: Model, inputs: dict[str, np.ndarray], **options: Any) -> np.ndarray:
        widths.extend(inputs['fwhm'].ravel())
        return predict(self, inputs, **options)

    monkeypatch.setattr(type(model), 'predict', noted)
    position = tuple(star_field.stars[3])
    explain_image(image, position, model=model)
    assert len(widths) > 100
    assert set(widths) == {np.float32(image.fwhm)}


@pytest.mark.parametrize(
    ('model', 'name'), [('source-isr2024', 'cosmic_ray'), ('source', 'bad_pixel')]
)
def test_the_pixel_of_a_hit_speaks_for_it(star_field, model: str, name: str) -> None:
    """Hiding its one sharp pixel costs the class its odds; hiding sky does not."""
    x, y = star_field.hits[-1]
    explanation = explain_source(star_field.data, (x, y), unit='electron', model=model)
    assert explanation.class_name == name
    saliency = explanation.saliency
    assert saliency.shape == explanation.cutout.shape == (11, 11)
    assert np.unravel_index(saliency.argmax(), saliency.shape) in [
        (i, j) for i in (4, 5, 6) for j in (4, 5, 6)
    ]
    assert saliency.max() > 2
    rim = np.concatenate([saliency[0], saliency[-1], saliency[:, 0], saliency[:, -1]])
    assert np.abs(rim).max() < 0.3 * saliency.max()


def test_networks_of_several_inputs(scales_model: Path, star_field) -> None:
    """The cutout's pixels are hidden, the other inputs stay; the verdict is one."""
    model = load_model(scales_model)
    for position, name in (
        (star_field.stars[3], 'star'),
        (star_field.hits[-1], 'cosmic_ray'),
    ):
        (row,) = classify_sources(
            star_field.data, [position], unit='electron', model=model
        )
        explanation = explain_source(
            star_field.data, tuple(position), unit='electron', model=model
        )
        assert explanation.class_name == row['class_name'] == name
        assert list(explanation.probabilities) == list(model.card.classes)
        for key, value in explanation.probabilities.items():
            assert value == pytest.approx(row[f'p_{key}'], abs=1e-5)
        saliency = explanation.saliency
        assert saliency.shape == explanation.cutout.shape == (11, 11)
        assert saliency[4:7, 4:7].max() == saliency.max() > 5
        # This network looks at the centre and its four neighbours alone.
        assert np.abs(saliency[[0, 1, 2, 8, 9, 10]]).max() < 1e-3
        assert [view.scale for view in explanation.views] == [1, 3, 9]
        assert {view.cutout.shape for view in explanation.views} == {(11, 11)}
        assert explanation.views[0].saliency is saliency


def test_width_of_the_explanation_is_that_of_the_verdict(
    scales_model: Path, star_field
) -> None:
    """The estimated one, or the given one: a star looks sharp to a wide PSF."""
    with pytest.warns(AstrosieveWarning, match='3.90 pixels was given') as caught:
        estimated, given, wide = (
            explain_source(
                star_field.data, tuple(star_field.stars[3]), unit='electron',
                model=str(scales_model), **options,
            ).saliency
            for options in ({}, {'fwhm': 2.4}, {'fwhm': 3.9})
        )  # fmt: skip
    assert len(caught) == 1
    assert estimated == pytest.approx(given, abs=0.1)
    assert np.abs(wide - given).max() > 1


def test_wider_views_have_a_say(scales_model: Path, star_field) -> None:
    """What makes a source extended is the light about it, at the scale of 3x3."""
    y, x = np.indices(star_field.data.shape)
    galaxy = 400 * np.exp(-((x - 100) ** 2 + (y - 40) ** 2) / (2 * 6**2))
    explanation = explain_source(
        star_field.data + galaxy, (100, 40), unit='electron', model=str(scales_model)
    )
    assert explanation.class_name == 'extended'
    wide = explanation.views[1].saliency
    assert wide.max() > 2
    assert np.abs(wide[[0, 1, 9, 10]]).max() < 1e-3
    assert np.abs(wide[3:8, 3:8]).max() == np.abs(wide).max()


def test_figure_of_several_views(scales_model: Path, star_field) -> None:
    """A row for each scale, which its title names, on the exposure's pixels."""
    position = tuple(star_field.stars[3])
    explanation = explain_source(
        star_field.data, position, unit='electron', model=str(scales_model)
    )
    axes = explanation_figure(explanation).axes
    titles = [each.get_title() for each in axes]
    assert titles.count('what speaks for star') == 3
    for side in (3, 9):
        title = f'in blocks of {side}x{side} pixels'
        left, right = axes[titles.index(title)].get_xlim()
        assert right - left == 11 * side
        assert left < position[0] - 4 * side
        assert right > position[0] + 4 * side


def test_what_is_hidden_is_sky(star_field) -> None:
    """The fill of the preprocessing is what the cutouts hold where pixels are lost."""
    mask = np.zeros(star_field.data.shape, dtype=bool)
    mask[40, 43] = True
    preprocessing = get_preprocessing(load_model('source').card.preprocessing)
    fitted = preprocessing.fit(
        star_field.data, spoilt=spoilt_pixels(star_field.data, mask=mask)
    )
    cutout = fitted(np.array([[40.0, 40.0]])).inputs['cutouts'][0, 0]
    assert cutout[5, 8] == pytest.approx(fitted.fill['cutouts'])


def test_what_has_no_class_cannot_be_explained(tiny_model: Path, star_field) -> None:
    """An unscored detection is refused with its reasons."""
    with pytest.raises(CatalogError, match='no class to explain: outside'):
        explain_source(
            star_field.data, (-50, 3), unit='electron', model=str(tiny_model)
        )


def test_the_figure_names_class_and_flags(tiny_model: Path, star_field) -> None:
    """Three panels: cutout, saliency, probabilities."""
    dq = np.zeros(star_field.data.shape, dtype=np.int16)
    x, y = star_field.stars[0]
    dq[round(y), round(x)] = 256
    explanation = explain_source(
        star_field.data, (x, y), dq=dq, unit='electron', model=str(tiny_model)
    )
    figure = explanation_figure(explanation, 'one star')
    titles = [axes.get_title() for axes in figure.axes]
    assert 'what speaks for star' in titles
    assert 'saturated' in titles
    assert figure.get_suptitle() == 'one star'


@pytest.mark.parametrize('model', ['tiny_model', 'scales_model'])
def test_titles_of_the_figure_do_not_collide(
    model: str, star_field, request: pytest.FixtureRequest
) -> None:
    """However many flags there are, and however long the name."""
    explanation = explain_source(
        star_field.data,
        tuple(star_field.stars[3]),
        unit='electron',
        model=str(request.getfixturevalue(model)),
    )
    flags = tuple(flag.name for flag in CLASS_FLAGS)
    figure = explanation_figure(replace(explanation, flags=flags), 'name_flc.fits ' * 5)
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    texts = [axes.title for axes in figure.axes if axes.get_title()]
    texts.append(figure._suptitle)
    boxes = [text.get_window_extent(renderer) for text in texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
        assert not any(
            box.overlaps(axes.get_window_extent(renderer).padded(-1))
            for axes in figure.axes
        )


@pytest.mark.parametrize('model', ['tiny_model', 'scales_model'])
def test_command(
    model: str,
    flc: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """--explain writes a picture per row, also of the second chip, or says why not."""
    monkeypatch.chdir(tmp_path)
    path = str(request.getfixturevalue(model))

    def run(*words: str):
        command = ['classify', str(flc), '--model', path, '--fwhm', '2.4']
        return CliRunner().invoke(main, [*command, '--overwrite', *words])

    assert run().exit_code == 0
    table = QTable.read('j1_flc_sources.ecsv')
    scored = table[table['class_name'] != 'unscored']
    chosen = [int(scored[scored['extver'] == n]['id'][0]) for n in (1, 2)]
    result = run(*(w for n in chosen for w in ('--explain', str(n))))
    assert result.exit_code == 0, result.output
    for number in chosen:
        content = Path(f'j1_flc_explain_{number}.png').read_bytes()
        assert content.startswith(b'\x89PNG')
    missing = run('--explain', '987654')
    assert missing.exit_code == 1
    assert 'no row has this id' in missing.stderr
