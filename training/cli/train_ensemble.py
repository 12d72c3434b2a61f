"""`trimod train committee`: joins several trained TriMods into one ensemble checkpoint that averages them."""

from pathlib import Path

import click


@click.command(
    epilog="Example: trimod train committee --member runs/accurate/checkpoint --member runs/small/checkpoint "
    "--data ../shared/data/twitter2015 --data ../shared/data/twitter2017 --out runs/committee"
)
@click.option(
    "--member", "members", type=click.Path(path_type=Path), required=True, multiple=True, metavar="CHECKPOINT",
    help="A trained TriMod; give two or more. Segmenter and captioner are taken from the first.",
)  # fmt: skip
@click.option(
    "--data", "folders", type=click.Path(path_type=Path), required=True, multiple=True, metavar="FOLDER",
    help="Folder with valid.txt (or .conll), on which the ensemble is scored; repeatable.",
)  # fmt: skip
@click.option(
    "--visual", default="captions:blip2", show_default=True, metavar="INPUT",
    help="Image input: none or captions:NAME (captions.NAME.json in each folder).",
)  # fmt: skip
@click.option(
    "--specialist", "specialists", multiple=True, metavar="SET=CHECKPOINT",
    help="A TriMod trained only on data set SET (any name); give one or more per set. Together the specialists have "
    "half of the total weight. Each set's share depends on its agreement with the members on the current post.",
)  # fmt: skip
@click.option(
    "--rank", "ranks", type=click.IntRange(min=1), multiple=True, metavar="R",
    help="Store the changes that training made to the encoders as LoRA adapters of this rank, to save space. Give it "
    "once for all, or once per member and then per specialist. Longer training needs a higher rank (16 to 64).",
)  # fmt: skip
@click.option(
    "--bits", type=click.IntRange(3, 8), metavar="B",
    help="Quantize the weights to B bits each (3 to 8) instead of 16. The quantized model is scored.",
)  # fmt: skip
@click.option(
    "--least-confidence", type=click.FloatRange(0, 1, max_open=True), metavar="P",
    help="Return every span above this probability instead of the Viterbi path; of overlapping spans, keep the "
    "likelier. The best P is near half the F1 that results, such as 0.45 for an F1 of 90. "
    "0: use the Viterbi path.  [default: the first member's]",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def committee(
    members: tuple[Path, ...],
    folders: tuple[Path, ...],
    visual: str,
    specialists: tuple[str, ...],
    ranks: tuple[int, ...],
    bits: int | None,
    least_confidence: float | None,
    out: Path,
    device: str,
) -> None:
    """Join trained TriMods into an averaging ensemble: more accurate than any member; as slow as all combined.

    Nothing is trained.
    """
    from training.runs.ensemble import join

    named = [_specialist(given) for given in specialists]
    path = join(members, folders, visual, device, out, ranks, bits, named, least_confidence)
    click.echo(f"wrote {path}")


def _specialist(given: str) -> tuple[str, Path]:
    name, equals, path = given.partition("=")
    if not (name and equals and path):
        raise click.UsageError(f"--specialist {given}: expected SET=CHECKPOINT, such as twitter2017={given}")
    return name, Path(path)
