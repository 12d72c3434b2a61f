"""Training the captioner: nothing held back is learnt from, resuming changes nothing, what is written is measured."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from rich.console import Console
from rich.progress import Progress
from safetensors.torch import load_file

from models.vision.captioner import END, PAD, START, UNKNOWN, CaptionerConfig
from training.captioning import trainer as module
from training.captioning.bleu import bleu4
from training.captioning.flickr8k import Photo, Split, read_photos, region_features, split
from training.captioning.trainer import (
    STATE,
    CaptionerRecipe,
    Captioning,
    caption_batches,
    caption_loss,
    caption_tensor,
    describe,
    load_captioner,
    train_captioner,
    vocabulary,
)
from training.cli.train_captioner import captioner as command
from training.engine.loop import RunFiles, fit
from training.errors import DataError

QUIET = Console(file=StringIO())
RECIPE = CaptionerRecipe(epochs=3, batch_size=8, warmup_steps=2, held_back=3, patience=9)
COLOURS = ("red", "green", "blue")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve plain pictures with two captions each, in Flickr8k's layout."""
    root = tmp_path_factory.mktemp("flickr8k")
    (root / "images").mkdir()
    lines = ["image,caption"]
    for index in range(12):
        colour = COLOURS[index % 3]
        Image.new("RGB", (32, 32), colour).save(root / "images" / f"{index}.jpg")
        lines += [f'{index}.jpg,"A {colour} wall , plain ."', f"{index}.jpg,the {colour} wall 's side"]
    (root / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@dataclass(frozen=True)
class Small(CaptionerConfig):
    """The smallest network that still runs: what is tested here is the run."""

    embedding: int = 8
    region: int = 8
    attention: int = 4
    hidden: int = 8


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CaptionerConfig", Small)
        yield


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    out = tmp_path_factory.mktemp("whole")
    train_captioner(out, data, RECIPE, 9, QUIET)
    return out


def photos(count: int) -> list[Photo]:
    return [Photo(f"{index}.jpg", index, (("a", "dog"), ("one", "dog", "runs"))) for index in range(count)]


def test_vocabulary_is_of_frequent_words() -> None:
    assert ("dog", "a", "one", "runs") == vocabulary(photos(5))
    assert () == vocabulary(photos(2))


def test_captions_as_numbers() -> None:
    """Cut captions have no END: where they stop says nothing."""
    numbers = {"a": 4, "dog": 5}
    tensor = caption_tensor([("a", "dog"), ("the", "dog", "a", "dog", "a")], numbers, 4)
    assert [[[START, 4, 5, END, PAD]], [[START, UNKNOWN, 5, 4, 5]]] == tensor.tolist()


def test_every_caption_is_in_one_batch_with_others_of_its_length() -> None:
    batches = caption_batches(photos(8), 4, random.Random(1))
    assert [4] * 4 == [len(batch) for batch in batches]
    assert all(len({len(caption) for _, caption in batch}) == 1 for batch in batches)
    assert 16 == len({(photo.name, caption) for batch in batches for photo, caption in batch})


def test_loss_is_over_known_words_only() -> None:
    logits = torch.randn(1, 1, 4, 7, generator=torch.Generator().manual_seed(1))
    expected = -(logits[0, 0, 0].log_softmax(-1)[5] + logits[0, 0, 2].log_softmax(-1)[END]) / 2
    torch.testing.assert_close(expected, caption_loss(logits, torch.tensor([[[5, UNKNOWN, END, PAD]]]), 0.0))


def test_bleu_of_a_known_case() -> None:
    """By hand: a word too many and one wrong at the end; p1 5/7, p2 4/6, p3 3/5, p4 2/4, no brevity penalty."""
    photo = Photo("0.jpg", 0, (("a", "dog", "runs", "on", "grass"), ("two", "men")))
    found = bleu4([["a", "dog", "runs", "on", "grass", "very", "fast"]], [photo])
    expected = 100 * (5 / 7 * 4 / 6 * 3 / 5 * 2 / 4) ** 0.25
    assert found["bleu4"] == pytest.approx(expected)
    assert 1.0 == found["brevity_penalty"]


def test_bleu_takes_photographs_with_unequal_numbers_of_captions() -> None:
    both = [Photo("0", 0, (tuple("abcd"), tuple("efgh"))), Photo("1", 1, (tuple("ijkl"),))]
    assert bleu4([list("efgh"), list("ijkl")], both)["bleu4"] == pytest.approx(100)


@pytest.mark.slow
def test_learns_32_photographs_by_heart(tmp_path: Path) -> None:
    """Regions are noise, of another kind in each, so that only they can tell the captions apart."""
    words = [f"w{index}" for index in range(12)]
    rng = random.Random(2)
    known = [Photo(str(row), row, (tuple(rng.choices(words, k=4)),)) for row in range(32)]
    selected = torch.randn(32, 1, 1280, generator=torch.Generator().manual_seed(1)).half().repeat(1, 3, 1)
    recipe = CaptionerRecipe(
        epochs=60, batch_size=32, rate=1e-2, warmup_steps=5, average=0.5, label_smoothing=0.0, patience=60
    )
    config = CaptionerConfig(tuple(words), 2, embedding=32, region=32, attention=16, hidden=64, dropout=0.0)
    task = Captioning(replace(recipe, weight_decay=0.0), config, Split(known, known, []), selected)
    with Progress(console=QUIET) as progress:
        fit(task, task.plan(), task.state(), progress, RunFiles(tmp_path / "state.pt", tmp_path / "best.pt"))
    task.model.load_state_dict(torch.load(tmp_path / "best.pt", weights_only=True))
    assert [list(photo.captions[0]) for photo in known] == describe(task.model, known, selected)


def test_a_resumed_run_ends_with_the_same_weights(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run dies in its second epoch; the rest is done by a second process' worth of state."""
    draw = Captioning.draw
    monkeypatch.setattr(
        Captioning, "draw", lambda task, epoch, rng: draw(task, epoch, rng) if epoch < 1 else 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        train_captioner(tmp_path, data, RECIPE, 9, QUIET)
    monkeypatch.undo()
    assert torch.load(tmp_path / STATE, weights_only=True)["progress"]["epoch"] == 1
    train_captioner(tmp_path, data, RECIPE, 9, QUIET)
    expected, found = (load_file(out / "captioner.safetensors") for out in (whole, tmp_path))
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name


def test_a_finished_run_goes_on_with_more_epochs(data: Path, tmp_path: Path, whole: Path) -> None:
    for epochs in (1, RECIPE.epochs):
        train_captioner(tmp_path, data, replace(RECIPE, epochs=epochs), 9, QUIET)
    expected, found = (load_file(out / "captioner.safetensors") for out in (whole, tmp_path))
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_another_recipe_does_not_go_on(data: Path, whole: Path) -> None:
    with pytest.raises(DataError, match="belongs to a run with other settings or data"):
        train_captioner(whole, data, replace(RECIPE, seed=2), 9, QUIET)


def test_what_is_written_is_what_was_measured(data: Path, whole: Path) -> None:
    report = json.loads((whole / "captioner.json").read_text(encoding="utf-8"))
    model, parts = load_captioner(whole), split(read_photos(data), RECIPE.held_back)
    grids = torch.from_numpy(region_features(data, read_photos(data), whole, QUIET).astype(np.float32))
    captions = [model.caption(grids[photo.row][None])[0] for photo in parts.test]
    assert report["metrics"]["test"] == bleu4(captions, parts.test)
    assert {"train": 6, "valid": 3, "test": 3} == report["metrics"]["photographs"]
    assert (9, RECIPE.epochs) == (report["config"]["objects"], len(report["metrics"]["history"]))


def test_held_back_photographs_never_reach_a_training_step(data: Path) -> None:
    parts, seen = split(read_photos(data), RECIPE.held_back), set[str]()
    selected = torch.rand(12, 10, 1280).half()
    task = Captioning(RECIPE, CaptionerConfig(vocabulary(parts.train), 9), parts, selected)
    loss = task.loss
    task.loss = lambda batch: seen.update(photo.name for photo, _ in batch) or loss(batch)  # type: ignore[method-assign, func-returns-value]
    with Progress(console=QUIET) as progress:
        fit(task, replace(task.plan(), epochs=1), task.state(), progress)
    assert {photo.name for photo in parts.train} == seen


def test_no_captioner_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no trained captioner in"):
        load_captioner(tmp_path)


def test_the_command_says_what_it_measured(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CaptionerRecipe", lambda **settings: replace(RECIPE, **settings))
    arguments = ["--data", str(data), "--out", str(tmp_path), "--objects", "4", "--epochs", "1"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.output.splitlines()[-1].startswith("BLEU-4 "), result.output
    assert "on 3 test photographs" in result.output
    assert 4 == json.loads((tmp_path / "captioner.json").read_text())["config"]["objects"]
