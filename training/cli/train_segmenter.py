"""`trimod train segmenter`: the hashtag segmenter that every checkpoint carries."""

from pathlib import Path

import click


@click.command(epilog="Example: trimod train segmenter --data ../shared/data --out runs/segmenter")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with hashtags/ and the text data sets.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write; an interrupted run in it continues.",
)
@click.option("--seed", default=1, show_default=True)
def segmenter(data: Path, out: Path, seed: int) -> None:
    """Train the hashtag segmenter (characters, CNN, BiLSTM; TriMod section IV-C)."""
    import torch

    from training.hashtags.material import SegmenterRecipe
    from training.hashtags.trainer import STATE, train_segmenter

    torch.set_num_threads(1)  # so small a network only loses by sharing its work
    metrics = train_segmenter(out, data, SegmenterRecipe(seed=seed), resume=(out / STATE).exists())
    click.echo("exact match, ignoring case:")
    for name, share in metrics["exact_match"].items():
        beside = metrics.get("exact_match_wordninja", {}).get(name)
        click.echo(f"  {name:18} {share:.1%}" + (f"  (wordninja {beside:.1%})" if beside is not None else ""))
