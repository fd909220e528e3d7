"""test_purge_rules - which mail is due: by folder, age, flag and floor
SPDX-License-Identifier: ISC
"""
import pathlib

import pytest
from purging import (ANN, BOB, CAT, DAN, DAY, HOUR, Imap, clean, mails, purge,
                     report, rule, seed, set_policy, subjects)

__all__ = ["clean"]
PUBLISHED = pathlib.Path("/var/lib/mailreeve/mailbox.conf")


def purged():
    """After the dry run: what a run removes."""
    would = report()
    done = purge("-A")
    assert sorted(done) == sorted(would)
    assert [row for row in done.rows] == [row for row in would.rows]
    assert sorted(purge("-A", "--full")) == []
    return sorted(done)


# --- which folder -------------------------------------------------------------

def test_no_rule_is_never():
    """Not one that is near: a folder's name in other letters, one below it."""
    set_policy(rule("Trash", "92d"))
    kept = [seed(ANN, folder, [4000 * DAY]) for folder in
            ("INBOX", "trash", "Trash.2019", "Sent", "Trash2")]
    gone = seed(ANN, "Trash", [93 * DAY])
    assert purged() == [(ANN, "Trash", 1)]
    assert subjects(ANN) == {subject for one in kept for subject in one}
    assert not subjects(ANN) & set(gone)


def test_without_any_rule():
    set_policy()
    seed(ANN, "Trash", [4000 * DAY])
    assert purged() == [] and len(subjects(ANN, "Trash")) == 1


def test_by_special_use():
    """Debian's Dovecot has two folders for \\Sent."""
    set_policy(rule(r"\Trash", "92d"), rule(r"\Junk \Sent", "14d"))
    for folder in ("Trash", "Junk", "Sent", "Sent Messages", "Drafts",
                   "Archive"):
        seed(ANN, folder, [100 * DAY, 20 * DAY])
    assert purged() == [(ANN, "Junk", 2), (ANN, "Sent", 2),
                        (ANN, "Sent Messages", 2), (ANN, "Trash", 1)]


def test_by_wildcard():
    set_policy(rule("Lists.* *old*", "30d"))
    for folder in ("Lists", "Lists.dev", "Lists.a.b", "very old", "older",
                   "Old"):
        seed(ANN, folder, [31 * DAY, 29 * DAY])
    assert purged() == [(ANN, folder, 1) for folder in
                        ("Lists.a.b", "Lists.dev", "older", "very old")]


def test_name_that_no_folder_can_have():
    """Latin-1 is not UTF-8: Dovecot panics when it is asked for it."""
    set_policy(rule("M\xfcll Trash", "5d"))
    PUBLISHED.write_bytes(PUBLISHED.read_text().encode("latin-1"))
    seed(ANN, "Trash", [6 * DAY])
    assert purged() == [(ANN, "Trash", 1)]


def test_everything():
    set_policy(rule("*", "90d"))
    for folder in ("INBOX", "Trash", "Sent", "a.b"):
        seed(ANN, folder, [91 * DAY, 89 * DAY])
    assert purged() == [(ANN, folder, 1) for folder in
                        ("INBOX", "Sent", "Trash", "a.b")]


@pytest.mark.parametrize("titles, inbox", [
    ("INBOX", 1), ("inbox", 1), ("*", 1), ("I*", 0), ("*X", 0)])
def test_inbox_only_if_it_is_named_or_by_star(titles, inbox):
    set_policy(rule(titles, "90d"))
    seed(ANN, "INBOX", [91 * DAY])
    assert purged() == [(ANN, "INBOX", 1)] * inbox


def test_the_narrower_rule():
    """A name, then a special use, then the longest glob, then `*`."""
    set_policy(rule("*", "10d"), rule("Tr*", "20d"), rule("T*", "12d"),
               rule(r"\Trash", "30d"), rule("Trash2", "40d"))
    for folder in ("Trash", "Trash2", "Trax", "Tea", "Sent"):
        seed(ANN, folder, [age * DAY for age in (45, 35, 25, 15, 11, 5)])
    assert purged() == [(ANN, "Sent", 5), (ANN, "Tea", 4), (ANN, "Trash", 2),
                        (ANN, "Trash2", 1), (ANN, "Trax", 3)]


@pytest.mark.parametrize("folder, title", [
    ("Deleted Items", '"Deleted Items"'), ("Gelöschte", "Gelöschte"),
    ("a&b", "a&b"), ("ごみ箱", "*箱"), ("it's \\x", '"it\'s \\\\x"')])
