"""A committee's emissions are its members' mean, whatever ids their encoders give to the same pieces."""

import dataclasses
import math

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece

from models.architectures import ensemble as committees
from models.architectures.ensemble import Committee, CommitteeConfig, piece_ids
from models.architectures.registry import create
from models.core.batch import Batch, collate
from models.core.inputs import Inputs
from models.text.post_encoder import PostEncoder
from tests.support.tiny_checkpoint import CHARACTERS, WORDS, tiny_model

LABELS = ("O", "B-PER", "I-PER")
HYPER = {"word_size": 12, "word_hidden": 8}


def tokenizer(*pieces: str) -> Tokenizer:
    return Tokenizer(WordPiece({piece: place for place, piece in enumerate(pieces)}, unk_token="[UNK]"))


@pytest.fixture
def encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """`bert`; `mpnet`, which has BERT's pieces behind its own special ones; `other`, which lacks a piece."""
    bert = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "maple", "##s")
    known = {
        "bert": tokenizer(*bert),
        "mpnet": tokenizer("<s>", "<pad>", "</s>", "<unk>", *bert, "<mask>"),
        "other": tokenizer(*bert[:-1]),
    }
    monkeypatch.setattr(committees, "load_wordpieces", known.__getitem__)


@pytest.mark.usefixtures("encoders")
def test_pieces_have_the_other_encoders_ids() -> None:
    """The special ones by their part: MPNet was trained on `<s>`, though it has `[CLS]` too."""
    assert [1, 5, 0, 2, 11, 9, 10] == piece_ids("bert", "mpnet").tolist()
    there = piece_ids("mpnet", "bert").tolist()
    assert ([2, 0, 3], [1, 5, 6, 4]) == (there[:3], [there[place] for place in (5, 9, 10, 11)])


@pytest.mark.usefixtures("encoders")
def test_other_pieces_are_refused() -> None:
    with pytest.raises(ValueError, match="other and bert have different word pieces: other has no '##s'"):
        piece_ids("bert", "other")


def test_emissions_weights_and_crf_are_the_members_mean() -> None:
    torch.manual_seed(1)
    config = CommitteeConfig(LABELS, ({**HYPER, "word_hidden": 6}, HYPER), least_confidence=0.5)
    model = create("committee", dataclasses.asdict(config), WORDS.size, CHARACTERS.size).eval()
    assert isinstance(model, Committee)
    for member in model.trimods:
        for parameter in member.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
    model.take_the_mean()
    encoder = PostEncoder(WORDS, CHARACTERS, Inputs())
    posts = [encoder.encode(encoder.token_ids(["maple", "Leafs"]), ["hockey"], [])]
    batch = collate(posts)
    emissions, weights = model(batch)
    first, second = (member(batch) for member in model.trimods)
    torch.testing.assert_close((first[0] + second[0]) / 2, emissions)
    torch.testing.assert_close((first[1] + second[1]) / 2, weights)
    mean = (model.trimods[0].crf.crf.transitions + model.members[1].crf.crf.transitions) / 2
    torch.testing.assert_close(mean, model.crf.crf.transitions)
    assert 0.5 == model.least_confidence


def specialists() -> tuple[Committee, Batch]:
    """Three members and three specialists, two of them of one set, all different; two posts of different lengths."""
    torch.manual_seed(3)
    config = CommitteeConfig(LABELS, (HYPER,) * 6, specialists=("a", "b", "a"))
    model = Committee(config, WORDS.size, CHARACTERS.size).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    model.take_the_mean()
    encoder = PostEncoder(WORDS, CHARACTERS, Inputs())
    posts = [encoder.encode(encoder.token_ids(tokens), [], []) for tokens in (["maple", "Leafs"], ["hockey"])]
    return model, collate(posts)


