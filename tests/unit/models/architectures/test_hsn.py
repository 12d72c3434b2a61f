"""HSN against equations 5-18 written out in loops, its Table 2's sizes, Table 5's variants, and its blank region."""

import math
from dataclasses import asdict

import pytest
import torch
from torch import nn

from models.architectures.hsn import HSN, Gate, HierarchicalAttention, Highway, HSNConfig
from models.architectures.registry import create
from tests.support.random_batches import (
    CHARACTERS,
    IMAGE,
    LABELS,
    WORDS,
    assert_alone_is_as_in_a_batch,
    batch_of,
    overfits,
    post,
    posts,
    without_gradient,
    without_image,
)

SMALL = {
    "word_size": 16,
    "character_size": 8,
    "part_of_speech_size": 4,
    "hidden": 32,
    "heads": 4,
    "image_size": IMAGE,
    "use_pixels": True,
    "dropout": 0.0,
}
TABLE_5 = {
    "HSN": {},
    "w/o MI": {"gate": False},
    "w/o HA": {"attention": "luong"},
    "w/o MP": {"heads": 1},
    "w/o VF": {"use_captions": False, "use_pixels": False},
}


def small(**changes):
    torch.manual_seed(3)
    return HSN(HSNConfig(LABELS, **(SMALL | changes)), WORDS, CHARACTERS)


def softmax(values):
    total = sum(math.exp(value) for value in values)
    return [math.exp(value) / total for value in values]


def product(rows, weight):
    """Rows times the weight of a linear layer, transposed as torch keeps it."""
    return [[sum(w * x for w, x in zip(out, row, strict=True)) for out in weight] for row in rows]


def attend(v, h, hierarchical):
    """Equations 8-13 for one post: s of the k rows of v, given the n rows of h."""
    k, n = len(v), len(h)
    m = [[sum(a * b for a, b in zip(v[i], h[j], strict=True)) for j in range(n)] for i in range(k)]
    alpha = [softmax([m[i][t] for i in range(k)]) for t in range(n)]
    betas = [softmax(m[t]) for t in range(k)]
    beta = [sum(betas[t][j] for t in range(k)) / k if hierarchical else 1 / n for j in range(n)]
    return [sum(alpha[t][i] * beta[t] for t in range(n)) for i in range(k)]


def by_the_equations(layer, v, h, hierarchical):
    """Equations 14-15 around them; 8-13 alone where there is one head."""
    if layer.heads == 1:
        return attend(v, h, hierarchical)
    projected_v, projected_h = (
        product(v, layer.weighed.weight.tolist()),
        product(h, layer.guide.weight.tolist()),
    )
    width = len(v[0]) // layer.heads
    found = [0.0] * len(v)
    for head in range(layer.heads):
        part = slice(head * width, (head + 1) * width)
        s = attend([row[part] for row in projected_v], [row[part] for row in projected_h], hierarchical)
        found = [a + b / layer.heads for a, b in zip(found, softmax(s), strict=True)]
    return found


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("attention", ["hierarchical", "luong"])
def test_attention_is_equations_8_to_15(heads, attention):
    torch.manual_seed(1)
    layer = HierarchicalAttention(6, heads, attention)
    regions, words = torch.randn(2, 4, 6), torch.randn(2, 5, 6)
    known = torch.tensor([[True] * 4, [True, False, False, True]])
    mask = torch.arange(5) < torch.tensor([[3], [5]])
    with torch.no_grad():
        actual = layer(regions, known, words, mask)
    for row in range(2):
        v, h = regions[row][known[row]].tolist(), words[row][mask[row]].tolist()
        expected = by_the_equations(layer, v, h, attention == "hierarchical")
        torch.testing.assert_close(torch.tensor(expected), actual[row][known[row]])
        assert (actual[row][~known[row]] == 0).all()
        assert float(actual[row].sum()) == pytest.approx(1.0)


def test_the_gate_is_equations_17_and_18():
    torch.manual_seed(1)
    gate = Gate(4)
    text, fused = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    w, u, b = gate.text.weight[0].tolist(), gate.fused.weight[0].tolist(), gate.text.bias.item()
    with torch.no_grad():
        merged, gamma = gate(text, fused)
    for row in range(2):
        for token in range(3):
            h, f = text[row, token].tolist(), fused[row, token].tolist()
            z = sum(w[i] * h[i] + u[i] * f[i] for i in range(4)) + b
            expected = 1 / (1 + math.exp(-z))
            assert float(gamma[row, token]) == pytest.approx(expected)
            expected_o = torch.tensor([expected * h[i] + (1 - expected) * f[i] for i in range(4)])
            torch.testing.assert_close(expected_o, merged[row, token])


def test_highway_mixes_its_input_with_a_layer_of_it():
    torch.manual_seed(1)
    highway = Highway(3)
    inputs = torch.randn(3)
    x = inputs.tolist()
    new, share = (
        [
            sum(w[k] * x[k] for k in range(3)) + b
            for w, b in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
        ]
        for layer in (highway.transform, highway.share)
    )
    expected = []
    for i in range(3):
        t = 1 / (1 + math.exp(-share[i]))
        expected.append(t * max(0.0, new[i]) + (1 - t) * x[i])
    torch.testing.assert_close(torch.tensor(expected), highway(inputs).detach())


