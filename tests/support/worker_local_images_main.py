"""A worker process for tests: `python worker_with_local_images.py SETTINGS_JSON PORT`.

It may fetch images from `images.test`, which is a loopback address here, at this port; and its tagger says by a
mention's weights whether it saw a picture, and how blue that is.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from models.core.post import Mention
from stream.config.settings import Settings
from stream.images.downloader import Downloader
from stream.images.url_fetcher import ImageUrls
from stream.images.url_policy import UrlRules
from stream.worker.main import run_worker
from tests.support.fake_tagger import FakeTagger, Prepared, mentions_of
from tests.support.image_servers import ALSO, OUTSIDE, Names


class SeeingTagger(FakeTagger):
    def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
        return [
            [
                Mention(each.start, each.end, each.text, each.type, each.confidence, _weights(prepared))
                for each in mentions_of(prepared.text)
            ]
            for prepared in batch
        ]


def _weights(prepared: Prepared) -> dict[str, float]:
    pictures = prepared.pictures
    return {"pictures": len(pictures), "blue": sum(each.pixels[0, 0, 2] / 255 for each in pictures)}


settings, port = Settings.model_validate_json(sys.argv[1]), int(sys.argv[2])
rules = UrlRules(settings.fetch.hosts, http=settings.fetch.allow_http, ports=(port,))
downloader = Downloader(rules, ALSO, Names(images_test=[OUTSIDE]))


run_worker(settings, SeeingTagger, ImageUrls(settings.fetch, downloader))
