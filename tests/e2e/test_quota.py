"""test_quota - nobody's mailbox holds more than the policy says
SPDX-License-Identifier: ISC

Everything by Dovecot itself, without Postfix: IMAP, LMTP, dovecot-lda, doveadm.
"""
import poplib

import pytest
from conftest import run
from quotas import *                                            # noqa: F403

from world import MX, TLS, password, send, wait_for_queue, where


# --- what is refused ----------------------------------------------------------

def test_append_up_to_the_last_octet(rules, box):
    rules(limit("10K"))
    b = box()
    with b.imap() as c:
        for size in [1000] * 9:
            assert c.append("INBOX", None, None, b.mail(size))[0] == "OK"
        assert is_full(c.append("INBOX", None, None, b.mail(1241)))
        assert is_full(c.append("Trash", None, None, b.mail(1241)))
        assert c.append("INBOX", None, None, b.mail(1240))[0] == "OK"
        assert is_full(c.append("INBOX", None, None, b.mail()))
        assert shown(c) == (10, 10)
    assert b.octets() == 10 * K


def test_lmtp(rules, box):
    rules(limit("10K"))
    b = box()
    assert deliver(b.mail(1000)).code == 250
    [size] = b.sizes()
    b.fill(10 * K - 2 * size - 1)
    assert is_full(deliver(b.mail(1002)))
    assert deliver(b.mail(1001)).code == 250
    assert b.octets() == 10 * K
    assert is_full(deliver(b.mail()))


def test_lmtp_full_is_reject(rules, box, dovecot):
    rules(limit("1K", "\tfull = reject\n"))
    dovecot(SIEVE)
    b = box()
    reply = deliver(b.mail(2000))
    assert (reply.code, reply.enhanced) == (552, "5.2.2")
    ran = lda(b.user, b.mail(2000), "-e")
    assert ran.returncode == 77, ran.stderr
    assert b"Quota exceeded" in ran.stderr
    assert b.sizes() == []


def test_lmtp_full_is_defer(rules, box):
    """For each recipient his own reply."""
    rules(limit("10K"))
    full, free = box(), box()
    full.fill(10 * K)
    with Lmtp() as c:
        m = full.mail(1000)
        c.envelope(m, full.user, free.user, full.user)
        reply = c.data(m)
        assert (reply.code, reply.enhanced) == (452, "4.2.2")
        assert c.read().code == 250
    assert len(full.sizes()) == 1 and len(free.sizes()) == 1


def test_lda(rules, box):
    rules(limit("10K"))
    b = box()
    assert lda(b.user, b.mail(1000)).returncode == 0
    [size] = b.sizes()
    b.fill(10 * K - 2 * size - 1)
    ran = lda(b.user, b.mail(1002))
    assert ran.returncode == 75, ran.stderr
    assert lda(b.user, b.mail(1001)).returncode == 0
    assert b.octets() == 10 * K


def test_copy(rules, box):
    rules(limit("10K"))
    b = box()
    b.fill(3000, 3000, 1000)
    with b.imap("INBOX") as c:
        c.create("Lists")
        assert is_full(c.copy("1", "INBOX")) is False
        assert c.select("INBOX")[0] == "OK"
        assert is_full(c.copy("1", "Lists"))
        assert is_full(c.copy("3", "Lists"))
        assert b.octets() == 10000


def test_all_or_nothing(rules, box):
    """Of mails that come in one command."""
    rules(limit("10K"))
    b = box()
    b.fill(3000, 3000)
    with b.imap("INBOX") as c:
        c.create("Lists")
        assert is_full(c.copy("1:2", "Lists"))
        assert b.sizes("Lists") == []
        assert is_full(append_many(c, "Lists", [b.mail(2200)] * 2))
        assert b.sizes("Lists") == []
        assert append_many(c, "Lists", [b.mail(2120)] * 2)[0] == "OK"
    assert b.octets() == 10 * K


def test_sieve_fileinto(rules, box):
    rules(limit("10K"))
    b = box()
    b.script('require ["fileinto", "mailbox"];'
             'fileinto :create "Lists";')
    assert deliver(b.mail(1000)).code == 250
    [size] = b.sizes("Lists")
    b.fill(10 * K - 2 * size - 1)
    assert is_full(deliver(b.mail(1002)))
    assert lda(b.user, b.mail(1500)).returncode == 75
    assert deliver(b.mail(1001)).code == 250
    assert b.sizes("Lists") == [size, size + 1]
    assert b.octets() == 10 * K


def test_sieve_two_folders_and_room_for_one(rules, box):
    """Pigeonhole of 2.3 says 250 if one of the two was stored, that of 2.4
    says what became of the last.  In neither case there is too much."""
    rules(limit("10K"))
    b = box()
    b.script('require ["fileinto", "mailbox", "copy"];'
             'fileinto :create :copy "Lists"; keep;')
    assert deliver(b.mail(3000)).code == 250
    reply = deliver(b.mail(3000))
    assert reply.code == 250 or is_full(reply)
    assert len(b.sizes("Lists")) == 2 and len(b.sizes("INBOX")) == 1
    assert b.octets() <= 10 * K


@pytest.mark.parametrize("script", [
    'require "fileinto"; fileinto "INBOX";',
    'require "fileinto"; fileinto "INBOX"; stop;',
    'require ["fileinto", "imap4flags"]; addflag "\\\\Flagged";'
    ' fileinto "INBOX";',
    'require ["fileinto", "mailbox"]; fileinto :create "Lists";'
    ' fileinto "INBOX";',
    'require ["fileinto", "mailbox"]; fileinto "INBOX";'
    ' fileinto :create "Lists";'])
