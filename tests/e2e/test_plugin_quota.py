"""test_plugin_quota - quotas where Dovecot has more than one of something
SPDX-License-Identifier: ISC

Two names of a folder, two mail_users of a delivery, a save inside a save, two
who move the same mail, two words about a limit.
"""
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import until
from quotas import *                                            # noqa: F403

from world.dovecot import LOCAL, restart
from world.postfix import pids_of

SCRIPTS = LOCAL.with_name("imapsieve")


@pytest.fixture
def settings(plugin):
    """settings(for 2.3, for 2.4): Dovecot has these, too, until the test is
    over; behind our lines, as `mailreeve setup dovecot' refuses some."""
    before = LOCAL.read_text()

    def add(old, new):
        LOCAL.write_text(before + (old if is_23() else new))
        restart()

    yield add
    LOCAL.write_text(before)
    restart()


def record(b):
    """The octets that the next commit starts from, see mailbox/quota.h."""
    return int((b.home / "Maildir/mailreeve.usage").read_text().split()[1])


def append(client, folder, m):
    return client.append(folder, None, None, m)


# --- a script saves while a mail is saved -------------------------------------

def imapsieve(script):
    return f"""
protocol imap {{
  mail_plugins = $mail_plugins quota mailreeve imap_quota imap_sieve
}}
plugin {{
  sieve_plugins = sieve_imapsieve
  imapsieve_mailbox1_name = INBOX
  imapsieve_mailbox1_causes = APPEND
  imapsieve_mailbox1_before = file:{script}
}}
""", f"""
protocol imap {{
  mail_plugins {{
    imap_sieve = yes
  }}
}}
sieve_plugins = sieve_imapsieve
mailbox INBOX {{
  sieve_script copies {{
    type = before
    cause = append
    path = {script}
  }}
}}
"""


@pytest.fixture
def script():
    shutil.rmtree(SCRIPTS, ignore_errors=True)
    SCRIPTS.mkdir()
    yield SCRIPTS / "copy.sieve"
    shutil.rmtree(SCRIPTS)


def test_imapsieve(rules, box, settings, script):
    """It does not wait for the lock of the APPEND that it is run for, and what
    it saves is counted."""
    script.write_text('require ["fileinto", "copy", "imapsieve"];\n'
                      'fileinto :copy "Other";\n')
    settings(*imapsieve(script))
    subprocess.run(["sievec", script], check=True, capture_output=True)
    rules(limit("10K"))
    b, mark = box(), log_end(DOVECOT_LOG)
    with b.imap() as c:
        c.create("Other")
        for _ in range(2):
            assert append(c, "INBOX", b.mail(3000))[0] == "OK"
        assert is_full(append(c, "INBOX", b.mail(10 * K - b.octets() + 1)))
    assert (b.sizes("INBOX"), b.sizes("Other")) == ([3000, 3000], [3000])
    assert record(b) >= b.octets()
    log = log_lines(DOVECOT_LOG, "is locked|Panic", timeout=0, after=mark)
    assert not log, log


# --- limits of Dovecot's own --------------------------------------------------

def test_lmtp_asks_twice(rules, box, settings):
    """lmtp_rcpt_check_quota has a mail_user of its own; what the userdb says
    counts for the one that is delivered to, too."""
    settings(*["lmtp_rcpt_check_quota = yes\n"] * 2)
    rules(limit("10K"))
    b = box("userdb_quota_rule=*:storage=30K" if is_23() else
            "userdb_quota_storage_size=30K")
    for _ in range(3):
        assert deliver(b.mail(9000)).code == 250
    assert b.quota()[1] == 30
    assert is_full(deliver(b.mail(9000)))
    assert b.octets() <= 30 * K


def block(text):
    return f'quota "User quota" {{\n  {text}\n}}\n'


@pytest.mark.skipif(is_23(), reason="for Dovecot 2.4")
@pytest.mark.parametrize("text", [
    block("storage_size = 50K") + block("storage_extra = 50M") +
    block("storage_grace = 1M"),
    "quota_storage_extra = 50M\nquota_storage_grace = 1M\n",
    block("storage_percentage = 50") + "quota_storage_percentage = 50\n",
    "namespace inbox {\n  quota_storage_extra = 50M\n}\n",
], ids=["named", "global", "less", "in a namespace"])
def test_settings_of_dovecot_change_no_limit(rules, box, settings, text):
    """Wherever they stand: the policy's is the limit."""
    settings(None, text)
    rules(limit("10K"))
    b = box()
    b.fill(9000)
    assert b.quota() == (9, 10)
    with b.imap() as c:
        assert shown(c) == (9, 10)
        left = 10 * K - 9000
        assert is_full(append(c, "INBOX", b.mail(left + 1)))
        assert append(c, "INBOX", b.mail(left))[0] == "OK"


