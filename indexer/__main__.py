"""The command's entry point: answers `--version` at once, and loads the rest for anything else."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Runs the command and gives its exit code."""
    if sys.argv[1:] == ["--version"]:
        from indexer import __version__  # noqa: PLC0415

        print(f"imgindex {__version__}")
        return 0
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is begun yet: Ctrl-C needs no traceback
    from indexer.entry import run  # noqa: PLC0415 - typer and SQLAlchemy take 0.4 s to import

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
