"""Takes from this process, for good, what a decoder never needs: changing files, starting programs, the network, signals.

Two layers of Linux, each where the kernel has it: Landlock (5.13 and newer), in which nothing below any folder may be
changed or executed, and a seccomp filter (x86-64 and 64-bit ARM). Where one is missing the other stands alone; where both
are, the limits that `worker.py` sets are all there is. Neither needs rights, a library or a helper program.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable, Iterator

_NO_NEW_PRIVS = 38
"""Of prctl: what both layers ask of a process that is not root."""
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_LANDLOCK_VERSION = 1
_READING = 0b1100
"""Reading files and listing folders: the two rights that Landlock is not asked to take."""
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""Landlock's version → how many rights about files it knows; later ones know those before."""
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6

_SECCOMP = {"x86_64": (317, 0xC000003E), "aarch64": (277, 0xC00000B7)}
"""Machine → number of the call `seccomp`, and what the kernel calls the machine in filters."""
_SET_FILTER, _ALL_THREADS, _FULL_SPEED = 1, 1, 4
"""The last is SECCOMP_FILTER_FLAG_SPEC_ALLOW: without it, kernels before 5.16 slow down all the process does."""
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _ANSWER = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
"""Where a filter finds a call's number, machine and arguments, of 8 bytes each. Source: linux/seccomp.h."""
_NEWER = 451
"""Calls with this number or a larger one came after Linux 5.16: to a worker they do not exist, nor does x32, far above."""
_CLONE_THREAD = 0x10000
_PR_SET_PDEATHSIG = 1
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

FORBIDDEN = """
execve 59 221      execveat 322 281   fork 57 -          vfork 58 -         unshare 272 97     setns 308 268
ptrace 101 117     process_vm_readv 310 270              process_vm_writev 311 271             process_madvise 440 440
rt_sigqueueinfo 129 138               rt_tgsigqueueinfo 297 240             pidfd_open 434 434 pidfd_getfd 438 438
pidfd_send_signal 424 424             kcmp 312 272       setpriority 141 140                   personality 135 92
socket 41 198      socketpair 53 199  connect 42 203     bind 49 200        listen 50 201      accept 43 202
accept4 288 242    sendto 44 206      sendmsg 46 211     sendmmsg 307 269
openat2 437 437    creat 85 -         truncate 76 45     ftruncate 77 46    fallocate 285 47   ioctl 16 29
rename 82 -        renameat 264 38    renameat2 316 276  unlink 87 -        unlinkat 263 35    rmdir 84 -
mkdir 83 -         mkdirat 258 34     mknod 133 -        mknodat 259 33     link 86 -          linkat 265 37
symlink 88 -       symlinkat 266 36   chmod 90 -         fchmod 91 52       fchmodat 268 53    chown 92 -
fchown 93 55       lchown 94 -        fchownat 260 54    utime 132 -        utimes 235 -       futimesat 261 -
utimensat 280 88   setxattr 188 5     lsetxattr 189 6    fsetxattr 190 7    removexattr 197 14 lremovexattr 198 15
fremovexattr 199 16                   name_to_handle_at 303 264             open_by_handle_at 304 265
shmget 29 194      shmat 30 196       msgget 68 186      semget 64 190      mq_open 240 180    mq_unlink 241 181
memfd_create 319 279                  io_uring_setup 425 425                io_uring_enter 426 426
io_uring_register 427 427             io_setup 206 0     bpf 321 280        perf_event_open 298 241
userfaultfd 323 282                   keyctl 250 219     add_key 248 217    request_key 249 218
mount 165 40       umount2 166 39     pivot_root 155 41  chroot 161 51      open_tree 428 428  move_mount 429 429
fsopen 430 430     fsconfig 431 431   fsmount 432 432    fspick 433 433     mount_setattr 442 442
setrlimit 160 164  setuid 105 146     setgid 106 144     setreuid 113 145   setregid 114 143   setresuid 117 147
setresgid 119 149  setgroups 116 159  capset 126 91      init_module 175 105                   finit_module 313 273
kexec_load 246 104 kexec_file_load 320 294               reboot 169 142     settimeofday 164 170
clock_settime 227 112                 adjtimex 159 171   clock_adjtime 305 266
"""
"""Calls that fail: name, number on x86-64, number on 64-bit ARM. `ioctl` alters files and feeds terminals by names opened
for reading."""
Instruction = tuple[int, int, int, int]
"""Of a filter: code, how far to jump when true, when false, and the constant."""


