"""policyd - what the policy daemon costs, and how fast it answers
SPDX-License-Identifier: ISC

Through Postfix: CPU seconds a mail of 1 KB costs with a policy service and no
milter, of so many mails that Postfix's own spread is small beside it; all checks
about senders, as in senders.py, but no header, which is no check and costs Postfix
more than us; all answers in our cache.  The floor is a server that says DUNNO.
python3-policyd-spf and postfwd, which ask the same about SPF and block lists, are
foreign.py's.

Without Postfix: ours on one core, policy-load on the others; once with all of
these checks, and once with those that ask no DNS, check quota and two rates.
Requests a second are those of a second of the server's CPU time: by the clock,
the floor would be policy-load's own speed, and ours that of the lab's log, which
is Python and gets a line for each mail.  They are told twice, of 20 connections:
at the same load for all, 10,000 a second, and with no pause.  Then the floor is
ahead of its askers, and neither it nor their core ever sleeps, while ours has to
wake them, though not for each answer.  By the clock are the times, of 500
connections, at a load of 2,000 a second, which is 1,000 mails a second.
"""
import contextlib
import os
import re
import socket
import statistics
import subprocess
import time

import foreign
import senders
import throughput
from senderworld import (CONFIG, add_port, answers, free_socket, list_sections,
                         program, run, socket_of, wait_for_socket)
from world.postfix import reload_postfix

NAMES = {"ours": "ours", "counts": "ours, no DNS, quota, 2 rates",
         "null": "null policy server",
         "policyd": "python policyd-spf", "postfwd": "postfwd"}
SECONDS = "2"
LOAD = "10000"                      # requests a second
MAILBOX = "ann@alpha.example"       # policy-load's
CHECKS = senders.CHECKS.replace("add = yes", "add = no")
# Never reached, so that each mail is booked and counted.
COUNTS = """\
mailbox {
	quota = 1000T
}
check quota {
	action = reject
}
rate client {
	messages = 1000000000 / 1h
}
rate recipient {
	bytes = 1000T / 1h
}
check mx {
	action = off
}
"""


def usage_of(name):
    return f"/run/mailreeve/bench-{name}.usage"


