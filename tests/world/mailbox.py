"""mailbox.py - looks into mailboxes, by IMAP and by doveadm
SPDX-License-Identifier: ISC
"""
import imaplib
import json
import socket
import subprocess
import time

from world.smtp import GOOD, MX, TLS, local_end, password


class Imap(imaplib.IMAP4):
    """An imaplib client, logged in; over TLS on 993."""

    def __init__(self, user, box=None, source=GOOD, host=MX, port=993,
                 secret=None):
        self.source = source
        super().__init__(host, port, timeout=30)
        self.login(user, password(user) if secret is None else secret)
        if box:
            self.select(box)

    def _create_socket(self, timeout=None):
        sock = socket.create_connection((self.host, self.port), timeout,
                                        local_end(self.source, self.host))
        if self.port == 993:
            sock = TLS.wrap_socket(sock, server_hostname=self.host)
        return sock

    def find(self, *criteria):
        """UIDs in the selected mailbox."""
        return self.uid("search", None, *criteria)[1][0].split()


def wait_for(user, box, *criteria, timeout=60):
    """Wait for mail by IMAP; gives the client, box selected, and the UIDs.

        client, uids = wait_for(user, "INBOX", "SUBJECT", m.subject)
    """
    end = time.monotonic() + timeout
    client = Imap(user)
    while time.monotonic() < end:
        if client.select(box)[0] == "OK" and (uids := client.find(*criteria)):
            return client, uids
        time.sleep(0.05)
    raise TimeoutError(f"no such mail: {user} {box} {criteria}")


def doveadm(*args, check=True):
    """Run doveadm; what it printed, as JSON if it can be asked for."""
    ran = subprocess.run(["doveadm", "-f", "json", *args], text=True,
                         capture_output=True, stdin=subprocess.DEVNULL)
    if check and ran.returncode:
        raise RuntimeError(f"doveadm {args}: {ran.returncode} {ran.stderr}")
    try:
        return json.loads(ran.stdout)
    except ValueError:
        return ran.stdout


def fetch_subjects(user, box="INBOX"):
    """The subjects of all mail in a mailbox, oldest first."""
    return [row["hdr.subject"] for row in
            doveadm("fetch", "-u", user, "hdr.subject", "mailbox", box)]


def where(subject, timeout=0, count=1):
    """All the (user, mailbox) that have a mail, sorted, by its exact subject.

    With a timeout: waits until there are `count' of them, if that long.
    """
    end = time.monotonic() + timeout
    while True:
        rows = doveadm("fetch", "-A", "user mailbox hdr.subject",
                       "header", "subject", subject)
        found = sorted((row["user"], row["mailbox"]) for row in rows
                       if row["hdr.subject"] == subject)
        if len(found) >= count or time.monotonic() >= end:
            return found
        time.sleep(0.02)
