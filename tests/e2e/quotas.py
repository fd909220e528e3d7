"""quotas - what the tests of quotas share: a Dovecot, mailboxes, policies
SPDX-License-Identifier: ISC

    from quotas import *
"""
import os
import pathlib
import re

import pytest

from world import DOVECOT_LOG, doveadm, log_end, log_lines
from world.dovecot import (LOCAL, Boxes, Lmtp, append_many, configure, deliver,
                           is_23, lda, restart)

__all__ = ["DOVECOT_LOG", "K", "Lmtp", "SIEVE", "append_many", "box", "boxes",
           "deliver", "dovecot", "doveadm", "is_23", "is_full", "lda", "limit",
           "log_end", "log_lines", "plugin", "rules", "shown", "waiting"]

POLICY = """\
hostname = mx.lab.example
maps {
	domains   = lmdb:/etc/postfix/virtual_domains
	aliases   = lmdb:/etc/postfix/virtual
	mailboxes = userdb:/run/dovecot/auth-userdb
}
"""
K = 1024
# 2.4 takes ten at once, unless told
SIEVE = "lmtp_user_concurrency_limit = 100\n" + ("""\
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
protocol lda {
  mail_plugins = $mail_plugins sieve
}
""" if is_23() else """\
protocol lmtp {
  mail_plugins {
    sieve = yes
  }
}
protocol lda {
  mail_plugins {
    sieve = yes
  }
}
""")


@pytest.fixture(scope="session")
def plugin():
    """The world's Dovecot has it, and beside it Sieve, as many do."""
    configure(SIEVE)


@pytest.fixture(scope="module")
def boxes(plugin):
    users = Boxes(50)
    yield users
    users.remove()


@pytest.fixture
def box(boxes):   
    """box(FIELDS): a new mailbox."""
    return boxes.take


@pytest.fixture
def dovecot():
    """dovecot(...): see configure(), until the test is over."""
    before = LOCAL.read_text()
    yield configure
    LOCAL.write_text(before)
    restart()


@pytest.fixture
def rules(policy):
    """rules(TEXT): a policy of which the tests know nothing else."""
    return lambda text: policy(POLICY + text)


def limit(size, more=""):
    """warn_command: so that no warning takes room in the mailbox."""
    return f"mailbox {{\n\tquota = {size}\n\twarn_command = /bin/true\n" \
           f"{more}}}\n"


def is_full(reply):
    """IMAP's and LMTP's words for it."""
    if isinstance(reply, tuple):
        return reply[0] == "NO" and reply[1][0].startswith(b"[OVERQUOTA]")
    return (reply.code, reply.enhanced) in ((452, "4.2.2"), (552, "5.2.2"))


def shown(client, folder="INBOX"):
    """(used, limit) in K, as IMAP QUOTA tells them (RFC 9208)."""
    text = repr(client.getquotaroot(folder))
    found = re.search(r"STORAGE (\d+) (\d+)", text)
    return found and (int(found[1]), int(found[2]))


def waiting(path):
    """How many processes wait for a lock of that file."""
    inode = f":{os.stat(path).st_ino} "
    return sum("->" in line and inode in line for line in
               pathlib.Path("/proc/locks").read_text().splitlines())
