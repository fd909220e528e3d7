"""test_quota_waiting - what happens while a save or a move waits for the lock
SPDX-License-Identifier: ISC

Whoever waits has looked at the mailbox before: others may have taken the room,
or the very mail that is to move.
"""
import contextlib
import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import until
from quotas import *                                            # noqa: F403

STORES = {
    "maildir": "",
    "sdbox": "userdb_mail=sdbox:{home}/mail" if is_23() else
             "userdb_mail_driver=sdbox userdb_mail_path={home}/mail "
             "userdb_mail_inbox_path=",
    "mdbox": "userdb_mail=mdbox:{home}/mail" if is_23() else
             "userdb_mail_driver=mdbox userdb_mail_path={home}/mail "
             "userdb_mail_inbox_path=",
}
LIMIT = 100 * K
FOLDERS = ["Lists", "News", "Work"]


def usage(b):
    [path] = b.home.glob("*/mailreeve.usage")
    return path


@contextlib.contextmanager
def held(b):
    """The lock of his mailbox; gives what waits until so many want it."""
    with open(usage(b)) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield lambda count: until(lambda: waiting(usage(b)) == count)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as threads:
        yield threads


def full_box(box, store, *sizes):
    """A box whose INBOX has mails of such sizes first, and no room."""
    b = box(STORES[store])
    with b.imap() as c:
        for folder in FOLDERS:
            c.create(folder)
    b.fill(*sizes, LIMIT - sum(sizes))
    assert b.octets() == LIMIT
    return b


@pytest.mark.parametrize("store", STORES)
def test_moves_of_one_mail(rules, box, pool, store):
    """At once, to different folders: one of them moves it, and the others hear
    that it is gone.  Stock Dovecot has it several times then."""
    rules(limit("100K"))
    b = full_box(box, store, 5000, 4000, 3000)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(b.imap("INBOX")) for _ in FOLDERS]
        with held(b) as wait:
            moves = []
            for client, folder in zip(clients, FOLDERS):
                moves.append(pool.submit(
                    client._simple_command, "MOVE", "1:2", folder))
                wait(len(moves))
        answers = sorted(move.result()[0] for move in moves)
        texts = [str(move.result()[1]) for move in moves]
    assert b.octets() == LIMIT, answers
    assert answers == ["NO", "NO", "OK"]
    assert sum("EXPUNGEISSUED" in text for text in texts) == 2, texts
    assert b.sizes().count(5000) == b.sizes().count(4000) == 1


@pytest.mark.parametrize("store", STORES)
def test_replaces_of_one_mail(rules, box, pool, store):
    """REPLACE (RFC 8508), not in 2.3: what goes for the new mail goes once."""
    rules(limit("100K"))
    b = full_box(box, store, 5000, 4000)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(b.imap("INBOX")) for _ in range(2)]
        if b"REPLACE" not in clients[0].capability()[1][0]:
            pytest.skip("this Dovecot has no REPLACE")

        def replace(client):
            m, tag = b.mail(5000), client._new_tag()
            client.send(tag + b" REPLACE 1 INBOX {%d+}\r\n%s\r\n" % (
                len(m), m))
            return client._command_complete("REPLACE", tag)

        with held(b) as wait:
            answers = []
            for client in clients:
                answers.append(pool.submit(replace, client))
                wait(len(answers))
        answers = [answer.result() for answer in answers]
    assert b.octets() <= LIMIT, answers
    assert sorted(answer[0] for answer in answers) == ["NO", "OK"], answers


def test_long_wait(rules, box, pool):
    """The lock is held for more than two seconds, which a small mail in a nearly
    empty mailbox can wait for.  Let in without it, it would be on no record, and
    another one could take all the room that was there when it looked."""
    rules(limit("100K"))
    b = box()
    b.fill(500)
    mark = log_end(DOVECOT_LOG)
    with b.imap() as small, b.imap() as large:
        with held(b) as wait:
            one = pool.submit(append_many, small, "INBOX", [b.mail(400)])
            wait(1)
            time.sleep(1.5)     # so that this one waits when the other has
            two = pool.submit(append_many, large, "INBOX",
                              [b.mail(LIMIT - 500)])
            wait(2)
            log_lines(DOVECOT_LOG, f"{b.user}.*is locked for more than",
                      after=mark)
            until(lambda: one.done() or waiting(usage(b)) == 2)
        answers = [one.result(), two.result()]
    assert b.octets() <= LIMIT, answers
    assert sorted(answer[0] for answer in answers) == ["NO", "OK"], answers


@pytest.mark.parametrize("store", STORES)
def test_mail_of_the_same_moment(rules, box, store):
    """A session counts what another process has just saved, also where a
    Maildir's time does not show it, as a clock has ticks."""
    rules(limit("100K"))
    b = full_box(box, store, 5000)
    with b.imap("INBOX") as c:
        c.store("1", "+FLAGS", r"\Deleted")
        c.expunge()
        dirs = [path for path in b.home.glob("Maildir/*")
                if path.name in ("cur", "new")]
        before = [os.stat(path) for path in dirs]
        assert deliver(b.mail(3000)).code == 250
        for path, stat in zip(dirs, before):
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        assert is_full(append_many(c, "Lists", [b.mail(4000)]))
    assert b.octets() <= LIMIT
