"""test_purge_guards - what holds a purge back, however due the mail is
SPDX-License-Identifier: ISC

A dry run first, no more than a share of somebody's mail, a policy and tables
that can be read, mode = observe.  The clock is test_purge_time.py's.
"""
import os
import pathlib
import re

import pytest
from purging import (ANN, BOB, CAT, DAY, DOVECOT_LOG, REPORTED, Imap, clean,
                     log_end, log_lines, pids_of, purge, report, rule, run,
                     seed, set_policy, subjects, until)

__all__ = ["clean"]
PUBLISHED = pathlib.Path("/var/lib/mailreeve/mailbox.conf")
TRASH, SPAM = rule("Trash", "92d"), rule("Spam", "14d")


def old(*users, folder="Trash", days=100):
    for user in users:
        seed(user, folder, [days * DAY])


def session(user, said=None):
    """One that ends; and what Dovecot must log of it."""
    mark = log_end(DOVECOT_LOG)
    Imap(user, "INBOX").logout()
    until(lambda: not pids_of("imap"))
    if said:
        log_lines(DOVECOT_LOG, f"imap\\({user}\\).*: mailreeve: .*" +
                  re.escape(said), after=mark)


# --- the dry run first --------------------------------------------------------

def test_a_new_rule_waits_for_its_report():
    set_policy(TRASH)
    old(ANN, BOB)
    ran = purge("-A")
    assert ran.rows == []
    assert "purge Trash (/etc/mailreeve/mailreeve.conf:" in ran.said
    assert ("is new: 2 messages of 2 users stay until \"doveadm mailreeve "
            "purge -n -A\" has shown") in ran.said
    session(ANN)
    assert len(subjects(ANN)) == len(subjects(BOB)) == 1
    assert sorted(report()) == [(ANN, "Trash", 1), (BOB, "Trash", 1)]
    assert len(subjects(ANN)) == len(subjects(BOB)) == 1
    ran = purge("-A")
    assert len(ran.rows) == 2 and "is new" not in ran.said


def test_one_rule_that_is_new_beside_one_that_is_known():
    set_policy(TRASH)
    report()
    known = REPORTED.read_text()
    set_policy(TRASH, SPAM)
    REPORTED.write_text(known)
    old(ANN, folder="Trash")
    old(ANN, folder="Spam")
    ran = purge("-A")
    assert list(ran) == [(ANN, "Trash", 1)] and "purge Spam" in ran.said
    report()
    assert list(purge("-A")) == [(ANN, "Spam", 1)]


@pytest.mark.parametrize("before, now, goes", [
    ("92d", "93d", True), ("92d", "91d", False), ("92d", "92d", True)])
def test_a_rule_that_keeps_more_is_known(before, now, goes):
    set_policy(rule("Trash", before))
    report()
    known = REPORTED.read_text()
    set_policy(rule("Trash", now))
    REPORTED.write_text(known)
    old(ANN)
    assert bool(purge("-A").rows) == goes


@pytest.mark.parametrize("before, now, goes", [
    ("no", "yes", True), ("yes", "no", False)])
def test_a_rule_that_no_longer_keeps_flagged_mail_is_new(before, now, goes):
    set_policy(rule("Trash", "92d", f"keep_flagged = {before}"))
    report()
    known = REPORTED.read_text()
    set_policy(rule("Trash", "92d", f"keep_flagged = {now}"))
    REPORTED.write_text(known)
    old(ANN)
    assert bool(purge("-A").rows) == goes


def test_a_lower_floor_is_new(tmp_path):
    keep = "domain alpha.example {{\n\tkeep {{\n\t\tminimum = {}\n\t}}\n}}\n"
    file = tmp_path / "users"
    file.write_text(f"{ANN}\n")
    set_policy(rule("Trash", "20d"), keep.format("90d"))
    purge("-n", "-F", str(file))
    known = REPORTED.read_text()
    set_policy(rule("Trash", "20d"), keep.format("30d"))
    REPORTED.write_text(known)
    old(ANN, days=40)
    assert "is new" in purge("-A").said and len(subjects(ANN)) == 1


