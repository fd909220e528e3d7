"""milter.py - a milter protocol client (version 6), for tests without Postfix
SPDX-License-Identifier: ISC

It shows what Postfix hides: the negotiated flags, the macros that were asked
for, the reply to each step and how long it took, every modification.
"""
import socket
import struct
import time

# SMFIP_NO*: the milter does not want the step;  SMFIP_NR_*: nor answer it
NOT_WANTED = {"connect": 0x1, "helo": 0x2, "mail": 0x4, "rcpt": 0x8,
              "body": 0x10, "header": 0x20, "eoh": 0x40, "unknown": 0x100,
              "data": 0x200}
NO_REPLY = {"header": 0x80, "connect": 0x1000, "helo": 0x2000, "mail": 0x4000,
            "rcpt": 0x8000, "data": 0x10000, "unknown": 0x20000,
            "eoh": 0x40000, "body": 0x80000}
STAGES = ("connect", "helo", "mail", "rcpt", "data", "eom", "eoh")
VERDICTS = {"c": "continue", "a": "accept", "d": "discard", "r": "reject",
            "t": "tempfail", "y": "replycode", "s": "skip", "4": "shutdown",
            "f": "connfail"}
LEADING_SPACE = 0x100000                # SMFIP_HDR_LEADSPC
CHUNK = 65535
ALL_ACTIONS, ALL_STEPS = 0x1ff, 0x1fffff        # what Postfix offers


class MilterReply:
    """The answer to a step.

    .verdict: continue accept discard reject tempfail replycode skip, or None
    if the milter wanted no such step or answers it not; .code and .text of an
    SMTP reply (lines joined by newlines, .enhanced its 5.7.1); .ms; .changes.
    """

    def __init__(self, verdict=None, octets=b"", ms=0.0, changes=()):
        self.verdict, self.ms, self.changes = verdict, ms, list(changes)
        self.code = {"reject": 550, "tempfail": 451}.get(verdict)
        self.text, self.enhanced = "", None
        if verdict == "replycode":
            lines = octets.rstrip(b"\0").decode("utf-8", "backslashreplace")
            lines = lines.split("\r\n")
            self.code = int(lines[0][:3])
            first = lines[0][4:].split(" ", 1)[0]
            if first.count(".") == 2 and first[0] in "245":
                self.enhanced = first
            self.text = "\n".join(line[4:] for line in lines)

    @property
    def ok(self):
        return self.verdict in (None, "continue", "accept", "skip")

    def __repr__(self):
        return (f"<{self.verdict} {self.code or ''} {self.text!r} "
                f"{self.ms:.1f} ms {self.changes}>")


def strings(*args):
    return b"".join(arg.encode() + b"\0" for arg in args)