def tell_usage(name):
    """As Dovecot's plugin does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(usage_of(name))
        sock.send(f"request=mailreeve_usage\nmailbox={MAILBOX}\nbytes=1000\n"
                  "messages=1\nlimit=0\n\n".encode())


@contextlib.contextmanager
def ours(name, policy):
    path = CONFIG / f"bench-{name}.conf"
    path.write_text(f"judge = policyd\n{policy}policyd {{\n"
                    f"\tsocket = unix:{free_socket(name)}\n"
                    f"\tcontrol = /run/mailreeve/bench-{name}.control\n"
                    f"\tstate = /run/mailreeve/bench-{name}.sqlite\n"
                    f"\tusage = {usage_of(name)}\n"
                    f"\tquery = /run/mailreeve/bench-{name}.query\n"
                    "\thold = 1s\n}\n")
    path.chmod(0o644)
    with program("mailreeve-policyd", "-c", str(path)) as process:
        wait_for_socket(name)
        yield process


@contextlib.contextmanager
def null():
    with program("/run/bench/null-policy", str(free_socket("null"))) as process:
        wait_for_socket("null")
        yield process


def service(where):
    return f"check_policy_service {{ {where}, timeout=30s }}"


def add_service(port, where):
    """A port with no milter, and a policy service as setup places it."""
    add_port(port, None)
    for name in ("smtpd_recipient_restrictions",
                 "smtpd_end_of_data_restrictions"):
        run("postconf", f"bench_{port}_{name}={service(where)}")
        run("postconf", "-P", f"{port}/inet/{name}=$bench_{port}_{name}")


def through_postfix(ports, sessions, count, mails):
    rounds = throughput.in_turns(
        ports, count, lambda port: senders.measure(port, sessions, mails))
    yield from throughput.costs(rounds, f"policy, {sessions} sessions", NAMES,
                                "the server's own")
    yield from throughput.to_the_floor(rounds, NAMES, "null", "<= 1.1")


def pin(process, cores):
    """All its threads, and those to come."""
    for task in os.listdir(f"/proc/{process.pid}/task"):
        os.sched_setaffinity(int(task), cores)


def drive(name, connections, *rate):
    """What policy-load says, by name."""
    cores = sorted(os.sched_getaffinity(0))
    ran = subprocess.run(
        ["/run/bench/policy-load", str(socket_of(name)), str(connections),
         SECONDS, *rate], check=True, text=True, stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, cores[1:] or cores))
    got = {key: float(value) for key, value in
           re.findall(r"(\w+)=([\d.]+)", ran.stdout)}
    assert got["refused"] == 0, ran.stdout
    return got


def cpu_seconds(process):
    """So far, of all its threads; clock_getcpuclockid(3)."""
    return time.clock_gettime(~process.pid << 3 | 2)


def rate_of(process, name, *rate):
    """Requests of a second of its CPU time."""
    before = cpu_seconds(process)
    requests = drive(name, 20, *rate)["requests"]
    assert not rate or requests > 0.95 * float(rate[0]) * float(SECONDS)
    return requests / (cpu_seconds(process) - before)


def told(rates, how, target):
    count = len(rates["null"])
    for name, got in rates.items():
        yield (f"one core, {how}, {NAMES[name]}",
               f"{statistics.median(got):.0f}",
               f"requests a CPU second, {min(got):.0f}-{max(got):.0f}", "")
    for name in ("counts", "ours"):
        ratios = [a / b for a, b in zip(rates[name], rates["null"])]
        yield (f"  {NAMES[name]} to null", f"{statistics.median(ratios):.3f}",
               f"{min(ratios):.3f}-{max(ratios):.3f}, {count} rounds",
               target if name == "counts" else "")


def alone(servers, count):
    cores = sorted(os.sched_getaffinity(0))
    for process in servers.values():
        pin(process, cores[:1])
    alike = {name: [] for name in servers}
    hurried = {name: [] for name in servers}
    times = {name: [] for name in servers}
    for n in range(count):
        for name in sorted(servers, reverse=n % 2 == 0):
            alike[name].append(rate_of(servers[name], name, LOAD))
            hurried[name].append(rate_of(servers[name], name))
            times[name].append(drive(name, 500, "2000")["p99_us"] / 1000)
    yield from told(alike, f"{int(LOAD):,} a second", ">= 0.4")
    yield from told(hurried, "no pause", ">= 0.4")
    for name, got in times.items():
        yield (f"  500 connections, {NAMES[name]}",
               f"{statistics.median(got):.2f}",
               f"ms for 99 %, {min(got):.2f}-{max(got):.2f}",
               "< 2" if name == "counts" else "")


def figures(count, mails):
    others = foreign.are_there("policyd", "postfwd")
    ports = {name: 2531 + n for n, name in enumerate(["ours", "null", *others])}
    where = {"ours": "unix:bench/ours.sock", "null": "unix:bench/null.sock",
             "policyd": "unix:private/policyd-spf",
             "postfwd": "inet:" + foreign.POSTFWD}
    tables = throughput.policy_of_tables()
    policy = tables + CHECKS + list_sections(10)
    with contextlib.ExitStack() as stack:
        stack.enter_context(answers(0))
        servers = {
            "ours": stack.enter_context(ours("ours", policy)),
            "counts": stack.enter_context(ours("counts", tables + COUNTS)),
            "null": stack.enter_context(null())}
        tell_usage("counts")
        if "policyd" in others:
            foreign.add_policyd()
        if "postfwd" in others:
            stack.enter_context(foreign.postfwd())
        for name, port in ports.items():
            add_service(port, where[name])
        run("postconf", "virtual_transport=discard:")
        reload_postfix()
        for port in ports.values():
            senders.measure(port, 4, 100)           # warm
        for sessions in (4, 20):
            yield from through_postfix(ports, sessions, count, mails)
        yield from alone(servers, count)