def test_the_report_of_one_user_is_for_his_own_rules(tmp_path):
    set_policy(TRASH, f"user {CAT} {{\n" + SPAM + "}\n")
    old(ANN, CAT)
    old(CAT, folder="Spam")
    assert list(purge("-n", "-u", ANN)) == [(ANN, "Trash", 1)]
    assert not purge("-A").rows
    assert sorted(purge("-n", "-u", CAT)) == [(CAT, "Spam", 1),
                                              (CAT, "Trash", 1)]
    assert list(purge("-A")) == [(CAT, "Spam", 1)]
    file = tmp_path / "users"
    file.write_text(f"{ANN}\n")
    assert list(purge("-n", "-F", str(file))) == [(ANN, "Trash", 1)]
    assert sorted(purge("-A")) == [(ANN, "Trash", 1), (CAT, "Trash", 1)]


def test_only_root_reports():
    """Dovecot's own user sees the list but cannot make a rule known."""
    set_policy(TRASH)
    old(ANN)
    ran = run("setpriv", "--reuid=vmail", "--regid=vmail", "--clear-groups",
              "doveadm", "mailreeve", "purge", "-n", "-u", ANN, check=False)
    assert not REPORTED.exists(), ran
    report()
    assert REPORTED.stat().st_uid == 0
    assert REPORTED.stat().st_mode & 0o777 == 0o644


# --- the share ----------------------------------------------------------------

def test_more_than_the_share_stays():
    """50 % is not more than 50 %."""
    set_policy(TRASH, share=50)
    seed(ANN, "Trash", [100 * DAY] * 6)
    seed(ANN, "INBOX", [100 * DAY] * 5)
    seed(BOB, "Trash", [100 * DAY] * 5 + [DAY] * 5)
    report()
    ran = purge("-A")
    assert list(ran) == [(BOB, "Trash", 5)]
    assert (f"doveadm({ANN})" in ran.said and
            "6 of 11 messages are due, more than keep { share } allows"
            in ran.said and f"purge -u {ANN}\" at a terminal" in ran.said)
    assert "held=1" in ran.said
    session(ANN, "nothing is purged: 6 of 11 messages are due")
    assert len(subjects(ANN, "Trash")) == 6
    seed(ANN, "INBOX", [DAY])           # 6 of 12
    assert list(purge("-A")) == [(ANN, "Trash", 6)]


def test_the_default_is_half():
    set_policy(TRASH, share=None)
    seed(ANN, "Trash", [100 * DAY] * 6 + [DAY] * 5)
    report()
    assert "6 of 11 messages" in purge("-u", ANN).said
    assert len(subjects(ANN)) == 11


def test_the_share_of_one():
    set_policy(TRASH, f"user {ANN} {{\n\tkeep {{\n\t\tshare = 100%\n\t}}\n}}\n",
               share=10)
    old(ANN, BOB)
    report()
    assert list(purge("-A")) == [(ANN, "Trash", 1)]


def test_the_share_counts_only_what_may_go():
    """What waits for a report is not due yet."""
    set_policy(TRASH, share=50)
    report()
    known = REPORTED.read_text()
    set_policy(TRASH, SPAM, share=50)
    REPORTED.write_text(known)
    seed(ANN, "Spam", [100 * DAY] * 9)
    seed(ANN, "Trash", [100 * DAY])
    assert list(purge("-A")) == [(ANN, "Trash", 1)]


# --- what cannot be found out -------------------------------------------------

