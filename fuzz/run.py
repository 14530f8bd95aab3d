"""Drives one of the harnesses by atheris: python -m fuzz.run NAME [libFuzzer's options and corpus folders].

Names: decode_text, decode_compact, rdp_connection, streamer_connection, native_connection. Seeds are written to the
first corpus folder, if one is named and empty. Only this file needs atheris.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import atheris

NAMES = ("decode_text", "decode_compact", "rdp_connection", "streamer_connection", "native_connection")


def main() -> None:
    """Fuzz until a failure is found, or as long as the options say."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        sys.exit(f"usage: python -m fuzz.run {'|'.join(NAMES)} [options] [corpus folders]")
    name = sys.argv[1]
    with atheris.instrument_imports(include=["surewire"]):
        harness = importlib.import_module(f"fuzz.{name}")
    folders = [Path(word) for word in sys.argv[2:] if not word.startswith("-")]
    if folders and not folders[0].is_file():
        folders[0].mkdir(parents=True, exist_ok=True)
        if not any(folders[0].iterdir()):
            for index, seed in enumerate(harness.seeds()):
                (folders[0] / f"seed-{index:03}").write_bytes(seed)
    atheris.Setup([f"fuzz.{name}", *sys.argv[2:]], harness.feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
