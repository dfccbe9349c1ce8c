"""Folders that are watched: what comes, changes and goes is indexed, batch by batch, and nothing else is."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from support import aged, make_photos
from test_process import rows, started

from indexer import Index, watch, watcher
from indexer.drawing import drawn, encoded
from indexer.entry import run
from indexer.errors import SafetyError, UsageError
from indexer.lock import locked
from indexer.mounts import Mount
from indexer.records import IndexReport
from indexer.watcher import Changes, settled, watching


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches settle in a fifth of the time."""
    monkeypatch.setattr(watch, "watching", partial(watching, settle_s=0.2))


@pytest.fixture
def reports(quick: None, index: Index, photos: Path) -> Iterator[Iterator[IndexReport]]:
    """The reports of a watch over the photos, behind that of the first run."""
    with contextlib.closing(index.watch(photos, jobs=0)) as found:
        next(found)
        yield found


def arrived(folder: Path, number: int) -> Path:
    """A new picture, as a browser or a scraper stores it: under another name first."""
    part = folder / f"{number}.jpg.part"
    part.write_bytes(encoded(drawn(number)))
    return part.rename(folder / f"{number}.jpg")


def lines_of(process: subprocess.Popen[str]) -> Iterator[dict[str, int]]:
    """The objects that a watch prints."""
    assert process.stdout
    return map(json.loads, process.stdout)


def files_anew(photos: Path) -> list[tuple[object, ...]]:
    """The files that an index made anew holds."""
    anew = Index(photos.parent / "anew.db")
    anew.update(photos, jobs=0)
    return rows(anew)["file"]


# --- the command


def test_a_watch_indexes_what_comes_and_goes_until_ctrl_c(index: Index, photos: Path) -> None:
    """An object for the first run and for each batch; a new one, one that is renamed, one that goes; the end is prompt."""
    process = started(index, "index", str(photos), "--watch", "--json")
    told = lines_of(process)
    first = next(told)
    arrived(photos, 20)
    came = next(told)
    (photos / "later").mkdir()
    arrived(photos / "later", 21)
    deeper = next(told)
    (photos / "20.jpg").rename(photos / "a" / "20.jpg")
    (photos / "b" / "1.jpg").unlink()
    went = next(told)
    os.killpg(process.pid, signal.SIGINT)
    asked = time.monotonic()
    rest, errors = process.communicate(timeout=30)

    assert time.monotonic() - asked < 3
    assert (process.returncode, rest) == (0, "")
    assert errors.splitlines()[0] == "Watching; stop with Ctrl-C."
    assert errors.splitlines()[-1] == "Stopped watching; what came before is indexed."
    assert len(errors.splitlines()) == 5
    assert (first["files"], first["new"]) == (6, 6)
    assert (came["files"], came["new"], came["decoded"]) == (1, 1, 1)
    assert (deeper["files"], deeper["new"]) == (1, 1)
    assert (went["files"], went["new"] + went["moved"], went["new"] + went["gone"] + 2 * went["moved"]) == (7, 1, 3)
    assert went["decoded"] == 0
    assert rows(index)["file"] == files_anew(photos)


