"""conftest - `mailreeve spf` and a DNS server for it
SPDX-License-Identifier: ISC

The program is $MAILREEVE, or that of PATH.
"""
import collections
import os
import subprocess
import time

import pytest

import zone

Result = collections.namedtuple(
    "Result", "word explanation why seconds status")


def mailreeve_spf(server, ip, helo, sender, *options, wait="20s"):
    program = os.environ.get("MAILREEVE", "mailreeve")
    start = time.monotonic()
    # the suite's text is code points that stand for octets
    ran = subprocess.run(
        [program, "spf", "--dns", server.address, "--ip", ip,
         "--helo", zone.octets(helo), "--from", zone.octets(sender),
         "--wait", wait, *options],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    seconds = time.monotonic() - start
    assert ran.returncode in (0, 1, 75), ran.stderr
    assert ran.stderr == b""
    lines = ran.stdout.decode("utf-8").splitlines()
    word, _, why = lines[0].partition(" ")
    return Result(word, lines[1] if len(lines) > 1 else None, why.strip(),
                  seconds, ran.returncode)


@pytest.fixture
def serve():
    """serve(ZONE_DATA, delay=SECONDS) -> zone.Server"""
    servers = []

    def start(data, **options):
        servers.append(zone.Server(data, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def spf():
    return mailreeve_spf
