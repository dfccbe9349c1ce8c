"""What batches run on, and what becomes of files whose worker is lost.

Tasks given to real workers are functions of the standard library, since workers do not import tests.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from typing import Any

import pytest
from pebble import ProcessExpired

from indexer import executors
from indexer.drawing import drawn, encoded
from indexer.executors import AHEAD, NO_ANSWER, Batch, Executor, Inline, LocalPool, default_jobs, local_pool, outcomes
from indexer.records import Fingerprinted, Outcome, Recognised, Task, Unreadable

PROJECT = Path(executors.__file__).parent.parent


class Poisoned(Inline):
    """Runs batches at once, but loses the worker of those that hold a file called poison."""

    def __init__(self, error: BaseException) -> None:
        """Note how workers are lost, and what is submitted."""
        self.error = error
        self.submitted: list[list[int]] = []

    def start(self) -> None:
        """Nothing to get ready."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """A finished future."""
        tasks, _known = arguments
        self.submitted.append([task.file_id for task in tasks])
        future: Future[Any] = Future()
        if any("poison" in task.path for task in tasks):
            future.set_exception(self.error)
        else:
            future.set_result(function(*arguments))
        return future


class Breaking(Poisoned):
    """Breaks when it is given poison, and all that waits with it; the first file waits until then."""

    def __init__(self) -> None:
        """Note what waits."""
        super().__init__(BrokenExecutor())
        self.waiting: list[Future[Any]] = []

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """A future that waits when it is the first, and is finished otherwise."""
        if not self.submitted:
            self.submitted.append([0])
            self.waiting.append(Future())
            return self.waiting[0]
        future = super().submit(function, *arguments)
        if future.exception():
            while self.waiting:
                self.waiting.pop().set_exception(self.error)
        return future


class Holding(Inline):
    """Keeps futures unfinished until it holds as many as may be in flight."""

    def __init__(self, jobs: int) -> None:
        """Note how many batches could run at once."""
        self.jobs = jobs
        self.held: list[tuple[Future[Any], Batch]] = []
        self.most = 0

    def start(self) -> None:
        """Nothing to get ready."""

    def submit(self, _function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """A future that is finished, last first, when no more may be submitted."""
        future: Future[Any] = Future()
        self.held.append((future, arguments))
        self.most = max(self.most, len(self.held))
        if len(self.held) == AHEAD * self.jobs:
            self.release(1)
        return future

    def release(self, count: int) -> None:
        """Finishes the latest futures."""
        for _ in range(count):
            future, (tasks, _known) = self.held.pop()
            future.set_result([Unreadable(task.file_id, "held") for task in tasks])


def pictures(folder: Path, names: Iterable[str]) -> list[Task]:
    """Files with a picture each, none like another, as tasks."""
    folder.mkdir(exist_ok=True)
    tasks = []
    for number, name in enumerate(names):
        path = folder / name
        path.write_bytes(encoded(drawn(number)))
        tasks.append(Task(number, os.fspath(path), 0, claims_picture=True))
    return tasks


def by_file(found: Iterable[Iterable[Outcome]]) -> dict[int, str]:
    """What became of each file: its reason when it is unreadable, else the kind of its outcome."""
    return {
        one.file_id: one.reason if isinstance(one, Unreadable) else type(one).__name__
        for outcomes_ in found
        for one in outcomes_
    }


def timeless(one: Outcome) -> Outcome:
    """The outcome without what depends on when the file was read."""
    return one if one.reading is None else one._replace(reading=one.reading._replace(unsettled=False))


def is_alive(process: int) -> bool:
    """True for a process that runs; one that nobody waits for is dead."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def is_gone(process: int, within_s: float) -> bool:
    """True when a process ends in time."""
    end = time.monotonic() + within_s
    while is_alive(process) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_alive(process)


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program with imgindex on its path."""

    def run(*arguments: str, program: str | None = None, path: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            input=program,
            env={**os.environ, "PYTHONPATH": f"{path}:{PROJECT}"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """One worker, whose tasks may take two seconds."""
    with local_pool(1, timeout_s=2) as executor:
        yield executor


def test_inline_runs_a_task_at_once() -> None:
    """The future is finished when it is given."""
    executor = Inline()
    executor.start()

    future = executor.submit(divmod, 7, 2)

    assert (future.done(), future.result(), executor.jobs) == (True, (3, 1), 1)


def test_local_pool_is_inline_when_it_has_no_jobs() -> None:
    """Without jobs, decoding happens in this process."""
    with local_pool(0) as executor:
        assert executor.submit(os.getpid).result() == os.getpid()


def test_local_pool_has_a_worker_for_each_processor_when_nothing_is_said() -> None:
    """The number is that of the processors this process may use."""
    with local_pool() as executor:
        assert executor.jobs == len(os.sched_getaffinity(0))


def test_local_pool_starts_nothing_when_there_is_no_work(
    run_python: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """A run that finds nothing new pays for no pool: neither pebble nor any decoder is imported."""
    program = (
        "import sys\nfrom indexer.executors import local_pool, outcomes\n"
        "with local_pool(2) as executor: print(list(outcomes(executor, [])))\n"
        "print({'pebble', 'PIL', 'numpy', 'simplejpeg', 'indexer.decode'} & set(sys.modules))\n"
    )

    done = run_python("-", program=program)

    assert (done.stdout, done.stderr, done.returncode) == ("[]\nset()\n", "", 0)


def test_default_jobs_counts_the_processors_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that grants three processors of many gets three workers."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 3, 5})

    assert default_jobs() == 3


def test_default_jobs_counts_all_processors_where_the_system_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """On macOS the number is that of the machine, and 1 where even that is unknown."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    known = default_jobs()
    monkeypatch.setattr(os, "cpu_count", lambda: None)

    unknown = default_jobs()

    assert (known, unknown) == (6, 1)


