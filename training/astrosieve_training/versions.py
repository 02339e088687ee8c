"""
Hashes by which cached work is recognised.

They are for caches, which are made again when they change. What users keep (datasets,
cards, labels) is recognised by versioned names, never by a hash of code.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ['code_version', 'digest', 'module_of']

_PACKAGES = ('astrosieve', 'astrosieve_plugins', 'astrosieve_training')


def digest(*parts: Any) -> str:
    """
    Return a short hash of settings, by which cached work is recognised.

    Parameters
    ----------
    *parts : object
        Dataclasses, and what JSON can hold.

    Returns
    -------
    digest : str
        12 hexadecimal digits.
    """

    def plain(value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, type):
            return dataclasses.asdict(value)
        return str(value)

    text = json.dumps(parts, default=plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@cache
def code_version(*modules: ModuleType) -> str:
    """
    Return a hash of modules and of all that they import.

    What is found by name only (a finder, a network, a preprocessing) is not seen in
    the imports: its module is to be given too.

    Parameters
    ----------
    *modules : module
        Where the reading of imports begins.

    Returns
    -------
    version : str
        12 hexadecimal digits, of the syntax trees of the modules of the three packages
        that are reached, without docstrings, and of the versions of what other
        distributions are imported on the way. Comments, layout, and imports for type
        checkers do not count. It holds as long as the process.
    """
    code, others = _reached(modules)
    return digest(code, {name: _installed(name) for name in others})


def module_of(thing: Any) -> ModuleType:
    """Return the module of a function or a class, or of an object of a class."""
    return sys.modules[thing.__module__]


def _reached(modules: tuple[ModuleType, ...]) -> tuple[dict[str, str], set[str]]:
    """Return the code of our own modules by name, and the names of other packages."""
    code: dict[str, str] = {}
    others: set[str] = set()
    waiting = [module.__name__ for module in modules]
    while waiting:
        name = waiting.pop()
        root = name.partition('.')[0]
        if root not in _PACKAGES:
            others.add(root)
        elif name not in code:
            tree = _tree(name)
            code[name] = ast.dump(tree)
            waiting += [_home(*each) for each in _imports(tree, name)]
    return code, others - sys.stdlib_module_names


def _file(name: str) -> Path | None:
    """Return the file of one of our own modules, without importing it."""
    root, *inner = name.split('.')
    spec = find_spec(root)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0], *inner)
    files = (path.with_suffix('.py'), path / '__init__.py')
    return next((each for each in files if each.is_file()), None)


def _tree(name: str) -> ast.Module:
    """Return the syntax tree of a module, without docstrings."""
    path = _file(name)
    if path is None:
        msg = f'no source of {name}; what was made by it cannot be recognised'
        raise ImportError(msg)
    return _parsed(path, path.stat().st_mtime_ns)


@cache
def _parsed(path: Path, changed: int) -> ast.Module:
    tree = ast.parse(path.read_text(encoding='utf-8'))
    for node in (tree, *_statements(tree)):
        match node:
            case (
                ast.Module(body=[ast.Expr(ast.Constant(str())), *rest])
                | ast.ClassDef(body=[ast.Expr(ast.Constant(str())), *rest])
                | ast.FunctionDef(body=[ast.Expr(ast.Constant(str())), *rest])
            ):
                node.body = rest
    return tree


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements within a node, but those for type checkers alone."""
    for block in ('body', 'orelse', 'handlers', 'finalbody', 'cases'):
        for each in getattr(node, block, ()):
            match each:
                case ast.If(test=ast.Name('TYPE_CHECKING')):
                    continue
            yield each
            yield from _statements(each)


def _imports(tree: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    """Yield module and name of each import of a module, wherever it stands."""
    for node in _statements(tree):
        match node:
            case ast.Import():
                yield from ((each.name, '') for each in node.names)
            case ast.ImportFrom():
                module = _source(node, name)
                yield from ((module, each.name) for each in node.names)


def _source(node: ast.ImportFrom, name: str) -> str:
    """Return the module that an import in a module names."""
    package = name if _is_package(name) else name.rpartition('.')[0]
    return resolve_name('.' * node.level + (node.module or ''), package)


def _is_package(name: str) -> bool:
    path = _file(name)
    return path is not None and path.name == '__init__.py'


def _home(module: str, name: str) -> str:
    """Return the module that a name comes from, past packages that hand it on."""
    if not name or module.partition('.')[0] not in _PACKAGES:
        return module
    if _file(f'{module}.{name}') is not None:
        return f'{module}.{name}'
    for node in _tree(module).body if _is_package(module) else ():
        match node:
            case ast.ImportFrom():
                for each in node.names:
                    if name == (each.asname or each.name):
                        return _home(_source(node, module), each.name)
            case ast.Assign(value=ast.Call(ast.Name('lazy_names'), [_, homes])):
                for home, held in ast.literal_eval(homes).items():
                    if name in held:
                        return _home(resolve_name(home, module), name)
    return module


@cache
def _installed(package: str) -> list[str]:
    """Return the versions of the distributions that bring a package."""
    try:
        return [f'{package} {metadata.version(package)}']
    except metadata.PackageNotFoundError:  # of another name than its package
        names = sorted(set(_distributions().get(package, [])))
        return [f'{name} {metadata.version(name)}' for name in names]


@cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()
