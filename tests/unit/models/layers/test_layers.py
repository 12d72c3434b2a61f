"""The layers that CWI and HSN share, against loops, and pretrained vectors put into word tables."""

import pytest
import torch

from models.layers.characters import CharacterCNN, SameConvolution
from models.layers.word_tables import WordTables
from tests.support.random_batches import CHARACTERS, batch_of, posts


def convolved(convolution, features):
    """[channels, length] -> [filters, length] by loops; an even kernel reaches one further to the right."""
    weight, bias = convolution.convolve.weight, convolution.convolve.bias
    filters, _, width = weight.shape
    length = features.shape[1]
    out = bias.detach().clone().unsqueeze(1).repeat(1, length)
    for f in range(filters):
        for position in range(length):
            for step in range(width):
                at = position + step - (width - 1) // 2
                if 0 <= at < length:
                    out[f, position] += weight[f, :, step] @ features[:, at]
    return out


@pytest.mark.parametrize("width", [2, 3, 4])
def test_a_same_convolution_keeps_the_length_and_does_not_see_padding(width):
    torch.manual_seed(width)
    convolution = SameConvolution(3, 5, width)
    features, mask = torch.randn(1, 3, 6), torch.tensor([[True] * 4 + [False] * 2])
    features[:, :, 4:] = 0.0
    with torch.no_grad():
        expected = convolved(convolution, features[0, :, :4])
        actual = convolution(features, mask)[0]
    torch.testing.assert_close(expected, actual[:, :4])
    assert (actual[:, 4:] == 0).all()


def test_a_token_is_the_maximum_over_its_characters():
    torch.manual_seed(1)
    cnn = CharacterCNN(CHARACTERS, 4, 6, 3, dropout=0.0)
    encoded = posts(4)
    with torch.no_grad():
        actual = cnn(batch_of(encoded))
        for row, each in enumerate(encoded):
            for token, characters in enumerate(each.characters):
                embedded = cnn.embed(torch.tensor(characters)).T
                expected = convolved(cnn.convolution, embedded).max(dim=1).values
                torch.testing.assert_close(expected, actual[row, token])
            assert (actual[row, len(each.words) :] == 0).all()


def test_word_tables_stand_side_by_side_and_padding_is_zero() -> None:
    tables = WordTables(3, (2, 3), lambda weight: torch.nn.init.constant_(weight, 9.0))
    with torch.no_grad():
        tables.embeddings()[1].weight[2] = torch.tensor([4.0, 5.0, 6.0])
    assert [[0.0] * 5, [9.0] * 5, [9.0, 9.0, 4.0, 5.0, 6.0]] == tables(torch.arange(3)).tolist()
