"""CWI against its equations and Table 4 written out in loops, its tables' sizes, and independence of neighbours."""

import math
from dataclasses import asdict

import pytest
import torch
from torch import nn

from models.architectures.cwi import CWI, CWIConfig, PostGroupNorm, SelfAttention, SineReLU, TargetedDropout
from models.architectures.registry import create
from tests.support.random_batches import (
    CHARACTERS,
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
from tests.unit.models.layers.test_layers import convolved

SMALL = {"glove_size": 12, "fasttext_size": 8, "character_size": 8, "word_hidden": 16, "fusion_hidden": 16}


def small(**changes):
    torch.manual_seed(3)
    return CWI(CWIConfig(LABELS, **(SMALL | changes)), WORDS, CHARACTERS)


def test_sine_relu_is_equation_11():
    values = [-7.0, -1.0, -0.1, 0.0, 0.1, 3.0]
    expected = [x if x > 0 else 0.0025 * (math.sin(x) - math.cos(x)) for x in values]
    torch.testing.assert_close(torch.tensor(expected), SineReLU(0.0025)(torch.tensor(values)))


def test_targeted_dropout_drops_only_the_smallest_outputs_of_a_character():
    torch.manual_seed(1)
    inputs = torch.randn(2, 10, 3)
    dropped = TargetedDropout(1.0, 0.4)(inputs)
    for row in range(2):
        for character in range(3):
            column = inputs[row, :, character].tolist()
            limit = sorted(map(abs, column))[4]  # 40 % of ten are below it
            expected = [0.0 if abs(value) < limit else value for value in column]
            assert expected == dropped[row, :, character].tolist()


def test_targeted_dropout_drops_a_quarter_of_the_targets_and_none_outside_training():
    torch.manual_seed(1)
    inputs = torch.randn(500, 10, 8) + 10.0
    layer = TargetedDropout(0.25, 0.4)
    share = float((layer(inputs) == 0).float().mean())
    assert share == pytest.approx(0.1, abs=0.01)
    assert torch.equal(inputs, layer.eval()(inputs))


def test_group_norm_is_that_of_the_characters_of_each_post_joined():
    torch.manual_seed(1)
    norm = PostGroupNorm(2, 6)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    lengths, owner = [3, 1, 5, 2], torch.tensor([0, 0, 1, 1])
    inputs = torch.randn(4, 6, 5)
    mask = torch.arange(5) < torch.tensor(lengths).unsqueeze(1)
    with torch.no_grad():
        actual = norm(inputs, mask, owner, 2)
        for first in (0, 2):
            rows = [inputs[row, :, : lengths[row]] for row in (first, first + 1)]
            expected = nn.functional.group_norm(torch.cat(rows, dim=1)[None], 2, norm.weight, norm.bias)[0]
            joined = torch.cat([actual[row, :, : lengths[row]] for row in (first, first + 1)], dim=1)
            torch.testing.assert_close(expected, joined)


def pooled(features):
    """The larger of each character and the next, by loops."""
    channels, length = features.shape
    return torch.tensor(
        [[max(features[c, p : p + 2].tolist()) for p in range(length)] for c in range(channels)]
    )


def test_characters_go_through_table_4_layer_by_layer():
    model = small(regularised=False).eval()
    encoded = post(5)
    with torch.no_grad():
        actual = model.characters(batch_of([encoded, post(6), post(7)]))
        three, five, seven, nine, eleven, thirteen = model.characters.convolutions
        for token, characters in enumerate(encoded.characters):
            embedded = model.characters.embed(torch.tensor(characters)).T
            layer4 = pooled(convolved(three, embedded))
            layer6 = pooled(convolved(five, layer4))
            layer8 = pooled(convolved(seven, layer6))
            layer10 = torch.cat([layer8, convolved(nine, layer8)])
            layer12 = torch.cat([layer6, convolved(eleven, layer10)])
            layer14 = torch.cat([layer4, convolved(thirteen, layer12)])
            torch.testing.assert_close(layer14.max(dim=1).values, actual[0, token])


def test_attention_is_equations_13_to_15():
    torch.manual_seed(1)
    size, lengths = 4, [5, 3]
    attention = SelfAttention(size)
    nn.init.normal_(attention.project.weight)
    nn.init.normal_(attention.project.bias)
    states = torch.randn(2, 5, size)
    mask = torch.arange(5) < torch.tensor(lengths).unsqueeze(1)
    weight, bias = attention.project.weight.tolist(), attention.project.bias.tolist()
    with torch.no_grad():
        actual = attention(states, mask)
    for row, length in enumerate(lengths):
        h = states[row].tolist()
        for i in range(length):
            u = [math.tanh(sum(weight[r][k] * h[i][k] for k in range(size)) + bias[r]) for r in range(size)]
            alpha = [math.exp(sum(h[t][k] * u[k] for k in range(size))) for t in range(length)]
            beta = [sum(a * h[t][k] for t, a in enumerate(alpha)) / sum(alpha) for k in range(size)]
            torch.testing.assert_close(torch.tensor(beta), actual[row, i])


def test_sizes_are_those_of_tables_4_to_7():
    model = CWI(CWIConfig(LABELS), 1000, 90)
    characters, context, image, fusion = model.characters, model.context.lstm, model.image, model.fusion.lstm
    assert 40 == characters.embed.embedding_dim
    kernels = [(c.convolve.kernel_size[0], c.convolve.out_channels) for c in characters.convolutions]
    assert [(2, 16), (3, 32), (4, 64), (4, 64), (3, 32), (2, 16)] == kernels
    assert [40, 16, 32, 64, 128, 64] == [c.convolve.in_channels for c in characters.convolutions]
    drop, sine, norm = characters.regularise.children()
    assert (0.25, 0.4, 0.0025) == (drop.drop_rate, drop.target_rate, sine.epsilon)
    assert (16, (32,)) == (norm.groups, tuple(norm.weight.shape))
    assert [200, 300] == [table.embedding_dim for table in model.words.tables]
    assert (500, 100, True) == (context.input_size, context.hidden_size, context.bidirectional)
    assert (50, 50, False) == (image.embed.embedding_dim, image.lstm.hidden_size, image.lstm.bidirectional)
    assert (32 + 200 + 50, 100, True) == (fusion.input_size, fusion.hidden_size, fusion.bidirectional)
    assert (9, 200) == tuple(model.emit.weight.shape)
    inputs = model.config.inputs
    assert (40, "content", 5) == (inputs.max_characters, inputs.image_words, inputs.max_image_words)
    assert "classes" == CWIConfig(LABELS, use_pixels=True).inputs.image_words
    bound = float(characters.embed.weight.detach().abs().max())
    assert 0.24 < bound <= 0.25


def test_table_8s_embedding_sizes_are_those_of_both_word_tables():
    for glove, total in ((50, 350), (100, 400), (200, 500), (300, 600)):
        model = CWI(CWIConfig(LABELS, glove_size=glove), 10, 10)
        assert total == model.context.lstm.input_size


def test_table_9_leaves_out_all_three_regularisers():
    kinds = {type(module) for module in small(regularised=False).modules()}
    assert not kinds & {TargetedDropout, SineReLU, PostGroupNorm}


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("regularised", [False, True])
def test_a_post_does_not_depend_on_its_neighbours(attention, regularised):
    model = small(attention=attention, regularised=regularised)
    assert_alone_is_as_in_a_batch(model, posts(12))


def test_class_words_reach_the_tags_and_a_post_without_any_reads_zeros():
    model = small().eval()
    encoded = post(1, captions=True)
    with torch.no_grad():
        seen, unseen = (model(batch_of([each]))[0] for each in (encoded, without_image(encoded)))
        image = model.image(batch_of([encoded, without_image(encoded)]))
    assert float((seen - unseen).abs().max()) > 1e-4
    assert (image[1] == 0).all()


def test_it_weighs_no_modalities():
    model = small()
    batch = batch_of(posts(4))
    assert ((), (0, *batch.mask.shape)) == (model.modalities, tuple(model(batch)[1].shape))


@pytest.mark.parametrize(("attention", "steps"), [(False, 30), (True, 50)])
def test_it_learns_32_posts_by_heart(attention, steps):
    assert 1.0 == overfits(small(attention=attention), posts(32), rate=0.03, steps=steps)


def test_every_weight_is_trained():
    assert [] == without_gradient(small(attention=True), posts(16))


def test_it_is_in_the_registry_with_its_settings_as_json_has_them():
    hyper = asdict(CWIConfig(LABELS, **SMALL)) | {"labels": list(LABELS)}
    assert isinstance(create("cwi", hyper, WORDS, CHARACTERS), CWI)
