"""`trimod train committee`: several trained TriMods joined into one checkpoint, whose mean decides."""

from pathlib import Path

import click


@click.command(
    epilog="Example: trimod train committee --member runs/accurate/checkpoint --member runs/small/checkpoint "
    "--data ../shared/data/twitter2015 --data ../shared/data/twitter2017 --out runs/committee"
)
@click.option(
    "--member", "members", type=click.Path(path_type=Path), required=True, multiple=True, metavar="CHECKPOINT",
    help="A trained TriMod; give two or more. The first brings segmenter and captioner.",
)  # fmt: skip
@click.option(
    "--data", "folders", type=click.Path(path_type=Path), required=True, multiple=True, metavar="FOLDER",
    help="Folder with valid.txt (or .conll) to score it on; repeatable.",
)  # fmt: skip
@click.option(
    "--visual", default="captions:blip2", show_default=True, metavar="INPUT",
    help="none, or captions:NAME (captions.NAME.json in each folder).",
)  # fmt: skip
@click.option(
    "--specialist", "specialists", multiple=True, metavar="SET=CHECKPOINT",
    help="A TriMod trained on data set SET alone (any name), which tags in its ways: give one or more for each set. "
    "Together they have half of the say, those of a set by how far they agree with the members in the post at hand.",
)  # fmt: skip
@click.option(
    "--rank", "ranks", type=click.IntRange(min=1), multiple=True, metavar="R",
    help="Keep what training did to the encoders as adapters of this rank: small. Once for all, or for each member "
    "and then each specialist: the longer one was trained, the more it needs (16 to 64).",
)  # fmt: skip
@click.option(
    "--bits", type=click.IntRange(3, 8), metavar="B",
    help="Store weights in B bits each, 3 to 8, not in sixteen. What it scores is what it stores.",
)  # fmt: skip
@click.option(
    "--least-confidence", type=click.FloatRange(0, 1, max_open=True), metavar="P",
    help="Mentions are all spans likelier than P, and of two that overlap the likelier one; the best F1 is near half "
    "of what it then is, such as 0.45 for 90. 0: the likeliest sequence's.  [default: the first member's]",
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
    """Join trained TriMods into one whose mean decides: better than each, as slow as all of them. Trains nothing."""
    from training.runs.ensemble import join

    named = [_specialist(given) for given in specialists]
    path = join(members, folders, visual, device, out, ranks, bits, named, least_confidence)
    click.echo(f"wrote {path}")


def _specialist(given: str) -> tuple[str, Path]:
    name, equals, path = given.partition("=")
    if not (name and equals and path):
        raise click.UsageError(f"--specialist {given}: needs the data set's name too, as twitter2017={given}")
    return name, Path(path)
