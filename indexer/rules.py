"""What people ask of a plan: the order in which files are kept, and which may be keepers, surplus, or a pair.

Paths count by whole components. The order is total: its last key is the path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from indexer.errors import UsageError
from indexer.groups import Member
from indexer.patterns import matches, rank
from indexer.plans import KeepKey, KeepTerm, Pattern, Rules

FORMATS = ("PNG", "TIFF", "BMP", "DIB", "JPEG", "MPO", "WEBP", "AVIF", "HEIF", "JXL", "GIF")
"""From the one to keep first: without loss, then by how widely they are read; GIF has but 256 colours."""


class Criterion(NamedTuple):
    """One key of the keep order, ready to be applied."""

    key: Callable[[Member], Any]
    descending: bool
    words: Callable[[Member], str]
    """Says of a keeper why this key chose it."""


def keep_terms(words: Iterable[str]) -> tuple[KeepTerm, ...]:
    """The keys named by words such as `pixels` or `-bytes`; a dash inverts one.

    Raises:
        UsageError: When a word is unknown, comes twice, or there is none.

    >>> keep_terms(["-pixels"])
    (KeepTerm(key=<KeepKey.PIXELS: 'pixels'>, inverted=True),)
    """
    named = [word.strip() for word in words if word.strip()]
    keys = [word.removeprefix("-") for word in named]
    hint = f"use some of {','.join(KeepKey)}; a dash before one inverts it"
    unknown = [key for key in keys if key not in list(KeepKey)]
    if unknown or not named:
        raise UsageError(f"unknown keep rule {', '.join(map(repr, unknown)) or repr('')}", hint)
    if len(set(keys)) < len(keys):
        raise UsageError(f"a keep rule comes twice: {','.join(named)}", hint)
    return tuple(KeepTerm(KeepKey(key), word.startswith("-")) for word, key in zip(named, keys, strict=True))


def criteria(rules: Rules) -> tuple[Criterion, ...]:
    """The keep order: what must be a keeper first, then preferred, then protected files, then the keys."""
    return (*_by_place(rules), *map(_by_key, (*rules.keep, KeepTerm(KeepKey.PATH))))


def in_keep_order(members: Iterable[Member], rules: Rules) -> list[Member]:
    """Members in the keep order, the keeper first."""
    found = list(members)
    for criterion in reversed(criteria(rules)):
        found.sort(key=criterion.key, reverse=criterion.descending)
    return found


def keep_reason(keeper: Member, second: Member, rules: Rules) -> str:
    """The first key of the keep order in which a keeper differs from the member that comes next, in words."""
    differing = (one for one in criteria(rules) if one.key(keeper) != one.key(second))
    return next((one.words(keeper) for one in differing), "the same file")


def is_protected(member: Member, rules: Rules) -> bool:
    """True for a file that must stay."""
    return bool(rules.protect) and _lies_in(rules.protect, member)


def may_keep(member: Member, rules: Rules) -> bool:
    """True for a file that others may be pruned in favour of."""
    return not rules.only_if_in or _lies_in(rules.only_if_in, member)


def area(member: Member, rules: Rules) -> int | None:
    """A number for the place that a file counts to under `within` or `across`; None when it counts to none.

    Of places that lie in one another, the innermost counts; a list of files comes before all folders.
    """
    places = rules.within or rules.across
    return innermost(places, member.full_path) if places else 0


def innermost(places: Sequence[Pattern], path: str) -> int | None:
    """The number of the place that an absolute path counts to, as in `area`; None when it counts to none."""
    met = [number for number, place in enumerate(places) if matches(place, path)]
    return max(met, key=lambda number: places[number].depth, default=None)


def is_guarded(path: str, rules: Rules) -> bool:
    """True for an absolute path at which nothing may change."""
    return rank(rules.protect, path) < len(rules.protect)


def areas_of_surplus(keeper_area: int, rules: Rules) -> Iterable[int]:
    """Where the surplus of a keeper may lie."""
    return (number for number in range(len(rules.across)) if number != keeper_area) if rules.across else (keeper_area,)


def _lies_in(places: Sequence[Any], member: Member) -> bool:
    return rank(places, member.full_path) < len(places)


def _by_place(rules: Rules) -> Iterable[Criterion]:
    if rules.only_if_in:
        yield Criterion(
            lambda member: may_keep(member, rules), descending=True, words=lambda _keeper: "lies where it must"
        )
    if rules.prefer:
        yield Criterion(
            lambda member: rank(rules.prefer, member.full_path),
            descending=False,
            words=lambda keeper: f"preferred: {rules.prefer[rank(rules.prefer, keeper.full_path)].text}",
        )
    if rules.protect:
        yield Criterion(lambda member: is_protected(member, rules), descending=True, words=lambda _keeper: "protected")


_KEYS: dict[KeepKey, tuple[Callable[[Member], Any], bool, str, str]] = {
    KeepKey.PIXELS: (lambda member: member.pixels, True, "most pixels", "fewest pixels"),
    KeepKey.BYTES: (lambda member: member.stamp.size, True, "most bytes", "fewest bytes"),
    KeepKey.FORMAT: (lambda member: _format_rank(member.format), False, "better format", "lesser format"),
    KeepKey.OLDEST: (lambda member: member.stamp.mtime_ns, False, "oldest", "newest"),
    KeepKey.NEWEST: (lambda member: member.stamp.mtime_ns, True, "newest", "oldest"),
    KeepKey.PATH: (lambda member: member.full_path, False, "first path", "last path"),
}


def _by_key(term: KeepTerm) -> Criterion:
    key, descending, words, inverse = _KEYS[term.key]
    told = inverse if term.inverted else words
    return Criterion(key, descending != term.inverted, lambda _keeper: told)


def _format_rank(name: str) -> int:
    return FORMATS.index(name) if name in FORMATS else len(FORMATS)
