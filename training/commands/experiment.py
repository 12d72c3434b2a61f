"""`trimod experiment`: one experiment of training/experiments.py, its table and figure into a results folder."""

from pathlib import Path

import click


@click.command(
    epilog="Example: trimod experiment shuffled-images deploy/checkpoints/trimod --data ../shared/data; "
    "with training: trimod experiment cwi-table-9 --data ../shared/data --epochs 3"
)
@click.argument("name", required=False)
@click.argument("checkpoints", nargs=-1, type=click.Path(path_type=Path))
@click.option("--list", "show", is_flag=True, help="Name the experiments, and end.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder that holds a folder for each set.")
@click.option(
    "--set", "sets", multiple=True, default=("twitter2015", "twitter2017"), show_default=True,
    help="On checkpoints: the sets to measure on.",
)  # fmt: skip
@click.option("--visual", default="captions:blip2", show_default=True, help="none, captions:NAME, or pixels.")
@click.option(
    "--images", type=click.Path(path_type=Path), help="Folder of strangers' pictures (shuffled-images)."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Result folder  [default: training/results/NAME]"
)
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs/experiments"), show_default=True,
    help="With training: folder for the runs; what is in it is not trained again.",
)  # fmt: skip
@click.option(
    "--seeds", type=click.IntRange(1), default=1, show_default=True, help="With training: how many."
)
@click.option("--epochs", type=click.IntRange(1), help="With training: instead of the presets' own.")
@click.option(
    "--encoder", default="", metavar="NAME", help="With training: the text encoder, where one is used."
)
@click.option(
    "--vectors",
    type=click.Path(path_type=Path),
    multiple=True,
    help="With training: word vectors for the models with word tables.",
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
    """Run the experiment NAME, on CHECKPOINTS or with training of its own; print and store its table and figure."""
    from models import DEFAULT_CHECKPOINT
    from training import experiments
    from training.checkpoint_experiments import CHECKPOINT_EXPERIMENTS
    from training.part_experiments import PART_EXPERIMENTS
    from training.tables import RESULTS
    from training.trained_experiments import Setting

    known = experiments.listed()
    if show:
        neither_trains = {**CHECKPOINT_EXPERIMENTS, **PART_EXPERIMENTS}
        for each, about in known.items():
            kind = "on checkpoints" if each in neither_trains else "with training"
            click.echo(f"{each:20} {kind:15} {about}")
        return
    if name not in known:
        raise click.UsageError(
            f"{name or 'no name'}: is no experiment; `trimod experiment --list` names them"
        )
    if data is None:
        raise click.UsageError("--data: the folder with the sets is needed")
    out = out or RESULTS / name
    if name in CHECKPOINT_EXPERIMENTS:
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
    elif name in PART_EXPERIMENTS:
        table = experiments.on_parts(name, checkpoints or (DEFAULT_CHECKPOINT,), data, out)
    else:
        overrides = {"epochs": epochs} if epochs else {}
        seeded = tuple(range(1, seeds + 1))
        setting = Setting(data, runs, visual, seeded, overrides, encoder, vectors, device)
        if name == "silver":
            if seeds > 1:
                raise click.UsageError("--seeds: silver trains each of its models once")
            table = experiments.on_silver(checkpoints or (DEFAULT_CHECKPOINT,), setting, out)
        elif checkpoints:
            raise click.UsageError(f"{name} trains its own checkpoints: it takes none")
        else:
            table = experiments.with_training(name, setting, out)
    click.echo(table.markdown())
    click.echo(f"Written to {out}", err=True)
