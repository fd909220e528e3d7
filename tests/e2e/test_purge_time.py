"""test_purge_time - months pass, and what happened in them does not matter
SPDX-License-Identifier: ISC

No date is set here: mail is delivered, moved and flagged, and grows old.
"""
import os
import shutil
import subprocess
import uuid

import pytest
from purging import (ANN, BOB, DAY, DOVECOT_LOG, HOUR, Imap, clean, log_end,
                     log_lines, pass_time, purge, report, rule, run,
                     set_policy, subjects)

from world import mail, send, where

__all__ = ["clean"]
TRASH = rule("Trash", "92d")


def later(seconds):
    """The clock is right, says root, as nobody else can."""
    pass_time(seconds)
    run("mailreeve", "clock", "--clock-ok")


def deliver(*users):
    """By SMTP; the subject, when it is in the INBOX of all."""
    m = mail(list(users))
    send(m)
    assert len(where(m.subject, timeout=60, count=len(users))) == len(users)
    return m.subject


def to_trash(user, command="MOVE"):
    with Imap(user, "INBOX") as client:
        assert client.uid(command, "1:*", "Trash")[0] == "OK"


def flag(user, folder, what="\\Seen"):
    with Imap(user, folder) as client:
        assert client.uid("store", "1:*", "+FLAGS", what)[0] == "OK"


# --- from delivery to the end -------------------------------------------------

def test_92_days():
    """As the provider's page promises: of the Trash, not of the mail."""
    set_policy(TRASH)
    report()
    young, old = deliver(BOB), deliver(ANN)
    later(30 * DAY)
    to_trash(ANN)
    later(91 * DAY)                         # 121 days old, 91 in the Trash
    assert purge("-A").rows == []
    assert subjects(ANN, "Trash") == [old]
    later(DAY + HOUR)
    assert list(purge("-A")) == [(ANN, "Trash", 1)]
    assert subjects(ANN) == set() and subjects(BOB) == {young}


@pytest.mark.parametrize("command", ["MOVE", "COPY"])
def test_flags_do_not_start_the_age_anew(command):
    """A flag is a new name of the file, and a new ctime."""
    set_policy(TRASH)
    report()
    deliver(ANN)
    to_trash(ANN, command)
    for what in ("\\Seen", "\\Answered", "$Label1", "\\Deleted"):
        later(20 * DAY)
        flag(ANN, "Trash", what)
    assert purge("-A").rows == []
    later(12 * DAY + HOUR)
    assert list(purge("-A")) == [(ANN, "Trash", 1)]


def test_what_dovecot_does_to_its_cache():
    """It is written anew, and drops what nobody has asked for lately."""
    set_policy(rule("INBOX", "92d"))
    report()
    deliver(ANN)
    for _ in range(3):
        later(28 * DAY)
        flag(ANN, "INBOX", "\\Seen")
        deliver(ANN)
        with Imap(ANN, "INBOX") as client:
            client.uid("fetch", "1:*", "(ENVELOPE INTERNALDATE BODYSTRUCTURE)")
        run("doveadm", "mailbox", "cache", "purge", "-u", ANN, "INBOX")
        flag(ANN, "INBOX", "\\Answered")
    later(8 * DAY + HOUR)
    assert list(purge("-A")) == [(ANN, "INBOX", 1)]
    later(28 * DAY)
    assert list(purge("-A")) == [(ANN, "INBOX", 1)]


def drop(user, folder=""):
    """A mail that another program put into the Maildir."""
    user, domain = user.split("@")
    box = f"/var/vmail/{domain}/{user}/Maildir/{folder}"
    subject = uuid.uuid4().hex
    path = f"{box}new/{subject}"
    with open(path, "w", encoding="ascii") as file:
        file.write(f"Subject: {subject}\n\nhello\n")
    shutil.chown(path, "vmail", "vmail")
    return subject


def test_mail_that_dovecot_did_not_save():
    """Its age is fixed when a purge has first looked at all of the folder, in
    the first week; flags that come later are of no importance, either."""
    set_policy(rule("INBOX", "92d"))
    report()
    Imap(ANN, "INBOX").logout()
    purge("-A")
    for _ in range(3):
        drop(ANN)
    Imap(ANN, "INBOX").logout()
    later(7 * DAY)
    assert purge("-A").rows == []
    flag(ANN, "INBOX")
    later(40 * DAY)
    flag(ANN, "INBOX", "\\Answered")
    later(45 * DAY + HOUR)
    assert list(purge("-A")) == [(ANN, "INBOX", 3)]


