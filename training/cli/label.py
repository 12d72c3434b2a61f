"""`trimod label`: posts tagged by a checkpoint, to train on."""

from pathlib import Path

import click

from models import DEFAULT_CHECKPOINT


@click.command(
    epilog="Example: trimod label ../shared/data/mvsa/posts.jsonl --out runs/silver/train.txt --least 0.8"
)
@click.argument("posts", type=click.Path(path_type=Path), metavar="POSTS.jsonl")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), default=DEFAULT_CHECKPOINT,
    help="The one that tags  [default: the shipped one]",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="CoNLL file to write; FILE.jsonl beside it has the confidences, and a run in it goes on.",
)  # fmt: skip
@click.option(
    "--least", type=click.FloatRange(0, 1), default=0.0, show_default=True,
    help="Confidence that every mention must have.",
)  # fmt: skip
@click.option(
    "--drop", type=click.Choice(["post", "mention"]), default="post", show_default=True,
    help="What is left out where a mention has less: its post, or the mention alone (it becomes O).",
)  # fmt: skip
@click.option(
    "--agreement", type=click.Path(path_type=Path), metavar="OTHER",
    help="The --out of another checkpoint on the same posts: say how far the two agree.",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def label(
    posts: Path,
    checkpoint: Path,
    out: Path,
    least: float,
    drop: str,
    agreement: Path | None,
    device: str,
) -> None:
    """Tag POSTS.jsonl, an object with id, text and perhaps hashtags and image (a path) a line, and write CoNLL of it.

    The labels are the checkpoint's guesses (silver), not a person's.
    """
    from models.inference.tagger import Tagger
    from training import labelling
    from training.engine.progress import Watch

    tagger = Tagger.load(checkpoint, device)
    with Watch(transient=True) as progress:
        labelled = labelling.label(posts, tagger, out, progress)
    written = labelling.write_conll(labelled, out, least, "mention" if drop == "mention" else "post")
    click.echo(
        f"{written.posts} posts with {written.mentions} mentions in {out}; left out: {written.unsure} unsure {drop}s, "
        f"{written.unwritable} posts that no CoNLL file can hold"
    )
    if agreement is not None:
        agreed = labelling.agreement(labelling.read_labels(agreement), labelled)
        figures = ", ".join(f"{type_} {each.f1:.2f}" for type_, each in agreed.items())
        click.echo(f"agreement with {agreement} on all {len(labelled)} posts, F1: {figures}")
