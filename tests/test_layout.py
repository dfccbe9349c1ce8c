"""The house rules that import-linter cannot hold."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import indexer

PACKAGE = Path(indexer.__file__).parent
MODULES = sorted(path for path in PACKAGE.glob("*.py"))
STORIES = [
    f"{name}.py"
    for name in (
        *("index", "match", "batches", "find", "similar", "decide", "demo", "thumbnails", "annotate", "journal"),
        *("plan", "merging", "replay", "review", "reviewed", "prune", "undo", "purge", "recover", "check_quarantine"),
        *(
            "doctor",
            "leaks",
            "gate",
            "beside",
            "rehome",
            "merge",
            "reading",
            "assess",
            "scrapes",
            "upgrades",
            "reject",
            "rejected",
            "returned",
            "watch",
        ),
    )
]
STATEMENTS = (
    "arrivals.py",
    "choices.py",
    "queries.py",
    "roots.py",
    "store.py",
    "matches.py",
    "rejects.py",
    "release.py",
    "ledger.py",
    "conditions.py",
    "schema.py",
    "database.py",
    "backup.py",
)
TRANSACTIONS = (
    "index.py",
    "match.py",
    "admit.py",
    "assess.py",
    "batches.py",
    "find.py",
    "prune.py",
    "recover.py",
    "replay.py",
    "gate.py",
    "beside.py",
    "review.py",
)
"""They hand transactions from statement to statement, and so name their type."""


def imported(path: Path) -> set[str]:
    """The top-level names of the modules that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def calls(path: Path) -> set[str]:
    """The plain names that a module calls."""
    return {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def texts(path: Path) -> list[str]:
    """The string constants of a module that are no docstrings."""
    tree = ast.parse(path.read_text())
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_modules_are_short_enough_to_read(path: Path) -> None:
    """No module has more than 400 lines, no function more than 40."""
    source = path.read_text()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]

    assert len(source.splitlines()) <= 400
    assert [f.name for f in functions if _code_lines(f) > 40] == []


def _code_lines(function: ast.FunctionDef) -> int:
    """Lines of a function's body behind its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_only_the_face_prints() -> None:
    """Results and warnings leave through output.py and the entry point."""
    assert {path.name for path in MODULES if "print" in calls(path)} <= {"output.py", "__main__.py"}


@pytest.mark.parametrize("name", STORIES)
def test_stories_make_no_system_calls(name: str) -> None:
    """They call hands, in order; only path arithmetic of `os` is theirs."""
    tree = ast.parse((PACKAGE / name).read_text())
    used = {
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }

    assert used <= {"os.path"}
    assert not imported(PACKAGE / name) & {"shutil", "subprocess", "sqlite3", "socket", "pathlib"}
    assert "open" not in calls(PACKAGE / name)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_statements_stand_in_one_place(path: Path) -> None:
    """SQL is written in the modules for it and nowhere else."""
    if path.name not in STATEMENTS:
        assert [
            text for text in texts(path) if text.lstrip().startswith(("SELECT ", "INSERT ", "UPDATE ", "DELETE "))
        ] == []
        assert "sqlalchemy" not in imported(path) or path.name in TRANSACTIONS


def test_package_imports_next_to_nothing() -> None:
    """`import indexer` is free; the public API is loaded when it is asked for."""
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    program = (
        "import sys, indexer; print(sorted({'sqlalchemy', 'numpy', 'PIL', 'alembic', 'typer'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert found.stdout == "[]\n"


def test_public_list_is_what_is_there() -> None:
    """Every exported name can be had, and a misspelt one is an AttributeError."""
    assert all(hasattr(indexer, name) for name in indexer.__all__)
    with pytest.raises(AttributeError, match="Indexx"):
        _ = indexer.Indexx
