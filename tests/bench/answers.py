#!/usr/bin/python3
"""answers.py - a name server whose every answer takes the same time
SPDX-License-Identifier: ISC

usage: answers.py ADDRESS MILLISECONDS LOGFILE     (says "ready")

Beside tests/world/dns.py, as a figure must not be of the name server: this one
has no zone, it makes answers up from the names, so that nobody who asks can
have any of them in a cache (UDP only):
    d.c.b.a.in-addr.arpa      PTR host-a-b-c-d.hosts.example, which has that A
    ANY.senders.example       MX, A, and an SPF record with three include:
                              terms, the last of which lets CLIENTS send
    _dmarc.ANY                p=none
    2.0.0.127.listN.example   A 127.0.0.2; nobody else is on a list
    alpha.example             MX mx.lab.example
    all else                  does not exist
A line of the log: RECEIVED SENT TYPE NAME, on CLOCK_MONOTONIC.
"""
import collections
import re
import select
import socket
import struct
import sys
import time

A, SOA, PTR, MX, TXT = 1, 6, 12, 15, 16
TYPES = {A: "A", PTR: "PTR", MX: "MX", TXT: "TXT", 28: "AAAA"}
TTL = 3600
NOERROR, NXDOMAIN = 0, 3
SO_RCVBUFFORCE = 33             # socket(7); Python does not name it
CLIENTS = "ip4:198.18.0.0/15 ip4:192.0.2.1"
HOST = re.compile(r"host-(\d+)-(\d+)-(\d+)-(\d+)\.hosts\.example")


def name_of(question):
    """(Its labels in lower case, joined; where the type is)"""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1:at + 1 + question[at]])
        at += 1 + question[at]
    return b".".join(labels).decode("ascii").lower(), at + 1


def name(text):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in text.split(".")) + b"\0"


def text(value):
    return bytes([len(value)]) + value.encode()


def sender(who):
    """What ANY.senders.example has."""
    first = who.partition(".")[0]
    if first in ("_1", "_2"):
        spf = "v=spf1 ip4:203.0.113.0/24 -all"
    elif first == "_3":
        spf = f"v=spf1 {CLIENTS} -all"
    else:
        spf = "".join(("v=spf1 ", *(f"include:_{n}.{who} " for n in (1, 2, 3)),
                       "-all"))
    return {A: socket.inet_aton("203.0.113.10"), TXT: text(spf),
            MX: struct.pack("!H", 10) + name("mx.senders.example")}


def records(who):
    """What a name has, by type; None: it does not exist."""
    if who.endswith(".in-addr.arpa"):
        host = "-".join(reversed(who.split(".")[:4]))
        return {PTR: name(f"host-{host}.hosts.example")}
    if match := HOST.fullmatch(who):
        return {A: bytes(map(int, match.groups()))}
    if who.startswith("_dmarc."):
        return {TXT: text("v=DMARC1; p=none")}
    if who.endswith(".senders.example"):
        return sender(who)
    if re.fullmatch(r"2\.0\.0\.127\.list\d+\.example", who):
        return {A: socket.inet_aton("127.0.0.2")}
    return {"alpha.example": {
                MX: struct.pack("!H", 10) + name("mx.lab.example")},
            "mx.lab.example": {A: socket.inet_aton("192.0.2.1")}}.get(who)


def answer(question):
    """(The octets; type and name, for the log)"""
    who, at = name_of(question)
    qtype, = struct.unpack_from("!H", question, at)
    found = records(who)
    section = question[12:at + 4]
    record = b""
    if found and qtype in found:
        record = b"\xc0\x0c" + struct.pack("!HHIH", qtype, 1, TTL,
                                           len(found[qtype])) + found[qtype]
        counts = (1, 1, 0, 0)
    else:                               # RFC 2308 section 3
        soa = name("ns.example") * 2 + struct.pack("!5I", 1, TTL, TTL, TTL, TTL)
        record = name("example") + struct.pack("!HHIH", SOA, 1, TTL,
                                               len(soa)) + soa
        counts = (1, 0, 1, 0)
    flags = 0x8180 | (NXDOMAIN if found is None else NOERROR)
    octets = question[:2] + struct.pack("!H4H", flags, *counts) + \
        section + record
    return octets, f"{TYPES.get(qtype, qtype)} {who or '.'}"


def serve(sock, delay, log):
    """All answers take as long, so they leave in the order they came in."""
    line = collections.deque()
    while True:
        left = max(0, line[0][0] - time.monotonic()) if line else None
        if select.select([sock], [], [], left)[0]:
            question, client = sock.recvfrom(4096)
            received = time.monotonic()
            line.append((received + delay, received, client, *answer(question)))
        while line and line[0][0] <= time.monotonic():
            _, received, client, octets, what = line.popleft()
            sock.sendto(octets, client)
            log.write(f"{received:.6f} {time.monotonic():.6f} {what}\n")


def main():
    address, delay, path = sys.argv[1:]
    log = open(path, "a", buffering=1)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
    sock.bind((address, 53))
    print("ready", flush=True)
    serve(sock, int(delay) / 1000, log)


if __name__ == "__main__":
    main()
