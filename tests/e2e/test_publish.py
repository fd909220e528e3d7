"""test_publish - how full a mailbox is, as the plugin tells mailreeve-policyd
SPDX-License-Identifier: ISC
"""
import contextlib
import itertools
import os
import re
import signal
import socket
import time

import pytest
from conftest import run
from milterd import stopped, wait_until
from policyd import NOT_COUNTED, Told
from quotas import *                                     # noqa: F403

from world.imap import RawImap
from world.load import message
from world.message import Mail


@pytest.fixture
def published(rules):                                           # noqa: F811
    with Told.folder():
        rules(limit("1M") + Told.section_usage)
        yield


@pytest.fixture
def told(published):
    with Told() as policyd:
        yield policyd


def mails(box, count):                                          # noqa: F811
    one = Mail(message("one", 2000))
    one.sender, one.to = "someone@sender.example", [box.user]
    return [one] * count


def test_each_change(told, box):                                # noqa: F811
    """One report for each commit, whatever it is."""
    ann, bob = box(), box()
    for one in mails(ann, 2):
        assert deliver(one, ann.user, bob.user).code == 250
    told.took(4)
    assert lda(ann.user, ann.mail(3000)).returncode == 0
    told.took(5)
    told.knows(ann, NOT_COUNTED)        # but for the first
    told.knows(bob, NOT_COUNTED)
    client = RawImap(ann.user)
    assert client.cmd("APPEND INBOX", message("one", 5000)).ok
    client.select("INBOX")
    assert client.cmd("CREATE Work").ok
    assert client.cmd("COPY 1:* Work").ok
    told.knows(ann, 8)
    before = told.taken()
    assert client.cmd("STORE 1:3 +FLAGS (\\Deleted)").ok
    assert client.cmd("EXPUNGE").ok
    told.knows(ann, 5)
    assert told.taken() == before + 1
    assert client.cmd("MOVE 1 Work").ok
    assert client.cmd("CLOSE").ok
    assert client.cmd("DELETE Work").ok
    told.knows(ann, 0)
    assert client.cmd("APPEND INBOX", message("one", 5000)).ok
    client.cmd("LOGOUT")        # before its timer
    told.knows(ann, 1)
    run("doveadm", "expunge", "-u", bob.user, "mailbox", "INBOX", "1")
    told.knows(bob, 1)