class MilterClient:
    """One connection to a milter; one SMTP session at a time.

        m = MilterClient("unix:/var/spool/postfix/mailreeve/milter")
        m.connect("mail.example.org", "198.51.100.7",
                  {"{client_ptr}": "mail.example.org"})
        m.helo("mail.example.org")
        m.mail("<a@sender.example>", "SIZE=1000")
        assert m.rcpt("<ann@alpha.example>").code == 550
    """

    def __init__(self, address, timeout=120, actions=ALL_ACTIONS,
                 steps=ALL_STEPS):
        kind, _, where = address.partition(":")
        if kind == "inet":
            port, _, host = where.partition("@")
            self.sock = socket.create_connection((host, int(port)), timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(where or address)
        self.send("O", struct.pack("!III", 6, actions, steps))
        command, octets = self.receive()
        if command != "O":
            raise ConnectionError(f"no negotiation: {command!r} {octets!r}")
        self.version, self.actions, self.steps = struct.unpack(
            "!III", octets[:12])
        self.macros = {}                # stage -> the macros it asked for
        octets = octets[12:]
        while len(octets) > 4:
            stage, = struct.unpack("!I", octets[:4])
            names, _, octets = octets[4:].partition(b"\0")
            self.macros[STAGES[stage]] = names.decode().split()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    # --- the wire: length, command, octets --------------------------------

    def send(self, command, octets=b""):
        self.sock.sendall(struct.pack("!I", len(octets) + 1) +
                          command.encode() + octets)

    def receive(self):
        length, = struct.unpack("!I", self.exactly(4))
        octets = self.exactly(length)
        return chr(octets[0]), octets[1:]

    def exactly(self, size):
        octets = bytearray()
        while len(octets) < size:
            more = self.sock.recv(size - len(octets))
            if not more:
                raise ConnectionError("the milter closed the connection")
            octets += more
        return bytes(octets)

    def step(self, name, command, octets=b"", macros=None):
        if self.steps & NOT_WANTED.get(name, 0):
            return MilterReply()
        if macros:
            pairs = [text for pair in macros.items() for text in pair]
            self.send("D", command.encode() + strings(*pairs))
        start, changes = time.monotonic(), []
        self.send(command, octets)
        if self.steps & NO_REPLY.get(name, 0):
            return MilterReply()
        while True:
            command, octets = self.receive()
            if command == "p":          # progress: it is still at work
                continue
            if name == "eom" and command not in VERDICTS:
                changes.append(change(command, octets))
                continue
            return MilterReply(VERDICTS[command], octets,
                               (time.monotonic() - start) * 1000, changes)

    # --- the steps of a session -------------------------------------------

    def connect(self, name, address, macros=None, port=25000):
        """Once a connection: libmilter leaves a second one without answer.

        For the next session, as after XCLIENT, quit_new() comes before it.
        """
        family = b"6" if ":" in address else b"4"
        return self.step("connect", "C", strings(name) + family +
                         struct.pack("!H", port) + strings(address), macros)

    def helo(self, name, macros=None):
        return self.step("helo", "H", strings(name), macros)

    def mail(self, sender, *parameters, macros=None):
        return self.step("mail", "M", strings(sender, *parameters), macros)

    def rcpt(self, to, *parameters, macros=None):
        return self.step("rcpt", "R", strings(to, *parameters), macros)

    def data(self, macros=None):
        return self.step("data", "T", macros=macros)

    def unknown(self, line):
        return self.step("unknown", "U", strings(line))

    def header(self, name, value):
        return self.step("header", "L", strings(name, value))

    def eoh(self):
        return self.step("eoh", "N")

    def body(self, octets):
        reply = MilterReply()
        for i in range(0, len(octets), CHUNK):
            reply = self.step("body", "B", octets[i:i + CHUNK])
            if reply.verdict not in (None, "continue"):
                break
        return reply

    def eom(self, macros=None):
        return self.step("eom", "E", macros=macros)

    def message(self, m, macros=None):
        """DATA to the end of a whole message: the first reply that is final."""
        head, _, body = bytes(m).partition(b"\r\n\r\n")
        fields = head.replace(b"\r\n\t", b"\n\t").replace(b"\r\n ", b"\n ")
        steps = [lambda: self.data(macros)]
        for line in fields.decode("utf-8", "surrogateescape").split("\r\n"):
            name, _, value = line.partition(":")
            if not self.steps & LEADING_SPACE:
                value = value.lstrip(" \t")
            steps.append(lambda n=name, v=value: self.header(n, v))
        steps += [self.eoh, lambda: self.body(body)]
        for step in steps:
            reply = step()
            if reply.verdict not in (None, "continue", "skip"):
                return reply
        return self.eom(macros)

    def abort(self):
        """The message ends, the session goes on (RSET)."""
        self.send("A")

    def quit(self):
        self.send("Q")
        self.sock.close()

    def quit_new(self):
        """The session ends, the next may use the connection."""
        self.send("K")


CHANGES = {"h": "addheader", "i": "insheader", "m": "chgheader",
           "+": "addrcpt", "2": "addrcpt", "-": "delrcpt", "e": "chgfrom",
           "b": "replbody", "q": "quarantine"}


def change(command, octets):
    """A modification: ("addheader", NAME, VALUE), ("insheader", INDEX, ...)"""
    name = CHANGES[command]
    if name == "replbody":
        return (name, octets)
    index = ()
    if name in ("insheader", "chgheader"):
        index, octets = struct.unpack("!I", octets[:4]), octets[4:]
    words = octets.rstrip(b"\0") if name == "chgfrom" else octets[:-1]
    return (name, *index, *words.decode("utf-8", "replace").split("\0"))
