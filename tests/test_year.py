"""Twenty scrapes whose truth is known: what the index says of each, what it costs, and what it remembers."""

from __future__ import annotations

from pathlib import Path

from support import settle
from year import Year

from indexer import Index

SCRAPES = 20


def test_simulated_year(data: Path, tmp_path: Path, index: Index) -> None:
    """Every line of every report is the truth, and each run decodes what is new and nothing else."""
    real = sorted((data / "photos_clothing" / "train").rglob("*.jpg"))
    year = Year(tmp_path / "photos", real)
    wrong = []
    for number in range(SCRAPES):
        between = year.between()
        scrape = year.scrape()
        label = f"scrape-{number:02}"
        found = index.update(year.photos, label=label, jobs=0)
        settle(index)
        told = {str(Path(one.path).relative_to(year.photos)): str(one.outcome) for one in index.arrivals(label)}
        for path in sorted(set(told) | set(scrape.outcomes)):
            if told.get(path) != scrape.outcomes.get(path):
                wrong.append((label, path, scrape.outcomes.get(path), told.get(path)))
        print(
            label,
            found.moved,
            found.gone,
            found.new,
            found.decoded,
            found.seconds,
            between,
            scrape.decoded,
            len(scrape.outcomes),
        )
    print("\n".join(map(str, wrong)))
    assert not wrong
