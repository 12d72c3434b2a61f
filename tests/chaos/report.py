"""What a run showed, as text for the person and as JSON."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from stream.runtime.fault_injection import POINTS
from tests.chaos.cluster.cluster import SESSION_TIMEOUT
from tests.chaos.faults.schedule import OTHERS, SIGNALS, TARGETS
from tests.chaos.observe.invariants import innocent, lost
from tests.chaos.observe.topic_state import Facts
from tests.chaos.run_state import State

TAKEOVER_LIMIT = SESSION_TIMEOUT + 5.0
"""Seconds that the median takeover may last."""
LONG_RUN = 100
"""Faults among which some takeover must have been alone."""
SHOWN = 20


def figures(
    state: State, facts: Facts, planned: int, acknowledged: int, transactions: Mapping[str, int]
) -> dict[str, Any]:
    """Everything that is reported; `transactions` of this run, by how they ended."""
    alone = [each["seconds"] for each in state.takeovers if each["alone"]]
    every = [each["seconds"] for each in state.takeovers]
    mentions = sum(len(tagged.mentions) for tagged in facts.tagged.values())
    return {
        "seed": state.seed,
        "faults": len(state.records),
        "planned": planned,
        "combinations": len({record.name for record in state.records if record.kind == "signal"}),
        "by_kind": dict(Counter(record.name for record in state.records)),
        "seconds": round(state.seconds),
        "posts": len(facts.written),
        "acknowledged": acknowledged,
        "transactions": dict(transactions),
        "tagged": len(facts.tagged),
        "dead": len(facts.dead),
        "innocent_dead": innocent(facts),
        "mentions": mentions,
        "lost": len(lost(facts)),
        "duplicate_receipts": facts.receipts - len(facts.tagged),
        "duplicate_events": facts.event_records - sum(map(len, facts.events.values())),
        "duplicate_dead_letters": facts.dead_letters - len(facts.dead),
        "takeover_alone": _spread(alone),
        "takeover_all": _spread(every),
        "takeover_named": _spread([each["seconds"] for each in state.takeovers if each["named"]]),
        "takeover_unnamed": _spread([each["seconds"] for each in state.takeovers if not each["named"]]),
        "sigterm_to_end": _spread([record.ended for record in state.records if record.ended is not None]),
        "longest_stall": round(state.longest_stall, 1),
        "rebuilds": state.rebuilds,
        "checks": state.checks,
        "ends_of_workers": state.ends,
        "violations": state.violations,
    }


def judge(found: Mapping[str, Any]) -> list[str]:
    """What the figures break beyond the violations that were noted."""
    median_, measured = found["takeover_alone"]["median"], found["takeover_alone"]["count"]
    if found["planned"] >= LONG_RUN and not measured:
        return ["no takeover happened alone, so none could be measured"]
    ends = found["transactions"]
    if ends.get("failed") and not (ends["committed"] and ends["aborted"]):
        return ["no transaction was committed, or none aborted: nothing of them was tried"]
    said = f"takeovers take {median_} s (median), at most {TAKEOVER_LIMIT:g} are promised"
    return [said] if median_ > TAKEOVER_LIMIT else []


def write(directory: Path, found: Mapping[str, Any], records: Sequence[Any]) -> str:
    """Both files; the text is returned."""
    everything = {**found, "records": [asdict(record) for record in records]}
    (directory / "report.json").write_text(json.dumps(everything, indent=1), encoding="utf-8")
    text = _text(found)
    (directory / "report.txt").write_text(text, encoding="utf-8")
    return text


def _text(found: Mapping[str, Any]) -> str:
    drift = sum(line.startswith("drift") for line in found["violations"])
    zombies = sum("did nothing" in line or "no progress" in line for line in found["violations"])
    lines = [
        f"chaos, seed {found['seed']}: {found['faults']} of {found['planned']} faults in {found['seconds']} s, "
        f"{found['combinations']} of {len(TARGETS) * len(SIGNALS) * len(POINTS)} combinations",
        "",
        *_table(found["by_kind"]),
        "",
        f"posts       {found['posts']} in the log ({found['acknowledged']} acknowledged): {found['tagged']} tagged, "
        f"{found['dead']} dead, {found['lost']} lost; {found['mentions']} mentions",
        f"transactions  {_some(found['transactions'].items())}",
        f"duplicates  {found['duplicate_receipts']} receipts, {found['duplicate_events']} events, "
        f"{found['duplicate_dead_letters']} dead letters, with equal ids",
        f"drift       {drift}   zombies {zombies}   longest stall {found['longest_stall']} s   "
        f"checks {found['checks']}   counters rebuilt {len(found['rebuilds'])} times",
        f"takeover    {_shown(found['takeover_alone'])} alone; {_shown(found['takeover_all'])} of all",
        f"            {_shown(found['takeover_named'])} named; {_shown(found['takeover_unnamed'])} unnamed",
        f"SIGTERM     {_shown(found['sigterm_to_end'])} until a worker had ended",
        f"innocent    {len(found['innocent_dead'])} dead: {_some(found['innocent_dead'].items())}",
        "",
        "workers ended",
        *(f"  {count:4} {how}" for how, count in sorted(found["ends_of_workers"].items())),
        *(f"rebuilt because: {reason}" for reason in found["rebuilds"]),
        "",
        *(f"BROKEN: {line}" for line in found["violations"][:SHOWN]),
        f"{len(found['violations'])} violations" if found["violations"] else "every promise was kept",
    ]
    return "\n".join(lines) + "\n"


def _table(by_kind: Mapping[str, int]) -> list[str]:
    lines = [" " * 14 + "".join(f"{point:>12}" for point in POINTS)]
    for target in TARGETS:
        for signal in SIGNALS:
            counts = (by_kind.get(f"{target} {signal} while {point}", 0) for point in POINTS)
            lines.append(f"{target + ' ' + signal:14}" + "".join(f"{count:12}" for count in counts))
    return [*lines, "  ".join(f"{kind} {by_kind.get(kind, 0)}" for kind in dict.fromkeys(OTHERS))]


def _spread(seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {"count": 0, "median": 0.0, "max": 0.0}
    return {"count": len(seconds), "median": round(median(seconds), 1), "max": round(max(seconds), 1)}


def _shown(spread: Mapping[str, float]) -> str:
    return (
        f"{spread['median']} s (median), {spread['max']} s (most) of {spread['count']}"
        if spread["count"]
        else "none"
    )


def _some(items: Any) -> str:
    shown = [f"{number} ({error})" for number, error in list(items)[:SHOWN]]
    return ", ".join(shown) or "none"
