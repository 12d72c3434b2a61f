"""`trimod worker`: tag posts as they arrive, until SIGTERM or Ctrl-C."""

from pathlib import Path
from typing import Any

import click

from stream.cli.options import with_settings
from stream.config.loading import with_flags
from stream.config.settings import Settings
from stream.images.local_files import check_root


@click.command(
    epilog="""
\b
Example: a worker on the second GPU, with metrics on a fixed port
  trimod worker --device cuda:1 --set worker.metrics_port=6066
"""
)
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), help="Directory of the checkpoint (worker.checkpoint)."
)
@click.option("--device", help="auto, cpu, cuda or cuda:N (worker.device).")
@click.option(
    "--images-root",
    type=click.Path(path_type=Path),
    help="Directory that image paths are relative to (worker.images_root).",
)
@with_settings
def worker(settings: Settings, **flags: Any) -> None:
    """Read posts, tag their entities, publish and count them.

    Start one worker per device: workers share the partitions of the posts topic. Missing topics are
    created. SIGTERM or Ctrl-C finishes the posts in progress, commits, and leaves the group.
    """
    settings = with_flags(settings, "worker", flags)
    check_root(settings.worker.images_root)

    from models.inference.tagger import Tagger
    from stream.worker.main import run_worker

    run_worker(
        settings,
        lambda: Tagger.load(
            settings.worker.checkpoint,
            settings.worker.device,
            settings.worker.threads,
            settings.worker.image_cache,
            engine=settings.worker.engine,
            handles=settings.worker.handles,
        ),
    )
