"""Tagger: a checkpoint that tags posts. Three lines:

    from models.inference.tagger import Tagger
    tagger = Tagger.load()
    print(tagger.tag(["Auston Matthews scores! #TorontoMapleLeafs"]))

A worker calls the two halves apart: `prepare` on CPU threads, `tag_prepared` on the thread that owns the device. A
post's tags do not depend on which posts are tagged with it. `tag` decodes images (models/vision/decoding.py); `prepare`
wants them decoded."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from models import DEFAULT_CHECKPOINT
from models.architectures.base import SequenceTagger
from models.checkpoints.components import build
from models.checkpoints.format import load_checkpoint, refuse_pickles
from models.checkpoints.golden import TEXTS, check
from models.checkpoints.pointer import resolve
from models.core.batch import Encoded
from models.core.errors import BrokenImage, CheckpointError
from models.core.labels import Span
from models.core.post import Mention, Post
from models.core.visual_context import VisualContext
from models.hashtags.segmenter import Segmenter
from models.inference.device import choose_device
from models.inference.engine import InferenceEngine, Scores
from models.inference.torch_engine import TorchEngine
from models.layers.lora import merge_adapters
from models.layers.transformer import MAX_GROUP_PIECES
from models.text.canonical import canonical
from models.text.post_encoder import PostEncoder, TokenIds
from models.text.tokenizer import Token, hashtags_in, tokenize
from models.text.windows import owned_windows, split_by_length
from models.vision.decoding import Picture, decode_image
from models.vision.image_reader import ImageReader

log = logging.getLogger(__name__)

MAX_HASHTAGS = 32
"""Different hashtags of a post that are read; who writes more says nothing with them."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A post made ready on a CPU thread."""

    text: str
    found: list[Token]
    ids: TokenIds
    hashtag_words: tuple[str, ...]
    pictures: tuple[Picture, ...]

    @property
    def tokens(self) -> int:
        """Cost in a batch: pieces of its views, about."""
        views = 1 + bool(self.pictures) + bool(self.hashtag_words)
        return views * (2 + sum(max(1, len(pieces)) for pieces in self.ids.pieces))


@dataclass(frozen=True, slots=True)
class _Window:
    """Tokens [start, end) of post `post`; its mentions count if they start in [first, last)."""

    post: int
    start: int
    end: int
    first: int
    last: int


