"""Where the package `cryptography` is missing: plain mode works, all else says in one line what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from surewire.apps import exit_codes
from tests.commands.rdp_tools import ENVIRONMENT
from tests.commands.router_process import PATIENCE_S

_HIDDEN = "import sys; sys.modules['cryptography'] = None\n"
_COMMAND = _HIDDEN + "from surewire.apps import cli; sys.exit(cli.main(sys.argv[1:]))"
_MISSING = "sealed connections need the package cryptography"


def run(tmp_path: Path, program: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, "XDG_CONFIG_HOME": str(tmp_path)},
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize("key", [[], ["--psk"], ["--server-key", "77" * 32]])
def test_commands_say_what_is_missing(tmp_path: Path, key: list[str]) -> None:
    file = tmp_path / "file"
    file.write_text("77" * 32)
    file.chmod(0o600)
    options = [*key, file] if key == ["--psk"] else key
    for words in (["send", file, "127.0.0.1:9", *options], ["recv", "--listen", "127.0.0.1:0", "--into", tmp_path]):
        done = run(tmp_path, _COMMAND, *words)
        assert done.returncode == exit_codes.USAGE, done.stderr
        assert done.stderr.startswith(f"surewire {words[0]}: {_MISSING}") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "call",
    [
        "surewire.connect(('127.0.0.1', 9))",
        "surewire.listen(('127.0.0.1', 0))",
        "asyncio.run(aio.connect(('127.0.0.1', 9)))",
        "asyncio.run(aio.serve(None, ('127.0.0.1', 0)))",
    ],
)
def test_the_apis_say_what_is_missing(tmp_path: Path, call: str) -> None:
    program = f"{_HIDDEN}import asyncio, surewire\nfrom surewire import aio\n"
    done = run(tmp_path, f"{program}try:\n    {call}\nexcept surewire.ConfigError as error:\n    print(error)")
    assert done.stdout.startswith(_MISSING), done.stderr


def test_plain_connections_work(tmp_path: Path) -> None:
    program = f"{_HIDDEN}import surewire\n"
    program += "with surewire.listen(('127.0.0.1', 0), plain=True) as listener:\n"
    program += "    client = surewire.connect(listener.address, plain=True)\n"
    program += "    client.sendall(b'hello')\n"
    program += "    print(listener.accept(10).recv_exactly(5))\n"
    program += "    client.abort()\n"
    done = run(tmp_path, program)
    assert (done.returncode, done.stdout) == (0, "b'hello'\n"), done.stderr
