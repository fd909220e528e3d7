"""dovecot.py - Dovecot's settings and users, and deliveries without Postfix
SPDX-License-Identifier: ISC
"""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess

from world.mailbox import Imap, doveadm
from world.message import mail
from world.postfix import pids_of, until
from world.smtp import RawSmtp, password

LOCAL = pathlib.Path("/etc/dovecot/local.conf")
USERS = pathlib.Path("/etc/dovecot/users")
PID = pathlib.Path("/run/dovecot/master.pid")
LMTP = "/var/spool/postfix/private/dovecot-lmtp"
OURS = "\n# mailreeve setup dovecot\n"
LDA = "/usr/lib/dovecot/dovecot-lda"


def is_23():
    return subprocess.check_output(["dovecot", "--version"],
                                   text=True).startswith("2.3.")


def master():
    """The number of the process that starts all others, if it runs.  It writes
    it down when `dovecot' has already returned."""
    try:
        return int(PID.read_text())
    except (FileNotFoundError, ValueError):
        return None


def stop():
    """Returns when nobody is left who knows the settings."""
    if pid := master():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until(lambda: not PID.exists() and not pids_of("dovecot"))


def start():
    with open("/run/lab/dovecot.err", "w+", encoding="utf-8") as log:
        status = subprocess.call(["dovecot"], stdout=log, stderr=log,
                                 stdin=subprocess.DEVNULL)
        log.seek(0)
        assert status == 0, log.read()
    until(master)


def restart():
    stop()
    start()


def configure(more="", ours=True):
    """The world's own settings, more of them, and what `mailreeve setup
    dovecot' prints when it has seen those; then restart()."""
    text = LOCAL.read_text().split(OURS)[0] + OURS + more
    LOCAL.write_text(text)
    if ours:
        LOCAL.write_text(text + subprocess.check_output(
            ["mailreeve", "setup", "dovecot", "--conf"], text=True,
            stdin=subprocess.DEVNULL))
    restart()


class Lmtp(RawSmtp):
    """A client of Dovecot's LMTP (RFC 2033), on Postfix's own socket."""

    def __init__(self, timeout=60):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(LMTP)
        self.file, self.last = self.sock.makefile("rb"), None
        self.greeting = self.read()
        self.cmd("LHLO client.example")

    def envelope(self, m, *to):
        self.cmd(f"MAIL FROM:<{m.sender}>")
        for one in to or m.to:
            self.cmd(f"RCPT TO:<{one}>")
        return self.last

    def deliver(self, m, *to):
        """The reply, that to the last recipient if there are many."""
        if self.envelope(m, *to).code == 250 and self.data(m).code != 354:
            for _ in (to or m.to)[1:]:
                self.read()
        return self.last


def deliver(m, *to):
    """By a connection of its own, so that what LMTP adds has always the same
    size for the same recipient."""
    with Lmtp() as client:
        return client.deliver(m, *to)


def lda(user, m, *args):
    """By dovecot-lda; gives what subprocess.run gives."""
    return subprocess.run([LDA, "-d", user, *args], input=m,
                          capture_output=True)


def write_users(text):
    """Another /etc/dovecot/users, with the old one's owner and mode.  Dovecot
    looks for it once a second: wait for what you need of it."""
    new = USERS.with_suffix(".new")
    new.write_text(text)
    shutil.copymode(USERS, new)
    shutil.chown(new, USERS.stat().st_uid, USERS.stat().st_gid)
    os.replace(new, USERS)


class Boxes:
    """Many new users, written at once as Dovecot sees them only then."""

    def __init__(self, count):
        self.before = USERS.read_text()
        self.free = [Box(f"box{n}", "alpha.example") for n in range(count)]
        write_users(self.before + "".join(b.line() for b in self.free))
        self.free[-1].wait()

    def take(self, fields=""):
        """One that nobody had yet; `fields' are what the userdb says of him
        beside what it says of all; {home} in them is his."""
        box = self.free.pop()
        if fields:
            box.change(fields)
        return box

    def remove(self):
        write_users(self.before)
        for home in pathlib.Path("/var/vmail/alpha.example").glob("box*"):
            shutil.rmtree(home, ignore_errors=True)


class Box:
    """A user of the test's own, and his mailbox."""

    def __init__(self, name, domain):
        self.user, self.fields = f"{name}@{domain}", ""
        self.home = pathlib.Path("/var/vmail", domain, name)

    def line(self):
        return f"{self.user}:{{PLAIN}}{password(self.user)}::::::" \
               f"{self.fields}\n"

    def write(self, fields):
        """Other fields of the userdb.  Who is logged in keeps the old ones."""
        before = self.line()
        self.fields = fields.format(home=self.home)
        write_users(USERS.read_text().replace(before, self.line()))

    def change(self, fields):
        self.write(fields)
        self.wait()

    def wait(self):
        """Until Dovecot knows what the file says."""
        wanted = {field.removeprefix("userdb_")
                  for field in self.fields.split()}

        def known():
            ran = subprocess.run(["doveadm", "user", self.user], text=True,
                                 capture_output=True)
            fields = {"=".join(line.split("\t", 1))
                      for line in ran.stdout.splitlines()}
            return ran.returncode == 0 and wanted <= fields

        until(known)

    def imap(self, box=None, **how):
        return Imap(self.user, box, **how)

    def mail(self, size=None, **how):
        return mail(self.user, size=size, **how)

    def fill(self, *sizes, folder="INBOX"):
        """APPEND mails of such sizes; all must be taken."""
        with self.imap() as client:
            for size in sizes:
                reply = client.append(folder, None, None, self.mail(size))
                assert reply[0] == "OK", reply

    def sizes(self, folder=None):
        """What is there, by doveadm, each mail's octets; sorted."""
        where = ["mailbox", folder] if folder else ["all"]
        return sorted(int(row["size.virtual"]) for row in
                      doveadm("fetch", "-u", self.user, "size.virtual",
                              *where))

    def octets(self):
        return sum(self.sizes())

    def quota(self):
        """(value, limit) of `doveadm quota get', in K; None: no limit."""
        for row in doveadm("quota", "get", "-u", self.user):
            if row["type"] == "STORAGE":
                limit = row["limit"]
                return (int(row["value"]),
                        None if limit == "-" else int(limit))
        return None

    def script(self, text):
        """A Sieve script."""
        path = self.home / ".dovecot.sieve"
        subprocess.run(["install", "-d", "-o", "vmail", "-g", "vmail",
                        self.home.parent, self.home], check=True)
        path.write_text(text)
        shutil.chown(path, "vmail", "vmail")


def append_many(client, folder, mails):
    """MULTIAPPEND (RFC 3502), with literals that wait for nobody (RFC 7888)."""
    tag = client._new_tag()
    client.send(tag + b" APPEND " + folder.encode())
    for m in mails:
        client.send(b" {%d+}\r\n%s" % (len(m), m))
    client.send(b"\r\n")
    return client._command_complete("APPEND", tag)
