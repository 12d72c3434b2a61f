"""TriMod's sizes are the paper's, and its penalty for mismatched images is what it says."""

import dataclasses

import pytest
import torch

from models.architectures.trimod import TriMod, TriModConfig
from models.core.batch import collate
from tests.support.random_batches import CHARACTERS, LABELS, WORDS, post


def test_sizes_are_those_of_the_paper() -> None:
    """Word vectors of 200, characters of 30 in a Bi-GRU of 30, words in a Bi-GRU of 150, 9 tags (section IV-A)."""
    model = TriMod(TriModConfig(LABELS), WORDS, CHARACTERS)
    shapes = {name: tuple(weights.shape) for name, weights in model.named_parameters()}
    [words] = model.word_tables()
    assert (WORDS, 200) == tuple(words.weight.shape)
    assert (CHARACTERS, 30) == shapes["characters.embed.weight"]
    assert (3 * 30, 30) == shapes["characters.gru.gru.weight_ih_l0"]
    assert (3 * 150, 200 + 2 * 30) == shapes["context.gru.weight_ih_l0"]
    assert (3 * 150, 200 + 2 * 30) == shapes["context.gru.weight_ih_l0_reverse"]
    assert (9, 2 * 150) == shapes["emit.weight"]


@pytest.mark.parametrize("fusion", ["views", "cross"])
def test_a_mismatched_image_costs_its_share_of_the_weights(fusion: str) -> None:
    config = TriModConfig(LABELS, dropout=0.0, fusion=fusion, heads=4)  # type: ignore[arg-type]
    torch.manual_seed(3)
    model = TriMod(config, WORDS, CHARACTERS).eval()
    for parameter in model.parameters():  # untrained, all modalities weigh the same
        torch.nn.init.normal_(parameter, std=0.4)
    posts = [post(seed, captions=True) for seed in range(4)]
    for each in posts[1:3]:
        each.other_image = True
    batch = collate(posts, config.pooled_size)
    plain, (_, weights) = model.loss(batch), model(batch)
    mismatched = torch.cat([weights[1, row, : batch.lengths[row]] for row in (1, 2)])
    assert 0 < mismatched.mean() < 1

    model.config = dataclasses.replace(config, mismatch_penalty=0.5)
    torch.testing.assert_close(plain + 0.5 * mismatched.mean(), model.loss(batch))
    batch.other_image.zero_()
    torch.testing.assert_close(plain, model.loss(batch))
