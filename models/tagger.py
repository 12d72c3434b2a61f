"""Tagger: a checkpoint that tags posts. Three lines:

    from models.tagger import Tagger
    tagger = Tagger.load("deploy/checkpoints/trimod")
    print(tagger.tag(["Auston Matthews scores! #TorontoMapleLeafs"]))

A worker calls the two halves apart: `prepare` on CPU threads, `tag_prepared` on the thread that owns the device. A
post's tags do not depend on which posts are tagged with it. `tag` decodes images (models/images.py); `prepare` wants
them decoded.
"""

import hashlib
import logging
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.batch import Encoded, collate
from models.canonical import canonical
from models.checkpoint import Checkpoint, load_checkpoint
from models.encode import PostEncoder, TokenIds, Vocabulary, windows
from models.encoders import MAX_GROUP_PIECES, VIEWS
from models.errors import BrokenImage, CheckpointError
from models.images import Picture, decode_image
from models.labels import Span, bio_labels, spans
from models.post import Mention, Post
from models.segmenter import Segmenter, SegmenterConfig
from models.split import split_by_length
from models.tokens import Token, hashtags_in, tokenize
from models.trimod import TriMod, TriModConfig
from models.vision import ImageEncoder, ImageFeatures

log = logging.getLogger(__name__)

FROZEN = "words.encoder.embeddings.word_embeddings.weight"
"""Stays as it was pretrained, so it comes from the encoder's package and is in no checkpoint."""
MAX_ALT = 1000
"""Characters of an image's alt text that are read."""
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
class Seen:
    """What is known about a post's images: words, and pooled CNN features [1280], their mean over the images."""

    words: tuple[str, ...] = ()
    pooled: Tensor | None = None


NOTHING_SEEN = Seen()


@dataclass(frozen=True, slots=True)
class _Window:
    """Tokens [start, end) of post `post`; its mentions count if they start in [first, last)."""

    post: int
    start: int
    end: int
    first: int
    last: int


