"""purging - what the tests of purges share: a policy, old mail, the command
SPDX-License-Identifier: ISC

The world must have a clock of its own (lab run -t -93d).  Mail grows old in it
for real, or is saved with the date of long ago (world/seed.py).
"""
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest
from conftest import install, run
from world.clock import pass_time
from world.dovecot import USERS, is_23, write_users
from world.logs import DOVECOT_LOG, log_end, log_lines
from world.mailbox import Imap
from world.postfix import pids_of, until
from world.seed import DAY, HOUR, line, save, seed

__all__ = ["ANN", "BOB", "CAT", "DAN", "DAY", "DOVECOT_LOG", "DUE", "HOUR", "HEAD",
           "Imap", "MAIL", "PURGE", "REPORTED", "as_driver", "clean", "line", "log_end",
           "log_lines", "mails", "pass_time", "pids_of", "purge", "report", "rule",
           "run", "save", "seed", "set_policy", "subjects", "until"]

ANN, BOB = "ann@alpha.example", "bob@alpha.example"
CAT, DAN = "cat@alpha.example", "dan@alpha.example"
HEAD = """\
hostname = mx.lab.example
maps {
	domains   = lmdb:/etc/postfix/virtual_domains
	aliases   = lmdb:/etc/postfix/virtual
	mailboxes = userdb:/run/dovecot/auth-userdb
}
"""
PURGE = ("doveadm", "-f", "json", "mailreeve", "purge")
REPORTED = pathlib.Path("/var/lib/mailreeve/purge.reported")
DUE = pathlib.Path("/var/lib/mailreeve/purge.due")
MAIL = pathlib.Path("/var/vmail")


def rule(folder, after, *more):
    """A purge section."""
    more = "".join(f"\t{line}\n" for line in more)
    return f"purge {folder} {{\n\tafter = {after}\n{more}}}\n"


def set_policy(*sections, share=100):
    """The policy from now on; what was reported of another is forgotten."""
    keep = f"keep {{\n\tshare = {share}%\n}}\n" if share else ""
    install(HEAD + keep + "".join(sections))
    run("mailreeve", "reload")
    REPORTED.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def clean(policy):              # which puts back what there was
    """No mail, no report, and the clock is right: before each test."""
    until(lambda: not pids_of("imap") and not pids_of("pop3"))
    for home in MAIL.glob("*/*"):
        shutil.rmtree(home)
    REPORTED.unlink(missing_ok=True)
    DUE.unlink(missing_ok=True)
    run("mailreeve", "clock", "--clock-ok")


DRIVERS = {
    "maildir": ("", ""),
    "sdbox": ("userdb_mail=sdbox:~/sdbox",
              "userdb_mail_driver=sdbox userdb_mail_path=~/sdbox "
              "userdb_mail_inbox_path="),
    "mdbox": ("userdb_mail=mdbox:~/mdbox",
              "userdb_mail_driver=mdbox userdb_mail_path=~/mdbox "
              "userdb_mail_inbox_path="),
    "mbox": ("userdb_mail=mbox:~/mail:INBOX=~/inbox",
             "userdb_mail_driver=mbox userdb_mail_path=~/mail "
             "userdb_mail_inbox_path=~/inbox"),
}


def as_driver(user, driver):
    """How the mail of a user, who has none yet, is kept from now on."""
    lines, before = [], USERS.stat().st_mtime
    for one in USERS.read_text().splitlines():
        if one.startswith(user + ":"):
            one = one[:one.index("::::::") + 6]
            one += DRIVERS[driver][0 if is_23() else 1]
        lines.append(one + "\n")
    write_users("".join(lines))
    # else Dovecot does not see it
    os.utime(USERS, (before + 1, before + 1))

    def known():
        said = run("doveadm", "user", user).stdout
        return not any(d in said for d in DRIVERS if d != driver) and (
            driver in said or driver == "maildir")

    until(known)


@dataclasses.dataclass
class Purge:
    """What `doveadm mailreeve purge' did."""
    status: int
    rows: list
    said: str

    def __iter__(self):
        """(user, folder, messages) of each row."""
        return iter([(row["username"], row["folder"], int(row["messages"]))
                     for row in self.rows])


def purge(*args, status=0):
    ran = subprocess.run([*PURGE, *args], text=True, capture_output=True,
                         stdin=subprocess.DEVNULL, timeout=300)
    assert ran.returncode == status, ran
    return Purge(ran.returncode, json.loads(ran.stdout or "[]"), ran.stderr)


def report():
    """The dry run for all, without which no rule does anything."""
    return purge("-n", "-A")


def mails(user, fields="hdr.subject date.saved"):
    """folder -> rows of its mails, in the folder's order."""
    ran = run("doveadm", "-f", "json", "fetch", "-u", user,
              f"mailbox uid flags {fields}", "all")
    assert not re.search("Error(?!: mailreeve: /)", ran.stderr), ran.stderr
    found = {}
    for row in json.loads(ran.stdout or "[]"):
        found.setdefault(row["mailbox"], []).append(row)
    return found


def subjects(user, folder=None):
    """The subjects in a folder, in its order; or of all folders, as a set."""
    found = mails(user)
    if folder:
        return [row["hdr.subject"] for row in found.get(folder, [])]
    return {row["hdr.subject"] for rows in found.values() for row in rows}
