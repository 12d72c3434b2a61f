"""`trimod checkpoint`: what is in a checkpoint, and whether it is whole."""

import json
from pathlib import Path

import click

from models import DEFAULT_CHECKPOINT


@click.group(epilog="Example: trimod checkpoint info deploy/checkpoints/trimod")
def checkpoint() -> None:
    """Look at a checkpoint: `info` says what it is, `verify` whether it can be trusted."""


@checkpoint.command(epilog="Example: trimod checkpoint info deploy/checkpoints/trimod")
@click.argument("directory", type=click.Path(path_type=Path), default=DEFAULT_CHECKPOINT)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def info(directory: Path, as_json: bool) -> None:
    """Model, version, labels, size and measured scores of the checkpoint in DIRECTORY."""
    from models.checkpoint import WEIGHTS, load_checkpoint

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
    """Check every file of DIRECTORY against its manifest, then load the model; say what is wrong, or `ok`."""
    from models.tagger import Tagger

    click.echo(f"ok: {Tagger.load(directory, device='cpu').version}")