def test_pool_runs_tasks_in_another_process(pool: Executor) -> None:
    """Work is done by workers, which are used again."""
    workers = {pool.submit(os.getpid).result() for _ in range(5)}

    assert len(workers) == 1
    assert os.getpid() not in workers


@pytest.mark.parametrize(
    ("crash", "exit_code"),
    [
        pytest.param("signal.raise_signal(signal.SIGSEGV)", -signal.SIGSEGV, id="segmentation fault"),
        pytest.param("os.abort()", -signal.SIGABRT, id="failed assertion in C"),
        pytest.param("signal.raise_signal(signal.SIGKILL)", -signal.SIGKILL, id="killed, as when memory runs out"),
        pytest.param("os._exit(3)", 3, id="exits"),
    ],
)
def test_pool_goes_on_when_a_task_crashes_its_worker(pool: Executor, crash: str, exit_code: int) -> None:
    """A crash costs its task, and tells how the worker ended."""
    future = pool.submit(exec, f"import os, signal, time; time.sleep(0.3); {crash}")

    error = future.exception(timeout=20)

    assert getattr(error, "exitcode", None) == exit_code
    assert pool.submit(divmod, 7, 2).result(timeout=20) == (3, 1)


def test_pool_goes_on_when_an_idle_worker_is_killed() -> None:
    """The next task gets a new worker."""
    with local_pool(1) as executor:
        os.kill(executor.submit(os.getpid).result(timeout=20), signal.SIGKILL)
        time.sleep(0.5)

        future = executor.submit(divmod, 7, 2)

        assert future.result(timeout=20) == (3, 1)


def test_pool_goes_on_when_a_task_hangs(pool: Executor) -> None:
    """A task that takes longer than its time is stopped, and the next one runs."""
    before = time.monotonic()

    with pytest.raises(TimeoutError):
        pool.submit(time.sleep, 60).result(timeout=20)

    assert pool.submit(divmod, 7, 2).result(timeout=20) == (3, 1)
    assert time.monotonic() - before < 10


def test_pool_keeps_its_worker_when_a_task_needs_too_much_memory(pool: Executor) -> None:
    """An allocation of 3 GiB fails as a MemoryError in a worker that goes on."""
    worker = pool.submit(os.getpid).result()

    with pytest.raises(MemoryError):
        pool.submit(bytearray, 3 << 30).result(timeout=20)

    assert pool.submit(os.getpid).result() == worker


