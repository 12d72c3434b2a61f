"""`trimod train quantized`: a trained checkpoint stored again in few bits."""

from pathlib import Path

import click


@click.command(
    epilog="Example: trimod train quantized runs/small/checkpoint --bits 8 --data ../shared/data/twitter2015 "
    "--data ../shared/data/twitter2017 --out runs/small8"
)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--data", "folders", type=click.Path(path_type=Path), required=True, multiple=True, metavar="FOLDER",
    help="Folder with valid.txt (or .conll) to score it on; repeatable.",
)  # fmt: skip
@click.option(
    "--bits", type=click.IntRange(3, 8), default=8, show_default=True, metavar="B",
    help="Bits of a model weight, 3 to 8. A captioner's weights are stored in 8.",
)  # fmt: skip
@click.option(
    "--float16", "kept", multiple=True, metavar="PATTERN",
    help="Keep weights whose names match in float16, such as 'model.emit.*'; repeatable.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
def quantized(
    checkpoint: Path, folders: tuple[Path, ...], bits: int, kept: tuple[str, ...], out: Path, device: str
) -> None:
    """Store CHECKPOINT in few bits in OUT/checkpoint: smaller, not faster. Trains nothing.

    Rounding can change tags. The scores in the new metrics.json are those of the rounded weights.
    """
    from training.runs.quantized import store_in_bits

    click.echo(f"wrote {store_in_bits(checkpoint, folders, device, out, bits, kept)}")
