"""test_valgrind - the plugin under valgrind: no wrong access, no leak
SPDX-License-Identifier: ISC

Each kind of process goes its usual ways and those of trouble.  Only with
VALGRIND set (tests/run --full): a process takes seconds to begin.
"""
import pathlib
import poplib
import re
import time

import pytest
from conftest import run
from policyd import Told
from quotas import SIEVE

from world import DOVECOT_LOG, log_end, log_lines
from world.dovecot import LDA, Boxes, Lmtp, configure, deliver, lda
from world.imap import RawImap
from world.load import message
from world.message import Mail
from world.postfix import until
from world.seed import DAY, seed
from world.smtp import MX, password
from world.valgrind import complaints, prepare, running, under, wrapped

POLICY = """\
hostname = mx.lab.example
maps {
	domains   = lmdb:/etc/postfix/virtual_domains
	aliases   = lmdb:/etc/postfix/virtual
	mailboxes = userdb:/run/dovecot/auth-userdb
}
"""
QUOTA = """\
mailbox {
	quota = 20K
	trash = 5K
%s}
"""
PURGES = """\
keep {
	share = 100%
}
purge Trash \\Junk Old* {
	after = 4d
}
"""
GROUP = """\
group large {
	members = lmdb:/etc/mailreeve/no-such-table
	mailbox {
		quota = 40K
	}
}
"""
FILING = """\
scanner spam {
	header = X-Scanner: spam
	folder = Spam
}
scanner virus {
	header = X-Scanner: virus
	folder = Virus
	sieve  = skipped
}
scanner junk {
	header = X-Scanner: junk
	folder = \\Junk
}
scanner none {
	header = X-Scanner: none
	folder = \\None
}
"""
COPY = pathlib.Path("/var/lib/mailreeve/mailbox.conf")
UNLIMITED = "default_vsz_limit = 64G\n"


@pytest.fixture(scope="module")
def boxes():
    users = Boxes(20)
    with wrapped("imap", "lmtp", "pop3"):
        configure(UNLIMITED)
        yield users
    configure()
    users.remove()


@pytest.fixture
def box(boxes, policy):                                         # noqa: F811
    policy(POLICY + QUOTA % "" + PURGES)
    return boxes.take()


@pytest.fixture(autouse=True)
def clean(boxes):                                               # noqa: F811
    """Nothing to complain of, in at least so many processes."""
    prepare()
    wanted = []
    yield wanted
    configure(UNLIMITED)
    wrong, programs = complaints()
    assert not wrong, "\n".join(wrong)
    assert [name for name in wanted if name not in programs] == []


def append(client, size, folder="INBOX"):
    return client.cmd(f"APPEND {folder}", message("one", size))


def logged(mark, text, count=1):
    return log_lines(DOVECOT_LOG, text, after=mark, count=count, timeout=60)


def doveadm(*args, status=0):
    ran = under("doveadm", *args)
    assert ran.returncode == status, ran
    return ran.stdout + ran.stderr


# --- IMAP ---------------------------------------------------------------------

def test_imap(box, clean):
    clean.append("imap")
    client = RawImap(box.user)
    for size in (8000, 8000, 4000):
        assert append(client, size).ok
    assert append(client, 2000).code == "OVERQUOTA"
    client.select("INBOX")
    assert client.cmd("CREATE Work").ok
    assert client.cmd("COPY 1 Work").code == "OVERQUOTA"
    assert client.cmd("COPY 3 Trash").ok
    assert client.cmd("COPY 3 Trash").code == "OVERQUOTA"
    assert client.cmd("MOVE 1 Trash").ok
    assert client.cmd("GETQUOTAROOT INBOX").ok
    assert client.cmd("STORE 1 +FLAGS (\\Deleted)").ok
    assert client.cmd("EXPUNGE").ok
    assert client.cmd("LOGOUT").ok
    client.close()


def test_imap_is_cut_off(box, clean):
    clean.append("imap")
    client = RawImap(box.user)
    assert append(client, 7000).ok
    client.sock.sendall(b"x APPEND INBOX {9000+}\r\n" + b"y" * 5000)
    client.close()


def test_no_usage_file(box, clean):
    clean += ["imap", "lmtp"]
    assert lda(box.user, box.mail()).returncode == 0
    usage = box.home / "Maildir/mailreeve.usage"
    usage.unlink()
    usage.mkdir()
    mark = log_end(DOVECOT_LOG)
    client = RawImap(box.user)
    assert append(client, 15000).ok
    assert append(client, 9000).code == "OVERQUOTA"
    client.close()
    assert deliver(box.mail()).code == 250
    logged(mark, "mailreeve.usage", 2)
    usage.rmdir()


