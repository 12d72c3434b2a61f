"""Some tokens are never part of a mention, however the model scores them."""

import pytest
import torch

from models.inference.constraints import Handles, constrain, outside
from models.layers.crf import FORBIDDEN
from models.text.tokenizer import tokenize


@pytest.mark.parametrize(
    ("text", "handles", "expected"),
    [
        (
            "London https://t.co/x a@b.com 🇫🇷 #1 Berlin-Paris",
            "tag",
            ["https://t.co/x", "a@b.com", "🇫🇷", "#1", "Berlin-Paris"],
        ),
        ("London\nParis", "tag", ["\n"]),
        ("@nasa in #London $AAPL", "tag", []),
        ("@nasa in @paris.fr", "skip", ["@nasa", "@paris.fr"]),
    ],
)
def test_outside(text: str, handles: Handles, expected: list[str]) -> None:
    tokens = tokenize(text)
    assert expected == [tokens[index].text for index in outside(tokens, handles)]


def test_only_o_is_possible_there() -> None:
    emissions = torch.arange(12.0).view(2, 2, 3)
    constrained = constrain(emissions, [[], [1]], ["O", "B-X", "I-X"])
    assert [9.0, FORBIDDEN, FORBIDDEN] == constrained[1, 1].tolist()
    assert torch.equal(emissions.flatten()[:9], constrained.flatten()[:9])


def test_without_such_tokens_nothing_changes() -> None:
    emissions = torch.zeros(1, 2, 3)
    assert constrain(emissions, [[]], ["O", "B-X", "I-X"]) is emissions
