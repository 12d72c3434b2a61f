"""Live, ready, and why not."""

from dataclasses import replace

from stream.worker.status import Health

WELL = Health("running", "trimod", "1", [0, 3], [], "")


def test_well() -> None:
    assert (True, []) == (WELL.live, WELL.reasons)
    assert WELL.body()["ready"]


def test_not_ready_says_why() -> None:
    for changed, reason in (
        ({"state": "starting"}, "the worker is starting"),
        ({"state": "draining"}, "the worker is draining"),
        ({"partitions": []}, "no partitions are assigned"),
        ({"unknown": [3]}, "partitions 3: start offset not known yet"),
    ):
        look = replace(WELL, **changed)
        assert (True, [reason], False) == (look.live, look.reasons, look.body()["ready"])


def test_a_broken_worker_is_not_live() -> None:
    look = replace(WELL, broken="it hangs")
    assert (False, ["it hangs"]) == (look.live, look.reasons)


def test_a_group_that_others_have_is_a_reason_in_every_state() -> None:
    for state in ("starting", "running"):
        look = replace(WELL, state=state, waiting={"joining the group": "in use"})
        assert (True, "joining the group waits: in use") == (look.live, look.reasons[-1])


def test_waiting_for_a_passing_fault_is_told_and_no_reason_to_kill() -> None:
    look = replace(WELL, waiting={"counting posts:0": "Redis is away"})
    assert (True, []) == (look.live, look.reasons)
    assert {"counting posts:0": "Redis is away"} == look.body()["waiting"]
