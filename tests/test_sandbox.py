"""The filter of calls: its numbers are the kernel's, and each line of it does something."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from indexer import sandbox
from indexer.sandbox import forbidden

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", HEADERS)
def test_numbers_of_calls_are_the_kernels(machine: str) -> None:
    """As its headers list them, where they are installed."""
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", HEADERS[machine].read_text())
    known = {name: int(number) for name, number in defined}

    wrong = {name: number for name, number in forbidden(machine).items() if known.get(name, number) != number}

    assert wrong == {}
    assert len(forbidden(machine)) > 70


def test_arm_lacks_only_calls_that_have_a_successor() -> None:
    """What 64-bit ARM does not have are the forms without a folder's descriptor, and fork."""
    assert set(forbidden("x86_64")) - set(forbidden("aarch64")) == {
        *("fork", "vfork", "creat", "rename", "unlink", "rmdir", "mkdir", "mknod", "link", "symlink"),
        *("chmod", "chown", "lchown", "utime", "utimes", "futimesat"),
    }


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_conditional_calls_are_the_kernels(machine: str) -> None:
    """Of calls that depend on an argument, too; 451 stands for a call that the machine has not."""
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not installed")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", HEADERS[machine].read_text())
    known = {int(number): name for name, number in defined if name != "syscalls"}
    names = ["open", "openat", "clone", "kill", "tgkill", "tkill", "prctl", "prlimit64", "clone3"]

    found = [known.get(row[machine == "aarch64"], "open") for row in sandbox._conditions(1)]

    assert found == names


@pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is made of Linux's parts")
def test_restrict_leaves_what_decoding_needs() -> None:
    """Files are read, threads are started and memory is had; a restricted process may restrict itself once more."""
    program = """
import threading
from indexer.sandbox import restrict
restrict()
restrict()
started = []
thread = threading.Thread(target=lambda: started.append(len(open("/proc/self/status").read())))
thread.start()
thread.join()
bytearray(1 << 28)
import wave
print(started[0] > 0)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("True\n", "")