@torch.no_grad()
def test_specialists_have_half_of_the_say_by_how_far_their_set_agrees() -> None:
    """Written out post by post: the nearer a set's mean is to the members', by the Jeffreys divergence, the more it
    counts; those of one set count alike."""
    model, batch = specialists()
    said = [member(batch) for member in model.trimods]
    emissions, weights = model(batch)
    for post, length in enumerate((2, 1)):
        own, a, b = (
            sum(said[number][0][post, :length] for number in numbers) / len(numbers)
            for numbers in ((0, 1, 2), (3, 5), (4,))
        )
        apart = []
        for each in (a, b):
            total = 0.0
            for p, q in zip(own.softmax(-1), each.softmax(-1), strict=True):
                total += sum(float((x - y) * (x / y).log()) for x, y in zip(p, q, strict=True))
            apart.append(total)
        part_a, part_b = (math.exp(-each) / sum(math.exp(-other) for other in apart) for each in apart)
        assert abs(part_a - part_b) > 0.05
        shares = [1 / 6, 1 / 6, 1 / 6, part_a / 4, part_b / 2, part_a / 4]
        expected = sum(share * each[0][post, :length] for share, each in zip(shares, said, strict=True))
        torch.testing.assert_close(expected, emissions[post, :length])
        views = sum(share * each[1][:, post] for share, each in zip(shares, said, strict=True))
        torch.testing.assert_close(views, weights[:, post])
    scores = [member.crf.crf.transitions for member in model.trimods]
    of_sets = ((scores[3] + scores[5]) / 2 + scores[4]) / 2
    torch.testing.assert_close((sum(scores[:3]) / 3 + of_sets) / 2, model.crf.crf.transitions)


@torch.no_grad()
def test_a_posts_specialists_do_not_depend_on_its_neighbours() -> None:
    """Padding, which a longer neighbour brings, is nothing to agree about."""
    model, batch = specialists()
    encoder = PostEncoder(WORDS, CHARACTERS, Inputs())
    alone = collate([encoder.encode(encoder.token_ids(["hockey"]), [], [])])
    torch.testing.assert_close(model(alone)[0][0, :1], model(batch)[0][1, :1])


def test_a_committee_of_specialists_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a member that is not a specialist"):
        Committee(CommitteeConfig(LABELS, (HYPER,) * 2, specialists=("a", "b")), WORDS.size, CHARACTERS.size)


def test_specialists_of_one_set_alone_are_refused() -> None:
    """Nothing would be weighed: they are members like any other."""
    with pytest.raises(ValueError, match="all specialists are of data set a:"):
        Committee(CommitteeConfig(LABELS, (HYPER,) * 3, specialists=("a", "a")), WORDS.size, CHARACTERS.size)


def test_members_that_read_differently_are_refused() -> None:
    config = CommitteeConfig(LABELS, (HYPER, {**HYPER, "reads": ("text",)}))
    with pytest.raises(ValueError, match="must read the same input"):
        Committee(config, WORDS.size, CHARACTERS.size)


def test_a_least_confidence_that_is_no_probability_is_refused() -> None:
    """A config may be written by hand; the option of `trimod train committee` has a check of its own."""
    with pytest.raises(ValueError, match=r"least_confidence: expected at least 0 and under 1, got 1\.5"):
        Committee(CommitteeConfig(LABELS, (HYPER,), least_confidence=1.5), WORDS.size, CHARACTERS.size)


def test_all_word_tables_may_be_filled() -> None:
    model = Committee(CommitteeConfig(LABELS, (HYPER, HYPER)), WORDS.size, CHARACTERS.size)
    assert 2 == len(model.word_tables()) == 2 * len(tiny_model().word_tables())


def test_a_member_with_another_encoder_reads_its_ids() -> None:
    """The vocabulary's order is the encoder's own: unmapped, it would read other words without a sound."""
    model = Committee(CommitteeConfig(LABELS, (HYPER, HYPER)), WORDS.size, CHARACTERS.size)
    model.register_buffer("ids_1", torch.tensor([5, 6, 7]))
    encoder = PostEncoder(WORDS, CHARACTERS, Inputs())
    batch = collate([encoder.encode(encoder.token_ids(["maple"]), [], [])])
    batch.pieces = torch.tensor([[0, 2]])
    read = []
    for member in model.trimods:
        member.register_forward_pre_hook(lambda _, given: read.append(given[0].pieces.tolist()))
    model(batch)
    assert [[[0, 2]], [[5, 7]]] == read
