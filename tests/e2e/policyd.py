"""policyd - a mailreeve-policyd of its own for a test, in a folder of its own
SPDX-License-Identifier: ISC

MAILREEVE_POLICYD names another program than the installed one.
"""
import contextlib
import os
import pathlib
import re
import shutil
import sqlite3

from milterd import POLICY, Daemon, wait_until
from world.policy import PolicyClient

PROGRAM = os.environ.get("MAILREEVE_POLICYD", "/usr/sbin/mailreeve-policyd")
ALONE = "judge = policyd\n" + POLICY
NOT_COUNTED = -1    # messages of a mailbox that holds so many bytes at most


class Policyd(Daemon):
    """It judges everything, unless its policy says otherwise."""
    program, section = PROGRAM, "policyd"
    own = ("\tstate = {0}/policyd.sqlite\n\tusage = {0}/usage.sock\n"
           "\tquery = {0}/query.sock\n"
           "\tmail_users = mail\n")

    def __init__(self, folder, policy=ALONE, **how):
        super().__init__(folder, policy, **how)

    def client(self, where=None, **how):
        return PolicyClient(where or self.where, **how)


class Told(Policyd):
    """One that Dovecot's processes can reach, to tell how full mailboxes
    are."""
    own = Policyd.own.replace("= mail\n", "= vmail\n")
    place = pathlib.Path("/run/mailreeve/publish")
    section_usage = f"policyd {{\n\tusage = {place}/usage.sock\n}}\n"

    def __init__(self):
        super().__init__(self.place, re.sub(
            "(mailboxes = ).*", r"\1userdb:/run/dovecot/auth-userdb", ALONE))

    @classmethod
    @contextlib.contextmanager
    def folder(cls):
        cls.place.mkdir()
        cls.place.chmod(0o755)
        try:
            yield
        finally:
            shutil.rmtree(cls.place)

    def of(self, user):
        """(bytes, messages, limit) in its state, which it lets nobody else
        open: so in a copy, which may be in two minds.  NOT_COUNTED messages:
        so many bytes at most."""
        copy = self.place / "copy"
        try:
            for end in ("", "-wal"):
                shutil.copy(f"{self.place}/policyd.sqlite{end}",
                            f"{copy}{end}")
            with contextlib.closing(sqlite3.connect(copy)) as base:
                return base.execute(
                    'SELECT bytes, messages, "limit" FROM usage '
                    "WHERE mailbox = ?", (user,)).fetchone()
        except (FileNotFoundError, sqlite3.DatabaseError):
            return None
        finally:
            for file in self.place.glob("copy*"):
                file.unlink()

    def knows(self, box, messages, limit=1 << 20):
        """What is really there; of several `messages' one."""
        wanted = [(box.octets(), n, limit)
                  for n in ([messages] if isinstance(messages, int)
                            else messages)]
        try:
            wait_until(lambda: self.of(box.user) in wanted, box.user, 60)
        except AssertionError:
            assert self.of(box.user) in wanted

    def taken(self):
        return int(self.status()["reports"].split()[0])

    def took(self, count):
        """So many reports, and no more."""
        wait_until(lambda: self.taken() >= count, f"{count} reports")
        assert self.taken() == count


def works(policyd):
    with policyd.client() as p:
        assert p.rcpt("works") == "DUNNO"
        assert p.end("works", size="1000") == "DUNNO"
