"""The command that serves the review page: what it needs, what it prints, how a browser gets the address."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from reviewing import Site, pruning, served_site, with_groups

from indexer import Index, reviewing
from indexer.database import open_for_writing
from indexer.entry import run


@pytest.fixture
def photos(tmp_path: Path, index: Index) -> Path:
    """Three groups, indexed."""
    return with_groups(tmp_path, index)


def test_missing_extra_is_named(
    photos: Path, index: Index, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without what the page needs, the error is the command that installs it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "uvicorn"] + ["indexer.serve"]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr("indexer.serve", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    assert run(["review", "--no-browser", "--db", index.path]) == 2
    told = capsys.readouterr().err
    assert "uvicorn, which is not installed" in told
    assert "pip install 'imgindex[review]'" in told


def test_other_commands_do_not_load_the_page() -> None:
    """What the page needs is imported by `review` alone."""
    program = "import sys, indexer.cli, indexer.api; print({'uvicorn', 'starlette', 'jinja2'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert found.stdout == "set()\n"


def test_port_that_is_taken_is_said_to_be(photos: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing can listen, the command says so and ends."""
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = run(["review", "--no-browser", "--port", str(port), "--db", index.path])

    assert code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in capsys.readouterr().err


def test_command_ends_as_it_is_told_to(photos: Path, index: Index) -> None:
    """Terminated, it ends with the code for that, and so do its workers."""
    command = [sys.executable, "-m", "indexer", "review", "--no-browser", "--db", index.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout
        site = Site(server.stdout.readline().split()[-1])
        site.enter()
        assert site.get(f"/picture/{site.groups()[0]['keeper']}").status == 200
        server.send_signal(signal.SIGTERM)
        _out, told = server.communicate(timeout=20)

    assert server.returncode == 143
    assert "Traceback" not in told


def test_no_command_line_has_the_token() -> None:
    """The browser is given a file that leads to the address, which its owner alone can reach, and which is gone later."""
    address = "http://127.0.0.1:1/?token=abc"
    with reviewing._leading_to(address) as place:
        path = Path(place.removeprefix("file://"))
        folder = stat.S_IMODE(path.parent.stat().st_mode)
        text = path.read_text()

    assert address not in place
    assert address in text
    assert folder == 0o700
    assert not path.exists()


def test_no_browser_where_it_would_take_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a screen, nothing is opened: a browser of the terminal would hide the address."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")

    assert not reviewing._has_screen()
    monkeypatch.setenv("DISPLAY", ":0")
    assert reviewing._has_screen()


def test_decision_waits_while_another_run_writes(photos: Path, index: Index) -> None:
    """A decision that cannot be stored is not lost in silence: the answer says why, and the same one is taken later."""
    with served_site(index) as site:
        sent = {"rulings": [pruning(site.groups()[0])]}
        with open_for_writing(index.path):
            refused = site.post(sent)
        taken = site.post(sent)

    assert (refused.status, taken.status) == (503, 200)
    assert "writ" in refused.value["error"]
