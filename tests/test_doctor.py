"""What `imgindex doctor` and `imgindex backup` say, and that looking changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from support import DATA, aged, digest, make_photos, migrated

from indexer import Index, doctor, mounts, versions
from indexer.entry import run
from indexer.mounts import Mount, mount_of
from indexer.records import Finding, Health


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Thirty photos of which one lies there twice, indexed."""
    photos = make_photos(tmp_path / "photos", count=30)
    shutil.copy2(photos / "a/0.jpg", photos / "copy.jpg")
    aged(photos / "copy.jpg", seconds=-500)
    index.update(photos, jobs=0)
    return photos


def wrong(index: Index) -> list[Finding]:
    """What there is to do."""
    return [found for found in index.examine() if found.health in {Health.WARNING, Health.DAMAGED}]


def changed(index: Index, statement: str, *values: object) -> None:
    """A statement carried out behind the program's back."""
    with sqlite3.connect(index.path) as db:
        db.execute(statement, values)
    db.close()


def test_doctor_finds_nothing_wrong_with_a_healthy_index(
    photos: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    """Versions, file systems and times are told, the exit code is 0, and not a byte changes, nor does anything appear."""
    index.carry_out(index.plan())
    before, around = digest(Path(index.path)), set(os.listdir(Path(index.path).parent))

    code = run(["doctor", "--db", index.path])

    text = capsys.readouterr().out
    assert (code, wrong(index)) == (0, [])
    assert f"sqlite             {sqlite3.sqlite_version}" in text
    assert "every page and row is sound; rollback journal" in text
    assert "1 file in it" in text
    assert "keeps times to less than a second" in text
    assert (digest(Path(index.path)), set(os.listdir(Path(index.path).parent))) == (before, around)


def test_doctor_prints_objects(photos: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """One a finding, for scripts."""
    run(["doctor", "--json", "--db", index.path])

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(set(one) == {"about", "health", "says", "advice"} for one in found)
    assert {"sqlite", "pillow", "libwebp", "database", "journal", "root", "quarantine"} <= {
        one["about"] for one in found
    }


def test_doctor_works_without_an_index(index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """What the program runs on is worth knowing before there is one; none is made."""
    code = run(["doctor", "--db", index.path])

    assert code == 0
    assert "there is no index" in capsys.readouterr().out
    assert not Path(index.path).exists()


@pytest.mark.parametrize(
    ("about", "version", "fault"),
    [
        pytest.param("libwebp", "1.3.1", "CVE-2023-4863", id="libwebp"),
        pytest.param("pillow", "12.2.0", "known holes", id="pillow"),
        pytest.param("sqlite", "3.36.0", "untested", id="sqlite"),
    ],
)
def test_doctor_names_versions_that_are_known_to_be_bad(
    index: Index, monkeypatch: pytest.MonkeyPatch, about: str, version: str, fault: str
) -> None:
    """With what is wrong with them, and what to do; the first sound one is not among them."""
    sound = {"libwebp": "1.3.2", "pillow": "12.3.0", "sqlite": "3.37.0"}
    monkeypatch.setattr(versions.sqlite3, "sqlite_version", sound["sqlite"])
    monkeypatch.setattr(versions.features, "version", lambda _name: sound["libwebp"])
    monkeypatch.setattr(versions.importlib.metadata, "version", lambda _name: sound["pillow"])
    assert wrong(index) == []
    monkeypatch.setattr(versions.sqlite3, "sqlite_version", version if about == "sqlite" else sound["sqlite"])
    monkeypatch.setattr(versions.features, "version", lambda name: version if name == "webp" == about[3:] else "9.9")
    monkeypatch.setattr(
        versions.importlib.metadata, "version", lambda name: version if name == "pillow" == about else "99.0"
    )

    found = wrong(index)

    assert [(one.about, fault in one.says) for one in found] == [(about, True)]
    assert "install" in found[0].advice


def test_doctor_names_a_folder_that_is_not_there(photos: Path, index: Index) -> None:
    """An unmounted disk, most often."""
    photos.rename(photos.with_name("elsewhere"))

    found = wrong(index)

    assert [(one.about, "is not there" in one.says, "mount it" in one.advice) for one in found] == [
        ("root", True, True)
    ]


@pytest.mark.parametrize(("unit_ns", "told"), [(1_000_000_000, "to a second"), (2_000_000_000, "to two seconds")])
def test_doctor_tells_how_finely_a_file_system_keeps_times(photos: Path, index: Index, unit_ns: int, told: str) -> None:
    """From the times of the files themselves: exFAT and network shares do not say."""
    changed(index, "UPDATE file SET ctime_ns = ctime_ns / ? * ?", unit_ns, unit_ns)
    changed(index, "UPDATE file SET ctime_ns = ctime_ns + ? WHERE id = 1", unit_ns)

    assert any(told in found.says for found in index.examine() if found.about == "root")


def test_doctor_finds_what_is_missing_and_unknown_in_the_quarantine(photos: Path, index: Index) -> None:
    """Without reading what is there."""
    index.carry_out(index.plan())
    payload = next((photos.parent / ".imgindex-quarantine").rglob("*.jpg"))
    payload.rename(payload.with_name("stray.jpg"))

    found = wrong(index)

    assert [one.about for one in found] == ["quarantine", "quarantine"]
    assert f"what is left of '{photos / 'copy.jpg'}'" in found[0].says
    assert "stray.jpg' is unknown to the journal" in found[1].says


def test_doctor_finds_files_that_a_stopped_run_left_half_moved(photos: Path, index: Index) -> None:
    """And says what brings that to an end; it does not do it itself."""
    index.carry_out(index.plan())
    changed(index, "UPDATE journal SET state = 'planned'")
    before = digest(Path(index.path))

    found = wrong(index)

    assert [(one.about, "1 file half moved" in one.says) for one in found if one.about == "journal"] == [
        ("journal", True)
    ]
    assert digest(Path(index.path)) == before


def test_doctor_says_who_writes(photos: Path, index: Index) -> None:
    """A run in progress is no fault."""
    program = f"from indexer import database\nwith database.open_for_writing({index.path!r}): print('in'); input()"
    holder = subprocess.Popen([sys.executable, "-u", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()

    found = index.examine()
    holder.communicate(b"\n")

    assert [one.says for one in found if one.about == "lock"] == [f"a run is writing: process {holder.pid}: -c"]
    assert all(one.health in {Health.FINE, Health.NOTE} for one in found)
    assert not [one for one in index.examine() if one.about == "lock"]


def test_doctor_finds_a_damaged_index(photos: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 6, with the way back."""
    data = bytearray(Path(index.path).read_bytes())
    data[-8192:] = os.urandom(8192)
    Path(index.path).write_bytes(data)

    code = run(["doctor", "--db", index.path])

    text = capsys.readouterr().out
    assert code == 6
    assert "X database" in text
    assert "undo --from-manifest" in text


def test_doctor_finds_rows_without_what_they_belong_to(photos: Path, index: Index) -> None:
    """Which no check of pages finds."""
    changed(index, "DELETE FROM folder")

    assert ["without what they belong to" in found.says for found in wrong(index)] == [True]


def test_doctor_leaves_an_index_of_an_older_version_as_it_is(tmp_path: Path) -> None:
    """It is a note, and no upgrade."""
    path = migrated(tmp_path / "imgindex.db", "0002")
    before = digest(path)

    found = list(doctor.examine(str(path)))

    assert [one.says for one in found if one.health is Health.NOTE] == ["was made by an older imgindex (schema 2)"]
    assert (digest(path), set(os.listdir(tmp_path)) - {"here"}) == (before, {"imgindex.db"})


def test_doctor_names_a_write_ahead_log(photos: Path, index: Index) -> None:
    """Another program switched the index, and its newest rows are in a second file."""
    other = sqlite3.connect(index.path)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("UPDATE file SET unsettled = 1")
    other.commit()

    found = wrong(index)
    other.close()

    assert ["write-ahead log" in one.says for one in found] == [True]


# --- reading where nothing can be written


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_readers_work_on_a_read_only_file_system(
    photos: Path, tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that only reads; what writes says why it cannot, with exit code 6."""
    data = tmp_path / "data"
    data.mkdir()
    Index(data / "imgindex.db").update(photos, jobs=0)
    mount = subprocess.run(["mount", "--bind", str(data), str(data)], check=False, capture_output=True)
    if mount.returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(data)], check=True)
        reading = [["dups"], ["status"], ["history"], ["prune"], ["conflicts"], ["doctor"], ["quarantine", "list"]]
        codes = [run([*words, "--db", str(data / "imgindex.db")]) for words in reading]
        told = capsys.readouterr().out
        writing = run(["prune", "--yes", "--db", str(data / "imgindex.db")])
    finally:
        subprocess.run(["umount", str(data)], check=True)

    assert codes == [0] * len(reading)
    assert "read-only" in told
    assert writing == 6
    assert "Read-only file system" in capsys.readouterr().err


# --- file systems


def test_mounts_are_those_that_the_kernel_lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The innermost one holds a path, of two at one place the later; names with blanks are escaped by the kernel."""
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
        "23 22 0:5 / /data\\040sets rw - ext4 /dev/b rw\n"
        "24 22 0:6 / /data\\040sets ro master:1 - nfs4 server:/x rw\n"
        "25 22 0:7 / /proc rw - proc proc rw\n"
    )
    monkeypatch.setattr(mounts, "_TABLE", str(table))
    known = mounts.mounts()

    assert mount_of("/data sets/a/b.jpg", known) == Mount("/data sets", "nfs4", True, "0:6", "/")
    assert mount_of("/data setsuna/b.jpg", known) == Mount("/", "ext4", False, "8:1", "/")
    assert [mount.is_remote for mount in known] == [False, False, True, False]
    assert [mount.is_kernel for mount in known] == [False, False, False, True]


def test_mounts_are_unknown_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No error: then nothing is known."""
    monkeypatch.setattr(mounts, "_TABLE", str(tmp_path / "nowhere"))

    assert (mounts.mounts(), mount_of("/", ())) == ((), None)


def test_mounts_of_this_machine_hold_its_paths() -> None:
    """As the system itself says."""
    known = mounts.mounts()
    if not known:
        pytest.skip("this system does not tell")
    for path in ("/", "/proc", str(DATA.parent)):
        mount = mount_of(os.path.realpath(path), known)
        assert mount is not None
        assert os.path.ismount(mount.point)


# --- backup


def test_backup_writes_the_index_and_says_so(
    photos: Path, tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str]
) -> None:
    """The copy is an index of the same files; it is for its owner alone, as it names what lies where."""
    code = run(["backup", str(tmp_path / "copy.db"), "--db", index.path])

    printed = capsys.readouterr().out
    assert code == 0
    assert "compared with the index" in printed
    assert Index(tmp_path / "copy.db").groups() == index.groups()
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_backup_needs_a_folder(photos: Path, tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """A clear error, and nothing is made."""
    code = run(["backup", str(tmp_path / "nowhere" / "copy.db"), "--db", index.path])

    assert code == 6
    assert "cannot write" in capsys.readouterr().err