def test_only_shown(rules, box, settings):
    """Dovecot's own way to enforce no quota."""
    settings("plugin {\n  quota = mailreeve:User quota:noenforcing\n}\n",
             block("enforce = no"))
    rules(limit("10K"))
    b = box()
    b.fill(9000, 9000)
    assert deliver(b.mail(9000)).code == 250
    with b.imap() as c:
        assert shown(c)[1] == 10


# --- folders ------------------------------------------------------------------

def test_alias_namespace(rules, box, settings):
    """The same folders by another name, and measured under both."""
    alias = "namespace inbox {{\n  separator = /\n}}\nnamespace old {{\n" \
        "  prefix = old/\n  separator = /\n  alias_for = {}\n  list = no\n" \
        "  hidden = yes\n}}\n"
    settings(alias.format(""), alias.format("inbox"))
    rules(limit("20K"))
    b = box()
    with b.imap() as c:
        c.create("Lists")
        assert append(c, "INBOX", b.mail(9000))[0] == "OK"
        assert append(c, "old/Lists", b.mail(9000))[0] == "OK"
        assert record(b) >= 18000
        left = 20 * K - 18000
        for folder in ("old/Lists", "old/INBOX", "Lists"):
            assert is_full(append(c, folder, b.mail(left + 1)))
        # a move from one name to another takes no room
        c.select("old/Lists")
        assert c.uid("MOVE", "1", "Trash")[0] == "OK"
        assert append(c, "old/Lists", b.mail(left))[0] == "OK"
    assert b.octets() == 20 * K


def test_ignored_folder(rules, box, settings):
    """It takes any mail; what leaves it for another folder has to fit."""
    settings("plugin {\n  quota_rule = Ignored:ignore\n}\n",
             "namespace inbox {\n  mailbox Ignored {\n"
             '    quota "User quota" {\n      quota_ignore = yes\n'
             "    }\n  }\n}\n")
    rules(limit("20K"))
    b = box()
    with b.imap() as c:
        c.create("Ignored")
        for _ in range(3):
            assert append(c, "Ignored", b.mail(9000))[0] == "OK"
        assert append(c, "INBOX", b.mail(9000))[0] == "OK"
        assert shown(c) == (9, 20)
        c.select("INBOX")
        assert c.uid("COPY", "1", "Ignored")[0] == "OK"
        c.select("Ignored")
        assert c.uid("MOVE", "1", "INBOX")[0] == "OK"
        assert is_full(c.uid("MOVE", "2", "INBOX"))
        assert shown(c) == (18, 20)
    assert b.sizes("INBOX") == [9000] * 2
    assert b.sizes("Ignored") == [9000] * 3


def test_a_folder_that_cannot_be_counted(rules, box):
    """The mail is kept.  The record does not forget what was there before."""
    rules(limit("10K"))
    b = box()
    with b.imap() as c:
        c.create("Broken")
    b.fill(200, folder="Broken")
    b.fill(3000, 3000, 3000)
    folder, lost = b.home / "Maildir/.Broken/cur", b.home / "lost"
    until(lambda: not pids_of("imap"))  # one that ends makes it anew
    folder.rename(lost)
    folder.touch()
    for index in (b.home / "Maildir").glob("dovecot.list.index*"):
        index.unlink()
    assert deliver(b.mail(3000)).code == 250
    there = sum(b.sizes("INBOX"))
    assert there > 10 * K
    assert record(b) >= there
    folder.unlink()
    lost.rename(folder)
    assert is_full(deliver(b.mail(400)))


# --- the same mail, moved by several ------------------------------------------

MOVERS, MAILS = 6, 20


def test_moves_at_once(rules, box):
    """Each may get a copy of its own, and the record knows them all."""
    rules(limit("2M"))
    b = box()
    clients = [b.imap() for _ in range(MOVERS)]
    for n in range(MOVERS):
        clients[0].create(f"To{n}")
    for _ in range(5):
        assert append_many(clients[0], "INBOX", [
            b.mail(2000) for _ in range(MAILS)])[0] == "OK"
        for c in clients:
            c.select("INBOX")
        start = threading.Barrier(MOVERS)

        def move(n):
            start.wait()
            return clients[n].uid("MOVE", "1:*", f"To{n}")[0]

        with ThreadPoolExecutor(MOVERS) as pool:
            list(pool.map(move, range(MOVERS)))
        assert record(b) >= b.octets()
    for c in clients:
        c.logout()
