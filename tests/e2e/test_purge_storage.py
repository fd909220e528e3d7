"""test_purge_storage - kinds of storage and namespaces, and trouble in them
SPDX-License-Identifier: ISC
"""
import os
import pathlib
import re
import shutil
import time

import pytest
from purging import (ANN, BOB, DAY, DUE, DOVECOT_LOG, HOUR, MAIL, Imap, as_driver,
                     clean, log_end, log_lines, mails, pass_time, purge, report,
                     rule, run, seed, set_policy, subjects)

from world import doveadm
from world.dovecot import LOCAL, configure, is_23, restart

__all__ = ["clean"]
TRASH = rule("Trash", "92d")
HOME = MAIL / "alpha.example" / "ann"


@pytest.fixture
def driver():
    """driver(NAME): how ann's mail is kept."""
    yield lambda name: as_driver(ANN, name)
    as_driver(ANN, "maildir")


@pytest.fixture
def dovecot():
    """dovecot(for_2.3, for_2.4): settings, until the test is over."""
    before = LOCAL.read_text()
    yield lambda old, new=None: configure(
        old if is_23() or new is None else new)
    LOCAL.write_text(before)
    restart()


# --- kinds of storage ---------------------------------------------------------

@pytest.mark.parametrize("name", ["maildir", "sdbox", "mdbox"])
def test_kinds_of_storage(name, driver):
    driver(name)
    set_policy(rule("*", "92d"))
    names = seed(ANN, "Trash", [100 * DAY, DAY, 93 * DAY, 91 * DAY])
    seed(ANN, "INBOX", [100 * DAY], flags="F")
    seed(ANN, "a/b" if name != "maildir" else "a.b", [100 * DAY])
    assert (HOME / {"maildir": "Maildir"}.get(name, name)).is_dir()
    would = sorted(report())
    assert [row[2] for row in would] == [2, 1]
    assert sorted(purge("-A")) == would
    assert subjects(ANN, "Trash") == [names[1], names[3]]
    assert len(subjects(ANN)) == 3


@pytest.mark.parametrize("name", ["maildir", "sdbox", "mdbox"])
@pytest.mark.parametrize("command", ["MOVE", "COPY"])
def test_age_in_any_storage(name, command, driver):
    """It starts at the move, and flags do not start it anew."""
    driver(name)
    set_policy(TRASH)
    report()
    seed(ANN, "INBOX", [100 * DAY])
    with Imap(ANN, "INBOX") as client:
        assert client.uid(command, "1", "Trash")[0] == "OK"
    for what in ("\\Seen", "\\Answered"):
        pass_time(40 * DAY)
        with Imap(ANN, "Trash") as client:
            client.uid("store", "1", "+FLAGS", what)
    run("mailreeve", "clock", "--clock-ok")
    assert purge("-A").rows == []
    pass_time(12 * DAY + HOUR)
    run("mailreeve", "clock", "--clock-ok")
    assert list(purge("-A")) == [(ANN, "Trash", 1)]


def test_mbox_is_refused_in_words(driver):
    """It keeps no dates of saving.  Others are purged."""
    driver("mbox")
    set_policy(TRASH)
    seed(ANN, "Trash", [100 * DAY])
    seed(BOB, "Trash", [100 * DAY])
    report()
    ran = purge("-A")
    assert list(ran) == [(BOB, "Trash", 1)]
    assert f"doveadm({ANN})" in ran.said
    assert "Trash is kept as mbox, which has no dates of saving" in ran.said
    mark = log_end(DOVECOT_LOG)
    Imap(ANN, "INBOX").logout()
    log_lines(DOVECOT_LOG, "Trash is kept as mbox", after=mark)
    assert len(subjects(ANN, "Trash")) == 1


# --- trouble in a folder ------------------------------------------------------

def drop_unreadable():
    """A mail that another program left, and whose date cannot be had: it leads
    to itself.  Dovecot has seen it, but could not ask how old it is."""
    path = HOME / "Maildir/.Trash/cur" / f"{time.time_ns()}.M1.other:2,S"
    os.symlink(path.name, path)
    run("doveadm", "mailbox", "status", "-u", ANN, "messages", "Trash")
    return path