def test_a_file_that_is_written_slowly_is_whole_in_the_end(index: Index, photos: Path) -> None:
    """With a pause in the middle in which the batch settles; what was read half is read again. SIGTERM is an end, too."""
    process = started(index, "index", str(photos), "--watch", "--json")
    told = lines_of(process)
    next(told)
    data = encoded(drawn(20))
    with (photos / "slow.jpg").open("wb", buffering=0) as stream:
        stream.write(data[: len(data) // 2])
        half = next(told)
        stream.write(data[len(data) // 2 :])
    whole = next(told)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=30)

    assert process.returncode == 0
    assert (half["new"] + half["unreadable"], whole["decoded"], whole["unreadable"]) == (2, 1, 0)
    assert rows(index)["file"] == files_anew(photos)


def test_a_watch_whose_folder_vanishes_stops_and_keeps_what_it_knows(index: Index, photos: Path) -> None:
    """As an unmounted disk does; exit code 4."""
    process = started(index, "index", str(photos), "--watch", "--json", "--quiet")
    next(lines_of(process))
    photos.rename(photos.parent / "elsewhere")
    _rest, errors = process.communicate(timeout=30)

    assert process.returncode == 4
    assert f"'{photos}' is missing or not a folder" in errors
    assert index.status().roots[0].files == 6


def test_ctrl_c_in_the_middle_of_a_batch_ends_as_for_any_run(index: Index, photos: Path) -> None:
    """What it was at is not done: exit code 130."""
    process = started(index, "index", str(photos), "--watch", "--json")
    next(lines_of(process))
    assert process.stderr
    assert process.stderr.readline() == "Watching; stop with Ctrl-C.\n"
    with locked(index.path):
        arrived(photos, 20)
        assert "waiting until it has finished" in process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)

    assert process.returncode == 130


def test_between_batches_others_write_and_during_theirs_a_batch_waits(index: Index, photos: Path) -> None:
    """A prune and an undo beside a watch; their moves are no news to it. A batch begins when another run has ended."""
    (photos / "copy.jpg").write_bytes((photos / "a" / "0.jpg").read_bytes())
    aged(photos / "copy.jpg")
    process = started(index, "index", str(photos), "--watch", "--json")
    told = lines_of(process)
    next(told)

    done = index.carry_out(index.plan())
    index.undo(done.run_id)
    with locked(index.path):
        before = len(index.history())
        arrived(photos, 20)
        time.sleep(2)
        assert len(index.history()) == before
    next(batch for batch in told if batch["new"] == 1)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)

    assert len(done.moved) == 1
    assert len(index.history()) <= 5  # the file that came back may be looked at once
    assert index.status().roots[0].files == 8


def test_a_watch_does_not_hear_itself(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the index in the folder, and every name looked at, also one that is not imgindex.db."""
    index = Index(photos / "pictures.db")
    process = started(index, "index", str(photos), "--watch", "--all-files", "--json")
    told = lines_of(process)
    next(told)
    arrived(photos, 20)
    next(told)
    time.sleep(2)
    os.killpg(process.pid, signal.SIGINT)
    rest, _errors = process.communicate(timeout=30)

    assert rest == ""
    assert len(index.history()) == 2


def test_watch_says_what_to_install(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is an extra; nothing is indexed without it, and a list of files cannot be watched."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)

    assert run(["index", str(photos), "--watch", "--db", index.path]) == 2
    assert "pip install 'imgindex[watch]'" in capsys.readouterr().err
    assert not Path(index.path).exists()
    assert run(["index", str(photos), "--watch", "--files-from", "-", "--db", index.path]) == 2


@pytest.mark.parametrize("most", [2, 4], ids=["at the start", "later"])
def test_a_watch_says_that_the_system_watches_no_more_folders(index: Index, photos: Path, most: int) -> None:
    """With the way out; also when it is a new folder that could not be watched."""
    words = ["unshare", "-Ur", "sh", "-c", f'echo {most} > /proc/sys/user/max_inotify_watches && exec "$@"', "sh"]
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespace with limits of its own can be made here")
    command = [*words, sys.executable, "-m", "indexer", "index", str(photos), "--watch", "--json", "--db", index.path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if most > 3:
        next(lines_of(process))
        for number in range(3):
            (photos / f"new-{number}").mkdir()
    _out, errors = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "folders cannot be watched: OS file watch limit reached\n" in errors
    assert "fs.inotify.max_user_watches=" in errors


# --- the reports


def test_the_first_run_alone_believes_that_files_are_gone(quick: None, index: Index, photos: Path) -> None:
    """Later, more than a fifth of the files does not go by itself: they stay in the index, and the watch goes on."""
    with contextlib.closing(index.watch(photos, jobs=0, confirm_missing=True)) as reports:
        next(reports)
        for path in (*(photos / "a").iterdir(), photos / "b" / "1.jpg", photos / "b" / "3.jpg"):
            path.unlink()
        went = next(reports)
        arrived(photos / "b", 20)
        came = next(reports)

    assert went.refused == (f"5 of 6 known files in '{photos}' seem to be gone",)
    assert (came.new, came.refused) == (1, ())


def test_what_comes_while_the_first_run_reads_is_heard(quick: None, index: Index, photos: Path) -> None:
    """It comes too late for that run, and is in the first batch."""

    def late(stage: str, _done: int, _total: int | None) -> None:
        if stage == "read" and not (photos / "20.jpg").exists():
            arrived(photos, 20)

    with contextlib.closing(index.watch(photos, jobs=0, tick=late)) as reports:
        assert next(reports).new == 6
        assert next(reports).new == 1


def test_names_that_are_not_utf8_are_found(reports: Iterator[IndexReport], photos: Path) -> None:
    """The library cannot tell them, so the folders are walked."""
    with open(os.fsencode(photos) + b"/\xff.jpg", "wb") as stream:
        stream.write(encoded(drawn(20)))

    assert next(report for report in reports if report.files).new == 1
    arrived(photos, 21)
    assert next(report for report in reports if report.new).new == 1


def test_a_batch_that_is_too_large_walks_the_folders(
    reports: Iterator[IndexReport], photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files are looked at then."""
    monkeypatch.setattr(watch, "MOST_CHANGES", 0)
    arrived(photos, 20)

    assert (next(reports).files, len(list(photos.rglob("*.jpg")))) == (7, 7)


def test_a_folder_that_is_gone_again_costs_a_walk(reports: Iterator[IndexReport], photos: Path) -> None:
    """It was there when the batch was looked at, and the run finds that it is missing."""
    request = watch.IndexRequest(folders=(str(photos / "new"),))
    whole = watch.IndexRequest(folders=(str(photos),))
    asked = []

    def update(wanted: watch.IndexRequest) -> IndexReport:
        asked.append(wanted)
        if wanted is request:
            raise SafetyError("missing")
        return IndexReport()

    watch._updated(update, request, whole)
    assert asked == [request, whole]
    with pytest.raises(SafetyError):
        watch._updated(update, request, request)


def test_what_a_walk_would_pass_over_is_no_news(quick: None, index: Index, photos: Path) -> None:
    """Excluded names and folders, quarantines, other names; a picture beside them is."""
    with contextlib.closing(index.watch(photos, jobs=0, exclude=["no*"])) as reports:
        next(reports)
        for name in ("no", ".imgindex-quarantine", "yes"):
            (photos / name).mkdir()
        arrived(photos / ".imgindex-quarantine", 20)
        arrived(photos / "no", 21)
        (photos / "no.jpg").write_bytes(encoded(drawn(22)))
        (photos / "words.txt").write_text("words")
        arrived(photos / "yes", 23)
        found = next(reports)

    assert (found.files, found.new) == (1, 1)
    assert len(index.history()) == 2


def test_a_mounted_folder_is_no_news_where_it_is_not_entered(
    quick: None, index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --one-file-system: its changes are heard of all the same."""
    (photos / "mounted").mkdir()
    known = (Mount("/", "ext4", False, "8:1", "/"), Mount(str(photos / "mounted"), "ext4", False, "8:2", "/"))
    for module in ("index", "watch", "watcher"):
        monkeypatch.setattr(f"indexer.{module}.mounts", lambda: known)
    with contextlib.closing(index.watch(photos, jobs=0, one_file_system=True)) as reports:
        next(reports)
        arrived(photos / "mounted", 20)
        (photos / "mounted" / "deeper").mkdir()
        time.sleep(0.8)
        arrived(photos, 21)
        found = next(reports)

    assert (found.files, found.new) == (1, 1)


def test_file_systems_that_tell_nothing_are_searched(
    quick: None, index: Index, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Network mounts, whole or in part, by looking every few seconds; others beside them as always."""
    other = make_photos(tmp_path / "other", 1)
    remote = Mount(str(photos / "a"), "nfs4", False, "0:9", "/")
    monkeypatch.setattr(watcher, "mounts", lambda: (Mount("/", "ext4", False, "8:1", "/"), remote))
    monkeypatch.setattr(watcher, "POLL_MS", 100)
    made = []
    notifier = watcher._notifier

    def noted(library: object, folders: list[str], *, polling: bool = False) -> object:
        made.append((folders, polling))
        return notifier(library, folders, polling=polling)  # type: ignore[arg-type]

    monkeypatch.setattr(watcher, "_notifier", noted)
    with contextlib.closing(index.watch(photos, other, jobs=0)) as reports:
        next(reports)
        arrived(photos / "a", 20)
        searched = next(reports)
        arrived(other, 21)
        heard = next(reports)

    assert made[:2] == [([str(photos)], True), ([str(other)], False)]  # what is tried later are folders that changed
    assert (searched.new, heard.new) == (1, 1)


def test_another_folder_under_the_name_is_refused(reports: Iterator[IndexReport], photos: Path) -> None:
    """An empty mount point, such as an unmounted disk leaves."""
    photos.rename(photos.parent / "elsewhere")
    photos.mkdir()

    with pytest.raises(SafetyError, match="is another folder than the one that was watched"):
        next(reports)


def test_a_missing_folder_cannot_be_watched(index: Index, tmp_path: Path) -> None:
    """Nothing is made."""
    with pytest.raises(SafetyError, match="is missing or not a folder"):
        next(index.watch(tmp_path / "no"))
    assert not Path(index.path).exists()


def test_folders_whose_names_are_not_utf8_cannot_be_watched(index: Index, tmp_path: Path) -> None:
    """And it is said."""
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)

    with pytest.raises(UsageError, match="its name is not UTF-8"):
        next(index.watch(folder))


# --- batches


def test_a_batch_ends_in_silence_or_when_it_takes_too_long() -> None:
    """All that was heard is in it; nothing heard is an empty batch, and not knowing outranks what is known."""
    heard: queue.SimpleQueue[Changes] = queue.SimpleQueue()
    for number in range(3):
        heard.put(frozenset([str(number)]))
    assert settled(heard, 0.01, 30) == {"0", "1", "2"}

    heard.put(frozenset("a"))
    heard.put(frozenset("b"))
    assert settled(heard, 30, 0) == {"a", "b"}

    heard.put(frozenset("a"))
    heard.put(None)
    assert settled(heard, 30, 30) is None


def test_a_batch_that_never_settles_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something happens all the time."""

    class Restless(queue.SimpleQueue[Changes]):
        def get(self, block: bool = True, timeout: float | None = None) -> Changes:
            time.sleep(min(0.01, timeout or 0))
            if timeout is not None and timeout < 0.01:
                raise queue.Empty
            return frozenset("a")

    began = time.monotonic()
    assert settled(Restless(), 1, 0.2) == {"a"}
    assert time.monotonic() - began < 1


def test_names_that_cannot_be_told_again_and_again_are_walked_for_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But no more seldom than a batch may take."""
    heard: queue.SimpleQueue[Changes] = queue.SimpleQueue()
    for change in (None, None, None, frozenset("a"), None):
        heard.put(change)
    pauses: list[float] = []
    monkeypatch.setattr(watcher, "_hearing", lambda _folders: contextlib.nullcontext(heard))
    monkeypatch.setattr("indexer.watcher.time.sleep", pauses.append)
    batches = watcher._batches([], heard, contextlib.ExitStack(), 0.001, 0.0035)

    assert [next(batches) for _batch in range(4)] == [None, None, None, None]
    assert pauses == [0.001, 0.002, 0.0035, 0.0035]


def test_silence_is_an_empty_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that whoever waits looks whether the folders are there."""
    monkeypatch.setattr(watcher, "LOOK_S", 0.01)

    assert settled(queue.SimpleQueue(), 1, 1) == frozenset()
