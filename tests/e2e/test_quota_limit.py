"""test_quota_limit - whose quota counts, and what admins and users see of it
SPDX-License-Identifier: ISC
"""
import os
import pathlib
import shutil

import pytest
from conftest import run, until
from quotas import *                                            # noqa: F403

GROUP = pathlib.Path("/etc/mailreeve/group")


def quota(size):
    return f"mailbox {{\n\tquota = {size}\n}}\n"


def userdb(size):
    return f"userdb_quota_rule=*:storage={size}" if is_23() else \
        f"userdb_quota_storage_size={size}"


# --- whose limit --------------------------------------------------------------

def test_default_is_one_gigabyte(rules, box):
    rules("")
    b = box()
    with b.imap() as c:
        assert shown(c) == (0, K * K)
    assert b.quota() == (0, K * K)
    [row] = doveadm("mailreeve", "quota", "-u", b.user)
    assert (row["limit"], row["at"]) == (str(K ** 3), "default")


def test_precedence(rules, box):
    """user > the userdb's own > group > domain > global"""
    b = box()
    GROUP.write_text(f"{b.user} x\n")
    text = quota("10K")
    for size, more, field, at in (
            (10, "", "", "mailreeve.conf:"),
            (20, "domain alpha.example {\n" + quota("20K") + "}\n", "",
             "mailreeve.conf:"),
            (30, "group g {\nmembers = texthash:/etc/mailreeve/group\n" +
             quota("30K") + "}\n", "", "mailreeve.conf:"),
            (40, "", userdb("40K"), "userdb"),
            (50, f"user {b.user} {{\n" + quota("50K") + "}\n",
             userdb("40K"),
             "mailreeve.conf:")):
        text += more
        rules(text)
        if field:
            b.change(field)
        assert b.quota() == (0, size)
        [row] = doveadm("mailreeve", "quota", "-u", b.user)
        assert row["limit"] == str(size * K)
        assert at in row["at"], row
        with b.imap() as c:
            assert shown(c) == (0, size)
            assert is_full(c.append("INBOX", None, None,
                                    b.mail(size * K + 1)))
    b.fill(50 * K)


def test_userdb_quota_is_enforced(rules, box):
    rules(limit("10K"))
    b = box(userdb("20K"))
    b.fill(10 * K, 10 * K)
    assert is_full(deliver(b.mail()))
    with b.imap() as c:
        assert is_full(c.append("INBOX", None, None, b.mail()))


@pytest.mark.skipif(not is_23(), reason="2.4 has a setting for each")
def test_userdb_rule_that_is_no_limit(rules, box):
    """Of the whole mailbox."""
    rules(limit("10K"))
    several = [box(), box(), box()]
    for b, rule in zip(several, ("*:messages=1000", "Trash:storage=+100M",
                                 "Trash:ignore")):
        b.write(f"userdb_quota_rule={rule}")
    for b in several:
        b.wait()
        assert b.quota() == (0, 10)
        b.fill(9000)
        with b.imap() as c:
            assert is_full(c.append("INBOX", None, None, b.mail(2000)))


# --- a change acts without a new login ----------------------------------------

def test_change_acts_in_open_sessions(rules, box):
    rules(limit("10K"))
    b = box()
    with b.imap("INBOX") as c, Lmtp() as lmtp:
        assert c.append("INBOX", None, None, b.mail(9000))[0] == "OK"
        assert is_full(c.append("INBOX", None, None, b.mail(3000)))
        assert is_full(lmtp.deliver(b.mail(3000)))
        rules(limit("20K"))
        until(lambda: shown(c) == (9, 20))
        assert c.append("INBOX", None, None, b.mail(3000))[0] == "OK"
        assert lmtp.deliver(b.mail(3000)).code == 250
        rules(limit("12K"))
        until(lambda: shown(c) == (15, 12))
        assert is_full(c.append("INBOX", None, None, b.mail()))
        assert is_full(c.copy("1", "INBOX"))
        assert is_full(lmtp.deliver(b.mail()))
        rules("mailbox {\n\tquota = unlimited\n}\n")
        until(lambda: shown(c) is None)
        assert c.append("INBOX", None, None, b.mail(5000))[0] == "OK"
        assert lmtp.deliver(b.mail(5000)).code == 250
        rules(limit("30K"))
        until(lambda: shown(c) == (25, 30))
        assert c.append("INBOX", None, None, b.mail(5000))[0] == "OK"
        assert is_full(c.append("INBOX", None, None, b.mail(5000)))


# --- observe ------------------------------------------------------------------

