"""One worker of the group, with the fake tagger: its process, its file of faults, and what its /health says."""

import json
import sys
import urllib.error
import urllib.request
from typing import Any

from stream.config.settings import Settings
from stream.local.process import Child
from stream.local.stack import free_port
from stream.local.supervisor import environment
from stream.runtime.fault_injection import VARIABLE, happened
from tests.chaos.cluster.managed_process import Operated
from tests.support.worker_processes import SCRIPT

ANSWER_WITHIN = 0.5
"""Seconds that /health gets; a worker that is stopped gives no answer."""


class Member:
    """A worker that is operated; `instance_id` makes it a static member of the group."""

    def __init__(
        self, settings: Settings, name: str, instance_id: str, delay: float, stop_seconds: float
    ) -> None:
        own = {"instance_id": instance_id, "metrics_port": free_port()}
        settings = settings.model_copy(update={"worker": settings.worker.model_copy(update=own)})
        self.instance_id, self._port = instance_id, own["metrics_port"]
        folder = settings.local.directory
        self._faults = folder / "faults" / name
        self._faults.parent.mkdir(exist_ok=True)
        command = (sys.executable, str(SCRIPT), settings.model_dump_json(), str(delay))
        environ = {**environment(settings), VARIABLE: str(self._faults)}
        child = Child(name, command, folder / "logs" / f"{name}.log", environ)
        self.process = Operated(child, child.start, stop_seconds)
        self.line = ""
        """The fault that it will meet."""
        self.partitions: frozenset[int] = frozenset()
        """Those it had when it last answered."""
        self.health: dict[str, Any] = {}
        """Its last answer; empty while there is none."""
        self.disarm()

    @property
    def name(self) -> str:
        return self.process.name

    def arm(self, line: str) -> None:
        """Have it meet the fault of this line."""
        self.line = line
        happened(self._faults).unlink(missing_ok=True)
        self._faults.write_text(f"{line}\n", encoding="utf-8")

    def disarm(self) -> None:
        self.line = ""
        self._faults.unlink(missing_ok=True)

    def met_at(self) -> float | None:
        """When (epoch) it met the fault that it was last armed with."""
        try:
            said = happened(self._faults).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return float(said.split()[0]) if said.endswith("\n") else None

    def ask(self) -> None:
        """Ask for its health; slow, so not for the main thread."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self._port}/health", timeout=ANSWER_WITHIN
            ) as answer:
                said = answer.read()
        except urllib.error.HTTPError as error:
            said = error.read()
        except (OSError, ValueError):
            self.health = {}
            return
        self.health = json.loads(said)
        self.partitions = frozenset(self.health["partitions"])
