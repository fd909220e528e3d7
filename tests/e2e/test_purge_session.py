"""test_purge_session - at the end of a session, and beside other sessions
SPDX-License-Identifier: ISC
"""
import poplib
import re
import threading
import time

import pytest
from purging import (ANN, BOB, CAT, DAY, DOVECOT_LOG, Imap, clean, log_end,
                     log_lines, mails, pids_of, purge, report, rule, seed,
                     set_policy, subjects, until)

from world.smtp import MX, TLS, password

__all__ = ["clean"]
TRASH = rule("Trash", "92d")


def purges(after):
    return log_lines(DOVECOT_LOG, "purge: ", timeout=0, after=after)


def ended(service="imap"):
    until(lambda: not pids_of(service))


# --- its end ------------------------------------------------------------------

def imap_session(user):
    Imap(user, "INBOX").logout()


def imap_without_goodbye(user):
    Imap(user, "INBOX").shutdown()


def imap_in_the_folder(user):
    Imap(user, "Trash").logout()


def pop3_session(user):
    client = poplib.POP3_SSL(MX, context=TLS)
    client.user(user)
    client.pass_(password(user))
    client.quit()


@pytest.mark.parametrize("session", [
    imap_session, imap_without_goodbye, imap_in_the_folder, pop3_session])
def test_at_the_end_of_a_session(session):
    """His mail only; logged with the session's own name as the run's."""
    set_policy(TRASH)
    names = seed(ANN, "Trash", [100 * DAY, 200 * DAY, DAY])
    seed(BOB, "Trash", [100 * DAY])
    report()
    mark = log_end(DOVECOT_LOG)
    session(ANN)
    done = log_lines(DOVECOT_LOG, "purge: run=", after=mark)
    assert len(done) == 1
    found = re.search(
        r" (imap|pop3)\(ann@alpha.example\)<\d+><(\S+)>: Info: mailreeve: "
        r"purge: run=(\S+) folder=Trash messages=2 bytes=\d+ "
        r"oldest=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d rule=\"purge Trash\" "
        r"at=/etc/mailreeve/mailreeve.conf:\d+$", done[0])
    assert found and found[2] == found[3], done
    assert subjects(ANN, "Trash") == names[2:]
    assert len(subjects(BOB)) == 1


def test_nothing_due_says_nothing():
    set_policy(TRASH)
    seed(ANN, "Trash", [DAY])
    report()
    mark = log_end(DOVECOT_LOG)
    imap_session(ANN)
    ended()
    assert purges(mark) == []


def test_no_session_purges_by_lmtp_or_doveadm():
    set_policy(TRASH)
    seed(ANN, "Trash", [100 * DAY])
    report()
    mails(ANN)
    seed(ANN, "INBOX", [0])
    assert len(subjects(ANN, "Trash")) == 1


def test_out_of_time_the_rest_stays_for_later():
    """So many mails that two seconds are not enough, at a slow disk; what is
    left goes the next time.  The client does not wait for it."""
    set_policy(TRASH)
    count = 12000
    seed(ANN, "Trash", [100 * DAY] * count + [DAY])
    report()
    mark = log_end(DOVECOT_LOG)
    client = Imap(ANN, "INBOX")
    start = time.monotonic()
    client.logout()
    assert time.monotonic() - start < 1
    until(lambda: not pids_of("imap"), 30)
    assert time.monotonic() - start < 2 + 1
    done = log_lines(DOVECOT_LOG, "purge: run=", after=mark)
    gone = sum(int(re.search(r"messages=(\d+)", line)[1]) for line in done)
    assert gone > 0
    left = len(subjects(ANN, "Trash"))
    assert left == count + 1 - gone
    if gone < count:
        assert purge("-A").rows[0]["messages"] == count - gone
    assert len(subjects(ANN, "Trash")) == 1


# --- beside others ------------------------------------------------------------