def test_pool_limits_the_processor_time_of_each_task(pool: Executor) -> None:
    """By the kernel, to little more than the task's two seconds from where it begins."""
    used = pool.submit(time.process_time).result()

    soft, _hard = pool.submit(resource.getrlimit, resource.RLIMIT_CPU).result()

    assert used + 2 <= soft <= used + 5


def test_pool_passes_on_what_a_task_raises(pool: Executor) -> None:
    """A mistake in our own code is not taken for a bad file."""
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 1, 0).result(timeout=20)


def test_pool_leaves_numpy_one_thread_in_workers_only(pool: Executor) -> None:
    """Workers share the processors out by themselves; the program's own setting stays."""
    before = os.environ.get("OMP_NUM_THREADS")

    inside = pool.submit(os.getenv, "OMP_NUM_THREADS").result()

    assert (inside, os.environ.get("OMP_NUM_THREADS")) == ("1", before)


def test_local_pool_stops_its_workers_when_it_is_left() -> None:
    """Leaving does not wait for what a worker is doing, even when the program fails."""
    before = time.monotonic()

    def fail() -> int:
        with local_pool(1, timeout_s=60) as executor:
            workers.append(executor.submit(os.getpid).result())
            executor.submit(time.sleep, 60)
            raise KeyboardInterrupt

    workers: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        fail()

    assert is_gone(workers[0], within_s=5)
    assert time.monotonic() - before < 15


def test_stop_does_nothing_when_nothing_was_started() -> None:
    """A pool that was never used has nothing to stop."""
    executor = LocalPool(1, timeout_s=1)

    executor.stop()

    assert executor.jobs == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(TimeoutError(), "decoding took too long and was stopped", id="hangs"),
        pytest.param(ProcessExpired("Abnormal termination", code=-11), "decoding crashed (-11)", id="crashes"),
        pytest.param(BrokenExecutor("pool broke"), "decoding failed: BrokenExecutor", id="takes the pool with it"),
        pytest.param(OSError("pipe broke"), "decoding failed: OSError", id="loses the pipe"),
        pytest.param(MemoryError(), "decoding failed: MemoryError", id="memory"),
        pytest.param(RecursionError(), "decoding failed: RecursionError", id="recursion"),
    ],
)
def test_outcomes_blames_the_file_that_lost_its_worker(tmp_path: Path, error: BaseException, reason: str) -> None:
    """The batch is run again file by file, so that only the poisoned one is unreadable."""
    tasks = pictures(tmp_path, ["a.jpg", "poison.jpg", "c.jpg", "d.jpg"])
    executor = Poisoned(error)

    found = list(outcomes(executor, [(tuple(tasks[:3]), frozenset()), (tuple(tasks[3:]), frozenset())]))

    assert by_file(found) == {0: "Fingerprinted", 1: reason, 2: "Fingerprinted", 3: "Fingerprinted"}
    assert [len(one) for one in found] == [1, 1, 1, 1]
    assert sorted(executor.submitted) == [[0], [0, 1, 2], [1], [2], [3]]


def test_outcomes_blames_no_other_file_when_the_pool_breaks(tmp_path: Path) -> None:
    """A file whose batch was in flight when another file broke the pool is decoded after all."""
    tasks = pictures(tmp_path, ["a.jpg", "poison.jpg", "c.jpg"])

    found = list(outcomes(Breaking(), [((task,), frozenset()) for task in tasks]))

    assert by_file(found) == {0: "Fingerprinted", 1: "decoding failed: BrokenExecutor", 2: "Fingerprinted"}


def test_outcomes_gives_each_file_one_outcome_when_all_are_poisoned(tmp_path: Path) -> None:
    """However many workers are lost, it ends, and nothing is run more than twice."""
    tasks = pictures(tmp_path, [f"poison{number}.jpg" for number in range(5)])
    executor = Poisoned(TimeoutError())

    found = list(outcomes(executor, [(tuple(tasks), frozenset())]))

    assert sorted(found) == [(Unreadable(number, "decoding took too long and was stopped"),) for number in range(5)]
    assert sorted(executor.submitted) == [[0], [0, 1, 2, 3, 4], [1], [2], [3], [4]]


