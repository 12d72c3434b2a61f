"""A tagger starts with exactly the encoder that was trained further, or says why it cannot."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from models.architectures.registry import create
from models.architectures.trimod import TriMod
from models.core.batch import collate
from models.layers.transformer import Transformer
from tests.support.tiny_encoder import tiny_encoder
from training.errors import DataError
from training.pretraining.corpus import PostMasker
from training.pretraining.encoder_file import REPORT, start_encoder, write_encoder

WORDS = ["ann", "riga", "flies", "to"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_encoder(tmp_path_factory.mktemp("encoder"), "mpnet", WORDS))


def tagger(encoder: str, **hyper: Any) -> TriMod:
    settings = {"labels": ("O", "B-LOC", "I-LOC"), "text_encoder": encoder, "word_hidden": 8, "heads": 2}
    model = create("trimod", {**settings, "fusion": "cross", "read_case": True, **hyper}, 2, 4)
    assert isinstance(model, TriMod)
    return model.eval()


def trained(encoder: str, adapters: int, folder: Path) -> Transformer:
    """A transformer whose weights training has moved, also in `folder`."""
    torch.manual_seed(3)
    transformer = Transformer(encoder, adapters, read_case=True).eval()
    with torch.no_grad():
        for parameter in transformer.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    folder.mkdir()
    write_encoder(folder, transformer, encoder, adapters, {"posts": 1})
    return transformer


def states(transformer: Transformer, encoder: str) -> torch.Tensor:
    encoded, _ = PostMasker(encoder, 0.15).encode("Ann flies to RIGA , again")
    with torch.inference_mode():
        return transformer.encode(collate([encoded], 1))


def transformer_of(model: TriMod) -> Transformer:
    [found] = [module for module in model.modules() if isinstance(module, Transformer)]
    return found


@pytest.mark.parametrize("adapters", [0, 4])
def test_the_taggers_encoder_computes_what_the_trained_one_does(
    tmp_path: Path, encoder: str, adapters: int
) -> None:
    source = trained(encoder, adapters, tmp_path / "mlm")
    model = tagger(encoder, adapters=adapters)
    before = states(transformer_of(model), encoder)
    start_encoder(model, tmp_path / "mlm")
    expected = states(source, encoder)
    torch.testing.assert_close(expected, states(transformer_of(model), encoder))
    assert not torch.allclose(expected, before, atol=0.1)


def test_nothing_but_the_encoder_changes(tmp_path: Path, encoder: str) -> None:
    trained(encoder, 0, tmp_path / "mlm")
    model = tagger(encoder)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    start_encoder(model, tmp_path / "mlm")
    other = {name for name, tensor in model.state_dict().items() if not torch.equal(before[name], tensor)}
    inside = {
        f"{prefix}.{name}"
        for prefix, module in model.named_modules()
        if isinstance(module, Transformer)
        for name, parameter in module.named_parameters()
        if parameter.requires_grad
    }
    assert inside == other


@pytest.mark.parametrize(("stored", "rank"), [(8, 4), (0, 16)])
def test_adapters_of_a_lower_rank_come_nearest(tmp_path: Path, encoder: str, stored: int, rank: int) -> None:
    source = trained(encoder, stored, tmp_path / "mlm")
    model, plain = tagger(encoder, adapters=rank), tagger(encoder, adapters=rank)
    start_encoder(model, tmp_path / "mlm")
    expected, found, without = (
        states(each, encoder) for each in (source, transformer_of(model), transformer_of(plain))
    )
    assert (found - expected).norm() < 0.9 * (without - expected).norm()


def test_a_tagger_that_does_not_read_case_takes_the_rest(tmp_path: Path, encoder: str) -> None:
    source = trained(encoder, 0, tmp_path / "mlm")
    model = tagger(encoder, read_case=False)
    start_encoder(model, tmp_path / "mlm")
    source.case = None
    torch.testing.assert_close(states(source, encoder), states(transformer_of(model), encoder))


def test_why_an_encoder_does_not_fit(tmp_path: Path, encoder: str) -> None:
    trained(encoder, 4, tmp_path / "mlm")
    other = str(tiny_encoder(tmp_path / "other", "mpnet", WORDS, seed=2))
    for model, told in (
        (tagger(encoder), "needs a model with adapters of at most rank 4, e.g. --set adapters=4"),
        (tagger(encoder, adapters=8), "needs a model with adapters of at most rank 4"),
        (tagger(other, adapters=4), f"has the encoder {encoder}, but this model's is {other}"),
        (tagger("", fusion="views", read_case=False), "but this model's is not a pretrained one"),
    ):
        with pytest.raises(DataError, match=r"--start-encoder") as error:
            start_encoder(model, tmp_path / "mlm")
        assert told in str(error.value)


def test_another_version_of_the_package_is_refused(tmp_path: Path, encoder: str) -> None:
    trained(encoder, 4, tmp_path / "mlm")
    report = tmp_path / "mlm" / REPORT
    report.write_text(json.dumps(json.loads(report.read_text()) | {"table_sha256": "0" * 64}))
    with pytest.raises(DataError, match="is not the one it was trained on"):
        start_encoder(tagger(encoder, adapters=4), tmp_path / "mlm")


@pytest.mark.parametrize("content", [None, "{}", "[]", "not JSON"])
def test_what_is_not_such_a_folder_is_reported(tmp_path: Path, encoder: str, content: str | None) -> None:
    if content is not None:
        (tmp_path / REPORT).write_text(content)
    with pytest.raises(DataError, match="not a folder of `trimod train mlm`"):
        start_encoder(tagger(encoder), tmp_path)
