"""Makes docs/results.md and its figures from the JSON files under training/results/ alone.

    python -m training.cli.results collect RUN... --data DATA   store a run's scores in training/results/runs/
    python -m training.cli.results inputs CHECKPOINT --data DATA   score each kind of input into .../inputs/
    python -m training.cli.results page   write docs/results.md and its PNGs from these and the experiments' tables

None of our figures is typed in by hand; the papers' figures are in training/experiments/published.py.
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
    """Store measurements in small JSON files, and make the results page from them."""
    if REPOSITORY is None:
        raise click.ClickException("results are kept in the repository: run this from a checkout of it")


@main.command(epilog="Example: python -m training.cli.results collect runs/cwi --data ../shared/data")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--data", type=click.Path(path_type=Path),
    help="Folder of the data sets: also score the checkpoint as served (strict, partial, confusion matrix).",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def collect(runs: tuple[Path, ...], data: Path | None, device: str) -> None:
    """Store the measurements of RUNS (output folders of `trimod train`, or checkpoints)."""
    for run in runs:
        found = collecting.collect(run, data, device)
        path = collecting.RUNS / f"{found['name']}.json"
        collecting.store(found, path)
        click.echo(str(path))


@main.command(
    epilog="Example: python -m training.cli.results inputs deploy/checkpoints/trimod --data ../shared/data"
)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder of the data sets and mvsa/."
)
def inputs(checkpoint: Path, data: Path) -> None:
    """Score CHECKPOINT with each kind of input (`trimod evaluate`) and store it; takes about 20 minutes."""
    path = collecting.INPUTS / f"{collecting.name_of(checkpoint)}.json"
    collecting.store(collecting.inputs(checkpoint, data), path)
    click.echo(str(path))


@main.command(epilog="Example: python -m training.cli.results page")
def page() -> None:
    """Write docs/results.md and its figures. No data and no checkpoint are needed."""
    if not any(collecting.RUNS.glob("*.json")):
        raise click.ClickException(f"{collecting.RUNS}: no stored runs; run `collect` first")
    OUT.write_text(made_page(RESULTS, OUT.parent / "results" / "figures"), encoding="utf-8")
    click.echo(str(OUT))


if __name__ == "__main__":
    main()
