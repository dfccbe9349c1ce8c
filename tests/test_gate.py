"""Pictures before they are stored: what the index knows of them, and who may store them."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps
from sqlalchemy import event
from support import make_photos

from indexer import Index, matches, standing
from indexer.candidates import Hashes
from indexer.closeup import judge_batch
from indexer.drawing import drawn, encoded
from indexer.entry import run
from indexer.errors import ImgindexError, NoIndexError
from indexer.executors import Inline
from indexer.gate import Gate
from indexer.groups import PRUNED, Answer, Evidence, Kind
from indexer.hamming import oriented
from indexer.incoming import as_files
from indexer.lock import lock_path, locked
from indexer.recipe import LOW_DETAIL
from indexer.records import Health
from indexer.standing import Standing
from indexer.views import SIGN_WORDS, WORDS

PHOTO = 4
"""The number of a drawing that the photos have as `a/4.jpg`."""


def resized(number: int) -> bytes:
    """A drawing at two thirds of its size, as WebP."""
    picture = drawn(number)
    return encoded(picture.resize((picture.width * 2 // 3, picture.height * 2 // 3)), "WEBP")


@pytest.fixture
def indexed(photos: Path, index: Index) -> Index:
    """The index of the six photos."""
    index.update(photos, jobs=0)
    return index


def test_check_tells_new_known_and_unreadable_pictures_in_order(indexed: Index, photos: Path, tmp_path: Path) -> None:
    """A copy, one saved again, one that is unlike all others, a path that leads nowhere, and bytes that are no picture."""
    before = Path(indexed.path).read_bytes()

    with indexed.gate(jobs=2) as gate:
        answers = list(
            gate.check_all([photos / "a" / "4.jpg", resized(PHOTO), resized(77), tmp_path / "no.jpg", b"no picture"])
        )

    copy, same, new, missing, junk = answers
    file = str(photos / "a" / "4.jpg")
    assert (copy.name, copy.kind, copy.bits, copy.path, copy.evidence) == (file, Kind.BYTES, 0, file, Evidence.PIXELS)
    assert (same.name, same.kind, same.path, same.evidence) == ("", Kind.SAME, file, Evidence.FILES)
    assert 0 <= same.bits <= 23
    assert new.is_new
    assert new.kind is None
    assert (missing.reason, missing.is_new) == ("cannot be read: No such file or directory", False)
    assert junk.reason == "not a picture of a known format"
    assert Path(indexed.path).read_bytes() == before


def test_kinds_say_what_counts_as_known(indexed: Index) -> None:
    """A mirrored picture is new, unless mirrored ones are asked for."""
    mirrored = encoded(ImageOps.mirror(drawn(PHOTO)))

    assert indexed.check(mirrored).is_new
    assert indexed.check(mirrored, kinds=["flipped"]).kind is Kind.FLIPPED
    assert indexed.check(resized(PHOTO), kinds=["bytes"]).is_new


def test_pictures_with_nothing_on_them_are_known_by_their_pixels_alone(indexed: Index, photos: Path) -> None:
    """Flat pictures share their hashes: one of the same colour and size is known, one of another is new."""
    (photos / "flat.png").write_bytes(encoded(Image.new("RGB", (90, 90), "red"), "PNG"))
    indexed.update(photos, jobs=0)

    red = indexed.check(encoded(Image.new("RGB", (90, 90), "red"), "BMP"))
    blue = indexed.check(encoded(Image.new("RGB", (90, 90), "blue"), "BMP"))

    assert red.kind is Kind.SAME
    assert blue.is_new


def test_a_picture_that_is_known_in_several_ways_is_known_in_the_best(indexed: Index, photos: Path) -> None:
    """As the same rather than as mirrored, as a copy rather than as the same; of equals as the one that was there first."""
    mirrored, copy = photos / "mirrored.jpg", photos / "again.jpg"
    mirrored.write_bytes(encoded(ImageOps.mirror(drawn(PHOTO))))
    copy.write_bytes((photos / "a" / "4.jpg").read_bytes() + b"more")
    indexed.update(photos, jobs=0)
    kinds = ["flipped", "same", "bytes"]

    with indexed.gate(kinds=kinds, jobs=0) as gate:
        answers = [gate.check(picture) for picture in (resized(PHOTO), mirrored, copy)]

    assert [(answer.kind, answer.path) for answer in answers] == [
        (Kind.SAME, str(photos / "a" / "4.jpg")),
        (Kind.BYTES, str(mirrored)),
        (Kind.BYTES, str(copy)),
    ]


def test_pictures_with_nothing_on_them_are_told_from_others_beside_them(indexed: Index) -> None:
    """In one batch, what is near one is not taken for what is near another."""
    flat = encoded(Image.new("RGB", (90, 90), "blue"), "PNG")

    with indexed.gate(jobs=0) as gate:
        answers = list(gate.check_all([flat, resized(PHOTO), flat, resized(77)]))

    assert [answer.kind for answer in answers] == [None, Kind.SAME, None, None]


def test_pictures_that_differ_by_a_speck_are_both_admitted(indexed: Index) -> None:
    """At the scale of thumbnails they are alike."""
    specks = []
    for x in (100, 300):
        picture = Image.new("L", (400, 400), 255)
        picture.putpixel((x, 200), 0)
        specks.append(encoded(picture, "PNG"))

    with indexed.gate(jobs=0) as gate:
        assert [answer.is_new for answer in gate.admit_all([*specks, *specks])] == [True, True, False, False]


def test_what_people_decided_outranks_what_is_seen(indexed: Index, photos: Path) -> None:
    """A picture saved again that somebody called different is new; another one that was called the same is known."""
    again, other = photos / "again.webp", photos / "other.jpg"
    again.write_bytes(resized(PHOTO))
    other.write_bytes(encoded(drawn(50)))
    indexed.update(photos, jobs=0)
    indexed.decide(again, photos / "a" / "4.jpg", "different")
    indexed.decide(other, photos / "a" / "2.jpg", "same")
    lines = indexed.decisions_json()
    fresh = Index(photos.parent / "fresh.db")
    again_bytes, other_bytes = again.read_bytes(), other.read_bytes()
    again.unlink()
    other.unlink()
    fresh.update(photos, jobs=0)
    fresh.import_decisions(lines)

    assert fresh.check(again_bytes).is_new
    known = fresh.check(other_bytes)
    assert (known.kind, known.evidence, known.path) == (Kind.SAME, Evidence.PERSON, str(photos / "a" / "2.jpg"))


def test_a_picture_is_known_when_its_file_is_gone(indexed: Index, photos: Path) -> None:
    """There is no path to name then."""
    data = (photos / "a" / "4.jpg").read_bytes()
    (photos / "a" / "4.jpg").unlink()
    indexed.update(photos, jobs=0)

    for picture, kind in ((data, Kind.BYTES), (resized(PHOTO), Kind.SAME)):
        answer = indexed.check(picture)
        assert (answer.kind, answer.path) == (kind, None)


def test_check_wants_an_index_and_admit_makes_one(index: Index) -> None:
    """A scraper's first picture is new."""
    with pytest.raises(NoIndexError):
        index.check(resized(1))

    assert index.admit(resized(1)).is_new
    assert index.check(resized(1)).kind is Kind.BYTES


