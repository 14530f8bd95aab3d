"""docs/streamer.md against the code: the names, defaults, limits and commands it tells of, and both packet ladders."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from surewire.core.config import TransportConfig
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import ETHERNET_OVERHEAD
from surewire.streamer.config import AckPolicy, Pipelining, StreamerConfig
from surewire.streamer.sending import SEGMENT
from surewire.wire import compact

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = (ROOT / "docs" / "streamer.md").read_text(encoding="ascii")
PROSE = re.sub(r"^```.*?^```$", "", DOCUMENT, flags=re.DOTALL | re.MULTILINE)
TOKENS = sorted(set(re.findall(r"`([^`\n]+)`", PROSE)))
LADDERS = re.findall(r"^```ladder ?([^\n]*)\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
(PICTURE,) = re.findall(r"^```text\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
CONFIG = StreamerConfig()
TRANSPORT = CONFIG.transport
OWN = {field.name for field in fields(StreamerConfig)} - {"transport"}
ALL = OWN | {field.name for field in fields(TransportConfig)}

# In backquotes, but no name of ours: the assignment's words, what a ladder shows, what is written to a shell.
NOT_OURS = {
    "#0", "#1", "#2", "#5", "#6", "---x", "-----?--->", "[0, 1456)", 'send(b"")', "--help", "--chart", "--congestion",
    "--numbers 10000", "pip install '.[charts]'", "ETH_BYTES_SENT", "--pairs 60 --jobs 2",
    "python bench/streamer.py", "python bench/streamer.py simulated",
    "replace", "dataclasses", "threading.Timer", "ThreadPoolExecutor",
    "self.closed = True", "while not self.ack: time.sleep(0.01)", "surewire", "surewire streamer compare",
    "build/streamer-single", "PYTHONPATH=src python3 -m surewire.apps.cli streamer compare",
}  # fmt: skip


def trees(*folders: str) -> list[ast.Module]:
    return [ast.parse(file.read_bytes()) for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]


def names(tree: ast.AST) -> Iterator[str]:
    """Every name that is defined in it: functions, classes, variables, attributes, fields, parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg


CODE = trees("src", "streamer")
NAMES = {name for tree in [*CODE, *trees("tests")] for name in names(tree)}
MEMBERS: dict[str, set[str]] = {}  # of classes; those of one name together
for tree in CODE:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            MEMBERS.setdefault(node.name, set()).update(names(node))
MEMBERS["compact"] = set(vars(compact))
CHOICES = {*Pipelining, *AckPolicy}
VARIABLE = re.compile(r"\bSTREAMER_[A-Z]+\b")


