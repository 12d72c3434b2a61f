"""The demo's tables: every mention in its post, the top of each type, the dead letters and their reasons.

Layout only: the data are stream/demo/run.py's Outcome, and the posts are read from the samples again.
"""

from collections.abc import Mapping
from itertools import accumulate, pairwise, zip_longest
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from stream.cli.terminal import COLOURS
from stream.demo.run import Ranking
from stream.errors import BadPost
from stream.kafka.dead_letters import DeadLetter
from stream.messages.events import EntityEvent
from stream.messages.posts import decode_post

BEFORE, AFTER = 22, 30
"""Characters of the post around a mention."""
ROWS = 6
"""Mentions of one post that are shown."""
BAR = 12
"""Cells of the bar that shows the modalities' weights."""
MODALITIES = {"text": "cyan", "image": "magenta", "hashtags": "yellow"}


def read_texts(posts: Path) -> dict[str, str]:
    """Id -> text of the posts in a file of JSON lines, in order; invalid posts are left out."""
    texts: dict[str, str] = {}
    for line in posts.read_bytes().splitlines():
        try:
            post = decode_post(line)
        except BadPost:
            continue
        texts[post.id] = post.text
    return texts


def entities_table(entities: list[EntityEvent], texts: Mapping[str, str]) -> Table:
    """One row per mention, in the order of the posts and of their words; a long post shows only its first mentions."""
    legend = " ".join(f"[{colour}]{name}[/]" for name, colour in MODALITIES.items())
    table = Table("post", "type", "conf.", f"weights: {legend}", "counted as", box=box.SIMPLE_HEAD)
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[1:3]:
        column.min_width = len("100%")  # a narrow terminal may shorten the post, not the figures
    by_post: dict[str, list[EntityEvent]] = {post_id: [] for post_id in texts}
    for event in sorted(entities, key=lambda event: event.start):
        by_post[event.post_id].append(event)
    for post_id, events in by_post.items():
        for event in events[:ROWS]:
            table.add_row(*_cells(event, texts[post_id]))
        if len(events) > ROWS:
            table.add_row(Text(f"… and {len(events) - ROWS} more in this post", "dim"))
    return table


def _cells(event: EntityEvent, text: str) -> tuple[Text, ...]:
    colour = COLOURS.get(event.type, "cyan")
    return (
        snippet(text, event.start, event.end, colour),
        Text(event.type, colour),
        Text(f"{event.confidence:.0%}"),
        weights_bar(event.weights),
        Text(event.canonical),
    )


def snippet(text: str, start: int, end: int, colour: str) -> Text:
    """The mention, highlighted, with some of the post around it, on one line."""
    text = "".join(" " if character.isspace() else character for character in text)
    begin, stop = max(0, start - BEFORE), min(len(text), end + AFTER)
    if begin:
        begin = 1 + text.find(" ", begin, start) or begin
    shown = Text("…" if begin else "")
    shown.append(text[begin:start]).append(text[start:end], f"bold reverse {colour}").append(text[end:stop])
    return shown.append("…" if stop < len(text) else "")


def weights_bar(weights: Mapping[str, float]) -> Text:
    """A bar in the modalities' colours and their shares in per cent, as `████████████  61  27  12`."""
    if not weights:
        return Text("-")
    shares = [weights.get(name, 0.0) for name in MODALITIES]
    edges = [round(edge * BAR) for edge in accumulate(shares, initial=0.0)]
    bar = Text()
    for colour, (left, right) in zip(MODALITIES.values(), pairwise(edges), strict=True):
        bar.append("█" * (right - left), colour)
    return bar.append("".join(f"{share * 100:4.0f}" for share in shares))


def ranking_table(ranking: Ranking) -> Table:
    """The most mentioned entities of each type side by side, as counted by Redis."""
    kinds = [kind for kind in COLOURS if ranking.get(kind)]
    headers = (f"[{COLOURS[kind]}]{kind}[/]" for kind in kinds)
    table = Table(*headers, title="most mentioned (Redis)", box=box.SIMPLE_HEAD)
    for row in zip_longest(*(ranking[kind] for kind in kinds)):
        table.add_row(*(Text(f"{cell[1]:>2} {cell[0]}" if cell else "") for cell in row))
    return table


def dead_table(dead: list[DeadLetter]) -> Table:
    """The posts that could not be tagged, with the reason."""
    table = Table("original post", "reason", title="dead letters (posts.dead)", box=box.SIMPLE_HEAD)
    for letter in dead:
        value = (letter.value or b"").decode("utf-8", "backslashreplace")
        sent = Text(value, no_wrap=True, overflow="ellipsis")
        table.add_row(sent, Text(letter.headers.get("message", "?")))
    return table
