"""The engine behind a tagger: what the eager one gives, and that the tagger needs no more than the protocol."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from models.core.batch import Encoded, collate
from models.inference.engine import InferenceEngine, Scores
from models.inference.tagger import Tagger
from models.inference.torch_engine import TorchEngine
from tests.support.tiny_checkpoint import tiny_checkpoint


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    return Tagger.load(tiny_checkpoint(tmp_path_factory.mktemp("tiny")), "cpu")


def encoded(tagger: Tagger, *texts: str) -> list[Encoded]:
    return [tagger.encoder.encode(tagger.encoder.token_ids(text.split())) for text in texts]


def test_the_eager_engine_gives_the_models_own_scores(tagger: Tagger) -> None:
    group = encoded(tagger, "Toronto Maple Leafs", "in Riga")
    engine: InferenceEngine = TorchEngine(tagger.model)
    scores = engine.run(group)
    batch = collate(group, tagger.model.config.inputs.image_size)
    with torch.inference_mode():
        emissions, weights = tagger.model(batch)
    assert ("torch-fp32", "cpu", "fp32") == (engine.name, engine.device.type, engine.precision)
    assert [[True, True, True], [True, True, False]] == scores.mask.tolist()
    torch.testing.assert_close(emissions, scores.emissions, rtol=0, atol=0)
    torch.testing.assert_close(weights, scores.weights, rtol=0, atol=0)


class AllPlaces:
    """An engine that knows no torch module: every token is a place by itself."""

    name, precision, device = "all places", "int8", torch.device("cpu")

    def __init__(self, tagger: Tagger) -> None:
        self.begins = tagger.labels.index("B-LOC")
        self.shape = (len(tagger.labels), len(tagger.model.modalities))

    def run(self, group: Sequence[Encoded]) -> Scores:
        longest = max(len(post.words) for post in group)
        mask = torch.tensor([[n < len(post.words) for n in range(longest)] for post in group])
        emissions = torch.zeros(*mask.shape, self.shape[0])
        emissions[..., self.begins] = 50.0
        return Scores(emissions, mask, torch.ones(self.shape[1], *mask.shape) / self.shape[1])


def test_a_tagger_runs_on_any_engine(tmp_path: Path) -> None:
    tagger = Tagger.load(tiny_checkpoint(tmp_path), "cpu")
    tagger._engine = AllPlaces(tagger)
    found = [[(m.text, m.type) for m in mentions] for mentions in tagger.tag(["in Riga", "now"])]
    assert [[("in", "LOC"), ("Riga", "LOC")], [("now", "LOC")]] == found