def test_outcomes_hands_on_what_is_known_when_a_batch_runs_again(tmp_path: Path) -> None:
    """A known content stays recognised beside a poisoned file."""
    tasks = pictures(tmp_path, ["a.jpg", "poison.jpg"])
    ((first,),) = outcomes(Inline(), [(tuple(tasks[:1]), frozenset())])
    assert isinstance(first, Fingerprinted)

    found = list(outcomes(Poisoned(TimeoutError()), [(tuple(tasks), frozenset((first.digest,)))]))

    assert sorted(map(tuple, found)) == [
        (Recognised(0, first.reading, first.digest),),
        (Unreadable(1, "decoding took too long and was stopped"),),
    ]


def test_outcomes_passes_on_a_mistake_of_our_own(tmp_path: Path) -> None:
    """An exception that no lost worker raises ends the run."""
    tasks = pictures(tmp_path, ["poison.jpg"])

    with pytest.raises(ZeroDivisionError):
        list(outcomes(Poisoned(ZeroDivisionError()), [(tuple(tasks), frozenset())]))


@pytest.mark.parametrize("jobs", [1, 3])
def test_outcomes_keeps_few_batches_in_flight(jobs: int) -> None:
    """Batches are taken as results come, so that a million files wait on disk and not in memory."""
    taken = []

    def batches() -> Iterator[Batch]:
        for number in range(100):
            taken.append(number)
            yield (Task(number, "", 0, claims_picture=True),), frozenset()

    executor = Holding(jobs)
    results = outcomes(executor, batches())

    ahead = []
    for count, _result in enumerate(results, start=1):
        ahead.append(len(taken) - count)
        if len(taken) == 100 and executor.held:
            executor.release(1)

    assert executor.most == AHEAD * jobs
    assert max(ahead) < AHEAD * jobs
    assert taken == list(range(100))
    assert len(ahead) == 100


class Miscounting(Inline):
    """Answers with one outcome too few, or with none at all."""

    def __init__(self, answer: Any) -> None:
        """Note the answer; None for all but the last outcome."""
        self.answer = answer

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """A finished future."""
        future: Future[Any] = Future()
        future.set_result(function(*arguments)[:-1] if self.answer is None else self.answer)
        return future


@pytest.mark.parametrize("answer", [None, [], 7, "a reason", {0: 1}], ids=repr)
def test_outcomes_believes_no_answer_of_the_wrong_form(tmp_path: Path, answer: Any) -> None:
    """Which outcome were which file's, nobody could say."""
    tasks = pictures(tmp_path, ["a.jpg", "b.jpg"])

    found = list(outcomes(Miscounting(answer), [(tuple(tasks), frozenset())]))

    assert by_file(found) == {0: NO_ANSWER, 1: NO_ANSWER}


class Stuck(Inline):
    """Never ends what it was given until it is stopped; then it works."""

    patience_s = 0.1

    def __init__(self) -> None:
        """Note whether it was stopped."""
        self.stopped = False

    def stop(self) -> None:
        """From here on it works."""
        self.stopped = True

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future[Any]:
        """A future that does not end before the executor was stopped."""
        return super().submit(function, *arguments) if self.stopped else Future()


def test_outcomes_gives_up_an_executor_in_which_nothing_ends(tmp_path: Path) -> None:
    """Its batches are run anew, file by file, and nothing waits for ever."""
    tasks = pictures(tmp_path, ["a.jpg", "b.jpg", "c.jpg"])

    found = list(outcomes(Stuck(), [(tuple(tasks[:2]), frozenset()), (tuple(tasks[2:]), frozenset())]))

    assert by_file(found) == {0: "Fingerprinted", 1: "Fingerprinted", 2: "Fingerprinted"}


def test_outcomes_gives_nothing_when_there_are_no_batches() -> None:
    """No batch, no outcome."""
    assert list(outcomes(Inline(), [])) == []


