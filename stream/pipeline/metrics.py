"""A worker's Prometheus metrics, in a separate registry.

Names begin with `trimod_`. Posts are counted here once Redis has counted them, not when they are tagged. A post that is
tagged again after a crash or a rebalance is counted again. Queue depths and lag are read at the scrape."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from models.posts.field_notes import FIELDS
from stream.images.outcomes import ImageOutcome
from stream.messages.posts import Post
from stream.pipeline.item import ProcessedPost
from stream.pipeline.model import Model

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
POSTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
STAGES = ("download", "fetch", "tag", "publish", "count")


class _Gauges(Collector):
    """Gauges whose values are read at the scrape."""

    def __init__(
        self, name: str, documentation: str, label: str, read: Callable[[], dict[str, float]]
    ) -> None:
        self._about = (name, documentation, label)
        self._read = read

    def describe(self) -> Iterable[Metric]:
        return [self._family()]

    def collect(self) -> Iterable[Metric]:
        family = self._family()
        for name, value in self._read().items():
            family.add_metric([name], value)
        return [family]

    def _family(self) -> GaugeMetricFamily:
        name, documentation, label = self._about
        return GaugeMetricFamily(name, documentation, labels=[label])


class Metrics:
    def __init__(self, model: Model) -> None:
        self.registry = CollectorRegistry()
        self._posts = Counter(
            "trimod_posts", "Finished posts: tagged, skipped (error: the reason), or dead (error: its class).",
            ["outcome", "error"],
            registry=self.registry,
        )  # fmt: skip
        self._entities = Counter(
            "trimod_entities", "Published mentions, by type.", ["type"], registry=self.registry
        )
        self._images = Counter(
            "trimod_images", "Images of posts, by outcome: used, broken or skipped.", ["outcome", "reason"],
            registry=self.registry,
        )  # fmt: skip
        self._fields = Counter(
            "trimod_post_fields", "Fields of posts in a form that is not documented: converted, or skipped.",
            ["field", "outcome"], registry=self.registry,
        )  # fmt: skip
        for field in FIELDS:
            self._fields.labels(field, "skipped")
        self.batch_posts = Histogram(
            "trimod_batch_posts", "Posts per batch.", buckets=POSTS, registry=self.registry
        )
        self.batch_tokens = Histogram(
            "trimod_batch_tokens", "Tokens per batch.", buckets=TOKENS, registry=self.registry
        )
        stage = Histogram(
            "trimod_stage_seconds", "Seconds of one pass through a stage.", ["stage"],
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.stages = {name: stage.labels(name) for name in STAGES}
        self._model_info = Gauge(
            "trimod_model_info", "The model in use.", ["name", "version"], registry=self.registry
        )
        self.model(model)
        self.switches = Counter(
            "trimod_model_switches", "Promoted checkpoints, by outcome: switched to, or refused.", ["outcome"],
            registry=self.registry,
        )  # fmt: skip
        self._posts.labels("tagged", "")
        self._posts.labels("skipped", "language")

    def gauges(self, name: str, documentation: str, label: str, read: Callable[[], dict[str, float]]) -> None:
        """Register gauges, one per key of what `read` returns."""
        self.registry.register(_Gauges(name, documentation, label, read))

    def model(self, model: Model) -> None:
        """This model tags from now on."""
        self._model_info.clear()
        self._model_info.labels(model.name, model.version).set(1)

    def done(self, posts: Iterable[ProcessedPost]) -> None:
        """Count posts that are published and counted."""
        for post in posts:
            outcome = "dead" if post.error else "skipped" if post.skipped else "tagged"
            self._posts.labels(outcome, post.error or post.skipped or "").inc()
            for type_, _ in post.counted.mentions:
                self._entities.labels(type_).inc()

    def fields(self, post: Post) -> None:
        """Count the fields of a post that were converted or skipped."""
        for field, outcome in post.notes:
            self._fields.labels(field, outcome).inc()

    def images(self, outcomes: Iterable[ImageOutcome]) -> None:
        """Count the outcomes of a post's images."""
        for outcome in outcomes:
            self._images.labels(outcome.outcome, outcome.reason).inc()
