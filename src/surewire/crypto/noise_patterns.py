"""The handshake patterns of the Noise framework as its specification writes them (revision 34, §7.4, §7.5, §9).

A pattern is a list of messages, each a list of tokens; which of them surewire uses is said in `sealed`. The others
are here because the published test vectors of every pattern run through the same interpreter.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from surewire.errors import ConfigError

# A pattern a line. Before the dots: what each side knows of the other beforehand. "->" is the initiator's.
_TABLE = """
N    <- s ... -> e es
K    -> s <- s ... -> e es ss
X    <- s ... -> e es s ss
NN   -> e <- e ee
KN   -> s ... -> e <- e ee se
NK   <- s ... -> e es <- e ee
KK   -> s <- s ... -> e es ss <- e ee se
NX   -> e <- e ee s es
KX   -> s ... -> e <- e ee se s es
XN   -> e <- e ee -> s se
IN   -> e s <- e ee se
XK   <- s ... -> e es <- e ee -> s se
IK   <- s ... -> e es s ss <- e ee se
XX   -> e <- e ee s es -> s se
IX   -> e s <- e ee se s es
"""
_MESSAGE = re.compile(r"(->|<-)((?: \w+)+)")
_NAME = re.compile(r"([NKXI]{1,2})((?:psk\d(?:\+psk\d)*)?)")
_MODIFIER = re.compile(r"psk(\d)")


class Pattern(NamedTuple):
    """What is known beforehand, and what is sent."""

    name: str
    is_initiator_known: bool
    is_responder_known: bool
    # the tokens of each message; the initiator sends the first, then they take turns
    messages: tuple[tuple[str, ...], ...]

    @property
    def psk_count(self) -> int:
        """Pre-shared keys it needs."""
        return sum(tokens.count("psk") for tokens in self.messages)


def _read(line: str) -> Pattern:
    name, _, text = line.partition(" ")
    before, _, messages = text.rpartition("...")
    known = {arrow for arrow, _ in _MESSAGE.findall(before)}
    return Pattern(
        name, "->" in known, "<-" in known, tuple(tuple(tokens.split()) for _, tokens in _MESSAGE.findall(messages))
    )


_PATTERNS = {pattern.name: pattern for pattern in map(_read, _TABLE.strip().splitlines())}


def pattern(name: str) -> Pattern:
    """The pattern of that name, with psk modifiers or none ("NNpsk0", "XXpsk0+psk3").

    Raises:
        ConfigError: there is no such pattern.

    Source: §9.4: psk0 stands before the first message's tokens, pskN at the end of message N.
    """
    match = _NAME.fullmatch(name)
    plain = match and _PATTERNS.get(match[1])
    if not match or not plain:
        raise ConfigError(f"{name!r} is no handshake pattern of Noise")
    messages = list(plain.messages)
    for digit in _MODIFIER.findall(match[2]):
        place = int(digit)
        if place > len(messages):
            raise ConfigError(f"{name!r} has a psk after message {place}, but only {len(messages)} messages")
        if place == 0:
            messages[0] = ("psk", *messages[0])
        else:
            messages[place - 1] = (*messages[place - 1], "psk")
    return plain._replace(name=name, messages=tuple(messages))
