"""A page for each shipped model, made of its card when the manual is built."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

import astrosieve
from astrosieve.models.cards import ModelCard
from astrosieve.models.registry import load_model

MANIFEST = Path(astrosieve.__file__).parent / 'weights' / 'manifest.json'
_BROKEN = re.compile(r'\| (.+) \| (.+) \| (.+) \| (.+) \| \*\*no\*\* \|')
_TASKS = {'verdict': 'contaminant'}
"""The task on whose page a model stands, where it is not its own."""


def shipped() -> list[str]:
    """Return the names of the models that the package carries, without aliases."""
    manifest = json.loads(MANIFEST.read_text(encoding='utf-8'))
    return sorted(manifest['models'])


def page_of(name: str, card: ModelCard) -> str:
    """Return the page of a model: first what it cannot do, then the rest."""
    return '\n'.join(_lines(name, card)) + '\n'


def _lines(model: str, card: ModelCard) -> Iterator[str]:
    task = _TASKS.get(card.task, card.task)
    tables = [str(line) for line in card.metrics.get('tables', ())]
    yield f'# {card.name} {card.version}\n'
    yield f'{card.description} Of the task [{task}](../tasks/{task}.md).\n'
    yield ':::{admonition} Where it fails\n:class: warning\n'
    yield from (f'- {limit}' for limit in card.limits)
    broken = [match.groups() for line in tables if (match := _BROKEN.fullmatch(line))]
    if broken:
        yield '\n**Aims that it misses**\n'
        yield '| sample | what | measured | aim |\n| --- | --- | --- | --- |'
        yield from (f'| {" | ".join(row)} |' for row in broken)
    yield ':::\n\n## The model\n\n| what | of this model |\n| --- | --- |'
    ranges = (f'{trait} {a:g} to {b:g}' for trait, (a, b) in card.domain.items())
    facts = {
        'classes': ', '.join(f'`{name}`' for name in card.classes),
        'preprocessing': f'`{card.preprocessing}`',
        'domain': ', '.join(ranges),
        'training data': card.training_data,
        'split': card.split,
        'seed': str(card.seed),
        'software': ', '.join(' '.join(each) for each in card.software.items()),
        'references': '; '.join(card.references),
        'licence': card.licence,
        'SHA-256': f'`{card.sha256}`',
    }
    yield from (f'| {name} | {text} |' for name, text in facts.items() if text)
    yield '\n| input | shape | meaning |\n| --- | --- | --- |'
    for name, each in card.inputs.items():
        shape = ' x '.join(map(str, each['shape']))
        yield f'| `{name}` | {shape} | {each["meaning"]} |'
    if card.operating_points:
        yield '\n## Operating points\n\n| name | what was measured | on |'
        yield '| --- | --- | --- |'
    for name, point in card.operating_points.items():
        yield f'| `{name}` | {point} | {point.sample or "-"} |'
    if tables:
        yield '\n## How it was judged\n'
        yield from tables
    yield f'\nAll of it as text: `astrosieve models {model} --all`.'


def write_pages(app: Sphinx) -> None:
    """Write the pages of all models into the folder ``cards`` beside the manual's."""
    folder = Path(app.srcdir) / 'cards'
    folder.mkdir(exist_ok=True)
    pages = {
        folder / f'{name}.md': page_of(name, load_model(name).card)
        for name in shipped()
    }
    for path in {*folder.glob('*.md')} - pages.keys():
        path.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding='utf-8') != text:
            path.write_text(text, encoding='utf-8')


def setup(app: Sphinx) -> dict[str, bool]:
    """Have the pages written before anything is read."""
    app.connect('config-inited', lambda app, config: write_pages(app))
    return {'parallel_read_safe': True}
