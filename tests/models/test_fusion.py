"""Fusion against equations 11-12 written out with loops."""

import math

import torch

from models.fusion import AttentionFusion

M, B, N, D = 3, 2, 4, 5


def by_the_equations(
    fusion: AttentionFusion, features: torch.Tensor, present: torch.Tensor, post: int, token: int
) -> tuple[list[float], list[float]]:
    """f_s and the normalised weights of one token."""
    gammas = []
    for i in range(M):
        layer, gamma = fusion.project[i], 0.0
        if present[i, post]:
            f = features[i, post, token]
            projected = [
                sum(float(layer.weight[row, k]) * float(f[k]) for k in range(D)) + float(layer.bias[row])
                for row in range(D)
            ]
            gamma = math.exp(sum(float(fusion.u[row]) * math.tanh(projected[row]) for row in range(D)))
        gammas.append(gamma)
    total = sum(gammas)
    fused = [
        sum(g * float(features[i, post, token, k]) for i, g in enumerate(gammas)) / total for k in range(D)
    ]
    return fused, [gamma / total for gamma in gammas]


def test_fusion_is_equations_11_and_12() -> None:
    torch.manual_seed(1)
    fusion = AttentionFusion(M, D)
    torch.nn.init.normal_(fusion.u)
    features = torch.randn(M, B, N, D)
    present = torch.tensor([[True, True], [True, False], [True, True]])
    with torch.no_grad():
        fused, weights = fusion(features, present)
        for post in range(B):
            for token in range(N):
                expected, shares = by_the_equations(fusion, features, present, post, token)
                torch.testing.assert_close(torch.tensor(expected), fused[post, token])
                torch.testing.assert_close(torch.tensor(shares), weights[:, post, token])


def test_an_absent_modality_weighs_nothing_and_its_features_do_not_matter() -> None:
    fusion = AttentionFusion(M, D)
    features = torch.randn(M, 1, N, D)
    present = torch.tensor([[True], [False], [False]])
    changed = features.clone()
    changed[1:] = 1e6
    expected, weights = fusion(features, present)
    torch.testing.assert_close(expected, fusion(changed, present)[0])
    torch.testing.assert_close(torch.tensor([1.0, 0.0, 0.0]), weights[:, 0, 0])
