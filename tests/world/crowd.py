"""crowd.py - many milter clients at once, and what they look like to the DNS
SPDX-License-Identifier: ISC

Each has an address, a HELO name and a sender's domain of its own, so that no
answer serves two of them.
"""
import concurrent.futures
import ipaddress
import itertools
import statistics
import threading
import time

from world.milter import MilterClient

LISTS = tuple(f"l{i}.lists.example" for i in range(10))
# Every check about the sender; what is unsure defers where it may.
CHECKS = """\
check rdns {
	action = reject
	require = confirmed
}
check helo_resolves {
	action = reject
}
check sender {
	action = reject
}
check spf {
	fail = reject
}
check dnsbl {
	action = reject
}
""" + "dnsbl " + " ".join(LISTS) + " {\n}\n"
NETWORK = ipaddress.ip_network("100.64.0.0/10")         # RFC 6598
numbers = itertools.count(1)


class Member:
    """One session, to the reply to RCPT."""

    def __init__(self, socket, to):
        self.number, self.socket, self.to = next(numbers), socket, to
        self.client = str(NETWORK[self.number])
        self.name = f"c{self.number}.crowd.example"

    def zone(self):
        """What the DNS says of it: all that is to be asked, and no fault."""
        reverse = ipaddress.ip_address(self.client).reverse_pointer
        return (f"{reverse}. IN PTR {self.name}.\n"
                f"{self.name}. IN A {self.client}\n"
                f"{self.name}. IN MX 10 {self.name}.\n"
                f'{self.name}. IN TXT "v=spf1 include:s.{self.name} -all"\n'
                f's.{self.name}. IN TXT "v=spf1 ip4:{self.client} -all"\n')

    def play(self, start=None, mails=1, senders=()):
        """Seconds to the reply to RCPT, and that reply, of each mail.

        start: a barrier; senders: of the mails, else all are its own.
        """
        took, replies = [], []
        senders = senders or [f"<a@{self.name}>"] * mails
        if start:
            start.wait()
        begin = time.monotonic()
        m = MilterClient(self.socket)
        m.connect("unknown", self.client, {"{daemon_port}": "25"})
        m.helo(self.name)
        for sender in senders:
            assert m.mail(sender).ok
            replies.append(m.rcpt(self.to))
            took.append(time.monotonic() - begin)
            m.abort()
            begin = time.monotonic()
        m.quit()
        return took, replies


class Crowd:
    """`n` sessions that begin at the same moment.

    .took: seconds to the reply to RCPT, sorted; .replies: all of them.
    """

    def __init__(self, socket, to, n=100):
        self.members = [Member(socket, to) for _ in range(n)]

    def zone(self):
        return "".join(member.zone() for member in self.members)

    def play(self):
        start = threading.Barrier(len(self.members))
        with concurrent.futures.ThreadPoolExecutor(len(self.members)) as pool:
            ran = list(pool.map(lambda member: member.play(start),
                                self.members))
        self.took = sorted(took for all_took, _ in ran for took in all_took)
        self.replies = [reply for _, all_replies in ran
                        for reply in all_replies]
        return self

    @property
    def slowest(self):
        return self.took[-1]

    @property
    def median(self):
        return statistics.median(self.took)
