#!/usr/bin/python3
"""demo.py - the part of packaging/demo that runs in the world
SPDX-License-Identifier: ISC

usage: demo.py TOP CACHE POLICY

Each row of the table is a set of facts, which tests/e2e/facts.py makes an SMTP
session of, and options of `mailreeve explain`.  Nothing here knows what the
policy says, so a rule that is not enforced makes a row disagree.
"""
import os
import shutil
import subprocess
import sys
import textwrap
import time
import traceback

from e2e.facts import Facts
from world import doveadm, wait_for_queue
from world.postfix import reload_postfix

WIDTH = 100
MB = 1024 * 1024
POLICY = "/etc/mailreeve/demo.conf"     # what is explained
CAT = "cat@alpha.example"
TERMINAL = sys.stdout.isatty()
COLOUR = TERMINAL and not os.environ.get("NO_COLOR")
COLUMNS = "{:9}{:32}{:17}{:14}{}"
DELIVERED = len(COLUMNS.format("", "", "", "", ""))

ROWS = [
    ("a good mail", Facts()),
    ("to info@, an alias", Facts(to="info@alpha.example")),
    ("to an alias of an alias", Facts(to="chain1@alpha.example")),
    ("to team@, who are two", Facts(to="team@alpha.example")),
    ("to a catch-all domain", Facts(to="anything@delta.example")),
    ("to ann+lists@, with a detail", Facts(to="ann+lists@alpha.example")),
    ("to nobody@, who is not there", Facts(to="nobody@alpha.example")),
    ("to a domain that is not ours", Facts(to="someone@remote.example")),
    ('HELO "client", no domain', Facts(helo="client")),
    ('HELO "mail_server!.example"', Facts(helo="mail_server!.example")),
    ("25 MB", Facts(size=25 * MB, declared=25 * MB)),
    ("25 MB and one octet", Facts(size=25 * MB + 1, declared=25 * MB + 1)),
    ("the same, but SIZE= says 1000", Facts(size=25 * MB + 1, declared=1000)),
    ("30 MB to bob, who may get 40", Facts(
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
        mark = "DIFFERS" if self.wrong else "agrees"
        line = COLUMNS.format(mark, self.what, policy,
                              f"{reply.code} {reply.enhanced or ''}",
                              (self.places or ["nowhere"])[0])
        print(paint(line[:9], "1;31" if self.wrong else "32") + line[9:])
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


def main():
    top, cache, policy = sys.argv[1:]
    prepare()
    start, rows = time.monotonic(), []
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
    wrong = [row.what for row in rows if row.wrong]
    took = time.monotonic() - start
    print(f"\n{len(rows) - len(wrong)} of {len(rows)} mails were treated as "
          f"the policy says, in {took:.0f} s." +
          (f"  NOT: {'; '.join(wrong)}" if wrong else ""))
    print("Each went by SMTP to this machine's Postfix, which asked "
          "mailreeve-milter.  \"policy says\" is\nwhat `mailreeve explain' "
          "says of the same facts; where the mail is was asked of Dovecot.")
    print(f"Look around:  sudo {top}/tests/lab shell -l {cache}/layer -p "
          f"{policy}\nRead on:      {top}/packaging/man/mailreeve.7 (man or mandoc)"
          f"      Logs: {cache}/log")
    return 1 if wrong else 0


try:
    sys.exit(main())
except Exception:                       # 1 is "they differ"
    traceback.print_exc()
    sys.exit(3)
