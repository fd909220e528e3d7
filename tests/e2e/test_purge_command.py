"""test_purge_command - `doveadm mailreeve purge' and `show': words and figures
SPDX-License-Identifier: ISC
"""
import json
import os
import pty
import re
import select
import subprocess
import time

import pytest
from purging import (ANN, BOB, CAT, DAN, DAY, DUE, HOUR, PURGE, clean, line, mails,
                     pass_time, purge, report, rule, run, save, seed, set_policy,
                     subjects)

__all__ = ["clean"]
TRASH = rule("Trash", "92d")


def table(*args):
    """What is printed without -f json."""
    return run("doveadm", "mailreeve", *args)


def place(text):
    """FILE:LINE of a line of the policy."""
    path = "/etc/mailreeve/mailreeve.conf"
    with open(path, encoding="utf-8") as file:
        return f"{path}:{file.read().splitlines().index(text) + 1}"


def date(age):
    return time.strftime("%Y-%m-%d", time.localtime(time.time() - age))


# --- what is said -------------------------------------------------------------

@pytest.fixture
def some():
    """Two users with mail in two folders; what is to be said of them."""
    set_policy(TRASH, rule(r"\Junk", "14d"),
               "domain alpha.example {\n" + rule("INBOX", "300d") + "}\n")
    seed(ANN, "Trash", [100 * DAY, 200 * DAY, DAY], size=2000)
    seed(ANN, "INBOX", [400 * DAY])
    seed(BOB, "Junk", [20 * DAY], size=5000)

    def row(user, folder, title, after, count, oldest):
        sizes = [int(mail["size.virtual"]) for mail in
                 mails(user, "size.virtual")[folder][:count]]
        return {"username": user, "folder": folder, "messages": count,
                "bytes": sum(sizes), "oldest": date(oldest),
                "rule": f"purge {title}", "at": place(f"\tafter = {after}")}

    return [row(ANN, "INBOX", "INBOX", "300d", 1, 400 * DAY),
            row(ANN, "Trash", "Trash", "92d", 2, 200 * DAY),
            row(BOB, "Junk", r"\Junk", "14d", 1, 20 * DAY)]


def by_name(rows):
    """Sorted, dates without their time."""
    return [{**row, "oldest": row["oldest"].split()[0]} for row in
            sorted(rows, key=lambda row: (row["username"], row["folder"]))]


def test_what_would_go(some):
    """User, folder, count, octets, oldest, the rule and where it stands."""
    ran = report()
    assert by_name(ran.rows) == some
    assert re.search(
        r"purge: run=\S+ dry users=15 not_due=0 messages=4 bytes="
        f"{sum(row['bytes'] for row in some)} held=0\n", ran.said), ran.said
    assert len(subjects(ANN)) == 4 and len(subjects(BOB)) == 1


def test_what_went(some):
    """The same, and logged with the name of the run."""
    report()
    ran = purge("-A")
    assert by_name(ran.rows) == some
    name = re.search(r"purge: run=(\S+) users=15 not_due=\d+ messages=4 ", ran.said)[1]
    for row in some:
        assert re.search(
            rf"doveadm\({row['username']}\).*: Info: mailreeve: purge: "
            rf"run={re.escape(name)} folder={row['folder']} "
            rf"messages={row['messages']} bytes={row['bytes']} "
            rf"oldest={row['oldest']}T[0-9:]+ "
            rf"rule=\"{re.escape(row['rule'])}\" at={row['at']}\n",
            ran.said), ran.said
    assert name not in purge("-A").said


def test_as_a_table(some):
    out = table("purge", "-n", "-A").stdout.splitlines()
    assert out[0].split() == ["Username", "Folder", "Messages", "Bytes",
                              "Oldest", "Rule", "At"]
    assert len(out) == 1 + len(some)
    for row in some:
        assert any(row["username"] in text and row["rule"] in text and
                   row["at"] in text for text in out[1:])
    one = table("purge", "-n", "-u", BOB).stdout.splitlines()
    assert one[0].split()[-6:] == out[0].split()[1:] and len(one) == 2
    assert one[1].split()[0] == BOB


def test_without_a_rule_or_mail():
    set_policy()
    assert report().rows == [] and purge("-A").rows == []
    assert table("purge", "-A").stdout.splitlines()[1:] == []


# --- who ----------------------------------------------------------------------