def test_sieve_into_a_full_mailbox(rules, box, script):
    """Pigeonhole takes a mail for kept when INBOX could not be committed."""
    rules(limit("10K"))
    b = box()
    b.script(script)
    b.fill(9000)
    assert is_full(deliver(b.mail(3000)))
    assert lda(b.user, b.mail(3000)).returncode == 75
    assert b.sizes() == [9000]


def test_postfix(rules, box):
    """It keeps the mail, and delivers it when there is room."""
    rules(limit("10K"))
    b = box()
    b.fill(9000)
    m = b.mail(3000)
    send(m)
    [left] = wait_for_queue()
    [to] = left["recipients"]
    assert "452 4.2.2" in to["delay_reason"]
    doveadm("expunge", "-u", b.user, "mailbox", "INBOX", "all")
    run("postqueue", "-f")
    assert where(m.subject, timeout=60) == [(b.user, "INBOX")]


# --- what still works at 100 % ------------------------------------------------

@pytest.fixture
def full(rules, box):
    """A mailbox in which there is room for nothing."""
    rules(limit("10K", "\ttrash = 3K\n"))
    b = box()
    b.fill(3000, 3000, 3000, 1240)
    return b


def test_full_expunge(full):
    with full.imap("INBOX") as c:
        c.store("1", "+FLAGS", r"\Deleted")
        assert c.expunge()[0] == "OK"
        assert c.append("INBOX", None, None, full.mail(3000))[0] == "OK"
        assert is_full(c.append("INBOX", None, None, full.mail()))
    doveadm("expunge", "-u", full.user, "mailbox", "INBOX", "1")
    assert deliver(full.mail(1000)).code == 250


def test_full_pop3(full):
    c = poplib.POP3_SSL(MX, context=TLS)
    c.user(full.user)
    c.pass_(password(full.user))
    c.dele(1)
    c.quit()
    assert full.octets() == 10 * K - 3000
    assert deliver(full.mail(1000)).code == 250


def test_full_move(full):
    with full.imap("INBOX") as c:
        c.create("Lists")
        for folder in ("Lists", "Trash"):
            assert c._simple_command("MOVE", "1", folder)[0] == "OK"
        assert full.sizes("Trash") == full.sizes("Lists") == [3000]
        assert is_full(c.append("INBOX", None, None, full.mail()))
    assert full.octets() == 10 * K


@pytest.mark.parametrize("folder", ["Trash", "Lists"])
def test_move_from_more_than_full(full, rules, folder):
    """An admin lowered the quota, or the Trash had its allowance."""
    rules(limit("5K", "\ttrash = 3K\n"))
    with full.imap("INBOX") as c:
        c.create("Lists")
        assert c._simple_command("MOVE", "1:2", folder)[0] == "OK"
        assert c._simple_command("MOVE", "1", folder)[0] == "OK"
    assert full.sizes(folder) == [3000] * 3
    assert full.octets() == 10 * K


def test_full_copy_to_trash(full):
    """As clients delete that know no MOVE; there is an allowance for it."""
    with full.imap("INBOX") as c:
        assert c.copy("1", "Trash")[0] == "OK"
        assert full.octets() == 10 * K + 3000
        assert is_full(c.copy("4", "Trash"))
        assert is_full(c.append("Trash", None, None, full.mail()))
        assert is_full(c.append("INBOX", None, None, full.mail()))
        c.store("1", "+FLAGS", r"\Deleted")
        assert c.expunge()[0] == "OK"
        assert c.copy("1", "Trash")[0] == "OK"
    assert full.sizes("Trash") == [3000, 3000]


def test_trash_allowance_is_nobody_elses(full):
    """Neither a delivery's nor that of a copy elsewhere."""
    full.script('require "fileinto"; fileinto "Trash";')
    assert is_full(deliver(full.mail()))
    with full.imap("INBOX") as c:
        c.create("Lists")
        assert is_full(c.copy("4", "Lists"))
        c.create("Trash.2025")
        assert is_full(c.copy("4", "Trash.2025"))
    assert full.octets() == 10 * K


def test_trash_allowance_is_the_size_of_a_mail(rules, box):
    rules("message {\n\tsize = 2K\n}\n" + limit("10K"))
    b = box()
    b.fill(6143, 2048, 2049)
    with b.imap("INBOX") as c:
        assert is_full(c.copy("3", "Trash"))
        assert c.copy("2", "Trash")[0] == "OK"
        assert is_full(c.append("INBOX", None, None, b.mail()))


def test_full_replace(full):
    """REPLACE (RFC 8508) of a mail by one that is not larger; not in 2.3."""
    with full.imap("INBOX") as c:
        if b"REPLACE" not in c.capability()[1][0]:
            pytest.skip("this Dovecot has no REPLACE")
        for size, answer in ((3001, b" NO [OVERQUOTA]"), (3000, b" OK ")):
            tag = c._new_tag()
            m = full.mail(size)
            c.send(tag + b" REPLACE 1 INBOX {%d+}\r\n%s\r\n" % (size, m))
            lines = [c.readline()]
            while not lines[-1].startswith(tag):
                lines.append(c.readline())
            assert lines[-1].startswith(tag + answer), lines
    assert full.octets() == 10 * K
