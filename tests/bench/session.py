"""session - how long a client waits, where each answer of the DNS takes 50 ms
SPDX-License-Identifier: ISC

Everything is cold: each session comes from a client and a domain that nobody
has heard of.  Ten block lists are asked, the client's name, whether the sender
can get mail, and SPF, whose record has three include: terms beside each other.
Postfix asks for the client's name itself before it says a word to anybody
else, unless smtpd_peername_lookup = no.  What is measured is the time from the
last answer it got for that (from the connect, if it does not ask) to the reply
to RCPT, and to the reply to the end of the data, where rspamd does its work.
The questions that the name server got say who has done how much.

One session at a time, of each kind in turn.
"""
import collections
import contextlib
import dataclasses
import itertools
import socket
import statistics
import time

import foreign
from senderworld import (ADDRESS, add_port, answers, list_sections, lists, null,
                         ours, run)
from world.postfix import reload_postfix

DELAY_MS = 50
NETWORK = "198.18.0.0/15"               # RFC 2544: no other network of the lab
SERVER = "192.0.2.1"
POLICY = f"""\
hostname = mx.lab.example
dns {{
	servers = {ADDRESS}
}}
check dnsbl {{
	action = reject
}}
check rdns {{
	action = reject
}}
check sender {{
	action = reject
}}
check spf {{
	action = reject
}}
"""
NO_LOOK_UP = "smtpd_peername_lookup=no"
RESTRICTIONS = ("reject_unknown_reverse_client_hostname",
                "reject_unknown_sender_domain",
                *(f"reject_rbl_client {zone}" for zone in lists(10)))
SERVICE = "check_policy_service unix:private/policyd-spf"


@dataclasses.dataclass
class Kind:
    what: str
    port: int
    target: str = ""
    look_up: bool = True
    pipelining: bool = False


@dataclasses.dataclass
class Times:
    """In ms; of the DNS: what was asked, and how often."""
    look_up: float
    rcpt: float
    end: float
    asked: collections.Counter


class Client:
    def __init__(self, address, port):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.bind((address, 0))
        self.sock.connect((SERVER, port))
        self.file = self.sock.makefile("rb")

    def expect(self, code):
        while (line := self.file.readline().decode())[3:4] == "-":
            pass
        if not line.startswith(code):
            raise RuntimeError(line)

    def say(self, *lines):
        self.sock.sendall("".join(line + "\r\n" for line in lines).encode())

    def close(self):
        self.file.close()
        self.sock.close()


numbers = itertools.count(1)


def session(port, pipelining):
    """(Who, at connect, at the reply to RCPT, at that to the mail's end)"""
    a, b = divmod(next(numbers), 250)
    who = f"198-18-{a}-{b + 1}"
    start = time.monotonic()
    client = Client(who.replace("-", "."), port)
    client.expect("220")
    client.say(f"EHLO host-{who}.hosts.example")
    client.expect("250")
    envelope = (f"MAIL FROM:<a@c{who}.senders.example>",
                "RCPT TO:<ann@alpha.example>", "DATA")
    if pipelining:
        client.say(*envelope)
    for line, code in zip(envelope, ("250", "250", "354")):
        if not pipelining:
            client.say(line)
        client.expect(code)
        if line.startswith("RCPT"):
            rcpt = time.monotonic()
    client.say(f"From: a@c{who}.senders.example", "Subject: x", "", "x", ".")
    client.expect("250")
    end = time.monotonic()
    client.say("QUIT")
    client.expect("221")
    client.close()
    return who, start, rcpt, end


def measure(log, kind):
    with open(log, encoding="ascii") as file:
        file.seek(0, 2)
        who, start, rcpt, end = session(kind.port, kind.pipelining)
        lines = [line.split() for line in file]
    host = f"host-{who}.hosts.example"
    began = start
    if kind.look_up:
        began = next(float(sent) for _, sent, what, name in lines
                     if (what, name) == ("A", host))
    reverse = ".".join(reversed(who.split("-")))
    asked = collections.Counter(
        "lists" if ".list" in name else what
        for received, _, what, name in lines
        if (who in name or reverse in name) and began <= float(received) <= end)
    return Times((began - start) * 1000, (rcpt - began) * 1000,
                 (end - began) * 1000, asked)


def summary(values):
    return (f"{statistics.median(values):.1f}",
            f"{min(values):.1f}-{max(values):.1f}")


def kinds_and_ports():
    """What takes part; its ports of Postfix are added."""
    add_port(2511, "session10")
    add_port(2512, "session10", NO_LOOK_UP)
    add_port(2513, "session30")
    add_port(2514, "session30", NO_LOOK_UP)
    add_port(2515, "session0")
    yield Kind("no question (null milter)", 2515)
    yield Kind("ours", 2511, "<= 160")
    yield Kind("ours, no look-up", 2512, "<= 110", look_up=False)
    yield Kind("ours, pipelining", 2511, "<= 160", pipelining=True)
    yield Kind("ours, no look-up, pipelining", 2512, "<= 110",
               look_up=False, pipelining=True)
    yield Kind("ours, 30 lists", 2513)
    yield Kind("ours, 30 lists, no look-up", 2514, look_up=False)
    restrictions, what = list(RESTRICTIONS), "Postfix's restrictions, no SPF"
    if foreign.are_there("policyd"):
        foreign.add_policyd()
        restrictions.append(SERVICE)
        what = "Postfix's restrictions, policyd-spf"
    run("postconf", "bench_restrictions="
        + ",".join(["reject_unauth_destination", *restrictions]))
    add_port(2516, None, "smtpd_recipient_restrictions=$bench_restrictions")
    yield Kind(what, 2516)
    if foreign.are_there("rspamd"):
        add_port(2517, "rspamd")
        yield Kind("rspamd, lists and SPF", 2517)


def answer_times(log):
    with open(log, encoding="ascii") as file:
        return [(float(line.split()[1]) - float(line.split()[0])) * 1000
                for line in file]


def figures(count):
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(answers(DELAY_MS))
        stack.enter_context(null("session0", "senders"))
        for n in (10, 30):
            stack.enter_context(
                ours(f"session{n}", POLICY + list_sections(n)))
        for name in foreign.are_there("rspamd"):
            stack.enter_context(foreign.milter(name))
        kinds = list(kinds_and_ports())
        run("postconf", "virtual_transport=discard:")
        run("ip", "route", "add", "local", NETWORK, "dev", "lo")
        reload_postfix()
        for kind in kinds:
            measure(log, kind)                      # warm
        times = {kind.what: [] for kind in kinds}
        for n in range(count):
            for kind in kinds[n % len(kinds):] + kinds[:n % len(kinds)]:
                times[kind.what].append(measure(log, kind))
    yield ("an answer of the DNS", *summary(answer_times(log)), "")
    for kind in kinds:
        got = times[kind.what]
        asked = collections.Counter()
        for one in got:
            asked.update(one.asked)
        middle, spread = summary([one.rcpt for one in got])
        yield (kind.what, middle, f"ms to RCPT's reply, {spread}", kind.target)
        middle, spread = summary([one.end for one in got])
        yield ("  to the reply to the mail", middle, f"ms, {spread}", "")
        if kind.look_up:
            middle, spread = summary([one.look_up for one in got])
            yield ("  before it: Postfix's own look-up", middle,
                   f"ms, {spread}", "")
        yield ("  questions to the DNS", f"{sum(asked.values()) / count:.0f}",
               ", ".join(f"{n / count:.0f} {what}"
                         for what, n in sorted(asked.items())), "")
