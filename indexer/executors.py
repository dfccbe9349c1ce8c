"""Opens an executor by name and runs batches on it with few in flight.

The seam is `submit(function, *arguments) -> Future`: inline, a pool of processes that survives its workers, or anything
with the interface of `concurrent.futures`, such as a cluster's client.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import types
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from functools import partial
from itertools import islice
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.forkserver import ensure_running, set_forkserver_preload
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from indexer.records import Outcome, Task, Unreadable
from indexer.vetting import vetted_outcome

if TYPE_CHECKING:
    from pebble import ProcessPool

Item = TypeVar("Item")
Extra = TypeVar("Extra")
Result = TypeVar("Result")
Batch = tuple[tuple[Task, ...], frozenset[bytes]]
"""Files to be read, and the digests of contents that need no decoding."""

TASK_TIMEOUT_S = 60.0
"""A batch that takes longer is run again file by file; a file that takes longer is unreadable."""
AHEAD = 8
"""Batches in flight for each that can run: enough to work on while results are being stored."""
SLACK_S = 10.0
"""A pool in which no task ends within twice its time and this is stuck: a worker was lost in the middle of a word."""
NO_ANSWER = "decoding failed: the worker's answer cannot be used"
PIPE_BYTES = 1 << 20
"""What any user may have on Linux; a batch's results take some 100 kB, and a pipe holds 64 kB by itself."""
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Executor(Protocol):
    """What batches run on."""

    jobs: int
    """How many batches can run at once."""
    patience_s: float | None
    """When nothing ends for so long, nothing will; None to wait for ever."""

    def stop(self) -> None:
        """Gives up whatever runs; what is submitted later starts anew."""

    def start(self) -> None:
        """Gets ready in the background, since there will be work; may be called more than once."""

    def submit(self, function: Callable[..., Result], /, *arguments: Any) -> Future[Result]:
        """A future of the function's result."""


class Inline:
    """Runs each task at once in this process: for tests, and for debugging a decoder."""

    jobs = 1
    patience_s: float | None = None

    def stop(self) -> None:
        """Nothing runs."""

    def start(self) -> None:
        """Nothing to get ready."""

    def submit(self, function: Callable[..., Result], /, *arguments: Any) -> Future[Result]:
        """A finished future."""
        future: Future[Result] = Future()
        future.set_result(function(*arguments))
        return future