def test_for_one_for_some_for_all(tmp_path):
    set_policy(TRASH)
    for user in (ANN, BOB, CAT, DAN):
        seed(user, "Trash", [100 * DAY])
    report()
    file = tmp_path / "users"
    file.write_text(f"{ANN}\n{BOB}\n")
    assert list(purge("-u", DAN)) == [(DAN, "Trash", 1)]
    assert sorted(purge("-F", str(file))) == [(ANN, "Trash", 1),
                                              (BOB, "Trash", 1)]
    assert list(purge("-u", "*@alpha.example")) == [(CAT, "Trash", 1)]
    assert purge("-A").rows == []


def test_nobody_by_that_name():
    set_policy(TRASH)
    assert purge("-u", "nobody@alpha.example", status=67).rows == []


def test_one_that_fails_does_not_stop_the_rest():
    """ann's folder cannot be listed; bob comes later."""
    set_policy(TRASH)
    seed(ANN, "Trash", [100 * DAY])
    seed(BOB, "Trash", [100 * DAY])
    report()
    path = "/var/vmail/alpha.example/ann"
    os.rename(path, path + ".gone")
    os.symlink("/proc/1/mem", path)
    try:
        ran = purge("-A", status=75)
    finally:
        os.unlink(path)
        os.rename(path + ".gone", path)
    assert list(ran) == [(BOB, "Trash", 1)]
    assert f"doveadm({ANN})" in ran.said
    assert list(purge("-A")) == [(ANN, "Trash", 1)]


@pytest.mark.parametrize("args", [["--fulll"], ["-x"], ["-A", "more"]])
def test_wrong_usage(args):
    set_policy(TRASH)
    ran = subprocess.run([*PURGE, *args], text=True, capture_output=True,
                         stdin=subprocess.DEVNULL)
    assert ran.returncode == 64, ran


# --- what is out of order -----------------------------------------------------

def test_behind_a_younger_mail():
    """Found by the full scan: the first run's, a dry run's, one that is asked
    for, and that of each week.  Between them a folder is known by its first."""
    set_policy(TRASH)
    seed(ANN, "Trash", [DAY])
    report()
    DUE.unlink()
    assert purge("-A").rows == []           # the first scan of all
    seed(ANN, "Trash", [100 * DAY])
    assert purge("-A").rows == []
    assert list(purge("-n", "-A")) == [(ANN, "Trash", 1)]
    assert purge("-A").rows == []
    assert list(purge("-A", "--full")) == [(ANN, "Trash", 1)]


# --- until when nothing is due ------------------------------------------------

def looked_at(*args):
    """How many of the 15 users a run looks at."""
    users, not_due = re.search(r" users=(\d+) not_due=(\d+) ",
                               purge(*args or ["-A"]).said).groups()
    assert users == "15"
    return int(users) - int(not_due)


def due():
    """user -> the second at which he is looked at again."""
    return {line.split()[2]: int(line.split()[0])
            for line in DUE.read_text().splitlines()}


def test_until_the_day_comes():
    """Nobody is looked at before; then those of whom something is due."""
    set_policy(TRASH)
    day = int(time.time()) + DAY
    seed(ANN, "Trash", [91 * DAY, 5])
    seed(BOB, "Trash", [50 * DAY])
    report()
    assert looked_at() == 0
    assert (DUE.stat().st_uid, DUE.stat().st_mode & 0o777) == (0, 0o644)
    assert 0 < due()[BOB] - time.time() <= 7 * DAY
    assert looked_at("-A", "--full") == 15
    if due()[ANN] < day:                    # her full scan is before
        pass_time(due()[ANN] - int(time.time()) + 1)
        assert purge("-A").rows == []
    mark = due()[ANN]
    assert day <= mark < day + 60
    pass_time(mark - int(time.time()) - 5)
    assert purge("-A").rows == [] and due()[ANN] == mark
    pass_time(7)
    assert list(purge("-A")) == [(ANN, "Trash", 1)]
    assert due()[ANN] > mark
    assert looked_at() == 0


def test_each_week():
    """What is due in other ways than by waiting is found within a week."""
    set_policy(TRASH)
    seed(ANN, "Trash", [100 * DAY], flags="\\Flagged")
    report()
    assert looked_at() == 0
    run("doveadm", "flags", "remove", "-u", ANN, "\\Flagged", "mailbox",
        "Trash", "all")
    assert purge("-A").rows == []
    pass_time(7 * DAY)
    run("mailreeve", "clock", "--clock-ok")
    assert list(purge("-A")) == [(ANN, "Trash", 1)]