def test_mail_that_dovecot_did_not_save_but_moved():
    set_policy(TRASH)
    report()
    Imap(ANN, "INBOX").logout()
    drop(ANN)
    to_trash(ANN)
    later(40 * DAY)
    flag(ANN, "Trash")
    later(52 * DAY + HOUR)
    assert list(purge("-A")) == [(ANN, "Trash", 1)]


# --- the clock ----------------------------------------------------------------

STANDS = "the clock is more than 2 days from its mark"
SAY_SO = "mailreeve clock --clock-ok"


def test_the_clock_jumped_by_92_days():
    """Nothing goes by itself or by command; the dry run says so and what would
    go.  The timer's `--advance' does not help, as nothing explains the jump."""
    set_policy(TRASH)
    report()
    deliver(ANN, BOB)
    to_trash(ANN)
    to_trash(BOB)
    pass_time(92 * DAY + HOUR)
    ran = purge("-A", status=75)
    assert ran.rows == [] and STANDS in ran.said and SAY_SO in ran.said
    assert purge("-u", ANN, "--full", status=75).rows == []
    ran = purge("-n", "-A")
    assert len(ran.rows) == 2 and STANDS in ran.said
    mark = log_end(DOVECOT_LOG)
    Imap(ANN, "Trash").logout()
    said = log_lines(DOVECOT_LOG, "purge: nothing is purged", after=mark)
    assert len(said) == 1 and STANDS in said[0] and SAY_SO in said[0]
    ran = run("mailreeve", "clock", "--advance", check=False)
    assert ran.returncode == 1 and SAY_SO in ran.stderr
    assert purge("-A", status=75).rows == []
    assert len(subjects(ANN, "Trash")) == len(subjects(BOB, "Trash")) == 1
    run("mailreeve", "clock", "--clock-ok")
    mark = log_end(DOVECOT_LOG)
    Imap(ANN, "INBOX").logout()
    log_lines(DOVECOT_LOG, "purge: run=.* folder=Trash messages=1", after=mark)
    assert list(purge("-A")) == [(BOB, "Trash", 1)]


@pytest.mark.parametrize("hours, runs", [(47, True), (49, False)])
def test_how_far_the_clock_may_be_from_its_mark(hours, runs):
    """Where nobody has moved the mark, purges go on for two days."""
    set_policy(rule("Trash", "3d"))
    report()
    deliver(ANN)
    to_trash(ANN)
    later(2 * DAY)
    pass_time(hours * HOUR)
    ran = purge("-A", status=0 if runs else 75)
    assert len(ran.rows) == runs


@pytest.mark.parametrize("text", [None, "", "1\n", "1 1 1 x\n"])
def test_without_a_mark_that_can_be_read(text):
    set_policy(rule("Trash", "3d"))
    report()
    deliver(ANN)
    to_trash(ANN)
    later(4 * DAY)
    mark = "/var/lib/mailreeve/clock"
    os.unlink(mark)
    if text is not None:
        with open(mark, "w", encoding="ascii") as file:
            file.write(text)
    ran = purge("-A", status=75)
    assert ran.rows == [] and "nothing is purged" in ran.said
    assert text is not None or "there is no clock mark" in ran.said
    Imap(ANN, "Trash").logout()
    assert len(subjects(ANN, "Trash")) == 1
    run("mailreeve", "clock", "--clock-ok")
    assert list(purge("-A")) == [(ANN, "Trash", 1)]


def test_the_timers_command():
    """What mailreeve-purge.service runs."""
    set_policy(TRASH)
    report()
    deliver(ANN)
    to_trash(ANN)
    later(93 * DAY)
    unit = subprocess.run(
        "sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/"
        "mailreeve-purge.service || exit", shell=True, text=True,
        capture_output=True, check=True).stdout.split()
    assert unit[-3:] == ["mailreeve", "purge", "-A"], unit
    ran = run(*unit)
    assert f"{ANN} " in ran.stdout and subjects(ANN) == set()
