"""A scenario as the TOML text of a scenario file: for people to read, and to be read back to the same scenario."""

from __future__ import annotations

import json
from collections.abc import Mapping

from surewire.impair.path_options import written
from surewire.impair.quantities import show_seconds, show_size
from surewire.impair.scenario import CrossTraffic, Rebinding, Scenario

_EXACT_DIGITS = 15
"""Digits a float keeps whatever they are; a number with more is written as text."""


def scenario_toml(scenario: Scenario) -> str:
    """The text from which `parse_scenario` makes this scenario again, its name apart; ends with a newline."""
    blocks = [_assignments(_top(scenario))]
    up, down = written(scenario.up), written(scenario.down)
    both = {name: text for name, text in up.items() if down.get(name) == text}
    for title, values in (("path", _path(both, {})), ("up", _path(up, both)), ("down", _path(down, both))):
        if values:
            blocks.append(f"[{title}]\n{_assignments(values)}")
    if scenario.rebinding is not None:
        blocks.append(f"[rebinding]\n{_assignments(_rebinding(scenario.rebinding))}")
    blocks += [f"[[cross-traffic]]\n{_assignments(_flows(flows))}" for flows in scenario.cross_traffic]
    return "\n".join(blocks)


def _top(scenario: Scenario) -> dict[str, str]:
    top = {"description": _quoted(scenario.description)}
    if scenario.source:
        top["source"] = _quoted(scenario.source)
    return {**top, "size": _literal(show_size(scenario.size)), "deadline": _literal(show_seconds(scenario.deadline))}


def _path(values: Mapping[str, str | list[str]], others: Mapping[str, object]) -> dict[str, str]:
    """The values that are not among the others."""
    texts = {}
    for name, value in values.items():
        if name not in others:
            texts[name] = f"[{', '.join(map(_quoted, value))}]" if isinstance(value, list) else _literal(value)
    return texts


def _rebinding(rebinding: Rebinding) -> dict[str, str]:
    every = {} if rebinding.every is None else {"every": _literal(show_seconds(rebinding.every))}
    return {
        "first": _literal(show_seconds(rebinding.first)),
        **every,
        "address": "true" if rebinding.address else "false",
    }


def _flows(flows: CrossTraffic) -> dict[str, str]:
    stop = {} if flows.stop is None else {"stop": _literal(show_seconds(flows.stop))}
    return {
        "algorithm": _quoted(flows.algorithm),
        "flows": str(flows.flows),
        "start": _literal(show_seconds(flows.start)),
        **stop,
        "direction": _quoted(flows.direction),
    }


def _assignments(literals: Mapping[str, str]) -> str:
    return "".join(f"{name} = {literal}\n" for name, literal in literals.items())


def _literal(text: str) -> str:
    """The text of a quantity; a plain number stands without quotes."""
    is_plain = text.isascii() and text.replace(".", "", 1).isdigit() and len(text) <= _EXACT_DIGITS
    return text if is_plain else _quoted(text)


def _quoted(text: str) -> str:
    # JSON's strings are TOML's, but for the one control character that JSON lets pass.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
