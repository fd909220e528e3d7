"""counters - a million counters with names: in memory, and back from the store
SPDX-License-Identifier: ISC

The counters by themselves are bench_counters'.  Then the policy daemon is
started with a store of a million: when it answers first, when all are back, the
worst answer meanwhile, and its memory.
"""
import re
import socket
import sqlite3
import subprocess
import time

from senderworld import CONFIG, free_socket, program, wait_for_socket
from world.policy import PolicyClient

COUNTERS = 1_000_000
STORE = "/var/lib/mailreeve/bench-counters.sqlite"
CONTROL = "/run/mailreeve/bench-counters.control"
KINDS = "login", "client", "sender_domain", "recipient"
DAY_MS = 24 * 60 * 60 * 1000
POLICY = """\
hostname = mx.bench.example
judge = policyd
maps {
	domains = inline:{ alpha.example=x }
	mailboxes = inline:{ ann@alpha.example=x }
}
check mx {
	action = off
}
rate login {
	recipients = 100 / 1d
}
"""


def config(address):
    path = CONFIG / "bench-counters.conf"
    path.write_text(f"{POLICY}policyd {{\n\tsocket = {address}\n"
                    f"\tcontrol = {CONTROL}\n\tstate = {STORE}\n"
                    "\tusage = /run/mailreeve/bench-counters.usage\n}\n")
    path.chmod(0o644)
    return str(path)


def status():
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(CONTROL)
        sock.sendall(b"status\n")
        answer = b""
        while more := sock.recv(65536):
            answer += more
    return dict(line.split("=", 1) for line in answer.decode().splitlines()[1:])


def fill():
    """A store as the daemon made it gets its million, all of this day."""
    now = time.time_ns() // 1_000_000
    rows = sorted((f"{KINDS[n % 4]}/recipients/86400",
                   f"user{n:06}@c{n % 9973:04}.example.net")
                  for n in range(COUNTERS))
    with sqlite3.connect(STORE) as base:
        base.execute("DELETE FROM counter")
        base.executemany(
            "INSERT INTO counter VALUES (?, ?, ?, 0, 1, 100, ?)",
            ((*row, now, now + 2 * DAY_MS) for row in rows))
        base.execute("INSERT OR REPLACE INTO clock VALUES (1, '', ?, 0, ?)",
                     (now, now))
    base.close()


def in_memory():
    out = subprocess.run(["/run/bench/bench_counters", str(COUNTERS)],
                         check=True, text=True, capture_output=True).stdout
    got = dict(re.findall(r"(\S+)=(\S+)", out))
    yield (f"{int(got['counters']):,} counters with names", got["memory_mb"],
           f"MB RSS, {got['dropped']} dropped", "<= 120")
    for what, name in (("a look-up", "look_up_ns"), ("counting", "add_ns")):
        yield (f"  {what}", got[name],
               f"ns, of it {got['of_it_names_ns']} the bench's own", "")
    yield "  the 20 nearest to a limit", got["top_ms"], "ms", ""


def come_back(process, address, begun):
    """The worst answer until all counters are there, in ms, and when."""
    worst = 0
    with PolicyClient(address) as client:
        client.rcpt("first")
        first = time.monotonic() - begun
        while int(status()["rate_counters"].split()[0]) < COUNTERS:
            asked = time.monotonic()
            client.rcpt("more")
            worst = max(worst, (time.monotonic() - asked) * 1000)
            assert process.poll() is None
    return first, worst, time.monotonic() - begun


def figures():
    yield from in_memory()
    address = f"unix:{free_socket('counters')}"
    path = config(address)
    with program("mailreeve-policyd", "-c", path):
        wait_for_socket("counters")
    fill()
    free_socket("counters")
    begun = time.monotonic()
    with program("mailreeve-policyd", "-c", path) as process:
        wait_for_socket("counters")
        first, worst, all_there = come_back(process, address, begun)
        with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
            kb = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
    yield ("started with a store of them, first answer", f"{first:.2f}", "s",
           "<= 1.2")
    yield "  all of them are back", f"{all_there:.2f}", "s", ""
    yield "  an answer meanwhile, at worst", f"{worst:.1f}", "ms", ""
    yield ("  the whole daemon", f"{kb * 1024 / 1e6:.0f}", "MB RSS", "<= 120")