def test_what_a_report_says(published, box):                    # noqa: F811
    """`saved' is the mail of a delivery, once, however many folders Sieve
    puts it into; `time' is when counting began.  As the first folder's was
    counted just now, the second's is not: both tell what is let in, and what
    was counted is told at the end."""
    ann, before = box(), time.clock_gettime(time.CLOCK_BOOTTIME)
    ann.script('require ["fileinto", "mailbox"];\n'
               'fileinto :create "Work";\nkeep;\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"{Told.place}/usage.sock")
        os.chmod(f"{Told.place}/usage.sock", 0o666)
        sock.settimeout(60)
        assert deliver(ann.mail(3000)).code == 250
        client = RawImap(ann.user)
        assert client.cmd("APPEND INBOX", message("one", 5000)).ok
        said = [dict(line.split("=", 1) for line in sock.recv(4096).decode()
                     .removesuffix("\n\n").split("\n")) for _ in range(4)]
        client.close()
    one, two, three = ann.sizes()
    assert [(int(s["bytes"]), s.get("messages")) for s in said] == \
        [(one + two, None), (one + two, None), (one + two, "2"),
         (one + two + three, "3")]
    assert [s.get("saved") for s in said] == [str(one), None, None, None]
    assert {(s["mailbox"], s["limit"]) for s in said} == \
        {(ann.user, str(1 << 20))}
    times = [int(s["time"]) / 1000 for s in said]
    assert before - 0.01 < times[0] <= times[1] <= times[2] < times[3]
    assert times[3] < time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.mark.parametrize("most,messages", [
    (1 << 20, (9, NOT_COUNTED)), (48 << 10, 9)])
def test_parallel_deliveries(told, box, rules,                  # noqa: F811
                             most, messages):
    """Each has counted before the others saved, or nobody has, as there is
    room: what it tells is true."""
    rules(limit(most) + Told.section_usage)
    ann = box()
    assert deliver(ann.mail(26000)).code == 250
    clients = [Lmtp() for _ in range(8)]
    for client, one in zip(clients, mails(ann, 8)):
        client.envelope(one)
        client.cmd("DATA")
    for client, one in zip(clients, mails(ann, 8)):
        client.sock.sendall(one + b".\r\n")
    for client in clients:
        assert client.read().code == 250
        client.close()
    told.knows(ann, messages, most)


def append_and_publish(b, why):
    """By IMAP, which says nothing of it; then by doveadm, which says why not."""
    client = RawImap(b.user)
    assert client.cmd("APPEND INBOX", message("one", 5000)).ok
    client.close()
    failed = run("doveadm", "mailreeve", "publish", "-u", b.user, check=False)
    assert failed.returncode == 75
    assert why in failed.stderr


def test_lost_reports_heal(published, box):                     # noqa: F811
    """Nobody listens: mail is saved as ever, and no error is told."""
    mark = log_end(DOVECOT_LOG)
    ann = box()
    for one in mails(ann, 2):
        assert deliver(one).code == 250
    append_and_publish(ann, "is mailreeve-policyd there?")
    with open(DOVECOT_LOG, "rb") as log:
        log.seek(mark)
        assert not re.search(rb"Error|Warning", log.read())
    with Told() as told:
        run("doveadm", "mailreeve", "publish", "-A")
        told.knows(ann, 3)


def report_as(uid, user, octets):
    """What any program of that user could send."""
    child = os.fork()
    if child == 0:
        try:
            os.setgid(uid)
            os.setuid(uid)
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.connect(f"{Told.place}/usage.sock")
                sock.send(f"request=mailreeve_usage\nmailbox={user}\n"
                          f"bytes={octets}\nmessages=1\nlimit=0\n\n"
                          .encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def test_another_mail_user_marks_nobody_full(told, boxes):      # noqa: F811
    """Of users who are ones of the system, each reports his own mailbox."""
    ann, mallory = (boxes.take(f"userdb_uid={uid} userdb_gid={uid}")
                    for uid in (6001, 6002))
    for box, uid in ((ann, 6001), (mallory, 6002)):             # noqa: F811
        run("install", "-d", "-o", "vmail", "-m", "755", box.home.parent)
        run("rm", "-rf", box.home)      # `publish -A' may have made it
        run("install", "-d", "-o", str(uid), "-g", str(uid), box.home)
        client = RawImap(box.user)
        assert client.cmd("APPEND INBOX", message("one", 5000)).ok
        client.cmd("LOGOUT")
        client.close()
        told.knows(box, 1)
    told.took(2)
    report_as(6002, ann.user, 1 << 30)
    wait_until(lambda: told.status()["reports"].startswith(
        "2 taken, 1 refused"), "it is refused")
    assert told.lines("usage report by uid=6002: .*not taken")
    report_as(6002, mallory.user, 1 << 30)      # only himself
    told.took(3)
    told.knows(ann, 1)


def send_junk():
    """How many datagrams its queue, or one sender's buffer, takes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(f"{Told.place}/usage.sock")
        for count in itertools.count():
            try:
                sock.send(b"\n")
            except BlockingIOError:
                return count


def test_policyd_that_does_not_read(told, box):                 # noqa: F811
    """Whoever waited for it would wait for ever."""
    ann = box()
    with stopped(told.pid):
        while send_junk():
            pass
        for one in mails(ann, 3):
            assert deliver(one).code == 250
        append_and_publish(ann, "send: ")
    run("doveadm", "mailreeve", "publish", "-u", ann.user)
    told.knows(ann, 4)
