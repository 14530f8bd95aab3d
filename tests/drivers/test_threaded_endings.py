"""Programs that leave a threaded driver running, each in a process of its own: they all end, and not in silence."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LONG = 30  # s; for what must happen, sooner or later

PROGRAM = """
import sys, threading, time
sys.path[:0] = {path!r}
from surewire.drivers.threaded import ThreadedDriver
from tests.drivers.fake_stream import ENDPOINT, FakeSession, FakeSocket

session, socket = FakeSession(), FakeSocket()
"""


def program(text: str) -> subprocess.Popen[str]:
    text = PROGRAM.format(path=[str(ROOT), str(ROOT / "src")]) + text
    return subprocess.Popen([sys.executable, "-c", text], stdout=-1, stderr=-1, text=True)


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LONG)
    return process.returncode, out, err


def test_a_program_that_never_closes_ends() -> None:
    process = program("""
driver = ThreadedDriver(session, socket, ENDPOINT)
driver.send(b"x")
while not socket.sent: time.sleep(0.001)
print("done")
""")
    assert outcome(process) == (0, "done\n", "")


def test_the_main_threads_end_ends_the_connection_with_one_line() -> None:
    process = program("""
def deliver(message):
    if not threading.main_thread().is_alive():  # what Python 3.12 and later say to LossyUDP's timers
        raise RuntimeError("can't create new thread at interpreter shutdown")
socket.outbox = deliver
driver = ThreadedDriver(session, socket, ENDPOINT)

def work():
    try:
        while True:
            driver.send(bytes(1000))
            time.sleep(0.001)
    except Exception as error:
        print(type(error).__name__, error)

threading.Thread(target=work).start()  # no daemon: the program ends when it does
while not socket.sent: time.sleep(0.001)
""")
    code, out, err = outcome(process)
    assert code == 0
    assert out.startswith("Aborted the program's main thread ended before close() was done")
    assert err.startswith("surewire: the program's main thread ended before close() was done")
    assert err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("call", ["recv()", "send(bytes(1 << 21))", "close()"])
def test_ctrl_c_interrupts_a_call_and_the_program_can_end(call: str) -> None:
    process = program(f"""
session.limit = 20_000
socket.outbox = lambda message: time.sleep(0.01)
driver = ThreadedDriver(session, socket, ENDPOINT)
try:
    print("ready", flush=True)
    driver.{call}
except KeyboardInterrupt:
    print("interrupted", flush=True)
socket.inbox.put((b"F", ("peer", 9)))
driver.close()
print("closed")
""")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    code, out, err = outcome(process)
    assert (code, err) == (0, "")
    assert out == "interrupted\nclosed\n"
