#!/usr/bin/python3
"""dns.py - the world's name server: one zone file, UDP and TCP
SPDX-License-Identifier: ISC

usage: dns.py ADDRESS ZONEFILE LOGFILE     (returns when it answers)

The zone file is read again when it changes; while it is broken, the last good
one stays, and the log says why.  Names outside every zone do not exist.
Comments that begin with ";!" spoil a name and everything below it, "." all;
the longest name counts:
    ;!servfail NAME      ;!refused NAME    these answers
    ;!timeout NAME       silence
    ;!truncate NAME      UDP: TC and nothing else; TCP: the answer
    ;!garbage NAME       random octets
    ;!wrongid NAME       the answer with another id
    ;!delay MS [NAME]    each answer comes MS milliseconds late
A line of the log: TIME udp|tcp TYPE NAME RCODE|FAULT RECORDS
"""
import asyncio
import os
import socket
import struct
import sys
import time

from dnslib import CLASS, EDNS0, QTYPE, RCODE, RR, DNSRecord

FAULTS = {"servfail", "refused", "timeout", "truncate", "garbage", "wrongid"}
ANSWERS_KEPT = 10000
SO_RCVBUFFORCE = 33             # socket(7); Python does not name it


def parents(name):
    """The name, and all that it is below, the root last."""
    while name:
        yield name
        name = name.partition(".")[2]
    yield "."


class Zone:
    """What the file says."""

    def __init__(self, text):
        self.records, self.names, self.faults, self.delays = {}, set(), {}, {}
        for line in text.splitlines():
            if line.startswith(";!"):
                self.directive(*line[2:].split())
        for rr in RR.fromZone(text):
            name = str(rr.rname).lower()
            self.records.setdefault(name, []).append(rr)
            self.names.update(parents(name))    # they exist, too (RFC 8020)

    def directive(self, what, *args):
        if what == "delay":
            name = args[1] if args[1:] else "."
            self.delays[self.absolute(name)] = int(args[0]) / 1000
        elif what in FAULTS and len(args) == 1:
            self.faults[self.absolute(args[0])] = what
        else:
            raise ValueError(f"not a directive: ;!{what} {' '.join(args)}")

    @staticmethod
    def absolute(name):
        return name.lower().rstrip(".") + "."

    def find(self, name):
        """Records of a name, or of the wildcard that covers it (RFC 4592)."""
        if name in self.names:
            return self.records.get(name, [])
        for parent in parents(name):
            if parent in self.names:
                return [RR(name, rr.rtype, CLASS.IN, rr.ttl, rr.rdata)
                        for rr in self.records.get("*." + parent, [])] or None
        return None

    def soa(self, name):
        for parent in parents(name):
            for rr in self.records.get(parent, []):
                if rr.rtype == QTYPE.SOA:
                    return [rr]
        return []

    def answer(self, reply, name, qtype):
        for _ in range(8):              # follow CNAMEs, but not for ever
            found = self.find(name)
            if found is None:
                reply.header.rcode = RCODE.NXDOMAIN
                break
            hits = [rr for rr in found if qtype in (rr.rtype, QTYPE.ANY)]
            alias = [rr for rr in found if rr.rtype == QTYPE.CNAME]
            reply.add_answer(*(hits or alias))
            if hits or not alias:
                break
            name = str(alias[0].rdata.label).lower()
        if not reply.rr or reply.header.rcode:
            reply.add_auth(*self.soa(name))