class Watcher:
    """A selected session that keeps its own list of the folder, by sequence
    number, only from what it is told."""

    def __init__(self, user, folder):
        self.client = Imap(user, folder)
        self.list = [self.uid(data) for data in
                     self.client.fetch("1:*", "(UID)")[1]]
        self.told = 0

    @staticmethod
    def uid(data):
        return int(re.search(rb"UID (\d+)", data)[1])

    def expunge(self, number):
        del self.list[number - 1]
        self.told += 1

    def noop(self):
        self.client.untagged_responses.pop("EXPUNGE", None)
        assert self.client.noop()[0] == "OK"
        for number in self.client.untagged_responses.pop("EXPUNGE", []):
            self.expunge(int(number))

    def idle(self):
        self.client.send(b"tag IDLE\r\n")
        assert self.client.readline().startswith(b"+ ")

    def wait(self, count):
        """In IDLE, until so many have gone."""
        while self.told < count:
            found = re.match(rb"\* (\d+) EXPUNGE\r\n", self.client.readline())
            if found:
                self.expunge(int(found[1]))

    def done(self):
        self.client.send(b"DONE\r\n")
        while not self.client.readline().startswith(b"tag OK"):
            pass

    def agrees(self):
        """Is its list what a new session sees, and all of it readable?"""
        with Imap(self.client.user, "Trash") as other:
            assert [int(uid) for uid in other.find("ALL")] == self.list
            if self.list:
                for uid in self.list:
                    data = other.uid("fetch", str(uid), "(BODY[])")[1]
                    assert len(data[0][1]) > 400
        return True


@pytest.fixture
def mixed():
    """Due and not due, in turns; a session that has the folder selected."""
    set_policy(TRASH)
    seed(ANN, "Trash", [100 * DAY, DAY, 100 * DAY, 100 * DAY, 2 * DAY,
                        100 * DAY] * 50)
    report()
    watcher = Watcher(ANN, "Trash")
    watcher.client.user = ANN
    assert len(watcher.list) == 300
    yield watcher
    watcher.client.shutdown()


def test_a_session_is_told_at_noop(mixed):
    assert list(purge("-A")) == [(ANN, "Trash", 200)]
    # until it is told, numbers mean what they meant
    assert mixed.uid(mixed.client.fetch("300", "(UID)")[1][0]) == 300
    assert mixed.told == 0
    mixed.noop()
    assert mixed.told == 200 and len(mixed.list) == 100
    assert mixed.agrees()


def test_a_session_is_told_in_idle(mixed):
    mixed.idle()
    assert list(purge("-A")) == [(ANN, "Trash", 200)]
    mixed.wait(200)
    mixed.done()
    assert len(mixed.list) == 100 and mixed.agrees()


def test_a_session_reads_what_is_just_purged(mixed):
    """A mail that has gone is told as gone, not as a mistake."""
    mark = log_end(DOVECOT_LOG)
    purge("-A")
    answer = mixed.client.fetch("1", "(BODY[])")
    assert answer[0] in ("OK", "NO"), answer
    mixed.noop()
    assert mixed.agrees()
    assert log_lines(DOVECOT_LOG, "Error", timeout=0, after=mark) == []


def test_a_session_of_another_device(mixed):
    """One session ends and purges, the other is told."""
    imap_session(ANN)
    ended_but_one = until(lambda: len(subjects(ANN, "Trash")) == 100)
    assert ended_but_one
    mixed.noop()
    assert mixed.told == 200 and mixed.agrees()


def test_what_comes_between_plan_and_run():
    """Sessions flag, move and add mail while it is purged, again and again:
    nothing that is not due goes, and what was flagged in time stays."""
    set_policy(TRASH)
    seed(ANN, "Trash", [100 * DAY] * 3000)
    keep = seed(ANN, "Trash", [DAY] * 20)
    report()
    with Imap(ANN, "Trash") as client:
        flagged = range(5, 3000, 7)
        client.uid("store", ",".join(map(str, flagged)), "+FLAGS",
                   "\\Flagged")
        ready, stop = threading.Event(), threading.Event()

        def work():
            with Imap(ANN, "Trash") as other:
                ready.set()
                while not stop.is_set():
                    other.append("Trash", None, None, b"Subject: new\r\n\r\nx")
                    other.uid("store", "1:*", "+FLAGS", "\\Answered")
                    other.noop()

        thread = threading.Thread(target=work)
        thread.start()
        ready.wait()
        ran = purge("-A")
        stop.set()
        thread.join()
        client.noop()
    assert list(ran) == [(ANN, "Trash", 3000 - len(flagged))]
    rows = mails(ANN)["Trash"]
    assert [int(row["uid"]) for row in rows
            if int(row["uid"]) <= 3000] == list(flagged)
    names = {row["hdr.subject"] for row in rows}
    assert set(keep) <= names and "new" in names


def test_two_purges_at_once():
    """Each mail is counted by one of them."""
    set_policy(TRASH)
    for user in (ANN, BOB, CAT):
        seed(user, "Trash", [100 * DAY] * 700 + [DAY])
    report()
    found, threads = [], []
    for _ in range(3):
        threads.append(threading.Thread(
            target=lambda: found.append(purge("-A"))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    for user in (ANN, BOB, CAT):
        assert len(subjects(user, "Trash")) == 1
        assert sum(count for ran in found for who, _, count in ran
                   if who == user) == 700