class Tagger:
    """A loaded TriMod with its segmenter and the CNN that looks at images."""

    def __init__(
        self,
        model: TriMod,
        encoder: PostEncoder,
        segmenter: Segmenter,
        images: ImageEncoder,
        name: str,
        version: str,
    ) -> None:
        self.model, self.encoder, self.segmenter = model.eval(), encoder, segmenter.eval()
        self.device = next(model.parameters()).device
        self.name = name
        self.version = f"{version}.{self.device.type}.{_precision(self.device)}"
        self._images = images

    @classmethod
    def load(
        cls, path: str | Path, device: str = "auto", threads: int = 0, image_cache: int = 4096
    ) -> "Tagger":
        """The tagger in checkpoint folder `path`. Raises CheckpointError or PretrainedError, naming what is wrong.

        device: `auto` takes CUDA where there is one; threads: of the model on a CPU, 0 leaves torch's choice.
        """
        chosen = choose_device(device)
        if threads:
            torch.set_num_threads(threads)
        stored = load_checkpoint(Path(path))
        images = ImageEncoder(chosen, image_cache)
        try:
            model, encoder, segmenter = build(stored)
            name, version = str(stored.config["name"]), f"{stored.config['version']}+{stored.id}"
            tagger = cls(model.to(chosen), encoder, segmenter, images, name, version)
            tagger.tag(["One post, of #TwoHashtags, through all of it."])
        except (KeyError, TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            raise CheckpointError(
                f"checkpoint {path}: config.json and weights do not fit: {reason}"
            ) from None
        return tagger

    @property
    def labels(self) -> tuple[str, ...]:
        return self.model.config.labels

    def canonical(self, mention: str) -> str:
        """The form under which mentions of one thing are counted together (models/canonical.py)."""
        return canonical(mention, lambda hashtag: self.segmenter.segment([hashtag])[0])

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

    def look(self, batch: Sequence[Prepared]) -> list["Seen"]:
        """What is seen in each post's pictures."""
        pictures = [picture for prepared in batch for picture in prepared.pictures]
        if not pictures:
            return [NOTHING_SEEN for _ in batch]
        features = iter(self._images.encode(pictures))
        return [_seen(prepared.pictures, [next(features) for _ in prepared.pictures]) for prepared in batch]

    def tag_seen(self, batch: Sequence[Prepared], seen: Sequence["Seen"]) -> list[list[Mention]]:
        """As `tag_prepared`, with what is seen in the images given: evaluation puts captions there."""
        cut = [window for index, prepared in enumerate(batch) for window in _windows(index, prepared.ids)]
        encoded = []
        for window in cut:
            prepared = batch[window.post]
            ids = prepared.ids[window.start : window.end]
            encoded.append(
                self.encoder.encode(
                    ids, seen[window.post].words, prepared.hashtag_words, seen[window.post].pooled
                )
            )
        mentions: list[list[Mention]] = [[] for _ in batch]
        tagged = self._tag_encoded(encoded)
        for window, found in zip(cut, tagged, strict=True):
            prepared, kept = batch[window.post], mentions[window.post]
            for span, confidence, weights in found:
                start, end = window.start + span.start, window.start + span.end
                mention = _mention(prepared, start, end, span.type, confidence, weights)
                if window.first <= start < window.last and (not kept or mention.start >= kept[-1].end):
                    kept.append(mention)
        return mentions

    @torch.inference_mode()
    def _tag_encoded(self, encoded: Sequence[Encoded]) -> list[list[tuple[Span, float, list[float]]]]:
        """Spans over each window's tokens, with confidence and the modalities' mean weights."""
        results: list[list[tuple[Span, float, list[float]]]] = [[] for _ in encoded]
        lengths = [sum(post.rows) for post in encoded]
        for group in split_by_length(lengths, MAX_GROUP_PIECES):
            batch = collate([encoded[index] for index in group], self.model.config.pooled_size).to(
                self.device
            )
            with torch.autocast(
                self.device.type, dtype=torch.bfloat16, enabled=_precision(self.device) == "bf16"
            ):
                emissions, weights = self.model(batch)
            paths = self.model.crf.decode(emissions, batch.mask)
            found = [spans([self.labels[label] for label in path]) for path in paths]
            confidences = self.model.crf.span_confidence(emissions, batch.mask, found)
            weights = weights.float().cpu()
            for row, index in enumerate(group):
                results[index] = [
                    (span, confidence, weights[:, row, span.start : span.end].mean(dim=1).tolist())
                    for span, confidence in zip(found[row], confidences[row], strict=True)
                ]
        return results


def build(stored: Checkpoint) -> tuple[TriMod, PostEncoder, Segmenter]:
    """The parts of a checkpoint, with its weights in them."""
    config = stored.config
    if config.get("model") != "trimod":
        raise CheckpointError(f"this is a checkpoint of model {config.get('model')!r}; known are: trimod")
    hyper = TriModConfig(**{**config["trimod"], "labels": tuple(config["trimod"]["labels"])})
    if hyper.labels != tuple(bio_labels([label[2:] for label in hyper.labels[1::2]])):
        raise ValueError(f"labels must be O, then B-X and I-X of each type, got {', '.join(hyper.labels)}")
    words, characters = (Vocabulary(tuple(config["vocabulary"][part])) for part in ("words", "characters"))
    model = TriMod(hyper, words.size, characters.size)
    if frozen_sha256(model) != config["text_encoder_sha256"]:
        raise CheckpointError(
            f"the installed {hyper.text_encoder} is not the one this checkpoint was trained on"
        )
    missing, unexpected = model.load_state_dict(_part(stored, "model."), strict=False)
    if unexpected or set(missing) - {FROZEN}:
        raise ValueError(
            f"missing weights {sorted(set(missing) - {FROZEN})}, unknown weights {sorted(unexpected)}"
        )
    segmenter = Segmenter(SegmenterConfig(**config["segmenter"]))
    segmenter.load_state_dict(_part(stored, "segmenter."))
    encoder = PostEncoder(words, characters, hyper.text_encoder, hyper.max_characters)
    return model, encoder, segmenter


def parts_to_store(model: TriMod, segmenter: Segmenter) -> dict[str, Tensor]:
    """The tensors of a checkpoint, by the names that `build` reads."""
    own = {f"model.{name}": tensor for name, tensor in model.state_dict().items() if name != FROZEN}
    return own | {f"segmenter.{name}": tensor for name, tensor in segmenter.state_dict().items()}


def frozen_sha256(model: TriMod) -> str:
    """SHA-256, in hex, of the weights that come from the text encoder's package; empty where none do."""
    frozen = model.state_dict().get(FROZEN)
    return "" if frozen is None else hashlib.sha256(frozen.cpu().numpy().tobytes()).hexdigest()


def choose_device(name: str) -> torch.device:
    """The device called `name`: `cpu`, `cuda`, `cuda:N`, or `auto`, CUDA where there is one. Raises CheckpointError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()) or (kind == "cpu" and number):
        raise CheckpointError(f"device {name!r} is none of auto, cpu, cuda and cuda:N")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise CheckpointError(
            f"device {name} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices"
        )
    return torch.device(name)


def _precision(device: torch.device) -> str:
    """Part of the version: float32 on a CPU, bfloat16 by autocast on a GPU that computes in it."""
    if device.type != "cuda":
        return "fp32"
    with torch.cuda.device(device):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"


def words_of(text: str) -> list[str]:
    """The words of a caption, an alt text or class names, without punctuation."""
    return [
        token.text for token in tokenize(text) if any(unicodedata.category(c)[0] in "LN" for c in token.text)
    ]


def _part(stored: Checkpoint, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): t for name, t in stored.tensors.items() if name.startswith(prefix)}


def _decoded(post: Post) -> Iterable[Picture]:
    for image in post.images:
        try:
            yield decode_image(image.data, image.alt)
        except BrokenImage as error:
            log.warning("tagged without an image: %s", error)


def _seen(pictures: Sequence[Picture], features: Sequence[ImageFeatures]) -> Seen:
    """The alt texts' words, then the CNN's class words; nothing for a post without pictures."""
    if not pictures:
        return NOTHING_SEEN
    texts = [picture.alt for picture in pictures] + [" ".join(each.words) for each in features]
    return Seen(
        tuple(words_of(" ".join(text[:MAX_ALT] for text in texts))),
        torch.stack([each.pooled for each in features]).mean(dim=0),
    )


def _windows(post: int, ids: TokenIds) -> list[_Window]:
    """The windows of a post; a mention belongs to the window in which it starts farther from the border."""
    if not ids.words:
        return []
    bounds = windows(ids)
    cuts = [(after[0] + before[1]) // 2 for before, after in pairwise(bounds)]
    firsts, lasts = [0, *cuts], [*cuts, len(ids.words)]
    return [
        _Window(post, *bound, first, last) for bound, first, last in zip(bounds, firsts, lasts, strict=False)
    ]


def _mention(
    prepared: Prepared, start: int, end: int, type_: str, confidence: float, weights: Sequence[float]
) -> Mention:
    begin, stop = prepared.found[start].start, prepared.found[end - 1].end
    shares = dict(zip(VIEWS, weights, strict=True))
    return Mention(begin, stop, prepared.text[begin:stop], type_, confidence, shares)
