"""throughput - CPU seconds a mail of 1 KB costs, with our milter and with none
SPDX-License-Identifier: ISC

One Postfix with four ports: our milter, the same that asks Dovecot's userdb
who exists (a question to another process for each recipient), a milter that
does nothing, no milter.  What is counted (by a control group) is all processes of the world but the
client, and the lab's name server and log; the mail is discarded behind the
queue, so that Dovecot's share does not hide ours.  The rounds are interleaved,
in changing order.
"""
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import time

from world.postfix import reload_postfix

PORTS = {"ours": 2501, "userdb": 2504, "null": 2502, "none": 2503}
NAMES = {"ours": "our milter", "userdb": "our milter, userdb",
         "null": "null milter", "none": "no milter"}
NULL = "/var/spool/postfix/mailreeve/null.sock"
OURS = "/var/spool/postfix/mailreeve/ours.sock"
POLICY = pathlib.Path("/etc/mailreeve/mailreeve.conf")
NOT_COUNTED = ("/tests/world/dns.py", "/tests/world/devlog.py",
               "/tests/bench/answers.py")
# milters and policy servers
MILTERS = ("mailreeve-milter", "null-milter", "rspamd", "opendmarc",
           "pyspf-milter", "mailreeve-policyd", "null-policy",
           "/usr/bin/policyd-spf", "postfwd")


def run(*args):
    subprocess.run(args, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)


def policy_of_tables():
    """The world's, but nobody asks Dovecot's userdb."""
    policy = POLICY.read_text().replace(
        "userdb:/run/dovecot/mailreeve-userdb",
        "lmdb:/etc/postfix/virtual_mailboxes")
    assert "virtual_mailboxes" in policy
    return policy


def start_ours():
    """A second milter of ours."""
    policy = policy_of_tables()
    other = POLICY.with_name("ours.conf")
    other.write_text(f"{policy}milter {{\n\tsocket = unix:{OURS}\n"
                     "\tcontrol = /run/mailreeve/ours.control\n}\n")
    shutil.chown(other, group="mailreeve")
    other.chmod(0o640)
    run("mailreeve-milter", "-d", "-c", str(other))


def prepare():
    """The ports and the other milter, which is left running."""
    subprocess.Popen(["/run/bench/null-milter", "unix:" + NULL],
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not os.path.exists(NULL):
        time.sleep(0.01)
    os.chmod(NULL, 0o666)
    start_ours()
    milters = {"ours": "unix:mailreeve/ours.sock",
               "null": "unix:mailreeve/null.sock", "none": ""}
    for name, port in PORTS.items():
        run("postconf", "-M", f"{port}/inet={port} inet n - y - 100 smtpd")
        if name in milters:
            run("postconf", "-P", f"{port}/inet/smtpd_milters={milters[name]}")
    run("postconf", "virtual_transport=discard:")
    reload_postfix()


def ticks_of(*names):
    """CPU seconds so far of processes that have one of the names in their
    command line."""
    ticks = 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_text()
            stat = (process / "stat").read_text()
        except OSError:                             # it has just ended
            continue
        if any(name in line for name in names):
            fields = stat.rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_seconds():
    """(Of all processes but the client, this one, and name servers and log of
    the lab, which are Python; of the milters)."""
    text = pathlib.Path("/run/lab/cpu").read_text()
    if text.startswith("usage_usec"):               # cgroup v2
        total = int(text.split()[1]) / 1e6
    else:                                           # cpuacct.usage
        total = int(text) / 1e9
    own = sum(os.times()[:2])
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (total - own - ended.ru_utime - ended.ru_stime -
            ticks_of(*NOT_COUNTED), ticks_of(*MILTERS))


def wait_for_queue():
    while any(os.scandir("/var/spool/postfix/active")) or any(
            os.scandir("/var/spool/postfix/incoming")):
        time.sleep(0.01)


def measure(port, sessions, mails, helo="client.example",
            sender="a@sender.example"):
    """(CPU seconds a mail, of these the milter's, seconds a mail)"""
    wait_for_queue()
    before, start = cpu_seconds(), time.monotonic()
    run("smtp-source", "-s", str(sessions), "-m", str(mails), "-l", "1024",
        "-M", helo, "-f", sender, "-t", "ann@alpha.example",
        f"inet:192.0.2.1:{port}")
    took = time.monotonic() - start
    wait_for_queue()
    after = cpu_seconds()
    return ((after[0] - before[0]) / mails, (after[1] - before[1]) / mails,
            took / mails)


def ratio(rounds, name, base, index):
    """Median and range of NAME to BASE, round by round."""
    values = [a[index] / b[index] for a, b in zip(rounds[name], rounds[base])]
    return statistics.median(values), min(values), max(values)


def in_turns(ports, count, once):
    """What ONCE(port) measured, by name, in rounds that begin with another."""
    rounds = {name: [] for name in ports}
    names = list(ports)
    for n in range(count):
        first = n % len(names)
        for name in names[first:] + names[:first]:
            rounds[name].append(once(ports[name]))
    return rounds


def costs(rounds, what, names, whose):
    """Two rows for each: what a mail costs, and WHOSE part of it."""
    for name in rounds:
        cpu, own, wall = ([one[i] for one in rounds[name]] for i in range(3))
        yield (f"{what}, {names[name]}",
               f"{statistics.median(cpu) * 1000:.3f}",
               f"ms CPU a mail, {min(cpu) * 1000:.3f}-{max(cpu) * 1000:.3f}",
               "")
        yield (f"  {whose}", f"{statistics.median(own) * 1000:.3f}",
               f"ms; {1 / statistics.median(wall):.0f} mails a second", "")


def to_the_floor(rounds, names, floor, target):
    """A row for each but the floor, "null"."""
    for name in rounds:
        if name == "null":
            continue
        middle, low, high = ratio(rounds, name, "null", 0)
        yield (f"  {names[name]} to {floor}, CPU", f"{middle:.3f}",
               f"{low:.3f}-{high:.3f}, {len(rounds[name])} rounds",
               target if name == "ours" else "")


def figures_of(sessions, count, mails):
    rounds = in_turns(PORTS, count,
                      lambda port: measure(port, sessions, mails))
    yield from costs(rounds, f"1 KB, {sessions} sessions", NAMES,
                     "the milter's own")
    for name, base, target in (("ours", "null", "<= 1.05"),
                               ("userdb", "null", ""), ("ours", "none", "")):
        for index, kind in ((0, "CPU"), (2, "wall clock")):
            middle, low, high = ratio(rounds, name, base, index)
            yield (f"  {NAMES[name]} to {NAMES[base]}, {kind}",
                   f"{middle:.3f}",
                   f"{low:.3f}-{high:.3f}, {count} rounds",
                   target if index == 0 else "")


def figures(count, mails):
    prepare()
    for port in PORTS.values():
        measure(port, 4, 100)           # warm
    for sessions in (4, 20):
        yield from figures_of(sessions, count, mails)
