"""test_soak - sessions, deliveries and purges together, at random
SPDX-License-Identifier: ISC

For SOAK_SECONDS, with the random numbers of SOAK_SEED.  No mail is lost, none
comes back, nothing is damaged, nobody has more than he may, and Dovecot has
nothing to complain of.
"""
import os
import random
import time

import pytest
from conftest import run

from world import DOVECOT_LOG, doveadm, log_end, log_lines
from world.dovecot import Boxes, is_23
from world.ledger import Ledger
from world.load import FOLDERS, Load
from world.postfix import pids_of, until
from world.process import files, has_sanitizer, memory
from world.seed import DAY, line, save

SECONDS = int(os.environ.get("SOAK_SECONDS", 5))
SEED = os.environ.get("SOAK_SEED") or str(random.randrange(10**6))
K = 1024
LIMIT, TRASH = 600 * K, 100 * K
# KB: Dovecot's indexes of a busy mailbox grow by as much with its own quota;
# test_memory.py compares the two
MOST_MORE = 4096
POLICY = f"""\
hostname = mx.lab.example
maps {{
	domains   = lmdb:/etc/postfix/virtual_domains
	aliases   = lmdb:/etc/postfix/virtual
	mailboxes = userdb:/run/dovecot/auth-userdb
}}
mailbox {{
	quota = {LIMIT // K}K
	trash = {TRASH // K}K
}}
keep {{
	share = 100%
}}
purge Trash Junk {{
	after = 3d
}}
"""
# no warning adds to his mailbox, and no Trash
STRICT = """\
user {user} {{
	mailbox {{
		warn_command = /bin/true
		trash = 0
	}}
}}
"""
STORES = (
    "", "",
    "userdb_mail=sdbox:{home}/mail" if is_23() else
    "userdb_mail_driver=sdbox userdb_mail_path={home}/mail "
    "userdb_mail_inbox_path=",
    "userdb_mail=mdbox:{home}/mail" if is_23() else
    "userdb_mail_driver=mdbox userdb_mail_path={home}/mail "
    "userdb_mail_inbox_path=",
)


@pytest.fixture
def users(policy):
    boxes = Boxes(len(STORES))
    found = [boxes.take(fields) for fields in STORES]
    policy(POLICY + "".join(STRICT.format(user=box.user)
                            for box in found[::2]))
    yield found
    until(lambda: not pids_of("imap"))
    boxes.remove()


def mails(user):
    return [(row["mailbox"], int(row["uid"]), row["hdr.subject"],
             int(row["size.virtual"]))
            for row in doveadm("fetch", "-u", user,
                               "mailbox uid hdr.subject size.virtual", "all")]


def old_mail(box, rng, strict):
    """Mail that becomes due while the test runs, some that is so already, and
    some that never will be; flagged mail stays."""
    user, now = box.user, time.time()
    dues, lines = {}, []
    for folder in FOLDERS:
        for n in range(40):
            name = f"seed{folder}{n}"
            age = 3 * DAY - rng.uniform(-1.5 * SECONDS, SECONDS / 4)
            flagged = n % 10 == 0
            lines.append(line(user, folder, age, name,
                              "F" if flagged else "-", now=now))
            if folder in ("Trash", "Junk") and not flagged:
                dues[name] = int(now) - int(age) + 3 * DAY
    save(lines, "-u", user)
    ledger = Ledger(user, LIMIT) if strict else Ledger(
        user, LIMIT, TRASH, slack=40 * K)
    for folder, uid, name, size in mails(user):
        ledger.saved(folder, uid, name, size, dues.get(name))
    return ledger


def exact(user):
    """Octets and messages, as the plugin counts them."""
    [row] = doveadm("mailreeve", "quota", "-u", user)
    return int(row["used"]), int(row["messages"])


def look_at(ledger, box):
    """What is wrong when all is over."""
    there, quota = mails(box.user), doveadm("quota", "get", "-u", box.user)
    wrong = ledger.compare(there)
    octets = sum(row[3] for row in there)
    if exact(box.user) != (octets, len(there)):
        wrong.append(f"{box.user}: {octets} octets, {len(there)} mails, but "
                     f"{exact(box.user)}")
    run("doveadm", "quota", "recalc", "-u", box.user)
    if doveadm("quota", "get", "-u", box.user) != quota:
        wrong.append(f"{box.user}: recalc changes {quota}")
    [record] = box.home.glob("*/mailreeve.usage")
    if int(record.read_text().split()[1]) < octets:
        wrong.append(f"{record}: {record.read_text()}, there are {octets}")
    return wrong


def grown(load, before):
    """How much the sessions that stayed have grown, in KB."""
    for pid in load.staying:
        kept = [path for path in files(pid) if "mailreeve" in path]
        assert not kept, f"{pid} keeps {kept}"
    return {pid: memory(pid) - before[pid] for pid in before}


def test_soak(users):
    print(f"SOAK_SEED={SEED}")
    rng, start = random.Random(SEED), log_end(DOVECOT_LOG)
    run("mailreeve", "clock", "--clock-ok")
    ledgers = [old_mail(box, rng, strict=n % 2 == 0)
               for n, box in enumerate(users)]
    run("doveadm", "mailreeve", "purge", "-n", "-A")
    load = Load(ledgers, SEED)
    try:
        load.run(SECONDS / 4)
        before = {pid: memory(pid) for pid in load.staying}
        load.run(SECONDS * 3 / 4)
    finally:
        print(dict(load.replies), f"doveadm: {load.purges}",
              [one.count for one in ledgers])
    growth = grown(load, before)
    sanitized = any(has_sanitizer(pid) for pid in growth)
    print(f"KB of sessions that stayed: {before}, and later more: {growth}")
    load.stop()
    until(lambda: not pids_of("imap"))
    time.sleep(1.1)
    run("doveadm", "mailreeve", "purge", "--full", "-A")
    wrong = [text for ledger, box in zip(ledgers, users)
             for text in look_at(ledger, box)]
    assert not wrong, "\n".join(wrong)
    # on a busy machine somebody may wait too long, and is told to come again
    assert not [text for text in log_lines(
        DOVECOT_LOG, "Error|Fatal|Panic|Warning|assert|trace", timeout=0,
        after=start) if "is locked for more than" not in text]
    assert sanitized or max(growth.values()) < MOST_MORE
