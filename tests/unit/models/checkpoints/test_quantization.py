"""Weights in few bits are near to what they were, take the less room, and survive being stored again unchanged."""

import pytest
import torch

from models.checkpoints.quantization import packed, unpacked

every = pytest.mark.parametrize("bits", [3, 4, 8])


def matrices() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    sizes = torch.tensor([1e-3, 0.1, 1.0, 20.0])
    wide = torch.randn(4, 600) * sizes.unsqueeze(1)
    return {"wide": wide, "tall": wide.t().contiguous(), "zero": torch.zeros(40, 40)}


@every
def test_a_weight_is_off_by_half_a_step_of_its_row_at_most(bits: int) -> None:
    """Of its column, where these are fewer: rows of other sizes do not spoil it."""
    before, after = matrices(), unpacked(packed(matrices(), bits))
    steps = before["wide"].abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
    # float16 rounds the steps themselves by a two-thousandth at most, which the largest weight is 127 times of.
    assert ((after["wide"] - before["wide"]).abs() <= 0.57 * steps).all()
    assert torch.equal(after["wide"].t(), after["tall"])
    assert torch.equal(before["zero"], after["zero"])


@every
def test_a_weight_takes_a_byte_of_as_many_values_as_it_has_bits_for(bits: int) -> None:
    stored = packed(matrices(), bits)
    assert {torch.int8} == {stored[name].dtype for name in matrices()}
    assert (4, 1) == stored["wide.steps"].shape
    assert (1, 4) == stored["tall.steps"].shape
    assert 2**bits - 1 >= len(stored["wide"].unique()) > 2 ** (bits - 1)


def test_vectors_whole_numbers_and_small_matrices_stay_as_they_are() -> None:
    kept = {"vector": torch.randn(5000), "ids": torch.arange(2000).reshape(2, -1), "small": torch.randn(9, 9)}
    stored = packed(kept, 8)
    assert kept.keys() == stored.keys()
    assert all(stored[name] is tensor for name, tensor in kept.items())


@every
def test_packed_again_nothing_changes(bits: int) -> None:
    once = unpacked(packed(matrices(), bits))
    again = unpacked(packed(once, bits))
    assert all(torch.equal(once[name], again[name]) for name in once)
