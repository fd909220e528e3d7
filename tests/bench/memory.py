"""memory - what the milter needs under load, and the DNS engine in a day
SPDX-License-Identifier: ISC
"""
import concurrent.futures
import pathlib
import re
import resource
import subprocess

from world import GOOD, MilterClient, mail

SOCKET = "unix:/var/spool/postfix/mailreeve/milter.sock"
MB = 1024 * 1024


def milter(*options):
    """/proc of the milter, started anew."""
    subprocess.run(["pkill", "-x", "mailreeve-milte"], check=True)
    while subprocess.run(["pgrep", "-x", "-r", "R,S,D", "mailreeve-milte"],
                         stdout=subprocess.DEVNULL).returncode == 0:
        pass
    subprocess.run(["mailreeve-milter", "-d", *options], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    pid = subprocess.run(["pgrep", "-x", "-r", "R,S,D", "mailreeve-milte"],
                         check=True, text=True, capture_output=True).stdout
    return pathlib.Path("/proc", pid.strip())


def status(proc, name):
    return int(re.search(rf"(?m)^{name}:\s+(\d+)",
                         (proc / "status").read_text())[1])


def session():
    m = MilterClient(SOCKET)
    m.connect("out.sender.example", GOOD, {"{daemon_port}": "25"})
    m.helo("client.example")
    return m


def large(message):
    m = session()
    m.mail("<a@sender.example>")
    assert m.rcpt("<ann@alpha.example>").ok
    reply = m.message(message)
    m.quit()
    return reply.ok


def figures():
    proc = milter()
    yield ("idle", f"{status(proc, 'VmRSS') / 1024:.1f}", "MB RSS", "")
    message = mail("ann@alpha.example", size=25 * MB)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert all(pool.map(large, [message] * 20))
    yield ("20 parallel mails of 25 MB", f"{status(proc, 'VmHWM') / 1024:.1f}",
           "MB RSS at most", "< 10")

    proc = milter()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sessions = [session() for _ in range(2000)]
    for m in sessions[::100]:           # they live
        assert m.mail("<a@sender.example>").ok
    yield ("2,000 idle connections", f"{status(proc, 'VmRSS') / 1024:.1f}",
           f"MB RSS, {status(proc, 'Threads')} threads", "< 30")
    for m in sessions:
        m.quit()


def names_figures(count):
    """A day of so many names that nobody asked for before, through the DNS
    engine."""
    out = subprocess.run(["/run/bench/bench_names", str(count)], check=True,
                         text=True, capture_output=True).stdout
    got = {name: int(n) for name, n in re.findall(r"(\S+)=(\d+)", out)}
    yield (f"a day of {got['names']:,} names, cache at most",
           f"{got['most_octets'] / MB:.2f}",
           f"MB; {got['answers']:,} answers, {got['failed']} failed",
           f"<= {got['bound'] / MB:.0f}")
    for what, grown in (("RSS", got["most_rss_kb"] - got["warm_rss_kb"]),
                        ("malloc", got["malloc_kb"] - got["warm_malloc_kb"])):
        yield (f"  once it is full {what} grows by", f"{grown}", "KB", "flat")