def test_a_table_that_cannot_be_read():
    """Who is in the group is not known: nobody is purged, whoever it is."""
    table = pathlib.Path("/etc/mailreeve/slow.lmdb")
    table.unlink(missing_ok=True)
    source = table.with_suffix("")
    source.write_text(f"{BOB} x\n")
    run("postmap", f"lmdb:{source}")
    group = (f"group slow {{\n\tmembers = lmdb:{source}\n" +
             rule("Trash", "400d") + "}\n")
    set_policy(TRASH, group)
    old(ANN, BOB, CAT)
    assert sorted(report()) == [(ANN, "Trash", 1), (CAT, "Trash", 1)]
    assert list(purge("-u", CAT)) == [(CAT, "Trash", 1)]
    table.write_bytes(b"no table at all")
    ran = purge("-A")
    assert ran.rows == [] and "cannot tell who is in group slow" in ran.said
    assert "nothing is purged until it can be read" in ran.said
    session(ANN, "cannot tell who is in group slow")
    assert len(subjects(ANN)) == 1
    table.unlink()
    assert purge("-A").rows == []
    run("postmap", f"lmdb:{source}")
    assert list(purge("-A")) == [(ANN, "Trash", 1)]
    assert len(subjects(BOB)) == 1


HALF = object()


@pytest.mark.parametrize("damage", [None, HALF, b"", b"\0" * 99, b"purge\n"],
                         ids=["missing", "half", "empty", "zeros", "wrong"])
def test_a_policy_that_cannot_be_read(damage):
    """Half a policy is another policy: what keeps mail may be in the rest."""
    set_policy(TRASH, f"user {ANN} {{\n" + rule("Trash", "400d") + "}\n")
    old(ANN, BOB)
    report()
    text = PUBLISHED.read_bytes()
    PUBLISHED.unlink()
    if damage is not None:
        PUBLISHED.write_bytes(text[:text.index(b"user ")] if damage is HALF
                              else damage)
    ran = purge("-A", status=75)
    assert ran.rows == [] and "nothing is purged" in ran.said
    session(ANN, "nothing is purged")
    assert len(subjects(ANN)) == len(subjects(BOB)) == 1
    PUBLISHED.write_bytes(text)
    assert list(purge("-A")) == [(BOB, "Trash", 1)]


def test_a_policy_that_everybody_may_write():
    """Who can write a rule can remove mail."""
    set_policy(TRASH)
    old(ANN)
    report()
    os.chmod(PUBLISHED, 0o666)
    ran = purge("-A", status=75)
    assert ran.rows == [] and len(subjects(ANN)) == 1
    run("mailreeve", "reload")
    assert list(purge("-A")) == [(ANN, "Trash", 1)]


def test_what_is_half_edited_does_not_count(policy):
    """Only what was reloaded: `9d` on its way to `92d`."""
    set_policy(TRASH)
    old(ANN, days=20)
    report()
    path = pathlib.Path("/etc/mailreeve/mailreeve.conf")
    text = path.read_text()
    path.write_text(text.replace("92d", "9d"))
    assert list(report()) == [] and list(purge("-A")) == []
    path.write_text(text)
    assert len(subjects(ANN)) == 1


# --- observe ------------------------------------------------------------------

def test_observe():
    set_policy(TRASH)
    old(ANN, BOB)
    report()
    known = REPORTED.read_text()
    set_policy("mode = observe\n", TRASH)
    REPORTED.write_text(known)
    ran = purge("-A")
    assert sorted(ran) == [(ANN, "Trash", 1), (BOB, "Trash", 1)]
    assert "mode = observe, so this is what would go" in ran.said
    assert ran.said.count("mode = observe") == 1
    session(ANN, "1 messages would go (mode = observe)")
    assert len(subjects(ANN)) == len(subjects(BOB)) == 1
    set_policy(TRASH)
    REPORTED.write_text(known)
    assert len(purge("-A").rows) == 2


def test_what_was_seen_in_observe_mode_is_not_reported():
    """Somebody has to ask for it: the timer runs for itself."""
    set_policy("mode = observe\n", TRASH)
    old(ANN)
    assert purge("-A").rows
    assert not REPORTED.exists() or "Trash" not in REPORTED.read_text()
