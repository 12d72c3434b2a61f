"""The demo must show what was found: right words highlighted, shares that add up, cuts that are told."""

import io

import orjson
import pytest
from rich.console import Console

from models.core.post import Mention
from stream.demo.tables import (
    BAR,
    ROWS,
    dead_table,
    entities_table,
    ranking_table,
    read_texts,
    snippet,
    weights_bar,
)
from stream.kafka.dead_letters import DeadLetter
from stream.messages.events import entity_event
from stream.messages.posts import Post

WEIGHTS = {"text": 0.61, "image": 0.27, "hashtags": 0.12}


def printed(table):
    out = io.StringIO()
    Console(file=out, width=140).print(table)
    return out.getvalue()


def event(text, mention, type_="LOC", post_id="p", occurrence=0):
    start = -1
    for _ in range(occurrence + 1):
        start = text.index(mention, start + 1)
    found = Mention(start, start + len(mention), mention, type_, 0.9, WEIGHTS)
    return entity_event(Post(id=post_id, text=text), found, mention.lower(), 0, "m", "1")


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("Paris", "Paris"),
        ("👨‍👩‍👧‍👦 all of us in Lisbon 🇵🇹", "Lisbon"),
        ("spaces\n\nand\tNew   York\nhere", "New   York"),
        ("word " * 50 + "Oslo" + " word" * 50, "Oslo"),
        ("x" * 100 + "Oslo" + "x" * 100, "Oslo"),
    ],
)
def test_snippet_highlights_just_the_mention(text, mention):
    start = text.index(mention)
    shown = snippet(text, start, start + len(mention), "green")
    highlighted = [shown.plain[span.start : span.end] for span in shown.spans]
    assert [mention] == highlighted
    assert "\n" not in shown.plain
    assert ("…" in shown.plain) == (len(text) > 100)


@pytest.mark.parametrize(
    "weights", [WEIGHTS, {"text": 1.0}, {"text": 0.333, "image": 0.333, "hashtags": 0.334}]
)
def test_bar_has_the_same_length_whatever_the_shares(weights):
    assert BAR == weights_bar(weights).plain.count("█")


def test_bar_names_the_shares_and_a_model_without_weights_gets_a_dash():
    assert weights_bar(WEIGHTS).plain.endswith("  61  27  12")
    assert weights_bar({}).plain == "-"


def test_entities_come_in_the_order_of_posts_and_words_and_cuts_are_said():
    texts = {"b": "Rome then Milan", "a": "Oslo " * (ROWS + 3)}
    events = [event(texts["a"], "Oslo", post_id="a", occurrence=i) for i in reversed(range(ROWS + 3))]
    events += [event(texts["b"], "Milan", post_id="b"), event(texts["b"], "Rome", post_id="b")]
    lines = [
        line.split()[-1] for line in printed(entities_table(events, texts)).splitlines() if "90%" in line
    ]
    assert ["rome", "milan", *["oslo"] * ROWS] == lines
    assert "… and 3 more in this post" in printed(entities_table(events, texts))


def test_words_in_brackets_are_words_not_markup():
    text = "[bold]Rome[/bold] wasn't built"
    assert text in printed(entities_table([event(text, "Rome")], {"p": text}))


def test_ranking_has_a_column_per_type_that_was_found():
    out = printed(ranking_table({"LOC": [("rome", 3), ("oslo", 1)], "PER": [("ada", 2)], "ORG": []}))
    assert "3 rome" in out
    assert "2 ada" in out
    assert "ORG" not in out


def test_dead_posts_are_shown_with_their_reason():
    letter = DeadLetter(0, 0, None, 8, {"message": "post is no JSON"}, b'{"id": \xff')
    out = printed(dead_table([letter]))
    assert r'{"id": \xff' in out
    assert "post is no JSON" in out


def test_texts_are_those_of_the_posts(tmp_path):
    posts = tmp_path / "posts.jsonl"
    posts.write_bytes(orjson.dumps({"id": 7, "text": "hi"}) + b"\n{not json\n")
    assert {"7": "hi"} == read_texts(posts)
