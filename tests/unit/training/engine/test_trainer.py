"""The loop learns, resumes to the same weights, and what it exports tags as it did in training."""

import json
from pathlib import Path

import pytest
import torch

from models.architectures.trimod import TriMod
from models.checkpoints.components import Components
from models.core.batch import collate
from models.core.inputs import Inputs
from models.core.post import Post
from models.hashtags.segmenter import Segmenter, SegmenterConfig
from models.inference.tagger import Tagger
from models.text.post_encoder import PostEncoder
from tests.support.tiny_checkpoint import CHARACTERS, WORDS, tiny_model
from training.data.augmentation import Augmenter, Noise
from training.data.batching import encode
from training.data.datasets import Sample
from training.engine.loop import step
from training.engine.optimization import Recipe
from training.engine.trainer import Tagging, ValidationSet, predict, train
from training.errors import DataError
from training.runs.export import export
from training.runs.presets import QUIET

NAMES = ["Ann", "Bob", "Cem", "Dora"]
CITIES = ["Riga", "Oslo", "Lima", "Bonn"]
SAMPLES = [
    Sample([name, "visits", city, "#hockey"], ["B-PER", "O", "B-LOC", "O"], ["hockey"] if name < "C" else [])
    for name in NAMES
    for city in CITIES
] + [
    Sample(["the", name, city, "Leafs"], ["O", "B-PER", "B-ORG", "I-ORG"], [])
    for name in NAMES
    for city in CITIES
]


def segment(hashtags: object) -> list[str]:
    return [str(hashtag) for hashtag in hashtags]  # type: ignore[attr-defined]


def parts(dropout: float = 0.0) -> tuple[TriMod, PostEncoder]:
    torch.manual_seed(1)
    model = tiny_model()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
    return model, PostEncoder(WORDS, CHARACTERS, Inputs())


def run(out: Path, epochs: int, recipe: Recipe, noise: Noise = QUIET) -> TriMod:
    model, encoder = parts(dropout=0.3)
    disturb = Augmenter(
        noise,
        [Sample([], [], [word]) for word in ("a", "hockey")],
        ["tabby cat", "palace", "pier", "ox", "fly"],
    )
    valid = [ValidationSet("same", SAMPLES)]
    stop_after(epochs, lambda: train(model, encoder, segment, SAMPLES, valid, disturb, recipe, out))
    return model


def stop_after(epochs: int, training: object) -> None:
    """Run `training`, killed from outside in the middle of the epoch after so many: it must be done again."""
    from training.engine import loop

    logged, whole = 0, loop._note

    def log(*args: object) -> None:
        nonlocal logged
        whole(*args)  # type: ignore[arg-type]
        logged += 1
        if logged > epochs:
            raise KeyboardInterrupt

    loop._note = log  # type: ignore[assignment]
    try:
        training()  # type: ignore[operator]
    except KeyboardInterrupt:
        pass
    finally:
        loop._note = whole


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(epochs=40, batch_size=8, rate=2e-2, average=0.9, patience=40)


def test_it_overfits_32_posts_and_the_checkpoint_tags_the_same(tmp_path: Path, recipe: Recipe) -> None:
    model, encoder = parts()
    disturb = Augmenter(QUIET, [], [])
    best = train(
        model, encoder, segment, SAMPLES, [ValidationSet("same", SAMPLES)], disturb, recipe, tmp_path
    )
    assert best.scores["same"]["overall"]["f1"] == 100.0
    segmenter = Segmenter(SegmenterConfig(char_dim=4, case_dim=2, channels=4, hidden=4, decoder=4))
    torch.nn.init.constant_(list(segmenter.decoder.parameters())[-1], -20.0)
    parts_ = Components("trimod", model, WORDS, CHARACTERS, segmenter)
    export(tmp_path / "checkpoint", parts_, best.weights, {}, frozen="")
    [mentions] = Tagger.load(tmp_path / "checkpoint", "cpu").tag([Post("Dora visits Lima #hockey")])
    assert [("Dora", "PER"), ("Lima", "LOC")] == [(m.text, m.type) for m in mentions]


def test_a_killed_run_resumes_to_the_weights_of_a_whole_one(tmp_path: Path, recipe: Recipe) -> None:
    noise = Noise(no_image=0.5, other_image=0.3, class_words=0.5, no_hashtags=0.5, other_spelling=0.5)
    whole = run(tmp_path / "whole", 4, recipe, noise)
    run(tmp_path / "killed", 2, recipe, noise)
    resumed = run(tmp_path / "killed", 2, recipe, noise)
    for name, expected in whole.state_dict().items():
        torch.testing.assert_close(expected, resumed.state_dict()[name], rtol=0, atol=0, msg=name)
    epochs = [
        json.loads(line)["epoch"] for line in (tmp_path / "killed" / "log.jsonl").read_text().splitlines()
    ]
    assert [1, 2, 3, 4] == epochs


def test_a_run_of_another_version_is_not_taken_up(tmp_path: Path, recipe: Recipe) -> None:
    torch.save({"weights": {}, "epoch": 1, "identity": "", "history": []}, tmp_path / "last.pt")
    with pytest.raises(DataError, match=r"last\.pt was written by another version of TriMod"):
        run(tmp_path, 1, recipe)


def test_a_run_with_other_settings_is_not_taken_up(tmp_path: Path, recipe: Recipe) -> None:
    run(tmp_path, 1, recipe)
    with pytest.raises(DataError, match="with other settings"):
        run(tmp_path, 1, Recipe(epochs=9))


def test_a_step_takes_the_mean_gradient_of_the_batches_that_it_accumulates() -> None:
    model, encoder = parts()
    labels = model.crf.labels
    halves = [
        [encode(each, encoder, segment, labels) for each in part] for part in (SAMPLES[:8], SAMPLES[8:24])
    ]
    first, second = (model.loss(collate(part, model.config.inputs.image_size)) for part in halves)
    loss = (first + second) / 2
    expected = model.emit.weight.detach() - 0.01 * torch.autograd.grad(loss, model.emit.weight)[0]

    recipe = Recipe(optimizer="sgd", rate=0.01, schedule="constant", weight_decay=0, clip=1e9, accumulate=2)
    task = Tagging(model, encoder, segment, SAMPLES[:24], [], Augmenter(QUIET, [], []), recipe)
    assert loss.item() == pytest.approx(step(task, task.plan(), task.state(), halves))
    torch.testing.assert_close(expected, model.emit.weight.detach())


def test_predictions_come_in_the_examples_order() -> None:
    model, encoder = parts()
    examples = [encode(sample, encoder, segment, model.config.labels) for sample in SAMPLES]
    together = predict(model, examples, batch_size=5)
    assert [predict(model, [example])[0] for example in examples] == together
    assert any(together)
