"""How fast the review page answers with 10,000 groups, and how much memory its server takes.

    python benchmarks/review.py [--groups 10000]

The groups are drawn into the database alone, a file and its copy each, but for a hundred of which the files lie there too.
The server is the command, in a process of its own; times are those of requests as the page makes them.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from indexer import Index
from indexer.drawing import drawn, encoded

REAL = 100


def build(folder: Path, groups: int) -> Index:
    """An index of so many pairs; of the first hundred, the files are there."""
    photos = folder / "photos"
    for number in range(REAL):
        data = encoded(drawn(number).resize((1600, 1200)))
        for place in ("a", "b"):
            (photos / place).mkdir(parents=True, exist_ok=True)
            (photos / place / f"{number:05}.jpg").write_bytes(data)
    index = Index(folder / "imgindex.db")
    index.update(photos)
    with sqlite3.connect(index.path) as db:
        columns = "size, recipe_id, unreadable, dhash, phash, width, height, format, mode, detail, views, matched"
        numbers = "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n"
        db.execute(f"CREATE TEMP TABLE number AS {numbers}", (REAL, groups - 1))
        db.execute(f"INSERT INTO content (id, digest, {columns}) SELECT 1000000 + i, randomblob(32), {columns} "
                   "FROM number JOIN content ON content.id = 1")  # fmt: skip
        db.execute("INSERT INTO thumbnail SELECT 1000000 + i, jpeg FROM number JOIN thumbnail ON content_id = 1")
        for folder_id, _path in db.execute("SELECT id, path FROM folder WHERE path <> ''").fetchall():
            db.execute("INSERT INTO file (folder_id, name, size, mtime_ns, ctime_ns, inode, unsettled, state, content_id) "
                       "SELECT ?, printf('%05d.jpg', i), 1000, 1000 + i, 0, 1000000 * ? + i, 0, 1, 1000000 + i FROM number",
                       (folder_id, folder_id))  # fmt: skip
    db.close()
    return index


class Client:
    """A page's requests, over one connection."""

    def __init__(self, address: str) -> None:
        """Comes in by the printed address."""
        self.host = address.split("/")[2]
        self.connection = http.client.HTTPConnection(self.host)
        self.headers = {"Host": self.host}
        answer = self.ask("GET", address.split(self.host)[1])
        self.headers["Cookie"] = answer.getheader("set-cookie").split(";")[0]
        page = self.ask("GET", "/").body
        self.headers["X-Imgindex-CSRF"] = re.search(rb'name="csrf" content="([^"]+)"', page)[1].decode()

    def ask(self, method, path, sent=None):
        """An answer, with its body and the milliseconds it took."""
        body = None if sent is None else json.dumps(sent)
        start = time.perf_counter()
        self.connection.request(method, path, body, {**self.headers, "Content-Type": "application/json"})
        answer = self.connection.getresponse()
        answer.body = answer.read()
        answer.ms = (time.perf_counter() - start) * 1000
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {answer.body[:200]}")
        return answer


def memory(process: int) -> float:
    """The largest resident set so far, in MB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) / 1000


def ruling(card, fate):
    """The decision that all others of a card have a fate."""
    fates = {str(one): fate for one in card["ids"] if one != card["keeper"]}
    return {"number": card["number"], "version": card["version"], "keeper": card["keeper"], "fates": fates}


def measure(index: Index, groups: int) -> None:
    """Prints what the page waits for."""
    command = [sys.executable, "-m", "indexer", "review", "--no-browser", "--db", index.path]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        address = server.stdout.readline().split()[-1]
        print(f"server up after            {time.perf_counter() - started:8.2f} s")
        page = Client(address)
        first = page.ask("GET", "/api/groups?start=0&count=50")
        print(f"first page                 {first.ms:8.0f} ms")
        again = [page.ask("GET", f"/api/groups?start={start}&count=50").ms for start in range(0, groups, groups // 20)]
        print(f"page of 50, median, worst  {statistics.median(again):8.0f} ms {max(again):6.0f} ms")
        thumbs = [page.ask("GET", f"/thumbnail/{number}").ms for number in first_ids(first)]
        print(f"thumbnail, median          {statistics.median(thumbs):8.1f} ms")
        pictures = [page.ask("GET", f"/picture/{number}").ms for number in first_ids(first)[:20]]
        print(f"picture 1600 x 1200        {statistics.median(pictures):8.0f} ms")
        kept = [page.ask("GET", f"/picture/{number}").ms for number in first_ids(first)[:20]]
        print(f"picture, seen before       {statistics.median(kept):8.0f} ms")
        decided = [page.ask("POST", "/api/decide", {"rulings": [ruling(one, "prune")]}).ms for one in
                   json.loads(first.body)["groups"]]  # fmt: skip
        print(f"decision, median, worst    {statistics.median(decided):8.0f} ms {max(decided):6.0f} ms")
        briefs = page.ask("GET", "/api/versions?undecided=1")
        bulk = page.ask("POST", "/api/decide", {"rulings": [ruling(one, "prune") for one in json.loads(briefs.body)]})
        print(f"all others at once         {briefs.ms + bulk.ms:8.0f} ms")
        late = page.ask("GET", "/api/groups?start=0&count=50")
        print(f"page when all is decided   {late.ms:8.0f} ms")
        one = ruling(json.loads(late.body)["groups"][0], "keep")
        print(f"decision when all is       {page.ask('POST', '/api/decide', {'rulings': [one]}).ms:8.0f} ms")
        print(f"plan's totals              {page.ask('GET', '/api/plan').ms:8.0f} ms")
        print(f"server's memory            {memory(server.pid):8.0f} MB")
        server.send_signal(signal.SIGINT)


def first_ids(answer) -> list[int]:
    """The files on a page."""
    return [number for group in json.loads(answer.body)["groups"] for number in group["ids"]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        measure(build(Path(place), options.groups), options.groups)
