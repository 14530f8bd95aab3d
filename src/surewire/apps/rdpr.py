"""rdpr: receive a file by RDP.

rdpr receiver_ip receiver_port receiver_file_name

Only the start is here; the tool is `surewire.apps.rdp_receive`.
"""

from __future__ import annotations

import sys

from surewire.apps import console

PROG = "rdpr"


def main(argv: list[str] | None = None) -> int:
    """Run the tool; return its exit status."""
    console.open_standard_descriptors()
    with console.plain_interrupts():
        # Imported here, because Ctrl-C during the imports should leave no traceback either.
        from surewire.apps import rdp_receive

        return rdp_receive.run(PROG, sys.argv[1:] if argv is None else argv)


def entry() -> int:
    """For the console script."""
    return main()


if __name__ == "__main__":
    sys.exit(main())
