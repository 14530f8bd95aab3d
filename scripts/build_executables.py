"""Build `rdps` and `rdpr`: one executable file each, which needs nothing but Python 3.11 or newer.

Each is a zip archive behind a `#!` line, which Python runs as it is (PEP 441). It holds the modules
that its tool imports, found by reading the import statements, so an import by a computed name would be missed.

- The same sources and the same Python give the same bytes: sorted names, one fixed date.
- An executable is written under another name and then renamed, so a half-written one is never found.
- Python caches no bytecode for modules in a zip archive, so the bytecode of the Python that builds
  stands beside each source file. Another Python version sees by its magic number that it is not
  meant for it and compiles the source instead: slower to start, not wrong.
"""

from __future__ import annotations

import argparse
import ast
import os
import py_compile
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

PACKAGE = "surewire"
APPS = {"rdps": f"{PACKAGE}.apps.rdps", "rdpr": f"{PACKAGE}.apps.rdpr"}
ROOT = Path(__file__).resolve().parent.parent

# The oldest date a zip archive can hold: any fixed one would do.
FIXED_DATE = (1980, 1, 1, 0, 0, 0)

# Written so that an older Python can read it, too, and gets to say what is wrong.
MAIN = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("{name}: Python 3.11 or newer is needed, but this is %d.%d" % sys.version_info[:2])

from {app} import entry

sys.exit(entry())
"""


def module_file(source: Path, module: str) -> Path | None:
    """The file of a dotted module name below `source`, or None if it has none there."""
    base = source.joinpath(*module.split("."))
    for candidate in (base / "__init__.py", base.with_name(f"{base.name}.py")):
        if candidate.is_file():
            return candidate
    return None


def imported_names(tree: ast.Module, package: str) -> Iterator[str]:
    """Every dotted name that the import statements may mean, modules and what they hold alike."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: -(node.level - 1) or None] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def needed_modules(source: Path, app: str) -> dict[str, Path]:
    """The app's module, all modules of ours that it imports directly or not, and their packages."""
    found: dict[str, Path] = {}
    waiting = [app]
    while waiting:
        module = waiting.pop()
        if module in found or module.partition(".")[0] != PACKAGE:
            continue
        file = module_file(source, module)
        if file is None:
            continue
        found[module] = file
        parent = module.rpartition(".")[0]
        waiting.append(parent)
        package = module if file.name == "__init__.py" else parent
        waiting.extend(imported_names(ast.parse(file.read_bytes(), str(file)), package))
    if app not in found:
        raise SystemExit(f"build_executables: no module {app} in {source}")
    return found


def archive_members(source: Path, name: str, app: str, scratch: Path) -> dict[str, bytes]:
    """Archive names and contents: `__main__.py`, and each module as source and as bytecode."""
    members = {"__main__.py": MAIN.format(name=name, app=app).encode()}
    for file in needed_modules(source, app).values():
        inside = file.relative_to(source).as_posix()
        members[inside] = file.read_bytes()
        compiled = scratch / "module.pyc"
        # Never compared with the source again: the two enter the archive together.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(file), str(compiled), dfile=f"{name}/{inside}", doraise=True, invalidation_mode=mode)
        members[f"{inside}c"] = compiled.read_bytes()
    return members


def shebang(interpreter: str) -> bytes:
    """The first line: a command name is looked up on PATH at each run, a path is taken as it is."""
    if any(c.isspace() for c in interpreter):
        raise SystemExit(f"build_executables: a '#!' line cannot name {interpreter!r}, because of the space in it")
    line = f"#!{interpreter}\n" if "/" in interpreter else f"#!/usr/bin/env {interpreter}\n"
    return line.encode()


def build(name: str, source: Path, output: Path, interpreter: str) -> Path:
    """Write the executable `name` into the folder `output`, replacing what is there at once or not at all."""
    first_line = shebang(interpreter)
    with tempfile.TemporaryDirectory(dir=output, prefix=f".{name}-") as folder:
        scratch = Path(folder)
        members = archive_members(source, name, APPS[name], scratch)
        draft = scratch / name
        with draft.open("wb") as file:
            file.write(first_line)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                for inside in sorted(members):
                    info = zipfile.ZipInfo(inside, FIXED_DATE)
                    info.create_system = 3  # Unix, on any system, so that the bytes do not depend on it
                    info.external_attr = 0o644 << 16
                    info.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(info, members[inside])
        draft.chmod(0o755)
        target = output / name
        os.replace(draft, target)
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build rdps and rdpr as single-file executables.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="rdps, rdpr (default: both)")
    parser.add_argument("--source", type=Path, default=ROOT / "src", help="folder that holds the package (%(default)s)")
    parser.add_argument("--output", type=Path, default=ROOT, help="folder for the executables (%(default)s)")
    parser.add_argument("--interpreter", default="python3", help="command or path of the Python (%(default)s)")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(APPS))
    if unknown:
        parser.error(f"no executable is called {unknown[0]}; there are {', '.join(APPS)}")
    for name in options.names or APPS:
        build(name, options.source, options.output, options.interpreter)
    return 0


if __name__ == "__main__":
    sys.exit(main())