class Tagger:
    """A loaded model with its segmenter and the CNN that looks at images."""

    golden = TEXTS
    """Texts of posts to try it on."""

    def __init__(
        self,
        model: SequenceTagger,
        encoder: PostEncoder,
        segmenter: Segmenter,
        images: ImageReader,
        name: str,
        version: str,
    ) -> None:
        self.model, self.encoder, self.segmenter = model.eval(), encoder, segmenter.eval()
        self._engine: InferenceEngine = TorchEngine(self.model)
        self.name = name
        self.version = f"{version}.{self._engine.device.type}.{self._engine.precision}"
        self._images = images
        self.on_part: Callable[[], None] = lambda: None
        """Called after each part of a batch, on the device's thread: one very long post may take minutes on a CPU, and
        whoever watches should know that it goes on."""

    @classmethod
    def load(
        cls,
        path: str | Path = DEFAULT_CHECKPOINT,
        device: str = "auto",
        threads: int = 0,
        image_cache: int = 4096,
        *,
        images_lazily: bool = False,
    ) -> "Tagger":
        """The tagger in checkpoint folder `path`. Raises CheckpointError or PretrainedError, naming what is wrong.

        device: `auto` takes CUDA where there is one; threads: of the model on a CPU, 0 leaves torch's choice;
        images_lazily: the networks that look at images are read at the first image, which may raise PretrainedError.
        """
        chosen = choose_device(device)
        if threads:
            torch.set_num_threads(threads)
        directory = resolve(Path(path))
        refuse_pickles(directory)
        stored = load_checkpoint(directory)
        try:
            parts = build(stored)
            model = parts.model
            merge_adapters(model)
            images = ImageReader(
                model.config.inputs, chosen, image_cache, parts.captioner, lazily=images_lazily
            )
            name, version = str(stored.config["name"]), f"{stored.config['version']}+{stored.id}"
            tagger = cls(model.to(chosen), parts.encoder, parts.segmenter, images, name, version)
            check(tagger, stored.golden)
        except (KeyError, TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise CheckpointError(
                f"checkpoint {path}: config.json and weights do not fit: {reason}"
            ) from None
        return tagger

    @property
    def labels(self) -> tuple[str, ...]:
        """`O`, then `B-` and `I-` of each type."""
        return tuple(self.model.crf.labels)

    def caches(self) -> dict[str, int]:
        """Cache -> how many things it holds now; each is bounded."""
        return {
            "image features": self._images.remembered,
            "hashtags": self.segmenter.remembered,
            "tokens": self.encoder.remembered,
        }

    def canonical(self, mention: str) -> str:
        """The key under which mentions of one name are counted together (models/text/canonical.py)."""
        return canonical(mention)

    def tag(self, posts: Sequence[Post | str]) -> list[list[Mention]]:
        """The mentions of each post, in order of their place in its text; broken images are skipped, and logged."""
        if isinstance(posts, str):
            raise TypeError("tag takes a list of posts: tag([text]), not tag(text)")
        prepared = []
        for post in posts:
            if isinstance(post, str):
                post = Post(post)
            prepared.append(self.prepare(post, list(_decoded(post))))
        return self.tag_prepared(prepared)

    def prepare(self, post: Post, pictures: Sequence[Picture]) -> Prepared:
        """Cut and number a post's text; `post.images` is not looked at. Thread-safe, touches no device."""
        return self.prepare_tokens(post.text, tokenize(post.text), post.hashtags, pictures)

    def prepare_tokens(
        self,
        text: str,
        found: list[Token],
        hashtags: Sequence[str] | None = None,
        pictures: Sequence[Picture] = (),
    ) -> Prepared:
        """As `prepare`, for a text whose tokens are given."""
        tokens = [token.text for token in found]
        given = hashtags_in(tokens) if hashtags is None else (hashtag.lstrip("#＃") for hashtag in hashtags)
        known = list(islice(dict.fromkeys(hashtag for hashtag in given if hashtag), MAX_HASHTAGS))
        words = (word for segmented in self.segmenter.segment(known) for word in segmented.split())
        return Prepared(text, found, self.encoder.token_ids(tokens), tuple(words), tuple(pictures))

    def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
        """The mentions of each prepared post. To be called from one thread at a time."""
        return self.tag_seen(batch, self.look(batch))

    def look(self, batch: Sequence[Prepared]) -> list[VisualContext]:
        """What is seen in each post's pictures."""
        return self._images.read([prepared.pictures for prepared in batch])

    def tag_seen(self, batch: Sequence[Prepared], seen: Sequence[VisualContext]) -> list[list[Mention]]:
        """As `tag_prepared`, with what is seen in the images given: evaluation puts captions there."""
        cut = _cut(batch)
        mentions: list[list[Mention]] = [[] for _ in batch]
        tagged = self._tag_encoded(self._encoded(batch, seen, cut))
        for window, found in zip(cut, tagged, strict=True):
            prepared, kept = batch[window.post], mentions[window.post]
            for span, confidence, weights in found:
                start, end = window.start + span.start, window.start + span.end
                shares = dict(zip(self.model.modalities, weights, strict=True))
                mention = _mention(prepared, start, end, span.type, confidence, shares)
                if window.first <= start < window.last and (not kept or mention.start >= kept[-1].end):
                    kept.append(mention)
        return mentions

    def weigh(self, batch: Sequence[Prepared]) -> list[list[dict[str, float]]]:
        """What each modality weighs at each token of each post, mention or not: HSN's gate, TriMod's gamma.

        They sum to 1 at a token; a model without modalities gives none. A pass of its own, beside tagging. To be called
        from one thread at a time.
        """
        cut, names = _cut(batch), self.model.modalities
        weighed: list[list[dict[str, float]]] = [[{} for _ in prepared.found] for prepared in batch]
        for group, scores in self._scored(self._encoded(batch, self.look(batch), cut)):
            for row, window in enumerate(cut[index] for index in group):
                for token in range(window.first, window.last):
                    shares = scores.weights[:, row, token - window.start].tolist()
                    weighed[window.post][token] = dict(zip(names, shares, strict=True))
        return weighed

    def _encoded(
        self, batch: Sequence[Prepared], seen: Sequence[VisualContext], cut: Sequence[_Window]
    ) -> list[Encoded]:
        """The windows of `cut`, laid out."""
        encoded = []
        for window in cut:
            prepared, shown = batch[window.post], seen[window.post]
            ids = prepared.ids[window.start : window.end]
            encoded.append(self.encoder.encode(ids, shown.words, prepared.hashtag_words, shown.pixels))
        return encoded

    @torch.inference_mode()
    def _tag_encoded(self, encoded: Sequence[Encoded]) -> list[list[tuple[Span, float, list[float]]]]:
        """Spans over each window's tokens, with confidence and the modalities' mean weights."""
        results: list[list[tuple[Span, float, list[float]]]] = [[] for _ in encoded]
        for group, scores in self._scored(encoded):
            found = self.model.find(scores.emissions, scores.mask)
            for row, index in enumerate(group):
                results[index] = [
                    (span, confidence, scores.weights[:, row, span.start : span.end].mean(dim=1).tolist())
                    for span, confidence in found[row]
                ]
            self.on_part()
        return results

    def _scored(self, encoded: Sequence[Encoded]) -> Iterator[tuple[Sequence[int], Scores]]:
        """Windows of like length together: their places in `encoded`, and their scores."""
        for group in split_by_length([sum(post.rows) for post in encoded], MAX_GROUP_PIECES):
            yield group, self._engine.run([encoded[index] for index in group])


def _decoded(post: Post) -> Iterable[Picture]:
    for image in post.images:
        try:
            yield decode_image(image.data, image.alt)
        except BrokenImage as error:
            log.warning("tagged without an image: %s", error)


def _cut(batch: Sequence[Prepared]) -> list[_Window]:
    """The windows of all posts."""
    return [
        _Window(index, *window)
        for index, prepared in enumerate(batch)
        if prepared.ids.words
        for window in owned_windows(prepared.ids)
    ]


def _mention(
    prepared: Prepared, start: int, end: int, type_: str, confidence: float, shares: dict[str, float]
) -> Mention:
    begin, stop = prepared.found[start].start, prepared.found[end - 1].end
    text = prepared.text[begin:stop]
    return Mention(begin, stop, text, type_, confidence, shares, canonical(text))