def test_another_policy_is_looked_at():
    """Also one that only has another quota: the owner may have to be warned."""
    set_policy(TRASH)
    seed(ANN, "Trash", [50 * DAY])
    report()
    assert looked_at() == 0
    for more in ("mailbox {\n\tquota = 1M\n}\n", "keep {\n\tminimum = 4d\n}\n"):
        set_policy(TRASH, more, share=None)
        assert looked_at() == 15
        assert looked_at() == 0
    set_policy(rule("Trash", "40d"))
    assert looked_at() == 15
    assert looked_at() == 1                 # new, so it has to be reported
    report()
    assert list(purge("-A")) == [(ANN, "Trash", 1)]
    set_policy(TRASH, "user bob@alpha.example {\n\t" +
               rule("Trash", "10d").replace("\n", "\n\t") + "\n}\n")
    report()
    assert looked_at() == 0


def test_one_and_some():
    """Whoever is named alone is looked at; of a list only those who may have
    something."""
    set_policy(TRASH)
    seed(ANN, "Trash", [50 * DAY])
    report()
    assert "users=1 not_due=0 " in purge("-u", ANN).said
    assert "users=15 not_due=15 " in purge("-u", "*@*").said


@pytest.mark.parametrize("text", [
    "", "\0" * 100, "1 2 3\n" * 100, "99999999999999999999 0 ann@alpha.example",
    None])
def test_what_is_known_is_lost(text):
    """Then all are looked at, whatever the file holds."""
    set_policy(TRASH)
    seed(ANN, "Trash", [100 * DAY])
    report()
    if text is None:
        DUE.unlink()
        DUE.mkdir()
    else:
        DUE.write_text(text)
    ran = purge("-A")
    assert list(ran) == [(ANN, "Trash", 1)]
    if text is None:
        assert "the next run will look at every user" in ran.said
        DUE.rmdir()


# --- at a terminal ------------------------------------------------------------

class Terminal:
    """The command at a terminal: standard input and error are one; standard
    output is a pipe, unless `all_of_it'."""

    def __init__(self, *args):
        master, slave = pty.openpty()
        self.process = subprocess.Popen(
            ["doveadm", "-f", "json", "mailreeve", "purge", *args], stdin=slave,
            stderr=slave, stdout=subprocess.PIPE, text=True)
        os.close(slave)
        self.fd, self.seen = master, ""

    def read(self, wanted):
        """Reads until `wanted' was said after what was read before."""
        mark, end = len(self.seen), time.monotonic() + 20
        while wanted is None or wanted not in self.seen[mark:]:
            assert time.monotonic() < end, self.seen
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.fd, 4096).decode()
                except OSError:         # it has ended
                    assert wanted is None, self.seen
                    return

    def answer(self, text, user, figures):
        self.read("[q]uit: ")
        question = self.seen.rpartition("\n")[2].rpartition("\033[K")[2]
        assert question == (f"{user}: {figures} messages are due.  Purge them?"
                            "  [y]es, [N]o, [a]ll such users, [q]uit: ")
        os.write(self.fd, text.encode() + b"\n")

    def end(self):
        self.read(None)
        out = self.process.communicate(timeout=60)[0]
        os.close(self.fd)
        return [(row["username"], int(row["messages"]))
                for row in json.loads(out or "[]")]


USERS = [f"{name}@alpha.example" for name in ("ann", "bob", "cat", "dan")]


@pytest.fixture
def emptied():
    """All of everybody's mail is due."""
    set_policy(TRASH, share=50)
    save([line(user, "Trash", 100 * DAY, "old") for user in USERS
          for _ in range(3)], "-A")
    report()
    yield
    for user in USERS:
        assert len(mails(user).get("Trash", [])) in (0, 3)


def left():
    return [user for user in USERS if mails(user)]


def test_yes_and_no(emptied):
    """Only y is yes; an empty line is no, as the capital N says."""
    t = Terminal("-A")
    for user, text in zip(USERS, ("y", "n", "", "yes")):
        t.answer(text, user, "3 of 3")
    assert t.end() == [(USERS[0], 3), (USERS[3], 3)]
    assert t.process.returncode == 0 and left() == USERS[1:3]


def test_all(emptied):
    t = Terminal("-A")
    t.answer("n", USERS[0], "3 of 3")
    t.answer("a", USERS[1], "3 of 3")
    assert t.end() == [(user, 3) for user in USERS[1:]]
    assert left() == USERS[:1]


@pytest.mark.parametrize("how", ["q", "\4"])
def test_quit(emptied, how):
    """So does the end of input."""
    t = Terminal("-A")
    t.answer("y", USERS[0], "3 of 3")
    t.answer(how, USERS[1], "3 of 3")
    assert t.end() == [(USERS[0], 3)]
    assert left() == USERS[1:]


def test_one_user_is_asked_for_too(emptied):
    t = Terminal("-u", USERS[1])
    t.answer("y", USERS[1], "3 of 3")
    assert t.end() == [(USERS[1], 3)]


