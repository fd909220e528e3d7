"""test_quota_trouble - whatever is broken, mail goes on
SPDX-License-Identifier: ISC
"""
import contextlib
import fcntl
import imaplib
import os
import pathlib
import random
import re
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import run, until
from quotas import *                                            # noqa: F403

from world.postfix import pids_of

COPY = pathlib.Path("/var/lib/mailreeve/mailbox.conf")
COMPLAINT = r"mailbox\.conf"


# --- the published policy -----------------------------------------------------

def garbage():
    COPY.write_text(COPY.read_text().replace("quota = 10K", "quota = plenty"))


def half():
    text = COPY.read_text()
    COPY.write_text(text[:len(text) // 2])


def missing():
    COPY.unlink()


def empty():
    COPY.write_text("")


def binary():
    COPY.write_bytes(bytes(range(256)) * 100)


def unreadable():
    new = COPY.with_suffix(".new")
    new.write_text(COPY.read_text())
    new.chmod(0)
    os.replace(new, COPY)


def directory():
    COPY.unlink()
    COPY.mkdir()


def fifo():
    COPY.unlink()
    os.mkfifo(COPY)


def loop():
    COPY.unlink()
    COPY.symlink_to(COPY)


BREAK = [garbage, half, missing, empty, binary, unreadable, directory, fifo,
         loop]


@pytest.fixture
def published(rules):
    """Puts a broken copy out of the way again."""
    yield
    if COPY.is_dir() and not COPY.is_symlink():
        COPY.rmdir()
    else:
        COPY.unlink(missing_ok=True)


def works(b, c, size=1000):
    """Whatever a session does."""
    for _ in range(2):
        assert c.append("INBOX", None, None, b.mail(size))[0] == "OK"
        assert c.select("INBOX")[0] == "OK"
        assert c.copy("1", "Trash")[0] == "OK"
        c.store("1", "+FLAGS", r"\Deleted")
        assert c.expunge()[0] == "OK"
        assert c.noop()[0] == "OK"


@pytest.mark.parametrize("harm", BREAK)
def test_no_policy_at_login(rules, box, published, harm):
    """Dovecot's own settings count, here none.  It is logged once a session."""
    rules(limit("10K"))
    harm()
    b = box()
    begin = log_end(DOVECOT_LOG)
    for how in ("IMAP", "LMTP", "LDA"):
        mark = log_end(DOVECOT_LOG)
        if how == "IMAP":
            with b.imap() as c:
                works(b, c, 9000)
                assert shown(c) is None
        elif how == "LMTP":
            assert deliver(b.mail(9000)).code == 250
        else:
            assert lda(b.user, b.mail(9000)).returncode == 0
        lines = [line for line in log_lines(DOVECOT_LOG, COMPLAINT, after=mark)
                 if b.user in line]
        assert len(lines) == 1, lines
        assert re.search("Error: .*mailreeve: ", lines[0])
        assert "Dovecot's own settings count" in lines[0]
    assert b.octets() > 3 * 9000
    log = log_lines(DOVECOT_LOG, "Panic|Fatal|Internal error", timeout=0,
                    after=begin)
    assert not log, log


@pytest.mark.parametrize("harm", [garbage, half, missing])
def test_policy_breaks_in_a_session(rules, box, published, harm):
    """The last good one stays, and a new one acts as soon as it is there."""
    rules(limit("10K"))
    b = box()
    with b.imap("INBOX") as c, Lmtp() as lmtp:
        works(b, c)
        assert lmtp.deliver(b.mail(1000)).code == 250
        mark = log_end(DOVECOT_LOG)
        harm()
        time.sleep(1.1)         # it is looked for once a second
        for _ in range(2):
            assert shown(c)[1] == 10
            assert is_full(c.append("INBOX", None, None, b.mail(9000)))
            works(b, c, None)
            time.sleep(0.55)
        lines = [line for line in log_lines(DOVECOT_LOG, COMPLAINT, after=mark)
                 if b.user in line]
        assert len(lines) == 1, lines
        assert "the policy that was read before stays" in lines[0]
        if harm is garbage:
            assert re.search(r"mailbox\.conf:\d+:", lines[0])
        if COPY.is_dir() and not COPY.is_symlink():
            COPY.rmdir()
        rules(limit("30K"))
        until(lambda: shown(c)[1] == 30)
        assert c.append("INBOX", None, None, b.mail(9000))[0] == "OK"
        log_lines(DOVECOT_LOG, "can be read again", after=mark)


def test_no_policy_and_a_quota_of_the_userdb(rules, box, published):
    rules(limit("10K"))
    missing()
    b = box("userdb_quota_rule=*:storage=20K" if is_23()
            else "userdb_quota_storage_size=20K")
    b.fill(15000)
    with b.imap() as c:
        assert shown(c) == (15, 20)
        assert is_full(c.append("INBOX", None, None, b.mail(9000)))


def test_dovecot_without_our_lines(rules, box, dovecot):
    """It works, and with them again nothing was forgotten."""
    rules(limit("10K"))
    b = box()
    b.fill(3000, 2000)
    dovecot(SIEVE, ours=False)
    assert run("doveconf", "-n").stdout.count("mailreeve") == 0
    b.fill(4000)
    with b.imap("INBOX") as c:
        works(b, c, 300)
        c.select("Trash")
        c.store("1:*", "+FLAGS", r"\Deleted")
        c.expunge()
    before = b.octets()
    assert deliver(b.mail(9000)).code == 250
    doveadm("expunge", "-u", b.user, "mailbox", "INBOX", "LARGER", "8000")
    assert b.octets() == before
    dovecot(SIEVE)
    with b.imap() as c:
        assert is_full(c.append("INBOX", None, None,
                                b.mail(10 * K - before + 1)))
        assert c.append("INBOX", None, None,
                        b.mail(10 * K - before))[0] == "OK"


# --- the file with the lock ---------------------------------------------------

def usage(b):
    return b.home / "Maildir/mailreeve.usage"


VICTIM = pathlib.Path("/tmp/victim")


def put_link(path):
    VICTIM.write_text("mine")
    VICTIM.chmod(0o666)
    path.symlink_to(VICTIM)


def put_dangling_link(path):
    VICTIM.unlink(missing_ok=True)
    path.symlink_to(VICTIM)


def put_number(path):
    path.write_text("1 99999999999999999999999 80 0".ljust(63) + "\n")
    os.chown(path, 5000, 5000)


def put_text(path):
    path.write_text("garbage\n" * 1000)
    os.chown(path, 5000, 5000)


def put_nothing(path):
    path.touch()
    os.chown(path, 5000, 5000)


def put_roots(path):
    path.touch(0o400)


@pytest.mark.parametrize("put, told", [
    (put_link, True), (put_dangling_link, True), (os.mkfifo, True),
    (os.mkdir, True), (put_roots, True), (put_text, False),
    (put_number, False), (put_nothing, False)])
def test_usage_file(rules, box, put, told):
    """Mail goes on, and the quota holds."""
    rules(limit("10K"))
    b = box()
    b.fill(3000)
    until(lambda: not pids_of("imap"))      # at its end it looks there
    usage(b).unlink()
    put(usage(b))
    mark = log_end(DOVECOT_LOG)
    b.fill(3000)
    assert deliver(b.mail(2000)).code == 250
    with b.imap() as c:
        left = 10 * K - b.octets()
        assert is_full(c.append("INBOX", None, None, b.mail(left + 1)))
        assert c.append("INBOX", None, None, b.mail(left))[0] == "OK"
    assert is_full(deliver(b.mail()))
    if put is put_link:
        assert VICTIM.read_text() == "mine"
    if put is put_dangling_link:
        assert not VICTIM.exists()
    lines = log_lines(DOVECOT_LOG, "mailreeve.usage", timeout=0, after=mark)
    assert bool(lines) == told, lines


def test_lock_is_held(rules, box):
    """For more than two seconds.  Near the limit the sender is told to try again,
    and then it is there.  Where there is much room, and where mail only moves, he
    waits longer; nobody gets in without the lock."""
    rules(limit("200K"))
    near, far = box(), box()
    near.fill(150000)
    far.fill(1000)
    mark = log_end(DOVECOT_LOG)

    def imap(b):
        with b.imap() as c:
            return c.append("INBOX", None, None, b.mail(1000))

    def move(b):
        with b.imap("INBOX") as c:
            return c._simple_command("MOVE", "1", "Trash")

    def lmtp(b):
        return deliver(b.mail(1000))

    with open(usage(near)) as one, open(usage(far)) as two, \
            ThreadPoolExecutor(5) as pool:
        for file in (one, two):
            fcntl.flock(file, fcntl.LOCK_EX)
        answers = [pool.submit(how, b) for how, b in (
            (imap, near), (lmtp, near), (imap, far), (lmtp, far),
            (move, near))]
        for b in near, far:
            log_lines(DOVECOT_LOG, f"{b.user}.*is locked for more than",
                      after=mark, timeout=60)
        answers[0].result()
        answers[1].result()
        until(lambda: waiting(usage(near)) == 1 and waiting(usage(far)) == 2)
        assert not any(answer.done() for answer in answers[2:])
        for file in (one, two):
            fcntl.flock(file, fcntl.LOCK_UN)
        answers = [answer.result() for answer in answers]
    assert answers[0][0] == "NO" and answers[0][1][0].startswith(b"[INUSE]")
    assert answers[1].code == 451
    assert answers[2][0] == "OK" and answers[3].code == 250
    assert answers[4][0] == "OK"
    assert len(near.sizes()) == 1 and len(far.sizes()) == 3
    assert imap(near)[0] == "OK" and lmtp(near).code == 250


# --- kill -9 ------------------------------------------------------------------

KILLS = 6


def kill_some(name, done):
    """Not the youngest: of those Dovecot thinks that they cannot start, and
    starts no others for a while."""
    dice, seen = random.Random(1), {}

    def grown():
        now = time.monotonic()
        return next((pid for pid in pids_of(name)
                     if now - seen.setdefault(pid, now) > 0.5), None)

    try:
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.1, 0.3))
            with contextlib.suppress(ProcessLookupError):
                os.kill(until(grown), signal.SIGKILL)
    finally:
        done.set()


