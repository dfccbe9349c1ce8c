"""Which file system holds a path, as the kernel tells it (Linux only; elsewhere nothing is known), and its free space."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass

from indexer.places import relative_to

_TABLE = "/proc/self/mountinfo"
_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
)
_KERNEL = frozenset(
    {
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
        "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs",
        "tracefs",
    }
)  # fmt: skip
_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    point: str
    """Where it is mounted; absolute."""
    kind: str
    """Its type: `ext4`, `nfs4`, `fuse.sshfs` …"""
    read_only: bool
    device: str
    """Equal for all places where one file system is mounted."""
    shows: str
    """The folder of the file system that is seen at `point`: `/`, or another in a bind mount."""

    @property
    def is_remote(self) -> bool:
        """True when another machine or another program answers for it: locks and inode numbers may mislead."""
        return self.kind in _NETWORK or self.kind.startswith("fuse")

    @property
    def is_kernel(self) -> bool:
        """True when what it shows are no files, but the kernel's view of the machine."""
        return self.kind in _KERNEL


def mounts() -> tuple[Mount, ...]:
    """All mounted file systems, in the order in which they cover one another; none where the system does not tell.

    Source: proc_pid_mountinfo(5).
    """
    try:
        with open(_TABLE, "rb") as table:
            return tuple(map(_parsed, table))
    except OSError:
        return ()


def mount_of(path: str, known: tuple[Mount, ...]) -> Mount | None:
    """The file system that holds a canonical path, which need not exist; None when that is not known."""
    holding = [mount for mount in known if relative_to(path, mount.point) is not None]
    return max(reversed(holding), key=lambda mount: len(mount.point), default=None)


def free_bytes(folder: str) -> int:
    """The space that this user can still fill on the file system of a folder."""
    return shutil.disk_usage(folder).free


def _parsed(line: bytes) -> Mount:
    before, after = line.split(b" - ", 1)
    device, shows, point, options = before.split(b" ")[2:6]
    kind, _source, super_options = after.split(b" ", 2)
    is_read_only = b"ro" in options.split(b",") or b"ro" in super_options.rstrip().split(b",")
    return Mount(_path(point), os.fsdecode(kind), is_read_only, os.fsdecode(device), _path(shows))


def _path(written: bytes) -> str:
    return os.fsdecode(_ESCAPE.sub(_octal, written))


def _octal(escape: re.Match[bytes]) -> bytes:
    return bytes([int(escape[1], 8)])
