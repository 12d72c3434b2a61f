"""What is compressed comes back to the bit, and takes less; what is no stream, or swells without end, is refused."""

import lzma
import zlib

import pytest
import torch

from models.checkpoints import compression as module
from models.checkpoints.compression import compressed, restored

either_way = pytest.mark.parametrize("repeats", [True, False])


def tables() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    words = torch.tensor(list(b"red redder reddest " * 500), dtype=torch.uint8)
    return {"words": words, "scores": torch.randn(40, 2).half(), "pairs": torch.arange(80).reshape(-1, 2).t()}


@either_way
def test_all_comes_back_to_the_bit(repeats: bool) -> None:
    before, after = tables(), restored(compressed(tables(), repeats))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [t.dtype for t in before.values()] == [after[name].dtype for name in before]


def test_words_shrink() -> None:
    assert len(tables()["words"]) > 4 * len(compressed(tables()))


def test_weights_in_few_bits_take_what_their_frequencies_ask_for() -> None:
    """No code of single numbers can take less than their entropy (Shannon 1948); xz takes more than this one."""
    torch.manual_seed(1)
    codes = (2 * torch.randn(100_000)).round().clamp(-7, 7).to(torch.int8)
    shares = codes.unique(return_counts=True)[1] / len(codes)
    entropy = float(-(shares * shares.log2()).sum()) / 8 * len(codes)
    taken = len(compressed({"codes": codes}, repeats=False))
    assert entropy < taken < 1.03 * entropy
    assert taken < len(compressed({"codes": codes}))


@either_way
def test_what_is_no_stream_is_refused(repeats: bool) -> None:
    with pytest.raises(ValueError, match="not compressed tensors"):
        restored(torch.zeros(100, dtype=torch.uint8))
    for other in (lzma, zlib):
        with pytest.raises(ValueError, match="not compressed tensors"):
            restored(torch.tensor(list(other.compress(b"not tensors")), dtype=torch.uint8))
    with pytest.raises(ValueError, match="cut short"):
        restored(compressed(tables(), repeats)[:-20])


@either_way
def test_what_swells_beyond_the_limit_is_refused(repeats: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes can hold gigabytes of zeros."""
    monkeypatch.setattr(module, "MOST", 1000)
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        restored(compressed(tables(), repeats))
