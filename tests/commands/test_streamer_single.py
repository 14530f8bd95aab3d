"""Streamer as one file: it runs where there is no package, and the bundler keeps the meaning of what it joins."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from scripts.bundle_modules import BundleError
from scripts.bundle_streamer import bundle

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "streamer"
PATIENCE_S = 40
# Neither what the environment says nor what is installed; -I would also leave out the folder of the script.
ISOLATED = [sys.executable, "-E", "-S"]


def bundled(target: Path) -> Path:
    command = [sys.executable, "-m", "scripts.bundle_streamer", "-o", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=PATIENCE_S)
    return target


def free_ports() -> tuple[int, int]:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def test_both_hosts_in_a_folder_of_their_own(tmp_path: Path) -> None:
    bundled(tmp_path / "streamer.py")
    for name in ("lossy_socket.py", "test.py"):
        shutil.copy(FOLDER / name, tmp_path)
    probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('surewire') is not None)"
    subprocess.run([*ISOLATED, "-c", probe], cwd=tmp_path, env={}, check=True, timeout=PATIENCE_S)
    environment = {"STREAMER_NUMS": "30"}
    hosts = [
        subprocess.Popen(
            [*ISOLATED, "-W", "error", "test.py", *ports, instance],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for ports in [[str(port) for port in free_ports()]]
        for instance in ("1", "2")
    ]
    try:
        outputs = [host.communicate(timeout=PATIENCE_S)[0] for host in hosts]
    finally:
        for host in hosts:
            host.kill()
            host.wait()
    assert [host.returncode for host in hosts] == [0, 0], "\n".join(outputs)
    assert "STAGE 1 TEST PASSED" in outputs[0]
    assert "STAGE 2 TEST PASSED" in outputs[1]


@pytest.mark.parametrize("is_single", [False, True])
def test_an_old_python_is_told_in_a_line(tmp_path: Path, is_single: bool) -> None:
    if is_single:
        bundled(tmp_path / "streamer.py")
    else:
        shutil.copy(FOLDER / "streamer.py", tmp_path)
    # no lossy_socket.py here: the version is looked at before anything that may be missing
    program = "import sys; sys.version_info = (3, 10, 13, 'final', 0); import streamer"
    done = subprocess.run(
        [*ISOLATED, "-c", program], cwd=tmp_path, env={}, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "streamer.py: needs Python 3.11 or newer, and this is 3.10\n"


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    first = bundled(tmp_path / "one" / "streamer.py").read_bytes()
    assert bundle(FOLDER / "streamer.py", ROOT / "src").encode() == first
    assert os.listdir(tmp_path / "one") == ["streamer.py"]


def test_it_imports_what_the_assignment_allows() -> None:
    lines = bundle(FOLDER / "streamer.py", ROOT / "src").splitlines()
    assert "from lossy_socket import LossyUDP" in lines
    assert "from socket import INADDR_ANY" in lines
    assert [line for line in lines if "import" in line and "surewire" in line and not line.startswith("#")] == []
    assert sum(line == "from __future__ import annotations" for line in lines) == 1
    assert "# surewire/wire/compact.py" in lines


# The bundler, on packages made up for it.


def package(folder: Path, modules: dict[str, str]) -> str:
    """The bundle of these modules; "main" is the entry, and `pkg` in their text means the package's name."""
    for name, text in {"__init__": '__version__ = "7.8"', **modules}.items():
        file = folder / "main.py" if name == "main" else folder / "surewire" / f"{name}.py"
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(textwrap.dedent(text).replace("pkg", "surewire"), encoding="utf-8")
    return bundle(folder / "main.py", folder)


def run(text: str) -> dict[str, object]:
    """The namespace that the bundle leaves."""
    namespace: dict[str, object] = {"__name__": "bundled"}
    exec(compile(text, "bundled", "exec"), namespace)
    return namespace


A = '''
    """What a is.

    And more.
    """
    from __future__ import annotations

    import re
    from typing import TYPE_CHECKING

    if TYPE_CHECKING:
        from pkg.b import Thing

    __all__ = ["LIMIT", "first"]
    # why it is 3
    _LIMIT = 3  # naïve
    LIMIT = bytes | int
    TEXT = """a string,



    with a gap"""


    def first(x: Thing | int = _LIMIT) -> int:
        """Say."""
        def inner(_LIMIT: int) -> int:
            return _LIMIT + 10  # a parameter
        return inner(_LIMIT) + _helper() if re.match("a", "a") else 0


    class _Kind:
        _LIMIT = 8


    def _helper() -> int:
        global COUNT
        COUNT = [x + _LIMIT for x in range(1)][0] + len(f"{_LIMIT:>{_LIMIT}}")
        return _Kind._LIMIT
    COUNT = 0
'''
B = """
    from __future__ import annotations
    from pkg import a
    from pkg.a import first as begin
    import pkg.a as other

    _LIMIT = 50
    LIMIT = bytes | int


    class Thing:
        value = _LIMIT + other.first()

        def _helper(self) -> object:
            again = 4
            return begin, again, a.LIMIT, Thing

    class _Kind(Thing):
        pass


    def _helper() -> type[Thing]:
        return _Kind
    KIND = _helper()
"""
MAIN = '''
    """Main's words."""

    from __future__ import annotations

    import os
    import sys
    try:
        import pkg
    except ImportError:
        sys.path.append(os.curdir)

    from socket import INADDR_ANY

    from pkg.hub import KIND, Thing

    __all__ = ["result"]
    result = (INADDR_ANY, Thing.value, KIND().value, KIND()._helper()[1:3], KIND.__mro__[1] is Thing)
'''


