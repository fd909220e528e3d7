"""imap - an IMAP client of single lines, that hides nothing and checks all
SPDX-License-Identifier: ISC

It knows the selected folder as the server has told it, and raises Wrong if a
sequence number is not what it must be (RFC 9051, section 7).
"""
import re
import socket

from world.smtp import MX, password

LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
FIELDS = "UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)]"


class Wrong(AssertionError):
    """The server said what a server must not say."""


class Reply:
    """OK, NO or BAD; code is what stands in brackets."""

    def __init__(self, line, untagged):
        _, self.status, self.text = line.decode().rstrip("\r\n").split(" ", 2)
        self.untagged = untagged
        found = re.match(r"\[([^]]*)\]", self.text)
        self.code = found[1] if found else ""

    @property
    def ok(self):
        return self.status == "OK"

    def copied(self):
        """{source UID: destination UID}, wherever COPYUID stood (RFC 4315)."""
        lines = [f"[{self.code}]"] + [u.decode("utf-8", "replace")
                                      for u in self.untagged
                                      if u.startswith(b"* OK [COPYUID")]
        for line in lines:
            if found := re.search(r"\[COPYUID \d+ (\S+) (\S+)\]", line):
                return dict(zip(uid_set(found[1]), uid_set(found[2]),
                                strict=True))
        return {}

    def __repr__(self):
        return f"<{self.status} {self.text}>"


def uid_set(text):
    uids = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        first, last = int(first), int(last or first)
        step = 1 if last >= first else -1
        uids += range(first, last + step, step)
    return uids


class RawImap:
    """One connection, logged in, without TLS."""

    def __init__(self, user, timeout=60):
        self.user, self.folder, self.uids, self.n = user, None, [], 0
        self.sock = socket.create_connection((MX, 143), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.may_expunge = True
        self.line()
        reply = self.cmd(f"LOGIN {user} {password(user)}")
        if not reply.ok:
            raise Wrong(reply)

    def close(self):
        self.file.close()
        self.sock.close()

    # --- lines ----------------------------------------------------------------

    def line(self):
        """A whole line, with the literals in it."""
        text = self.file.readline()
        while found := LITERAL.search(text):
            text += self.file.read(int(found[1])) + self.file.readline()
        if not text.endswith(b"\r\n"):
            raise ConnectionError(f"{self.user}: closed after {text!r}")
        return text

    def send(self, command, *literals):
        """Without waiting, with LITERAL+ (RFC 7888); gives the tag."""
        self.n += 1
        text = b"%d %s" % (self.n, command.encode())
        for literal in literals:
            text += b" {%d+}\r\n%s" % (len(literal), literal)
        self.may_expunge = not re.match("(FETCH|STORE|SEARCH) ", command)
        self.sock.sendall(text + b"\r\n")
        return b"%d " % self.n

    def wait(self, tag):
        untagged = []
        while not (text := self.line()).startswith(tag):
            if not text.startswith(b"* "):
                raise Wrong(f"{self.user}: {text!r}")
            self.hear(text)
            untagged.append(text)
        self.may_expunge = True
        return Reply(text, untagged)

    def cmd(self, command, *literals):
        return self.wait(self.send(command, *literals))

    def idle(self, wait):
        """IDLE (RFC 2177) while wait() runs."""
        tag = self.send("IDLE")
        while (text := self.line()).startswith(b"* "):
            self.hear(text)
        if not text.startswith(b"+"):
            raise Wrong(f"{self.user}: IDLE: {text!r}")
        wait()
        self.sock.sendall(b"DONE\r\n")
        return self.wait(tag)

    # --- the selected folder --------------------------------------------------

    def hear(self, text):
        words = text.split(None, 3)
        if not words[1].isdigit():
            return
        number, what = int(words[1]), words[2]
        if what == b"EXISTS":
            if number < len(self.uids):
                raise Wrong(f"{self.where()}: {number} EXISTS, but there were "
                            f"{len(self.uids)}")
            self.uids += [None] * (number - len(self.uids))
        elif what == b"EXPUNGE":
            self.check_seq(number, text)
            if not self.may_expunge:
                raise Wrong(f"{self.where()}: EXPUNGE in an answer to FETCH, "
                            "STORE or SEARCH")
            self.expunged(self.uids.pop(number - 1))
        elif what == b"FETCH":
            self.check_seq(number, text)
            self.heard_fetch(number, text)

    def check_seq(self, number, text):
        if not 1 <= number <= len(self.uids):
            raise Wrong(f"{self.where()}: {text!r} of {len(self.uids)}")

    def heard_fetch(self, number, text):
        found = re.search(rb"[ (]UID (\d+)", text)
        if not found:
            return
        uid, known = int(found[1]), self.uids[number - 1]
        before = next((u for u in self.uids[number - 2::-1] if u), 0) \
            if number > 1 else 0
        if known not in (None, uid) or before >= uid:
            raise Wrong(f"{self.where()}: {number} is {uid}, was {known}, "
                        f"behind {before}")
        self.uids[number - 1] = uid
        subject = re.search(rb"(?i)\nSubject: (.*?)\r\n", text)
        size = re.search(rb"RFC822\.SIZE (\d+)", text)
        if subject and size:
            self.met(uid, subject[1].decode(), int(size[1]))

    def where(self):
        return f"{self.user} {self.folder}"

    def select(self, folder):
        self.folder, self.uids = None, []
        reply = self.cmd(f"SELECT {folder}")
        if reply.ok:
            self.folder = folder
            self.look()
        return reply

    def look(self):
        """Learn what is new: met() is called for each mail."""
        new = [n for n, uid in enumerate(self.uids, 1) if uid is None]
        if not new:
            return None
        return self.cmd(f"FETCH {new[0]}:{new[-1]} ({FIELDS})")

    def verify(self):
        """Do both sides have the same UID for each number?"""
        self.cmd("NOOP")
        self.look()
        before = len(self.uids)
        told = self.cmd("FETCH 1:* (UID)").untagged if before else []
        told = {text.split()[1] for text in told
                if b" FETCH (" in text and b"UID " in text}
        if len(told) < before:
            raise Wrong(f"{self.where()}: told of {told}, not {self.uids}")

    # --- for those who want to know -------------------------------------------

    def met(self, uid, subject, size):
        """A mail that look() has looked at."""

    def expunged(self, uid):
        """One that is gone; None: it was never looked at."""
