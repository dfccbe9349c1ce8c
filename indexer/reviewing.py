"""The command that serves the review page."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shlex
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from types import ModuleType
from typing import Annotated

import typer

from indexer import output
from indexer.errors import EXIT_DONE, UsageError
from indexer.groups import VERIFIED
from indexer.locate import require_database
from indexer.options import Database, Isolated, Keep, Kinds, Paths, Prefer, Protect, listed, opened

TIMEOUT_S = 20.0
"""For a picture to be decoded."""
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Listen here; any but this machine's own needs --expose.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, metavar="N", help="Listen on this port; 0: any that is free.")]


def review(
    paths: Paths = None,
    kinds: Kinds = None,
    keep: Keep = None,
    prefer: Prefer = None,
    protect: Protect = None,
    isolated: Isolated = False,
    host: Host = "127.0.0.1",
    port: Port = 0,
    expose: Annotated[
        bool, typer.Option("--expose", help="Let other machines see the page; what they send is not encrypted.")
    ] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    db: Database = None,
) -> int:
    """Look at the groups in a browser, and choose what stays. Moves nothing: that is for imgindex prune --reviewed.

    All kinds of matches are shown unless --kinds says otherwise. The page is served by this machine, to you alone, until
    you press Ctrl-C.
    """
    _refuse_exposed(host, expose=expose)
    index = opened(require_database(db))
    found = index.review(
        *(paths or ()),
        kinds=listed(kinds, "kind") or VERIFIED,
        keep=listed(keep, "keep rule"),
        prefer=prefer or (),
        protect=protect or (),
        isolated=isolated,
    )
    found.snapshot()  # the first page waits for none of it
    command = f"imgindex prune --reviewed --yes{f' --db {shlex.quote(db)}' if db else ''}"
    serve = _server()
    from indexer.executors import local_pool  # noqa: PLC0415 - only this command decodes for a page
    from indexer.pictures import Pictures  # noqa: PLC0415

    with local_pool(1, timeout_s=TIMEOUT_S) as executor, contextlib.ExitStack() as stack:
        page = serve.served(found, Pictures(executor), command, host, port)

        def ready() -> None:
            output.print_lines([f"Review at {page.address}", "Stop with Ctrl-C."])
            sys.stdout.flush()
            if not no_browser and _has_screen():
                webbrowser.open(stack.enter_context(_leading_to(page.address)))

        serve.serve(page, ready)
    return EXIT_DONE


def _refuse_exposed(host: str, *, expose: bool) -> None:
    """Refuses an address that others can reach, unless they are to."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(f"{host!r} is no address", "name one by its numbers: --host 127.0.0.1") from None
    if address.is_unspecified:
        raise UsageError(f"{host} is every address of this machine", "name the one that the page is to be seen at")
    if not address.is_loopback and not expose:
        raise UsageError(
            f"at {host} other machines could see the page, and what it sends is not encrypted",
            "add --expose if that is what you want; the token in the address stays the only key",
        )


def _server() -> ModuleType:
    """The module of the server.

    Raises:
        UsageError: When what it needs is not installed.
    """
    try:
        from indexer import serve  # noqa: PLC0415 - what it imports may not be there
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the review page needs {error.name}, which is not installed", "pip install 'imgindex[review]'"
        ) from error
    return serve


def _has_screen() -> bool:
    """False where a browser would take over the terminal."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


@contextlib.contextmanager
def _leading_to(address: str) -> Iterator[str]:
    """A file that leads a browser to an address: on its command line, every user of the machine could read the token."""
    with tempfile.TemporaryDirectory(prefix="imgindex-review-") as folder:
        path = os.path.join(folder, "open.html")
        with open(path, "w", encoding="ascii") as stream:
            stream.write(f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">')
        yield f"file://{path}"
