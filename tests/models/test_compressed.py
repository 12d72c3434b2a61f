"""What is compressed comes back to the bit, and takes less; what is no stream, or swells without end, is refused."""

import lzma

import pytest
import torch

from models import compressed as module
from models.compressed import compressed, restored


def tables() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    words = torch.tensor(list(b"red redder reddest " * 500), dtype=torch.uint8)
    return {"words": words, "scores": torch.randn(40, 2).half(), "pairs": torch.arange(80).reshape(-1, 2).t()}


def test_all_comes_back_to_the_bit() -> None:
    before, after = tables(), restored(compressed(tables()))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [t.dtype for t in before.values()] == [after[name].dtype for name in before]


def test_words_shrink() -> None:
    assert len(tables()["words"]) > 4 * len(compressed(tables()))


def test_what_is_no_stream_is_refused() -> None:
    with pytest.raises(ValueError, match="no compressed tensors"):
        restored(torch.zeros(100, dtype=torch.uint8))
    with pytest.raises(ValueError, match="no compressed tensors"):
        restored(torch.tensor(list(lzma.compress(b"not tensors")), dtype=torch.uint8))
    with pytest.raises(ValueError, match="cut short"):
        restored(compressed(tables())[:-20])


def test_what_swells_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes can hold gigabytes of zeros."""
    monkeypatch.setattr(module, "MOST", 1000)
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        restored(compressed(tables()))
