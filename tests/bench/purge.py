#!/usr/bin/python3
"""purge - what a daily purge costs, beside one stock doveadm command
SPDX-License-Identifier: ISC

usage: purge.py [--users N] [--rounds N] [WORD]...      (tests/bench/purge)

Each user has 5 folders with 10 mails, whose save dates are in Dovecot's cache;
of one user in a hundred half of the mail in three folders becomes due after the
first runs, which find nothing due yet, and before the rounds: as from one day to
the next.  All five folders have a rule.  The stock command has the same folders
and times in one query, a dovecot.conf without our plugin, and all names in a file.

Rounds are interleaved, in changing order.  What a round removed is put back
from a copy, with all that belongs to those users' mailboxes and what our
command knew before it.  CPU seconds are doveadm's own and those of Dovecot's
auth, whom it asks for users.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from throughput import ticks_of                                 # noqa: E402
from world import seed                                          # noqa: E402
from world.dovecot import LOCAL, OURS, USERS, write_users       # noqa: E402
from world.postfix import until                                 # noqa: E402

DAY, MAILS, ONE_IN = 86400, 10, 100
MAIL, SAVED = pathlib.Path("/var/vmail"), pathlib.Path("/var/vmail/saved")
NAMES = MAIL / "names"
STOCK = pathlib.Path("/etc/dovecot-stock")
KNOWN = pathlib.Path("/var/lib/mailreeve/purge.due")
POLICY = pathlib.Path("/etc/mailreeve/mailreeve.conf")
AFTER = {"INBOX": 400, "Sent": 400, "Trash": 92, "Spam": 14, "Virus": 14}
DUE = ("Trash", "Spam", "Virus")
EVERYWHERE = 92                         # days, of the rule for `*`
MAKING = 0.2                            # seconds a user, until mail is due
COLUMNS = "{:<46}{:>9}  {:<34}{}"


def run(*args, **how):
    return subprocess.run(args, check=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, **how)


# --- the mailboxes ------------------------------------------------------------

def name(number):
    return f"u{number:05}@alpha.example"


def home(user):
    return MAIL / "alpha.example" / user.partition("@")[0]


def make_users(count):
    users = [name(number) for number in range(count)]
    write_users("".join(f"{user}:{{PLAIN}}x::::::\n" for user in users))
    os.utime(USERS, (time.time() + 1,) * 2)
    NAMES.write_text("".join(f"{user}\n" for user in users))
    until(lambda: subprocess.run(["doveadm", "user", users[-1]],
                                 capture_output=True).returncode == 0)
    return users


def make_mail(users, due, days, then):
    """In the order in which it was saved; what is due `then' is so old as
    `days' says of its folder."""
    now = int(time.time())
    with open(MAIL / "seed", "w", encoding="ascii") as file:
        for user in users:
            for folder in AFTER:
                for n in range(MAILS):
                    old = user in due and folder in DUE and n < MAILS // 2
                    age = ((days[folder] * DAY - (then - now) + MAILS - n)
                           if old else (MAILS - n) * DAY)
                    file.write(seed.line(user, folder, age, f"{folder}.{n}",
                                         size=1500, now=now))
    seed.install()
    some = MAIL / "some"
    some.write_text("".join(f"{user}\n" for user in users))
    run("doveadm", "-o", "mail_fsync=never", "seed", "-F", some, "-i",
        file.name)
    os.unlink(file.name)


def copy(folder, to):
    """With links to the mails, which nobody changes."""
    to.mkdir()
    for path in folder.iterdir():
        if path.is_dir():
            copy(path, to / path.name)
        elif folder.name in ("cur", "new"):
            os.link(path, to / path.name)
        else:
            shutil.copy2(path, to / path.name)
            shutil.chown(to / path.name, "vmail", "vmail")
    shutil.chown(to, "vmail", "vmail")
    shutil.copystat(folder, to)


def mails():
    """The names of all mail files, without their flags."""
    found = set()
    for folder, _, files in os.walk(MAIL / "alpha.example"):
        if folder.endswith(("/cur", "/new")):
            found.update(f"{folder[:-4]}/{file.partition(':')[0]}"
                         for file in files)
    return found


def subjects(files, users):
    """(user, subject) of mails that are in the copy."""
    found = set()
    for user in users:
        for folder, _, names in os.walk(SAVED / home(user).name):
            box = str(home(user)) + folder[len(str(SAVED / home(user).name)):]
            for file in names:
                if f"{box[:-4]}/{file.partition(':')[0]}" in files:
                    text = pathlib.Path(folder, file).read_text()
                    found.add((user, text.partition("Subject: ")[2].split()[0]))
    return found


