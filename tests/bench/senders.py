"""senders - CPU seconds a mail costs with all checks about senders
SPDX-License-Identifier: ISC

Ours asks all it can: HELO and its addresses, the client's name and whether it
is confirmed, ten block lists, the sender's domain, SPF with three include:
terms, the MX of the recipient's domain, beside recipient and size; and adds
Authentication-Results.  The floor is a milter that is told the same and does
nothing.  All answers are in our cache after the first mail; nobody waits.
Counted is what throughput.py counts, not the name server, which others ask
anew about every mail.  What those do, and do not, is said in foreign.py.
"""
import contextlib

import foreign
import throughput
from senderworld import (ADDRESS, add_port, answers, list_sections, null, ours,
                         run)
from world.postfix import reload_postfix

HOST = "host-192-0-2-1.hosts.example"
SENDER = "a@bench.senders.example"
NAMES = {"ours": "ours", "null": "null milter", "rspamd": "rspamd",
         "opendmarc": "opendmarc", "pyspf": "pyspf-milter"}
CHECKS = f"""\
dns {{
	servers = {ADDRESS}
}}
check rdns {{
	action = reject
	require = confirmed
}}
check helo_resolves {{
	action = reject
}}
check sender {{
	action = reject
}}
check mx {{
	action = reject
}}
check spf {{
	action = reject
}}
check dnsbl {{
	action = reject
}}
authentication_results {{
	add = yes
}}
"""


def measure(port, sessions, mails):
    return throughput.measure(port, sessions, mails, HOST, SENDER)


def figures_of(ports, sessions, count, mails):
    rounds = throughput.in_turns(ports, count,
                                 lambda port: measure(port, sessions, mails))
    yield from throughput.costs(rounds, f"senders, {sessions} sessions", NAMES,
                                "the milter's own")
    yield from throughput.to_the_floor(rounds, NAMES, "null milter", "<= 1.25")


def figures(count, mails, whole):
    others = foreign.are_there("rspamd", "opendmarc", "pyspf")
    ports = {name: 2521 + n for n, name in enumerate(["ours", "null", *others])}
    with contextlib.ExitStack() as stack:
        stack.enter_context(answers(0))
        stack.enter_context(null("null", "senders"))
        stack.enter_context(ours("ours", throughput.policy_of_tables() +
                                 CHECKS + list_sections(10)))
        for name in others:
            stack.enter_context(foreign.milter(name))
        for name, port in ports.items():
            add_port(port, name)
        run("postconf", "virtual_transport=discard:")
        reload_postfix()
        for port in ports.values():
            measure(port, 4, 100)                   # warm
        for sessions in (4, 20) if whole else (4,):
            yield from figures_of(ports, sessions, count, mails)
