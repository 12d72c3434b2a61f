"""The captioner against its equations written out with loops, and beam search against plain lists."""

import math
from dataclasses import asdict, replace

import orjson
import pytest
import torch

from models.vision.captioner import END, PAD, SPECIAL, START, UNKNOWN, Captioner, CaptionerConfig, select
from models.vision.efficientnet import FEATURES, REGIONS

CONFIG = CaptionerConfig(
    ("a", "dog", "runs", "man", "sits"), embedding=6, region=5, attention=4, hidden=7, max_words=6
)


def captioner(**changes):
    """A captioner with random weights large enough that its hypotheses differ."""
    torch.manual_seed(3)
    model = Captioner(replace(CONFIG, **changes))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return model.eval()


def images(count):
    return torch.rand(count, REGIONS, FEATURES, generator=torch.Generator().manual_seed(5))


def dot(row, column):
    return sum(x * y for x, y in zip(row, column, strict=True))


def affine(layer, vector):
    bias = [0.0] * len(layer.weight) if layer.bias is None else layer.bias.tolist()
    return [dot(row, vector) + b for row, b in zip(layer.weight.tolist(), bias, strict=True)]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def written_out(model, regions, words):
    """Logits after each word of one caption of one image: Xu's equations 1-7 for single numbers."""
    strongest = sorted(regions, key=lambda region: -dot(region, region))[: model.config.objects]
    image = [sum(column) / len(regions) for column in zip(*regions, strict=True)]
    linear, norm = model.project[0], model.project[2]
    values = []
    for region in [image, *strongest]:
        row = [max(0.0, x) for x in affine(linear, region)]
        mean = sum(row) / len(row)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in row) / len(row) + norm.eps)
        weight, bias = norm.weight.tolist(), norm.bias.tolist()
        values.append([(x - mean) / deviation * w + b for x, w, b in zip(row, weight, bias, strict=True)])
    start = [math.tanh(x) for x in affine(model.start, values[0])]
    h, c = start[: model.config.hidden], start[model.config.hidden :]
    table, result = model.embed.weight.tolist(), []
    for word in words:
        query, scores = affine(model.query, h), []
        for value in values:
            hidden = [math.tanh(k + q) for k, q in zip(affine(model.keys, value), query, strict=True)]
            scores.append(math.exp(dot(model.score.tolist(), hidden)))
        weights = [score / sum(scores) for score in scores]
        context = [dot(weights, column) for column in zip(*values, strict=True)]
        context = [sigmoid(b) * x for b, x in zip(affine(model.gate, h), context, strict=True)]
        before = affine(model.word_gates, table[word])
        gates = [x + y for x, y in zip(before, affine(model.state_gates, h + context), strict=True)]
        write, keep, read, new = (gates[i::1][: len(h)] for i in range(0, len(gates), len(h)))
        c = [
            sigmoid(f) * x + sigmoid(i) * math.tanh(g) for f, x, i, g in zip(keep, c, write, new, strict=True)
        ]
        h = [sigmoid(o) * math.tanh(x) for o, x in zip(read, c, strict=True)]
        deep = [math.tanh(x + e) for x, e in zip(affine(model.output, h + context), table[word], strict=True)]
        result.append([dot(row, deep) + b for row, b in zip(table, model.bias.tolist(), strict=True)])
    return result


@pytest.mark.parametrize("objects", [3, REGIONS])
def test_logits_are_the_equations_written_out(objects):
    model, regions = captioner(objects=objects), images(2)
    words = torch.tensor([[[START, 4, 5], [START, 6, 7]], [[START, 8, 4], [START, 5, 5]]])
    with torch.no_grad():
        found = model(select(regions, objects), words)
    for image in range(2):
        for caption in range(2):
            expected = written_out(model, regions[image].tolist(), words[image, caption].tolist())
            torch.testing.assert_close(torch.tensor(expected), found[image, caption], atol=1e-4, rtol=1e-4)


def plain_beam_search(model, regions):
    """The same search over Python lists, one hypothesis at a time, from whole-caption logits."""
    config, live = model.config, [((START,), 0.0)]
    selected = select(regions[None], config.objects)
    for _ in range(config.max_words):
        longer = []
        for words, score in live:
            if words[-1] == END:
                longer.append((words, score))
                continue
            with torch.no_grad():
                gains = model(selected, torch.tensor([[words]]))[0, 0, -1].log_softmax(-1).tolist()
            longer += [
                ((*words, number), score + gain)
                for number, gain in enumerate(gains)
                if number not in (PAD, START, UNKNOWN)
            ]
        live = sorted(longer, key=lambda hypothesis: -hypothesis[1])[: config.beam]
    words, _ = max(
        live, key=lambda hypothesis: hypothesis[1] / (len(hypothesis[0]) - 1) ** config.length_power
    )
    return [config.vocabulary[number - SPECIAL] for number in words if number >= SPECIAL]


@pytest.mark.parametrize("beam", [1, 3])
def test_beam_search_finds_what_the_plain_one_finds(beam):
    model, regions = captioner(beam=beam), images(12)
    with torch.no_grad():
        model.bias[END] += 2.0  # some captions end early, others run to the limit
    expected = [plain_beam_search(model, each) for each in regions]
    assert expected == model.caption(regions)
    assert len({len(caption) for caption in expected}) > 1


def test_a_caption_does_not_depend_on_the_neighbours():
    model, regions = captioner(), images(8)
    assert [model.caption(each[None])[0] for each in regions] == model.caption(regions)


def test_no_images_no_captions():
    assert [] == captioner().caption(images(0))


def test_captions_have_words_only_and_no_more_than_the_limit():
    model = captioner()
    with torch.no_grad():
        model.bias[[PAD, START, UNKNOWN]] += 100.0
        model.bias[END] -= 100.0
    for caption in model.caption(images(4)):
        assert CONFIG.max_words == len(caption)
        assert set(caption) <= set(CONFIG.vocabulary)


def test_padding_behind_a_caption_changes_nothing():
    model, selected = captioner(), select(images(1), CONFIG.objects)
    words = torch.tensor([[[START, 4, 5, PAD, PAD]]])
    with torch.no_grad():
        torch.testing.assert_close(model(selected, words[..., :3]), model(selected, words)[:, :, :3])


def test_the_image_and_its_strongest_objects_are_selected():
    regions = images(1)
    regions[:, [30, 2]] *= 3
    regions[:, 2] *= 2
    selected = select(regions, 2)
    torch.testing.assert_close(selected[0, 0], regions[0].mean(dim=0))
    assert torch.equal(selected[0, 1:], regions[0, [2, 30]])


def test_a_captions_words_are_read_by_number():
    """In half precision's rounding too: a checkpoint's weights are float16."""
    model, regions = captioner(), images(3)
    numbers = model.search(select(regions, CONFIG.objects))
    expected = [[CONFIG.vocabulary[n - SPECIAL] for n in row if n >= SPECIAL] for row in numbers.tolist()]
    assert expected == model.caption(regions.double())


@pytest.mark.parametrize("objects", [0, 50])
def test_more_objects_than_the_grid_has_are_refused(objects):
    with pytest.raises(ValueError, match=f"objects must be 1 to 49, got {objects}"):
        Captioner(replace(CONFIG, objects=objects))


def test_the_configuration_survives_json():
    assert CONFIG == CaptionerConfig.of(orjson.loads(orjson.dumps(asdict(CONFIG))))