def test_observe(rules, box):
    rules("mode = observe\n" + limit("10K"))
    b = box()
    b.fill(9000)
    mark = log_end(DOVECOT_LOG)
    with b.imap("INBOX") as c:
        assert shown(c) is None
        assert c.append("INBOX", None, None, b.mail(2000))[0] == "OK"
        assert c.copy("1", "INBOX")[0] == "OK"
    assert deliver(b.mail(2000)).code == 250
    lines = log_lines(DOVECOT_LOG, r"would be refused \(mode = observe\)",
                      after=mark, count=3)
    assert len(lines) == 3
    assert all(b.user in line and "mailreeve.conf:" in line
               for line in lines), lines
    rules(limit("10K"))
    assert is_full(deliver(b.mail()))


def test_observe_keeps_the_userdbs_quota(rules, box):
    rules("mode = observe\n" + limit("10K"))
    b = box(userdb("20K"))
    b.fill(15000)
    with b.imap() as c:
        assert is_full(c.append("INBOX", None, None, b.mail(9000)))
        assert c.append("INBOX", None, None, b.mail(3000))[0] == "OK"


# --- groups -------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["texthash", "lmdb"])
def test_group(rules, box, kind):
    member, other = box(), box()
    GROUP.write_text(f"{member.user} x\n")
    os.utime(GROUP, (0, 0))     # "not found" in a new file is doubted
    if kind == "lmdb":
        run("postmap", f"lmdb:{GROUP}")
    rules(quota("10K") + f"group g {{\n\tmembers = {kind}:{GROUP}\n" +
          quota("30K") + "}\n")
    assert member.quota() == (0, 30)
    assert other.quota() == (0, 10)
    assert is_full(deliver(other.mail(20000)))
    assert deliver(member.mail(20000)).code == 250


@pytest.mark.parametrize("size, most", [("30K", 30), ("5K", 10)])
@pytest.mark.parametrize("trouble", ["missing", "unreadable"])
def test_group_cannot_be_read(rules, box, size, most, trouble):
    """The more generous quota counts, and the log says why, once."""
    member, other = box(), box()
    GROUP.write_text(f"{member.user} x\n")
    rules(quota("10K") + f"group g {{\n\tmembers = texthash:{GROUP}\n" +
          quota(size) + "}\n")
    if trouble == "missing":
        GROUP.unlink()
    else:
        GROUP.chmod(0o600)
    for b in (member, other):
        mark = log_end(DOVECOT_LOG)
        with b.imap() as c:
            assert shown(c) == (0, most)
            assert c.append("INBOX", None, None, b.mail(4000))[0] == "OK"
            assert c.append("INBOX", None, None, b.mail(4000))[0] == "OK"
            assert is_full(c.append("INBOX", None, None,
                                    b.mail(most * K - 7999)))
        lines = log_lines(DOVECOT_LOG, "group g", after=mark)
        assert len(lines) == 1 and "most generous quota" in lines[0], lines


# --- what admins know ---------------------------------------------------------

def test_imap_quota(rules, box):
    """RFC 9208, as Dovecot has it."""
    rules(limit("10K"))
    b = box()
    b.fill(1000)
    b.fill(2000, folder="Trash")
    with b.imap() as c:
        assert b" QUOTA " in c.capability()[1][0] + b" "
        for folder in ("INBOX", "Trash"):
            assert shown(c, folder) == (3, 10)
        assert c.getquota('"User quota"') == \
            ("OK", [b'"User quota" (STORAGE 3 10)'])
        assert c.setquota('"User quota"', "(STORAGE 1000)")[0] == "NO"
        assert shown(c) == (3, 10)


def test_doveadm_quota(rules, box):
    """get and recalc; also after the index has gone, and after a program that
    is not Dovecot wrote into the Maildir."""
    rules(limit("10K"))
    b = box()
    b.fill(1000, 2000)
    rows = doveadm("quota", "get", "-u", b.user)
    assert rows == [
        {"root": "User quota", "type": "STORAGE", "value": "3", "limit": "10",
         "percent": "30"},
        {"root": "User quota", "type": "MESSAGE", "value": "2", "limit": "-",
         "percent": "0"}]
    for path in (b.home / "Maildir").glob("dovecot*index*"):
        path.unlink()
    assert doveadm("quota", "get", "-u", b.user) == rows
    new = b.home / "Maildir/new/1.foreign"
    new.write_bytes(b.mail(4000))
    shutil.chown(new, "vmail", "vmail")
    doveadm("quota", "recalc", "-u", b.user)
    assert b.quota()[0] == 7
    assert is_full(deliver(b.mail(4000)))
    new = b.home / "Maildir/new/2.foreign"
    new.write_bytes(b.mail(3240))
    shutil.chown(new, "vmail", "vmail")
    assert is_full(deliver(b.mail()))


