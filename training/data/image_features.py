"""Image features of a data set, computed once and stored: pooled features, words, and regions.

There is one folder per data set and image reader; it may be deleted at any time. For each group of images it contains
`GROUP.safetensors` (float16) and then `GROUP.json`: the words about each image, the names of its regions, and the state
of the file that was read. A replaced image is read again; interrupted work continues after the last complete group.
models/vision/image_reader.py reads the images, so training gets the same input as serving.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from rich.progress import track
from safetensors.torch import load_file

from models.checkpoints.tensor_files import save_tensors
from models.core.errors import BrokenImage
from models.core.visual_context import Pixels, VisualContext
from models.vision.decoding import Picture, decode_image
from models.vision.file_names import existing
from models.vision.image_reader import ImageReader
from training.data.image_ids import ENDINGS, has_ending, without_ending

TOGETHER = 32
"""Images read and stored together."""
State = list[int] | None
"""Size and modification time of an image file; None if it is missing."""


def read_features(store: Path, images: Mapping[str, Path], reader: ImageReader) -> dict[str, VisualContext]:
    """The image input of each of `images` (id -> file), from `store`; missing entries are computed and added.

    The input of a missing or broken image is empty; it is tried again the next time.
    """
    states = {name: _state(file) for name, file in images.items()}
    # Stored features of a deleted file remain valid.
    known = {name: seen for name, state, seen in _read(store) if states.get(name, ()) in (state, None)}
    new = [name for name in images if name not in known]
    groups = [new[start : start + TOGETHER] for start in range(0, len(new), TOGETHER)]
    for group in track(groups, description=f"reading {len(new)} images") if new else ():
        pictures = [_picture(images[name]) for name in group]
        looked = dict(zip(group, reader.read(pictures), strict=True))
        _write(store, looked, states)
        known |= looked
    return {name: known[name] for name in images}


def image_file(folder: Path, name: str) -> Path:
    """The file of an image by its id, which may include the ending of a file; with the first of ENDINGS if there is
    none."""
    given = [folder / name] if has_ending(name) else []
    stems = dict.fromkeys((name, without_ending(name)))
    files = [*given, *(folder / f"{stem}{ending}" for stem in stems for ending in ENDINGS)]
    return next((file for each in files if (file := existing(each)).is_file()), files[0])


def _state(file: Path) -> State:
    try:
        found = file.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _picture(path: Path) -> Sequence[Picture]:
    try:
        return [decode_image(path.read_bytes())]
    except (OSError, BrokenImage):
        return []


def _read(store: Path) -> Iterator[tuple[str, State, VisualContext]]:
    """Id, file state when read, and image input of every stored image."""
    for file in sorted(store.glob("*.json")):
        if not file.with_suffix(".safetensors").exists():  # seen.json of an earlier format
            continue
        words = json.loads(file.read_text(encoding="utf-8"))
        stored = load_file(file.with_suffix(".safetensors"))
        ends = stored["counts"].cumsum(0).tolist()
        for row, (name, found) in enumerate(words.items()):
            kept = slice(ends[row] - int(stored["counts"][row]), ends[row])
            regions, boxes = (stored[part][kept] if part in stored else None for part in ("regions", "boxes"))
            pixels = Pixels(stored["pooled"][row].float(), regions, boxes, tuple(found["regions"]))
            yield name, found["file"], VisualContext(tuple(found["words"]), pixels)


def _write(store: Path, seen: Mapping[str, VisualContext], states: Mapping[str, State]) -> None:
    """Write both files to temporary names and rename them, words last, so that existing files are complete."""
    kept = {name: (each, each.pixels) for name, each in seen.items() if each.pixels is not None}
    if not kept:
        return
    found = [pixels for _, pixels in kept.values()]
    regions = [pixels.regions for pixels in found if pixels.regions is not None]
    counts = torch.tensor([0 if pixels.regions is None else len(pixels.regions) for pixels in found])
    tensors = {"pooled": torch.stack([pixels.pooled.half() for pixels in found]), "counts": counts}
    if regions:
        tensors["regions"] = torch.cat([each.half() for each in regions])
        tensors["boxes"] = torch.cat([pixels.boxes for pixels in found if pixels.boxes is not None])
    words = {
        name: {"words": each.words, "regions": pixels.words, "file": states[name]}
        for name, (each, pixels) in kept.items()
    }
    text = json.dumps(words)
    group = store / hashlib.sha256(text.encode()).hexdigest()[:16]
    store.mkdir(parents=True, exist_ok=True)
    partial = group.with_suffix(f".{os.getpid()}.partial")  # two runs may read the same images at once
    save_tensors(tensors, partial)
    partial.replace(group.with_suffix(".safetensors"))
    partial.write_text(text, encoding="utf-8")
    partial.replace(group.with_suffix(".json"))
