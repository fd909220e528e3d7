#!/usr/bin/python3
"""demo.py - the part of packaging/demo that runs in the world
SPDX-License-Identifier: ISC

usage: demo.py TOP CACHE POLICY

Each row of the first table is a set of facts, which tests/e2e/facts.py makes an
SMTP session of, and options of `mailreeve explain`; those of the second are
demo_mailbox.py's.  Nothing here knows what the policy says, so a rule that is not
enforced makes a row disagree.
"""
import os
import shutil
import subprocess
import sys
import textwrap
import time
import traceback

import demo_mailbox
from e2e.facts import Facts
from world import NAMELESS, UNCONFIRMED, doveadm, wait_for_queue
from world.postfix import reload_postfix

WIDTH = 100
MB = 1024 * 1024
POLICY = "/etc/mailreeve/demo.conf"     # what is explained
INSTALLED = "/etc/mailreeve/mailreeve.conf"
CAT = "cat@alpha.example"
LISTED = "198.51.100.66"
TERMINAL = sys.stdout.isatty()
COLOUR = TERMINAL and not os.environ.get("NO_COLOR")
COLUMNS = "{:9}{:32}{:17}{:14}{}"
MAILBOX_COLUMNS = "{:9}{:44}{:24}{}"
DELIVERED = len(COLUMNS.format("", "", "", "", ""))



def sent(**facts):
    """A mail of an honest server, but for what is said."""
    return Facts(**{"helo": "out.sender.example", **facts})


ROWS = [
    ("a good mail", sent()),
    ("to info@, an alias", sent(to="info@alpha.example")),
    ("to an alias of an alias", sent(to="chain1@alpha.example")),
    ("to team@, who are two", sent(to="team@alpha.example")),
    ("to a catch-all domain", sent(to="anything@delta.example")),
    ("to ann+lists@, with a detail", sent(to="ann+lists@alpha.example")),
    ("to nobody@, who is not there", sent(to="nobody@alpha.example")),
    ("to a domain that is not ours", sent(to="someone@remote.example")),
    ('HELO "client", no domain', sent(helo="client")),
    ('HELO "mail_server!.example"', sent(helo="mail_server!.example")),
    ("a HELO name without an address", sent(helo="nowhere.example")),
    ("a host without a name", sent(source=NAMELESS)),
    ("a sender's domain without MX", sent(sender="a@nowhere.example")),
    ("one that takes no mail", sent(sender="a@nullmx.example")),
    ("one whose DNS is out of order", sent(sender="a@broken.example")),
    ("a host that SPF does not name", sent(source=UNCONFIRMED)),
    ("SPF, and the domain explains it", sent(sender="a@explained.example")),
    ("SPF softfail", sent(sender="a@soft.example")),
    ("a host on a block list", sent(source=LISTED,
                                    sender="a@addressed.example")),
    ("25 MB", sent(size=25 * MB, declared=25 * MB)),
    ("25 MB and one octet", sent(size=25 * MB + 1, declared=25 * MB + 1)),
    ("the same, but SIZE= says 1000", sent(size=25 * MB + 1, declared=1000)),
    ("30 MB to bob, who may get 40", sent(
        to="bob@beta.example", size=30 * MB, declared=30 * MB)),
    ("587, TLS, logged in", Facts(port=587, tls="yes", login=CAT, sender=CAT)),
    ('the same, HELO "laptop"', Facts(
        port=587, tls="yes", login=CAT, sender=CAT, helo="laptop")),
    ("587, logged in without TLS", Facts(port=587, login=CAT, sender=CAT)),
    ("587, TLS, not logged in", Facts(port=587, tls="yes", sender=CAT)),
]


class Row:
    """A mail: what was sent, what came back, what was expected."""

    def __init__(self, what, facts):
        self.what = what
        self.outcome = facts.send()
        self.reply = self.outcome.reply
        self.expected = self.outcome.explain(POLICY)
        self.wrong = []

    @property
    def left_to_postfix(self):
        """Is the recipient's domain none of ours, so that no rule asks?"""
        return self.expected["verdict"] == "accept" and all(
            r["mailboxes"] is None for r in self.expected["recipients"])

    def judge(self, places):
        """Compares the three."""
        self.places, want = places, []
        if self.left_to_postfix:
            if self.outcome.id:
                self.wrong.append("the policy leaves it to Postfix")
            if self.reply.code == 250:
                want = places           # whatever Postfix does with it
        else:
            self.wrong += self.outcome.differences(self.expected)
            if self.expected["code"] is None:
                want = sorted(self.expected["recipients"][0]["mailboxes"])
        if places != want:
            self.wrong.append("it should be " + (
                "with " + ", ".join(want) if want else "nowhere"))

    def show(self):
        e, reply = self.expected, self.reply
        policy = ("left to Postfix" if self.left_to_postfix else
                  "accept" if e["code"] is None else
                  f"{e['code']} {e['enhanced']}")
        line = COLUMNS.format("", self.what, policy,
                              f"{reply.code} {reply.enhanced or ''}",
                              (self.places or ["nowhere"])[0])
        print(mark(not self.wrong) + line[9:])
        for place in self.places[1:]:
            print(" " * DELIVERED + place)
        if reply.code >= 400:
            tell(reply.text.replace("\n", " ").partition(" ")[2], "2")
        if e["rule"]:
            tell(f"rule {e['rule']}, "
                 f"{e['at'].replace(POLICY, 'packaging/demo.conf')}", "2")
        for what in self.wrong:
            tell("But " + what, "1;31")