def test_outcomes_are_the_same_inline_and_in_workers(tmp_path: Path) -> None:
    """Where batches run makes no difference to what they give."""
    tasks = pictures(tmp_path, [f"{number}.jpg" for number in range(12)])
    (tmp_path / "3.jpg").write_bytes(b"no picture")
    (tmp_path / "4.jpg").unlink()
    batches = [(tuple(tasks[start : start + 5]), frozenset[bytes]()) for start in range(0, 12, 5)]

    with local_pool(2) as executor:
        found = sorted(one for batch in outcomes(executor, batches) for one in batch)

    inline = sorted(one for batch in outcomes(Inline(), batches) for one in batch)
    assert list(map(timeless, found)) == list(map(timeless, inline))


CRASHING_DECODER = '''
"""A decoder with bugs: what a picture says in a comment happens to the worker that opens it."""
import os, signal, time
import PIL.Image

real = PIL.Image.open

def opened(stream, *arguments, **options):
    data = stream.getvalue()
    if b"good" not in data:
        time.sleep(0.3)  # pebble gives the pool up when it hears of a worker's end before it hears of its task
    if b"SEGV" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"HANG" in data:
        time.sleep(60)
    if b"HUGE" in data:
        bytearray(3 << 30)
    if b"EXIT" in data:
        os._exit(7)
    if b"DEEP" in data:
        (deep := lambda: deep())()
    return real(stream, *arguments, **options)

PIL.Image.open = opened
'''

PROGRAM = """
import json, sys
from indexer.executors import local_pool, outcomes
from indexer.records import Task, Unreadable

tasks = tuple(Task(number, path, 0, True) for number, path in enumerate(sys.argv[1:]))
found = {}
with local_pool(2, timeout_s=2) as executor:
    for batch in outcomes(executor, [(tasks[:4], frozenset()), (tasks[4:], frozenset())]):
        for one in batch:
            found[one.file_id] = one.reason if isinstance(one, Unreadable) else type(one).__name__
print(json.dumps([found[number] for number in range(len(tasks))]))
"""


def test_outcomes_survive_decoders_that_crash_hang_and_eat_memory(
    tmp_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """In real workers, with a decoder that has every bug, each bad file costs only itself."""
    (tmp_path / "sitecustomize.py").write_text(CRASHING_DECODER)
    (tmp_path / "program.py").write_text(PROGRAM)
    comments = ("good0", "SEGV", "good1", "HANG", "HUGE", "good2", "EXIT", "DEEP")
    paths = [tmp_path / f"{number}.png" for number in range(len(comments))]
    for number, (path, comment) in enumerate(zip(paths, comments, strict=True)):
        path.write_bytes(encoded(drawn(number), "PNG") + comment.encode())

    done = run_python("program.py", *map(os.fspath, paths), path=os.fspath(tmp_path))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        "Fingerprinted",
        "decoding crashed (-11)",
        "Fingerprinted",
        "decoding took too long and was stopped",
        "needs more memory than a worker may use",
        "Fingerprinted",
        "decoding crashed (7)",
        "cannot be decoded: maximum recursion depth exceeded",
    ]


UNGUARDED = """
import os
from indexer.executors import local_pool
print("main runs")
with local_pool(2) as executor:
    print(executor.submit(os.getpid).result() != os.getpid())
"""


@pytest.mark.parametrize("how", ["file", "-c", "-"])
def test_pool_works_in_a_program_without_a_guard(
    tmp_path: Path, run_python: Callable[..., subprocess.CompletedProcess[str]], how: str
) -> None:
    """A script, a one-liner and a program from a pipe need no `if __name__ == "__main__"`, and run once."""
    (tmp_path / "program.py").write_text(UNGUARDED)
    arguments = {"file": ["program.py"], "-c": ["-c", UNGUARDED], "-": ["-"]}[how]

    done = run_python(*arguments, program=UNGUARDED if how == "-" else None)

    assert (done.stdout, done.stderr, done.returncode) == ("main runs\nTrue\n", "", 0)