def save_until(done, b, name, source):
    """The subjects of all that was taken."""
    taken, client = [], None
    while not done.is_set():
        m = b.mail(2000)
        try:
            if name == "lmtp":
                client = client or Lmtp()
                ok = client.deliver(m).code == 250
            else:
                client = client or b.imap(source=source)
                ok = client.append("INBOX", None, None, m)[0] == "OK"
        except (OSError, imaplib.IMAP4.abort):
            client = None
            continue
        if ok:
            taken.append(m.subject)
    return taken


def has_no_old_lock(b):
    """A killed process's dovecot-uidlist.lock, if it is empty yet, is believed for
    two minutes, in which Dovecot shows what it knew before and takes nothing by
    IMAP; it may even give up a moment before they are over."""
    with b.imap() as c:
        c.sock.settimeout(180)
        return c.append("INBOX", None, None, b.mail(1000))[0] == "OK"


def has(b, taken):
    """The subjects in INBOX, once those taken are among them.

    Of the whole mails, not of dovecot.index.cache: a process that is killed
    between dovecot-uidlist and dovecot.index leaves a UID there that the next one
    gives out again (maildir_uidlist_refresh_fast_init() of Dovecot takes it from
    the index).  Dovecot mends that, and both mails stay, but of the one whose
    APPEND was never answered it shows what it has cached of the other: its
    headers, or its own ones cut where the other's end."""
    there = [re.search(r"^Subject: (\w+)", row["text"], re.M)[1] for row in
             doveadm("fetch", "-u", b.user, "text", "mailbox", "INBOX")]
    return there if set(taken) <= set(there) else None


@pytest.mark.parametrize("name", ["lmtp", "imap"])
def test_kill(rules, box, name):
    """In the middle of saves: all that was taken is there, none is there twice,
    also of those that were never answered, and what comes next is counted
    right."""
    most = 30 * K
    rules(limit(f"{most}K"))
    b, done = box(), threading.Event()
    b.fill(1000)
    with ThreadPoolExecutor(7) as pool:
        savers = [pool.submit(save_until, done, b, name, f"198.51.100.{n}")
                  for n in range(100, 106)]
        pool.submit(kill_some, name, done).result()
        taken = sum((saver.result() for saver in savers), [])
    assert len(taken) > KILLS
    until(lambda: has_no_old_lock(b), 180)
    there = until(lambda: has(b, taken))
    assert len(there) == len(set(there))
    used = b.octets()
    left = most * K - used
    with b.imap() as c:
        assert shown(c)[0] == -(-used // K)
        assert is_full(c.append("INBOX", None, None, b.mail(left + 1)))
        assert c.append("INBOX", None, None, b.mail(left))[0] == "OK"
    assert is_full(deliver(b.mail()))