def test_policy_breaks_and_is_mended(box, clean):
    clean += ["imap", "lmtp"]
    good, mark = COPY.read_text(), log_end(DOVECOT_LOG)
    client = RawImap(box.user)
    assert append(client, 15000).ok
    COPY.write_text("mailbox {\n\tquota = many\n}\n")
    time.sleep(1.1)
    assert append(client, 9000).code == "OVERQUOTA"
    assert deliver(box.mail(9000)).code == 250      # there was none before
    COPY.unlink()
    time.sleep(1.1)
    assert append(client, 9000).code == "OVERQUOTA"
    COPY.write_text(good)
    time.sleep(1.1)
    assert append(client, 9000).code == "OVERQUOTA"
    client.close()
    logged(mark, "until it can be read, Dovecot's own settings count")
    logged(mark, "the policy can be read again")


def test_group_is_not_known(box, policy, clean):
    clean += ["imap", "lmtp"]
    mark = log_end(DOVECOT_LOG)
    policy(POLICY + QUOTA % "" + PURGES + GROUP)
    client = RawImap(box.user)
    assert append(client, 30000).ok
    assert append(client, 30000).code == "OVERQUOTA"
    client.close()
    assert deliver(box.mail()).code == 250
    logged(mark, "cannot tell who is in group large", 2)
    assert "large" in doveadm("mailreeve", "purge", "-u", box.user)


# --- warnings -----------------------------------------------------------------

@pytest.mark.parametrize("setting, said", [
    ("", "warned the owner at 8"),
    ("warn_mail = /run/lab/template", "warned the owner at 8"),
    ("warn_mail = /run/lab/nothing", "the text that is built in"),
    ("warn_command = /bin/true", "ran /bin/true at 8"),
    ("warn_command = /run/lab/nothing", "warn_command was not run"),
])
def test_warning(box, policy, clean, setting, said):
    clean += ["imap", "lmtp"]
    pathlib.Path("/run/lab/template").write_text(
        "From: <{user}>\nSubject: {percent}\n\n{used} of {limit}\n")
    policy(POLICY + QUOTA % (f"\t{setting}\n" if setting else ""))
    mark = log_end(DOVECOT_LOG)
    client = RawImap(box.user)
    assert append(client, 16600).ok
    client.close()
    logged(mark, said)
    assert deliver(box.mail(3000)).code == 250
    logged(mark, f"lmtp.*{said[:-1]}")


def test_warning_at_the_end_of_a_session(box, policy, clean):
    clean.append("imap")
    assert lda(box.user, box.mail(9000)).returncode == 0
    policy(POLICY + QUOTA.replace("20K", "10K") % "")
    mark = log_end(DOVECOT_LOG)
    RawImap(box.user).close()
    logged(mark, "warned the owner")


# --- purges -------------------------------------------------------------------

def old_mail(box):
    run("mailreeve", "clock", "--clock-ok")
    for folder in ("Trash", "Older", "INBOX"):
        seed(box.user, folder, [5 * DAY] * 4 + [0] * 3)


def test_session_purges(box, clean):
    clean += ["imap", "pop3"]
    run("doveadm", "mailreeve", "purge", "-n", "-A")
    old_mail(box)
    mark = log_end(DOVECOT_LOG)
    RawImap(box.user).close()
    # there may be no time for the other: 2 s, and that is not long here
    logged(mark, "purge: run=.*folder=(Trash|Older) messages=4")
    RawImap(box.user).close()
    logged(mark, "purge: run=.*folder=(Trash|Older) messages=4", 2)
    until(lambda: not running(), 60)
    seed(box.user, "Old", [5 * DAY])
    client = poplib.POP3(MX)
    client.user(box.user)
    client.pass_(password(box.user))
    client.retr(1)
    client.dele(1)
    client.quit()
    logged(mark, "pop3.*purge: run=.*folder=Old messages=1")


def test_session_may_not_purge(box, policy, clean):
    clean.append("imap")
    pathlib.Path("/var/lib/mailreeve/purge.reported").unlink(missing_ok=True)
    old_mail(box)
    RawImap(box.user).close()
    until(lambda: not running(), 60)
    policy(POLICY + PURGES.replace("100%", "10%"))
    run("doveadm", "mailreeve", "purge", "-n", "-A")
    mark = log_end(DOVECOT_LOG)
    RawImap(box.user).close()
    logged(mark, "more than keep { share } allows")
    until(lambda: not running(), 60)
    pathlib.Path("/var/lib/mailreeve/clock").unlink()
    RawImap(box.user).close()
    logged(mark, "there is no clock mark")
    run("mailreeve", "clock", "--clock-ok")


# --- filing -------------------------------------------------------------------

