"""A worker for soaks: `python worker.py PORT shipped|fake|recorded [DELAY|FILE]`, its settings in the environment.

As `trimod worker`, but that it may fetch pictures from the soak's own server, at this port. `shipped` is the checkpoint
of the settings; `recorded` too, and every batch of it is written to FILE (tests/load/traffic/recording_tagger.py);
`fake` is the fake tagger, which takes DELAY seconds for a batch."""

import functools
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.core.errors import TrimodError
from stream.config.loading import load_settings
from stream.config.settings import Settings
from stream.images.downloader import Downloader
from stream.images.url_fetcher import ImageUrls
from stream.images.url_policy import UrlRules
from stream.worker.main import run_worker
from tests.load.traffic.images import URL_HOST
from tests.support.fake_tagger import FakeTagger
from tests.support.image_servers import ALSO, OUTSIDE, Names


def load(settings: Settings, kind: str, value: str) -> Any:
    if kind == "fake":
        return FakeTagger(float(value))

    from models.inference.tagger import Tagger  # torch is for those that need it

    own = settings.worker
    tagger = Tagger.load(own.checkpoint, own.device, own.threads, own.image_cache)
    if kind == "shipped":
        return tagger

    from tests.load.traffic.recording_tagger import Recorded

    return Recorded(tagger, Path(value))


def main(port: int, kind: str, value: str) -> None:
    settings = load_settings()
    rules = UrlRules(settings.fetch.hosts, http=settings.fetch.allow_http, ports=(port,))
    names = Names(**{URL_HOST.replace(".", "_"): [OUTSIDE]})
    run_worker(
        settings,
        functools.partial(load, settings, kind, value),
        ImageUrls(settings.fetch, Downloader(rules, ALSO, names)),
    )


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), sys.argv[2], sys.argv[3] if sys.argv[3:] else "0")
    except TrimodError as error:
        sys.exit(f"trimod: {error}")