def test_the_whole_is_equations_5_to_18_put_together():
    """Which unit reads what: the words weigh the regions (G), and G weighs the words (F)."""
    model, encoded = small(heads=2).eval(), post(3, captions=True, regions=True)
    batch = batch_of([encoded])
    with torch.no_grad():
        emissions, weights = model(batch)
        x = torch.cat(
            [model.words(batch.words), model.part_of_speech(batch.part_of_speech), model.characters(batch)],
            dim=-1,
        )
        h = model.context.lstm(torch.tanh(model.highway(x)))[0][0]
        words = model.regions.captions(model.words(torch.tensor(encoded.image_words))).relu()
        v = torch.cat([words, model.regions.pixels(encoded.regions).relu()])
        s_img = by_the_equations(model.to_image, v.tolist(), h.tolist(), True)
        g = torch.tensor(s_img).unsqueeze(1) * v
        s_sen = by_the_equations(model.to_text, h.tolist(), g.tolist(), True)
        f = torch.tensor(s_sen).unsqueeze(1) * h
        gamma = torch.sigmoid(model.gate.text(h) + model.gate.fused(f))
        expected = model.emit(gamma * h + (1 - gamma) * f)
    torch.testing.assert_close(expected, emissions[0])
    torch.testing.assert_close(torch.cat([gamma, 1 - gamma], dim=1).T, weights[:, 0])


def test_sizes_are_those_of_table_2():
    model = HSN(HSNConfig(LABELS, use_pixels=True), 1000, 90)
    lstm = model.context.lstm
    assert (50, 50) == (model.characters.embed.embedding_dim, model.part_of_speech.embedding_dim)
    assert (400, 400) == (model.regions.captions.out_features, model.regions.pixels.out_features)
    assert (400, True) == (2 * lstm.hidden_size, lstm.bidirectional)
    assert (8, 8) == (model.to_image.heads, model.to_text.heads)
    assert (300 + 50 + 50, 11) == (lstm.input_size, model.part_of_speech.num_embeddings)
    assert (0.5, 0.5) == (model.dropout.p, model.characters.dropout.p)
    assert ("grid", True) == (model.config.inputs.regions, model.config.inputs.part_of_speech)


def test_regions_are_as_wide_as_the_classifiers_cells():
    """By the classifier's name alone, as a user gives it: VGG-16 is the paper's."""
    model = HSN(HSNConfig(LABELS, use_pixels=True, backbone="vgg16"), 10, 10)
    assert 512 == model.config.inputs.image_size == model.regions.pixels.in_features


def test_a_width_that_the_heads_cannot_share_is_refused():
    with pytest.raises(ValueError, match="multiple of heads, got 30 and 4"):
        HSNConfig(LABELS, hidden=30, heads=4)


@pytest.mark.parametrize("variant", TABLE_5)
def test_a_post_does_not_depend_on_its_neighbours(variant):
    """Posts with words about an image, with regions, with both and with neither."""
    model = small(**TABLE_5[variant])
    nn.init.normal_(model.regions.blank)
    assert_alone_is_as_in_a_batch(model, posts(12))


@pytest.mark.parametrize("variant", TABLE_5)
def test_every_weight_is_trained_in_every_variant(variant):
    expected = []
    if variant == "w/o VF":  # one blank region: nothing to choose from
        expected = ["to_image.weighed.weight", "to_image.guide.weight"]
    assert expected == without_gradient(small(**TABLE_5[variant]), posts(16))


def test_weights_are_the_gates_and_sum_to_one():
    model, batch = small().eval(), batch_of(posts(4))
    _, weights = model(batch)
    assert ("text", "fused") == model.modalities
    torch.testing.assert_close(torch.ones_like(batch.mask, dtype=torch.float), weights.sum(dim=0).detach())
    bare = small(gate=False)
    assert ((), (0, *batch.mask.shape)) == (bare.modalities, tuple(bare(batch)[1].shape))


def test_what_is_seen_reaches_the_tags_unless_visual_features_are_off():
    encoded = post(3, captions=True, regions=True)
    for variant, differs in (("HSN", True), ("w/o VF", False)):
        model = small(**TABLE_5[variant]).eval()
        with torch.no_grad():
            seen, unseen = (model(batch_of([each]))[0] for each in (encoded, without_image(encoded)))
        assert differs == (float((seen - unseen).abs().max()) > 1e-5)


def test_a_post_without_image_has_one_learned_region():
    model, encoded = small().eval(), post(1)
    with torch.no_grad():
        before, _ = model(batch_of([encoded]))
        model.regions.blank.neg_()
        after, _ = model(batch_of([encoded]))
    assert float((before - after).abs().max()) > 1e-5
    regions, known = model.regions(batch_of([encoded]), torch.zeros(1, 1, 16))
    assert torch.equal(model.regions.blank, regions[0][known[0]][0])


@pytest.mark.parametrize("variant", ["HSN", "w/o MI"])
def test_it_learns_32_posts_by_heart(variant):
    assert 1.0 == overfits(small(**TABLE_5[variant]), posts(32), rate=0.02, steps=30)


def test_it_is_in_the_registry_with_its_settings_as_json_has_them():
    hyper = asdict(HSNConfig(LABELS, **SMALL)) | {"labels": list(LABELS)}
    assert isinstance(create("hsn", hyper, WORDS, CHARACTERS), HSN)
