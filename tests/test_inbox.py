"""What is made of a worker's messages: records and exceptions, and nothing that could act."""

from __future__ import annotations

import os
import pickle
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest
from pebble.common.types import RemoteException, Result, ResultStatus
from pebble.pool.process import Acknowledgement, TaskProblem, TaskResult

from indexer.closeup import Judged
from indexer.groups import Evidence, Kind
from indexer.inbox import received
from indexer.records import NotPicture, Reading, Recognised, Stamp, Unreadable
from indexer.verify import Likeness

READING = Reading(Stamp(1, 2, 3, 4), unsettled=False, born_ns=None)


class Calls:
    """Calls a function where it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        """Note what is called."""
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        """The call."""
        return self.call


def sent(message: bytes) -> Any:
    """What is received of some bytes."""
    reader, writer = Pipe(duplex=False)
    with reader, writer:
        writer.send_bytes(message)
        return received(reader)


def answered(value: Any) -> Any:
    """What is received of a worker's answer."""
    return sent(pickle.dumps(TaskResult(7, Result(ResultStatus.SUCCESS, value)))).result.value


@pytest.mark.parametrize(
    "value",
    [
        [Unreadable(1, "reason", READING, b"d" * 32), NotPicture(2, READING), Recognised(3, READING, b"d" * 32)],
        [Judged(1, 2, None, Evidence.FILES)],
        (1, -(1 << 70), 0.5, "text", b"bytes", None, True),
    ],
)
def test_received_gives_records_and_plain_values(value: Any) -> None:
    """What workers answer comes through as it was."""
    assert answered(value) == value


def test_received_gives_a_likeness() -> None:
    """Its kind comes as the text that it is made of."""
    found = answered([Judged(1, 2, Likeness(Kind.SAME, 0, 1.0, 2.0, 0.5), Evidence.FILES)])[0].likeness

    assert isinstance(found, Likeness)
    assert (found.kind, found.turn, found.structure, found.colour, found.agreement) == ("same", 0, 1.0, 2.0, 0.5)


def test_received_gives_messages_of_the_pool() -> None:
    """Whatever they are made of, the pool takes them for its own."""
    taken = sent(pickle.dumps(Acknowledgement(12, 3)))
    failed = sent(
        pickle.dumps(TaskResult(3, Result(ResultStatus.FAILURE, RemoteException(ZeroDivisionError("zero"), "trace"))))
    )

    assert (isinstance(taken, Acknowledgement), taken.worker, taken.task) == (True, 12, 3)
    assert isinstance(failed, TaskResult)
    assert failed.result.status == ResultStatus.FAILURE
    assert isinstance(failed.result.value, ZeroDivisionError)
    assert failed.result.value.__notes__ == ["trace"]


def test_received_takes_an_answer_that_could_not_be_sent_for_a_lost_worker() -> None:
    """It is the file that made such an answer, and no mistake of ours."""
    found = sent(pickle.dumps(TaskProblem(3, TypeError("cannot pickle"))))

    assert (isinstance(found, TaskProblem), type(found.error)) == (True, OSError)


@pytest.mark.parametrize("place", ["alone", "answer", "part of an answer"])
def test_received_calls_nothing(tmp_path: Path, place: str) -> None:
    """What a message names is not called; alone, it is no message."""
    marker = tmp_path / "called"
    call = Calls(os.system, f"touch '{marker}'")
    if place == "alone":
        with pytest.raises(pickle.PicklingError):
            sent(pickle.dumps(call))
    else:
        answered(call if place == "answer" else [Unreadable(1, call)])  # type: ignore[arg-type]

    assert not marker.exists()


def test_received_does_not_let_a_message_alter_the_program() -> None:
    """A pickle can set attributes of what it names; it sets those of a stand-in."""
    name = b"cindexer.records\nUnreadable\n"
    envelope = pickle.dumps(TaskResult(7, Result(ResultStatus.SUCCESS, "HERE")), protocol=2)
    forged = envelope.replace(b"X\x04\0\0\0HERE", name + b"(N}X\x06\0\0\0reasonX\x06\0\0\0forgedstb")
    before = Unreadable.reason

    found = sent(forged).result.value

    assert found.reason == "forged"
    assert Unreadable.reason is before


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"noise", id="noise"),
        pytest.param(pickle.dumps("text"), id="a text"),
        pytest.param(pickle.dumps(TaskResult(7, None)), id="no result"),
        pytest.param(pickle.dumps(TaskResult([], Result(ResultStatus.SUCCESS, 1))), id="no task"),  # type: ignore[arg-type]
        pytest.param(pickle.dumps(Acknowledgement([], 1)), id="no worker"),  # type: ignore[arg-type]
        pytest.param(pickle.dumps(TaskResult(7, Result(ResultStatus.ERROR, 1))), id="an error that is none"),
        pytest.param(b"cpebble.pool.process\nTaskResult\n)\x81.", id="an empty envelope"),
        pytest.param(pickle.dumps(TaskResult(7, Result(ResultStatus.SUCCESS, 1)))[:-9], id="cut off"),
    ],
)
def test_received_says_that_it_is_no_message(message: bytes) -> None:
    """It raises what the pool hears, and nothing that would end the thread that reads."""
    with pytest.raises(pickle.PicklingError):
        sent(message)