def is_known(token: str) -> bool:
    """True when what stands in backquotes is a file, a class's member, a name or a setting of ours."""
    if token in NOT_OURS | CHOICES:
        return True
    if VARIABLE.fullmatch(token):
        return token in variables()
    if command := re.fullmatch(r"make ([a-z-]+)", token):
        return re.search(rf"^{command[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE) is not None
    if "/" in token or token.endswith(".py"):
        return any((folder / token).exists() for folder in (ROOT, ROOT / "src" / "surewire", ROOT / "streamer"))
    if member := re.fullmatch(r"([A-Z]\w+)\.(\w+)", token):
        return member[2] in MEMBERS.get(member[1], ())
    return token.removeprefix("lossy_socket.") in NAMES


def variables() -> set[str]:
    """The environment variables that Streamer and its tester read."""
    files = ROOT / "src" / "surewire" / "streamer" / "config.py", ROOT / "streamer" / "test.py"
    constants = {
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {constant for constant in constants if VARIABLE.fullmatch(constant)}


def table_rows() -> Iterator[dict[str, str]]:
    """The rows of all tables, cells by the headings of their columns."""
    for head, body in re.findall(r"^(\|.*\|)\n\|[-|]+\|\n((?:\|.*\|\n)+)", DOCUMENT, re.MULTILINE):
        columns = cells(head)
        for row in body.splitlines():
            assert len(cells(row)) == len(columns), row
            yield dict(zip(columns, cells(row), strict=True))


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def value(text: str) -> object:
    """What a cell says: 250 ms, 2 s, 1 MiB, 32,000 bytes, 0.3, 1,024, on, none, or a word."""
    if text in ("on", "off"):
        return text == "on"
    if text == "none":
        return None
    quantity = re.fullmatch(r"([\d.,]+)(?: (ms|s|MiB|bytes))?", text)
    if quantity is None:
        return text
    number = float(quantity[1].replace(",", ""))
    return number * {"ms": NS_PER_MS, "s": NS_PER_S, "MiB": 1 << 20}.get(quantity[2] or "", 1)


DEFAULTS = [
    ((row.get("parameter") or row["field"]).strip("`"), row["default"]) for row in table_rows() if "default" in row
]


@pytest.mark.parametrize("token", TOKENS)
def test_what_it_names_exists(token: str) -> None:
    assert is_known(token)


@pytest.mark.parametrize(
    "token", ["StreamerSession.fly", "core/nothing.py", "no_such_name", "STREAMER_SPEED", "make tea"]
)
def test_what_does_not_exist_would_be_found(token: str) -> None:
    assert not is_known(token)


def test_nothing_is_excepted_that_is_not_there() -> None:
    assert set(TOKENS) >= NOT_OURS


def test_the_picture_names_what_exists() -> None:
    found = re.findall(r"\b([A-Za-z]+)\.(\w+)", PICTURE)
    assert len(found) > 15
    assert [pair for pair in found if pair[1] not in MEMBERS.get(pair[0], ())] == []


@pytest.mark.parametrize(("name", "text"), DEFAULTS)
def test_defaults_are_the_ones_stated(name: str, text: str) -> None:
    assert name in ALL
    actual = getattr(CONFIG if name in OWN else TRANSPORT, name)
    assert actual == value(text)


def test_every_setting_of_streamer_is_explained() -> None:
    plain = TransportConfig()
    changed = {name for name in ALL - OWN if getattr(plain, name) != getattr(TRANSPORT, name)}
    assert OWN | changed <= {name for name, _ in DEFAULTS}


@pytest.mark.parametrize(
    ("sentence", "actual"),
    [
        (r"sent (\d+ ms) later, or more, has arrived", TRANSPORT.overtaking_window),
        (r"last packet was sent (\d+ ms) ago", TRANSPORT.min_pto),
        (r"followed by others every (\d+ ms)", CONFIG.ping_interval),
        (r"after four packets or (\d+ ms)", TRANSPORT.max_ack_delay),
        (r"RuntimeWarning after (\d+ s)", CONFIG.peer_close_timeout),
        (r"IdleTimeout after (\d+ s)", TRANSPORT.idle_timeout),
        (r"HandshakeTimeout after (\d+ s)", TRANSPORT.handshake_timeout),
        (r"less often up to every (\d+ s)", CONFIG.max_opening_interval),
        (r"grace period is at least (\d+ s)", TRANSPORT.linger),
        (r"first small write waits (\d+ ms)", CONFIG.coalesce_delay),
        (r"ends well after the (\d+ s)", CONFIG.last_ack_timeout),
        (r"for (\d+)% of the bytes", TRANSPORT.tail_effort * 100),
        (r"comes in: (\d+ MiB)", CONFIG.send_buffer + CONFIG.receive_buffer + TRANSPORT.receive_window),
        (r"The (\d+) bytes left are for the header", compact.MAX_PACKET - SEGMENT),
        (r"without data, (\d+) bytes", ETHERNET_OVERHEAD + compact.header_size(None, data=False)),
        (r"then pings of (\d+) bytes", ETHERNET_OVERHEAD + compact.header_size(None, data=False, syn=True)),
        (r"sent in vain costs ([\d,]+) bytes", ETHERNET_OVERHEAD + compact.header_size(None, data=True) + SEGMENT),
        (r"a bitmap of up to (\d+) numbers", 8 * (compact.MAX_HOLES - 1)),
    ],
)
def test_figures_in_sentences_are_right(sentence: str, actual: float) -> None:
    (text,) = re.findall(sentence.replace(" ", r"\s+"), PROSE)
    assert value(text) == actual


def test_constants_are_right() -> None:
    stated = dict(re.findall(r"`(_?[A-Z_]+)` \(([\d.,]+)\)", PROSE))
    assert len(stated) > 3
    source = "\n".join(
        ast.unparse(tree) for tree in trees("src/surewire/streamer", "src/surewire/core", "src/surewire/wire")
    )
    source += "\n" + (ROOT / "src" / "surewire" / "drivers" / "threaded.py").read_text(encoding="utf-8")
    for name, text in stated.items():
        found = re.findall(rf"^{name} = ([^#\n]+)", source, re.MULTILINE)
        assert value(text) in [eval(expression, {"compact": compact}) for expression in found], name


def test_it_tells_every_environment_variable() -> None:
    assert set(VARIABLE.findall(DOCUMENT)) == variables()


def test_the_switches_have_the_values_stated() -> None:
    stated = {row["variable"].strip("`"): row["values"].split(", ") for row in table_rows() if "values" in row}
    assert stated == {"STREAMER_MODE": [*Pipelining], "STREAMER_ACKS": [*AckPolicy], "STREAMER_NAGLE": ["on", "off"]}
    for variable, values in stated.items():
        for choice in values:
            StreamerConfig.from_environment({variable: choice})


def test_every_exception_it_names_exists() -> None:
    stated = [row["what"] for row in table_rows() if "raised by" in row]
    assert "HandshakeTimeout" in stated
    builtin = {"OSError", "TypeError", "RuntimeWarning"}
    assert set(stated[-3:]) == builtin  # "all but the last three"
    assert [name for name in stated[:-3] if "SurewireError" not in ancestors(name)] == []


def ancestors(name: str) -> set[str]:
    """A class of errors.py and all it derives from."""
    module = ast.parse((ROOT / "src" / "surewire" / "errors.py").read_bytes())
    bases = {
        node.name: [base.id for base in node.bases if isinstance(base, ast.Name)]
        for node in module.body
        if isinstance(node, ast.ClassDef)
    }
    return {name, *(found for base in bases.get(name, ()) for found in ancestors(base))}


@pytest.mark.parametrize(("file", "heading"), re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", DOCUMENT))
def test_links_lead_somewhere(file: str, heading: str) -> None:
    target = ROOT / "docs" / (file or "streamer.md")
    headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    assert not heading or heading in [re.sub(r"[^\w-]", "", text.lower().replace(" ", "-")) for text in headings]


def test_the_tests_it_names_stand_where_it_says() -> None:
    rows = [row["test"] for row in table_rows() if "test" in row]
    assert len(rows) > 20
    for row in rows:
        name, *file = re.findall(r"`([^`]+)`", row)
        path = ROOT / (file[0] if file else "tests/drivers/test_streamer_semantics.py")
        assert f"def {name}(" in path.read_text(encoding="utf-8"), row


def printed(*arguments: str, **variables: str) -> str:
    """What Python prints when it runs so, in the repository without installation."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**plain, "PYTHONPATH": str(ROOT / "src"), **variables},
        timeout=50,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(("arguments", "shown"), LADDERS)
def test_ladders_are_current(arguments: str, shown: str) -> None:
    """When it fails, put what examples/streamer_ladder.py prints now into the document, and read the text below it."""
    assert shown == printed("examples/streamer_ladder.py", *arguments.split())
    assert f"examples/streamer_ladder.py {arguments}".rstrip() + "\n" in PROSE


def test_a_ladder_shows_the_mode_that_is_set() -> None:
    steps = printed("examples/streamer_ladder.py", STREAMER_MODE="stop-and-wait").splitlines()
    senders = [("2" if "<---" in line else "1") if "data [" in line else "" for line in steps[1:-1]]
    assert "22" in "".join(senders).replace("1", "") and "11" in "".join(senders)
    assert not any(one and one == other for one, other in zip(senders, senders[1:], strict=False))  # none in a row


def test_there_are_two_ladders_and_the_first_has_nine_packets() -> None:
    assert [arguments for arguments, _ in LADDERS] == ["", "12 0.1 0.1 0.1"]
    assert LADDERS[0][1].splitlines()[-1].startswith("9 packets, ")


def test_the_comparison_is_current() -> None:
    """When it fails, put what `surewire streamer compare` prints now into the document."""
    (shown,) = re.findall(r"^```compare\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
    (command,) = [token for token in TOKENS if token.endswith("surewire.apps.cli streamer compare")]
    assert shown == printed(*command.split()[2:])