def test_of_pictures_that_show_the_same_the_first_is_admitted(indexed: Index, photos: Path) -> None:
    """In one call and in later ones, by bytes and by looks; the stored one gets its path, and is not decoded again."""
    picture = encoded(drawn(30))

    with indexed.gate(jobs=0) as gate:
        together = list(gate.admit_all([picture, picture, resized(30), resized(31), b"junk"]))
        later = [gate.admit(picture), gate.admit(resized(30)), gate.check(resized(31))]

    assert [answer.is_new for answer in together] == [True, False, False, True, False]
    assert [answer.kind for answer in together] == [None, Kind.BYTES, Kind.SAME, None, None]
    assert [(answer.kind, answer.path) for answer in later] == [
        (Kind.BYTES, None),
        (Kind.SAME, None),
        (Kind.BYTES, None),
    ]
    (photos / "stored.jpg").write_bytes(picture)
    assert indexed.update(photos, jobs=0).decoded == 0
    assert indexed.check(resized(30)).path == str(photos / "stored.jpg")


def test_what_another_process_admitted_is_known_at_once(indexed: Index) -> None:
    """Two gates are open; the second knows what the first admits after both were asked, by looks too."""
    with indexed.gate(jobs=0) as first, Index(indexed.path).gate(jobs=0) as second:
        assert first.check(resized(30)).is_new
        assert second.check(resized(30)).is_new
        assert first.admit(encoded(drawn(30))).is_new

        assert second.admit(resized(30)).kind is Kind.SAME
        assert second.check(encoded(drawn(30))).kind is Kind.BYTES