def paint(text, colour):
    return f"\033[{colour}m{text}\033[0m" if COLOUR else text


def tell(text, colour):
    indent = " " * 11
    for line in textwrap.wrap(text, WIDTH, initial_indent=indent,
                              subsequent_indent=indent):
        print(paint(line, colour))


def progress(text):
    if TERMINAL:
        print(f"\r\033[K{text}", end="", flush=True)


def prepare():
    """Here Postfix has no list of mailboxes of its own: it asks us, and we ask
    Dovecot.  With one, it refuses whom it does not know before it asks."""
    subprocess.run(["postconf", "virtual_mailbox_maps="], check=True)
    reload_postfix()
    shutil.copy("/run/lab/demo.conf", POLICY)
    os.chmod(POLICY, 0o600)


def find_places(subjects):
    """Who has which mail, by its subject, from Dovecot."""
    places = {subject: [] for subject in subjects}
    for found in doveadm("fetch", "-A", "user hdr.subject", "all"):
        if found["hdr.subject"] in places:
            places[found["hdr.subject"]].append(found["user"])
    return {subject: sorted(users) for subject, users in places.items()}


def mark(agrees):
    return paint(f"{'agrees' if agrees else 'DIFFERS':9}",
                 "32" if agrees else "1;31")


def show_mailbox():
    """The second table; what was done in the rows that differ, and how many
    there are."""
    wrong, count = [], 0
    print("\n" + paint(MAILBOX_COLUMNS.format(
        "", f"{demo_mailbox.DAN} has 1 MB", "policy says", "the answer"),
        "1"))
    for step in demo_mailbox.steps(POLICY):
        progress("")
        count += 1
        agrees = step.got == step.expected
        print(mark(agrees) + MAILBOX_COLUMNS.format(
            "", step.what, step.expected, step.got)[9:])
        for note in step.notes:
            tell(note.replace(INSTALLED, "packaging/demo.conf"), "2")
        if not agrees:
            wrong.append(step.what)
        progress("looking into the mailbox")
    progress("")
    return wrong, count


def show_mails():
    """The first table."""
    rows = []
    for number, (what, facts) in enumerate(ROWS, 1):
        progress(f"sending mail {number} of {len(ROWS)}: {what}")
        rows.append(Row(what, facts))
    progress("waiting for Dovecot")
    wait_for_queue(60)
    places = find_places([row.outcome.subject for row in rows])
    progress("")
    print("\n" + paint(COLUMNS.format("", "sent", "policy says",
                                      "Postfix said", "Dovecot gave it to"),
                       "1"))
    for row in rows:
        row.judge(places[row.outcome.subject])
        row.show()
    return [row.what for row in rows if row.wrong], len(rows)


def main():
    top, cache, policy = sys.argv[1:]
    prepare()
    start = time.monotonic()
    wrong, count = show_mails()
    more, steps = show_mailbox()
    wrong, count = wrong + more, count + steps
    took = time.monotonic() - start
    print(f"\n{count - len(wrong)} of {count} were treated as the policy "
          f"says, in {took:.0f} s." +
          (f"  NOT: {'; '.join(wrong)}" if wrong else ""))
    print("Each mail went by SMTP to this machine's Postfix, which asked "
          "mailreeve-milter; it asked\nmailreeve-policyd how full dan is; the mailbox is Dovecot's, with our plugin.\n"
          "\"policy says\" is what `mailreeve explain' and `mailreeve show' say.")
    print(f"Look around:  sudo {top}/tests/lab shell -l {cache}/layer -p "
          f"{policy}\nRead on:      {top}/packaging/man/mailreeve.7 (man or mandoc)"
          f"      Logs: {cache}/log")
    return 1 if wrong else 0


try:
    sys.exit(main())
except Exception:                       # 1 is "they differ"
    traceback.print_exc()
    sys.exit(3)