class Answer:
    """A ready answer: it is kept, and sent again for the same question."""

    def __init__(self, zone, question, tcp):
        request = DNSRecord.parse(question)
        name = str(request.q.qname).lower()
        self.fault = next((zone.faults[n] for n in parents(name)
                           if n in zone.faults), None)
        self.delay = next((zone.delays[n] for n in parents(name)
                           if n in zone.delays), 0)
        reply = request.reply(ra=1, aa=0)
        room = 65535 if tcp else 512
        for rr in request.ar:
            if rr.rtype == QTYPE.OPT:   # RFC 6891
                room = 65535 if tcp else max(rr.rclass, 512)
                reply.add_ar(EDNS0(udp_len=4096))
        if self.fault in ("servfail", "refused"):
            reply.header.rcode = getattr(RCODE, self.fault.upper())
        else:
            zone.answer(reply, name, request.q.qtype)
        self.octets = reply.pack()
        if len(self.octets) > room or self.fault == "truncate" and not tcp:
            reply.header.tc = 1
            reply.rr, reply.auth = [], []
            self.octets = reply.pack()
        result = RCODE.get(reply.header.rcode)
        if self.fault in ("timeout", "garbage", "wrongid"):
            result = self.fault
        elif reply.header.tc:
            result = "truncate"
        self.line = "%s %s %s %s %d\n" % (
            "tcp" if tcp else "udp", QTYPE.get(request.q.qtype),
            name.rstrip(".") or ".", result, len(reply.rr))

    def to(self, question):
        """The octets for a question that has its own id; None: silence."""
        if self.fault == "timeout":
            return None
        if self.fault == "garbage":
            return os.urandom(len(self.octets))
        if self.fault == "wrongid":
            return bytes((question[0] ^ 0x55, question[1])) + self.octets[2:]
        return question[:2] + self.octets[2:]


class Server(asyncio.DatagramProtocol):
    def __init__(self, path, log):
        self.path, self.log = path, open(log, "a", buffering=1)
        self.stamp, self.answers = None, {}
        self.load()

    def load(self):
        """Read the zone file again if it changed; every answer begins here."""
        st = os.stat(self.path)
        stamp = (st.st_mtime_ns, st.st_ino, st.st_size)
        if stamp != self.stamp:
            self.stamp = stamp
            with open(self.path) as file:
                self.zone = Zone(file.read())
            self.answers = {}

    def reply(self, question, send, tcp):
        """Answer now or later; never wait, so no answer holds up another."""
        try:
            self.load()
        except Exception as error:
            self.log.write(f"{time.time():.6f} zone {self.path}: {error!r}\n")
        key = (question[2:], tcp)
        answer = self.answers.get(key)
        if answer is None:
            try:
                answer = Answer(self.zone, question, tcp)
            except Exception as error:
                self.log.write(f"{time.time():.6f} question: {error!r}\n")
                return
            if len(self.answers) >= ANSWERS_KEPT:
                self.answers.clear()
            self.answers[key] = answer
        self.log.write(f"{time.time():.6f} {answer.line}")
        octets = answer.to(question)
        if octets is None:
            return
        if answer.delay:
            asyncio.get_running_loop().call_later(answer.delay, send, octets)
        else:
            send(octets)

    # UDP
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, question, client):
        send = self.transport.sendto
        self.reply(question, lambda octets: send(octets, client), False)

    # TCP; a client may ask much on one connection (RFC 7766)
    async def serve(self, reader, writer):
        def send(octets):
            if not writer.is_closing():
                writer.write(struct.pack("!H", len(octets)) + octets)

        try:
            while True:
                size, = struct.unpack("!H", await reader.readexactly(2))
                self.reply(await reader.readexactly(size), send, True)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def bind(kind, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, 53))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    else:                               # hundreds may ask at the same moment
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
    return sock


async def run(server, udp, tcp):
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: server, sock=udp)
    server = await asyncio.start_server(server.serve, sock=tcp, backlog=512)
    await server.serve_forever()


def main():
    address, path, log = sys.argv[1:]
    server = Server(path, log)          # a broken zone file stops us here
    udp = bind(socket.SOCK_DGRAM, address)
    tcp = bind(socket.SOCK_STREAM, address)
    if os.fork():
        os._exit(0)                     # the sockets are there: ready
    os.setsid()
    asyncio.run(run(server, udp, tcp))


main()
