"""instructions - machine instructions and system calls that an LMTP delivery
costs the lmtp process, with our plugin and with Dovecot's own `count'
SPDX-License-Identifier: ISC

What CPU time cannot tell: these figures are the same on a busy machine.
Valgrind's callgrind counts the instructions, not the kernel's, and notes the
system calls.  Of two processes one has more deliveries than the other; a
delivery costs what it has more of everything, divided by that.  Questions for
the time do not count: outside of valgrind the kernel is not asked.
"""
import collections
import pathlib
import re

import delivery

NO_CALLS = ("clock_gettime", "gettimeofday", "time")    # but vDSO's
COUNTS = pathlib.Path("/run/lab/counts")
FEW, MORE = 20, 120             # deliveries
USER = delivery.USERS[0]
WRAPPER = f"""#!/bin/sh
exec valgrind --tool=callgrind --trace-syscalls=yes --vgdb=no \\
	--log-file={COUNTS}/%p.calls --callgrind-out-file={COUNTS}/%p.cost \\
	/usr/lib/dovecot/lmtp "$@"
"""
CONF = f"""
service lmtp {{
  executable = {COUNTS}/lmtp
  vsz_limit = 4G
}}
"""


def make_wrapper():
    COUNTS.mkdir()
    COUNTS.chmod(0o777)         # the process may have become the user
    wrapper = COUNTS / "lmtp"
    wrapper.write_text(WRAPPER)
    wrapper.chmod(0o755)


def counted(name, mails):
    """(instructions, {system call: times}) of a process of so many mails."""
    delivery.remove_mail(USER)
    lmtp = delivery.Lmtp(name)
    for _ in range(mails):
        lmtp.deliver(USER, delivery.MESSAGE)
    lmtp.quit()
    delivery.end_lmtp(name)
    cost, = COUNTS.glob("[0-9]*.cost")
    calls, = COUNTS.glob("[0-9]*.calls")
    total = re.search(r"^totals: (\d+)", cost.read_text(), re.M)
    names = re.findall(r"^SYSCALL\[\d+,\d+\]\( *\d+\) (?:sys_)?(\w+)",
                       calls.read_text(), re.M)
    for file in (cost, calls):
        file.rename(COUNTS / f"{name}-{mails}{file.suffix}")
    return int(total[1]), collections.Counter(
        name for name in names if name not in NO_CALLS)


def per_delivery(name):
    few, few_calls = counted(name, FEW)
    more, more_calls = counted(name, MORE)
    more_calls.subtract(few_calls)
    return ((more - few) / (MORE - FEW),
            {call: times / (MORE - FEW) for call, times in more_calls.items()})


def describe(ours, stock):
    """Which calls are more, or fewer, than the stock quota's."""
    more = {call: ours.get(call, 0) - stock.get(call, 0)
            for call in {*ours, *stock}}
    return " ".join(f"{call}{times:+.3g}" for call, times in sorted(
        more.items(), key=lambda one: -one[1]) if abs(times) >= 0.1)


def figures():
    make_wrapper()
    delivery.prepare(CONF)
    cost, calls = {}, {}
    for name in delivery.SOCKETS:
        cost[name], calls[name] = per_delivery(name)
    total = {name: sum(calls[name].values()) for name in calls}
    for name in delivery.SOCKETS:
        yield (f"10 KB by LMTP, Dovecot {delivery.version()}, "
               f"{delivery.NAMES[name]}",
               f"{cost[name] / 1000:.1f}",
               f"thousand instructions, {total[name]:.1f} calls", "")
    yield ("  our plugin to stock count, instructions",
           f"{cost['ours'] / cost['stock']:.3f}", "", "<= 1.03")
    yield ("  system calls more", f"{total['ours'] - total['stock']:.1f}",
           describe(calls["ours"], calls["stock"]), "")
