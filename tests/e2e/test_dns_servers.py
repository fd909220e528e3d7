"""test_dns_servers - DNS servers that die while mail comes in
SPDX-License-Identifier: ISC
"""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from conftest import POLICY, run
from e2e.facts import Facts

from world import MAILREEVE_LOG, log_end, log_lines
from world.logs import ZONE

FIRST, SECOND = "192.0.2.54", "192.0.2.55"
KNOWN = 10                              # seconds until `status' says it
CHECK = f"""
dns {{
	servers = {FIRST} {SECOND}
}}
check sender {{
	action = reject
}}
check spf {{
	action = reject
}}
"""


class Server:
    """A name server with the world's zone, in a process of its own."""

    def __init__(self, address, directory):
        self.address = address
        zone = directory / f"{address}.zone"
        shutil.copy(ZONE, zone)
        self.command = ["/tests/world/dns.py", address, str(zone),
                        str(directory / f"{address}.log")]
        self.start()

    def start(self):
        """It answers when this returns."""
        subprocess.run(self.command, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def signal(self, number):
        wanted = "\0".join(self.command) + "\0"
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if path.read_text().endswith(wanted):
                    os.kill(int(path.parent.name), number)
            except (OSError, UnicodeDecodeError):
                pass

    def come_back(self, number):
        if number == signal.SIGSTOP:
            self.signal(signal.SIGCONT)
        else:
            self.start()


@pytest.fixture
def servers(policy, tmp_path):
    """[first, second], of which the milter knows, and that they are well."""
    both = [Server(FIRST, tmp_path), Server(SECOND, tmp_path)]
    try:
        policy(POLICY.read_text() + CHECK)
        assert Facts().send().reply.code == 250
        for server in both:
            wait_for(server, "well", KNOWN)
        yield both
    finally:
        for server in both:
            server.signal(signal.SIGKILL)


def health(server):
    for line in run("mailreeve", "status", check=False).stdout.splitlines():
        name, value = (line.replace("=", " ", 1).split(None, 1) + [""])[:2]
        if name == "dns_server" and value.startswith(server.address + ": "):
            return value.partition(": ")[2]
    return "not there"


def wait_for(server, begin, seconds):
    """Until its health begins so."""
    end = time.monotonic() + seconds
    while not (now := health(server)).startswith(begin):
        assert time.monotonic() < end, now
        time.sleep(0.1)


@pytest.mark.parametrize("number, which, mails", [
    (signal.SIGKILL, 0, True), (signal.SIGKILL, 1, False),
    (signal.SIGSTOP, 0, True)], ids=["killed", "idle", "silent"])
def test_status_shows_a_dead_server(servers, number, which, mails):
    """Whether it is asked or not, it is known; mail goes on by the other."""
    dead, other = servers[which], servers[1 - which]
    mark = log_end(MAILREEVE_LOG)
    end = time.monotonic() + KNOWN
    dead.signal(number)
    while not health(dead).startswith("does not answer, set aside"):
        assert time.monotonic() < end, health(dead)
        if mails:
            assert Facts(sender="a@addressed.example").send().reply.code == 250
        time.sleep(0.2)
    assert health(other).startswith("well"), health(other)
    assert log_lines(MAILREEVE_LOG, f"the DNS server {dead.address} does "
                     "not answer and is set aside", 5, mark)
    assert Facts().send().reply.code == 250
    dead.come_back(number)
    wait_for(dead, "well", KNOWN)
    assert log_lines(MAILREEVE_LOG, f"the DNS server {dead.address} answers "
                     "again", 5, mark)


def test_all_dead_is_unsure(servers):
    """Until one of them is back."""
    for server in servers:
        server.signal(signal.SIGKILL)
    for server in servers:
        wait_for(server, "does not answer, set aside", KNOWN)
    reply = Facts(sender="a@new.example").send().reply
    assert (reply.code, reply.enhanced) == (451, "4.4.3"), reply
    servers[1].start()
    wait_for(servers[1], "well", KNOWN)
    assert Facts().send().reply.code == 250
