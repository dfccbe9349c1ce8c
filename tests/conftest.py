"""What the tests share: drawn pictures, trees before and after, and the real pictures where they are present."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import DATA, make_photos

from indexer import Index


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No index of the machine's owner is ever found, and each test has a current folder of its own."""
    monkeypatch.delenv("IMGINDEX_DB", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def data() -> Path:
    """The folder of real pictures."""
    if not DATA.is_dir():
        pytest.skip(f"the real pictures are not here: {DATA} (set IMGINDEX_TEST_DATA)")
    return DATA


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of six drawn pictures, none like another, that were there for a while."""
    return make_photos(tmp_path / "photos")


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """An index that does not exist yet, beside the photos."""
    return Index(tmp_path / "imgindex.db")
