"""Faults carried out: each waits until a worker passes its point, or is done at once, and is over when it is mended.

A fault of the broker or of Redis happens, too, when a worker passes the point. Where that worker ends or has nothing
to do, another one is armed instead.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.cluster.cluster import Cluster
from tests.chaos.cluster.managed_process import Operated
from tests.chaos.cluster.worker_process import Member
from tests.chaos.faults.schedule import Fault
from tests.chaos.faults.topic_operations import Deed, TopicDeeds
from tests.chaos.observe.failover import Takeovers

ARMED_FOR = 8.0
"""Seconds after which another worker is armed."""
HAPPENS_WITHIN = 180.0
"""Seconds after which a fault whose point no worker passes is a failure: then nothing goes on at all."""


@dataclass(slots=True)
class Strike:
    """One fault under way. Times are epoch seconds."""

    fault: Fault
    began: float
    happened: float | None = None
    over: float | None = None
    failed: bool = False
    member: Member | None = None
    armed: float = 0.0
    tries: int = 0
    target: Operated | None = None
    deed: Deed | None = None

    @property
    def seconds_to_end(self) -> float | None:
        """From SIGTERM to a worker's end."""
        if (
            (self.fault.target, self.fault.signal) != ("worker", "term")
            or not self.target
            or not self.happened
        ):
            return None
        return round(self.target.ended_at - self.happened, 1)


@dataclass
class Strikes:
    """The faults under way."""

    cluster: Cluster
    deeds: TopicDeeds
    takeovers: Takeovers
    under_way: list[Strike] = field(default_factory=list)

    def begin(self, fault: Fault) -> None:
        strike = Strike(fault, time.time())
        self.under_way.append(strike)
        if fault.kind != "signal":
            self._note(strike, time.time())
            self._act(strike)

    def may_begin(self, fault: Fault) -> bool:
        """Not two deeds with the posts topic at once, nor more waiting faults than workers to arm; nor before all
        is well what shall be alone."""
        if fault.alone:
            return not self.under_way and self.cluster.well
        if fault.kind in ("partitions", "anew"):
            return not self.changing_topic
        return sum(strike.happened is None for strike in self.under_way) < 2

    @property
    def changing_topic(self) -> bool:
        """Whether the posts topic is just being changed."""
        return any(strike.deed for strike in self.under_way)

    def look(self) -> list[Strike]:
        """Go on with all; those that are over."""
        for strike in self.under_way:
            if strike.fault.kind == "signal" and strike.happened is None:
                self._bring_about(strike)
            elif self._is_over(strike):
                strike.over = time.time()
        over = [strike for strike in self.under_way if strike.over or strike.failed]
        self.under_way = [strike for strike in self.under_way if strike not in over]
        return over

    def _bring_about(self, strike: Strike) -> None:
        member, now = strike.member, time.time()
        if member is not None:
            if (at := member.met_at()) is not None:
                member.disarm()
                self._happened(strike, member, at)
                return
            if now - strike.armed < ARMED_FOR and member.process.runs:
                return
            member.disarm()  # the next look still sees it if it was met just now
            strike.member = None
            if member.met_at() is not None:
                self._happened(strike, member, now)
                return
        if now - strike.began > HAPPENS_WITHIN:
            strike.failed = True
        else:
            self._arm(strike, now)

    def _arm(self, strike: Strike, now: float) -> None:
        server = self._server(strike.fault)
        able = [each for each in self.cluster.members if each.process.runs and not each.line]
        if not able or (server is not None and not server.runs):
            return
        member = _pick(able, strike.fault.victim + strike.tries)
        pid = "" if server is None else f" pid={server.pid}"
        member.arm(f"{strike.fault.point} {strike.fault.signal} nth={strike.fault.nth}{pid}")
        strike.target = server or member.process
        strike.member, strike.armed, strike.tries = member, now, strike.tries + 1

    def _happened(self, strike: Strike, member: Member, at: float) -> None:
        assert strike.target is not None
        if self._server(strike.fault) and strike.armed < strike.target.ended_at < at:
            strike.member = None  # it was meant for a process that another fault had ended: it comes again
            return
        if strike.fault.signal == "term":
            strike.target.asked_to_end()
        self._note(strike, at)
        if (strike.fault.target, strike.fault.signal) == ("worker", "kill"):
            alone = len(self.under_way) == 1
            named = bool(member.instance_id)
            self.takeovers.died(strike.fault.number, round(at * 1000), named, member.partitions, alone)

    def _note(self, strike: Strike, at: float) -> None:
        self.takeovers.disturb()
        strike.happened = at

    def _act(self, strike: Strike) -> None:
        kind, victim = strike.fault.kind, strike.fault.victim
        if kind == "join":
            strike.target = self.cluster.join().process
        elif kind == "leave":
            strike.target = self.cluster.leave(victim).process
        else:
            strike.deed = Deed(self.deeds.make_anew if kind == "anew" else self.deeds.add_partition)

    def _is_over(self, strike: Strike) -> bool:
        if strike.deed is not None:
            strike.deed.check()
            return strike.deed.over
        target, kind = strike.target, strike.fault.kind
        assert target is not None
        assert strike.happened is not None
        if strike.fault.signal == "stop":
            return not target.stopped
        replaced = target.ended_at >= strike.happened
        return (
            kind == "join"
            or (replaced and target.child.alive)
            or (not target.wanted and not target.child.alive)
        )

    def _server(self, fault: Fault) -> Operated | None:
        return {"broker": self.cluster.broker, "Redis": self.cluster.redis}.get(fault.target)


def _pick(members: Sequence[Member], number: int) -> Member:
    """One of those that have partitions if any has; by number, the same for the same members."""
    owning = [member for member in members if member.partitions] or list(members)
    return owning[number % len(owning)]