def restrict() -> None:
    """Forbids this process and all its threads what no decoder needs, as far as the kernel can; it cannot be taken back.

    Reading files stays allowed: workers open pictures by their paths.
    """
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    _forbid_changes(libc.syscall)
    _forbid_calls(libc.syscall)


def _forbid_changes(syscall: Callable[..., int]) -> None:
    """Landlock: rules that allow nothing of what they handle.

    Source: docs.kernel.org, userspace-api/landlock.
    """
    version = syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 1:
        return
    rights = (1 << max(known for since, known in _FILE_RIGHTS.items() if since <= version)) - 1
    wanted = [rights & ~_READING]
    wanted += [0b11] * (version >= _NETWORK_SINCE)  # to bind and to connect by TCP
    wanted += [0b11] * (version >= _SCOPES_SINCE)  # abstract sockets and signals beyond this process
    rules = struct.pack(f"{len(wanted)}Q", *wanted)
    descriptor = syscall(_LANDLOCK_CREATE, rules, ctypes.c_size_t(len(rules)), 0)
    if descriptor >= 0:
        syscall(_LANDLOCK_RESTRICT, descriptor, 0)
        os.close(descriptor)


def _forbid_calls(syscall: Callable[..., int]) -> None:
    """Seccomp: a filter that answers forbidden calls with an error."""
    machine = os.uname().machine
    if machine not in _SECCOMP:
        return
    instructions = list(_filter(machine, os.getpid()))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in instructions))
    program = struct.pack("@HP", len(instructions), ctypes.addressof(code))
    syscall(_SECCOMP[machine][0], _SET_FILTER, ctypes.c_long(_ALL_THREADS | _FULL_SPEED), program)


def forbidden(machine: str) -> dict[str, int]:
    """The names and numbers of the calls that always fail on a machine."""
    words = FORBIDDEN.split()
    numbers = zip(words[::3], words[1 + (machine == "aarch64") :: 3], strict=True)
    return {name: int(number) for name, number in numbers if number != "-"}


def _filter(machine: str, process: int) -> Iterator[Instruction]:
    """The program that the kernel runs at each call of this process.

    Source: McCanne and Jacobson, "The BSD Packet Filter", 1993; docs.kernel.org, userspace-api/seccomp_filter.
    """
    yield from ((_LOAD, 0, 0, _MACHINE), (_EQUAL, 1, 0, _SECCOMP[machine][1]), (_ANSWER, 0, 0, _KILL))
    yield from ((_LOAD, 0, 0, _NUMBER), (_AT_LEAST, 0, 1, _NEWER), (_ANSWER, 0, 0, _ERROR | errno.ENOSYS))
    for number in forbidden(machine).values():
        yield from ((_EQUAL, 0, 1, number), (_ANSWER, 0, 0, _ERROR | errno.EPERM))
    for *numbers, argument, test, value, yes, no in _conditions(process):
        number = numbers[machine == "aarch64"]
        yield from ((_EQUAL, 0, 4, number), (_LOAD, 0, 0, _ARGUMENTS + 8 * argument))
        yield from ((test, 0, 1, value), (_ANSWER, 0, 0, yes), (_ANSWER, 0, 0, no))
    yield (_ANSWER, 0, 0, _ALLOW)


def _conditions(process: int) -> tuple[tuple[int, int, int, int, int, int, int], ...]:
    """Calls that depend on an argument: both numbers, which argument, its test, the answers to yes and to no."""
    no = _ERROR | errno.EPERM
    return (
        (2, _NEWER, 1, _ANY_BIT, _CHANGING, no, _ALLOW),  # open; ARM has none
        (257, 56, 2, _ANY_BIT, _CHANGING, no, _ALLOW),  # openat
        (56, 220, 0, _ANY_BIT, _CLONE_THREAD, _ALLOW, no),  # clone
        (62, 129, 0, _EQUAL, process, _ALLOW, no),  # kill
        (234, 131, 0, _EQUAL, process, _ALLOW, no),  # tgkill
        (200, 130, 0, _EQUAL, process, _ALLOW, no),  # tkill
        (157, 167, 0, _EQUAL, _PR_SET_PDEATHSIG, no, _ALLOW),  # prctl
        (302, 261, 0, _EQUAL, 0, _ALLOW, no),  # prlimit64
        # clone3 has its flags in memory, where no filter looks: told that it is not there, the C library takes `clone`
        (435, 435, 0, _AT_LEAST, 0, _ERROR | errno.ENOSYS, _ALLOW),
    )
