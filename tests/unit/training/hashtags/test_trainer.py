"""Training the segmenter: resuming changes nothing, what is written is what was measured."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from models.hashtags.segmenter import FIRST_KNOWN, Segmenter, SegmenterConfig
from training.errors import DataError
from training.hashtags.corpus import Example
from training.hashtags.frequencies import Frequencies
from training.hashtags.material import SegmenterRecipe, folds, read_material
from training.hashtags.notice import NOTICE
from training.hashtags.scoring import exact_match
from training.hashtags.trainer import STATE, FirstStage, batch_loss, train_segmenter

CONFIG = SegmenterConfig(char_dim=8, case_dim=4, kernels=(3,), channels=8, hidden=8, decoder=8, dropout=0.3)
RECIPE = SegmenterRecipe(
    epochs=2,
    distant=64,
    people=32,
    synthetic=96,
    held_out_synthetic=20,
    folds=2,
    tune_epochs=1,
    tune_mixed=16,
)
WORDS = {"big": 0.01, "data": 0.01, "good": 0.01, "day": 0.01}
ENGLISH = Frequencies(WORDS, WORDS, {("big", "data"): 0.001})
QUIET = Console(file=StringIO())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the layout of the real one, written for this test."""
    root = tmp_path_factory.mktemp("data")
    files = {
        "hashtags/stan_large.train.tsv": "BigData\tbig data\ngoodday\tgood day\nnyc\tNYC\nbad\tline\n" * 5,
        "hashtags/hashset_distant.tsv": "VoteForUs\tVote For Us\nNewYear2020\tNew Year 2020\n",
        "hashtags/hashset_manual.jsonl": '{"hashtag": "ab", "segmentation": "a b"}\n{"hashtag": "ab"}\n',
        "flickr8k/captions.csv": "image,caption\n1.jpg,A dog runs .\n1.jpg,A brown dog .\n2.jpg,Men sit .\n",
        "mvsa/posts.jsonl": json.dumps({"id": "1", "text": "RT @me: so happy, it's #friday"}) + "\n",
    }
    for name in ("stan_large.dev", "boun.dev", "stanford.dev"):
        files[f"hashtags/{name}.tsv"] = "bigdata\tbig data\nnyc\tnyc\n"
    for name in ("twitter2015/train.txt", "twitter2017/train.txt"):
        files[name] = "IMGID:1\nSee\tO\nNew\tB-LOC\nYork\tI-LOC\n\n"
    for name in ("btc/train.conll", "tweebank/train.conll", "wnut17/train.conll"):
        files[name] = "I\tO\ndo\tO\nn't\tO\nlike\tO\nMilan\tB-LOC\n\n"
    for name in ("twitter2015", "twitter2017"):
        files[f"{name}/captions.blip2.json"] = json.dumps({"1": "a man with a hat"})
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture(autouse=True, scope="module")
def few_words() -> Iterator[None]:
    """Reading the real frequencies takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.hashtags.trainer.english", lambda: ENGLISH)
        yield


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    out = tmp_path_factory.mktemp("whole")
    train_segmenter(out, data, RECIPE, CONFIG, console=QUIET)
    return out


@pytest.mark.parametrize("lived", [1, 3], ids=["first stage", "tuning"])
def test_a_resumed_run_ends_with_the_same_weights(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lived: int
) -> None:
    """The run dies in its second epoch or fold; the rest is done by a second process' worth of state."""
    import training.hashtags.trainer as module

    calls = iter(range(9))

    def dies_later(*args: object) -> list[Sequence[Example]]:
        if next(calls) == lived:
            raise KeyboardInterrupt
        return length_batches(*args)  # type: ignore[arg-type]

    length_batches = module.length_batches
    monkeypatch.setattr(module, "length_batches", dies_later)
    with pytest.raises(KeyboardInterrupt):
        train_segmenter(tmp_path, data, RECIPE, CONFIG, console=QUIET)
    assert not (tmp_path / "segmenter.safetensors").exists()
    monkeypatch.setattr(module, "length_batches", length_batches)
    torch.manual_seed(12345)  # whatever the new process' generator holds must not matter
    train_segmenter(tmp_path, data, RECIPE, CONFIG, resume=True, console=QUIET)
    once, twice = (torch.load(out / STATE, weights_only=True) for out in (whole, tmp_path))
    for name, tensor in once["model"].items():
        assert torch.equal(tensor, twice["model"][name]), name
    assert once["progress"]["extra"] == twice["progress"]["extra"]  # log odds of every fold
    assert (whole / "segmenter.safetensors").read_bytes() == (tmp_path / "segmenter.safetensors").read_bytes()