def test_a_released_picture_is_new_to_whoever_asks_next(indexed: Index) -> None:
    """By bytes and by looks, also to a gate that knew it already; then it is admitted once, as ever."""
    picture = encoded(drawn(30))
    with indexed.gate(jobs=0) as first, Index(indexed.path).gate(jobs=0) as second:
        answer = first.admit(picture)
        assert answer.digest
        assert second.check(resized(30)).kind is Kind.SAME

        assert first.release(answer.digest)
        assert not first.release(answer.digest)
        assert [second.check(resized(30)).is_new, first.check(resized(30)).is_new] == [True, True]
        assert second.admit(picture).is_new
        assert (first.admit(picture).kind, first.admit(resized(30)).kind) == (Kind.BYTES, Kind.SAME)


def test_what_is_admitted_after_a_release_is_known_to_all_gates(indexed: Index) -> None:
    """Also to one that read of the released picture: no id is given twice."""
    with indexed.gate(jobs=0) as first, Index(indexed.path).gate(jobs=0) as second:
        answer = first.admit(encoded(drawn(30)))
        second.check(resized(30))
        first.release(answer.digest or b"")
        first.admit(encoded(drawn(31)))

        assert second.check(resized(31)).kind is Kind.SAME


def test_only_what_was_admitted_and_never_stored_is_released(indexed: Index, photos: Path) -> None:
    """Not what has a file, had one, was pruned or rejected, is unknown, or resembles a file that came since."""
    stored, copied, twin, lost = (encoded(drawn(number)) for number in (30, 31, 32, 33))
    with indexed.gate(jobs=0) as gate:
        answers = [gate.admit(picture) for picture in (stored, copied, twin, lost)]
        digests = [answer.digest or b"" for answer in answers]
        for name, data in (("30.jpg", stored), ("31.jpg", copied), ("31 again.jpg", copied), ("32.webp", resized(32))):
            (photos / name).write_bytes(data)
        indexed.update(photos, jobs=0)
        (photos / "30.jpg").unlink()
        indexed.update(photos, jobs=0)
        indexed.carry_out(indexed.plan())
        (photos / "31.jpg").unlink(missing_ok=True)
        (photos / "31 again.jpg").unlink(missing_ok=True)
        indexed.update(photos, jobs=0)

        assert [gate.release(digest) for digest in (*digests, bytes(32))] == [False, False, False, True, False]
        assert [gate.check(picture).is_new for picture in (stored, copied, twin, lost)] == [False, False, False, True]


@pytest.mark.parametrize(
    "reason",
    [
        "INSERT INTO rejected VALUES (:digest, 'wrong', 1)",
        "INSERT INTO arrival (run_id, path, size, content_id) SELECT 1, 'a', 1, id FROM content WHERE digest = :digest",
        "INSERT INTO arrival (run_id, path, size, known_id) SELECT 1, 'a', 1, id FROM content WHERE digest = :digest",
        (
            "INSERT INTO file (folder_id, name, size, mtime_ns, ctime_ns, inode, unsettled, state, content_id)"
            " SELECT 1, 'x.jpg', 1, 1, 1, 1, 0, 1, id FROM content WHERE digest = :digest"
        ),
        (
            "INSERT INTO journal (run_id, state, kind, root_id, path, quarantine, payload, size, mtime_ns, ctime_ns, inode,"
            " mode, folder_mode, digest, keeper, keeper_digest)"
            " VALUES (1, 'moved', 'bytes', 1, 'x.jpg', 'q', 'p', 1, 1, 1, 1, 1, 1, :digest, 'k', x'')"
        ),
    ],
    ids=["rejected", "a scrape brought it", "a scrape brought what it shows", "a file shows it", "it was pruned"],
)
def test_what_the_index_remembers_otherwise_is_not_released(indexed: Index, reason: str) -> None:
    """One reason is enough."""
    with indexed.gate(jobs=0) as gate:
        digest = gate.admit(encoded(drawn(30))).digest
        with sqlite3.connect(indexed.path) as db:
            db.execute(reason, {"digest": digest})
        db.close()

        assert digest
        assert not gate.release(digest)