def test_other_letters(folder, title):
    set_policy(rule(title, "90d"))
    seed(ANN, folder, [91 * DAY, DAY])
    assert purged() == [(ANN, folder, 1)]


# --- how old ------------------------------------------------------------------

def test_age():
    """What is due goes, what is a little younger stays, in any order."""
    set_policy(rule("Trash", "92d"))
    ages = [92 * DAY - HOUR, 92 * DAY, 5, 92 * DAY + HOUR, 4000 * DAY,
            91 * DAY]
    names = seed(ANN, "Trash", ages)
    assert purged() == [(ANN, "Trash", 3)]
    assert subjects(ANN, "Trash") == [names[0], names[2], names[5]]


def test_a_mail_of_the_future_stays():
    set_policy(rule("Trash", "92d"))
    seed(ANN, "Trash", [-400 * DAY])
    assert purged() == []


def test_the_floor():
    """keep { minimum } is under everything: 3d if nothing is said.  One place
    that says both, and so that nothing could come of it, is a mistake."""
    with pytest.raises(RuntimeError, match="can never happen"):
        set_policy(rule("*", "1d"))
    set_policy(rule("*", "3d", "keep_flagged = no"))
    names = seed(ANN, "Trash", [4 * DAY, 3 * DAY + 5, 3 * DAY - HOUR, DAY])
    assert purged() == [(ANN, "Trash", 2)]
    assert subjects(ANN, "Trash") == names[2:]


@pytest.mark.parametrize("whose, more", [
    (f"user {BOB}", ""), ("domain alpha.example", ""),
    ("group slow", "\tmembers = inline:{ bob@alpha.example = x }\n")])
def test_the_floor_of_some(whose, more):
    """Also under a rule from elsewhere."""
    set_policy(f"{whose} {{\n{more}\tkeep {{\n\t\tminimum = 30d\n\t}}\n}}\n",
               rule("Trash", "14d"))
    names = seed(BOB, "Trash", [31 * DAY, 29 * DAY, 20 * DAY])
    assert purged() == [(BOB, "Trash", 1)]
    assert subjects(BOB, "Trash") == names[1:]


def test_a_floor_over_the_rule_of_one_is_a_mistake():
    with pytest.raises(RuntimeError, match="can never happen"):
        set_policy("keep {\n\tminimum = 30d\n}\n",
                   f"user {BOB} {{\n" + rule("Trash", "14d") + "}\n",
                   share=None)


def test_flagged():
    set_policy(rule("Trash", "14d"), rule("Spam", "14d", "keep_flagged = no"))
    for folder in ("Trash", "Spam"):
        seed(ANN, folder, [20 * DAY, DAY])
        seed(ANN, folder, [20 * DAY], flags="F")
        seed(ANN, folder, [20 * DAY], flags="SD")
    assert purged() == [(ANN, "Spam", 3), (ANN, "Trash", 2)]
    assert ["\\Flagged" in row["flags"] for row in mails(ANN)["Trash"]] == [
        False, True]


@pytest.mark.parametrize("command", ["COPY", "MOVE"])
def test_age_is_that_in_the_folder(command):
    """Not that of the mail: who empties his INBOX has 92 days."""
    set_policy(rule("Trash", "92d"))
    old = seed(ANN, "INBOX", [400 * DAY, 300 * DAY])
    seed(ANN, "Trash", [92 * DAY])
    with Imap(ANN, "INBOX") as client:
        assert client.uid(command, "1:2", "Trash")[0] == "OK"
    assert purged() == [(ANN, "Trash", 1)]
    assert subjects(ANN, "Trash") == old


# --- whose rule ---------------------------------------------------------------

def test_of_whom():
    """User before group before domain before all."""
    beta = "ann@beta.example"
    set_policy(
        rule("Trash", "40d"),
        "domain beta.example {\n" + rule("Trash", "30d") +
        rule("Spam", "30d") + "}\n",
        "group quick {\n\tmembers = inline:{ bob@alpha.example = x }\n" +
        rule("Trash", "20d") + "}\n",
        f"user {CAT} {{\n" + rule("Trash", "50d") + "}\n",
        f"user {DAN} {{\n\tkeep {{\n\t\tminimum = 45d\n\t}}\n}}\n")
    for user in (ANN, BOB, CAT, DAN, beta):
        for folder in ("Trash", "Spam"):
            seed(user, folder, [age * DAY for age in (55, 47, 42, 35, 25)])
    assert purged() == sorted([
        (ANN, "Trash", 3), (BOB, "Trash", 5), (CAT, "Trash", 1),
        (DAN, "Trash", 2), (beta, "Trash", 4), (beta, "Spam", 4)])
