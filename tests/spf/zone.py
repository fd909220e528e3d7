"""zone - a DNS server that serves a scenario of the RFC 7208 test suite
SPDX-License-Identifier: ISC

The suite's zone data is a map of names to lists of entries:

    {TYPE: VALUE}     a record
    {TYPE: TIMEOUT}   questions for TYPE get no answer
    {TXT: NONE}       no TXT record, nor one made from SPF entries
    TIMEOUT           questions for types not listed before get no answer

As the suite wants it, a name without a TXT entry has its SPF entries as TXT.
Text is written as code points that stand for octets.
"""
import socket
import struct
import threading
import time

from dnslib import (A, AAAA, CLASS, CNAME, DNSHeader, DNSRecord, MX, PTR, QTYPE,
                    RCODE, RD, RR, SOA)
from dnslib.label import DNSLabel

TTL = 60
LONGEST_CHAIN = 10
UDP_SIZE = 512
TIMEOUT, NONE = "TIMEOUT", "NONE"


class Silence(Exception):
    """This question gets no answer."""


def octets(text):
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8")


def label(name):
    """Only dots separate; nothing is an escape."""
    return DNSLabel([part for part in octets(name).split(b".") if part])


def key(name):
    return b".".join(name.label).lower()


class Text(RD):
    """TXT from strings of any octets and any length."""

    def __init__(self, strings):
        wire = b""
        for string in map(octets, strings):
            for i in range(0, len(string) or 1, 255):
                part = string[i:i + 255]
                wire += bytes([len(part)]) + part
        super().__init__(wire)


def data_of(rtype, value):
    if rtype == "TXT":
        return Text([value] if isinstance(value, str) else value)
    if rtype == "MX":
        return MX(label(value[1]), int(value[0]))
    if rtype in ("A", "AAAA"):
        return {"A": A, "AAAA": AAAA}[rtype](value)
    return {"PTR": PTR, "CNAME": CNAME}[rtype](label(value))


class Zone:
    def __init__(self, data):
        self.entries, self.names = {}, set()
        for name, entries in data.items():
            parts = key(label(name)).split(b".")
            self.entries[b".".join(parts)] = list(self.read(entries))
            # a name exists if there is something below it
            self.names |= {b".".join(parts[i:]) for i in range(len(parts))}

    @staticmethod
    def read(entries):
        """(type, value)..., the type None for all that were not there."""
        has_text = any("TXT" in e for e in entries if isinstance(e, dict))
        for entry in entries:
            if entry == TIMEOUT:
                yield None, TIMEOUT
                continue
            for rtype, value in entry.items():
                if rtype == "SPF":
                    if has_text:
                        continue
                    rtype = "TXT"
                if value != NONE:
                    yield rtype, value

    def records(self, name, rtype):
        found = []
        for entry, value in self.entries.get(name, []):
            if value == TIMEOUT and (entry == rtype or
                                     (entry is None and not found)):
                raise Silence
            if entry == rtype:
                found.append(data_of(rtype, value))
        return found

    def resolve(self, name, rtype):
        """(rcode, records), CNAMEs followed as a resolver does."""
        answer = []
        for _ in range(LONGEST_CHAIN):
            found = self.records(key(name), rtype)
            if found:
                return "NOERROR", answer + [record(name, rtype, data)
                                            for data in found]
            alias = self.records(key(name), "CNAME")
            if not alias:
                there = key(name) in self.names
                return "NOERROR" if there else "NXDOMAIN", answer
            answer.append(record(name, "CNAME", alias[0]))
            name = alias[0].label
        return "SERVFAIL", []


def record(name, rtype, data):
    return RR(name, getattr(QTYPE, rtype), CLASS.IN, TTL, data)


class Server:
    """Serves a zone on UDP and TCP of 127.0.0.1; each answer takes `delay`
    seconds, whatever else is asked meanwhile."""

    def __init__(self, data, delay=0):
        self.zone, self.delay = Zone(data), delay
        self.questions = []             # (name, type)
        self.udp, self.tcp = self.bind()
        self.address = "%s:%d" % self.udp.getsockname()
        for serve in self.serve_udp, self.serve_tcp:
            threading.Thread(target=serve, daemon=True).start()

    @staticmethod
    def bind():
        """Both on one port."""
        for _ in range(50):
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(udp.getsockname())
            except OSError:
                udp.close()
                tcp.close()
                continue
            tcp.listen(64)
            return udp, tcp
        raise OSError("no port is free for both UDP and TCP")

    def close(self):
        self.udp.close()
        self.tcp.close()

    def answer(self, wire, longest):
        """The reply's octets, or None."""
        query = DNSRecord.parse(wire)
        name, rtype = query.q.qname, QTYPE.get(query.q.qtype)
        self.questions.append((str(name).rstrip("."), rtype))
        try:
            rcode, records = self.zone.resolve(name, rtype)
        except Silence:
            return None
        reply = DNSRecord(DNSHeader(id=query.header.id, qr=1, ra=1, rd=1,
                                    rcode=getattr(RCODE, rcode)), q=query.q)
        reply.add_answer(*records)
        if not records:
            reply.add_auth(record(label("invalid"), "SOA", SOA(
                label("ns.invalid"), label("root.invalid"),
                (1, 3600, 600, 86400, 0))))
        packed = reply.pack()
        if len(packed) > longest:
            reply.header.tc, reply.rr, reply.auth = 1, [], []
            packed = reply.pack()
        return packed

    def later(self, work, *arguments):
        def run():
            time.sleep(self.delay)
            try:
                work(*arguments)
            except OSError:             # closed meanwhile
                pass
        threading.Thread(target=run, daemon=True).start()

    def serve_udp(self):
        while True:
            try:
                wire, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            self.later(self.reply_udp, wire, peer)

    def reply_udp(self, wire, peer):
        if reply := self.answer(wire, UDP_SIZE):
            self.udp.sendto(reply, peer)

    def serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            self.later(self.reply_tcp, connection)

    def reply_tcp(self, connection):
        with connection, connection.makefile("rwb") as stream:
            while len(head := stream.read(2)) == 2:
                wire = stream.read(*struct.unpack("!H", head))
                if reply := self.answer(wire, 65535):
                    stream.write(struct.pack("!H", len(reply)) + reply)
                    stream.flush()
