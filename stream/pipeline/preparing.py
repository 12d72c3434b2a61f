"""A post as the tagger wants it: its pictures decoded, its text cut and numbered. Runs on CPU threads.

A post that cannot be prepared costs only itself, as one that cannot be tagged does (stream/pipeline/tagging.py). What
is downloaded for it was downloaded before (stream/images/url_fetcher.py)."""

import logging
from pathlib import Path

from models.core.post import Post as PostToTag
from stream.images.loader import Fetched, fetch_pictures
from stream.images.outcomes import ImageOutcome
from stream.messages.posts import Post
from stream.pipeline.model import ActiveModel, PreparedPost
from stream.pipeline.tagging import Failed
from stream.runtime.fault_injection import fault
from stream.runtime.watchdog import Busy

log = logging.getLogger("trimod.worker")


def prepare_post(
    active: ActiveModel, busy: Busy, images_root: Path | None, post: Post, fetched: Fetched
) -> tuple[PreparedPost, list[ImageOutcome]] | Failed:
    """The prepared post and what became of its images; Failed where it fails twice.

    Raises WorkEndedIt where the model prepares nothing any more.
    """
    for last in (False, True):
        try:
            with busy("preparing a post"):
                fault("fetching", (post,))
                pictures, outcomes = fetch_pictures(post, images_root, fetched)
                prepared: PreparedPost = active.tagger.prepare(PostToTag(post.text, post.hashtags), pictures)
                return prepared, outcomes
        except Exception as error:
            log.warning("post %s cannot be prepared%s: %r", post.id, " again" if last else "", error)
            failed = Failed.of(error)
    active.golden.check_preparing()  # else no post is to blame
    return failed
