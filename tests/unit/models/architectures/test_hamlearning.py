"""HamLearning against its equations written out in loops, on a transformer of two tiny random layers."""

import math
import random
from dataclasses import replace

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel

from models.architectures.hamlearning import (
    RELATIONS,
    HamLearning,
    HamLearningConfig,
    RelevanceFusion,
    SpatialLayer,
    VisualGate,
    relations,
    scene_graph,
    sum_pieces,
)
from models.architectures.registry import create
from models.core.batch import Encoded, collate
from models.core.labels import bio_labels

LABELS = tuple(bio_labels(["PER", "LOC", "ORG", "MISC"]))
WORDS, PIECES, IMAGE = 30, 60, 8
SMALL = {"dropout": 0.0, "heads": 2, "label_size": 6, "semantic_layers": 1, "image_size": IMAGE}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A configuration over a random BERT 16 wide, in a folder as the hub would have it."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    BertModel(
        BertConfig(vocab_size=PIECES, max_position_embeddings=64, **sizes, **dropout), add_pooling_layer=False
    ).save_pretrained(folder)
    return HamLearningConfig(LABELS, str(folder), **SMALL)


def model_of(config, seed=1):
    torch.manual_seed(seed)
    return HamLearning(config, WORDS, 2)


def post(draw, visual, length=None):
    """A random post; `visual`: none, captions, regions, or both."""
    length = length or draw.randint(1, 9)
    counts = [draw.randint(1, 3) for _ in range(length)]
    starts = [1 + sum(counts[:index]) for index in range(length)]
    pieces = [2, *(draw.randrange(4, PIECES) for _ in range(sum(counts))), 3]
    found = Encoded(
        words=[draw.randrange(2, WORDS) for _ in range(length)],
        characters=[[1]] * length,
        pieces=[pieces],
        views=[0],
        segments=[[0] * len(pieces)],
        cases=[[draw.randrange(4) for _ in pieces]],
        first_piece=starts,
        piece_count=counts,
        tags=[draw.choice([0, 1, 3, 5, 7]) for _ in range(length)],
    )
    if visual in ("captions", "both"):
        found.image_words = [draw.randrange(2, WORDS) for _ in range(draw.randint(1, 5))]
    if visual in ("regions", "both"):
        count = draw.randint(1, 6)
        found.pooled = torch.tensor([draw.random() for _ in range(IMAGE)])
        found.regions = torch.tensor([[draw.random() for _ in range(IMAGE)] for _ in range(count)])
        found.boxes = torch.tensor([box(draw) for _ in range(count)])
        found.region_words = [draw.randrange(2, WORDS) for _ in range(count)]
    return found


def box(draw):
    """Centre x, centre y, height, width; all of it in the image."""
    height, width = draw.uniform(0.05, 0.9), draw.uniform(0.05, 0.9)
    return [
        draw.uniform(width / 2, 1 - width / 2),
        draw.uniform(height / 2, 1 - height / 2),
        height,
        width,
    ]


def relation(first, second):
    """The label of first -> second as the section on spatial encoding has it, or none."""
    (x1, y1, h1, w1), (x2, y2, h2, w2) = first, second
    left1, right1, top1, bottom1 = x1 - w1 / 2, x1 + w1 / 2, y1 - h1 / 2, y1 + h1 / 2
    left2, right2, top2, bottom2 = x2 - w2 / 2, x2 + w2 / 2, y2 - h2 / 2, y2 + h2 / 2
    if left1 <= left2 and right2 <= right1 and top1 <= top2 and bottom2 <= bottom1:
        return "inside"
    if left2 <= left1 and right1 <= right2 and top2 <= top1 and bottom1 <= bottom2:
        return "cover"
    shared = max(0.0, min(right1, right2) - max(left1, left2)) * max(
        0.0, min(bottom1, bottom2) - max(top1, top2)
    )
    if shared / (h1 * w1 + h2 * w2 - shared) > 0.5:
        return "overlap"
    if math.hypot(x2 - x1, y2 - y1) / math.hypot(1, 1) > 0.5:
        return "none"
    degrees = math.degrees(math.atan2(y2 - y1, x2 - x1)) % 360
    return f"class{int(degrees // 45) + 1}"


def test_relations_are_those_of_the_paper():
    draw = random.Random(1)
    boxes = [box(draw) for _ in range(120)]
    # Few random boxes overlap by more than a half: moved copies do.
    boxes += [[x, y * 0.9, h, w * 0.95] for x, y, h, w in boxes[:20]]
    labels = ("none", *RELATIONS)
    found = relations(torch.tensor(boxes, dtype=torch.float64))
    seen = set()
    for i, first in enumerate(boxes):
        for j, second in enumerate(boxes):
            expected = relation(first, second) if i != j else "none"
            assert expected == labels[found[i, j]], (first, second)
            seen.add(expected)
    assert set(labels) == seen


