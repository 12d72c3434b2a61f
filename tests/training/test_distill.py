"""Posts that only teachers speak of lose their tags, and come in both of the ways that data sets cut tokens."""

from training.data import Sample
from training.distill import untagged

TOKENS = ["RT", "@PredsNHL", ":", "I'm", "at", "#StanleyCup", "4.7", "http://t.co/x", "🏒🏒"]


def test_every_second_post_is_cut_as_twitter_2017_cuts() -> None:
    tags = ["O", "B-ORG", *["O"] * 7]
    coarse, fine = untagged([Sample(TOKENS, tags, ["ice"]), Sample(TOKENS, tags, ["ice"])])

    assert TOKENS == coarse.tokens
    cut = ["RT", "@", "PredsNHL", ":", "I", "'", "m", "at", "#", "StanleyCup", "4.7", "🏒", "🏒"]
    assert cut == fine.tokens
    assert (["O"] * 9, ["O"] * 13) == (coarse.tags, fine.tags)
    assert [["ice"], ["ice"]] == [coarse.image_words, fine.image_words]


def test_a_post_of_nothing_but_urls_stays_as_it_is() -> None:
    urls = Sample(["http://t.co/x"], ["O"], [], unsaid=frozenset({"LOC"}))

    assert [["http://t.co/x"]] * 2 == [sample.tokens for sample in untagged([urls, urls])]
    assert [frozenset()] * 2 == [sample.unsaid for sample in untagged([urls, urls])]
