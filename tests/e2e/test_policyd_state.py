"""test_policyd_state - a running policy daemon, and what may befall its store
SPDX-License-Identifier: ISC

Whatever it is, the daemon serves on, says so, and does not forget what it has
counted, but for the last second before a kill.  Each test has a daemon of its
own, whose store is on a small disk of its own.

MAILREEVE_ROUNDS says how often it is killed (default 2; tests/run --full: 40).
"""
import os
import random
import re
import signal
import subprocess
import time

import pytest

from milterd import wait_until
from policyd import ALONE, Policyd, works
from world.clock import pass_time

ROUNDS = int(os.environ.get("MAILREEVE_ROUNDS", "2"))
RATE = ("rate recipient {\n\tmessages = 1000000000 / 1d\n}\n"
        "rate client {\n\tbytes = 1000T / 1d\n}\n")
MAILS = 20
# Until the last second is over: what one transaction takes on a busy machine.
SECOND = 2.5


class Counting(Policyd):
    """Its store is in FOLDER/disk; counts mails for ann."""
    own = Policyd.own.replace("policyd.sqlite", "disk/policyd.sqlite")

    def __init__(self, folder, **how):
        super().__init__(folder, ALONE + RATE, **how)
        self.store = f"{folder}/disk/policyd.sqlite"

    def again(self, how=signal.SIGTERM):
        """Another one, after this one's end."""
        self.stop(how)
        os.unlink(self.log)
        return Counting(self.folder)

    def mails(self, n=MAILS):
        with self.client() as p:
            for _ in range(n):
                assert p.rcpt("m") == "DUNNO"
                assert p.end("m", size="1000") == "DUNNO"

    def counted(self):
        """How many mails ann had, and the limit that is shown beside."""
        for line in self.ask(b"rates\n"):
            if found := re.match(r"rate\.recipient=ann@net\.example: "
                                 r"(\d+) of 1000000000 messages in 1d", line):
                return int(found[1])
        return 0

    def says(self, pattern):
        return self.lines(f"state: .*{pattern}", timeout=30)

    def written(self):
        """All that was counted until now."""
        self.mails(1)
        wait_until(lambda: " 0 pending" in self.status()["store_rows"],
                   "it is written", 30)
        return self.counted()

    def fails(self):
        wait_until(lambda: not self.status()["store"].endswith("works"),
                   "the status says so", 30)
        assert self.says("going on from memory")


def mount(*args):
    subprocess.run(["mount", *args], check=True)


@pytest.fixture
def disk(tmp_path):
    """Where the store is: room for some logs of it."""
    path = tmp_path / "disk"
    path.mkdir()
    mount("-t", "tmpfs", "-o", "size=20m", "tmpfs", str(path))
    yield path
    subprocess.run(["umount", "-R", "-l", path], check=True)


def ended(policyd):
    assert policyd.stop() == 0, policyd.text()


def fill(disk):
    """No octet is left."""
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass


def test_rates_outlive_restarts(tmp_path, disk):
    p = Counting(tmp_path)
    p.mails()
    p = p.again()
    assert p.counted() == MAILS
    shown = "\n".join(p.ask(b"rates\n"))
    assert re.search(r"^rate\.client=198\.51\.100\.0/24: \S+ .?B of 1000 TB "
                     r"in 1d, 0%$", shown, re.M), shown
    assert p.written() == MAILS + 1
    p = p.again(signal.SIGKILL)
    assert p.counted() == MAILS + 1
    ended(p)


def test_killed_at_any_point(tmp_path, disk):
    """Every mail that was answered a second before is still counted."""
    p = Counting(tmp_path)
    kept = 0
    for _ in range(ROUNDS):
        assert "store_set_aside" not in p.status()
        times = [time.monotonic()] * p.counted()
        end = time.monotonic() + random.uniform(0, SECOND + 1.5)
        with p.client() as client:
            while time.monotonic() < end:
                client.rcpt("m")
                client.end("m", size="1000")
                times.append(time.monotonic())
        p.process.kill()
        now = time.monotonic()
        kept = sum(t < now - SECOND for t in times)
        p = p.again(signal.SIGKILL)
        count = p.counted()
        if count < len(times):
            print(f"lost: {now - times[count]:.2f} s")
        assert kept <= count <= len(times) + 1
    works(p)
    ended(p)


def test_full_disk(tmp_path, disk):
    p = Counting(tmp_path)
    count = p.written()
    fill(disk)
    p.mails()
    p.fails()
    p.mails()
    assert p.counted() == count + 2 * MAILS
    p = p.again()                       # what could not be written is lost
    assert p.counted() == count
    p.mails()
    p.fails()
    os.unlink(disk / "filler")
    assert p.says("works again")
    assert p.written() == count + MAILS + 1
    p = p.again(signal.SIGKILL)
    assert p.counted() == count + MAILS + 1
    ended(p)


def test_full_at_the_start(tmp_path, disk):
    fill(disk)
    p = Counting(tmp_path)
    p.mails()
    p.fails()
    os.unlink(disk / "filler")
    assert p.says("works again")
    count = p.written()
    assert count == MAILS + 1
    p = p.again(signal.SIGKILL)
    assert p.counted() == count
    ended(p)


def test_read_only_disk(tmp_path, disk):
    """At the start, then it can be written."""
    p = Counting(tmp_path)
    p.mails()
    ended(p)
    os.unlink(p.log)
    mount("-o", "remount,ro", str(disk))
    p = Counting(tmp_path)
    p.mails()
    p.fails()
    assert p.counted() >= MAILS
    mount("-o", "remount,rw", str(disk))
    assert p.says("works again")
    count = p.written()
    assert count == 2 * MAILS + 1
    p = p.again(signal.SIGKILL)
    assert p.counted() == count
    ended(p)


def cut(store):
    os.truncate(store, os.path.getsize(store) // 2)


def overwrite(store):
    size = os.path.getsize(store)
    with open(store, "r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))


def no_database(store):
    with open(store, "wb") as file:
        file.write(b"once upon a time\n" * 1000)


def take_away(store):
    os.unlink(store)


@pytest.mark.parametrize("spoil", [cut, overwrite, no_database])
def test_broken_file(tmp_path, disk, spoil):
    p = Counting(tmp_path)
    p.mails()
    ended(p)
    os.unlink(p.log)
    spoil(p.store)
    p = Counting(tmp_path)
    assert p.says("is broken .*: set aside, begun anew")
    assert p.status()["store_set_aside"] == "1"
    assert os.path.exists(p.store + ".broken-1")
    assert p.written() == 1
    p = p.again(signal.SIGKILL)
    assert p.counted() == 1
    assert "store_set_aside" not in p.status()
    ended(p)


def test_spoilt_while_it_runs(tmp_path, disk):
    """Memory has it all."""
    p = Counting(tmp_path)
    count = p.written()
    for spoil in cut, take_away:
        spoil(p.store)
        assert p.written() == count + 1
        count += 1
    p = p.again(signal.SIGKILL)
    assert p.counted() == count
    works(p)
    ended(p)


@pytest.mark.skipif(not os.environ.get("LAB_TIME"),
                    reason="the world has no clock of its own")
def test_the_clock_jumps(tmp_path, disk):
    p = Counting(tmp_path)
    p.mails()
    day = 24 * 60 * 60
    for jump in 40 * day, -80 * day, 40 * day:
        count = p.written()
        pass_time(jump)
        assert p.counted() == count
        assert p.written() == count + 1
        p = p.again(signal.SIGKILL)
        assert p.counted() == count + 1
    ended(p)