def test_mailreeve_quota_over(rules, box, tmp_path):
    """Who would be over a limit, before it is set."""
    rules("")
    large, exact, small, user_file = box(), box(), box(), tmp_path / "users"
    large.fill(9000, 9001)
    exact.fill(10000, 8000)
    small.fill(None)
    over = doveadm("mailreeve", "quota", "-A", "--over", "18000")
    over = {row["username"]: row for row in over}
    assert not over.keys() & {exact.user, small.user}
    assert int(over[large.user]["used"]) == 18001
    assert int(over[large.user]["over"]) == 1
    user_file.write_text(f"{small.user}\n{exact.user}\n")
    over = doveadm("mailreeve", "quota", "-F", str(user_file), "--over", "10K")
    assert [row["username"] for row in over] == [exact.user]
    assert not doveadm("mailreeve", "quota", "-u", exact.user, "--over",
                       "18000")
    assert len(doveadm("mailreeve", "quota", "-F", str(user_file))) == 2
    wrong = run("doveadm", "mailreeve", "quota", "-A", "--over", "much",
                check=False)
    assert wrong.returncode == 64 and "--over" in wrong.stderr


# --- formats ------------------------------------------------------------------

@pytest.mark.parametrize("name", ["sdbox", "mdbox"])
def test_format(rules, box, name):
    rules(limit("10K", "\ttrash = 3K\n"))
    b = box(f"userdb_mail={name}:{{home}}/mail" if is_23() else
            f"userdb_mail_driver={name} userdb_mail_path={{home}}/mail "
            "userdb_mail_inbox_path=")
    assert deliver(b.mail(1000)).code == 250
    [size] = b.sizes()
    assert (b.home / "mail/mailboxes/INBOX").is_dir()
    b.fill(3000, 3000, 10 * K - 6000 - 2 * size - 1)
    assert is_full(deliver(b.mail(1002)))
    assert deliver(b.mail(1001)).code == 250
    with b.imap("INBOX") as c:
        assert is_full(c.append("INBOX", None, None, b.mail()))
        c.create("Lists")
        assert is_full(c.copy("2", "Lists"))
        assert c.copy("2", "Trash")[0] == "OK"
        assert c._simple_command("MOVE", "3", "Lists")[0] == "OK"
        assert b.octets() == 10 * K + 3000
        c.store("1:*", "+FLAGS", r"\Deleted")
        assert c.expunge()[0] == "OK"
        assert c.append("INBOX", None, None, b.mail(4240))[0] == "OK"
        assert is_full(c.append("INBOX", None, None, b.mail()))
    doveadm("quota", "recalc", "-u", b.user)
    assert b.quota() == (10, 10)


MBOX = ("userdb_mail=mbox:{home}/mail:INBOX={home}/inbox" if is_23() else
        "userdb_mail_driver=mbox userdb_mail_path={home}/mail "
        "userdb_mail_inbox_path={home}/inbox")


def again(save):
    """The answer, once it is another one than to try again: of mbox that is
    known by the clock of files."""
    for _ in range(1000):
        reply = save()
        if "try again" not in str(getattr(reply, "text", reply)):
            break
    return reply


def test_mbox(rules, box):
    rules(limit("10K"))
    b = box(MBOX)
    mark = log_end(DOVECOT_LOG)
    b.fill(4000, 4000)
    assert (b.home / "inbox").is_file()
    assert again(lambda: deliver(b.mail(500))).code == 250
    assert is_full(again(lambda: deliver(b.mail(3000))))
    with b.imap("INBOX") as c:
        assert is_full(again(lambda: c.append("INBOX", None, None,
                                              b.mail(3000))))
        assert c.copy("1", "Trash")[0] == "OK"
        c.store("1", "+FLAGS", r"\Deleted")
        assert c.expunge()[0] == "OK"
    assert len(b.sizes()) == 3
    log = log_lines(DOVECOT_LOG, "Error|Warning|Panic", timeout=0, after=mark)
    assert not log, log


def test_mbox_has_room_again(rules, box):
    """What was removed does not count; and a purge before the first mail says
    nothing of what is there.  That others saved is known by the clock of files,
    whose ticks are long: so within one it is asked to try again."""
    rules(limit("10K") + "purge Archive/2019 {\n\tafter = 92d\n}\n")
    b = box(MBOX)
    doveadm("mailreeve", "purge", "-n", "-u", b.user)
    doveadm("mailreeve", "purge", "-u", b.user)
    for _ in range(3):
        assert again(lambda: deliver(b.mail(6000))).code == 250
        assert is_full(again(lambda: deliver(b.mail(6000))))
        with b.imap("INBOX") as c:
            def append():
                return again(lambda: c.append("INBOX", None, None,
                                              b.mail(6000)))
            assert is_full(append())
            c.store("1", "+FLAGS", r"\Deleted")
            assert c.expunge()[0] == "OK"
            assert append()[0] == "OK"
            c.store("1:*", "+FLAGS", r"\Deleted")
            assert c.expunge()[0] == "OK"
