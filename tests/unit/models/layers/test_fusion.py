"""Fusion against equations 11-12 written out with loops."""

import math

import torch

from models.layers.fusion import AttentionFusion, CrossModalFusion

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


def attention(layer: torch.nn.MultiheadAttention, query: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Vaswani et al. (2017), equation 1, for one token [size] over the words [k, size], head by head."""
    size, heads = layer.embed_dim, layer.num_heads
    if layer.in_proj_weight is not None:
        weights = layer.in_proj_weight.chunk(3)
    else:
        weights = (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
    q_bias, k_bias, v_bias = layer.in_proj_bias.chunk(3)
    q = weights[0] @ query + q_bias
    joined = []
    for head in range(heads):
        part = slice(head * size // heads, (head + 1) * size // heads)
        scores = [
            float(q[part] @ (weights[1] @ word + k_bias)[part]) / (size // heads) ** 0.5 for word in known
        ]
        total = sum(math.exp(score) for score in scores)
        joined.append(
            sum(
                math.exp(s) / total * (weights[2] @ w + v_bias)[part]
                for s, w in zip(scores, known, strict=True)
            )
        )
    return layer.out_proj.weight @ torch.cat(joined) + layer.out_proj.bias


def test_cross_modal_fusion_is_attention_written_out_then_equations_11_and_12() -> None:
    torch.manual_seed(2)
    fusion = CrossModalFusion(4, 6, heads=2, dropout=0.0).eval()
    torch.nn.init.normal_(fusion.fusion.u)
    text, image, hashtags = torch.randn(1, 3, 4), torch.randn(1, 2, 6), torch.randn(1, 5, 6)
    mask = torch.ones(1, 3, dtype=torch.bool)
    contexts = [(words, torch.ones(1, words.shape[1], dtype=torch.bool)) for words in (image, hashtags)]
    present = torch.ones(3, 1, dtype=torch.bool)
    with torch.no_grad():
        fused, weights = fusion(text, mask, contexts, present)
        for token in range(3):
            own = fusion.norm(text[0, token] + attention(fusion.self_attention, text[0, token], text[0]))
            views = [own] + [
                own + attention(layer, own, words[0])
                for layer, words in zip(fusion.cross_attention, (image, hashtags), strict=True)
            ]
            features = torch.stack(views).view(3, 1, 1, 4)
            expected, shares = fusion.fusion(features, present)
            torch.testing.assert_close(expected[0, 0], fused[0, token])
            torch.testing.assert_close(shares[:, 0, 0], weights[:, 0, token])


def test_cross_modal_fusion_ignores_padding_and_absent_modalities() -> None:
    torch.manual_seed(3)
    fusion = CrossModalFusion(4, 6, heads=2, dropout=0.0).eval()
    text, words = torch.randn(1, 3, 4), torch.randn(1, 2, 6)
    none = (torch.zeros(1, 2, 6), torch.zeros(1, 2, dtype=torch.bool))
    padded_text = torch.cat([text, torch.full((1, 2, 4), 9.0)], dim=1)
    padded_words = torch.cat([words, torch.full((1, 3, 6), 9.0)], dim=1)
    present = torch.tensor([[True], [True], [False]])
    with torch.no_grad():
        alone = fusion(
            text,
            torch.ones(1, 3, dtype=torch.bool),
            [(words, torch.ones(1, 2, dtype=torch.bool)), none],
            present,
        )
        padded = fusion(
            padded_text,
            torch.tensor([[True] * 3 + [False] * 2]),
            [(padded_words, torch.tensor([[True] * 2 + [False] * 3])), none],
            present,
        )
    torch.testing.assert_close(alone[0], padded[0][:, :3])
    assert torch.isfinite(padded[0]).all()
    assert (alone[1][2] == 0).all()
