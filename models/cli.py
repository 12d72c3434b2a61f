"""`trimod checkpoint`: shows, verifies and promotes checkpoints."""

import json
from pathlib import Path

import click

from models import DEFAULT_CHECKPOINT, DEFAULT_POINTER


@click.group(epilog="Example: trimod checkpoint info deploy/checkpoints/trimod")
def checkpoint() -> None:
    """Show (`info`), check (`verify`) or deploy (`promote`) a checkpoint."""


@checkpoint.command(epilog="Example: trimod checkpoint info deploy/checkpoints/trimod")
@click.argument("directory", type=click.Path(path_type=Path), default=DEFAULT_CHECKPOINT)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def info(directory: Path, as_json: bool) -> None:
    """Show model, version, labels, size and measured scores of the checkpoint in DIRECTORY."""
    from models.checkpoints.format import WEIGHTS, load_checkpoint
    from models.checkpoints.pointer import resolve

    directory = resolve(directory)
    stored = load_checkpoint(directory)
    config, valid = stored.config, stored.metrics.get("valid", {})
    hyper = config[config["model"]]
    facts = {
        "model": config["model"],
        "version": f"{config['version']}+{stored.id}",
        "text encoder": hyper.get("text_encoder") or "word table",
        "labels": ", ".join(hyper["labels"]),
        "stored parameters": sum(tensor.numel() for tensor in stored.tensors.values()),
        "golden posts": len(stored.golden),
        "megabytes": round((directory / WEIGHTS).stat().st_size / 1e6, 1),
        **{f"F1 on {name}": round(scores["overall"]["f1"], 2) for name, scores in valid.items()},
    }
    if as_json:
        click.echo(json.dumps(facts))
    else:
        click.echo("\n".join(f"{name:>32}  {value}" for name, value in facts.items()))


@checkpoint.command(epilog="Example: trimod checkpoint verify deploy/checkpoints/trimod")
@click.argument("directory", type=click.Path(path_type=Path), default=DEFAULT_CHECKPOINT)
def verify(directory: Path) -> None:
    """Check every file of DIRECTORY against its manifest, then load the model. Print `ok`, or the error."""
    from models.inference.tagger import Tagger

    click.echo(f"ok: {Tagger.load(directory, device='cpu').version}")


@checkpoint.command(
    epilog="""
\b
Example, for workers that run with --set worker.checkpoint=/srv/models/current
  trimod checkpoint promote /srv/models/trimod-7 --pointer /srv/models/current
"""
)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--pointer", type=click.Path(path_type=Path), default=DEFAULT_POINTER, envvar="TRIMOD_WORKER__CHECKPOINT",
    show_default=True, show_envvar=True, help="The file that worker.checkpoint points to.",
)  # fmt: skip
def promote(directory: Path, pointer: Path) -> None:
    """Deploy the checkpoint in DIRECTORY while workers run.

    First it is verified, loaded and tested on its golden posts here. Workers load and test it too before they switch.
    If that fails, they keep the old one. The labels must match the checkpoint in use.
    """
    from models.checkpoints.pointer import resolve
    from models.checkpoints.promotion import check_labels, point
    from models.core.errors import CheckpointError
    from models.inference.tagger import Tagger

    tagger = Tagger.load(directory, device="cpu")
    try:
        before = resolve(pointer)
    except CheckpointError:  # a missing or broken pointer is what this command creates or fixes
        before = None
    if before is not None:
        check_labels(tagger.labels, before)
    point(pointer, resolve(directory))
    click.echo(f"{tagger.version} promoted: workers with worker.checkpoint={pointer} switch to it now")
