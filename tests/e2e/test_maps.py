"""test_maps - each type of table, in Postfix and in the policy
SPDX-License-Identifier: ISC

Both get the same reference; what is expected is what Postfix does with it.
"""
import os
import pathlib
import socketserver
import sqlite3
import threading

import pytest
from conftest import run, until
from e2e.facts import explain

from world import RawSmtp, mail, where

DIRECTORY = pathlib.Path("/etc/postfix/maps")
TEXT = """\
mapped@alpha.example ann@alpha.example
Team+in@alpha.example ann@alpha.example, bob@beta.example
@gamma.example ann@alpha.example
"""
RULES = """\
/^mapped@alpha\\.example$/ ann@alpha.example
/^team\\+in@alpha\\.example$/ ann@alpha.example, bob@beta.example
/^@gamma\\.example$/ ann@alpha.example
"""
PAIRS = dict(line.lower().split(None, 1) for line in TEXT.splitlines())
LATER = "later@alpha.example"
ADDRESSES = ["mapped@alpha.example", "Mapped@alpha.example",
             "mapped+x@alpha.example", "team+in@alpha.example",
             "team@alpha.example", "any@gamma.example",
             "nobody@alpha.example", "o'x@alpha.example"]


class Server(socketserver.ThreadingTCPServer):
    """A socketmap server for PAIRS."""
    daemon_threads = allow_reuse_address = True

    class RequestHandlerClass(socketserver.StreamRequestHandler):
        def handle(self):
            while length := self.rfile.read(1):
                while (octet := self.rfile.read(1)) != b":":
                    length += octet
                request = self.rfile.read(int(length) + 1)[:-1].decode()
                value = self.server.pairs.get(request.partition(" ")[2])
                reply = f"OK {value}" if value else "NOTFOUND "
                self.wfile.write(f"{len(reply)}:{reply},".encode())

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.RequestHandlerClass)
        self.pairs = dict(PAIRS)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Postmap:
    """A table of type `kind` that postmap(1) makes."""

    def __init__(self, kind):
        self.path = DIRECTORY / kind
        self.reference = f"{kind}:{self.path}"
        self.write(TEXT)

    def write(self, text):
        self.path.write_text(text)
        run("postmap", self.reference)

    def add(self, key, value):
        self.write(f"{TEXT}{key} {value}\n")

    def close(self):
        pass


class Regexp(Postmap):
    def __init__(self, _):
        self.path = DIRECTORY / "rules"
        self.reference = f"regexp:{self.path}"
        self.write(RULES)

    def write(self, text):
        new = self.path.with_suffix(".new")
        new.write_text(text)
        os.utime(new, (0, 0))           # what a young one lacks is unsure
        new.replace(self.path)

    def add(self, key, value):
        self.write(f"{RULES}/^{key}$/ {value}\n")


class Sqlite:
    def __init__(self, _):
        path = DIRECTORY / "table.cf"
        self.base = sqlite3.connect(DIRECTORY / "base")
        self.base.execute("CREATE TABLE alias (address, goto)")
        for pair in PAIRS.items():
            self.add(*pair)
        path.write_text(f"dbpath = {DIRECTORY}/base\n"
                        "query = SELECT goto FROM alias\n"
                        "  WHERE address = '%s'\n")
        self.reference = f"sqlite:{path}"

    def add(self, *pair):
        with self.base:
            self.base.execute("INSERT INTO alias VALUES (?, ?)", pair)

    def close(self):
        self.base.close()


class Socketmap:
    def __init__(self, _):
        self.server = Server()
        port = self.server.server_address[1]
        self.reference = f"socketmap:inet:127.0.0.1:{port}:aliases"

    def add(self, key, value):
        self.server.pairs[key] = value

    def close(self):
        self.server.shutdown()
        self.server.server_close()


KINDS = {"hash": Postmap, "btree": Postmap, "cdb": Postmap, "lmdb": Postmap,
         "regexp": Regexp, "sqlite": Sqlite, "socketmap": Socketmap}


@pytest.fixture
def table(request):
    kind = request.param
    run("rm", "-rf", DIRECTORY)
    DIRECTORY.mkdir(mode=0o755)
    if kind not in run("postconf", "-m").stdout.split():
        pytest.skip(f"this Postfix has no {kind}")
    one = KINDS[kind](kind)
    yield one
    one.close()
    run("rm", "-rf", DIRECTORY)


def own_answers(addresses):
    """Postfix's on port 26, where nobody asks us."""
    with RawSmtp(26) as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@sender.example>")
        return [c.cmd(f"RCPT TO:<{one}>").code for one in addresses]


def our_answers(addresses):
    codes = {"accept": 250, "reject": 550, "defer": 450}
    return [codes[explain("--client", "198.51.100.7", "--helo",
                          "client.example", "--from", "a@sender.example",
                          "--rcpt", one)["verdict"]] for one in addresses]


@pytest.mark.parametrize("table", KINDS, indirect=True)
def test_as_postfix(table, policy, postfix):
    """The same addresses exist; a mail takes the same way; a new entry
    counts."""
    before = pathlib.Path("/etc/mailreeve/mailreeve.conf").read_text()
    master_cf = pathlib.Path("/etc/postfix/master.cf")
    master = master_cf.read_text()
    run("postconf", "-P", "26/inet/smtpd_milters=",
        "26/inet/smtpd_reject_unlisted_recipient=yes",
        "26/inet/virtual_mailbox_maps=lmdb:/etc/postfix/virtual_mailboxes",
        "26/inet/smtpd_error_sleep_time=0")
    try:
        policy(before.replace("lmdb:/etc/postfix/virtual\n",
                              f"{table.reference}\n"))
        proxy = "proxy:" if table.reference.startswith("sqlite") else ""
        postfix(virtual_alias_maps=proxy + table.reference)
        assert our_answers(ADDRESSES) == own_answers(ADDRESSES)
        m = mail("team+in@alpha.example")
        with RawSmtp() as c:
            c.ehlo()
            c.cmd(f"MAIL FROM:<{m.sender}>")
            assert c.cmd("RCPT TO:<nobody@alpha.example>").code == 550
            assert c.cmd(f"RCPT TO:<{LATER}>").code == 550
            assert c.cmd("RCPT TO:<team+in@alpha.example>").code == 250
            c.data(m)
        until(lambda: sorted(where(m.subject, timeout=60)) == [
            ("ann@alpha.example", "INBOX"), ("bob@beta.example", "INBOX")], 20)
        table.add(LATER, "ann@alpha.example")
        until(lambda: milters_answer(LATER) == 250, 20)
    finally:
        master_cf.write_text(master)


def milters_answer(address):
    with RawSmtp() as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@sender.example>")
        return c.cmd(f"RCPT TO:<{address}>").code
