"""Prepares posts for the tagger on CPU threads: decodes images, splits the text and maps it to numbers.

A post that cannot be prepared does not affect others, like one that cannot be tagged (stream/pipeline/tagging.py). Its
images were downloaded before (stream/images/url_fetcher.py)."""

import logging
from pathlib import Path

from models.core.post import Post as PostToTag
from stream.images.loader import Fetched, fetch_pictures
from stream.images.outcomes import ImageOutcome
from stream.messages.posts import Post
from stream.pipeline.model import ActiveModel, PreparedPost
from stream.pipeline.tagging import Failed
from stream.runtime.fault_injection import fault
from stream.runtime.watchdog import ActivityTracker

log = logging.getLogger("trimod.worker")


def prepare_post(
    active: ActiveModel, activity: ActivityTracker, images_root: Path | None, post: Post, fetched: Fetched
) -> tuple[PreparedPost, list[ImageOutcome]] | Failed:
    """The prepared post and the outcomes of its images; Failed if it fails twice.

    Raises FailedOnPost if the model can no longer prepare any post.
    """
    for last in (False, True):
        try:
            with activity("preparing a post"):
                fault("fetching", (post,))
                pictures, outcomes = fetch_pictures(post, images_root, fetched)
                prepared: PreparedPost = active.tagger.prepare(PostToTag(post.text, post.hashtags), pictures)
                return prepared, outcomes
        except Exception as error:
            log.warning("post %s: preparation failed%s: %r", post.id, " again" if last else "", error)
            failed = Failed.of(error)
    active.golden.check_preparing()  # if this fails, no post is to blame
    return failed
