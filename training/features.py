"""What is seen in a data set's images, computed once and kept: pooled features, words, and regions of them.

One folder for each data set and way of looking, with `features.safetensors` (float16) and `seen.json`, the words about
each image and the names of its regions; it may be deleted at any time. Looking itself is models/look.py's, so training
sees what serving sees.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import save_file

from models.errors import BrokenImage
from models.images import Picture, decode_image
from models.look import ImageReader
from models.seen import Pixels, Seen

TOGETHER = 32
"""Images looked at in one go."""
ENDINGS = (".jpg", ".jpeg", ".png")
WEIGHTS, WORDS = "features.safetensors", "seen.json"


def read_features(store: Path, images: Mapping[str, Path], reader: ImageReader) -> dict[str, Seen]:
    """What is seen in each of `images` (id -> file), from `store`, which is made or added to where it lacks some.

    An image that is missing or cannot be decoded has nothing seen in it, and is looked for again the next time.
    """
    known = _read(store)
    new = [name for name in images if name not in known]
    groups = [new[start : start + TOGETHER] for start in range(0, len(new), TOGETHER)]
    for group in track(groups, description=f"looking at {len(new)} images") if new else ():
        pictures = [_picture(images[name]) for name in group]
        known |= zip(group, reader.read(pictures), strict=True)
    if new:
        _write(store, known)
    return {name: known[name] for name in images}


def image_file(folder: Path, name: str) -> Path:
    """The file of an image by its id; the first of ENDINGS where there is none."""
    files = [folder / f"{name}{ending}" for ending in ENDINGS]
    return next((file for file in files if file.is_file()), files[0])


def _picture(path: Path) -> Sequence[Picture]:
    try:
        return [decode_image(path.read_bytes())]
    except (OSError, BrokenImage):
        return []


def _read(store: Path) -> dict[str, Seen]:
    if not (store / WORDS).exists():
        return {}
    words = json.loads((store / WORDS).read_text(encoding="utf-8"))
    seen = dict[str, Seen]()
    with safe_open(store / WEIGHTS, framework="pt") as file:
        stored = {part: file.get_tensor(part) for part in file.keys()}  # noqa: SIM118
    ends = stored["counts"].cumsum(0).tolist()
    for row, (name, found) in enumerate(words.items()):
        kept = slice(ends[row] - int(stored["counts"][row]), ends[row])
        regions, boxes = (stored[part][kept] if part in stored else None for part in ("regions", "boxes"))
        pixels = Pixels(stored["pooled"][row].float(), regions, boxes, tuple(found["regions"]))
        seen[name] = Seen(tuple(found["words"]), pixels)
    return seen


def _write(store: Path, seen: Mapping[str, Seen]) -> None:
    store.mkdir(parents=True, exist_ok=True)
    kept = {name: each for name, each in seen.items() if each.pixels is not None}
    found = [each.pixels for each in kept.values() if each.pixels is not None]
    if not found:
        return
    regions = [pixels.regions for pixels in found if pixels.regions is not None]
    counts = torch.tensor([0 if pixels.regions is None else len(pixels.regions) for pixels in found])
    tensors = {"pooled": torch.stack([pixels.pooled.half() for pixels in found]), "counts": counts}
    if regions:
        tensors["regions"] = torch.cat([each.half() for each in regions])
        tensors["boxes"] = torch.cat([pixels.boxes for pixels in found if pixels.boxes is not None])
    save_file(tensors, store / WEIGHTS)
    words = {
        name: {"words": each.words, "regions": pixels.words}
        for (name, each), pixels in zip(kept.items(), found, strict=True)
    }
    (store / WORDS).write_text(json.dumps(words), encoding="utf-8")
