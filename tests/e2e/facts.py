"""facts - a mail as facts: sent by SMTP, and explained by `mailreeve explain'
SPDX-License-Identifier: ISC

Both ways say the same, so that a difference is one between what the policy says
and what happens.  Also packaging/demo.py's.
"""
import dataclasses
import json
import re
import ssl
import subprocess

from world import GOOD, MX, MX6, TLS, RawSmtp, mail

POLICY = "/etc/mailreeve/mailreeve.conf"
ID = re.compile(r" \(id (\w+)\)$")


@dataclasses.dataclass
class Facts:
    to: str = "ann@alpha.example"       # or a list of recipients
    helo: str = "client.example"
    sender: str = "someone@sender.example"
    source: str = GOOD                  # the client's address
    size: int = None                    # octets of the mail; None: a short one
    declared: int = None                # SIZE=; None: not said
    port: int = 25
    login: str = None
    tls: str = None                     # "yes", or the newest version to speak

    @property
    def recipients(self):
        return [self.to] if isinstance(self.to, str) else list(self.to)

    def connect(self):
        """A client that has said all that comes before MAIL."""
        host = {"127.0.0.1": "127.0.0.1"}.get(
            self.source, MX6 if ":" in self.source else MX)
        c = RawSmtp(self.port, self.source, host, timeout=60)
        c.ehlo(self.helo)
        if self.tls and self.port != 465:
            c.starttls(TLS if self.tls == "yes" else context(self.tls))
            c.ehlo(self.helo)
        if self.login and c.login(self.login).code != 235:
            raise ConnectionError(f"no login: {c.last}")
        return c

    def send(self):
        """All of it; an Outcome."""
        m = mail(self.recipients, self.sender, size=self.size)
        with self.connect() as c:
            version = getattr(c.sock, "version", lambda: None)()
            size = f" SIZE={self.declared}" if self.declared else ""
            rcpts = []
            c.cmd(f"MAIL FROM:<{self.sender}>{size}")
            if c.last.code == 250:
                rcpts = [c.cmd(f"RCPT TO:<{to}>") for to in self.recipients]
            if any(r.code == 250 for r in rcpts):
                c.data(m)
            last = c.last
            c.cmd("QUIT")
        return Outcome(self, m, version, rcpts, last)


def context(version):
    """A TLS client that speaks nothing newer."""
    c = ssl.create_default_context(cafile="/etc/ssl/lab/ca.pem")
    c.maximum_version = getattr(ssl.TLSVersion, version.replace(".", "_"))
    return c


@dataclasses.dataclass
class Outcome:
    facts: Facts
    mail: object
    version: str                        # of TLS
    rcpts: list                         # the replies to RCPT
    reply: object                       # the last one, which decided

    @property
    def subject(self):
        return self.mail.subject

    @property
    def id(self):
        """Of the decision, from the reply."""
        found = ID.search(self.reply.text)
        return found[1] if found else None

    @property
    def text(self):
        """The reply's, without code and id."""
        return ID.sub("", self.reply.text.partition(" ")[2])

    def explain(self, policy=POLICY):
        """What `mailreeve explain' says of the same facts."""
        f = self.facts
        args = ["--client", f.source, "--dns", "192.0.2.53", "--helo", f.helo,
                "--from", f.sender, "--port", str(f.port),
                "--true-size", str(len(self.mail))]
        for to in f.recipients:
            args += ["--rcpt", to]
        if f.declared:
            args += ["--size", str(f.declared)]
        if f.login:
            args += ["--login", f.login]
        if self.version:
            args += ["--tls", self.version]
        return explain(*args, policy=policy)

    def differences(self, expected):
        """Where SMTP's answer is not the one that explain expects."""
        if expected["code"] is None:
            return [] if self.reply.code == 250 else [
                "the policy accepts it"]
        want = (expected["code"], expected["enhanced"],
                ID.sub("", expected["text"]))
        got = (self.reply.code, self.reply.enhanced, self.text)
        return [] if got == want else [
            "the policy says: %d %s %s" % want]


def explain(*args, policy=POLICY):
    ran = subprocess.run(
        ["mailreeve", "explain", "--json", "-c", policy, *args], text=True,
        capture_output=True, stdin=subprocess.DEVNULL)
    if ran.returncode not in (0, 1):
        raise RuntimeError(f"explain {args}: {ran.returncode} {ran.stderr}")
    return json.loads(ran.stdout)
