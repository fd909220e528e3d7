"""smtp.py - SMTP clients that choose their own address
SPDX-License-Identifier: ISC
"""
import base64
import re
import smtplib
import socket
import ssl

MX, MX6 = "192.0.2.1", "2001:db8::1"
GOOD, GOOD6 = "198.51.100.7", "2001:db8:c::7"       # PTR and A agree
UNCONFIRMED = "198.51.100.8"        # a PTR whose name does not point back
BROKEN = "198.51.100.9"             # its PTR is SERVFAIL
NAMELESS = "203.0.113.9"            # no PTR
TLS = ssl.create_default_context()
try:
    TLS.load_verify_locations("/etc/ssl/lab/ca.pem")
except FileNotFoundError:           # lab run -M has no certificates
    pass


def password(user):
    return user.partition("@")[0] + "-secret"


def local_end(source, host):
    if source is None:
        return None
    if ":" in host and ":" not in source:
        source = GOOD6
    return (source, 0)


def smtp(port=25, source=GOOD, helo="client.example", host=MX, timeout=60):
    """An smtplib client; TLS from the start on port 465.

    Before login() on a plain port: starttls(context=TLS).
    """
    how = {"local_hostname": helo, "timeout": timeout,
           "source_address": local_end(source, host)}
    if port == 465:
        return smtplib.SMTP_SSL(host, port, context=TLS, **how)
    return smtplib.SMTP(host, port, **how)


def send(m, to=None, port=25, source=GOOD, login=None, sender=None, **how):
    """Send a Mail; smtplib's exceptions if anybody refuses all of it.

    Gives smtplib's dictionary of refused recipients.  `login' is a user of the
    world; on 25, 26 and 587 the client uses STARTTLS before it logs in.
    """
    with smtp(port, source, **how) as client:
        if login:
            if port != 465:
                client.starttls(context=TLS)
            client.login(login, password(login))
        return client.sendmail(m.sender if sender is None else sender,
                               to or m.to, m)


class Reply:
    """An SMTP reply: .code, .lines as they came, .text without the codes."""

    def __init__(self, lines):
        self.lines, self.code = lines, int(lines[0][:3])
        self.text = "\n".join(line[4:] for line in lines)
        enhanced = re.match(r"[245]\.\d{1,3}\.\d{1,3}\b", self.text)
        self.enhanced = enhanced[0] if enhanced else None

    def __repr__(self):
        return "<%s>" % " | ".join(self.lines)


class RawSmtp:
    """A client of single lines, that hides nothing.

        with RawSmtp(25, NAMELESS) as c:
            c.ehlo()
            c.cmd("MAIL FROM:<a@sender.example> SIZE=99999999")
            assert c.last.code == 552
    """

    def __init__(self, port=25, source=GOOD, host=MX, timeout=60):
        self.sock = socket.create_connection(
            (host, port), timeout, local_end(source, host))
        self.host, self.port, self.last = host, port, None
        if port == 465:
            self.sock = TLS.wrap_socket(self.sock, server_hostname=host)
        self.file = self.sock.makefile("rb")
        self.greeting = self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def read(self):
        lines = []
        while not lines or lines[-1][3:4] == "-":
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                raise ConnectionError(f"closed after {lines + [line]}")
            lines.append(line[:-2].decode("utf-8", "backslashreplace"))
        self.last = Reply(lines)
        return self.last

    def write(self, octets):
        self.sock.sendall(octets)

    def cmd(self, line):
        """Send a line, give its Reply."""
        self.write(line.encode() + b"\r\n")
        return self.read()

    def pipeline(self, *lines):
        """Send lines at once (RFC 2920), give their Replies."""
        self.write(b"".join(line.encode() + b"\r\n" for line in lines))
        return [self.read() for _ in lines]

    def ehlo(self, name="client.example"):
        return self.cmd("EHLO " + name)

    def starttls(self, context=TLS):
        reply = self.cmd("STARTTLS")
        if reply.code == 220:
            self.file.close()
            self.sock = context.wrap_socket(self.sock,
                                            server_hostname=self.host)
            self.file = self.sock.makefile("rb")
        return reply

    def login(self, user, secret=None):
        """AUTH PLAIN (RFC 4616), with the user's own password unless given."""
        secret = password(user) if secret is None else secret
        token = base64.b64encode(f"\0{user}\0{secret}".encode()).decode()
        return self.cmd("AUTH PLAIN " + token)

    def data(self, m):
        """DATA and the message; the last Reply (that to DATA if refused)."""
        if self.cmd("DATA").code == 354:
            self.write(re.sub(rb"(?m)^\.", b"..", m) + b".\r\n")
            self.read()
        return self.last