@pytest.mark.parametrize(
    ("degrees", "number"),
    [(0, 1), (44, 1), (45, 2), (90, 3), (135, 4), (180, 5), (225, 6), (270, 7), (315, 8), (359, 8)],
)
def test_classes_are_octants_and_their_borders_belong_to_the_next(degrees, number):
    """Boxes from a grid stand at exactly such angles to each other."""
    x, y = 0.5 + 0.25 * math.cos(math.radians(degrees)), 0.5 + 0.25 * math.sin(math.radians(degrees))
    found = relations(torch.tensor([[0.5, 0.5, 0.1, 0.1], [x, y, 0.1, 0.1]]))
    assert RELATIONS.index(f"class{number}") + 1 == found[0, 1]
    assert RELATIONS.index(f"class{(number + 3) % 8 + 1}") + 1 == found[1, 0]


def test_the_image_contains_its_objects_and_words_have_no_place():
    boxes = torch.tensor([[[0.2, 0.2, 0.1, 0.1], [0.2, 0.3, 0.1, 0.1], [0.5, 0.5, 1.0, 1.0], [0.0] * 4]])
    boxed, mask = torch.tensor([[True, True, False, False]]), torch.tensor([[True, True, True, False]])
    labels = ("", *RELATIONS)
    found = [[labels[label] for label in row] for row in scene_graph(boxes, boxed, mask)[0]]
    assert found == [
        ["", "inside", "inside", "inside", ""],
        ["cover", "", "class3", "", ""],
        ["cover", "class7", "", "", ""],
        ["cover", "", "", "", ""],
        ["", "", "", "", ""],
    ]


@torch.no_grad()
def test_the_visual_sequence_is_equations_2_and_3(config):
    """Objects with a box, their class words among their features; then the words without one."""
    scene = model_of(replace(config, use_pixels=True, objects=4)).scene
    posts = [post(random.Random(seed), "both") for seed in (1, 2, 3)]
    batch = collate(posts, IMAGE)
    found = scene(batch)
    regions = min(4, batch.regions.shape[1])
    for row, each in enumerate(posts):
        image = scene.image + scene.pooled.weight @ each.pooled
        torch.testing.assert_close(image, found.states[row, 0])
        for i, word in enumerate(each.region_words[:4], start=1):
            label = scene.project.weight @ scene.labels.weight[word]
            feature = scene.region.weight @ each.regions[i - 1] + scene.region.bias
            torch.testing.assert_close(feature + label, found.states[row, i])
            torch.testing.assert_close(each.boxes[i - 1], found.boxes[row, i])
        for i, word in enumerate(each.image_words[:4], start=1 + regions):
            torch.testing.assert_close(scene.project.weight @ scene.labels.weight[word], found.states[row, i])
        count = 1 + min(4, len(each.region_words)) + min(4, len(each.image_words))
        assert count == found.mask[row].sum()


def test_spatial_layer_is_equations_5_to_7():
    torch.manual_seed(3)
    layer = SpatialLayer(5)
    nn.init.normal_(layer.bias)
    nodes, edges = torch.randn(2, 4, 5), torch.randint(0, len(RELATIONS) + 1, (2, 4, 4))
    found = layer(nodes, edges)
    for post_ in range(2):
        for i in range(4):
            total = layer.bias.clone()
            for j in range(4):
                label = int(edges[post_, i, j])
                if label:
                    total = total + nodes[post_, j] @ layer.weight[label - 1]
            gathered = total.clamp(min=0)
            gate = torch.sigmoid(layer.gate.weight @ torch.cat([gathered, nodes[post_, i]]))
            torch.testing.assert_close(nodes[post_, i] + gate * gathered, found[post_, i])


@torch.no_grad()
def test_relevance_and_fusion_are_equations_8_to_11():
    torch.manual_seed(4)
    part = RelevanceFusion(5, 7, relevance=True)
    nn.init.normal_(part.affinity.weight)
    sentence, visual = torch.randn(3, 5), torch.randn(3, 4, 7)
    found = part(sentence, visual)
    for post_ in range(3):
        text, image = sentence[post_].tolist(), visual[post_, 0].tolist()
        affinity = math.tanh(
            sum(text[a] * float(part.affinity.weight[a, b]) * image[b] for a in range(5) for b in range(7))
        )
        w_text, w_image = part.text.weight[0].tolist(), part.image.weight[0].tolist()
        score = math.tanh(
            sum(w * x for w, x in zip(w_text, text, strict=True))
            + sum(w * x for w, x in zip(w_image, image, strict=True)) * affinity
        )
        for i in range(1, 4):
            both = torch.cat([score * visual[post_, 0], visual[post_, i]])
            torch.testing.assert_close(part.fuse.weight @ both + part.fuse.bias, found[post_, i - 1])


def test_gate_is_equations_13_and_14():
    torch.manual_seed(5)
    gate = VisualGate(5)
    semantic, spatial = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    found = gate(semantic, spatial)
    for post_ in range(2):
        for i in range(3):
            first, second = semantic[post_, i], spatial[post_, i]
            alpha = gate.alpha.weight @ torch.sigmoid(
                gate.semantic.weight @ first + gate.spatial.weight @ second
            )
            torch.testing.assert_close(alpha * first + (1 - alpha) * second, found[post_, i])


