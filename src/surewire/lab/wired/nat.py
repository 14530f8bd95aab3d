"""The NAT router's rules for nftables, and the process in its namespace that changes them when it "reboots".

    python -m surewire.lab.wired.nat       (started by the laboratory in the router's namespace)

It reads one JSON object a line, {"rules": TEXT}, gives the text to nft, makes the kernel forget all connections,
and answers {"error": null} or {"error": TEXT}.

The rules are those of a home router: the LAN is translated, what comes from outside without having been asked for
is dropped silently. So packets to a translation that was forgotten meet no answer, as with a real one.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

from surewire.drivers.conntrack import forget_connections

LAN = "192.168.1.0/24"
WAN_INTERFACE = "wan"
_FIRST_PORT, _PORTS, _RANGES = 10_000, 1_000, 16
_FIRST_ADDRESS, _ADDRESSES = 2, 90


def nat_rules(count: int = 0, *, address: bool = False) -> str:
    """The whole rule set, for `nft -f -`; replaces the one before.

    Args:
        count: how many times the NAT has been rebound. 0: masquerade, which keeps source ports that are free.
            Else source ports come from a range that differs from those of the fifteen times before.
        address: whether the outer address changes with each time, too.
    """
    translation = f"oifname {WAN_INTERFACE} ip saddr {LAN}"
    rule = f"{translation} masquerade"
    if count:
        outer = f"10.10.1.{_FIRST_ADDRESS + (count - 1) % _ADDRESSES if address else 1}"
        low = _FIRST_PORT + _PORTS * ((count - 1) % _RANGES)
        # A protocol without ports gets the address only.
        rule = (
            f"{translation} meta l4proto {{ tcp, udp }} snat to {outer}:{low}-{low + _PORTS - 1}\n"
            f"        {translation} snat to {outer}"
        )
    return f"""\
add table ip surewire
delete table ip surewire
table ip surewire {{
    chain postrouting {{
        type nat hook postrouting priority srcnat; policy accept;
        {rule}
    }}
    chain input {{
        type filter hook input priority filter; policy accept;
        iifname {WAN_INTERFACE} ct state established,related accept
        iifname {WAN_INTERFACE} drop
    }}
}}
"""


def main() -> int:
    """Serve until standard input ends."""
    with contextlib.suppress(KeyboardInterrupt):
        for line in sys.stdin:
            print(json.dumps({"error": _rebind(json.loads(line)["rules"])}), flush=True)
    return 0


def _rebind(rules: str) -> str | None:
    """Why it failed, or None."""
    outcome = subprocess.run(["nft", "-f", "-"], input=rules, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        return outcome.stderr.strip().partition("\n")[0] or f"nft: exit status {outcome.returncode}"
    try:
        forget_connections()
    except OSError as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main())
