"""The story of pictures before they are stored: whether the index knows them, and who may store them.

The hashes stay in memory; what other processes admitted meanwhile is read from the database, where the one that reserves a
picture first has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection

from indexer import arrivals, matches, queries, rejects, release, store
from indexer.beside import Asked, compared
from indexer.comeback import came_back, shows_rejected
from indexer.database import Database
from indexer.executors import Executor, outcomes
from indexer.groups import VERIFIED, Answer, Comeback, Evidence, Kind, Verdict
from indexer.incoming import Picture, as_files, name_of
from indexer.places import joined
from indexer.recipe import LOW_DETAIL, RECIPE
from indexer.records import Fingerprinted, Outcome, Task

if TYPE_CHECKING:
    from indexer.closeup import Judged
    from indexer.standing import Standing

AT_ONCE = 256
"""Pictures that are decoded and searched for together."""
BATCH = 16
"""Pictures that a worker gets at once."""


class Gate:
    """Says of pictures whether the index knows them; made by `Index.gate`. Not for several threads."""

    def __init__(
        self,
        database: Database,
        writing: Callable[[], AbstractContextManager[Database]],
        executor: Executor,
        kinds: Sequence[Kind],
    ) -> None:
        """A gate to an index; its hashes are read when the first picture comes.

        Args:
            database: Open for reading.
            writing: Opens it for writing, and waits while somebody else does.
            executor: Where pictures are decoded and compared.
            kinds: Of the matches that make a picture known; what was rejected is known whatever they are.
        """
        self._database = database
        self._writing = writing
        self._executor = executor
        self._kinds = kinds
        self._standing: Standing | None = None
        self._newest = 0

    def check(self, picture: Picture) -> Answer:
        """What the index says of a picture: bytes, or a path. Nothing is changed."""
        return next(self.check_all([picture]))

    def check_all(self, pictures: Iterable[Picture]) -> Iterator[Answer]:
        """The same for each of many pictures, in order, at several times the pace."""
        for some in _parts(pictures):
            with as_files(some) as paths:
                decoded = self._decoded(paths)
                with self._database.reading() as tx:
                    asked = self._asked(tx, paths, decoded)
                    answers = self._answers(tx, some, asked)
            yield from answers

    def admit(self, picture: Picture) -> Answer:
        """As `check`; a picture that is new becomes known in the same moment, whoever else asks: store it.

        It stays known, without a file, when it is never stored; `release` takes it back.
        """
        return next(self.admit_all([picture]))

    def release(self, digest: bytes) -> bool:
        """Takes back that a picture was admitted, as it could not be stored: it is new to whoever asks next.

        Args:
            digest: Of an answer that said new, of this gate or of one that is gone.

        Returns:
            False when a file shows the picture by now, or the index knows it otherwise: nothing is changed then.
        """
        with self._writing() as database, database.writing() as tx:
            return release.release_content(tx, digest)

    def admit_all(self, pictures: Iterable[Picture]) -> Iterator[Answer]:
        """The same for each of many pictures, in order; of those that show the same, the first is new."""
        for some in _parts(pictures):
            with as_files(some) as paths:
                decoded = self._decoded(paths)
                with self._writing() as database, database.writing() as tx:
                    answers = self._admitted(tx, some, self._asked(tx, paths, decoded))
            yield from answers

    def _decoded(self, paths: Sequence[str]) -> list[Outcome]:
        """What reading each file gives, in order."""
        tasks = [Task(number, path, 0, claims_picture=True) for number, path in enumerate(paths)]
        batches = ((tuple(tasks[start : start + BATCH]), frozenset[bytes]()) for start in range(0, len(tasks), BATCH))
        found = {outcome.file_id: outcome for some in outcomes(self._executor, batches) for outcome in some}
        return [found[number] for number in range(len(paths))]

    def _asked(self, tx: Connection, paths: Sequence[str], decoded: Sequence[Outcome]) -> list[Asked | Outcome]:
        """What was read; pictures with what the index has near them. Copies in one batch were decoded once."""
        standing = self._ready(tx)
        first = {one.digest: one for one in decoded if isinstance(one, Fingerprinted)}
        read = [first.get(getattr(one, "digest", None) or b"", one) for one in decoded]
        telling = [one.fingerprint for one in read if isinstance(one, Fingerprinted) and _tells(one)]
        near = iter(standing.near([one.phash for one in telling], [one.views for one in telling]))
        return [
            Asked(path, one, next(near) if _tells(one) else ()) if isinstance(one, Fingerprinted) else one
            for path, one in zip(paths, read, strict=True)
        ]

    def _ready(self, tx: Connection) -> Standing:
        """The hashes of all contents that there are by now."""
        from indexer.candidates import hashes_of  # noqa: PLC0415 - numpy
        from indexer.standing import Standing  # noqa: PLC0415

        newest = matches.newest_content(tx)
        if self._standing is None:
            self._standing = Standing(hashes_of(*matches.hash_rows(tx, _recipe(tx), LOW_DETAIL)))
        elif newest > self._newest:
            self._standing.add(hashes_of(*matches.hash_rows(tx, _recipe(tx), LOW_DETAIL, after=self._newest)))
        self._newest = newest
        return self._standing

    def _admitted(self, tx: Connection, given: Sequence[Picture], asked: Sequence[Asked | Outcome]) -> list[Answer]:
        """What the index says of each picture; those that are new become known, also to those that come after them."""
        from indexer.candidates import hashes_of  # noqa: PLC0415 - numpy
        from indexer.standing import Standing  # noqa: PLC0415

        recipe_id = store.recipe_id(tx, RECIPE.key)
        mates = Standing(hashes_of([], [], b"", b""))
        answers = []
        for picture, one in zip(given, asked, strict=True):
            if not isinstance(one, Asked):
                answers += self._answers(tx, [picture], [one])
                continue
            found = one.outcome.fingerprint
            (near,) = mates.near([found.phash], [found.views]) if _tells(one.outcome) else [[]]
            answers += self._answers(tx, [picture], [one._replace(near=(*one.near, *near))])
            if answers[-1].is_new:
                store.keep_contents(tx, [one.outcome], recipe_id)
                content_id = next(iter(matches.contents_of(tx, one.outcome.digest, b"")))
                arrivals.promise(tx, content_id)
                mates.add(hashes_of([content_id], [True], found.phash, found.views))
        return answers

    def _answers(self, tx: Connection, given: Sequence[Picture], asked: Sequence[Asked | Outcome]) -> list[Answer]:
        """What the index says of each picture."""
        bases = self._database.bases(queries.roots(tx))
        pictures = [one for one in asked if isinstance(one, Asked)]
        any_rejected = rejects.has_marks(tx)
        best = [self._best(tx, one, {}, any_rejected=any_rejected) for one in pictures]
        unsure = [number for number, found in enumerate(best) if found is None and pictures[number].near]
        judged = compared(self._database, tx, [pictures[number] for number in unsure], self._executor)
        for number, seen in zip(unsure, judged, strict=True):
            best[number] = self._best(tx, pictures[number], seen, any_rejected=any_rejected)
        places = matches.places(tx, {found.content_id for found in best if found})
        files = {key: joined(bases[at.root_id], at.path) for key, at in places.items()}
        known = iter(best)
        return [
            _answer(picture, one, next(known) if isinstance(one, Asked) else None, files)
            for picture, one in zip(given, asked, strict=True)
        ]

    def _best(self, tx: Connection, asked: Asked, judged: Mapping[int, Judged], *, any_rejected: bool) -> _Known | None:
        """As what a picture is known best, None when it is new; judgements of people outrank what was seen."""
        verdicts = matches.decided_on(tx, asked.outcome.digest)
        sound = [
            one
            for one in (
                *_equal(tx, asked),
                *(_matched(tx, asked) if any_rejected else ()),
                *_decided(verdicts),
                *_seen(asked, judged),
            )
            if verdicts.get(one.content_id) is not Verdict.DIFFERENT
        ]
        found = _with_reasons(tx, asked, sound) if any_rejected else sound
        known = (one for one in found if one.comeback is not None or one.kind in self._kinds)
        return min(known, key=_Known.rank, default=None)


class _Known(NamedTuple):
    """A content that shows what a picture shows."""

    kind: Kind
    bits: int
    content_id: int
    evidence: Evidence
    rejected: str | None = None
    """Why the picture was rejected."""
    comeback: Comeback | None = None
    """How it came back."""

    def rank(self) -> tuple[bool, int, Comeback, int, int]:
        """The least for what a picture is known as best.

        What was surely rejected comes first: it decides on what becomes of the picture. Where that is the user's to decide,
        whatever else is known in the same way comes before it.
        """
        how = Comeback.SURE if self.comeback is None else self.comeback
        return self.comeback is not Comeback.SURE, VERIFIED.index(self.kind), how, self.bits, self.content_id


def _with_reasons(tx: Connection, asked: Asked, known: Sequence[_Known]) -> Iterator[_Known]:
    """What a picture is known as, each with why that was rejected; bytes may be rejected that no content holds here."""
    if all(one.kind is not Kind.BYTES for one in known):
        reason = rejects.reason_of(tx, asked.outcome.digest)
        if reason is not None:
            yield _Known(Kind.BYTES, 0, 0, Evidence.PIXELS, reason, Comeback.SURE)
    reasons = rejects.reasons(tx, (one.content_id for one in known))
    pixels = asked.outcome.fingerprint.width * asked.outcome.fingerprint.height
    for one in known:
        if shows_rejected(one.kind) and one.content_id in reasons:
            why, rejected = reasons[one.content_id]
            how = came_back(one.kind, one.evidence, pixels=pixels, rejected=rejected)
            yield one._replace(rejected=why, comeback=how)
        else:
            yield one


def _equal(tx: Connection, asked: Asked) -> Iterator[_Known]:
    """The contents of equal bytes or pixels."""
    own = asked.outcome
    for content_id, digest in matches.contents_of(tx, own.digest, own.fingerprint.look).items():
        yield _Known(Kind.BYTES if digest == own.digest else Kind.SAME, 0, content_id, Evidence.PIXELS)


def _matched(tx: Connection, asked: Asked) -> Iterator[_Known]:
    """The rejected contents that a content of equal pixels was matched with: that one came back, and is known by itself."""
    for content_id, bits, evidence in rejects.matched(tx, asked.outcome.fingerprint.look):
        yield _Known(Kind.SAME, bits, content_id, evidence)


def _decided(verdicts: Mapping[int, Verdict]) -> Iterator[_Known]:
    """The contents that a person called the same."""
    same = (content_id for content_id, verdict in verdicts.items() if verdict is Verdict.SAME)
    return (_Known(Kind.SAME, 0, content_id, Evidence.PERSON) for content_id in same)


def _seen(asked: Asked, judged: Mapping[int, Judged]) -> Iterator[_Known]:
    """The contents that match by looking at them."""
    for near in asked.near:
        found = judged.get(near.content_id)
        if found is not None and found.likeness is not None:
            yield _Known(found.likeness.kind, near.bits, near.content_id, found.evidence)


def _answer(picture: Picture, read: Asked | Outcome, known: _Known | None, files: Mapping[int, str]) -> Answer:
    name = name_of(picture)
    if not isinstance(read, Asked):
        return Answer(name, getattr(read, "digest", None), reason=getattr(read, "reason", "is no picture"))
    if known is None:
        return Answer(name, read.outcome.digest)
    path = files.get(known.content_id)
    better = known.comeback is Comeback.LARGER
    return Answer(
        name,
        read.outcome.digest,
        known.kind,
        known.bits,
        path,
        known.evidence,
        rejected=known.rejected,
        better=better,
    )


def _tells(found: Fingerprinted) -> bool:
    """True for a picture with enough on it for its hashes to mean something."""
    return found.fingerprint.detail >= LOW_DETAIL


def _recipe(tx: Connection) -> int | None:
    return matches.recipe_id(tx, RECIPE.key)


def _parts(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """Some pictures at a time."""
    waiting = iter(pictures)
    while some := list(islice(waiting, AT_ONCE)):
        yield some
