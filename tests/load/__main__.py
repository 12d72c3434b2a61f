"""`python -m tests.soak`: see `--help`. Exit code 1 where something failed, and what."""

import json
import sys
import tempfile
from pathlib import Path

import click

from models.core.errors import TrimodError
from stream.config.base import ROOT


@click.command()
@click.option("--minutes", default=30.0, show_default=True, help="Minutes of steady load.")
@click.option("--share", default=0.7, show_default=True, help="Load, as a share of the full rate.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=ROOT / ".local" / "soak", help="Folder of the report."
)
def main(minutes: float, share: float, out: Path) -> None:
    """Measure this machine's full rate, then tag posts at a share of it for a long time, and report memory and
    latency: soak.txt, soak.json and soak.png."""
    from tests.load.report.plot import draw
    from tests.load.report.report import as_text
    from tests.load.run import soak

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="trimod-soak-") as folder:
        try:
            report = soak(Path(folder), minutes, share, lambda line: print(line, flush=True))
        except (RuntimeError, TrimodError) as error:
            sys.exit(f"soak: {error}")
    (out / "soak.json").write_text(json.dumps(report.as_json()), encoding="utf-8")
    (out / "soak.txt").write_text(as_text(report), encoding="utf-8")
    draw(report, out / "soak.png")
    print(as_text(report), end="")
    print(f"report: {out}")
    sys.exit(bool(report.failures))


if __name__ == "__main__":
    main()
