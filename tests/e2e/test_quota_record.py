"""test_quota_record - a delivery far from the limit goes by the record of what
is there at most, and is not counted
SPDX-License-Identifier: ISC
"""
import os
import socket
import time

import pytest
from conftest import until
from quotas import *                                            # noqa: F403

HOUR = 3600


def record_of(b):
    """Its file, and its words: format, octets, level, scan, count."""
    [path] = b.home.glob("*/mailreeve.usage")
    return path, path.read_text().split()


def write_record(b, words):
    with record_of(b)[0].open("r+") as file:
        file.write(" ".join(words).ljust(63) + "\n")
    time.sleep(0.05)        # a count begins behind the time of the file


def make_older(b, seconds):
    """As if the last count were so long ago."""
    words = record_of(b)[1]
    words[4] = str(int(words[4]) - seconds)
    write_record(b, words)


def put_behind_its_back(b, octets):
    """A mail that no program of Dovecot has saved."""
    [new] = b.home.glob("*/new")
    text = "Subject: x\r\n\r\n" + "x" * (octets - 14)
    path = new / f"{time.time_ns()}.x.mx,S={octets},W={octets}"
    path.write_text(text, newline="")
    user = new.stat()
    path.chmod(0o600)
    os.chown(path, user.st_uid, user.st_gid)


def expunge(client):
    client.store("1", "+FLAGS", r"\Deleted")
    client.expunge()


@pytest.fixture
def delivered(rules, box):
    """delivered(OCTETS): a mailbox of 100K that has got such a mail, and was
    counted for it."""
    def one(octets):
        b = box()
        assert deliver(b.mail(octets)).code == 250
        return b

    rules(limit("100K"))
    return one


def test_it_is_trusted_for_an_hour(delivered):
    """What comes by no commit deliveries see later."""
    b = delivered(1000)
    assert abs(int(record_of(b)[1][4]) - time.time()) < 60
    put_behind_its_back(b, 90000)
    make_older(b, HOUR - 100)
    older = record_of(b)[1][4]
    assert deliver(b.mail(20000)).code == 250
    words = record_of(b)[1]
    assert int(words[1]) < 25000 and words[4] == older
    make_older(b, 100)
    assert is_full(deliver(b.mail()))


def test_not_if_somebody_has_seen_more(delivered):
    """As a session that counts, or doveadm, does."""
    for see in (lambda b: b.quota(), lambda b: b.imap().getquotaroot("INBOX"),
                lambda b: doveadm("mailreeve", "quota", "-u", b.user)):
        b = delivered(1000)
        put_behind_its_back(b, 90000)
        see(b)
        assert record_of(b)[1][4] == "0"
        assert is_full(deliver(b.mail(20000)))


def test_more_than_half_is_counted(delivered):
    b = delivered(60000)
    make_older(b, 100)
    assert deliver(b.mail(1000)).code == 250
    assert abs(int(record_of(b)[1][4]) - time.time()) < 60


def test_room_that_is_on_no_record(delivered):
    """Of what was expunged it knows nothing; nobody is refused for that."""
    b = delivered(45000)
    with b.imap("INBOX") as c:
        expunge(c)
    assert int(record_of(b)[1][1]) > 45000
    assert deliver(b.mail(90000)).code == 250
    assert is_full(deliver(b.mail(20000)))


def test_what_is_saved_without_a_limit(rules, delivered):
    """It is on no record, so the next delivery counts."""
    b = delivered(1000)
    rules("mailbox {\n\tquota = unlimited\n}\n")
    assert deliver(b.mail(90000)).code == 250
    assert record_of(b)[1][4] == "0"
    rules(limit("100K"))
    assert is_full(deliver(b.mail(20000)))


def test_a_clock_that_was_ahead(delivered):
    b = delivered(1000)
    put_behind_its_back(b, 90000)
    make_older(b, -HOUR)
    assert is_full(deliver(b.mail(20000)))


def test_the_record_of_an_older_version(delivered):
    """It says nothing of a count: so one is made."""
    b = delivered(1000)
    put_behind_its_back(b, 90000)
    write_record(b, ["1", *record_of(b)[1][1:4]])
    assert is_full(deliver(b.mail(20000)))


def test_a_larger_record_than_the_rest(delivered):
    """What is at the end of a delivery asked of Dovecot is what is there."""
    b = delivered(40000)
    with b.imap("INBOX") as c:
        expunge(c)
        assert shown(c)[0] == 0
        assert deliver(b.mail(1000)).code == 250
        until(lambda: c.noop()[0] == "OK" and 1 <= shown(c)[0] <= 2)
    assert int(record_of(b)[1][1]) > 40000


def test_what_is_published(delivered):
    """The record, as what is there at most, by a delivery that is not counted;
    else what was counted."""
    def report():
        told = dict(line.split("=", 1)
                    for line in sock.recv(4096).decode().split())
        assert told["mailbox"] == b.user
        assert int(told["limit"]) == 100 * 1024
        return told

    def report_of(mail):
        assert deliver(mail).code == 250
        while "saved" not in (told := report()):
            pass                    # the session may just tell its end
        return told

    b = delivered(30000)
    with b.imap("INBOX") as c:
        expunge(c)
    path = "/run/mailreeve/usage.sock"
    assert not os.path.exists(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        try:
            os.chmod(path, 0o666)
            sock.settimeout(10)
            told = report_of(b.mail(1000))
            assert "messages" not in told
            assert told["bytes"] == record_of(b)[1][1]
            assert 31000 <= int(told["bytes"]) < 35000
            assert 1000 <= int(told["saved"]) < 3000
            assert is_full(deliver(b.mail(101000)))     # so it is counted
            told = report()
            assert told["messages"] == "1"
            assert 1000 <= int(told["bytes"]) < 3000
            assert "saved" not in told
            told = report_of(b.mail(60000))     # no more far
            assert told["messages"] == "2"
            assert 61000 <= int(told["bytes"]) < 65000
        finally:
            os.unlink(path)
