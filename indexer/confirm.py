"""Opens and compares a surplus file, its keeper and its sidecars right before a move: the index proposes, the disk decides.

Nothing is followed on the way: a link in the place of a file, or of a folder below the root, is a reason to refuse.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import replace

from indexer.filesystem import chunks, digest_of, open_regular, opened_folder, stamp_from
from indexer.groups import Kind
from indexer.moves import Checked, Seen
from indexer.places import split
from indexer.plans import Move, Refused, Rename, Sidecar
from indexer.text import printable
from indexer.transfer import attributes_of, same_but_ctime, stamp_in


def confirm(move: Move) -> Checked | Refused:
    """Opens, reads and compares a surplus file, its keeper and what comes with them; all must be what the plan says.

    The answer is `Refused` when one is missing, a link, no regular file, or holds other bytes than planned, or when surplus
    and keeper are one file.
    """
    checked = confirm_pair(move)
    if isinstance(checked, Refused):
        return checked
    sidecars = [_sidecar_seen(sidecar) for sidecar in move.sidecars]
    renames = [checked.keeper if one == move.keeper_rename else _sidecar_seen(one) for one in move.renames]
    problem = next((answer for answer in (*sidecars, *renames) if isinstance(answer, str)), "")
    if problem:
        return Refused(move.surplus.member.full_path, problem)
    return replace(checked, sidecars=_all_seen(sidecars), renames=_all_seen(renames))


def _all_seen(answers: Iterable[Seen | str]) -> tuple[Seen, ...]:
    return tuple(answer for answer in answers if isinstance(answer, Seen))


def confirm_pair(move: Move) -> Checked | Refused:
    """As `confirm`, without a look at the sidecars, which may be on their way already."""
    if move.is_alone:
        return _confirm_alone(move)
    surplus, keeper = move.surplus.member, move.keeper
    with contextlib.ExitStack() as stack:
        try:
            surplus_file, surplus_seen = _opened(stack, surplus.root, surplus.path)
        except OSError as error:
            return Refused(surplus.full_path, _reason(error, "it"))
        try:
            keeper_file, keeper_seen = _opened(stack, keeper.root, keeper.path)
        except OSError as error:
            return Refused(surplus.full_path, _reason(error, f"its keeper '{printable(keeper.full_path)}'"))
        if os.path.sameopenfile(surplus_file, keeper_file):
            return Refused(surplus.full_path, "it and its keeper are two names of one file")
        try:
            problem = _comparison(move, surplus_file, keeper_file)
        except OSError as error:
            return Refused(surplus.full_path, _reason(error, "it or its keeper"))
        stamps = stamp_from(os.fstat(surplus_file)), stamp_from(os.fstat(keeper_file))
        if not problem and stamps != (surplus_seen.stamp, keeper_seen.stamp):
            problem = "it or its keeper changed while they were compared"
    return Refused(surplus.full_path, problem) if problem else Checked(move, surplus_seen, keeper_seen)


def _confirm_alone(move: Move) -> Checked | Refused:
    """As `confirm_pair`, for a file that nothing stands for."""
    surplus = move.surplus.member
    with contextlib.ExitStack() as stack:
        try:
            descriptor, seen = _opened(stack, surplus.root, surplus.path)
            same = digest_of(chunks(descriptor)) == surplus.digest
            problem = "" if same else "it changed since it was indexed"
            if same and stamp_from(os.fstat(descriptor)) != seen.stamp:
                problem = "it changed while it was read"
        except OSError as error:
            problem = _reason(error, "it")
    return Refused(surplus.full_path, problem) if problem else Checked(move, seen, seen)


def still_as_confirmed(checked: Checked, source: int, name: str) -> bool:
    """True when the stamps of a file and its keeper are those they had when they were compared.

    Args:
        checked: What they were.
        source: The surplus file's folder.
        name: The surplus file's name in it.
    """
    parent, keeper_name = split(checked.move.keeper.path)
    with opened_folder(checked.move.keeper.root, parent) as folder:
        stamps = stamp_in(source, name), stamp_in(folder, keeper_name)
    return stamps == (checked.surplus.stamp, checked.keeper.stamp)


def keeper_is_the_same(checked: Checked) -> bool:
    """True while the keeper is the file that was compared, unwritten; that links were made to it does not count."""
    keeper = checked.move.keeper
    parent, name = split(keeper.path)
    try:
        with opened_folder(keeper.root, parent) as folder:
            return same_but_ctime(stamp_in(folder, name), checked.keeper.stamp)
    except OSError:
        return False


def _opened(stack: contextlib.ExitStack, root: str, path: str) -> tuple[int, Seen]:
    """A file, opened for as long as the stack lives, and what it is."""
    parent, name = split(path)
    folder = stack.enter_context(opened_folder(root, parent))
    descriptor, status = open_regular(name, folder)
    stack.callback(os.close, descriptor)
    folder_mode, owner = stat.S_IMODE(os.fstat(folder).st_mode), (status.st_uid, status.st_gid)
    seen = Seen(stamp_from(status), stat.S_IMODE(status.st_mode), folder_mode, owner, attributes_of(descriptor))
    return descriptor, seen


def _comparison(move: Move, surplus: int, keeper: int) -> str:
    """What is wrong with a surplus file or its keeper, empty when both hold the planned bytes."""
    if move.surplus.kind is Kind.BYTES and not _equal_bytes(surplus, keeper):
        return "it and its keeper no longer have the same bytes"
    if digest_of(chunks(surplus)) != move.surplus.member.digest:
        return "it changed since it was indexed"
    if move.surplus.kind is not Kind.BYTES and digest_of(chunks(keeper)) != move.keeper.digest:
        return "its keeper changed since it was indexed"
    return ""


def _equal_bytes(left: int, right: int) -> bool:
    lefts, rights = chunks(left), chunks(right)
    return all(ours == next(rights, b"") for ours in lefts) and next(rights, b"") == b""


def _sidecar_seen(sidecar: Sidecar | Rename) -> Seen | str:
    """What a sidecar is, or why it is not the planned one."""
    whose = f"its sidecar '{printable(sidecar.full_path)}'"
    try:
        with contextlib.ExitStack() as stack:
            descriptor, seen = _opened(stack, sidecar.base, sidecar.path)
            same = digest_of(chunks(descriptor)) == sidecar.digest
            return seen if same else f"{whose} changed since the plan was made"
    except OSError as error:
        return _reason(error, whose)


def _reason(error: OSError, whose: str) -> str:
    """Why a file cannot be vouched for."""
    reasons = {
        errno.ENOENT: f"{whose} is gone",
        errno.ELOOP: f"{whose} is a symbolic link",
        errno.ENOTDIR: f"{whose} lies behind a symbolic link",
        errno.EINVAL: f"{whose} is no regular file",
    }
    return reasons.get(error.errno or 0, f"{whose} cannot be read: {error.strerror or error}")
