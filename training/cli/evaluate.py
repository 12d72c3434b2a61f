"""`trimod evaluate`: scores a checkpoint on a labelled file."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from training.cli.options import type_pair


@click.command(
    epilog="Example: trimod evaluate deploy/checkpoints/trimod --data valid.txt --captions captions.blip2.json --raw"
)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="CoNLL file: token<TAB>BIO tag per line."
)
@click.option(
    "--captions",
    type=click.Path(path_type=Path),
    help="JSON object that maps image ids to captions.",
)
@click.option("--images", type=click.Path(path_type=Path), help="Folder of <image id>.jpg, read by the CNN.")
@click.option(
    "--random-images",
    type=int,
    metavar="SEED",
    help="Control experiment: give each post a random image from --images instead of its own.",
)
@click.option(
    "--rename", "renames", multiple=True, metavar="TYPE=TYPE",
    help="Entity type of the file and its name in the model, e.g. person=PER, or O to drop it; repeatable.",
)  # fmt: skip
@click.option("--raw", is_flag=True, help="Join the tokens with spaces and tag the text as a worker does.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def evaluate(
    checkpoint: Path,
    data: Path,
    captions: Path | None,
    images: Path | None,
    random_images: int | None,
    renames: tuple[str, ...],
    raw: bool,
    device: str,
    as_json: bool,
) -> None:
    """Print precision, recall and F1 (exact spans, in percent) of CHECKPOINT on a labelled file.

    It is an error if the model has none of the file's entity types; --rename maps them.
    """
    from models.inference.tagger import Tagger
    from training.data.conll import read_conll
    from training.data.datasets import captions_of
    from training.engine.progress import TrainingProgress
    from training.evaluation.entity_types import check_types, renamed
    from training.evaluation.evaluate import ImageSource
    from training.evaluation.evaluate import evaluate as run

    if random_images is not None and images is None:
        raise click.UsageError("--random-images: add --images FOLDER, from which the images are drawn")
    posts = read_conll(data)
    known = captions_of(posts, captions) if captions else {}
    names = dict(map(type_pair, renames))
    tagger = Tagger.load(checkpoint, device)
    posts = renamed(posts, names, tagger.labels)
    check_types(posts, tagger.labels)
    with TrainingProgress(transient=True) as progress:
        source = ImageSource(images, random_images) if images else None
        report = run(tagger, posts, known, source, raw, progress)
    report = {
        "checkpoint": str(checkpoint),
        "model_version": tagger.version,
        "data": str(data),
        "raw": raw,
        **report,
    }
    if as_json:
        click.echo(json.dumps(report))
    else:
        Console().print(_table(report))


def _table(report: dict[str, Any]) -> Table:
    title = f"{report['data']}: {report['posts']} posts, {report['posts_with_image_words']} with image words"
    table = Table("", "precision", "recall", "F1", "support", title=title, title_justify="left")
    for name, each in report["scores"].items():
        figures = (f"{each[key]:.2f}" for key in ("precision", "recall", "f1"))
        table.add_row(name, *figures, str(each["support"]))
    return table