def test_an_index_with_released_pictures_is_sound(indexed: Index, photos: Path, tmp_path: Path) -> None:
    """Nothing is wrong with it, runs go on, and another index takes none of them in."""
    picture = encoded(drawn(30))
    with indexed.gate(jobs=0) as gate:
        for _time in range(2):
            assert gate.release(gate.admit(picture).digest or b"")
    (photos / "30.jpg").write_bytes(picture)

    assert indexed.update(photos, jobs=0).new == 1
    assert {found.health for found in indexed.examine() if found.about in {"database", "index"}} <= {
        Health.FINE,
        Health.NOTE,
    }
    other = Index(tmp_path / "other.db")
    other.update(photos / "a", jobs=0)
    assert other.merge(indexed.path).contents == 4
    assert other.check(picture).kind is Kind.BYTES


def test_a_comparison_that_costs_its_worker_makes_nothing_known(indexed: Index) -> None:
    """The picture is new as far as one can tell; the gate goes on."""

    class Losing(Inline):
        def submit(self, function: Callable[..., object], /, *arguments: object) -> Future[Any]:
            if function is not judge_batch:
                return super().submit(function, *arguments)
            lost: Future[Any] = Future()
            lost.set_exception(BrokenExecutor())
            return lost

    with indexed._reading() as database:
        gate = Gate(database, indexed._writing, Losing(), PRUNED)

        assert [answer.is_new for answer in gate.check_all([resized(PHOTO), resized(77)])] == [True, True]


