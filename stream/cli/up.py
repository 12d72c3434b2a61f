"""`trimod up`: Kafka, Redis and workers on this machine, as child processes, until Ctrl-C."""

import time
from pathlib import Path

import click

from stream.cli.options import with_settings
from stream.config.kafka import Kafka
from stream.config.loading import with_flags
from stream.config.redis import Redis
from stream.config.settings import Settings
from stream.images.local_files import check_root
from stream.local.signals import interruptible
from stream.local.stack import LocalStack
from stream.local.supervisor import Supervisor, worker_children


@click.command(epilog="Example: trimod up --images-root pictures --set local.workers=4")
@click.option(
    "--images-root",
    type=click.Path(path_type=Path),
    help="Directory that image paths are relative to (worker.images_root).",
)
@with_settings
def up(settings: Settings, images_root: Path | None) -> None:
    """Run Kafka, Redis and workers until Ctrl-C, which stops all of them. The data are kept.

    Ports, directory, heap and number of workers are settings (local.*). A worker that exits is restarted.
    """
    settings = with_flags(settings, "worker", {"images_root": images_root})
    check_root(settings.worker.images_root)
    with interruptible():
        try:
            _run(settings)
        except KeyboardInterrupt:
            click.echo(f"stopped; the data are kept in {settings.local.directory / 'data'}")


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
        "  trimod tail                 show entity events as they arrive",
        "  trimod ingest FILE          send posts (JSON lines)",
        "  trimod top                  show the most mentioned entities",
        "Ctrl-C here stops everything.",
    ]
    return "\n".join(lines)