def test_the_written_checkpoint_gives_the_measured_figures(whole: Path) -> None:
    report = json.loads((whole / "segmenter.json").read_bytes())
    segmenter = Segmenter(SegmenterConfig(**report["config"])).eval()
    segmenter.load_state_dict(load_file(whole / "segmenter.safetensors"))
    dev = [Example(("big", "data")), Example(("nyc",))]
    assert report["metrics"]["exact_match"]["boun.dev"] == exact_match(segmenter, dev)
    assert report["metrics"]["skipped"] == {"stan_large.train": 5, "hashset_distant": 0, "hashset_manual": 1}
    assert [epoch["epoch"] for epoch in report["metrics"]["history"]] == [1, 2]
    assert set(report["metrics"]["exact_match_wordninja"]) == {"stan_large.dev", "boun.dev", "stanford.dev"}
    assert 0 <= report["metrics"]["cross_validation"]["segmenter"] <= 1


def test_progress_says_how_good_each_epoch_and_the_whole_is(data: Path, tmp_path: Path) -> None:
    """They used to be logged only, where nobody looks while it trains."""
    shown = StringIO()
    train_segmenter(tmp_path, data, RECIPE, CONFIG, console=Console(file=shown, width=200))
    lines = shown.getvalue().splitlines()
    assert ["epoch 1", "epoch 2"] == [line.partition(":")[0] for line in lines if ": loss " in line]
    assert any(line.startswith("cross-validation on stan_large.train") for line in lines)
    assert (tmp_path / NOTICE).exists()


def test_resuming_nothing_or_another_run_is_refused(data: Path, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to resume"):
        train_segmenter(tmp_path, data, RECIPE, CONFIG, resume=True, console=QUIET)
    other = replace(RECIPE, epochs=4)
    with pytest.raises(DataError, match="other settings"):
        train_segmenter(whole, data, other, CONFIG, resume=True, console=QUIET)


def test_skip_gram_vectors_start_the_characters(data: Path) -> None:
    """Section IV-C; characters that no text has keep their random vectors."""
    material = read_material(data, RECIPE)
    with_vectors, without = FirstStage(RECIPE, CONFIG, material), FirstStage(RECIPE, CONFIG, material)
    with_vectors.start()
    moved = (with_vectors.model.chars.weight != without.model.chars.weight).any(dim=1)
    rows = {char: bool(moved[FIRST_KNOWN + i]) for i, char in enumerate(CONFIG.characters)}
    assert rows["a"]
    assert not moved[:FIRST_KNOWN].any()


def test_without_skip_gram_the_characters_stay_random(data: Path) -> None:
    recipe = replace(RECIPE, skip_gram=False)
    material = read_material(data, recipe)
    started, untouched = FirstStage(recipe, CONFIG, material), FirstStage(recipe, CONFIG, material)
    started.start()
    assert torch.equal(started.model.chars.weight, untouched.model.chars.weight)


def test_folds_share_no_hashtag() -> None:
    """Else the log odds of a repeated hashtag would come from a network that has seen it."""
    examples = [Example((word,)) for word in ("a", "b", "c", "d", "e", "f", "A", "B")]
    parts = folds(examples, RECIPE)
    spellings = [{example.hashtag.lower() for example in part} for part in parts]
    assert spellings[0].isdisjoint(spellings[1])
    assert sorted(map(str, examples)) == sorted(str(example) for part in parts for example in part)


def test_loss_counts_every_place_but_the_last_character() -> None:
    """A space after the last character is no decision: with logits of zero, each other place costs log 2."""
    segmenter = Segmenter(CONFIG)
    for parameter in segmenter.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    loss = batch_loss(segmenter, [Example(("ab", "c")), Example(("d",))])
    torch.testing.assert_close(loss, torch.tensor(2.0).log())
    assert batch_loss(segmenter, [Example(("d",))]).item() == 0.0
