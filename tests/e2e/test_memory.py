"""test_memory - thousands of saves in one process, beside Dovecot's own quota
SPDX-License-Identifier: ISC

MEMORY_SAVES of them.  Dovecot's own buffers grow and shrink meanwhile, so the
same is done with its driver `count': in the second half of the saves ours must
not grow more than that.  It may grow, too: 2.3's LMTP keeps some 32 octets of each
mail of a connection (24,000 saves: 32.1 a save, with ours 33.1), which shows only
when what the heap had to spare is used up, here sooner and there later.

Largest are its copies of the index and of the index's log, half a megabyte up
and down: the one grows with the folder, which is therefore emptied before each
look, the other until the log is five minutes old and begun anew, on a busy
machine earlier than on another, which is therefore done early.
"""
import contextlib
import os

import pytest

from world import doveadm
from world.dovecot import Boxes, Lmtp, configure, is_23
from world.imap import RawImap
from world.load import message
from world.message import Mail
from world.postfix import pids_of, until
from world.process import has_sanitizer, memory

SAVES = int(os.environ.get("MEMORY_SAVES", 1000))
LOOKS = 10
MORE = 16               # octets a save; a leak of malloc's least is 32
POLICY = """\
hostname = mx.lab.example
maps {
	domains   = lmdb:/etc/postfix/virtual_domains
	aliases   = lmdb:/etc/postfix/virtual
	mailboxes = userdb:/run/dovecot/auth-userdb
}
mailbox {
	quota = 1G
}
purge Trash {
	after = 30d
}
"""
ROTATE = """\
mail_index_log_rotate_min_size = 16k
mail_index_log_rotate_max_size = 32k
mail_index_log_rotate_min_age = 0
"""
STOCK_23 = """\
mail_plugins = $mail_plugins quota
protocol imap {
  mail_plugins = $mail_plugins imap_quota
}
plugin {
  quota = count:User quota
  quota_vsizes = yes
  quota_rule = *:storage=1G
}
"""
STOCK_24 = """\
mail_plugins {
  quota = yes
}
protocol imap {
  mail_plugins {
    imap_quota = yes
  }
}
quota "User quota" {
  driver = count
  storage_size = 1G
}
"""


@pytest.fixture(scope="module")
def boxes():
    users = Boxes(6)
    yield users
    users.remove()


@pytest.fixture(scope="module", params=["stock", "ours"])
def who(request, boxes):                                        # noqa: F811
    if request.param == "stock":
        configure(ROTATE + (STOCK_23 if is_23() else STOCK_24), ours=False)
    else:
        configure(ROTATE)
    yield request.param
    configure()


@pytest.fixture
def box(who, boxes):                                            # noqa: F811
    """In sdbox, as Maildir looks at all names once a save."""
    return boxes.take("userdb_mail=sdbox:{home}/mail" if is_23() else
                      "userdb_mail_driver=sdbox userdb_mail_path={home}/mail "
                      "userdb_mail_inbox_path=")


@pytest.fixture
def grows(who, box):                                            # noqa: F811
    """grows(NAME, PID, SAVE): SAVE(n) saves n mails in that process."""
    def check(name, pid, save):
        kept = []
        for _ in range(LOOKS):
            doveadm("expunge", "-u", box.user, "mailbox", "INBOX", "all")
            save(SAVES // LOOKS)
            kept.append(memory(pid))
        print(f"{name}, {who}: {kept} KB after each {SAVES // LOOKS} saves")
        if who == "stock":
            stock[name] = kept
        elif not has_sanitizer(pid):
            most = max(4, MORE * SAVES // LOOKS // 1024)
            assert min(steps(kept)) - max(steps(stock[name])) < most

    return check


def steps(kept):
    """From look to look, in the second half.  What leaks does so in each; a
    buffer that is larger for a moment is in one."""
    half = kept[LOOKS // 2 - 1:]
    return [after - before for before, after in zip(half, half[1:])]


stock = {}
TEXT = message("one", 400)


@contextlib.contextmanager
def imap(user, folder=None):
    """A client, and the process that serves him."""
    until(lambda: not pids_of("imap"))
    with contextlib.closing(RawImap(user)) as client:
        if folder:
            client.select(folder)
        [pid] = pids_of("imap")
        yield client, pid


def test_append(box, policy, grows):
    """Pipelined, with LITERAL+."""
    policy(POLICY)
    with imap(box.user) as (client, pid):

        def save(count):
            for _ in range(count // 50):
                tags = [client.send("APPEND INBOX", TEXT) for _ in range(50)]
                assert all(client.wait(tag).ok for tag in tags)

        grows("APPEND", pid, save)


def test_replace(box, policy, grows):
    """Each mail in the place of the one before, so near the limit that the
    mailbox must be counted again and again."""
    policy(POLICY + f"user {box.user} {{\n\tmailbox {{\n\t\tquota = 2K\n"
           "\t}\n}\n")
    with imap(box.user, "INBOX") as (client, pid):

        def save(count):
            for _ in range(count):
                assert client.cmd("APPEND INBOX", TEXT).ok
                assert client.cmd("STORE 1:* +FLAGS.SILENT (\\Deleted)").ok
                assert client.cmd("EXPUNGE").ok

        grows("APPEND and EXPUNGE", pid, save)


def servers():
    """Dovecot's; Postfix's clients, which wait for more mail, have the same
    name."""
    return [pid for pid in pids_of("lmtp")
            if "/postfix/" not in exe(pid)]


def exe(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:                     # it has just ended
        return "/postfix/"


def test_lmtp(box, policy, grows):
    """By one connection."""
    policy(POLICY)
    until(lambda: not servers())
    m = Mail(TEXT)
    m.sender, m.to = "someone@sender.example", [box.user]
    with Lmtp() as client:
        assert client.deliver(m).code == 250
        [pid] = servers()

        def save(count):
            assert all(client.deliver(m).code == 250 for _ in range(count))

        grows("LMTP", pid, save)
