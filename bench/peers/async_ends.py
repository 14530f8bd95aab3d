"""`ends.run` for ends that are coroutines. Apart from `ends`: others are not to carry asyncio in their memory."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import ends


def run(
    send: Callable[[Path, int, argparse.Namespace], Coroutine[Any, Any, None]],
    recv: Callable[[Path, argparse.Namespace], Coroutine[Any, Any, None]],
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> None:
    """The command line of an end, with an event loop around it."""
    ends.run(
        lambda file, port, args: asyncio.run(send(file, port, args)),
        lambda file, args: asyncio.run(recv(file, args)),
        add_options,
    )
