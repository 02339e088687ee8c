"""Alert packets from Kafka, by confluent-kafka."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from astrosieve.exceptions import AstrosieveError
from astrosieve.transient.candidates import Candidate
from astrosieve.transient.readers.packets import packets_of
from astrosieve.transient.stream import Sink

__all__ = ['KafkaError', 'consume', 'read_config']

_AT_ONCE = 512
_SECONDS = 1.0


class KafkaError(AstrosieveError):
    """Brokers that cannot be reached, or do not give what was asked."""


def _kafka() -> Any:
    try:
        import confluent_kafka
    except ImportError as error:
        msg = "Kafka needs confluent-kafka: pip install 'astrosieve[kafka]'"
        raise KafkaError(msg) from error
    return confluent_kafka


def read_config(path: Path) -> dict[str, Any]:
    """
    Read settings of librdkafka: a TOML file with keys as 'sasl.username'.

    Raises
    ------
    KafkaError
        If it is none.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        msg = f'{path}: not a TOML file ({error})'
        raise KafkaError(msg) from error
    return _flat(settings)


def _flat(settings: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """Return nested tables as keys with dots, which TOML makes of bare ones."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f'{prefix}{key}.')
        else:
            flat[prefix + key] = value
    return flat


@contextmanager
def _consumer(
    brokers: str,
    topics: list[str],
    group: str,
    config: dict[str, Any],
    wrong: Callable[[Any], None],
) -> Iterator[Any]:
    settings = {
        'group.id': group,
        'auto.offset.reset': 'earliest',
        **config,
        'bootstrap.servers': brokers,
        'enable.auto.commit': False,
        'enable.partition.eof': True,
        'error_cb': wrong,
    }
    kafka = _kafka()
    try:
        consumer = kafka.Consumer(settings, logger=None)
    except kafka.KafkaException as error:
        msg = f'the settings of Kafka are not valid ({_said(error)})'
        raise KafkaError(msg) from error
    try:
        consumer.subscribe(topics)
        yield consumer
    finally:
        consumer.close()


def _said(error: Any) -> str:
    first = error.args[0] if error.args else error
    return str(first.str() if hasattr(first, 'str') else first)


def consume(
    brokers: str,
    topics: list[str],
    sink: Sink,
    *,
    trouble: Callable[[str], None],
    group: str = 'astrosieve',
    config: dict[str, Any] | None = None,
    schema: Any = None,
    once: bool = False,
) -> None:
    """
    Score the packets of topics, until the process ends.

    What was scored is kept before it is committed to the brokers, so that after a
    restart nothing is left out, and what is delivered twice is scored once.

    Parameters
    ----------
    brokers : str
        HOST:PORT, several with commas.
    topics : list of str
        Topics; one that begins with ^ is a regular expression.
    sink : `~astrosieve.transient.stream.Sink`
        What takes the candidates.
    trouble : callable
        Called with what the brokers say is wrong; it goes on all the same.
    group : str, optional
        Consumer group, which remembers how far it has come.
    config : dict, optional
        Settings of librdkafka.
    schema : object, optional
        Avro schema of packets that do not carry theirs.
    once : bool, optional
        Whether to end when all that is there was scored.

    Raises
    ------
    KafkaError
        If confluent-kafka is missing, its settings are not valid, or the brokers refuse
        for good; with ``once`` also if they cannot be reached.
    """
    kafka = _kafka()
    said: set[str] = set()
    ended: set[tuple[str, int]] = set()
    problems: list[Any] = []
    with _consumer(brokers, topics, group, config or {}, problems.append) as consumer:
        while True:
            held: list[tuple[Candidate, str]] = []
            messages = consumer.consume(_AT_ONCE, _SECONDS)
            for message in messages:
                place = (message.topic(), message.partition())
                if message.error() is None:
                    ended.discard(place)
                    name = f'{place[0]}-{place[1]}-{message.offset()}'
                    content = message.value() or b''
                    found = packets_of(content, name, schema=schema)
                    held += ((each, name) for each in found)
                elif message.error().code() == kafka.KafkaError._PARTITION_EOF:
                    ended.add(place)
                else:
                    problems.append(message.error())
            sink.take(held)
            for wrong in problems:
                if once or wrong.fatal():
                    raise KafkaError(wrong.str())
                if wrong.str() not in said:
                    said.add(wrong.str())
                    trouble(wrong.str())
            problems.clear()
            try:
                if held:
                    consumer.commit(asynchronous=False)
            except kafka.KafkaException as error:  # delivered again, and scored once
                trouble(f'not committed ({_said(error)})')
            here = {(each.topic, each.partition) for each in consumer.assignment()}
            if once and not messages and here and here <= ended:
                return
