"""Twenty promotions back and forth while both workers are kept busy: `python -m tests.load.model_switches`; see
`--help`.

Real Kafka, Redis and taggers: the shipped checkpoint and one that differs from it a little. Every batch is recorded
inside the workers (tests/load/traffic/recording_tagger.py), so that what is reported is measured: posts that failed,
batches with posts of two models, events that name another version than their post's receipt, and the pause: the longest
that a device stood still between two batches from a promotion until the new model had tagged, against the median time
of a batch."""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import click

from models import DEFAULT_CHECKPOINT
from models.checkpoints.promotion import point
from stream.config.base import ROOT
from stream.messages.events import EntityEvent
from tests.load.local_stack import Running, Say, running
from tests.load.report.outcomes import Outcomes
from tests.load.report.report import Counts
from tests.load.report.statistics import largest_gap
from tests.load.run import SEED, count, wait_until_done
from tests.load.traffic.posts import Posts
from tests.load.traffic.producer import Load
from tests.load.traffic.recording_tagger import Batch, batches
from tests.support.worker_processes import read_all, receipts

WAITING = 1200
"""Posts that wait at any time: the device must never stand still for want of them."""
BATCH_IMAGES = 8
"""Images of a batch at most: about thirty posts, so that many batches wait at any time."""
LONGEST = 300.0
"""Seconds that loading a checkpoint beside the one in use may take on a busy machine."""
REST = 3.0
"""Seconds between two promotions."""


@dataclass(frozen=True, slots=True)
class Switches:
    """Times in seconds, each pause of the worker where it was longest."""

    switches: int
    counts: Counts
    batches: int
    mixed_batches: int
    wrong_events: int
    """Events whose version is not that of a receipt of their post."""
    pauses: list[float]
    median_batch: float
    """Also while a model is loaded beside it: that costs time on the same cores."""
    longest_batch: float

    @property
    def failures(self) -> list[str]:
        failures = self.counts.failures
        if self.mixed_batches or self.wrong_events:
            failures.append(
                f"{self.mixed_batches} batches mix two models, {self.wrong_events} events misname theirs"
            )
        if max(self.pauses) >= self.median_batch:
            failures.append(f"a pause of {max(self.pauses):.3f} s, a batch takes {self.median_batch:.3f} s")
        return failures

    def __str__(self) -> str:
        counts = self.counts
        return (
            f"{self.switches} switches under load: {counts.dead - counts.bad} of {counts.sent} posts failed, "
            f"{counts.lost} lost; {self.mixed_batches} of {self.batches} batches mix two models, {self.wrong_events} "
            f"events misname theirs; pauses: median {median(self.pauses):.3f} s, longest {max(self.pauses):.3f} s; "
            f"a batch takes {self.median_batch:.3f} s (median), {self.longest_batch:.3f} s at most"
        )


def sibling(checkpoint: Path, directory: Path) -> Path:
    """Write a checkpoint to `directory` which is `checkpoint` but for a hair: another version and confidences."""
    import torch

    from models.checkpoints.components import build
    from models.checkpoints.format import load_checkpoint
    from training.runs.export import export

    stored = load_checkpoint(checkpoint)
    parts = build(stored)
    with torch.no_grad():
        last = list(parts.model.parameters())[-1]
        last.mul_(1.001)
    config = stored.config
    export(directory, parts, {}, {}, config["text_encoder_sha256"], config["name"])
    return directory


def switch_under_load(directory: Path, checkpoints: Sequence[Path], times: int, say: Say) -> Switches:
    """Promote one, then the other of two checkpoints, `times` times in all."""
    pointer = directory / "current"
    point(pointer, checkpoints[0])
    files = [directory / f"batches-{number}.jsonl" for number in range(2)]

    def arguments(number: int) -> Sequence[str]:
        return ("recorded", str(files[number]))

    with running(
        directory / "local", say, arguments, checkpoint=pointer, max_batch_images=BATCH_IMAGES
    ) as here:
        load = Load(here.settings.kafka, posts := Posts(SEED, here.picture_port))
        outcomes, stop = Outcomes(here.settings.kafka), threading.Event()
        feeding = threading.Thread(target=_feed, args=(load, outcomes, stop), daemon=True)
        feeding.start()
        spans = []
        for number in range(1, times + 1):
            time.sleep(REST)
            spans.append(_promote(here, pointer, checkpoints[number % 2]))
            say(f"switch {number} of {times}: {spans[-1][1] - spans[-1][0]:.1f} s until both workers use it")
        time.sleep(REST)
        stop.set()
        feeding.join()
        load.close()
        wait_until_done(load, outcomes)
        outcomes.close()
        outcomes.check()
        here.stop_workers()
        found = [batches(file) for file in files]
        every = [each for worker in found for each in worker]
        lasted = [each.ended - each.began for each in every]
        return Switches(
            switches=times,
            counts=count(here.settings, load, posts, outcomes),
            batches=len(every),
            mixed_batches=sum(each.prepared_by != (each.version,) for each in every),
            wrong_events=_wrong_events(here),
            pauses=[max(_pause(worker, *span) for worker in found) for span in spans],
            median_batch=median(lasted),
            longest_batch=max(lasted),
        )


def _feed(load: Load, outcomes: Outcomes, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        missing = WAITING - (load.sent - len(outcomes.done))
        if missing > 0:
            load.burst(missing)


def _promote(here: Running, pointer: Path, checkpoint: Path) -> tuple[float, float]:
    """From when until when this took, by the monotonic clock, until both workers say that they use it."""
    began, before = time.monotonic(), here.health(0)["version"]
    point(pointer, checkpoint)
    while any(here.health(number)["version"] == before for number in range(len(here.workers))):
        here.check()
        if time.monotonic() > began + LONGEST:
            raise RuntimeError(f"not switched within {LONGEST:.0f} s: {here.health(0)}")
        time.sleep(0.1)
    return began, time.monotonic()


def _pause(found: Sequence[Batch], began: float, ended: float) -> float:
    """The longest gap from a promotion until REST after the switch, when all old posts are through."""
    return largest_gap(
        [(each.began, each.ended) for each in found if began - REST < each.ended < ended + REST]
    )


def _wrong_events(here: Running) -> int:
    kafka = here.settings.kafka
    named = {(each.source, each.post_id, each.model_version) for each in receipts(kafka)}
    events = (
        EntityEvent.model_validate_json(record.value) for record in read_all(kafka, kafka.entities_topic)
    )
    return sum((each.source, each.post_id, each.model_version) not in named for each in events)


@click.command()
@click.option("--times", default=20, show_default=True, help="Switches.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=ROOT / ".local" / "soak",
    help="Folder of the report, switches.json.",
)
def main(times: int, out: Path) -> None:
    """Switch between two checkpoints under load, and report failed posts, mixed batches and the pause."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="trimod-switches-") as folder:
        here = Path(folder)
        other = sibling(DEFAULT_CHECKPOINT, here / "other")
        found = switch_under_load(
            here, (DEFAULT_CHECKPOINT, other), times, lambda line: print(line, flush=True)
        )
    report = {**asdict(found), "failures": found.failures}
    (out / "switches.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(found)
    for failure in found.failures:
        print(f"FAILED: {failure}")
    sys.exit(bool(found.failures))


if __name__ == "__main__":
    main()