def test_pictures_given_as_bytes_leave_no_files(
    indexed: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They lie in the folder for temporary files meanwhile, readable by nobody else; when they cannot, that is said."""
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spool))

    with as_files([b"one", tmp_path / "two", b"three"]) as paths:
        modes = [stat.S_IMODE(path.stat().st_mode) for path in spool.iterdir()]
        (spool / "three").symlink_to("nowhere")
        Path(paths[2]).unlink()

        assert (Path(paths[0]).read_bytes(), paths[1], modes) == (b"one", str(tmp_path / "two"), [0o600, 0o600])
    assert [path.name for path in spool.iterdir()] == ["three"]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no"))
    with pytest.raises(ImgindexError, match=r"cannot write to '.*/no': No such file or directory"):
        indexed.check(resized(1))


def test_the_lock_names_its_holder_after_each_other(indexed: Index) -> None:
    """A gate that takes it again finds its own name there; another's is replaced."""
    lock = Path(lock_path(indexed.path))
    with indexed.gate(jobs=0) as gate:
        gate.admit(encoded(drawn(30)))
        own, written = lock.read_text(), lock.stat().st_mtime_ns
        gate.admit(encoded(drawn(31)))
        untouched = lock.stat().st_mtime_ns
        lock.write_text("process 1: another, whose name is far longer than that of this one" * 20)
        gate.admit(encoded(drawn(32)))

    assert own.startswith(f"process {os.getpid()}: ")
    assert untouched == written
    assert lock.read_text() == own


def test_admit_waits_for_another_run_and_check_does_not(indexed: Index) -> None:
    """A scraper does not end as somebody prunes."""
    with indexed.gate(jobs=0) as gate, ThreadPoolExecutor() as threads:
        with locked(indexed.path):
            assert gate.check(resized(30)).is_new
            waiting = threads.submit(gate.admit, resized(30))
            assert not wait([waiting], timeout=0.5).done

        assert waiting.result(timeout=30).is_new


def test_settings_say_nothing_to_a_gate(indexed: Index) -> None:
    """What is known depends on the call alone; not even nonsense beside the index stops a scraper."""
    (Path(indexed.path).parent / "imgindex.toml").write_text("kinds = nonsense")

    assert indexed.check(resized(30)).is_new


@pytest.mark.parametrize("after", [0, 2], ids=["all", "the new ones"])
def test_hashes_that_mean_nothing_are_left_out(indexed: Index, after: int) -> None:
    """Those by another recipe, of what cannot be decoded, and of pictures with nothing on them."""
    with sqlite3.connect(indexed.path) as db:
        db.execute("INSERT INTO recipe (id, key) VALUES (77, 'another')")
        db.execute("UPDATE content SET recipe_id = 77 WHERE id = 3")
        db.execute("UPDATE content SET look = NULL, phash = NULL, views = NULL WHERE id = 4")
        db.execute("UPDATE content SET detail = 0 WHERE id = 5")
    db.close()

    with indexed._reading() as database, database.reading() as tx:
        found = matches.hash_rows(tx, 1, LOW_DETAIL, after)

    assert sorted(found.ids) == ([6] if after else [1, 2, 6])
    assert (len(found.phashes), len(found.views)) == (32 * len(found.ids), 192 * len(found.ids))


def test_new_hashes_are_read_by_id(indexed: Index) -> None:
    """Nearly all contents have one recipe: by that, each admitted picture would cost a look at all of them."""
    asked: list[tuple[str, Any]] = []
    with indexed._reading() as database, database.reading() as tx:
        event.listen(tx, "before_cursor_execute", lambda *seen: asked.append((seen[2], seen[3])))
        ids = matches.hash_rows(tx, 1, LOW_DETAIL, after=4).ids
        statement, values = asked[-1]
        how = [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]

    assert sorted(ids) == [5, 6]
    assert how[0] == "SEARCH content USING INTEGER PRIMARY KEY (rowid>?)"


ADMIT = """
import sys
from pathlib import Path
from indexer import Index
paths = sorted(Path(sys.argv[2]).iterdir())
if sys.argv[3] == "backwards":
    paths.reverse()
with Index(sys.argv[1]).gate(jobs=1) as gate:
    print("ready", flush=True)
    sys.stdin.readline()
    for start in range(0, len(paths), 50):
        for answer in gate.admit_all(paths[start : start + 50]):
            print("new" if answer.is_new else answer.kind, Path(answer.name).name)
"""


def test_two_processes_admit_the_same_pictures_at_once_each_exactly_once(tmp_path: Path) -> None:
    """2,000 pictures, one process from either end, so that they meet: none is admitted twice, none by nobody."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(5)
    for number in range(2_000):
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        (folder / f"{number}.jpg").write_bytes(encoded(coarse.resize((64, 64), 3)))
    database = tmp_path / "imgindex.db"
    Index(database).admit(encoded(drawn(1)))
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", ADMIT, str(database), str(folder), way],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for way in ("forwards", "backwards")
    ]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    told = [worker.communicate(timeout=300)[0].splitlines() for worker in workers]

    assert [worker.returncode for worker in workers] == [0, 0]
    admitted = [[line.split()[1] for line in lines if line.startswith("new ")] for lines in told]
    assert Counter(admitted[0] + admitted[1]) == dict.fromkeys((path.name for path in folder.iterdir()), 1)
    assert all(len(names) > 100 for names in admitted)
    assert {line.split()[0] for lines in told for line in lines} == {"new", "bytes"}


# --- the command


def test_check_prints_and_ends_as_it_is_asked_to(
    indexed: Index, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All new 0, some known 10 whatever else, some unreadable 3; a list, standard input, JSON, and silence."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.jpg").write_bytes(resized(77))
    (tmp_path / "same.webp").write_bytes(resized(PHOTO))
    (tmp_path / "junk.jpg").write_bytes(b"junk")

    assert run(["check", "new.jpg"]) == 0
    assert run(["check", "new.jpg", "junk.jpg"]) == 3
    assert run(["check", "new.jpg", "junk.jpg", "same.webp"]) == 10
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[-3:]] == [
        ["new", "new.jpg"],
        ["unreadable", "junk.jpg"],
        ["known", "same.webp"],
    ]
    assert "photos/a/4.jpg" in lines[-1]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"new.jpg\0same.webp\0")))
    assert run(["check", "--files-from", "-", "-0", "--json"]) == 10
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["name"], first["state"], first["kind"], first["path"]) == ("new.jpg", "new", None, None)
    assert (second["state"], second["kind"], second["path"], second["evidence"]) == (
        *("known", "same", "photos/a/4.jpg", "files"),
    )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(resized(PHOTO))))
    assert run(["check", "-", "--quiet"]) == 10
    assert capsys.readouterr().out == ""
    assert run(["check"]) == 2
    assert run(["check", "new.jpg", "--files-from", "x"]) == 2


# --- hashes that stand ready


def made_up(count: int, seed: int, first_id: int) -> Hashes:
    """Random hashes."""
    random = np.random.default_rng(seed)
    whole, views = (random.integers(0, 2**64, (count, words), dtype=np.uint64) for words in (4, WORDS))
    return Hashes(np.arange(first_id, first_id + count), np.zeros(count, np.bool_), whole, views)


@pytest.mark.parametrize("tabled", [False, True], ids=["compared", "tables"])
@pytest.mark.parametrize("fresh", [10, 100_000], ids=["added ones taken in", "added ones apart"])
def test_standing_finds_what_brute_force_finds(tabled: bool, fresh: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies up to 23 bits away, as they are or turned, among 30,000 hashes and 100 added ones; nothing farther."""
    monkeypatch.setattr(standing, "SOME", 0 if tabled else 1 << 30)
    monkeypatch.setattr(standing, "FRESH", fresh)
    known, added = made_up(30_000, 1, 1), made_up(100, 2, 50_001)
    ready = Standing(known)
    ready.add(added)
    random = np.random.default_rng(3)
    wanted: list[dict[int, int]] = []
    phashes, views = [], []
    for number in range(40):
        source, row = (added, number) if number % 4 == 0 else (known, 700 * number)
        apart = (0, 11, 23, 24)[number // 4 % 4]
        turn = number % 8
        whole = random.integers(0, 2**64, 4, dtype=np.uint64)
        signs = source.views[row : row + 1, SIGN_WORDS].copy()
        for bit in random.permutation(256)[:apart]:
            signs[0, bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
        back = (0, 1, 2, 3, 4, 6, 5, 7)[turn]
        view = np.zeros((1, WORDS), np.uint64)
        view[0, SIGN_WORDS] = oriented(signs, back)[0]
        phashes.append(whole.astype("<u8").tobytes())
        views.append(view.astype("<u8").tobytes())
        wanted.append({int(source.ids[row]): apart} if apart <= 23 else {})

    found = ready.near(phashes, views)

    assert [{near.content_id: near.bits for near in some} for some in found] == wanted
    turns = [near.hints for some in found for near in some]
    assert turns == [1 << number % 8 for number, some in enumerate(wanted) if some]


def test_standing_tells_all_orientations_and_the_least_distance() -> None:
    """A content that is near as it is by one hash, and mirrored by the other."""
    known = made_up(1, 1, 7)
    whole = known.whole[0].copy()
    whole[0] ^= np.uint64(0b11111)
    view = np.zeros((1, WORDS), np.uint64)
    view[0, SIGN_WORDS] = oriented(known.views[:, SIGN_WORDS].copy(), 1)[0]

    found = Standing(known).near([whole.astype("<u8").tobytes()], [view.astype("<u8").tobytes()])

    assert found == [[(7, 0, 0b11)]]


def test_standing_without_hashes_finds_nothing() -> None:
    """An empty index."""
    nothing = made_up(0, 1, 1)

    assert Standing(nothing).near([bytes(32)], [bytes(192)]) == [[]]
    assert Standing(nothing).near([], []) == []


def test_answers_say_whether_a_picture_is_new() -> None:
    """Neither known nor unreadable."""
    assert Answer("a.jpg").is_new
    assert not Answer("a.jpg", kind=Kind.SAME).is_new
    assert not Answer("a.jpg", reason="cannot be read").is_new


def test_many_pictures_are_checked_in_parts(indexed: Index, tmp_path: Path) -> None:
    """Three hundred answers come in the order of three hundred questions."""
    folder = make_photos(tmp_path / "many", 30)
    paths = sorted(folder.rglob("*.jpg")) * 10

    with indexed.gate(jobs=0) as gate:
        answers = list(gate.check_all(map(str, paths)))

    assert [answer.name for answer in answers] == [str(path) for path in paths]
    assert Counter(answer.is_new for answer in answers) == {True: 240, False: 60}
