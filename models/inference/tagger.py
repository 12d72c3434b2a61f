"""Tagger: a checkpoint that tags posts. Three lines:

    from models.inference.tagger import Tagger
    tagger = Tagger.load()
    print(tagger.tag(["Auston Matthews scores! #TorontoMapleLeafs"]))

A worker calls the two halves separately: `prepare` on CPU threads, and `tag_prepared` on the thread that owns the
device. A post's tags do not depend on the other posts in the batch. `tag` decodes images (models/vision/decoding.py);
`prepare` expects decoded ones."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

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
from models.inference.borders import split_names
from models.inference.constraints import Handles, constrain, outside
from models.inference.device import choose_device
from models.inference.engine import InferenceEngine, Scores
from models.inference.json_posts import from_json
from models.inference.selection import select
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
"""Maximum number of distinct hashtags read per post; further ones carry no information."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A post that was prepared on a CPU thread."""

    text: str
    found: list[Token]
    ids: TokenIds
    hashtag_words: tuple[str, ...]
    pictures: tuple[Picture, ...]

    @property
    def words(self) -> list[str]:
        """Its tokens, as they are read."""
        return [token.seen for token in self.found]

    @property
    def tokens(self) -> int:
        """Cost in a batch: approximately the pieces of its views."""
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
    """A loaded model with its segmenter and the CNN that reads images."""

    golden = TEXTS
    """Texts of posts to test it with."""

    def __init__(
        self,
        model: SequenceTagger,
        encoder: PostEncoder,
        segmenter: Segmenter,
        images: ImageReader,
        name: str,
        version: str,
        handles: Handles = "skip",
    ) -> None:
        self.model, self.encoder, self.segmenter = model.eval(), encoder, segmenter.eval()
        self.name = name
        self._checkpoint_version = version
        self.use(TorchEngine(self.model))
        self._images = images
        self.handles: Handles = handles
        self.on_part: Callable[[], None] = lambda: None
        """Called after each part of a batch, on the device's thread. A very long post may take minutes on a CPU; this
        shows the watchdog that there is progress."""

    @classmethod
    def load(
        cls,
        path: str | Path = DEFAULT_CHECKPOINT,
        device: str = "auto",
        threads: int = 0,
        image_cache: int = 4096,
        *,
        images_lazily: bool = False,
        engine: str = "exact",
        handles: Handles = "skip",
    ) -> "Tagger":
        """The tagger in checkpoint folder `path`. Raises CheckpointError or PretrainedError with the reason.

        device: `auto` uses CUDA if available. threads: for the model on a CPU; 0 is torch's default. images_lazily:
        load the networks that read images at the first image, which may then raise PretrainedError.
        engine: `exact` (float32), `auto` (the fastest on this machine that tags the golden posts as recorded), or an
        engine's name (models/inference/selection.py). handles: `tag` also finds mentions in handles such
        as `@nasa`, which most data sets leave unlabelled.
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
            tagger = cls(model.to(chosen), parts.encoder, parts.segmenter, images, name, version, handles)
            check(tagger, stored.golden)
            select(tagger, engine, stored.golden, stored.id)
        except (KeyError, TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise CheckpointError(
                f"checkpoint {path}: config.json and weights do not fit: {reason}"
            ) from None
        return tagger

    def use(self, engine: InferenceEngine) -> None:
        """Compute with `engine` from now on; it is part of the version, since scores differ between engines."""
        self._engine = engine
        self.version = f"{self._checkpoint_version}.{engine.device.type}.{engine.precision}"

    @property
    def labels(self) -> tuple[str, ...]:
        """`O`, then `B-` and `I-` of each type."""
        return tuple(self.model.crf.labels)

    def caches(self) -> dict[str, int]:
        """Cache -> current number of entries; each cache is bounded."""
        return {
            "image features": self._images.remembered,
            "hashtags": self.segmenter.remembered,
            "tokens": self.encoder.remembered,
        }

    def canonical(self, mention: str) -> str:
        """The key under which mentions of one name are counted together (models/text/canonical.py)."""
        return canonical(mention)

    def tag(self, posts: Sequence[Post | str | Mapping[str, Any]]) -> list[list[Mention]]:
        """The mentions of each post, in text order; broken images are logged and skipped.

        posts: texts, posts, or objects such as {"text": ..., "hashtags": [...], "images": [{"data": ...}]}, as on the
        posts topic. Raises BadPost for an object without a usable text.
        """
        if isinstance(posts, str):
            raise TypeError("tag takes a list of posts: tag([text]), not tag(text)")
        prepared = []
        for post in posts:
            if isinstance(post, str):
                post = Post(post)
            elif isinstance(post, Mapping):
                post = from_json(post)
            prepared.append(self.prepare(post, list(_decoded(post))))
        return self.tag_prepared(prepared)

    def tag_unconstrained(self, texts: Sequence[str]) -> list[list[Mention]]:
        """What the model finds in posts without images, whatever kind of token it is in: for golden posts."""
        batch = [self.prepare(Post(text), ()) for text in texts]
        return self._tag_cut(batch, [VisualContext() for _ in batch], [[] for _ in batch])

    def prepare(self, post: Post, pictures: Sequence[Picture]) -> Prepared:
        """Tokenize a post's text and map it to ids; `post.images` is ignored. Thread-safe; does not use the device."""
        return self.prepare_tokens(post.text, tokenize(post.text), post.hashtags, pictures)

    def prepare_tokens(
        self,
        text: str,
        found: list[Token],
        hashtags: Sequence[str] | None = None,
        pictures: Sequence[Picture] = (),
    ) -> Prepared:
        """Like `prepare`, for a text whose tokens are given."""
        tokens = [token.seen for token in found]
        given = hashtags_in(tokens) if hashtags is None else (hashtag.lstrip("#＃") for hashtag in hashtags)
        known = list(islice(dict.fromkeys(hashtag for hashtag in given if hashtag), MAX_HASHTAGS))
        words = (word for segmented in self.segmenter.segment(known) for word in segmented.split())
        return Prepared(text, found, self.encoder.token_ids(tokens), tuple(words), tuple(pictures))

    def tag_prepared(self, batch: Sequence[Prepared]) -> list[list[Mention]]:
        """The mentions of each prepared post. Call it from one thread at a time."""
        return self.tag_seen(batch, self.look(batch))

    def look(self, batch: Sequence[Prepared]) -> list[VisualContext]:
        """The image input from each post's pictures."""
        return self._images.read([prepared.pictures for prepared in batch])

    def tag_seen(self, batch: Sequence[Prepared], seen: Sequence[VisualContext]) -> list[list[Mention]]:
        """Like `tag_prepared`, but with given image input: evaluation passes captions."""
        never = [outside(prepared.found, self.handles) for prepared in batch]
        return self._tag_cut(batch, seen, never)

    def _tag_cut(
        self, batch: Sequence[Prepared], seen: Sequence[VisualContext], never: Sequence[Sequence[int]]
    ) -> list[list[Mention]]:
        """The mentions of each post; tokens in its `never` are in none."""
        cut = _cut(batch)
        mentions: list[list[Mention]] = [[] for _ in batch]
        outsides = [
            [token - window.start for token in never[window.post] if window.start <= token < window.end]
            for window in cut
        ]
        tagged = self._tag_encoded(self._encoded(batch, seen, cut), outsides)
        for window, found in zip(cut, tagged, strict=True):
            prepared, kept = batch[window.post], mentions[window.post]
            for span, confidence, weights in found:
                start, end = window.start + span.start, window.start + span.end
                shares = dict(zip(self.model.modalities, weights, strict=True))
                whole = _mention(prepared, Span(start, end, span.type), confidence, shares)
                if window.first <= start < window.last and (not kept or whole.start >= kept[-1].end):
                    names = split_names(Span(start, end, span.type), prepared.words)
                    kept += [_mention(prepared, name, confidence, shares) for name in names]
        return mentions

    def weigh(self, batch: Sequence[Prepared]) -> list[list[dict[str, float]]]:
        """The modality weights at each token of each post, in mentions or not: HSN's gate, TriMod's gamma.

        They sum to 1 at a token; empty if the model has no modality weights. This is a separate pass, in addition to
        tagging. Call it from one thread at a time.
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
        """The windows of `cut`, encoded."""
        encoded = []
        for window in cut:
            prepared, shown = batch[window.post], seen[window.post]
            ids = prepared.ids[window.start : window.end]
            encoded.append(self.encoder.encode(ids, shown.words, prepared.hashtag_words, shown.pixels))
        return encoded

    @torch.inference_mode()
    def _tag_encoded(
        self, encoded: Sequence[Encoded], never: Sequence[Sequence[int]]
    ) -> list[list[tuple[Span, float, list[float]]]]:
        """Spans over each window's tokens, with confidence and the modalities' mean weights."""
        results: list[list[tuple[Span, float, list[float]]]] = [[] for _ in encoded]
        for group, scores in self._scored(encoded):
            emissions = constrain(scores.emissions, [never[index] for index in group], self.labels)
            found = self.model.find(emissions, scores.mask)
            for row, index in enumerate(group):
                results[index] = [
                    (span, confidence, scores.weights[:, row, span.start : span.end].mean(dim=1).tolist())
                    for span, confidence in found[row]
                ]
            self.on_part()
        return results

    def _scored(self, encoded: Sequence[Encoded]) -> Iterator[tuple[Sequence[int], Scores]]:
        """Groups of windows of similar length: their indices in `encoded`, and their scores."""
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


def _mention(prepared: Prepared, span: Span, confidence: float, shares: dict[str, float]) -> Mention:
    begin, stop = prepared.found[span.start].start, prepared.found[span.end - 1].end
    text = prepared.text[begin:stop]
    return Mention(begin, stop, text, span.type, confidence, shares, canonical(text))