@pytest.fixture
def killed() -> Iterator[list[int]]:
    """Process ids that are killed after the test, if they still live."""
    processes: list[int] = []
    yield processes
    for process in filter(is_alive, processes):
        os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize(
    "busy",
    [
        pytest.param(False, id="idle"),
        pytest.param(
            True,
            id="busy",
        ),
    ],
)
def test_workers_die_with_the_program_when_it_is_killed(tmp_path: Path, killed: list[int], busy: bool) -> None:
    """A program that is killed takes its workers along within 2 seconds, whatever they are doing."""
    program = (
        "import os, time\nfrom indexer.executors import local_pool\n"
        "with local_pool(2) as executor:\n"
        "    workers = set()\n"
        "    while len(workers) < 2: workers |= {f.result() for f in [executor.submit(os.getpid) for _ in range(8)]}\n"
        f"    for _ in workers: {busy} and executor.submit(time.sleep, 40)\n"
        "    time.sleep(0.3)\n"
        "    print(*workers, flush=True)\n"
        "    time.sleep(50)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.fspath(PROJECT)},
        cwd=tmp_path,
        text=True,
    ) as running:
        assert running.stdout is not None
        killed += [int(word) for word in running.stdout.readline().split()]
        alive = [is_alive(worker) for worker in killed]

        running.kill()

        end = time.monotonic() + 2
        gone = [is_gone(worker, within_s=end - time.monotonic()) for worker in killed]
    assert (alive, gone) == ([True, True], [True, True])


CONFINED = """
import ctypes, json, os, resource, signal, sys
told = os.dup(1)
for limit, soft, hard in json.loads(sys.argv[1]):
    resource.setrlimit(getattr(resource, limit), (soft, hard))
from indexer.worker import confine

confine()
print("not heard", file=sys.stderr)
os.write(2, b"nor this")
print("nor that", flush=True)
names = ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE")
report = {name: resource.getrlimit(getattr(resource, name)) for name in names}
report["SIGINT"] = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
death = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(death))
report["dies with its parent by"] = death.value
try:
    with open("written", "wb") as stream:
        stream.write(b"x")
    report["can write"] = True
except OSError as error:
    report["can write"] = False
try:
    bytearray(3 << 30)
    report["can fill memory"] = True
except MemoryError:
    report["can fill memory"] = False
os.write(told, json.dumps(report).encode())
"""
GIB = 1 << 30
CONFINEMENT = {
    "RLIMIT_AS": [2 * GIB, 2 * GIB],
    "RLIMIT_CORE": [0, 0],
    "RLIMIT_FSIZE": [0, 0],
    "RLIMIT_NOFILE": [64, 64],
    "SIGINT": True,
    "dies with its parent by": signal.SIGKILL,
    "can write": False,
    "can fill memory": False,
}


@pytest.mark.skipif(sys.platform != "linux", reason="the parent's death is a signal on Linux only")
@pytest.mark.parametrize(
    ("limits", "confined"),
    [
        pytest.param([], CONFINEMENT, id="no limits before"),
        pytest.param(
            [("RLIMIT_AS", 3 * GIB // 2, 3 * GIB // 2)],
            {**CONFINEMENT, "RLIMIT_AS": [3 * GIB // 2, 3 * GIB // 2]},
            id="a stricter limit, as a cluster sets it, stays",
        ),
        pytest.param(
            [("RLIMIT_AS", 4 * GIB, 4 * GIB), ("RLIMIT_CORE", 100, 100)],
            CONFINEMENT,
            id="looser limits are lowered",
        ),
        pytest.param(
            [("RLIMIT_AS", 3 * GIB // 2, 4 * GIB)],
            {**CONFINEMENT, "RLIMIT_AS": [3 * GIB // 2, 2 * GIB]},
            id="a stricter soft limit stays",
        ),
    ],
)
def test_confine_takes_what_decoding_does_not_need(
    run_python: Callable[..., subprocess.CompletedProcess[str]], limits: list[Any], confined: dict[str, Any]
) -> None:
    """A worker writes no file and no core, fills no memory, hears no Ctrl-C, and prints nothing."""
    done = run_python("-c", CONFINED, json.dumps(limits))

    assert (json.loads(done.stdout or "{}"), done.stderr) == (confined, "")