def test_a_dry_run_asks_nothing(emptied):
    t = Terminal("-n", "-A")
    assert len(t.end()) == 4 and "Purge them?" not in t.seen
    assert left() == USERS


@pytest.mark.parametrize("stream", ["stdin", "stderr"])
def test_without_a_terminal_nobody_is_asked(emptied, stream):
    master, slave = pty.openpty()
    how = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
           stream: slave}
    ran = subprocess.run([*PURGE, "-A"], stdout=subprocess.PIPE, text=True,
                         timeout=60, **how)
    os.close(slave)
    os.close(master)
    assert (ran.returncode, json.loads(ran.stdout)) == (0, [])
    assert left() == USERS


def test_progress():
    """On the terminal only: how many users, how many mails, and who."""
    set_policy(TRASH)
    seed(ANN, "Trash", [100 * DAY] * 3)
    t = Terminal("-n", "-A")
    assert t.end() == [(ANN, 3)]
    shown = re.findall(r"\r\033\[K(\d+) users, (\d+) messages would go: "
                       r"(\S+@\S+?)(?=\r)", t.seen)
    assert shown[0] == ("1", "0", ANN), t.seen
    # and no trace of it before what stays
    assert re.search(r"\r\033\[K[^\r\n]*Info: purge: run=", t.seen), t.seen
    t = Terminal("-A")
    assert t.end() == [(ANN, 3)]
    assert re.search(r"\r\033\[K1 users, 0 messages gone: ", t.seen)
    t = Terminal("-u", ANN)
    assert t.end() == [] and "users, " not in t.seen
    assert "\033" not in purge("-A").said


# --- show ---------------------------------------------------------------------

def show(user):
    rows = json.loads(run("doveadm", "-f", "json", "mailreeve", "show", "-u",
                          user).stdout)
    assert all(row["username"] == user for row in rows)
    return {row["folder"]: row for row in rows}


def test_show():
    """Folders, counts, ages; what goes when, and by which rule."""
    set_policy(TRASH, rule("Spam", "14d"), rule("Flagged", "14d"))
    seed(ANN, "Trash", [100 * DAY, 50 * DAY], size=2000)
    seed(ANN, "Spam", [10 * DAY, 4 * HOUR])
    seed(ANN, "Flagged", [100 * DAY], flags="F")
    seed(ANN, "INBOX", [1000 * DAY])
    report()
    shown = show(ANN)
    assert set(shown) == {"INBOX", "Trash", "Spam", "Flagged"}
    sizes = [int(row["size.virtual"])
             for row in mails(ANN, "size.virtual")["Trash"]]
    assert shown["Trash"] == {
        "username": ANN, "folder": "Trash", "messages": 2,
        "bytes": sum(sizes), "oldest": shown["Trash"]["oldest"],
        "rule": "purge Trash", "after": "92d", "due": 1, "goes": "now",
        "at": place("\tafter = 92d")}
    assert shown["Trash"]["oldest"].startswith(date(100 * DAY) + " ")
    assert (shown["Spam"]["due"], shown["Spam"]["after"]) == (0, "14d")
    assert shown["Spam"]["goes"].startswith(date(-4 * DAY) + " ")
    assert (shown["Flagged"]["due"], shown["Flagged"]["goes"]) == (0, "kept")
    assert (shown["INBOX"]["goes"], shown["INBOX"]["rule"]) == ("never", "-")
    purge("-A")
    trash = show(ANN)["Trash"]
    assert (trash["messages"], trash["due"]) == (1, 0)
    assert trash["goes"].startswith(date(-42 * DAY) + " ")


def test_show_says_what_holds_it_back():
    set_policy(TRASH)
    seed(ANN, "Trash", [100 * DAY])
    assert show(ANN)["Trash"]["goes"] == "after a -n report"
    report()
    assert show(ANN)["Trash"]["goes"] == "now"
    set_policy("mode = observe\n", TRASH)
    report()
    assert show(ANN)["Trash"]["goes"] == "not in observe mode"
    assert len(subjects(ANN)) == 1


def test_show_of_all():
    set_policy(TRASH)
    seed(ANN, "Trash", [DAY])
    seed(BOB, "Sent", [DAY])
    rows = json.loads(run("doveadm", "-f", "json", "mailreeve", "show",
                          "-A").stdout)
    assert {(ANN, "Trash"), (BOB, "Sent")} <= {
        (row["username"], row["folder"]) for row in rows}
    out = table("show", "-u", ANN).stdout.splitlines()
    assert out[0].split() == ["Username", "Folder", "Messages", "Bytes",
                              "Oldest", "Rule", "After", "Due", "Goes", "At"]
