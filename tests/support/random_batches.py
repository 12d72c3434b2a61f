"""Small random posts for the models' tests: encoded as models read them, with labels that their words determine."""

import random
from dataclasses import replace

import torch

from models.architectures.base import SequenceTagger
from models.core.batch import Batch, Encoded, collate
from models.core.labels import bio_labels
from models.text.part_of_speech import TAGS

LABELS = tuple(bio_labels(["LOC", "MISC", "ORG", "PER"]))
WORDS, CHARACTERS, IMAGE = 30, 20, 8


def post(seed: int, captions: bool = False, regions: bool = False) -> Encoded:
    """1 to 6 tokens; a word is always of the same type of entity, so that a model can learn it."""
    draw = random.Random(seed)
    words = [draw.randrange(2, WORDS) for _ in range(draw.randint(1, 6))]
    return Encoded(
        words=words,
        characters=[[draw.randrange(2, CHARACTERS) for _ in range(draw.randint(1, 5))] for _ in words],
        part_of_speech=[1 + draw.randrange(len(TAGS)) for _ in words],
        image_words=[draw.randrange(2, WORDS) for _ in range(draw.randint(1, 5))] if captions else [],
        regions=torch.randn(4, IMAGE, generator=torch.Generator().manual_seed(seed)) if regions else None,
        boxes=torch.rand(4, 4, generator=torch.Generator().manual_seed(seed)) if regions else None,
        tags=_tags([word % 5 for word in words]),
    )


def _tags(types: list[int]) -> list[int]:
    """Of each word's type (0: none): a word goes on with the entity of a word of its type before it."""
    return [
        0 if not type_ else 2 * type_ - (before != type_)
        for before, type_ in zip([0, *types], types, strict=False)
    ]


def posts(count: int) -> list[Encoded]:
    """By turns with words about an image, with regions of it, with both and with neither."""
    return [post(seed, captions=seed % 2 == 1, regions=seed % 4 > 1) for seed in range(count)]


def batch_of(encoded: list[Encoded]) -> Batch:
    return collate(encoded, IMAGE)


def without_image(encoded: Encoded) -> Encoded:
    return replace(encoded, image_words=[], regions=None, boxes=None)


def assert_alone_is_as_in_a_batch(model: SequenceTagger, encoded: list[Encoded]) -> None:
    """Emissions, weights and summed loss of posts one by one equal those of the padded batch."""
    model.eval()
    with torch.no_grad():
        emissions, weights = model(batch_of(encoded))
        loss, alone = model.loss(batch_of(encoded)), 0.0
        for index, each in enumerate(encoded):
            expected, expected_weights = model(batch_of([each]))
            length = len(each.words)
            torch.testing.assert_close(expected[0], emissions[index, :length], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(expected_weights[:, 0], weights[:, index, :length])
            alone += float(model.loss(batch_of([each])))
    torch.testing.assert_close(alone / len(encoded), float(loss))


def overfits(model: SequenceTagger, encoded: list[Encoded], rate: float, steps: int) -> float:
    """Train on one batch; the share of its tokens that is then tagged right."""
    batch = batch_of(encoded)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(batch).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        paths = model.crf.decode(model(batch)[0], batch.mask)
    ours = [tag for path in paths for tag in path]
    theirs = [tag for each in encoded for tag in each.tags or []]
    return sum(a == b for a, b in zip(ours, theirs, strict=True)) / len(theirs)


def without_gradient(model: SequenceTagger, encoded: list[Encoded]) -> list[str]:
    """Names of the parameters that the loss does not reach."""
    model.train()
    model.loss(batch_of(encoded)).backward()
    return [name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.ne(0).any())]