def test_meaning_is_kept(tmp_path: Path) -> None:
    text = package(tmp_path, {"main": MAIN, "hub": "from pkg.b import KIND, Thing", "a": A, "b": B})
    # what a._helper returns, a's limit + 10, b's limit
    value = 8 + 13 + 50
    namespace = run(text)
    assert namespace["result"] == (0, value, value, (4, bytes | int), True)
    assert namespace["COUNT"] == 3 + 3
    assert namespace["__doc__"] == "Main's words."
    assert namespace["TEXT"] == "a string,\n\n\n\nwith a gap"
    for kept in ("# why it is 3\n_A_LIMIT = 3  # naïve\n", "# What a is.\n#\n# And more.\n", "from surewire 7.8"):
        assert kept.replace("from surewire", "surewire") in text
    assert "return _LIMIT + 10  # a parameter" in text
    for gone in ("TYPE_CHECKING", "import os", "import sys", "hub.py", "import surewire"):
        assert gone not in text
    assert text.count("__all__") == 1
    assert "class _AKind:" in text
    assert "class _BKind(Thing):" in text


@pytest.mark.parametrize(
    ("why", "main", "a", "b"),
    [
        ("LIMIT is defined in", "from pkg import a, b\nx = a.LIMIT + b.LIMIT", "LIMIT = 1", "LIMIT = 2"),
        ("f is defined in", "from pkg.a import x\nfrom pkg.b import f", "x = 1\ndef f(): pass", "def f(): pass"),
        ("imports a thing", "from pkg.a import x\nimport time\ntime.time()", "x = 1\ntime = 1", ""),
        (
            "something else by that name",
            "from pkg.a import x\nfrom time import time\ntime()",
            "import time\nx = time",
            "",
        ),
        ("a builtin here", "from pkg.a import x\nprint(min(x, 2))", "x = 1\ndef min(): pass", ""),
        ("not at the top", "def f():\n    from pkg.a import x", "x = 1", ""),
        ("not at the top", "def f():\n    import socket", "", ""),
        ("not at the top", "try:\n    import pkg.a\nexcept ImportError:\n    pass", "", ""),
        ("import surewire.a", "import pkg.a", "", ""),
        (r"import \*", "from pkg.a import *", "", ""),
        ("relative", "from pkg.a import x", "from .b import x", "x = 1"),
        ("import each other", "from pkg.a import x", "from pkg.b import y\nx = 1", "from pkg.a import x\ny = 1"),
        ("standard library", "import numpy\nnumpy.x()", "", ""),
        ("does not allow", "from socket import socket\nsocket()", "", ""),
        ("does not allow", "import lossy_socket\nlossy_socket.sim", "", ""),
        ("does not allow", "from pkg.a import x", "from socket import INADDR_ANY\nx = INADDR_ANY", ""),
        ("means something else", "from pkg import a\ndef f(x): return a.x", "x = 1", ""),
        ("before a dot", "from pkg import a\nprint(a)", "x = 1", ""),
        ("before a dot", "from pkg import a\na.x = 2", "x = 1", ""),
        ("does not define y", "from pkg.a import y", "x = 1", ""),
        ("no module surewire.c", "from pkg.c import y", "x = 1", ""),
        ("nothing defines: y", "from pkg.a import x", "def x(): return y", ""),
        ("two statements", "from pkg.a import x; y = 1", "x = 1", ""),
        ("'global _x'", "from pkg import a, b\na.y, b.y", "_x = 1\ndef f():\n    global _x\ny = 1", "_x = 2\nz = 1"),
    ],
)
def test_what_cannot_be_joined_is_refused(tmp_path: Path, why: str, main: str, a: str, b: str) -> None:
    with pytest.raises(BundleError, match=why):
        package(tmp_path, {"main": main, "a": a, "b": b})


def test_an_error_is_one_line_and_leaves_what_was_there(tmp_path: Path) -> None:
    entry, target = tmp_path / "main.py", tmp_path / "out.py"
    entry.write_text("import numpy\nnumpy.x()\n")
    target.write_text("old")
    command = [sys.executable, "-m", "scripts.bundle_streamer", "--entry", str(entry), "-o", str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "numpy" in done.stderr
    assert target.read_text() == "old"
