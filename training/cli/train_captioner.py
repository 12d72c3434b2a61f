"""`trimod train captioner`: trains the decoder that captions images at serving time, on captioned photographs."""

from pathlib import Path

import click


@click.command(epilog="Example: trimod train captioner --data ../shared/data/flickr8k --out runs/captioner")
@click.option(
    "--data", type=click.Path(path_type=Path), required=True, help="Folder with captions.csv and images/."
)
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True,
    help="Folder to write; an interrupted run in it continues. Also stores region features (1 GB for Flickr8k).",
)  # fmt: skip
@click.option(
    "--objects", type=click.IntRange(1, 49), default=16, show_default=True,
    help="k: how many of the 49 image regions the decoder attends to.",
)  # fmt: skip
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=12,
    show_default=True,
    help="Maximum number of epochs; a run that stops improving stops earlier.",
)
@click.option("--seed", default=1, show_default=True)
def captioner(data: Path, out: Path, objects: int, epochs: int, seed: int) -> None:
    """Train the image captioner (CNN, LSTM with attention; paper section IV-B) and measure its BLEU-4."""
    from training.captioning.trainer import CaptionerRecipe, train_captioner

    metrics = train_captioner(out, data, CaptionerRecipe(epochs=epochs, seed=seed), objects)
    click.echo(
        f"BLEU-4 {metrics['test']['bleu4']:.1f} on {metrics['photographs']['test']} test photographs "
        f"(validation {metrics['valid']['bleu4']:.1f}), best epoch {metrics['best_epoch']}: {out}"
    )
