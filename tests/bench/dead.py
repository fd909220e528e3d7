"""dead - 100 sessions at once while the DNS is dead or slow, by milter clients
SPDX-License-Identifier: ISC

Postfix's own look-up of the client's name is not in it.  Every check about the
sender is on, with ten lists; each session has names of its own.
"""
import contextlib
import pathlib
import re
import socket

import memory
from world import zone_add, zone_reset
from world.crowd import CHECKS, Crowd

POLICY = pathlib.Path("/tests/bench/policy.conf")
OTHER = pathlib.Path("/etc/mailreeve/dead.conf")
SESSIONS, WAIT = 100, 8         # seconds, `wait' by default


@contextlib.contextmanager
def milter(server):
    """The milter with every check, and one DNS server; None: the world's."""
    text = re.sub(r"userdb:\S+", "lmdb:/etc/postfix/virtual_mailboxes",
                  POLICY.read_text()) + CHECKS
    if server:
        text += f"dns {{\n\tservers = {server}\n}}\n"
    OTHER.write_text(text)
    OTHER.chmod(0o644)
    memory.milter("-c", str(OTHER))
    try:
        yield
    finally:
        memory.milter()
        OTHER.unlink()


def row(what, crowd):
    answered = sum(reply.ok for reply in crowd.replies)
    return (what, f"{crowd.slowest:.2f}",
            f"s; median {crowd.median:.2f}, {answered} accepted", f"< {WAIT}")


def figures():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        dead = {"port closed": "127.0.0.1:5454",
                "silent": "127.0.0.1:%d" % silent.getsockname()[1]}
        for how, server in dead.items():
            with milter(server):
                yield row(f"{SESSIONS} sessions, DNS {how}, slowest",
                          play())
                yield row("  the same again, servers set aside", play())
    for seconds in (1, 3):
        with milter(None):
            yield row(f"{SESSIONS} sessions, {seconds} s a DNS answer, slowest",
                      play(f";!delay {seconds}000 .\n"))


def play(fault=None):
    crowd = Crowd(memory.SOCKET, "<ann@alpha.example>", SESSIONS)
    if fault:
        zone_add(crowd.zone() + fault)
    try:
        return crowd.play()
    finally:
        zone_reset()
