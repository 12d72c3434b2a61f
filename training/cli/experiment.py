"""`trimod experiment`: runs one experiment of training/experiments/registry.py and writes its table and figure to a
results folder."""

from pathlib import Path

import click
from click.core import ParameterSource

READ = {
    "on checkpoints": ("checkpoints", "sets", "visual", "images", "device"),
    "on parts": ("checkpoints",),
    "silver": ("checkpoints", "runs", "seeds", "epochs", "vectors", "device"),
    "with training": ("visual", "runs", "seeds", "epochs", "encoder", "vectors", "device"),
}
"""The options that each kind of experiment reads besides --data and --out. Others are rejected, not ignored."""


@click.command(
    epilog="Example: trimod experiment shuffled-images deploy/checkpoints/trimod --data ../shared/data; "
    "with training: trimod experiment cwi-table-9 --data ../shared/data --epochs 3"
)
@click.argument("name", required=False)
@click.argument("checkpoints", nargs=-1, type=click.Path(path_type=Path))
@click.option("--list", "show", is_flag=True, help="List the experiments and exit.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder with one subfolder per data set.")
@click.option(
    "--set", "sets", multiple=True, default=("twitter2015", "twitter2017"), show_default=True,
    help="On checkpoints: the data sets to measure on.",
)  # fmt: skip
@click.option(
    "--visual",
    default="captions:blip2",
    show_default=True,
    help="Image input: none, captions:NAME or pixels.",
)
@click.option(
    "--images", type=click.Path(path_type=Path), help="Folder of unrelated pictures (for shuffled-images)."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the results  [default: training/results/NAME]",
)
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs/experiments"), show_default=True,
    help="With training: folder for the runs; finished runs in it are reused.",
)  # fmt: skip
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="With training: number of random seeds.",
)
@click.option(
    "--epochs", type=click.IntRange(1), help="With training: epochs, instead of the presets' values."
)
@click.option(
    "--encoder", default="", metavar="NAME", help="With training: text encoder for the models that use one."
)
@click.option(
    "--vectors",
    type=click.Path(path_type=Path),
    multiple=True,
    help="With training: file of word vectors for the models with word tables; repeatable.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def experiment(
    name: str | None,
    checkpoints: tuple[Path, ...],
    show: bool,
    data: Path | None,
    sets: tuple[str, ...],
    visual: str,
    images: Path | None,
    out: Path | None,
    runs: Path,
    seeds: int,
    epochs: int | None,
    encoder: str,
    vectors: tuple[Path, ...],
    device: str,
) -> None:
    """Run experiment NAME on CHECKPOINTS, or train its models. Print its table; store the table and figure."""
    from models import DEFAULT_CHECKPOINT
    from models.core.places import in_repository
    from training.experiments import registry as experiments
    from training.experiments.with_training import Setting

    known = experiments.listed()
    if show:
        for each, about in known.items():
            click.echo(f"{each:20} {experiments.kind_of(each):15} {about}")
        return
    if name not in known:
        problem = f"{name}: unknown experiment" if name else "NAME is missing"
        raise click.UsageError(f"{problem}; list them with `trimod experiment --list`")
    if data is None:
        raise click.UsageError("--data is missing: give the folder with the data sets")
    out = out or in_repository("training/results", "an experiment without --out") / name
    kind = experiments.kind_of(name)
    _refuse_unread(name, kind)
    if kind == "on checkpoints":
        folders = [data / each for each in sets]
        table = experiments.on_checkpoints(
            name,
            checkpoints or (DEFAULT_CHECKPOINT,),
            folders,
            visual,
            images,
            seed=1,
            device=device,
            out=out,
        )
    elif kind == "on parts":
        table = experiments.on_parts(name, checkpoints or (DEFAULT_CHECKPOINT,), data, out)
    else:
        overrides = {"epochs": epochs} if epochs else {}
        seeded = tuple(range(1, seeds + 1))
        setting = Setting(data, runs, visual, seeded, overrides, encoder, vectors, device)
        if kind == "silver":
            table = experiments.on_silver(checkpoints or (DEFAULT_CHECKPOINT,), setting, out)
        else:
            table = experiments.with_training(name, setting, out)
    click.echo(table.markdown())
    click.echo(f"Written to {out}", err=True)


def _refuse_unread(name: str, kind: str) -> None:
    """Raises UsageError for an option that was given but would not be read."""
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name not in ("name", "data", "out", *READ[kind]):
            raise click.UsageError(f"{parameter.opts[0]}: not used by experiment {name} ({kind})")
