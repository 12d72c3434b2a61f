"""Low-rank adapters change nothing at first, train alone, and merge into the same function."""

import torch
from torch import nn

from models.layers.lora import LowRankLinear, add_adapters, fitted, halve_frozen, merge_adapters


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Sequential(nn.Linear(5, 4)))


def trained(rank: int) -> tuple[nn.Sequential, nn.Sequential]:
    """A network with adapters whose updates are no longer zero, and the plain one it was made of."""
    plain, adapted = network(), network()
    add_adapters(adapted, rank)
    for layer in adapted.modules():
        if isinstance(layer, LowRankLinear):
            nn.init.normal_(layer.up)
    return plain, adapted


@torch.no_grad()
def test_an_adapter_is_w_x_plus_s_b_a_x() -> None:
    layer = LowRankLinear(nn.Linear(3, 2), rank=4)
    nn.init.normal_(layer.up)
    x = [0.5, -1.0, 2.0]
    expected = []
    for row in range(2):
        frozen = float(layer.frozen.bias[row]) + sum(
            float(layer.frozen.weight[row, k]) * x[k] for k in range(3)
        )
        down = [sum(float(layer.down[r, k]) * x[k] for k in range(3)) for r in range(4)]
        expected.append(frozen + 4.0 / 4**0.5 * sum(float(layer.up[row, r]) * down[r] for r in range(4)))
    torch.testing.assert_close(torch.tensor(expected), layer(torch.tensor(x)))


def test_new_adapters_change_nothing_and_only_they_are_trained() -> None:
    plain, adapted = network(), network()
    add_adapters(adapted, 2)
    x = torch.randn(7, 6)
    assert torch.equal(plain(x), adapted(x))
    trainable = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert {"0.down", "0.up", "2.0.down", "2.0.up"} == trainable


def test_merged_they_compute_the_same_without_extra_layers() -> None:
    plain, adapted = trained(2)
    x = torch.randn(7, 6)
    before = adapted(x)
    merge_adapters(adapted)
    torch.testing.assert_close(before, adapted(x))
    assert not torch.allclose(plain(x), adapted(x))
    assert [type(module) for module in plain.modules()] == [type(module) for module in adapted.modules()]


def test_halved_weights_are_the_frozen_ones() -> None:
    _, adapted = trained(2)
    halve_frozen(adapted)
    kinds = {name: parameter.dtype for name, parameter in adapted.named_parameters()}
    assert torch.bfloat16 == kinds["0.frozen.weight"]
    assert torch.float32 == kinds["0.down"]


def test_biases_that_are_trained_are_not_halved() -> None:
    """A step of 1e-4 on a bias of 1 is nothing in bfloat16, whose next number is 1.0078."""
    _, adapted = trained(2)
    adapted.get_parameter("0.frozen.bias").requires_grad_(True)
    halve_frozen(adapted)
    kinds = {name: parameter.dtype for name, parameter in adapted.named_parameters()}
    assert torch.float32 == kinds["0.frozen.bias"]
    assert torch.bfloat16 == kinds["2.0.frozen.bias"]


def _updates(weights: dict[str, torch.Tensor], names: tuple[str, ...] = ("0", "2.0")) -> list[torch.Tensor]:
    """What each adapter adds to its layer's weights."""
    found = []
    for name in names:
        down, up = weights[f"{name}.down"], weights[f"{name}.up"]
        found.append(4.0 / down.shape[0] ** 0.5 * up @ down)
    return found


@torch.no_grad()
def test_a_lower_rank_keeps_the_largest_singular_values_of_the_update() -> None:
    (_, before), (_, lower) = trained(4), trained(2)
    lower.load_state_dict(fitted(before.state_dict(), lower))

    for update, after in zip(_updates(before.state_dict()), _updates(lower.state_dict()), strict=True):
        left, sizes, right = torch.linalg.svd(update)
        nearest = sum(sizes[k] * torch.outer(left[:, k], right[k]) for k in range(2))
        torch.testing.assert_close(nearest, after)
    assert torch.equal(before.state_dict()["0.frozen.weight"], lower.state_dict()["0.frozen.weight"])


@torch.no_grad()
def test_a_rank_that_is_not_lower_changes_nothing() -> None:
    weights = trained(2)[1].state_dict()

    for rank in (2, 8):
        kept = fitted(weights, trained(rank)[1])
        assert all(torch.equal(weight, kept[name]) for name, weight in weights.items())


@torch.no_grad()
def test_weights_that_fit_already_stay_as_they_are() -> None:
    plain, adapted = trained(2)

    for module in (plain, adapted):
        kept = fitted(module.state_dict(), module)
        assert module.state_dict().keys() == kept.keys()
        assert all(torch.equal(weight, kept[name]) for name, weight in module.state_dict().items())


@torch.no_grad()
def test_layers_that_were_tuned_themselves_become_adapters() -> None:
    """The second, of rank 4, computes the same; of the first, 5 x 6, the four largest singular values are kept."""
    tuned, adapted = network(), network()
    for parameter in tuned.parameters():
        parameter += torch.randn_like(parameter)
    add_adapters(adapted, 4)
    for layer in adapted.modules():
        if isinstance(layer, LowRankLinear) and layer.frozen.bias is not None:
            layer.frozen.bias.requires_grad_(True)
    adapted.load_state_dict(fitted(tuned.state_dict(), adapted))

    left, sizes, right = torch.linalg.svd(tuned[0].weight - network()[0].weight, full_matrices=False)
    tuned[0].weight -= sizes[4] * torch.outer(left[:, 4], right[4])
    x = torch.randn(7, 6)
    torch.testing.assert_close(tuned(x), adapted(x))


@torch.no_grad()
def test_what_is_frozen_keeps_its_own_weights() -> None:
    tuned, adapted = network(), network()
    nn.init.normal_(tuned[0].bias)
    add_adapters(adapted, 4)
    before = adapted.state_dict()["0.frozen.bias"].clone()
    assert torch.equal(before, fitted(tuned.state_dict(), adapted)["0.frozen.bias"])
