"""`trimod up`: Kafka, Redis and workers on this machine, as child processes, until Ctrl-C."""

import time

import click

from stream.cli import with_settings
from stream.local import LocalStack
from stream.settings import Kafka, Redis, Settings
from stream.signals import interruptible
from stream.supervisor import Supervisor, worker_children


@click.command(epilog="Example: trimod up --set local.workers=4 --set local.kafka_port=19092")
@with_settings
def up(settings: Settings) -> None:
    """Run Kafka, Redis and workers here until Ctrl-C, which stops all of them; the data stay.

    Ports, folder, heap and number of workers are settings (local.*); a worker that ends is started again.
    """
    with interruptible():
        try:
            _run(settings)
        except KeyboardInterrupt:
            click.echo(f"stopped; the data stay in {settings.local.directory / 'data'}")


def _run(settings: Settings) -> None:
    stack = LocalStack(settings)
    supervisor = Supervisor(
        worker_children(stack.settings, settings.local.workers), click.echo, stack.servers
    )
    try:
        stack.start(click.echo)
        supervisor.start()
        click.echo(_status(stack, supervisor))
        while True:
            supervisor.watch()
            time.sleep(0.2)
    except KeyboardInterrupt:
        click.echo("stopping workers, Redis and Kafka")
        raise
    finally:
        supervisor.stop()
        stack.stop()


def _status(stack: LocalStack, supervisor: Supervisor) -> str:
    local, kafka = stack.settings.local, stack.settings.kafka
    lines = [
        f"Kafka     {kafka.bootstrap_servers}, log {stack.kafka.child.log}",
        f"Redis     {stack.redis.url}, log {stack.redis.child.log}",
    ]
    for number, worker in enumerate(supervisor.workers):
        metrics = f"http://127.0.0.1:{local.metrics_port + number}/metrics, " if local.metrics_port else ""
        lines.append(f"{worker.name}  {metrics}log {worker.log}")
    lines += ["", "In other terminals:"]
    if kafka.bootstrap_servers != Kafka().bootstrap_servers:
        lines.append(f"  export TRIMOD_KAFKA__BOOTSTRAP_SERVERS={kafka.bootstrap_servers}")
    if stack.redis.url != Redis().url:
        lines.append(f"  export TRIMOD_REDIS__URL={stack.redis.url}")
    lines += [
        "  trimod tail                 entity events as they come",
        "  trimod ingest FILE          posts in, as JSON lines",
        "  trimod top                  the most mentioned entities",
        "Ctrl-C here stops everything.",
    ]
    return "\n".join(lines)
