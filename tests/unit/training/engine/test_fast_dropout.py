"""Quick dropout is dropout: the same share of zeros, the same mean, nothing in evaluation, reproducible."""

import pytest
import torch
from torch import nn

from training.engine.fast_dropout import FastDropout, quicken_dropout


@pytest.mark.parametrize("rate", [0.1, 0.55])
def test_it_drops_its_share_and_keeps_the_mean(rate: float) -> None:
    torch.manual_seed(1)
    out = FastDropout(rate)(torch.ones(400, 1000))

    assert pytest.approx(rate, abs=0.005) == float(out.eq(0).float().mean())
    assert torch.allclose(out[out.ne(0)], torch.tensor(1 / (1 - rate)))
    # Not by rows or columns: each value for itself.
    assert pytest.approx(rate, abs=0.1) == float(out.eq(0).float().mean(0).max())


def test_gradients_pass_where_values_did() -> None:
    inputs = torch.ones(50, 50, requires_grad=True)
    out = FastDropout(0.5)(inputs)
    out.sum().backward()  # type: ignore[no-untyped-call]

    assert inputs.grad is not None
    assert torch.equal(out.detach(), inputs.grad)


def test_in_evaluation_it_does_nothing() -> None:
    inputs = torch.randn(8, 8)

    assert FastDropout(0.5).eval()(inputs) is inputs


def test_torchs_seed_is_its_seed() -> None:
    layer, inputs = FastDropout(0.5), torch.ones(64, 64)
    torch.manual_seed(7)
    first, second = layer(inputs), layer(inputs)
    torch.manual_seed(7)

    assert torch.equal(layer(inputs), first)
    assert not torch.equal(first, second)


def test_every_dropout_of_a_model_is_replaced_and_no_weight() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(0.3)), nn.Dropout(0.1))
    names = list(model.state_dict())
    quicken_dropout(model)

    assert [0.3, 0.1] == [m.p for m in model.modules() if isinstance(m, FastDropout)]
    assert not [m for m in model.modules() if isinstance(m, nn.Dropout)]
    assert names == list(model.state_dict())
