"""test_plugin_purge - purges beside other plugins, and while the policy changes
SPDX-License-Identifier: ISC

Mail is old by the date that it was saved with; no clock has to move.
"""
import json
import os
import signal
import subprocess
import time

import pytest
from purging import (ANN, DAY, HEAD, MAIL, PURGE, clean, purge, report,
                     rule, run, seed, set_policy, until)

from conftest import install
from world import doveadm
from world.dovecot import LOCAL, configure, is_23, restart

__all__ = ["clean"]
HOME = MAIL / "alpha.example" / "ann"


@pytest.fixture(scope="module", autouse=True)
def plugin():
    """The world's Dovecot has it, and no other."""
    before = LOCAL.read_text()
    configure()
    yield
    LOCAL.write_text(before)
    restart()


@pytest.fixture
def dovecot():
    """dovecot(for 2.3, for 2.4): settings, until the test is over."""
    before = LOCAL.read_text()
    yield lambda old, new: configure(old if is_23() else new)
    LOCAL.write_text(before)
    restart()


# --- a virtual folder ---------------------------------------------------------

VIRTUAL = """
namespace inbox {{
  separator = /
}}
namespace virtual {{
  prefix = virtual/
  separator = /
  {}
}}
"""


def messages(folder):
    [row] = doveadm("mailbox", "status", "-u", ANN, "messages", folder)
    return int(row["messages"])


def test_virtual_folder(dovecot):
    """What it shows is elsewhere, where another rule may keep it longer."""
    dovecot("mail_plugins = $mail_plugins virtual\n" +
            VIRTUAL.format("location = virtual:~/virtual"),
            "mail_plugins {\n  virtual = yes\n}\n" +
            VIRTUAL.format("mail_driver = virtual\n"
                           "  mail_path = ~/virtual"))
    set_policy(rule("INBOX", "300d"), rule("*", "30d"))
    seed(ANN, "INBOX", [100 * DAY] * 3)
    seed(ANN, "Lists", [100 * DAY])
    folder = HOME / "virtual" / "All"
    folder.mkdir(parents=True)
    (folder / "dovecot-virtual").write_text("*\n  all\n")
    run("chown", "-R", "vmail:vmail", str(HOME / "virtual"))
    assert messages("virtual/All") == 4
    assert list(report()) == list(purge("-A", "--full")) == [(ANN, "Lists", 1)]
    assert messages("INBOX") == 3


# --- a prefix, and an alias without it ----------------------------------------

PREFIX = """
namespace inbox {{
  prefix = INBOX/
  separator = /
}}
namespace old {{
  prefix =
  separator = /
  alias_for = {}
  hidden = yes
  list = no
}}
"""


@pytest.mark.parametrize("lists", ["Lists", "Li*"])
def test_prefix_and_an_alias_without_it(dovecot, lists):
    """Rules name the folders themselves, with the prefix or without it."""
    dovecot(PREFIX.format("INBOX/"), PREFIX.format("inbox"))
    set_policy(rule("INBOX", "60d"), rule("Trash", "30d"), rule(lists, "30d"),
               rule("INBOX/Spam", "30d"))
    # with an alias 2.3 has more than one INBOX
    folders = ["INBOX"] * (not is_23()) + ["INBOX/Lists", "INBOX/Spam",
                                           "INBOX/Trash"]
    for folder in [*folders, "INBOX/Keep"]:
        seed(ANN, folder, [100 * DAY])
    expected = [(ANN, folder, 1) for folder in folders]
    assert sorted(report()) == sorted(purge("-A")) == expected
    assert messages("INBOX/Keep") == 1


# --- lazy_expunge -------------------------------------------------------------

def lazy(folder, old=None, new=None):
    return pytest.param(folder, old, new, marks=pytest.mark.skipif(
        (old if is_23() else new) is None, reason="of the other version"))


KEPT = "lazy_expunge_mailbox = EXPUNGED"


@pytest.mark.parametrize("folder, old, new", [
    lazy("EXPUNGED", "plugin {\n  lazy_expunge = EXPUNGED\n}\n", KEPT + "\n"),
    lazy("EXP/INBOX", "plugin {\n  lazy_expunge = EXP/\n}\n"
         "namespace inbox {\n  separator = /\n}\nnamespace exp {\n"
         "  separator = /\n  prefix = EXP/\n  hidden = yes\n  list = no\n"
         "  location = maildir:~/expunged\n}\n"),
    lazy("EXPUNGED", new=f"namespace inbox {{\n  {KEPT}\n}}\n"),
    lazy("EXPUNGED",
         new=f"namespace inbox {{\n  mailbox INBOX {{\n    {KEPT}\n  }}\n}}\n"),
], ids=["all", "namespace", "in a namespace", "of a mailbox"])
def test_lazy_expunge(dovecot, folder, old, new):
    """What it keeps is no rule's, not even one for everything."""
    dovecot(f"mail_plugins = $mail_plugins lazy_expunge\n{old}",
            f"mail_plugins {{\n  lazy_expunge = yes\n}}\n{new}")
    set_policy(rule("*", "30d"))
    seed(ANN, folder, [100 * DAY])
    seed(ANN, "INBOX", [100 * DAY])
    assert list(report()) == list(purge("-A", "--full")) == [(ANN, "INBOX", 1)]
    # and what is purged goes there
    assert (messages("INBOX"), messages(folder)) == (0, 2)


# --- the policy changes meanwhile ---------------------------------------------

FOLDERS = 200


def is_amid(process):
    """It has some folder open, whose indexes are new."""
    made = len(list((HOME / "Maildir").glob(".F*/dovecot.index.log")))
    assert process.poll() is None, "it was too quick"
    return made > 3


def test_policy_changes_during_a_plan():
    """The plan stays the old one's, whose memory is not yet another's."""
    set_policy(rule("F*", "30d"))
    seed(ANN, "F0", [100 * DAY])
    for n in range(FOLDERS):
        for sub in ("cur", "new", "tmp"):
            (HOME / "Maildir" / f".F{n}" / sub).mkdir(parents=True,
                                                      exist_ok=True)
    run("chown", "-R", "vmail:vmail", str(HOME))
    # with a freed byte that is no pointer's
    process = subprocess.Popen([*PURGE, "-n", "-u", ANN], text=True,
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=os.environ | {"MALLOC_PERTURB_": "165"})
    until(lambda: is_amid(process))
    process.send_signal(signal.SIGSTOP)
    install(HEAD + rule("Nothing", "40d"))
    run("mailreeve", "reload")
    time.sleep(1.1)             # it is looked for once a second
    process.send_signal(signal.SIGCONT)
    rows, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert [row["folder"] for row in json.loads(rows)] == ["F0"]
