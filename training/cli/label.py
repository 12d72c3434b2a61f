"""`trimod label`: tags posts with a checkpoint, to make silver training data."""

from pathlib import Path

import click

from models import DEFAULT_CHECKPOINT


@click.command(
    epilog="Example: trimod label ../shared/data/mvsa/posts.jsonl --out runs/silver/train.txt --least 0.8"
)
@click.argument("posts", type=click.Path(path_type=Path), metavar="POSTS")
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), default=DEFAULT_CHECKPOINT,
    help="Checkpoint that tags the posts  [default: the shipped one]",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="CoNLL file to write. FILE.jsonl beside it holds the confidences; an interrupted run continues from it.",
)  # fmt: skip
@click.option(
    "--least", type=click.FloatRange(0, 1), default=0.0, show_default=True,
    help="Minimum confidence of a mention.",
)  # fmt: skip
@click.option(
    "--drop", type=click.Choice(["post", "mention"]), default="post", show_default=True,
    help="Drop the whole post of a mention below that confidence, or only the mention (it becomes O).",
)  # fmt: skip
@click.option(
    "--agreement", type=click.Path(path_type=Path), metavar="OTHER",
    help="The --out file of another checkpoint on the same posts: report the agreement (F1) of the two.",
)  # fmt: skip
@click.option(
    "--images-root", type=click.Path(path_type=Path),
    help="Directory that image paths are relative to  [default: the directory of POSTS.jsonl]",
)  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def label(
    posts: Path,
    checkpoint: Path,
    out: Path,
    least: float,
    drop: str,
    agreement: Path | None,
    images_root: Path | None,
    device: str,
) -> None:
    """Tag the posts of file POSTS and write the result as a CoNLL file.

    POSTS has any format that trimod ingest reads, such as one JSON object per line, with id, text and optionally
    hashtags and image (a path). The labels are silver labels: predicted by the checkpoint, not checked by a person.
    """
    from models.inference.tagger import Tagger
    from training import labelling
    from training.engine.progress import TrainingProgress

    tagger = Tagger.load(checkpoint, device)
    with TrainingProgress(transient=True) as progress:
        labelled = labelling.label(posts, tagger, out, progress, images_root)
    written = labelling.write_conll(labelled, out, least, "mention" if drop == "mention" else "post")
    click.echo(
        f"{out}: {written.posts} posts with {written.mentions} mentions; dropped: {written.unsure} unsure {drop}s, "
        f"{written.unwritable} posts that CoNLL cannot represent"
    )
    if agreement is not None:
        agreed = labelling.agreement(labelling.read_labels(agreement), labelled)
        figures = ", ".join(f"{type_} {each.f1:.2f}" for type_, each in agreed.items())
        click.echo(f"agreement with {agreement} (F1, all {len(labelled)} posts): {figures}")
