"""The pytest plugin: fixtures with a bad network, and the seed of what it did in every report.

Fixtures: `lossy_link`, which makes links (`surewire.lab.link`), and `surewire_pair`, two connected byte streams.
Marker: `@pytest.mark.lossy(loss=10, delay=20)` gives both their options. Option `--surewire-seed` (or `surewire_seed`
in the ini file) sets the seed of the session; each link's seed comes from it and the test's node id, so a test that
runs alone gets the seeds it had among others.

pytest loads this module in every session where surewire is installed, so it imports nothing of surewire; the fixtures
do. It knows nothing of networks.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from surewire.lab.links import LossyLink
    from surewire.lab.stream_pair import StreamPair

_SESSION_SEED = pytest.StashKey[int]()
_LINKS = pytest.StashKey["list[LossyLink]"]()
_HAS_FAILED = pytest.StashKey[bool]()
_SEED_BITS = 32


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the ini setting."""
    group = parser.getgroup("surewire", "lossy links")
    group.addoption("--surewire-seed", type=int, metavar="N", help="seed of all lossy links; default: a new one")
    parser.addini("surewire_seed", "seed of all lossy links, unless --surewire-seed is given")


def pytest_configure(config: pytest.Config) -> None:
    """Settle the session's seed, which the workers of pytest-xdist get from their controller."""
    config.addinivalue_line(
        "markers", "lossy(**options): options of lossy_link and surewire_pair, such as loss=10, delay=20"
    )
    given = getattr(config, "workerinput", {}).get("surewire_seed")
    if given is None:
        given = config.getoption("--surewire-seed")
    if given is None and (text := config.getini("surewire_seed")):
        try:
            given = int(text)
        except ValueError:
            raise pytest.UsageError(f"surewire_seed must be a whole number, not {text!r}") from None
    config.stash[_SESSION_SEED] = secrets.randbits(_SEED_BITS) if given is None else given


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give a worker of pytest-xdist the session's seed."""
    node.workerinput["surewire_seed"] = node.config.stash[_SESSION_SEED]


def pytest_report_header(config: pytest.Config) -> str:
    """Name the seed."""
    return f"surewire seed: {config.stash[_SESSION_SEED]}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the seed, and what each link did, to the report of a test that failed."""
    report = yield
    if report.failed:
        item.stash[_HAS_FAILED] = True
        if (links := item.stash.get(_LINKS, None)) is not None:
            report.sections.append(("surewire", "\n".join(_described(item, links))))
    return report


@pytest.fixture
def lossy_link(request: pytest.FixtureRequest) -> Iterator[Callable[..., LossyLink]]:
    """Makes links: `lossy_link(to=server, loss=10)`, with the arguments of `surewire.lab.link`; closed after the test.

    Options of the marker `lossy` hold where the call says nothing. An error in a link's thread is one of the test.
    """
    from surewire.lab.links import link

    links = _links(request)

    def make(**options: Any) -> LossyLink:
        made = link(**{"seed": _next_seed(request, links), **_marked(request), **options})
        links.append(made)
        return made

    yield make
    _close_all(links)


@pytest.fixture
def surewire_pair(request: pytest.FixtureRequest) -> Iterator[StreamPair]:
    """Two connected byte streams: `client, server = surewire_pair`; see `surewire.lab.stream_pair`.

    The link between has the options of the marker `lossy`, and is perfect without. After a test that passed both ends
    are closed, and it is an error if not everything arrived.
    """
    from surewire.lab.stream_pair import open_pair

    links = _links(request)
    pair = open_pair(**{"seed": _next_seed(request, links), **_marked(request)})
    links.append(pair.link)
    yield pair
    if request.node.stash.get(_HAS_FAILED, False):
        pair.abandon()
    else:
        pair.close()


def _links(request: pytest.FixtureRequest) -> list[LossyLink]:
    """The list of the test's links."""
    links: list[LossyLink] = request.node.stash.setdefault(_LINKS, [])
    return links


def _next_seed(request: pytest.FixtureRequest, links: list[LossyLink]) -> int:
    text = f"{request.config.stash[_SESSION_SEED]} {request.node.nodeid} {len(links)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[: _SEED_BITS // 8], "big")


def _marked(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The markers' options; those nearer to the test override."""
    options: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers("lossy"))):
        if marker.args:
            raise pytest.UsageError("the marker lossy takes keywords only, such as loss=10")
        options.update(marker.kwargs)
    return options


def _close_all(links: list[LossyLink]) -> None:
    """Close each, whatever the others do; the first error counts."""
    errors: list[Exception] = []
    for each in links:
        try:
            each.close()
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _described(item: pytest.Item, links: list[LossyLink]) -> Iterator[str]:
    yield f"the same links again: --surewire-seed {item.config.stash[_SESSION_SEED]}"
    for each in links:
        report = each.stats
        ways = (("up", report.up), ("down", report.down))
        counts = ", ".join(f"{way} {stats.offered} offered {stats.delivered} delivered" for way, stats in ways)
        behind = "" if report.kept_up else "; NOT KEPT UP: the machine was too busy, the link was worse than asked for"
        yield f"link {each.address[0]}:{each.address[1]} seed {each.seed}: {counts}{behind}"