class LocalPool:
    """Worker processes on this machine; a worker that dies or hangs costs its task, not the pool."""

    def __init__(self, jobs: int, timeout_s: float) -> None:
        """Note what is wanted; nothing is started yet."""
        self.jobs = jobs
        self.patience_s: float | None = 2 * timeout_s + SLACK_S
        self._timeout_s = timeout_s
        self._pool: ProcessPool | None = None

    def start(self) -> None:
        """Starts the server that workers are forked from, which loads the decoders meanwhile."""
        self._started()

    def submit(self, function: Callable[..., Result], /, *arguments: Any) -> Future[Result]:
        """A future of the result; it raises TimeoutError or ProcessExpired when the worker was lost."""
        try:
            return self._scheduled(function, arguments)
        except (RuntimeError, BrokenExecutor):  # it broke since: a pool of new workers takes its place
            self.stop()
            return self._scheduled(function, arguments)

    def _scheduled(self, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Future[Result]:
        future: Future[Result] = self._started().schedule(
            _timed, args=(self._timeout_s, function, arguments), timeout=self._timeout_s
        )
        return future

    def _started(self) -> ProcessPool:
        """The pool, started when it was not."""
        if self._pool is None:
            from pebble import ProcessPool  # noqa: PLC0415 - a run that finds nothing new never needs it

            load_decoders()
            self._pool = ProcessPool(max_workers=self.jobs, initializer=_confine, context=_Context())
        return self._pool

    def stop(self) -> None:
        """Stops the workers, whatever they are doing."""
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None


class _Process(ForkServerProcess):
    """A process that does not import the program's main module, which may lack its `__name__` guard."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - the name that multiprocessing calls
        program = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            return ForkServerProcess._Popen(process_obj)  # noqa: SLF001
        finally:
            sys.modules["__main__"] = program


class _Context(ForkServerContext):
    """The forkserver way of starting processes: fast, and nothing of the parent is inherited."""

    Process = _Process

    def Pipe(self, duplex: bool = True) -> tuple[Any, Any]:  # noqa: FBT001, FBT002, N802 - multiprocessing's signature
        """A pipe that holds a few batches of results, so that a worker need not wait until they are fetched.

        What this process reads from it is read with care; workers get the plain ends.
        """
        from indexer.inbox import received  # noqa: PLC0415 - a run that finds nothing new never needs it

        reader, writer = super().Pipe(duplex)
        reader.recv = partial(received, reader)  # type: ignore[method-assign]
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with contextlib.suppress(OSError):  # more than this user may have: the pipe stays as it is
                fcntl.fcntl(writer.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return reader, writer


def load_decoders() -> None:
    """Starts the server that workers are forked from, which loads the decoders in the background; once is enough."""
    resource_tracker.ensure_running()  # first, as it lets all signals through when it has started
    with _environment(_ONE_THREAD), _without_interrupts(), _unheard():
        set_forkserver_preload(["indexer.worker"])
        ensure_running()


def default_jobs() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def local_pool(jobs: int | None = None, timeout_s: float = TASK_TIMEOUT_S) -> Iterator[Executor]:
    """A pool of processes, stopped at the end whatever happens.

    Args:
        jobs: Worker processes; None for one a processor, 0 to decode in this process.
        timeout_s: Seconds that a task may take.
    """
    if jobs == 0:
        yield Inline()
        return
    pool = LocalPool(jobs or default_jobs(), timeout_s)
    try:
        yield pool
    finally:
        pool.stop()


def outcomes(executor: Executor, batches: Iterable[Batch]) -> Iterator[Sequence[Outcome]]:
    """The outcomes of decoding each batch of files, as they come, never raising for the sake of a file.

    Args:
        executor: Where to run them.
        batches: Taken one by one, only a few ahead of the results.
    """
    return results(executor, _decode, batches, lambda task, reason: Unreadable(task.file_id, reason), vetted_outcome)


def results(
    executor: Executor,
    work: Callable[[Sequence[Item], Extra], Sequence[Result]],
    batches: Iterable[tuple[tuple[Item, ...], Extra]],
    lost: Callable[[Item, str], Result],
    vetted: Callable[[Item, Any], Result | None],
) -> Iterator[Sequence[Result]]:
    """The results of each batch, as they come.

    The items of a batch whose worker was lost are run again, each while nothing else runs, to find the one to blame, and in
    a new pool: a worker that was killed in the middle of a word may have left one in which nothing is understood any more.

    Args:
        executor: Where to run them.
        work: Gives a result for each item of a batch.
        batches: Taken one by one, only a few ahead of the results; items with what they share.
        lost: The result for an item that cost its worker, with the reason.
        vetted: The result for an item as far as it is believed, None when it is none.
    """
    waiting = iter(batches)
    suspects: deque[tuple[tuple[Item, ...], Extra]] = deque()
    running: dict[Future[Sequence[Result]], tuple[tuple[Item, ...], Extra]] = {}
    doubtful = False
    while True:
        alone = bool(suspects) and not running
        if alone and doubtful:
            executor.stop()
            doubtful = False
        wanted = 1 if alone else 0 if suspects else AHEAD * executor.jobs - len(running)
        for batch in islice(iter([suspects.popleft()]) if alone else waiting, wanted):
            running[executor.submit(work, *batch)] = batch
        if not running:
            return
        for future in _ended(executor, running):
            items, extra = running.pop(future)
            result = _result(future)
            if not isinstance(result, str):
                yield _believed(items, result, lost, vetted)
                continue
            doubtful = True
            if alone:
                yield (lost(items[0], result),)
            else:
                suspects.extend(((item,), extra) for item in items)


def _ended(executor: Executor, running: Collection[Future[Any]]) -> Collection[Future[Any]]:
    """The futures that have ended, at least one; all of them when the executor is stuck, which is then stopped."""
    ended = wait(running, executor.patience_s, FIRST_COMPLETED).done
    if ended:
        return ended
    for future in running:
        future.cancel()
    executor.stop()
    return tuple(running)


def _believed(
    items: Sequence[Item],
    answers: Sequence[Any],
    lost: Callable[[Item, str], Result],
    vetted: Callable[[Item, Any], Result | None],
) -> Sequence[Result]:
    """A result for each item, whatever a worker answered."""
    given = answers if len(answers) == len(items) else [None] * len(items)
    return [vetted(item, answer) or lost(item, NO_ANSWER) for item, answer in zip(items, given, strict=True)]


def _result(future: Future[Sequence[Any]]) -> Sequence[Any] | str:
    """What a future gives, or why its worker was lost."""
    try:
        answers: object = future.result()
        return answers if isinstance(answers, list | tuple) else ()
    except (TimeoutError, CancelledError):
        return "decoding took too long and was stopped"
    except (BrokenExecutor, OSError, MemoryError, RecursionError) as error:
        exit_code = getattr(error, "exitcode", None)
        return f"decoding failed: {type(error).__name__}" if exit_code is None else f"decoding crashed ({exit_code})"


def _decode(tasks: Sequence[Task], known: frozenset[bytes]) -> list[Outcome]:
    """What workers run; imported there, so that the program that hands out the work does not load any decoder."""
    from indexer.decode import decode_batch  # noqa: PLC0415

    return decode_batch(tasks, known)


def _timed(seconds: float, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
    """What workers do with a task; a decoder that means to end its process fails instead.

    Raises:
        OSError: As when the worker is lost.
    """
    from indexer.worker import allow_seconds  # noqa: PLC0415

    allow_seconds(seconds)
    try:
        return function(*arguments)
    except Exception:
        raise
    except BaseException as error:  # noqa: BLE001 - it would end the worker, or pass for Ctrl-C in the program
        raise OSError(f"{type(error).__name__} in a worker") from None


def _confine() -> None:
    """What workers run first; imported there likewise."""
    from indexer.worker import confine  # noqa: PLC0415

    confine()


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started meanwhile never hear of Ctrl-C: the server would tell of it by a traceback while it loads."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Processes started meanwhile print nothing: a worker that is stopped while it starts would print a traceback."""
    with contextlib.ExitStack() as streams:
        with contextlib.suppress(OSError):  # standard error is closed
            ours, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 2)
            for undo, arguments in ((os.close, (ours,)), (os.close, (nothing,)), (os.dup2, (ours, 2))):
                streams.callback(undo, *arguments)
        yield


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables that hold for processes started meanwhile: numpy reads them when it is imported."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
