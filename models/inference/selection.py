"""Selects the engine of a tagger: the exact one, one by name, or the fastest on this machine (`auto`).

An engine other than the exact one serves only if it passes the guard: it tags the checkpoint's golden posts as they
were recorded, and its confidences stay within golden.CONFIDENCE. `auto` times every engine that passes, for about a
second each. The result is cached per checkpoint, machine and library version in the user's data folder.
"""

import json
import logging
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from models.checkpoints import golden
from models.checkpoints.golden import TEXTS, check
from models.core.errors import CheckpointError
from models.core.places import DATA
from models.inference.torch_engine import TorchEngine, has_encoder, runs_bf16

log = logging.getLogger(__name__)

EXACT = "torch-fp32"
"""The reference that every other engine is compared with."""
ENGINES = {EXACT: "fp32", "torch-bf16": "bf16"}
"""Name -> precision."""
ROUNDS = 3
"""Timings of each engine, of which the median counts; engines take turns."""
POSTS = 32
"""Posts in a timed batch."""


class Tags(golden.Tags, Protocol):
    """A Tagger (models/inference/tagger.py)."""

    def use(self, engine: TorchEngine) -> None:
        """Compute with `engine` from now on."""
        ...


def select(tagger: Tags, engine: str, recorded: Sequence[dict[str, Any]], checkpoint: str) -> None:
    """Let `tagger`, which runs the exact engine, use `engine`: `exact`, `auto` or a name in ENGINES.

    recorded: the checkpoint's golden posts. checkpoint: its id. Raises CheckpointError if `engine` is unknown, or if it
    is given by name and fails the guard.
    """
    device = next(tagger.model.parameters()).device
    name = EXACT if engine == "exact" else engine
    if name == "auto":
        key = _key(device, checkpoint)
        name = _cached(key) or _fastest(tagger, device, recorded, key)
    if name not in ENGINES:
        raise CheckpointError(f"engine {engine!r} is unknown: use auto, exact or one of {', '.join(ENGINES)}")
    if name == EXACT:
        return
    try:
        _start(tagger, name, recorded).keep()
    except CheckpointError as error:
        if engine != "auto":
            raise CheckpointError(f"engine {name} cannot serve this checkpoint: {error}") from None
        log.warning("engine %s failed the guard, using %s: %s", name, EXACT, error)


def _start(tagger: Tags, name: str, recorded: Sequence[dict[str, Any]]) -> TorchEngine:
    """The engine in use. Raises CheckpointError, with the exact engine in use again, if it fails the guard."""
    engine = TorchEngine(tagger.model, ENGINES[name])
    tagger.use(engine)
    try:
        check(
            tagger, () if name == EXACT else recorded
        )  # the exact one passed when the checkpoint was loaded
    except CheckpointError:
        _stop(tagger, engine)
        raise
    return engine


def _stop(tagger: Tags, engine: TorchEngine) -> None:
    engine.close()
    tagger.use(TorchEngine(tagger.model))


def _fastest(tagger: Tags, device: torch.device, recorded: Sequence[dict[str, Any]], key: str) -> str:
    """Name of the engine with the smallest median time per batch; stored under `key`."""
    if not (runs_bf16(device) and has_encoder(tagger.model)):
        return EXACT
    seconds: dict[str, list[float]] = {name: [] for name in ENGINES}
    for _ in range(ROUNDS):
        for name, found in seconds.items():
            try:
                engine = _start(tagger, name, recorded)
            except CheckpointError as error:
                log.warning("engine %s failed the guard: %s", name, error)
                return EXACT
            found.append(_time(tagger, device))
            _stop(tagger, engine)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    best = min(medians, key=medians.__getitem__)
    log.info("engine %s: %.2f times the speed of %s here", best, medians[EXACT] / medians[best], EXACT)
    _store(key, best)
    return best


def _time(tagger: Tags, device: torch.device) -> float:
    """Seconds for one batch of golden posts, after another one that warms up."""
    posts = [TEXTS[number % len(TEXTS)] for number in range(POSTS)]
    for _ in range(2):
        began = time.perf_counter()
        tagger.tag_unconstrained(posts)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - began
    return seconds


def _key(device: torch.device, checkpoint: str) -> str:
    """What the fastest engine depends on."""
    if device.type == "cuda":
        unit = torch.cuda.get_device_name(device)
    else:
        unit = (
            f"{platform.machine()} {sorted(k for k, v in torch.cpu.get_capabilities().items() if v is True)}"
        )
    return f"{checkpoint} {unit} {torch.get_num_threads()} threads torch {torch.__version__}"


def _file() -> Path:
    return DATA / "engines.json"


def _cached(key: str) -> str:
    """The stored name, or empty."""
    try:
        name = json.loads(_file().read_text(encoding="utf-8")).get(key, "")
    except (OSError, ValueError, AttributeError):
        return ""
    return name if name in ENGINES else ""


def _store(key: str, name: str) -> None:
    """A folder that cannot be written costs the timing again at the next start, nothing else."""
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=_file().parent, delete=False, encoding="utf-8") as file:
            json.dump({**known, key: name} if isinstance(known, dict) else {key: name}, file, indent=1)
        Path(file.name).replace(_file())
    except OSError as error:
        log.debug("the engine's choice was not stored: %s", error)
