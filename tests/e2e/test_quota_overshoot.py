"""test_quota_overshoot - 50 mails at once, and exactly what fits is taken
SPDX-License-Identifier: ISC

Each round empties a mailbox, leaves room for some mails, and lets 30 LMTP
connections and 20 IMAP sessions end a mail of the same size at the same moment.
MAILREEVE_ROUNDS says how many rounds (default 6; tests/run --full: 200).
"""
import collections
import os
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import until
from quotas import *                                            # noqa: F403

ROUNDS = int(os.environ.get("MAILREEVE_ROUNDS", "6"))
DELIVERIES, SESSIONS = 30, 20
ALL = DELIVERIES + SESSIONS
LIMIT = 160 * K
FOLDERS = ["INBOX", "Lists", "News", "Work", "Notes"]
SCRIPT = 'require ["fileinto", "variables"];' \
         'if header :matches "X-Folder" "*" { fileinto "${1}"; }'


def files(box):
    """What is on the disk: each mail's octets as RFC 5322 counts them."""
    found = []
    for path in (box.home / "Maildir").glob("**/*"):
        if path.parent.name in ("cur", "new") and path.is_file():
            data = path.read_bytes()
            found.append(len(data) + len(re.findall(rb"(?<!\r)\n", data)))
    return found


class Storm:
    def __init__(self, box):
        self.box, self.put_off, self.slowest = box, 0, 0.0
        self.lock, self.start = threading.Lock(), threading.Barrier(ALL)
        self.pool = ThreadPoolExecutor(ALL)
        box.script(SCRIPT)
        self.imap = [box.imap(source=f"198.51.100.{100 + n}")
                     for n in range(SESSIONS + 1)]
        self.chief = self.imap.pop()
        for folder in FOLDERS[1:]:
            self.chief.create(folder)
        # some have a folder open, whose content they knew long ago
        for n, client in enumerate(self.imap[::2]):
            client.select(FOLDERS[n % len(FOLDERS)])
        m = box.mail(1000)
        assert deliver(m).code == 250
        self.added = files(box)[0] - len(m)     # LMTP's own header lines

    def close(self):
        self.pool.shutdown()
        for client in [*self.imap, self.chief]:
            client.logout()

    def empty(self):
        for folder in FOLDERS:
            self.chief.select(folder)
            if self.chief.find("ALL"):
                self.chief.store("1:*", "+FLAGS.SILENT", r"\Deleted")
                self.chief.expunge()
        assert files(self.box) == []

    def leave_room(self, octets):
        m = self.box.mail(LIMIT - octets)
        assert self.chief.append("INBOX", None, None, m)[0] == "OK"

    def mail(self, folder, size):
        return self.box.mail(size, headers=[("X-Folder", folder)])

    def by_lmtp(self, m, wait):
        with Lmtp() as client:
            assert client.envelope(m).code == 250, client.last
            assert client.cmd("DATA").code == 354, client.last
            client.write(m)
            wait()
            client.write(b".\r\n")
            return client.read()

    def one(self, n, folder, size):
        """True: it was taken.  Who is put off tries again."""
        wait, begin = self.start.wait, time.monotonic()
        while True:
            if n < DELIVERIES:
                m = self.mail(folder, size - self.added)
                reply = self.by_lmtp(m, wait)
                taken = reply.code == 250
            else:
                m = self.mail(folder, size)
                wait()
                reply = append_many(self.imap[n - DELIVERIES], folder, [m])
                taken = reply[0] == "OK"
            if taken or is_full(reply):
                break
            assert getattr(reply, "code", 451) == 451, reply
            assert taken or not isinstance(reply, tuple) or \
                reply[1][0].startswith(b"[INUSE]"), reply
            wait = lambda: None                                 # noqa: E731
            with self.lock:
                self.put_off += 1
        with self.lock:
            self.slowest = max(self.slowest, time.monotonic() - begin)
        return taken

    def round(self, folders, size):
        """How many were taken."""
        order = [folders[n % len(folders)] for n in range(ALL)]
        return sum(self.pool.map(lambda n: self.one(n, order[n], size),
                                 range(ALL)))


@pytest.fixture
def storm(rules, box):
    rules(limit("160K"))
    mark = log_end(DOVECOT_LOG)
    s = Storm(box())
    yield s
    s.close()
    log = log_lines(DOVECOT_LOG, "(Error|Panic|Fatal):(?!.* sieve: )",
                    timeout=0, after=mark)
    assert not log, log


@pytest.mark.parametrize("folders", [FOLDERS[:1], FOLDERS],
                         ids=["one folder", "several folders"])
def test_no_overshoot(storm, folders):
    dice = random.Random(len(folders))
    tally = collections.Counter()
    for number in range(ROUNDS // 2):
        size = dice.randint(800, 3000)
        fit = dice.randint(1, ALL - 1)
        rest = dice.choice([0, size - 1, dice.randrange(size)])
        storm.empty()
        storm.leave_room(fit * size + rest)
        taken = storm.round(folders, size)
        found = files(storm.box)
        what = f"round {number}: {fit} of {size} octets and {rest} left over"
        assert sum(found) <= LIMIT, what
        assert taken == fit, what
        assert sorted(found)[:taken] == [size] * taken, what
        assert LIMIT - sum(found) == rest, what
        tally["rounds"] += 1
        tally["taken"] += taken
        tally["refused"] += ALL - taken
    print(f"\n{dict(tally)}, {storm.put_off} answers \"try again\", "
          f"slowest answer {storm.slowest:.2f} s")
    assert storm.box.quota()[1] == LIMIT // K
    assert storm.box.octets() == sum(found)


def test_far_from_the_limit(storm, rules):
    """Nobody is refused, and nobody is told to try again."""
    rules(limit("10M"))
    until(lambda: shown(storm.chief)[1] == 10 * K)
    assert storm.round(FOLDERS, 2000) == ALL
    assert storm.put_off == 0
    assert sorted(storm.box.sizes())[-ALL:] == [2000] * ALL
