"""The picture of a soak: memory per worker, latency per minute, lag."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from tests.load.report.report import Report

mpl.use("Agg")  # no display is needed


def draw(report: Report, file: Path) -> None:
    """Write the picture to `file`."""
    began = report.samples[0].at
    figure, (memory, latency, lag) = plt.subplots(3, 1, figsize=(9, 9), layout="constrained")
    for worker in report.workers:
        own = [each for each in report.samples if each.worker == worker["worker"]]
        minutes = [(each.at - began) / 60 for each in own]
        label = f"worker {worker['worker']}: {worker['rss_mib_per_hour']:+.1f} MiB/h"
        memory.plot(minutes, [each.rss for each in own], label=label)
        lag.plot(minutes, [each.lag for each in own], label=f"worker {worker['worker']}")
    rows = report.latency["per_minute"]
    for name in ("p50", "p95", "p99"):
        latency.plot([row["minute"] + 0.5 for row in rows], [row[name] for row in rows], "o-", label=name)
    for axes, title in (
        (memory, "RSS, MiB"),
        (latency, "end-to-end latency per minute, s"),
        (lag, "posts not committed"),
    ):
        axes.set_title(title)
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower right")
    lag.set_xlabel("minutes")
    figure.suptitle(
        f"{report.rate:.1f} posts/s ({report.share:.0%} of {report.full_rate:.1f}), {report.model}"
    )
    figure.savefig(file, dpi=100)
    plt.close(figure)
