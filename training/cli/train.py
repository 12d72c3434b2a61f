"""`trimod train`: from data to a checkpoint. One command per preset, and one per separately trained component."""

import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from training.cli.options import type_pair

if TYPE_CHECKING:
    from training.runs.distillation import Teacher

PARTS = {
    "captioner": "training.cli.train_captioner:captioner",
    "committee": "training.cli.train_ensemble:committee",
    "mlm": "training.cli.train_mlm:mlm",
    "quantized": "training.cli.train_quantized:quantized",
    "segmenter": "training.cli.train_segmenter:segmenter",
    "vectors": "training.cli.train_vectors:vectors",
}
"""Separate commands, loaded when called: for components of models, and for ensembles of models."""


class _Train(click.Group):
    """The presets of training/runs/presets.py as commands, and PARTS."""

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
    """Train a system by name and write the best epoch's checkpoint. Or train a component, or join or quantize models.

    A stopped run continues when you repeat the same command; `vectors`, `committee` and `quantized` start over.
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
            help="Folder with train.txt and valid.txt (or .conll); repeatable.",
        ),
        click.option(
            "--more", type=folder, multiple=True,
            help="Extra folder; only its training text is read. Types absent from it count as unlabelled, not as O. "
            "Repeatable.",
        ),
        click.option(
            "--rename", "renamed", multiple=True, metavar="TYPE=TYPE",
            help="Entity type of the --more folders and its name in --data, e.g. corporation=ORG; repeatable.",
        ),
        click.option(
            "--visual", default="captions:blip2", show_default=True, metavar="INPUT",
            help="Image input: none, captions:NAME (captions.NAME.json in each folder) or pixels (images/).",
        ),
        click.option(
            "--out", type=to_write, required=True, help="Folder to write; an interrupted run in it continues.",
        ),
        click.option(
            "--segmenter", type=folder,
            help="Folder of `train segmenter`, or a checkpoint.  [default: the shipped checkpoint]",
        ),
        click.option(
            "--vectors", type=file, multiple=True,
            help="File of word vectors; for a model with several word tables, give one for all or one for each.",
        ),
        click.option("--start-from", type=folder, help="Checkpoint for a warm start; its labels may differ."),
        click.option(
            "--start-encoder", type=folder, help="Folder of `train mlm`: the text encoder starts with its weights.",
        ),
        click.option(
            "--teacher", "teachers", multiple=True, metavar="[SET=]PATH",
            help="Checkpoint to distil from, besides the tags: on all posts, or only on those of data folder SET. "
            "Repeat for an ensemble of teachers. With a teacher, tags of --more are not read.",
        ),
        click.option("--text-encoder", metavar="NAME", help="Text encoder to use: package, folder or hub name."),
        click.option("--captioner", type=folder, help="Folder of `train captioner`, or a checkpoint with one."),
        click.option("--epochs", type=click.IntRange(1)),
        click.option("--batch-size", type=click.IntRange(1)),
        click.option("--rate", type=float, help="Peak learning rate of everything but the text encoder."),
        click.option("--encoder-rate", type=float, help="Peak learning rate of the text encoder."),
        click.option("--dropout", type=click.FloatRange(0, 1, max_open=True)),
        click.option(
            "--set", "changes", multiple=True, metavar="NAME=VALUE",
            help="Set any field of the recipe, the noise or the model's configuration, e.g. fusion=cross; repeatable.",
        ),
        click.option("--seed", type=int, help="[default: 1]"),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N."),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _changes(changes: Sequence[str]) -> dict[str, Any]:
    """Parses NAME=VALUE; a value that is not JSON (number, list, true) is taken as a string."""
    found = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--set: expected NAME=VALUE, got {change!r}")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _teacher(given: str, folders: Sequence[Path]) -> "Teacher":
    from training.runs.distillation import Teacher

    name, equals, path = given.partition("=")
    if not equals:
        return Teacher(Path(given))
    if name not in [folder.name for folder in folders]:
        raise click.UsageError(f"--teacher {given}: {name} is not one of the --data folders")
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
        for key in (
            "folders",
            "more",
            "visual",
            "renamed",
            "vectors",
            "captioner",
            "start_from",
            "start_encoder",
            "teachers",
        )
    }
    data["renamed"] = tuple(type_pair(pair) for pair in data["renamed"])
    data["teachers"] = tuple(_teacher(given, data["folders"]) for given in data["teachers"])
    if segmenter is not None:
        data["segmenter"] = segmenter
    settings = {key: value for key, value in given.items() if value is not None}
    others = _changes(changes)
    if twice := settings.keys() & others:
        raise click.UsageError(
            f"--set {min(twice)} conflicts with --{min(twice).replace('_', '-')}: give only one of them"
        )
    preset = changed(PRESETS[name], **settings, **others)
    with alone(out / LOCK):
        click.echo(f"wrote {train_preset(preset, Run(name, **data), device, out)}")