class Mailboxes:
    """For rules that make their mail due after so many `days', by folder."""

    def __init__(self, count, days):
        self.users, self.days = make_users(count), days
        self.due = self.users[::ONE_IN]
        first, *others = sorted(set(self.users) - set(self.due))
        make_mail([first], set(), days, 0)
        run("doveadm", "mailreeve", "show", "-u", first)
        for user in others:
            copy(home(first), home(user))
        self.then = None

    def make_due(self):
        """Their mail, which is due `then'."""
        self.then = int(time.time() + 30 + len(self.due) * MAKING)
        make_mail(self.due, set(self.due), self.days, self.then)
        self.unlearn(self.due)

    def save(self):
        """What is put back after each round: as it is the day before."""
        SAVED.mkdir()
        for user in self.due:
            run("cp", "-a", home(user), SAVED)
        shutil.copy2(KNOWN, SAVED)

    def restore(self):
        for user in self.due:
            shutil.rmtree(home(user))
            run("cp", "-a", SAVED / home(user).name, home(user))
        shutil.copy2(SAVED / KNOWN.name, KNOWN)

    def remove(self):
        shutil.rmtree(MAIL / "alpha.example")
        shutil.rmtree(SAVED)
        KNOWN.unlink()

    def forget(self, users):
        """The day of these users' full scan has come."""
        self.scanned(users, 1)
        self.unlearn(users)

    def unlearn(self, users):
        """Until when nothing of these users' is due."""
        lines = KNOWN.read_text().splitlines(keepends=True)
        those = set(users)
        KNOWN.write_text("".join(
            line for line in lines if line.split()[2] not in those))

    def scanned(self, users, when):
        """When all of a user's folders were last looked at, as the plugin has
        it in the user's file."""
        for user in users:
            path = home(user) / "Maildir/mailreeve.usage"
            text = path.read_text()
            fields = text.split()
            fields[3] = str(when)
            path.write_text(" ".join(fields).ljust(len(text) - 1) + "\n")

    def expected(self):
        return {(user, f"{folder}.{n}") for user in self.due
                for folder in DUE for n in range(MAILS // 2)}


# --- the commands -------------------------------------------------------------

def stock_config():
    """The same Dovecot, without what `mailreeve setup dovecot' added."""
    shutil.copytree("/etc/dovecot", STOCK)
    (STOCK / LOCAL.name).write_text(LOCAL.read_text().split(OURS)[0])
    said = subprocess.check_output(
        ["doveconf", "-n", "-c", STOCK / "dovecot.conf"], text=True)
    assert "mailreeve" not in said and "quota" not in said, said


# Not -A, as an auth of 2.4.1 may break its list of users off
def stock_command(query):
    return ("doveadm", "-c", str(STOCK / "dovecot.conf"), "expunge", "-F",
            str(NAMES), *query)


OF_NAMES = []
for _folder, _days in AFTER.items():
    OF_NAMES += ["OR"] * bool(OF_NAMES) + [
        "(", "mailbox", _folder, "savedbefore", f"{_days}d", ")"]
OF_ALL = ["mailbox", "*", "savedbefore", f"{EVERYWHERE}d"]


def set_policy(rules):
    head = POLICY.read_text().partition("# purge\n")[0]
    POLICY.write_text(head + "# purge\nkeep {\n\tshare = 100%\n}\n" + "".join(
        f"purge {folder} {{\n\tafter = {days}d\n}}\n"
        for folder, days in rules.items()))
    run("mailreeve", "reload")
    run("mailreeve", "clock", "--clock-ok")


def auth_seconds():
    return ticks_of("dovecot/auth")


def measure(command):
    """(CPU seconds, of these doveadm's own, seconds)"""
    auth, start = auth_seconds(), time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    status, used = os.wait4(process.pid, 0)[1:]
    took = time.monotonic() - start
    assert status == 0, f"{status}: {command}"
    own = used.ru_utime + used.ru_stime
    return own + auth_seconds() - auth, own, took


# --- the rounds ---------------------------------------------------------------

def drop_caches():
    os.sync()
    with open("/run/lab/drop_caches", "w", encoding="ascii") as file:
        file.write("3\n")


class Comparison:
    """One policy, and the stock query for the same."""

    def __init__(self, boxes, rules, query):
        self.boxes, self.gone = boxes, {}
        set_policy(rules)
        self.commands = {
            "ours": ("doveadm", "mailreeve", "purge", "-A"),
            "stock": stock_command(query)}
        # rules become known; all is looked at, and what it takes to know a
        # folder by its first mail is kept
        run("doveadm", "mailreeve", "purge", "-n", "-A",
            stderr=subprocess.DEVNULL)
        run("doveadm", "mailreeve", "show", "-A")
        boxes.make_due()
        run("doveadm", "mailreeve", "show", "-F", MAIL / "some")
        run(*self.commands["ours"], stderr=subprocess.DEVNULL)
        assert time.time() < boxes.then - MAILS, "MAKING is too short"
        boxes.save()
        # Dovecot looks into what has changed in the last seconds
        time.sleep(boxes.then - time.time() + 10)
        for command in (*self.commands.values(), *self.commands.values()):
            run(*command, stderr=subprocess.DEVNULL)

    def round(self, who, scans, cold):
        """SCANS: one user in so many has all his folders looked at."""
        boxes = self.boxes
        boxes.restore()
        boxes.scanned(boxes.due, int(time.time()))
        if who == "ours" and scans:
            boxes.forget(boxes.users[::scans])
        if not self.gone.get(who):
            before = mails()
        if cold:
            drop_caches()
        figures = measure(self.commands[who])
        if not self.gone.get(who):
            self.gone[who] = subjects(before - mails(), boxes.due)
            assert len(before) == len(boxes.users) * len(AFTER) * MAILS
            assert len(before - mails()) == len(self.gone[who])
        return figures

    def rounds(self, count, scans=0, cold=False):
        found = {"ours": [], "stock": []}
        for n in range(count):
            for who in (("ours", "stock"), ("stock", "ours"))[n % 2]:
                found[who].append(self.round(who, scans, cold))
        return found

    def is_same(self):
        return self.gone["ours"] == self.gone["stock"] == self.boxes.expected()


def figures_of(what, found, target):
    for who in ("ours", "stock"):
        cpu, own, wall = ([one[i] for one in found[who]] for i in range(3))
        yield (f"{what}, {who}", f"{statistics.median(cpu):.2f}",
               f"s CPU, {min(cpu):.2f}-{max(cpu):.2f}", "")
        yield ("  doveadm's own; wall clock", f"{statistics.median(own):.2f}",
               f"s; {statistics.median(wall):.2f} s, "
               f"{min(wall):.2f}-{max(wall):.2f}", "")
    for index, kind in ((0, "CPU"), (1, "CPU of doveadm"), (2, "wall clock")):
        values = [stock[index] / ours[index] for ours, stock in
                  zip(found["ours"], found["stock"])]
        yield (f"  times faster, {kind}", f"{statistics.median(values):.2f}",
               f"{min(values):.2f}-{max(values):.2f}, {len(values)} rounds",
               target)


NAMED = (AFTER, AFTER, OF_NAMES)
EACH = ({"*": EVERYWHERE}, dict.fromkeys(AFTER, EVERYWHERE), OF_ALL)


def groups(args):
    for what, policy, how, count in (
            ("names warm", NAMED, {}, args.rounds),
            ("names warm, a day of the week", NAMED, {"scans": 7}, args.rounds),
            ("names warm, all looked at", NAMED, {"scans": 1}, args.cold),
            ("names cold", NAMED, {"cold": True}, args.cold),
            ("names cold, a day of the week", NAMED,
             {"cold": True, "scans": 7}, args.cold),
            ("everywhere warm", EACH, {}, args.rounds),
            ("everywhere warm, a day of the week", EACH, {"scans": 7},
             args.cold)):
        if all(word in what for word in args.words) and count:
            yield what, policy, how, count


def prepare(count, rules, days, query):
    start = time.monotonic()
    boxes = Mailboxes(count, days)
    comparison = Comparison(boxes, rules, query)
    print(f"{count} users, {len(AFTER)} folders, {MAILS} mails in each; "
          f"{len(boxes.due)} users have due mail (made in "
          f"{time.monotonic() - start:.0f} s)")
    return comparison


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/purge")
    parser.add_argument("--users", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=7, help="warm ones")
    parser.add_argument("--cold", type=int, default=3, help="cold rounds")
    parser.add_argument("words", nargs="*",
                        help="only groups with all of these words")
    args = parser.parse_args()
    stock_config()
    print(COLUMNS.format("figure", "measured", "unit, range", "target"))
    comparison, current, wrong = None, None, False
    for what, policy, how, count in groups(args):
        if policy != current:
            if comparison:
                comparison.boxes.remove()
            current, comparison = policy, prepare(args.users, *policy)
        target = "" if what.endswith("all looked at") else ">= 2.5"
        for row in figures_of(what, comparison.rounds(count, **how), target):
            print(COLUMNS.format(*row), flush=True)
        same = comparison.is_same()
        wrong |= not same
        print(COLUMNS.format("  mails gone, ours and stock's", len(
            comparison.gone["ours"]), "the same, mail by mail" if same else
            "NOT THE SAME", "the same"), flush=True)
    return 1 if wrong else 0


sys.exit(main())