def test_filing(box, policy, clean):
    clean += ["lmtp", "dovecot-lda"]
    policy(POLICY + FILING)
    configure(UNLIMITED + SIEVE)
    marked = [box.mail(headers=[("X-Mailreeve", f"scanner={name}")])
              for name in ("spam", "virus", "junk", "none")]
    mark = log_end(DOVECOT_LOG)
    for script in ("keep;", "discard;", None):
        if script:
            box.script(script)
        else:
            (box.home / ".dovecot.sieve").unlink()
        for m in marked:
            assert deliver(m).code == 250
    for m in marked[:2]:
        assert under(LDA, "-d", box.user, text=False, input=m,
                     stdin=None).returncode == 0
    logged(mark, "filing: msgid=.*folder=(Spam|Virus|.Junk)", 11)
    box.script("keep;")
    for name in ("Spam", "Virus"):
        (box.home / f"Maildir/.{name}/tmp").chmod(0)
    for m in marked[:2]:
        assert deliver(m).code == 250
    logged(mark, "filing: not into (Spam|Virus|.None)", 5)


# --- LMTP and LDA -------------------------------------------------------------

def test_lmtp(boxes, box, policy, clean):
    """Users of different policies, by one process and in one transaction."""
    clean.append("lmtp")
    other = boxes.take()
    policy(POLICY + QUOTA % "" + f"user {other.user} {{\n\tmailbox {{\n"
           "\t\tquota = 40K\n\t}\n}\n")
    with Lmtp() as client:
        answers = []
        for _ in range(4):
            m = Mail(message("one", 9000))
            m.sender, m.to = "someone@sender.example", [box.user, other.user]
            client.envelope(m)
            first = client.data(m)
            answers.append((first.code, client.read().code))
    assert answers == [(250, 250), (250, 250), (452, 250), (452, 250)]


def test_lda(box, clean):
    clean.append("dovecot-lda")
    codes = [under(LDA, "-d", box.user, text=False, input=message("one", 9000),
                   stdin=None).returncode for _ in range(3)]
    assert codes == [0, 0, 75]


# --- reports ------------------------------------------------------------------

def test_reports(box, policy, clean):
    """With somebody who listens; the tests above have nobody."""
    clean += ["imap", "lmtp", "doveadm"]
    with Told.folder():
        policy(POLICY + QUOTA % "" + Told.section_usage)
        with Told() as told:
            assert deliver(box.mail(3000)).code == 250
            client = RawImap(box.user)
            assert append(client, 3000).ok
            told.knows(box, 2, 20 << 10)            # by its timer
            client.select("INBOX")
            assert client.cmd("STORE 1 +FLAGS (\\Deleted)").ok
            assert client.cmd("EXPUNGE").ok
            client.close()
            told.knows(box, 1, 20 << 10)
            doveadm("expunge", "-u", box.user, "mailbox", "INBOX", "all")
            doveadm("mailreeve", "publish", "-A")
            told.knows(box, 0, 20 << 10)
        doveadm("mailreeve", "publish", "-u", box.user, status=75)


# --- doveadm ------------------------------------------------------------------

def test_doveadm(box, clean):
    clean.append("doveadm")
    old_mail(box)
    for args in (("-n", "-A"), ("-A",)):
        said = doveadm("mailreeve", "purge", *args)
        assert re.findall(rf"{box.user} (\w+) +4 ", said) == ["Older", "Trash"]
    assert "Older" in doveadm("mailreeve", "show", "-u", box.user)
    assert box.user in doveadm("mailreeve", "quota", "-A", "--over", "100")
    doveadm("quota", "get", "-u", box.user)
    seed(box.user, "Trash", [5 * DAY])
    assert "messages=1" in doveadm("mailreeve", "purge", "--full", "-u",
                                   box.user)
    doveadm("quota", "recalc", "-u", box.user)


def test_doveadm_in_trouble(box, policy, clean):
    clean.append("doveadm")
    pathlib.Path("/var/lib/mailreeve/purge.reported").unlink(missing_ok=True)
    old_mail(box)
    assert "is new" in doveadm("mailreeve", "purge", "-A")
    policy(POLICY + PURGES.replace("100%", "10%"))
    doveadm("mailreeve", "purge", "-n", "-A")
    assert f"{box.user}): Warning: mailreeve: purge: nothing" in doveadm(
        "mailreeve", "purge", "-A")
    doveadm("mailreeve", "quota", "-A", "--over", "much", status=64)
    COPY.write_text("mailbox {\n\tquota = many\n}\n")
    for verb in ("purge", "show"):
        doveadm("mailreeve", verb, "-u", box.user, status=75)
    pathlib.Path("/var/lib/mailreeve/clock").unlink()
    doveadm("mailreeve", "purge", "-A", status=75)
    run("mailreeve", "clock", "--clock-ok")
