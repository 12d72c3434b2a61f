"""The hashtag segmenter: learns, is indifferent to its batch, never alters a character."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.hashtags.segmenter import Segmenter, SegmenterConfig
from training.hashtags.corpus import Example
from training.hashtags.scoring import exact_match
from training.hashtags.trainer import batch_loss

TINY = SegmenterConfig(
    char_dim=12, case_dim=4, kernels=(3, 5), channels=16, hidden=24, decoder=16, dropout=0.0
)
WORDS = [
    *("big", "data", "new", "york", "san", "jose", "maple", "leafs", "hat", "trick", "the", "files"),
    *("good", "day", "red", "bull", "top", "gear", "west", "ham"),
]
PAIRS = [
    Example((a, b) if i % 2 else (a.title(), b.title()))
    for i, (a, b) in enumerate(zip(WORDS, WORDS[7:] + WORDS[:7], strict=True))
]
SINGLES = [Example((word,)) for word in WORDS[:12]]


def untrained(config: SegmenterConfig = TINY, spread: float = 4.0) -> Segmenter:
    """Random weights whose answers are a mix of spaces and none."""
    torch.manual_seed(7)
    segmenter = Segmenter(config).eval()
    with torch.no_grad():
        for parameter in segmenter.parameters():
            parameter.mul_(spread)
    return segmenter


def test_overfits_32_hashtags() -> None:
    torch.manual_seed(0)
    examples = PAIRS + SINGLES
    segmenter = Segmenter(TINY)
    optimizer = torch.optim.Adam(segmenter.parameters(), lr=0.02)
    for _ in range(60):
        loss = batch_loss(segmenter, examples)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert len(examples) == 32
    assert exact_match(segmenter.eval(), examples) == 1.0


def test_logits_do_not_depend_on_the_batch() -> None:
    """Padding must be invisible: in the convolutions, and to the LSTM that reads from the right."""
    texts = ["a", "TheXFiles", "bigdata2026", "x" * 50, "Ärger"]
    segmenter = untrained(spread=1.5)
    together = segmenter(*segmenter.encode(texts))
    for row, text in enumerate(texts):
        alone = segmenter(*segmenter.encode([text]))[0]
        torch.testing.assert_close(together[row, : len(text)], alone, atol=1e-5, rtol=1e-4)


@given(st.lists(st.text(max_size=30), max_size=4))
@settings(max_examples=40, deadline=None)
def test_characters_are_never_changed(hashtags: list[str]) -> None:
    segmenter = untrained()
    for hashtag, answer in zip(hashtags, segmenter.segment(hashtags), strict=True):
        assert "".join(hashtag.replace("_", " ").split()) == answer.replace(" ", "")
        assert " ".join(answer.split()) == answer


def test_the_untrained_network_used_here_does_put_spaces() -> None:
    """Otherwise the property above would hold for a segmenter that returns its input."""
    assert any(" " in answer for answer in untrained().segment(["thexfiles", "TorontoMapleLeafs", "x1y2z3"]))


@pytest.mark.parametrize(
    ("hashtag", "expected"),
    [("", ""), ("_", ""), ("a", "a"), ("a_b", "a b"), ("__a__b_", "a b"), ("a b", "a b")],
)
def test_underscores_are_boundaries(hashtag: str, expected: str) -> None:
    assert untrained().segment([hashtag]) == [expected]


def never_spacing(**changes: object) -> Segmenter:
    segmenter = Segmenter(SegmenterConfig(**{"max_length": 8, **changes})).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in segmenter.decoder.parameters():
            parameter.zero_()
        segmenter.decoder[-1].bias.fill_(-1.0)
    return segmenter


def always_spacing() -> Segmenter:
    segmenter = never_spacing()
    segmenter.decoder[-1].bias.data.fill_(1.0)
    return segmenter


def test_beyond_the_longest_length_case_decides() -> None:
    """From the ninth character on this network reads nothing, and by itself it puts no space at all."""
    assert never_spacing().segment(["abCdefghIjklMNop"]) == ["abCdefgh Ijkl MNop"]
    assert len(never_spacing().segment(["aB" * 50_000])[0]) > 100_000


def test_marks_stay_with_what_they_belong_to() -> None:
    """A space inside e + acute, or inside a family emoji, would break the character itself."""
    answer = always_spacing().segment(["e\u0301a", "👩\u200d👧a"])
    assert answer == ["e\u0301 a", "👩\u200d👧 a"]


def test_memo_gives_the_same_answer_and_forgets_with_the_weights() -> None:
    segmenter = always_spacing()
    assert segmenter.segment(["ab", "ab"]) == ["a b", "a b"]
    assert segmenter.segment(["ab"]) == ["a b"]
    segmenter.load_state_dict(never_spacing().state_dict())
    assert segmenter.segment(["ab"]) == ["ab"]


def test_memo_is_bounded() -> None:
    segmenter = never_spacing(memo=3)
    segmenter.segment([f"tag{i}" for i in range(10)])
    assert segmenter.segment(["tag9", "tag0"]) == ["tag9", "tag0"]
    assert len(segmenter._memo) == 3


def test_a_memo_of_nothing_remembers_nothing() -> None:
    segmenter = never_spacing(memo=0)
    assert (["ab"], 0) == (segmenter.segment(["ab"]), segmenter.remembered)


def test_segmenting_in_training_mode_is_refused() -> None:
    """Dropout would make the answers random."""
    with pytest.raises(RuntimeError, match=r"call eval\(\) first"):
        untrained().train().segment(["ab"])


def test_even_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="odd widths"):
        SegmenterConfig(kernels=(2,))


def test_case_accents_and_other_scripts_are_encoded_by_kind() -> None:
    """é is an e with the case of é; letters that the inventory lacks differ from digits and from the rest."""
    segmenter = untrained()
    chars, cases, _ = segmenter.encode(["eÉЖ٣!"])
    e, accented, letter, digit, other = chars[0].tolist()
    assert e == accented
    assert len({e, letter, digit, other}) == 4
    assert len(set(cases[0].tolist())) == 4  # lower, upper (twice), digit, other


def test_shipped_size() -> None:
    """The segmenter travels inside TriMod's checkpoint: under 3 MB in fp16."""
    assert sum(parameter.numel() for parameter in Segmenter(SegmenterConfig()).parameters()) < 1_500_000
