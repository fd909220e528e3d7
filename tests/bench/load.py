"""load - large tables and large policies
SPDX-License-Identifier: ISC
"""
import os
import re
import statistics
import subprocess
import time

import memory

DOMAINS = 100_000


def table_figures():
    """bench_lmdb's, of a million addresses."""
    out = subprocess.run(["/run/bench/bench_lmdb"], check=True, text=True,
                         capture_output=True).stdout
    got = dict(re.findall(r"(\S+)=(\S+)", out))
    addresses = int(got["addresses"])
    yield (f"lmdb, {addresses:,} addresses, open", got["open_ms"], "ms",
           "< 10")
    for name in ("cold", "warm", "4threads"):
        yield (f"  an answer, {name}", got[f"{name}_mean_us"],
               f"us; 99 % in {got[f'{name}_p99_us']}", "< 5")
    grown = int(got["rss_anon_after_kb"]) - int(got["rss_anon_before_kb"])
    yield ("  RssAnon grows by", f"{grown}", "KB", "flat")


def policy_figures():
    """A policy with a section for each of 100,000 domains."""
    path = "/etc/mailreeve/large.conf"
    with open("/tests/bench/policy.conf", encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        for n in range(DOMAINS):
            file.write(f"domain d{n}.example {{\n\tmessage {{\n"
                       f"\t\tsize = {n % 40 + 1}M\n\t}}\n}}\n")
    os.chmod(path, 0o600)
    took = []
    for _ in range(7):
        start = time.monotonic()
        subprocess.run(["mailreeve", "check", "-c", path], check=True,
                       stdout=subprocess.DEVNULL)
        took.append(time.monotonic() - start)
    yield (f"a policy of {DOMAINS:,} domains, check",
           f"{statistics.median(took):.2f}",
           f"{min(took):.2f}-{max(took):.2f} s", "< 1")
    os.chmod(path, 0o644)               # the milter reads it as its own user
    proc = memory.milter("-c", path)
    yield ("  the milter with it",
           f"{memory.status(proc, 'VmRSS') / 1024:.0f}", "MB RSS", "")
    memory.milter()
    os.unlink(path)
