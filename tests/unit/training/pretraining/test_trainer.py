"""Masked-language training learns, resumes to the same weights, and only trains what a tagger can take over."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from rich.console import Console
from safetensors.torch import load_file
from torch import nn

from models.layers.transformer import Transformer
from tests.support.tiny_encoder import tiny_encoder
from training.cli.train import train
from training.engine import loop
from training.errors import DataError
from training.pretraining import trainer as module
from training.pretraining.corpus import read_posts
from training.pretraining.encoder_file import REPORT, WEIGHTS
from training.pretraining.mixed_precision import call_in_bfloat16, cast_frozen
from training.pretraining.recipe import MaskedLanguageRecipe
from training.pretraining.trainer import LOG, STATE, MaskedLanguage, train_masked_language

WHO = ["ann", "bob", "cem", "dora", "eve"]
WHERE = ["riga", "oslo", "lima", "bonn"]
LINES = [f"{who.title()} flies to {where.title()} with {who.title()} again" for who in WHO for where in WHERE]
CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["bert", "mpnet"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    words = [*WHO, *WHERE, "flies", "to", "with", "again"]
    return str(tiny_encoder(tmp_path_factory.mktemp("encoder"), request.param, words))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "posts.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests do not depend on what is faster on this machine."""
    monkeypatch.setattr(module, "bfloat16_is_faster", lambda device: False)


def recipe(encoder: str, **changes: object) -> MaskedLanguageRecipe:
    small = MaskedLanguageRecipe(
        encoder, epochs=3, batch_size=4, rate=3e-3, head_rate=3e-3, held_out=0.2, checkpoint_posts=6
    )
    return replace(small, **changes)  # type: ignore[arg-type]


def run(out: Path, corpus: Path, given: MaskedLanguageRecipe) -> dict[str, torch.Tensor]:
    train_masked_language(out, [corpus], given, CPU, Console(file=StringIO()))
    return load_file(out / WEIGHTS)


@pytest.mark.slow
@pytest.mark.parametrize("adapters", [0, 8])
def test_it_learns_what_the_posts_say(tmp_path: Path, corpus: Path, encoder: str, adapters: int) -> None:
    """Twenty posts of one kind: after the first part, the loss is that of the words' frequencies."""
    given = recipe(encoder, adapters=adapters, epochs=40, rate=5e-3, head_rate=3e-2, checkpoint_posts=18)
    run(tmp_path / "out", corpus, given)
    lines = [json.loads(line) for line in (tmp_path / "out" / LOG).read_text().splitlines()]
    losses = [line["loss"] for line in lines]
    assert 41 == len(losses)
    assert sum(losses[-5:]) / 5 < 0.5 * losses[0]
    assert all(line["held_out_loss"] > 0 and line["pieces_per_second"] > 0 for line in lines)


