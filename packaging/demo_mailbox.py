"""demo_mailbox - the part of packaging/demo that fills a mailbox and purges it
SPDX-License-Identifier: ISC

What is expected is computed from `mailreeve show', of the policy that is
explained; what happened is what IMAP, Postfix's queue and doveadm say.
"""
import collections
import json
import re
import subprocess

from e2e.facts import Facts
from world import doveadm, wait_for_queue
from world.dovecot import Lmtp
from world.mailbox import Imap

DAN = "dan@alpha.example"
OFFICE = "office@alpha.example"         # an alias of his
KB, DAY = 1024, 86400
SIZE = 300 * KB
UNITS = {"K": KB, "M": KB ** 2, "G": KB ** 3, "d": DAY, "h": 3600}
# what was done; what the policy says; what was answered; lines of explanation
Step = collections.namedtuple("Step", "what expected got notes")


def run(*args):
    return subprocess.run(args, text=True, capture_output=True,
                          stdin=subprocess.DEVNULL)


def value(text):
    """A size or a duration of the policy, in octets or seconds."""
    number, unit = re.fullmatch(r"(\d+)(\w?)", text).groups()
    return int(number) * UNITS.get(unit, 1)


def settings(policy):
    """What `mailreeve show' says for dan: {setting: value}"""
    ran = run("mailreeve", "show", "-c", policy, DAN)
    rows = (re.split(r"  +", line) for line in ran.stdout.splitlines())
    return {row[0]: row[1] for row in rows if len(row) >= 4}


def used():
    rows = doveadm("quota", "get", "-u", DAN)
    return int(next(r["value"] for r in rows if r["type"] == "STORAGE")) * KB


def ids(box):
    return {row["hdr.message-id"] for row in doveadm(
        "fetch", "-u", DAN, "hdr.message-id", "mailbox", box)}


def message(number):
    head = (f"From: a@sender.example\r\nSubject: mail {number}\r\n"
            f"Message-ID: <{number}@demo.example>\r\n\r\n").encode()
    line = b"x" * 70 + b"\r\n"
    return (head + line * (SIZE // len(line) + 1))[:SIZE - 2] + b"\r\n"


def answer(reply):
    """OK, or NO and the code in brackets."""
    kind, texts = reply
    code = re.match(rb"\[(OVERQUOTA|INUSE|TRYCREATE)\]", texts[0] or b"")
    return kind if kind == "OK" else f"{kind} {code[1].decode() if code else ''}"


def fill(quota):
    """Uploads until one is refused, and one more."""
    with Imap(DAN, "INBOX") as client:
        for number in range(1, 6):
            before = used()
            fits = before + SIZE <= quota
            got = answer(client.append("INBOX", None, None, message(number)))
            yield Step(f"300 KB by IMAP, {before // KB} KB are there",
                       "OK" if fits else "NO OVERQUOTA", got, [])
            if not fits:
                return


def refuse(known):
    """Postfix hears at RCPT that there is no room, as Dovecot told the policy
    daemon; and what comes past Postfix, Dovecot does not take."""
    full = "452 4.2.2" if known["mailbox.full"] == "defer" else "552 5.2.2"
    asked = known["check quota.action"] in ("reject", "defer")
    for what, to, size in (("300 KB by SMTP", DAN, SIZE),
                           ("300 KB to office@, an alias", OFFICE, SIZE),
                           ("3 KB by SMTP", DAN, 3 * KB)):
        fits = used() + size <= value(known["mailbox.quota"])
        reply = Facts(to=to, size=size, declared=size,
                      helo="out.sender.example").send().reply
        yield Step(what, "250 2.0.0" if fits or not asked else full,
                   f"{reply.code} {reply.enhanced}",
                   [] if reply.code == 250 else [reply.text])
    wait_for_queue(30)
    with Lmtp() as client:
        client.cmd("MAIL FROM:<a@sender.example>")
        client.cmd(f"RCPT TO:<{DAN}>")
        reply = client.data(message("by LMTP"))
    yield Step("300 KB past Postfix, by LMTP", full,
               f"{reply.code} {reply.enhanced}", [reply.text])


def delete():
    """As newer mail programs delete, and as older ones do."""
    with Imap(DAN, "INBOX") as client:
        uids = client.find("SUBJECT", "mail")
        yield Step("a mail moved to the Trash, MOVE", "OK",
                   answer(client.uid("MOVE", uids[0], "Trash")), [])
        got = answer(client.uid("COPY", uids[1], "Trash"))
        client.uid("STORE", uids[1], "+FLAGS", r"(\Deleted)")
        client.expunge()
        yield Step("a mail moved to the Trash, COPY", "OK", got, [])


def forward(days):
    subprocess.run(["/tests/world/clock.py", f"-{100 - days}d"], check=True)


def last_line(ran):
    lines = [line for line in ran.stderr.splitlines() if line]
    return re.sub(r"^(doveadm\S*: )?(Error|Warning|Info): ", "",
                  lines[-1] if lines else "")


def report(*options):
    """doveadm mailreeve purge, as rows."""
    ran = run("doveadm", "-f", "json", "mailreeve", "purge", *options)
    return ran, json.loads(ran.stdout or "[]")


def describe(rows):
    rows = [row for row in rows if row["username"] == DAN]
    return ", ".join(f"{row['messages']} from {row['folder']}"
                     for row in rows) or "nothing"


def purge(after):
    """Time passes, the clock is vouched for, the purge is looked at, and done."""
    trash, inbox = ids("Trash"), ids("INBOX")
    due = (f"{len(trash)} from Trash" if after and value(after) <= 93 * DAY
           else "nothing")
    _, rows = report("-n", "-A")
    yield Step("what would be purged today, -n", "nothing", describe(rows), [])
    forward(93)
    ran, _ = report("-A")
    yield Step("93 days later, at once: purge", "exit 75",
               f"exit {ran.returncode}", [last_line(ran)])
    run("mailreeve", "clock", "--clock-ok")
    _, rows = report("-n", "-u", DAN)
    rules = [f"{row['rule']}, {row['at']}" for row in rows]
    yield Step("root says the clock is right: -n", due, describe(rows), rules)
    yield Step("so far the Trash holds", str(len(trash)), str(len(ids("Trash"))),
               [])
    _, rows = report("-u", DAN)
    yield Step("purge", due, describe(rows), [])
    kept = set() if due != "nothing" else trash
    yield Step("the Trash now holds", str(len(kept)), str(len(ids("Trash"))),
               [])
    yield Step("the INBOX is untouched", f"{len(inbox)} mails",
               f"{len(ids('INBOX') & inbox)} mails", [])


def steps(policy):
    known = settings(policy)
    yield from fill(value(known["mailbox.quota"]))
    yield from refuse(known)
    yield from delete()
    yield from purge(known.get("purge Trash.after"))
