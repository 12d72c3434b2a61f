"""Apache Kafka as a child process: one broker in KRaft mode on loopback, which is also the controller.

The jars come from Maven by `make kafka` (deploy/kafka/pom.xml); nothing is downloaded here.
"""

import shutil
import time
import uuid
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from models.core.places import DATA
from stream.config.base import ROOT
from stream.errors import LocalServerError
from stream.local.process import Child
from stream.local.server import LOOPBACK, LocalServer, is_free
from stream.messages.base import MAX_DEAD_BYTES

KAFKA_LIBS = DATA / "kafka" / "libs"
"""Where `make kafka` puts the jars."""
LOGGING = ROOT / "deploy" / "kafka" / "log4j2.properties"


class LocalKafka(LocalServer):
    """One Apache Kafka broker on `port`, its controller on the next; its files are in `directory`.

    `heap` is Java's -Xmx, such as "512m"; `libs` the folder of Kafka's jars.
    """

    name, setting = "Kafka", "local.kafka_port"

    def __init__(self, directory: Path, port: int, heap: str = "512m", libs: Path = KAFKA_LIBS):
        self.directory, self.port, self.heap, self.libs = directory, port, heap, libs
        self.properties = directory / "server.properties"
        command = self._java("kafka.Kafka", str(self.properties))
        super().__init__(Child(self.name, command, directory / "kafka.log"), ports=(port, port + 1))

    @property
    def bootstrap_servers(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        if not shutil.which("java"):
            raise LocalServerError(
                "Kafka needs Java 17 or newer, which was not found: install openjdk-17-jre-headless"
            )
        if not any(self.libs.glob("kafka_*.jar")):
            raise LocalServerError(f"Kafka is not installed in {self.libs}: run `make kafka`")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.properties.write_text(self._configuration(), encoding="utf-8")
        if not (self.directory / "data" / "meta.properties").exists():
            self._format()

    def answers(self) -> bool:
        if is_free(self.port):  # a client takes seconds to notice that nothing listens
            return False
        try:
            KafkaAdminClient(bootstrap_servers=self.bootstrap_servers, bootstrap_timeout_ms=2000).close()
        except KafkaError:
            return False
        return True

    def _format(self) -> None:
        """Write a new cluster id to the data directory: Kafka does not start without one."""
        arguments = ("format", "--cluster-id", uuid.uuid4().hex[:22], "--config", str(self.properties))
        command = self._java("kafka.tools.StorageTool", *arguments)
        tool = Child("kafka-format", command, self.directory / "format.log")
        tool.start()
        while tool.alive:
            time.sleep(0.05)
        if tool.exit_code != 0:
            reason = " | ".join(tool.last_lines())
            raise LocalServerError(f"cannot format Kafka's data directory: {reason} (log: {tool.log})")

    def _java(self, *main: str) -> tuple[str, ...]:
        # Without the optimizing compiler, which takes 4 s of CPU at startup, and again during the first posts. On a
        # machine shared with workers, the broker starts in 5 s instead of 9 s.
        jvm = (
            f"-Xmx{self.heap}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
        )
        return ("java", *jvm, f"-Dlog4j2.configurationFile={LOGGING}", "-cp", f"{self.libs}/*", *main)

    def _configuration(self) -> str:
        controller = f"{LOOPBACK}:{self.port + 1}"
        values = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"PLAINTEXT://{LOOPBACK}:{self.port},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.directory / "data",
            "message.max.bytes": MAX_DEAD_BYTES,
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,  # otherwise no transactional producer can start
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "log.cleaner.dedupe.buffer.size": 16 * 2**20,  # by default a quarter of the heap
            "num.network.threads": 2,
            "num.io.threads": 4,
        }
        return "".join(f"{key}={value}\n" for key, value in values.items())
