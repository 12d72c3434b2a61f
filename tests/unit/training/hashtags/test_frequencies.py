"""English as the two packages have it."""

from training.hashtags.frequencies import english


def test_words_and_pairs_are_probabilities_of_plain_words() -> None:
    found = english()
    assert found.words["the"] > found.words["dog"] > found.words["ferret"] > 0
    assert found.words["dont"] > found.words["ferret"]  # counted without its apostrophe
    assert found.pairs["new", "york"] > found.pairs["new", "orleans"]
    assert 0.7 < sum(found.words.values()) <= 1  # of all running text; rarer words are in neither list
    assert all(word.isascii() and word.isalnum() for word in found.words)
    assert found.words["ferret"] == (found.general["ferret"] + found.web["ferret"]) / 2
