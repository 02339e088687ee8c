"""Options that several commands share."""

from __future__ import annotations

import click

from astrosieve.images.units import parse_unit


def parse_prior(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, float]:
    prior = {}
    for value in values:
        name, equals, share = value.partition('=')
        try:
            prior[name.strip()] = float(share)
        except ValueError:
            equals = ''
        if not equals:
            msg = f'{value!r} must be CLASS=SHARE, for instance cosmic_ray=0.8'
            raise click.BadParameter(msg)
    return prior


def parse_columns(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[str, str] | None:
    if value is None:
        return None
    names = tuple(name.strip() for name in value.split(','))
    if len(names) != 2 or not all(names):
        msg = f'{value!r} must be X,Y: two names or numbers'
        raise click.BadParameter(msg)
    return names[0], names[1]


def parse_unit_option(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | None:
    try:
        parse_unit(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return value
