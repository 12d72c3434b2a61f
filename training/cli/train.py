"""`trimod train`: from data to a checkpoint. One command for each preset, and for the parts trained apart."""

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from training.runs.distillation import Teacher

PARTS = {
    "captioner": "training.cli.train_captioner:captioner",
    "committee": "training.cli.train_ensemble:committee",
    "quantized": "training.cli.train_quantized:quantized",
    "segmenter": "training.cli.train_segmenter:segmenter",
    "vectors": "training.cli.train_vectors:vectors",
}
"""Commands of their own, loaded when called: what models are made with, and what is made of models."""


class _Train(click.Group):
    """The presets of training/runs/presets.py as commands, beside PARTS."""

    def list_commands(self, context: click.Context) -> list[str]:
        from training.runs.presets import PRESETS

        return [*PRESETS, *PARTS]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        from training.runs.presets import PRESETS

        if name in PARTS:
            module, _, attribute = PARTS[name].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        return _command(name, PRESETS[name].about) if name in PRESETS else None


@click.group(
    cls=_Train,
    epilog="Example: trimod train trimod-small --data ../shared/data/twitter2015 "
    "--data ../shared/data/twitter2017 --out runs/small",
)
def train() -> None:
    """Train a system by name and write the best epoch's checkpoint; or a part of models; or join or quantize models.

    A run can be stopped and goes on where it was: give the same command again (vectors, committee and quantized
    start again).
    """


def _command(name: str, about: str) -> click.Command:
    command: click.Command = click.command(
        name,
        help=f"Train {about}. Writes the best epoch's checkpoint to OUT/checkpoint.",
        short_help=about,
        epilog=f"Example: trimod train {name} --data ../shared/data/twitter2015 --out runs/{name}",
    )(_options(lambda **given: _run(name, **given)))
    return command


def _options(function: Callable[..., None]) -> Callable[..., None]:
    to_write = click.Path(path_type=Path, file_okay=False)
    folder, file = click.Path(path_type=Path), click.Path(path_type=Path, dir_okay=False, exists=True)
    options = [
        click.option(
            "--data", "folders", type=folder, required=True, multiple=True,
            help="Folder with train.txt and valid.txt (or .conll); repeat to train on several.",
        ),
        click.option(
            "--more", type=folder, multiple=True,
            help="Folder of which only the training text is read; types it has none of count as not looked for.",
        ),
        click.option(
            "--rename", "renamed", multiple=True, metavar="TYPE=TYPE",
            help="Type of --more folders, and what --data calls it, e.g. corporation=ORG; repeat.",
        ),
        click.option(
            "--visual", default="captions:blip2", show_default=True, metavar="INPUT",
            help="none, captions:NAME (captions.NAME.json in each folder), or pixels (images/).",
        ),
        click.option("--out", type=to_write, required=True, help="Folder to write; a run in it goes on."),
        click.option(
            "--segmenter", type=folder,
            help="Folder of `train segmenter`, or a checkpoint.  [default: the shipped checkpoint's]",
        ),
        click.option("--vectors", type=file, multiple=True, help="Word vectors for the word table (each, if several)."),
        click.option("--start-from", type=folder, help="Checkpoint to begin with; labels may differ."),
        click.option(
            "--teacher", "teachers", multiple=True, metavar="[SET=]PATH",
            help="Checkpoint to learn from beside the tags, of all posts or of data folder SET's alone; repeat for an "
            "ensemble. Tags of --more are not read then.",
        ),
        click.option("--text-encoder", metavar="NAME", help="Another transformer: package, folder or hub name."),
        click.option("--captioner", type=folder, help="Folder of `train captioner`, or a checkpoint with one."),
        click.option("--epochs", type=click.IntRange(1)),
        click.option("--batch-size", type=click.IntRange(1)),
        click.option("--rate", type=float, help="Peak learning rate of all but the text encoder."),
        click.option("--encoder-rate", type=float, help="Peak learning rate of the text encoder."),
        click.option("--dropout", type=click.FloatRange(0, 1, max_open=True)),
        click.option(
            "--set", "changes", multiple=True, metavar="NAME=VALUE",
            help="Any field of the recipe, the noise or the model's configuration, e.g. fusion=cross no_image=0.5.",
        ),
        click.option("--seed", type=int, help="[default: 1]"),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _changes(changes: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE, where a value is JSON (numbers, lists, true) or else a word."""
    found = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set wants NAME=VALUE, got {change!r}")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _renamed(pair: str) -> tuple[str, str]:
    there, equals, here = pair.partition("=")
    if not (there and equals and here):
        raise click.UsageError(f"--rename wants TYPE=TYPE, got {pair!r}")
    return there, here


def _teacher(given: str, folders: Sequence[Path]) -> "Teacher":
    from training.runs.distillation import Teacher

    name, equals, path = given.partition("=")
    if not equals:
        return Teacher(Path(given))
    if name not in [folder.name for folder in folders]:
        raise click.UsageError(f"--teacher {given}: {name} is none of the --data folders")
    return Teacher(Path(path), name)


def _run(
    name: str, out: Path, device: str, segmenter: Path | None, changes: tuple[str, ...], **given: Any
) -> None:
    from training.engine.run_state import LOCK, alone
    from training.runs.presets import PRESETS, changed
    from training.runs.spec import Run
    from training.runs.train import train_preset

    data = {
        key: given.pop(key)
        for key in ("folders", "more", "visual", "renamed", "vectors", "captioner", "start_from", "teachers")
    }
    data["renamed"] = tuple(_renamed(pair) for pair in data["renamed"])
    data["teachers"] = tuple(_teacher(given, data["folders"]) for given in data["teachers"])
    if segmenter is not None:
        data["segmenter"] = segmenter
    settings = {key: value for key, value in given.items() if value is not None}
    others = _changes(changes)
    if twice := settings.keys() & others:
        raise click.UsageError(
            f"--set {min(twice)} is given beside --{min(twice).replace('_', '-')}: which one?"
        )
    preset = changed(PRESETS[name], **settings, **others)
    with alone(out / LOCK):
        click.echo(f"wrote {train_preset(preset, Run(name, **data), device, out)}")