def test_a_token_is_the_sum_of_its_pieces():
    states = torch.randn(2, 6, 3)
    found = sum_pieces(states, torch.tensor([[1, 3], [1, 0]]), torch.tensor([[2, 1], [4, 0]]))
    expected = [[states[0, 1] + states[0, 2], states[0, 3]], [states[1, 1:5].sum(dim=0), torch.zeros(3)]]
    torch.testing.assert_close(torch.stack([torch.stack(row) for row in expected]), found)


@pytest.mark.parametrize("use_pixels", [False, True])
def test_a_post_alone_is_the_post_in_a_batch(config, use_pixels):
    model = model_of(replace(config, use_pixels=use_pixels)).eval()
    draw = random.Random(2)
    kinds = ["none", "captions", "regions", "both"] if use_pixels else ["none", "captions"]
    posts = [post(draw, kind) for kind in kinds * 3]
    with torch.no_grad():
        together, weights = model(collate(posts, IMAGE))
        assert (0, len(posts), together.shape[1]) == weights.shape
        for row, each in enumerate(posts):
            alone = model(collate([each], IMAGE))[0][0]
            torch.testing.assert_close(alone, together[row, : len(each.words)], atol=1e-5, rtol=1e-4)
            assert alone.isfinite().all()


def test_the_image_matters_to_posts_that_have_one_only(config):
    """Untrained parts differ in every post; only what a post lacks must not be seen."""
    model = model_of(replace(config, use_pixels=True)).eval()
    posts = [post(random.Random(3), kind) for kind in ("none", "captions", "regions")]
    batch = collate(posts, IMAGE)
    before = model(batch)[0]
    nn.init.normal_(model.scene.image)
    nn.init.normal_(model.scene.labels.weight)
    moved = (model(batch)[0] - before).abs().amax(dim=(1, 2))
    assert moved[0] == 0
    assert (moved[1:] > 1e-4).all()


def test_gradient_reaches_every_parameter(config):
    model = model_of(replace(config, use_pixels=True, read_case=True))
    draw = random.Random(4)
    model.loss(
        collate([post(draw, kind) for kind in ("none", "both", "regions", "both") * 8], IMAGE)
    ).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not name.endswith("key.bias"):  # softmax does not see those
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name
    relation_weights = model.encodings[1].layers[0].weight.grad.abs().amax(dim=(1, 2))
    assert (relation_weights > 0).sum() >= len(RELATIONS) - 1  # random boxes hardly overlap


@pytest.mark.parametrize(
    "change",
    [{"semantic": False}, {"spatial": False}, {"relevance": False}]
    + [{"iterations": number} for number in range(1, 6)],
    ids=str,
)
def test_variants_of_tables_3_and_4_have_no_idle_parts(config, change):
    model = model_of(replace(config, **change))
    draw = random.Random(5)
    model.loss(collate([post(draw, "captions") for _ in range(6)], IMAGE)).backward()
    idle = [name for name, each in model.named_parameters() if each.requires_grad and each.grad is None]
    assert [] == idle


@pytest.mark.parametrize("visual", ["none", "captions", "both"])
def test_overfits_32_posts(config, visual):
    draw = random.Random(6)
    posts = [post(draw, visual, length=2) for _ in range(32)]
    batch = collate(posts, IMAGE)
    model = model_of(replace(config, use_pixels=visual == "both", iterations=2))
    optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], lr=5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = model.loss(batch)
        if loss.item() < 0.15:
            break
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    found = model.crf.decode(model(batch)[0], batch.mask)
    assert [each.tags for each in posts] == found


def test_pixels_without_any_region_in_the_batch(config):
    model = model_of(replace(config, use_pixels=True)).eval()
    emissions, _ = model(collate([post(random.Random(7), "none")], IMAGE))
    assert emissions.isfinite().all()


def test_impossible_settings_are_named(config):
    with pytest.raises(ValueError, match="are both off"):
        model_of(replace(config, semantic=False, spatial=False))
    with pytest.raises(ValueError, match=r"heads must divide .*, got 3"):
        model_of(replace(config, heads=3))


def test_sizes_of_the_paper():
    config = HamLearningConfig(LABELS)
    found = (config.semantic_layers, config.spatial_layers, config.heads, config.iterations, config.objects)
    assert (4, 2, 12, 3, 15) == found
    assert (0.1, 11, 9) == (config.dropout, len(RELATIONS), len(config.labels))


@pytest.mark.parametrize(("detector", "width"), [("class_activation", 1280), ("maskrcnn_resnet50_fpn", 1024)])
def test_features_are_as_wide_as_the_detectors(detector, width):
    """By the detector's name alone, as a user gives it."""
    assert width == HamLearningConfig(LABELS, use_pixels=True, detector=detector).inputs.image_size


def test_is_registered():
    with pytest.raises(ValueError, match="model hamlearning has no setting layers"):
        create("hamlearning", {"labels": LABELS, "layers": 3}, WORDS, 2)
