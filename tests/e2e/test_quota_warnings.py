"""test_quota_warnings - the owner of a mailbox is told before it is full
SPDX-License-Identifier: ISC
"""
import os
import pathlib
import re
import shutil
import stat

import pytest
from conftest import run, until
from quotas import *                                            # noqa: F403

from world import fetch_subjects
from world.postfix import pids_of

TEMPLATE = pathlib.Path("/etc/mailreeve/full.eml")
COMMAND = pathlib.Path("/etc/mailreeve/warn")
RAN = pathlib.Path("/tmp/warned")


def levels(size="20K", warn="50% 80%", more=""):
    return f"mailbox {{\n\tquota = {size}\n\twarn = {warn}\n{more}}}\n"


def warnings(b):
    """The percentages in the subjects of INBOX."""
    return [int(subject.split()[3].rstrip("%"))
            for subject in fetch_subjects(b.user)
            if subject.startswith("Your mailbox is ")]


def remove(b, *query):
    doveadm("expunge", "-u", b.user, "mailbox", "INBOX", *query)


# --- when ---------------------------------------------------------------------

def test_once_for_each_level(rules, box):
    rules(levels())
    b = box()
    expected = []
    for size in [4 * K] * 2 + [K] * 2 + [3 * K] * 2 + [K]:
        before = b.octets()
        b.fill(size)
        now = before + size
        for level in (10 * K, 16 * K):
            if before < level <= now:
                expected.append(now * 100 // (20 * K))
        assert warnings(b) == expected
    assert len(expected) == 2


@pytest.mark.parametrize("way", ["APPEND", "COPY", "LMTP", "LDA"])
def test_every_way(rules, box, way):
    rules(levels())
    b = box()
    b.fill(6 * K)
    if way == "APPEND":
        b.fill(6 * K)
    elif way == "COPY":
        with b.imap("INBOX") as c:
            c.create("Lists")
            assert c.copy("1", "Lists")[0] == "OK"
    elif way == "LMTP":
        assert deliver(b.mail(5900)).code == 250
    else:
        assert lda(b.user, b.mail(5900)).returncode == 0
    assert len(warnings(b)) == 1


def test_the_record_knows_of_the_warning(rules, box):
    """It went in though the mailbox is full, and the record is never less than
    what is there."""
    rules(levels(warn="100%"))
    b = box()
    b.fill(20 * K)
    assert warnings(b) == [100]
    [record] = b.home.glob("*/mailreeve.usage")
    assert int(record.read_text().split()[1]) >= b.octets() > 20 * K


def test_two_levels_at_once_are_one_warning(rules, box):
    rules(levels())
    b = box()
    b.fill(17 * K)
    assert warnings(b) == [85]
    b.fill(K)
    assert warnings(b) == [85]


def test_again_after_falling_below(rules, box):
    rules(levels())
    b = box()
    b.fill(5 * K, 6 * K)
    assert warnings(b) == [55]
    with b.imap("INBOX") as c:
        c.store("1", "+FLAGS", r"\Deleted")
        c.expunge()
    assert warnings(b) == [55]
    b.fill(4 * K)
    assert len(warnings(b)) == 2
    remove(b, "LARGER", "3000")
    b.fill(1000)                # a save below
    b.fill(10 * K)
    assert len(warnings(b)) == 3


def test_again_after_an_unseen_fall(rules, box):
    """Below and above again, and no session of his ended in between."""
    rules(levels())
    b = box()
    b.fill(5 * K, 6 * K)
    assert len(warnings(b)) == 1
    remove(b, "1")
    assert deliver(b.mail(6 * K)).code == 250
    assert len(warnings(b)) == 2


def test_not_for_what_moves(rules, box):
    rules(levels())
    b = box()
    b.fill(5 * K, 6 * K)
    with b.imap("INBOX") as c:
        c.create("Lists")
        assert c._simple_command("MOVE", "1:2", "Lists")[0] == "OK"
    assert warnings(b) == [55]


@pytest.mark.parametrize("how", ["session", "timer"])
def test_after_the_quota_was_lowered(rules, box, how):
    rules(levels("100K"))
    b = box()
    b.fill(17 * K)
    assert warnings(b) == []
    rules(levels("20K"))
    for _ in range(2):
        if how == "session":
            with b.imap():
                pass
            until(lambda: b.user not in run("doveadm", "who").stdout)
        else:
            run("mailreeve", "clock", "--advance")
            run("doveadm", "mailreeve", "purge", "-u", b.user)
        until(lambda: warnings(b) == [85])


def test_full_mailbox_still_gets_the_warning(rules, box):
    rules(levels(warn="100%"))
    b = box()
    b.fill(20 * K)
    assert warnings(b) == [100]
    assert is_full(deliver(b.mail()))


def test_observe_warns_nobody(rules, box):
    rules("mode = observe\n" + levels())
    b = box()
    b.fill(17 * K)
    assert warnings(b) == []


# --- the mail -----------------------------------------------------------------

def text_of(b):
    return doveadm("fetch", "-u", b.user, "text", "mailbox", "INBOX",
                   "SUBJECT", "full")[0]["text"]


def test_built_in_mail(rules, box):
    rules(levels())
    b = box()
    b.fill(12 * K)
    [size] = b.sizes("INBOX")[:1]
    text = text_of(b)
    head, _, body = text.partition("\n\n")
    assert f"From: Mail system <{b.user}>\nTo: <{b.user}>\n" in head
    assert "\nSubject: Your mailbox is 60% full\n" in head
    assert re.search(r"\nDate: \w{3}, \d+ \w{3} \d{4} [\d:]+ \+0000\n", head)
    assert re.search(r"\nMessage-ID: <[0-9a-f]{32}@alpha.example>\n", head)
    assert "\nAuto-Submitted: auto-generated" in head
    assert f"{b.user} holds 12 KB of 20 KB, that is 60%." in body
    assert 0 < size < 1000


def test_template(rules, box):
    TEMPLATE.write_text("From: postmaster@lab.example\nTo: {user}\n"
                        "Subject: full\nDate: {date}\n\n"
                        "{percent} {level} {used} {limit} {id} {no}\n")
    rules(levels(more=f"\twarn_mail = {TEMPLATE}\n"))
    b = box()
    b.fill(12 * K)
    head, _, body = text_of(b).partition("\n\n")
    assert f"To: {b.user}\n" in head
    assert re.fullmatch(r"60 50 12 KB 20 KB [0-9a-f]{32}@alpha.example \{no\}\n",
                        body)


@pytest.mark.parametrize("content, why", [
    (None, "No such file"),
    ("", "is not a mail"),
    ("A mail without a header\n\nHello\n", "is not a mail"),
    ("Subject: no end of the header\n", "is not a mail"),
    ("Subject: full\0\n\nx\n", "NUL"),
    pytest.param("Subject: full\n\n" + "x" * 300000, "larger than",
                 id="large"),
    ("FIFO", "not a|FIFO|regular"),
    ("directory", "directory|not a"),
    ("unreadable", "Permission denied"),
])
def test_broken_template(rules, box, content, why):
    """The owner is warned all the same, and root reads why."""
    TEMPLATE.unlink(missing_ok=True)
    if content == "FIFO":
        os.mkfifo(TEMPLATE)
    elif content == "directory":
        TEMPLATE.mkdir()
    elif content is not None:
        TEMPLATE.write_text(content)
        TEMPLATE.chmod(0o600 if content == "unreadable" else 0o644)
    rules(levels(more=f"\twarn_mail = {TEMPLATE}\n"))
    b = box()
    mark = log_end(DOVECOT_LOG)
    b.fill(12 * K)
    if content == "directory":
        TEMPLATE.rmdir()
    assert warnings(b) == [60]
    [line] = log_lines(DOVECOT_LOG, "warn_mail", after=mark)
    assert re.search(why, line) and str(TEMPLATE) in line


# --- the program --------------------------------------------------------------

@pytest.fixture
def command():
    """A program that writes down how it was called; what it wrote."""
    def make(path=COMMAND, mode=0o755, more=""):
        path.write_text("#!/bin/sh\n"
                        f'echo "$(id -u):$(id -g) $(pwd) $*" >>{RAN}\n{more}')
        os.chown(path, 0, 0)
        path.chmod(mode)
        return path

    RAN.unlink(missing_ok=True)
    RAN.touch()
    RAN.chmod(0o666)
    yield make
    COMMAND.unlink(missing_ok=True)


def by(path):
    return levels(more=f"\twarn_command = {path}\n")


def ran(count=1):
    """What was written, as soon as there are so many lines."""
    until(lambda: len(RAN.read_text().splitlines()) >= count)
    return RAN.read_text().splitlines()


def test_command(rules, box, command):
    """It takes the mail's place, and is the mailbox's user, not root."""
    rules(by(command()))
    b = box()
    b.fill(12 * K)
    assert ran() == [f"5000:5000 / {b.user} 60 12 KB 20 KB"]
    assert warnings(b) == []
    b.fill(K)
    assert deliver(b.mail(4 * K)).code == 250
    assert len(ran(2)) == 2
    assert ran()[1].startswith(f"5000:5000 / {b.user} 8")


def test_command_of_the_timer_is_not_root(rules, box, command):
    """Not even one that has put its rights aside."""
    rules("")
    b = box()
    b.fill(12 * K)
    rules(by(command(more=f"grep -E '^(.id|Groups|CapEff)' /proc/$$/status "
                          f">>{RAN}\n")))
    run("mailreeve", "clock", "--advance")
    run("doveadm", "mailreeve", "purge", "-u", b.user)
    lines = [line.split() for line in ran(5)]
    assert lines[0][:3] == ["5000:5000", "/", b.user]
    ids = {line[0]: line[1:] for line in lines[1:]}
    assert ids["Uid:"] == ids["Gid:"] == ["5000"] * 4
    assert "0" not in ids["Groups:"] and int(ids["CapEff:"][0], 16) == 0


def test_command_that_hangs_delays_nobody(rules, box, command):
    rules(by(command(more="exec sleep 55\n")))
    b = box()
    try:
        b.fill(12 * K, 1000)    # imaplib waits for 30 s
        assert deliver(b.mail(1000)).code == 250
        assert len(ran()) == 1
    finally:
        for pid in pids_of("sleep"):
            os.kill(pid, 9)


def test_command_inherits_no_client(rules, box, command):
    """Nor a mailbox, nor a lock: it has the standard three, at most."""
    rules(by(command(more=f"ls -l /proc/self/fd >>{RAN}\n")))
    b = box()
    b.fill(12 * K)
    lines = "\n".join(ran(5))
    found = re.findall(r"(\d+) -> (.*)", lines)
    assert found and not [fd for fd in found
                          if int(fd[0]) > 2 and "/proc" not in fd[1]], lines
    assert not [fd for fd in found if "socket" in fd[1]], lines


def hand_over(path):
    os.chown(path, 5000, 5000)


def make_directory(mode=0o755, owner=0):
    directory = pathlib.Path("/etc/mailreeve/bin")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    directory.chmod(mode)
    os.chown(directory, owner, 0)
    return directory


@pytest.mark.parametrize("case", [
    "owner", "group writes", "others write", "not executable", "missing",
    "directory", "link to another's", "in another's directory",
    "in a directory that others write", "through a link into another's"])
def test_command_that_root_has_not_in_hand(rules, box, command, case):
    path = command()
    if case == "owner":
        hand_over(path)
    elif case == "group writes":
        path.chmod(0o775)
    elif case == "others write":
        path.chmod(0o757)
    elif case == "not executable":
        path.chmod(0o644)
    elif case == "missing":
        path.unlink()
    elif case == "directory":
        path = make_directory()
    elif case == "link to another's":
        other = command(COMMAND.with_suffix(".other"))
        hand_over(other)
        path.unlink()
        path.symlink_to(other)
    elif case == "in another's directory":
        path = command(make_directory(owner=5000) / "warn")
    elif case == "in a directory that others write":
        path = command(make_directory(0o777) / "warn")
    elif case == "through a link into another's":
        other = command(make_directory(owner=5000) / "warn")
        path.unlink()
        path.symlink_to(other)
    rules(by(path))
    b = box()
    mark = log_end(DOVECOT_LOG)
    b.fill(12 * K)
    [line] = log_lines(DOVECOT_LOG, "warn_command was not run", after=mark)
    assert "Error" in line and b.user in line
    assert RAN.read_text() == ""
    assert b.sizes()[-1] == 12 * K
