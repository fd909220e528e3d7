"""message.py - builds messages, of an exact size if need be
SPDX-License-Identifier: ISC
"""
import uuid

LINE = b"x" * 76 + b"\r\n"


class Mail(bytes):
    """A message with CRLF line ends that knows its envelope and subject."""
    subject = sender = ""
    to = ()


def mail(to, sender="someone@sender.example", subject=None, size=None,
         headers=(), body=b"hello\r\n"):
    """A plain message; `to' is an address or a list of them.

    The subject is unique unless given; `headers' are (name, value) pairs that
    come first.  With `size' the message has exactly so many octets as RFC 5322
    and SIZE= (RFC 1870) count them: header, empty line and body with CRLF, and
    before dot-stuffing, which it never needs.
    """
    to = [to] if isinstance(to, str) else list(to)
    subject = subject or uuid.uuid4().hex
    fields = [*headers, ("From", sender or "<>"), ("To", ", ".join(to)),
              ("Subject", subject),
              ("Message-ID", f"<{uuid.uuid4().hex}@client.example>")]
    head = "".join(f"{n}: {v}\r\n" for n, v in fields).encode() + b"\r\n"
    if size is not None:
        body = filler(size - len(head))
    m = Mail(head + body)
    m.to, m.sender, m.subject = to, sender, subject
    return m


def filler(size):
    if size < 0 or size == 1:
        raise ValueError("too small for its header")
    lines, rest = divmod(size, len(LINE))
    if rest == 1:               # a line has two octets at least
        lines, rest = lines - 1, len(LINE) + 1
    return LINE * lines + (b"x" * (rest - 2) + b"\r\n" if rest else b"")
