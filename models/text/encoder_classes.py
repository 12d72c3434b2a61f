"""Imports transformers' class of an encoder directly, without its auto classes.

The auto classes import the registries of all kinds of models, and with them libraries that take seconds to import. In
`trimod tag`, they took twice as long as the rest of the startup. Here the `model_type` in a local folder's config.json
selects the class. The auto classes handle folders of other kinds, and names on the model hub. No weights are read here.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

CLASSES = {
    "bert": ("transformers.models.bert.modeling_bert", "BertModel"),
    "mpnet": ("transformers.models.mpnet.modeling_mpnet", "MPNetModel"),
}
"""model_type -> module and class, as in AutoModel."""
DEFERRED = {"sklearn.metrics": "roc_curve", "scipy.optimize": "linear_sum_assignment"}
"""Module -> the name that transformers imports from it, but that encoders never call (assisted generation, losses of
object detectors). Importing sklearn and scipy takes a second."""


def encoder_class(folder: str) -> Any:
    """The class with `from_pretrained` for the encoder in `folder`, or of that name on the hub."""
    with deferred():
        if found := CLASSES.get(_model_type(Path(folder))):
            return getattr(import_module(found[0]), found[1])

    from transformers import AutoModel

    return AutoModel


def _model_type(folder: Path) -> str:
    """Empty if the folder's configuration cannot be read: AutoModel reports why."""
    try:
        return str(json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


@contextmanager
def deferred() -> Iterator[None]:
    """In this context, the modules in DEFERRED are stand-ins, whose functions import the real ones when called."""
    stand_ins: dict[str, ModuleType] = {}
    for module, function in DEFERRED.items():
        package = module.partition(".")[0]
        if package not in sys.modules and (spec := find_spec(package)):
            stand_in = stand_ins.setdefault(package, ModuleType(package))
            stand_in.__spec__ = spec  # transformers checks it to see whether the package is installed
            stand_ins[module] = ModuleType(module)
            setattr(stand_ins[module], function, _real(module, function))
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def _real(module: str, name: str) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kwargs)

    return call
