"""What a user asks for, from options and from the settings beside the index: options outrank settings.

What the settings protect stays protected whatever the options say; only `isolated` passes the settings over.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypedDict

from indexer.errors import UsageError
from indexer.groups import PRUNED, VERIFIED, Kind, MatchRule
from indexer.locate import canonical, existing, unfollowed
from indexer.patterns import pattern
from indexer.places import relative_to
from indexer.plans import KEEP, LINKS, Action, Labelling, Limits, OnConflict, Pattern, Rules, Wanted
from indexer.rules import keep_terms
from indexer.settings import Settings, settings_beside
from indexer.text import printable

Folder = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Place = Folder | Pattern
"""A folder or a glob, as it is written or as it was understood."""


class Wishes(TypedDict, total=False):
    """The options of `dups`, `prune` and `conflicts`; what is left out, or None, comes from the settings."""

    match: MatchRule | str
    """`verified`, `bytes` (equal digest) or `hash` (equal dHash: unverified, finds look-alikes too)."""
    kinds: Iterable[Kind | str] | None
    """Which verified matches to take: bytes, same, recoloured, flipped, rotated, edited."""
    unconfirmed: bool
    """Take matches that rest on thumbnails alone, as a file could not be read."""
    keep: Iterable[str] | None
    """The keep order: pixels, bytes, format, oldest, newest, path; a dash before one inverts it."""
    prefer: Iterable[Place]
    """Folders or globs: keep the copy that lies in the first of them."""
    protect: Iterable[Place]
    """Folders or globs whose files are never pruned."""
    only_if_in: Iterable[Place]
    """Folders or globs: prune only what has its keeper in one of them."""
    within: Iterable[Place]
    """Folders or globs: keeper and surplus must lie in the same one."""
    across: Iterable[Place]
    """Two or more folders or globs: keeper and surplus must lie in different ones."""
    class_folders: bool | None
    """Folders are classes, or are not; None: those whose names look like it are."""
    on_conflict: OnConflict | str | None
    """`prune`, `merge` or `skip` groups whose labels disagree; None leaves them and says so."""
    link: str | None
    """`hard`, `symlink` or `reflink`: make the surplus links to its keeper instead of moving it away."""
    isolated: bool
    """Pass the settings over."""


@dataclass(frozen=True, slots=True)
class Asked:
    """All that a plan depends on."""

    wanted: Wanted
    labelling: Labelling
    action: Action


def asked(database: str, wishes: Wishes) -> Asked:
    """What is asked for of the index at a path.

    Raises:
        UsageError: When wishes or settings make no sense, or name what does not exist.
    """
    settings = settings_for(database, isolated=wishes.get("isolated", False))
    link = wishes.get("link")
    action = Action.QUARANTINE if link is None else Action(_one_of(LINKS, link, "link"))
    match = MatchRule(_one_of(tuple(MatchRule), wishes.get("match") or MatchRule.VERIFIED, "match"))
    wanted = Wanted(
        match, _kinds(settings, wishes, match, action), wishes.get("unconfirmed", False), _rules(settings, wishes)
    )
    folders, conflict = wishes.get("class_folders"), wishes.get("on_conflict") or settings.on_conflict
    labelling = Labelling(
        settings.class_folders if folders is None else folders,
        OnConflict(_one_of(tuple(OnConflict), conflict, "way with conflicts")) if conflict else None,
    )
    return Asked(wanted, labelling, action)


def places(folders: Iterable[Folder]) -> tuple[str, ...]:
    """Folders to be indexed in canonical form, each once.

    Raises:
        UsageError: When there is none.
    """
    found = tuple(dict.fromkeys(map(canonical, folders)))
    if not found:
        raise UsageError("no folder given", "imgindex index FOLDER")
    return found


def files_listed(files: Iterable[Folder] | None, folders: Sequence[str]) -> tuple[str, ...] | None:
    """Files with their folders in canonical form; a file itself may be a link, which is not followed.

    Args:
        files: None for no list.
        folders: Canonical; the files must lie in them.

    Raises:
        UsageError: When one does not.
    """
    if files is None:
        return None
    found = tuple(map(unfollowed, files))
    for path in found:
        if not any(relative_to(path, folder) for folder in folders):
            raise UsageError(f"'{printable(path)}' lies in none of the folders", "name the folder that holds it")
    return found


def limits_for(database: str, max_files: int | None, max_share: float | None, *, isolated: bool = False) -> Limits:
    """The limits of a prune: as given, else as set, else as they are."""
    settings = settings_for(database, isolated=isolated)
    share = settings.max_share if max_share is None else max_share
    return Limits(
        settings.max_files if max_files is None else max_files, Limits().max_share if share is None else share
    )


def settings_for(database: str, *, isolated: bool = False) -> Settings:
    """The settings beside a database, or none of them."""
    return Settings() if isolated else settings_beside(database)


def settings_quarantine(database: str, *, isolated: bool = False) -> str | None:
    """The quarantine that the settings name, absolute; None when they name none."""
    settings = settings_for(database, isolated=isolated)
    return os.path.join(_home(settings), settings.quarantine) if settings.quarantine else None


def protected(database: str, given: Iterable[Place] = (), *, isolated: bool = False) -> Rules:
    """What is protected by the settings and by the user, and nothing else."""
    return Rules(protect=_protected(settings_for(database, isolated=isolated), given))


def _protected(settings: Settings, given: Iterable[Place]) -> tuple[Pattern, ...]:
    return _patterns(settings.protect, _home(settings)) + _patterns(given, os.getcwd())


def _kinds(settings: Settings, wishes: Wishes, match: MatchRule, action: Action) -> tuple[Kind, ...]:
    given = wishes.get("kinds")
    if given is not None and match is not MatchRule.VERIFIED:
        raise UsageError(f"--match {match} has no kinds", "leave out --kinds, or --match")
    if action in LINKS:
        if match is MatchRule.HASH or (given is not None and {*given} != {Kind.BYTES}):
            raise UsageError("only files of the same bytes can become links", "leave out --kinds and --match hash")
        return (Kind.BYTES,)
    if given is None and match is MatchRule.VERIFIED and settings.kinds is not None:
        given = settings.kinds
    if given is None:
        return PRUNED
    names = [_one_of(VERIFIED, kind, "kind") for kind in given]
    return tuple(kind for kind in VERIFIED if kind in names)


def _one_of(known: Sequence[str], name: str, what: str) -> str:
    if name not in known:
        raise UsageError(f"unknown {what} '{printable(str(name))}'", f"use {', '.join(map(str, known))}")
    return name


def _rules(settings: Settings, wishes: Wishes) -> Rules:
    def chosen(given: Iterable[Place] | None, default: tuple[str, ...]) -> tuple[Pattern, ...]:
        texts = tuple(given or ())
        return _patterns(texts, os.getcwd()) if texts else _patterns(default, _home(settings))

    keep = wishes.get("keep") or settings.keep
    within, across = wishes.get("within"), wishes.get("across")
    rules = Rules(
        keep=keep_terms(keep) if keep else KEEP,
        prefer=chosen(wishes.get("prefer"), settings.prefer),
        protect=_protected(settings, wishes.get("protect") or ()),
        only_if_in=chosen(wishes.get("only_if_in"), settings.only_if_in),
        within=chosen(within, () if across else settings.within),
        across=chosen(across, () if within else settings.across),
    )
    if rules.within and rules.across:
        raise UsageError("--within and --across exclude each other", "use one of them")
    if len(rules.across) == 1:
        raise UsageError("--across needs two folders", "imgindex prune --across train test")
    return rules


def _patterns(texts: Iterable[Place], base: str) -> tuple[Pattern, ...]:
    return tuple(
        text if isinstance(text, Pattern) else pattern(os.fsdecode(text), os.path.realpath(base), found=existing)
        for text in texts
    )


def _home(settings: Settings) -> str:
    """The folder that paths in the settings are relative to."""
    return os.path.dirname(settings.source) if settings.source else os.getcwd()
