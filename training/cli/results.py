"""docs/results.md and its figures, from the JSON files under training/results/ alone.

    python -m training.cli.results collect RUN... --data DATA   what a run measured, into training/results/runs/
    python -m training.cli.results inputs CHECKPOINT --data DATA   it with each kind of input, into .../inputs/
    python -m training.cli.results page                         the page and PNGs from those and the experiments' tables

No figure of ours is typed in anywhere; the papers' are training/experiments/published.py's.
"""

from pathlib import Path

import click

from models.core.places import REPOSITORY
from training.experiments import collect as collecting
from training.experiments.page import page as made_page
from training.reports.tables import RESULTS

OUT = Path(__file__).parents[2] / "docs" / "results.md"


@click.group(epilog="Example: python -m training.cli.results collect runs/cwi --data ../shared/data")
def main() -> None:
    """What was measured, into small files, and the page of results out of them."""
    if REPOSITORY is None:
        raise click.ClickException("results are kept in the repository: run this from a checkout of it")


@main.command(epilog="Example: python -m training.cli.results collect runs/cwi --data ../shared/data")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--data", type=click.Path(path_type=Path),
    help="Folder of the sets: score the checkpoint as it is served, partial scores and confusion matrix too.",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def collect(runs: tuple[Path, ...], data: Path | None, device: str) -> None:
    """Keep what RUNS (folders of `trimod train`, or checkpoints) measured."""
    for run in runs:
        found = collecting.collect(run, data, device)
        path = collecting.RUNS / f"{found['name']}.json"
        collecting.store(found, path)
        click.echo(str(path))


@main.command(
    epilog="Example: python -m training.cli.results inputs deploy/checkpoints/trimod --data ../shared/data"
)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the sets, and mvsa/.")
def inputs(checkpoint: Path, data: Path) -> None:
    """Keep how CHECKPOINT scores with each kind of input (`trimod evaluate`, some 20 minutes)."""
    path = collecting.INPUTS / f"{collecting.name_of(checkpoint)}.json"
    collecting.store(collecting.inputs(checkpoint, data), path)
    click.echo(str(path))


@main.command(epilog="Example: python -m training.cli.results page")
def page() -> None:
    """Write docs/results.md and its figures; needs no data and no checkpoint."""
    if not any(collecting.RUNS.glob("*.json")):
        raise click.ClickException(f"no run was kept in {collecting.RUNS}: `collect` some first")
    OUT.write_text(made_page(RESULTS, OUT.parent / "results" / "figures"), encoding="utf-8")
    click.echo(str(OUT))


if __name__ == "__main__":
    main()