@pytest.mark.parametrize("before", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize("full", [["--full"], []], ids=["full", "usual"])
def test_a_mail_whose_date_is_unreadable(before, full):
    """It stays, and does not stop the rest, in the folder or behind it."""
    set_policy(rule("Trash Zoo", "92d"))
    report()
    purge("-A")                 # the scan of all, of an empty mailbox
    run("doveadm", "mailbox", "create", "-u", ANN, "Trash", check=False)
    for _ in range(before):
        seed(ANN, "Trash", [100 * DAY])
    path = drop_unreadable()
    for _ in range(2 - before):
        seed(ANN, "Trash", [100 * DAY])
    seed(ANN, "Zoo", [100 * DAY])
    seed(BOB, "Trash", [100 * DAY])
    ran = purge("-A", *full)
    assert sorted(ran) == [(ANN, "Trash", 2), (ANN, "Zoo", 1),
                           (BOB, "Trash", 1)]
    assert "1 messages stay as their age is not known" in ran.said
    assert list(path.parent.iterdir()) == [path]
    assert purge("-A", *full).rows == []


class Shut:
    """The folders' indexes and lists of mails cannot be opened, though their
    directories can be looked at."""

    def __init__(self, *folders):
        self.files = [path for folder in folders
                      for path in (HOME / "Maildir" / folder).glob("dovecot*")
                      if re.match(r"dovecot(\.index($|\.log|\.cache)|-uidlist)",
                                  path.name)]
        assert len(self.files) >= 2 * len(folders)

    def __enter__(self):
        for path in self.files:
            os.chown(path, 0, 0)
            os.chmod(path, 0)

    def __exit__(self, *_):
        for path in self.files:
            shutil.chown(path, "vmail", "vmail")
            os.chmod(path, 0o600)


@pytest.mark.parametrize("titles", ["INBOX Trash Spam", "*"])
def test_nothing_due_opens_no_folder(titles):
    """After the week's scan, and until the day comes.  INBOX is not in Dovecot's
    list, unless mailbox_list_index_include_inbox says so."""
    set_policy(rule(titles, "92d"))
    for folder in ("INBOX", "Trash", "Spam"):
        seed(ANN, folder, [DAY, 0])
    report()
    assert purge("-A").rows == []
    pass_time(10)               # Dovecot distrusts what is only seconds old
    for _ in range(2):
        DUE.unlink()
        assert purge("-A").rows == []
    DUE.unlink()
    with Shut(".Trash", ".Spam"):
        ran = purge("-A")
        assert ran.rows == [] and "Error" not in ran.said, ran.said
    pass_time(92 * DAY)
    run("mailreeve", "clock", "--clock-ok")
    with Shut(".Trash", ".Spam"):
        assert list(purge("-A", status=75)) == [(ANN, "INBOX", 2)]
    assert sorted(purge("-A")) == [(ANN, "Spam", 2), (ANN, "Trash", 2)]


def test_a_broken_index():
    """One user's folder cannot be opened: it stays, and the rest goes on."""
    set_policy(rule("Trash Zoo", "92d"))
    for user in (ANN, BOB):
        for folder in ("Trash", "Zoo"):
            seed(user, folder, [100 * DAY])
    report()
    folder = HOME / "Maildir" / ".Trash"
    os.chown(folder, 0, 0)
    os.chmod(folder, 0)
    try:
        ran = purge("-A", "--full", status=75)
    finally:
        shutil.chown(folder, "vmail", "vmail")
        os.chmod(folder, 0o700)
    assert sorted(ran) == [(ANN, "Zoo", 1), (BOB, "Trash", 1), (BOB, "Zoo", 1)]
    assert "its mail stays" in ran.said and "Trash" in ran.said
    assert list(purge("-A", "--full")) == [(ANN, "Trash", 1)]


def test_garbage_in_the_index():
    """Dovecot makes it anew; nobody's mail is lost by that."""
    set_policy(TRASH)
    young = seed(ANN, "Trash", [100 * DAY, DAY])[1]
    report()
    for path in (HOME / "Maildir" / ".Trash").glob("dovecot.index*"):
        path.write_bytes(os.urandom(300))
    purge("-A", "--full")
    assert young in subjects(ANN, "Trash")


def test_a_folder_that_is_gone():
    set_policy(rule("Trash Zoo", "92d"))
    seed(ANN, "Trash", [100 * DAY])
    seed(ANN, "Zoo", [100 * DAY])
    report()
    run("doveadm", "mailbox", "delete", "-u", ANN, "Zoo")
    ran = purge("-A")
    assert list(ran) == [(ANN, "Trash", 1)] and "Error" not in ran.said


# --- namespaces ---------------------------------------------------------------

NAMESPACES_23 = """
mail_plugins = $mail_plugins acl lazy_expunge
plugin {
  acl = vfile
  acl_shared_dict = file:/var/vmail/shared.db
  lazy_expunge = EXPUNGED
}
namespace inbox {
  prefix =
  separator = /
}
namespace public {
  type = public
  prefix = Public/
  separator = /
  location = maildir:/var/vmail/public:INDEXPVT=~/public
  subscriptions = no
  list = yes
}
namespace shared {
  type = shared
  prefix = shared/%%u/
  separator = /
  location = maildir:%%h/Maildir:INDEX=~/shared/%%u
  subscriptions = no
  list = yes
}
namespace more {
  type = private
  prefix = More/
  separator = /
  location = maildir:~/More
  subscriptions = no
  list = yes
}
"""
NAMESPACES_24 = """
mail_plugins {
  acl = yes
  lazy_expunge = yes
}
acl_driver = vfile
acl_sharing_map {
  dict file {
    path = /var/vmail/shared.db
  }
}
lazy_expunge_mailbox = EXPUNGED
namespace inbox {
  prefix =
  separator = /
}
namespace public {
  type = public
  prefix = Public/
  separator = /
  mail_driver = maildir
  mail_path = /var/vmail/public
  mail_inbox_path =
  mail_index_private_path = ~/public
  subscriptions = no
  list = yes
}
namespace shared {
  type = shared
  prefix = shared/$user/
  separator = /
  mail_driver = maildir
  mail_path = %{owner_home}/Maildir
  mail_inbox_path = %{owner_home}/Maildir
  mail_index_path = ~/shared/%{owner_user}
  subscriptions = no
  list = yes
}
namespace more {
  type = private
  prefix = More/
  separator = /
  mail_driver = maildir
  mail_path = ~/More
  mail_inbox_path =
  subscriptions = no
  list = yes
}
"""


def count(user, folder):
    rows = doveadm("mailbox", "status", "-u", user, "messages", folder)
    return int(rows[0]["messages"])


def test_star_is_for_what_is_private(dovecot):
    """Never for what lazy_expunge keeps, what is public or shared by others;
    of the last two not even if it is named."""
    shutil.rmtree("/var/vmail/public", ignore_errors=True)
    dovecot(NAMESPACES_23, NAMESPACES_24)
    run("install", "-d", "-o", "vmail", "-g", "vmail", "/var/vmail/public")
    try:
        set_policy(rule("*", "92d"), rule("Public/News", "92d"),
                   rule("shared/bob@alpha.example/Plans", "92d"))
        for folder in ("INBOX", "Trash", "More/Things", "EXPUNGED"):
            seed(ANN, folder, [100 * DAY])
        seed(BOB, "Plans", [100 * DAY])
        pathlib.Path("/var/vmail/public/dovecot-acl").write_text(
            "user=ann@alpha.example lrwstiekxa\n")
        seed(ANN, "Public/News", [100 * DAY])
        run("doveadm", "acl", "set", "-u", BOB, "Plans", f"user={ANN}",
            "lookup", "read", "write", "expunge", "insert", "write-deleted")
        seen = {row for row in run("doveadm", "mailbox", "list", "-u",
                                   ANN).stdout.splitlines()}
        assert {"Public/News", "EXPUNGED", "More/Things",
                "shared/bob@alpha.example/Plans"} <= seen, seen
        assert sorted(report()) == sorted([
            (ANN, "INBOX", 1), (ANN, "More/Things", 1), (ANN, "Trash", 1),
            (BOB, "Plans", 1)])
        assert sorted(purge("-u", ANN)) == [
            (ANN, "INBOX", 1), (ANN, "More/Things", 1), (ANN, "Trash", 1)]
        # what was purged is kept by lazy_expunge, beside what it had
        assert count(ANN, "EXPUNGED") == 4
        assert count(ANN, "Public/News") == count(BOB, "Plans") == 1
        assert count(ANN, "shared/bob@alpha.example/Plans") == 1
        assert purge("-u", ANN).rows == []
    finally:
        shutil.rmtree("/var/vmail/public", ignore_errors=True)


ALIAS = """
namespace old {
  prefix =
  separator = .
  hidden = yes
  list = no
  alias_for = %s
}
"""


@pytest.mark.parametrize("alias", ["", ALIAS], ids=["alone", "alias"])
@pytest.mark.parametrize("more", ["", "Li*"], ids=["names", "pattern"])
def test_below_a_prefix(dovecot, more, alias):
    """A rule's name is the folder's, with the prefix or without it; also where
    clients still see the folders without it."""
    dovecot("namespace inbox {\n  prefix = INBOX.\n  separator = .\n}\n" +
            (alias % ("INBOX." if is_23() else "inbox") if alias else ""))
    set_policy(rule("Trash", "92d"), rule("INBOX.Spam", "14d"),
               rule("INBOX", "300d"), rule(more, "30d") if more else "")
    for folder in ("INBOX.Trash", "INBOX.Spam", "INBOX", "INBOX.Lists"):
        seed(ANN, folder, [100 * DAY])
    expected = [(ANN, "INBOX.Lists", 1)] * bool(more) + [
        (ANN, "INBOX.Spam", 1), (ANN, "INBOX.Trash", 1)]
    assert sorted(report()) == expected
    assert sorted(purge("-A")) == expected
