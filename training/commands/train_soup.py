"""`trimod train soup`: the mean of several trained TriMods' encoders in one checkpoint, to train on from."""

from pathlib import Path

import click

from training.commands.train_committee import of_members


@click.command(
    epilog="Example: trimod train soup --member runs/first/checkpoint --member runs/second/checkpoint "
    "--data ../shared/data/twitter2015 --data ../shared/data/twitter2017 --out runs/soup"
)
@of_members
def soup(members: tuple[Path, ...], folders: tuple[Path, ...], visual: str, out: Path, device: str) -> None:
    """Average the encoders of trained TriMods: one model, to be trained on with --start-from. Trains nothing."""
    from training.soup import blend

    click.echo(f"wrote {blend(members, folders, visual, device, out)}")