@pytest.mark.parametrize("adapters", [0, 4])
def test_a_killed_run_resumes_to_the_same_weights(
    tmp_path: Path, corpus: Path, encoder: str, adapters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = recipe(encoder, adapters=adapters)
    expected = run(tmp_path / "whole", corpus, given)
    steps, whole = 0, loop.step

    def killed(*arguments: object) -> float:
        nonlocal steps
        steps += 1
        if steps == 8:
            raise KeyboardInterrupt
        return whole(*arguments)  # type: ignore[arg-type]

    for _ in range(2):  # once in the second part, once later
        steps = 0
        monkeypatch.setattr(loop, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", corpus, given)
    monkeypatch.setattr(loop, "step", whole)
    assert 3 < torch.load(tmp_path / "killed" / STATE, weights_only=True)["progress"]["epoch"] < 10
    found = run(tmp_path / "killed", corpus, given)
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_a_run_with_other_settings_is_refused(tmp_path: Path, corpus: Path, encoder: str) -> None:
    run(tmp_path / "out", corpus, recipe(encoder, epochs=1))
    with pytest.raises(DataError, match="other settings or data"):
        run(tmp_path / "out", corpus, recipe(encoder, epochs=2))


def test_only_the_head_is_trained_in_the_first_part(corpus: Path, encoder: str) -> None:
    task = MaskedLanguage(recipe(encoder), read_posts([corpus], 0.2, 1), CPU)
    state = task.state()
    before = state.weights()

    def changed() -> set[str]:
        after = state.weights()
        return {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}

    for part, expected in enumerate([{"head"}, {"head", "transformer"}]):
        for batch in task.draw(part, state.random):
            loop.step(task, task.plan(), state, [batch])
        assert expected == changed()


def test_each_pass_has_every_post_once_and_other_masks(corpus: Path, encoder: str) -> None:
    posts = read_posts([corpus], 0.2, 1)
    task = MaskedLanguage(recipe(encoder), posts, CPU)
    assert 1 + 3 * 3 == task.parts
    for first in (1, 4, 7):
        texts = [text for part in range(first, first + 3) for text in task._texts(part)]
        assert sorted(posts.training) == sorted(texts)
    rng = task.state().random
    one, two = ([each.targets for batch in task.draw(1, rng) for each in batch] for _ in range(2))
    assert one == two
    assert one != [each.targets for batch in task.draw(4, rng) for each in batch]


def test_with_adapters_the_encoder_and_always_its_table_stay(
    tmp_path: Path, corpus: Path, encoder: str
) -> None:
    """Both come from the encoder's package when a tagger is served."""
    full = run(tmp_path / "full", corpus, recipe(encoder, epochs=1))
    low = run(tmp_path / "low", corpus, recipe(encoder, epochs=1, adapters=4))
    plain = Transformer(encoder, read_case=True)
    trained = {name for name, p in plain.named_parameters() if p.requires_grad}
    assert trained == full.keys()
    assert not any("word_embeddings" in name for name in full)
    assert {"down", "up", "weight"} == {name.rsplit(".", 1)[1] for name in low}
    assert ["case.weight"] == [name for name in low if name.endswith(".weight")]


def test_in_bfloat16_master_weights_and_gradients_are_float32(encoder: str) -> None:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)).eval()
    network[0].weight.requires_grad_(False)
    inputs = torch.randn(3, 4).to(torch.bfloat16).float()
    expected = network(inputs)
    cast_frozen(network)
    found = call_in_bfloat16(network, inputs.to(torch.bfloat16))
    found.float().sum().backward()
    assert torch.bfloat16 == found.dtype
    torch.testing.assert_close(expected, found.float(), atol=0.03, rtol=0.03)
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    assert {torch.float32} == {p.dtype for p in trained.values()} | {
        p.grad.dtype for p in trained.values() if p.grad is not None
    }
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in trained.values())


@pytest.mark.parametrize("adapters", [0, 4])
def test_bfloat16_has_nearly_the_loss_of_float32(
    corpus: Path, encoder: str, adapters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    for faster in (False, True):
        monkeypatch.setattr(module, "bfloat16_is_faster", lambda device, faster=faster: faster)
        given = recipe(encoder, adapters=adapters)
        task = MaskedLanguage(given, read_posts([corpus], 0.2, 1), CPU)
        task.model.eval()
        losses.append(task.validate().figures["held_out_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_the_command_trains_and_says_what_it_wrote(tmp_path: Path, corpus: Path, encoder: str) -> None:
    corpus.write_text(
        "\n".join(f"{line} {number}" for line in LINES for number in range(3)), encoding="utf-8"
    )
    options = ["--corpus", str(corpus), "--text-encoder", encoder, "--lora-rank", "2", "--epochs", "1"]
    places = ["--device", "cpu", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(train, ["mlm", *options, *places], catch_exceptions=False)
    assert f"wrote {tmp_path / 'out' / WEIGHTS}: held-out loss" in result.output
    report = json.loads((tmp_path / "out" / REPORT).read_text())
    assert (encoder, 2, 2) == (report["text_encoder"], report["adapters"], len(report["history"]))
