"""`trimod up`: Kafka, Redis and workers on this machine, as child processes, until Ctrl-C."""

import shlex
import shutil
import sys
import time
from pathlib import Path

import click

from stream.cli.options import with_settings
from stream.config.base import ROOT
from stream.config.loading import with_flags
from stream.config.settings import Settings
from stream.images.local_files import check_root
from stream.local.readiness import Readiness
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
        readiness = Readiness(supervisor.workers, settings.local, settings.worker)
        while True:
            supervisor.watch()
            for line in readiness.news():
                click.echo(line)
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
    command, options = trimod_command(), _settings_options(stack.settings)
    posts = shlex.quote(str(ROOT / "deploy" / "samples" / "posts.jsonl"))
    lines += [
        "",
        "In other terminals: show entity events as they arrive; send posts (here, the samples); show the top entities.",
        *(f"  {command} {each}{options}" for each in ("tail", f"ingest {posts}", "top")),
        "Ctrl-C here stops everything.",
    ]
    return "\n".join(lines)


def trimod_command() -> str:
    """How this `trimod` is called from any terminal: by its name if that finds it, otherwise by its path."""
    program = Path(sys.argv[0])
    if program.name != "trimod":
        return f"{shlex.quote(sys.executable)} -m stream"
    found = shutil.which("trimod")
    same = found is not None and Path(found).resolve() == program.resolve()
    return "trimod" if same and not _in_active_environment(program) else shlex.quote(str(program.absolute()))


def _in_active_environment(program: Path) -> bool:
    """Whether it is found only because its virtual environment is active here, as it may not be in other terminals."""
    return sys.prefix != sys.base_prefix and Path(sys.prefix).resolve() in program.resolve().parents


def _settings_options(settings: Settings) -> str:
    """`--set` options for all that differs from the defaults in where Kafka, Redis and the topics are."""
    defaults, found = Settings(), ""
    for name in ("kafka", "redis"):
        section, default = getattr(settings, name), getattr(defaults, name)
        for key in type(section).model_fields:
            value = getattr(section, key)
            if value != getattr(default, key):
                found += f" --set {shlex.quote(f'{name}.{key}={value}')}"
    return found
