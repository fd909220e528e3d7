"""test_filing - marked mail goes to the folder that the policy names
SPDX-License-Identifier: ISC

By LMTP and dovecot-lda the mark is sent as the milter leaves it; what of it
may come from outside is shown by SMTP.
"""
import pathlib
import poplib
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import until
from quotas import *                                            # noqa: F403
from test_quota_waiting import held

from world import MX, password, send, wait_for_queue
from world.dovecot import is_23

SPAM, VIRUS = [("X-Mailreeve", f"scanner={name}") for name in ("spam", "virus")]
COPY = pathlib.Path("/var/lib/mailreeve/mailbox.conf")
RULES = """\
scanner virus {
	header = X-Virus: *
	folder = Virus
	sieve  = skipped
}
scanner spam {
	header = X-Spam-Flag: YES
	folder = Spam
}
"""


def spam(b, *headers, **how):
    return b.mail(headers=headers or [SPAM], **how)


def folders(b):
    """folder -> the subjects of its mail, oldest first."""
    found = {}
    for row in doveadm("fetch", "-u", b.user, "mailbox hdr.subject", "all"):
        found.setdefault(row["mailbox"], []).append(row["hdr.subject"])
    return found


def filed(b, m, *args):
    """The folders in which it is after a delivery that succeeds."""
    reply = deliver(m, *args)
    assert reply.code == 250, reply
    return sorted(name for name, subjects in folders(b).items()
                  if m.subject in subjects)


def for_user(b, text):
    """A scanner of his own."""
    return f"user {b.user} {{\n\tscanner spam {{\n\t\t{text}\n\t}}\n}}\n"


def warnings(mark, count=1):
    return log_lines(DOVECOT_LOG, "Warning: .*mailreeve: filing: not into",
                     after=mark, count=count, timeout=60)


# --- the folder ---------------------------------------------------------------

@pytest.mark.parametrize("hand_in", [deliver, lda])
def test_filed(rules, box, hand_in):
    """The folder is made and subscribed to; POP3 sees INBOX only."""
    rules(RULES)
    b = box()
    mails = [b.mail(), spam(b), spam(b), spam(b, VIRUS),
             b.mail(subject="Re: [SPAM] [VIRUS] an offer")]
    for m in mails:
        if hand_in == deliver:
            assert deliver(m).code == 250
        else:
            assert lda(b.user, m).returncode == 0
    names = [m.subject for m in mails]
    assert folders(b) == {"INBOX": [names[0], names[4]],
                          "Spam": names[1:3], "Virus": [names[3]]}
    with b.imap() as client:
        for listed in client.list(), client.lsub():
            found = b" ".join(listed[1])
            assert b" Spam" in found and b" Virus" in found
    client = poplib.POP3(MX)
    client.user(b.user)
    client.pass_(password(b.user))
    assert client.stat()[0] == 2
    client.quit()


def test_who_left_the_folder_stays_away(rules, box):
    """An existing folder is not subscribed to again."""
    rules(RULES)
    b = box()
    assert filed(b, spam(b)) == ["Spam"]
    with b.imap() as client:
        client.unsubscribe("Spam")
        assert filed(b, spam(b)) == ["Spam"]
        assert b"Spam" not in repr(client.lsub()).encode()


def test_marks(rules, box):
    rules(RULES)
    b = box()
    for value, folder in (("scanner=spam", "Spam"),
                          ("  Scanner=SPAM\r\n ", "Spam"),
                          ("scanner=spammer", "INBOX"),
                          ("scanner=spam virus", "INBOX"),
                          ("scanner=spa", "INBOX"),
                          ("scanner=", "INBOX"),
                          ("helo.missing", "INBOX"),
                          ("", "INBOX")):
        assert filed(b, spam(b, ("X-Mailreeve", value))) == [folder], value


def test_several_marks(rules, box):
    """The first scanner in the file decides, whatever the mail's order."""
    rules("tag_header = X-Mark\n" + RULES)
    b = box()
    marks = [("X-Mark", "helo.missing"), ("X-Mark", "scanner=spam"),
             ("x-mark", "scanner=virus")]
    assert filed(b, spam(b, *marks)) == ["Virus"]
    assert filed(b, spam(b, *marks[:2])) == ["Spam"]
    assert filed(b, spam(b, SPAM)) == ["INBOX"]


def test_overrides(rules, box):
    """Recipients of different policies, in one transaction."""
    one, none, junk, group = box(), box(), box(), box()
    rules(RULES + for_user(none, "folder = none")
          + for_user(junk, "folder = \\Junk")
          + f"group large {{\n\tmembers = inline:{{ {group.user} = yes }}\n"
          "\tscanner spam {\n\t\tfolder = Lists/Spam\n\t}\n}\n"
          "domain beta.example {\n\tscanner spam {\n\t\tfolder = Beta\n\t}\n}\n")
    m = spam(one)
    all_of_them = one, none, junk, group
    with Lmtp() as client:
        client.envelope(m, *(b.user for b in all_of_them))
        replies = [client.data(m), *(client.read() for _ in all_of_them[1:])]
    assert [reply.code for reply in replies] == [250] * 4
    # Maildir++ has no / in names: not a folder of his
    assert [list(folders(b)) for b in all_of_them] == [
        ["Spam"], ["INBOX"], ["Junk"], ["INBOX"]]


def test_observe(rules, box):
    rules("mode = observe\n" + RULES)
    b = box()
    mark = log_end(DOVECOT_LOG)
    assert filed(b, spam(b)) == filed(b, spam(b, VIRUS)) == ["INBOX"]
    said = log_lines(DOVECOT_LOG, "filing: mode = observe, so not: msgid=<",
                     after=mark, count=2)
    assert "scanner=spam folder=Spam sieve=first at=" in said[0]
    assert "scanner=virus folder=Virus sieve=skipped at=" in said[1]


# --- Sieve --------------------------------------------------------------------

@pytest.mark.parametrize("script, where", [
    ("", ["Spam"]),
    ("keep;", ["Spam"]),
    ('fileinto "INBOX";', ["INBOX"]),
    ('fileinto :create "Lists";', ["Lists"]),
    ('fileinto :create :copy "Lists";', ["Lists", "Spam"]),
    ("discard;", []),
    ('if not header "X-Mailreeve" "scanner=spam" { discard; }', ["Spam"]),
    ("this is no script", ["Spam"]),
    ('addflag "\\\\Seen"; keep;', ["Spam"]),
    ('vacation "I am away";', ["Spam"]),
])
def test_sieve_first(rules, box, script, where):
    rules(RULES)
    b = box()
    b.script('require ["fileinto", "mailbox", "copy", "imap4flags", '
             f'"vacation"];\n{script}\n')
    mark = log_end(DOVECOT_LOG)
    m = spam(b, sender="ann@alpha.example")
    assert filed(b, m) == where
    if "Seen" in script:
        with b.imap("Spam") as client:
            assert client.find("SEEN")
    if "vacation" in script:
        log_lines(DOVECOT_LOG, "sent vacation response", after=mark)
        assert wait_for_queue(30) == []


def test_sieve_knows_duplicates(rules, box):
    rules(RULES)
    b = box()
    b.script('require "duplicate"; if duplicate { discard; }')
    m = spam(b)
    assert filed(b, m) == filed(b, m) == ["Spam"]
    assert len(b.sizes("Spam")) == 1


@pytest.mark.parametrize("script", ["discard;", 'redirect "ann@beta.example";'])
def test_sieve_skipped(rules, box, script):
    rules(RULES)
    b = box()
    b.script(script)
    assert filed(b, spam(b, VIRUS)) == ["Virus"]
    assert wait_for_queue(30) == []


@pytest.mark.parametrize("header, script, folder", [
    (VIRUS, None, "Virus"), (SPAM, None, "Spam"), (SPAM, "keep;", "Spam"),
    (("X-L", "x"), 'if exists "X-L" { fileinto "Lists"; }', "Lists")])
def test_put_off(rules, box, header, script, folder):
    """Near the limit, while others save: the mail comes again, instead of going
    to INBOX as soon as the lock is free."""
    rules(limit("20K") + RULES)
    b = box()
    with b.imap() as client:
        client.create("Lists")
    if script:
        b.script(f'require "fileinto";\n{script}\n')
    assert filed(b, b.mail(3000)) == ["INBOX"]
    m = spam(b, header)
    with ThreadPoolExecutor(1) as pool:
        with held(b) as wait:
            reply = pool.submit(deliver, m)
            wait(1)
            end = time.monotonic() + 3          # it waits for two seconds
            until(lambda: time.monotonic() > end)
        assert (reply.result().code, reply.result().enhanced) == (451, "4.2.0")
    assert folders(b).keys() == {"INBOX"} and len(b.sizes()) == 1
    assert filed(b, m) == [folder]


# --- trouble: in INBOX, and said, but never refused ---------------------------

@pytest.mark.parametrize("sieve", ["first", "skipped"])
def test_bad_name(rules, box, sieve):
    b = box()
    for folder in ("../../alpha", "a..b", "Spam.", "/etc/x", "~ann", "a/b",
                   "\\Nothing", "\\", "x" * 300, "Sp\xe4m"):
        rules(RULES + for_user(b, f"folder = {folder}\n\t\tsieve = {sieve}"))
        COPY.write_bytes(COPY.read_text().encode("latin-1"))
        mark = log_end(DOVECOT_LOG)
        assert filed(b, spam(b)) == ["INBOX"], folder
        warnings(mark)


def break_file(spam_folder):
    shutil.rmtree(spam_folder)
    spam_folder.touch()


def break_open(spam_folder):
    spam_folder.chmod(0)


def break_save(spam_folder):
    (spam_folder / "tmp").chmod(0o500)


@pytest.mark.parametrize("what", [break_file, break_open, break_save])
@pytest.mark.parametrize("header, script", [
    (SPAM, None), (SPAM, "keep;"), (VIRUS, None)])
def test_broken_folder(rules, box, what, header, script):
    rules(RULES)
    b = box()
    if script:
        b.script(script)
    [name] = filed(b, spam(b, header))
    what(b.home / f"Maildir/.{name}")
    mark = log_end(DOVECOT_LOG)
    m = spam(b, header)
    assert deliver(m).code == 250
    (b.home / f"Maildir/.{name}").chmod(0o700)
    assert m.subject in folders(b)["INBOX"]
    warnings(mark)


@pytest.mark.parametrize("script", [None, "keep;"])
def test_full(rules, box, script):
    """As in INBOX, and no folder less strict."""
    rules(RULES + limit("10K"))
    b = box()
    if script:
        b.script(script)
    assert deliver(spam(b)).code == deliver(spam(b, VIRUS)).code == 250
    b.fill(8 * K)
    mark = log_end(DOVECOT_LOG)
    for one in SPAM, VIRUS:
        assert is_full(deliver(spam(b, one, size=2000)))
        assert lda(b.user, spam(b, one, size=2000)).returncode == 75
    assert sorted(map(len, folders(b).values())) == [1, 1, 1]
    assert not log_lines(DOVECOT_LOG, "filing: not into", after=mark, timeout=0)


def test_policy_cannot_be_read(rules, box):
    """As without one; and said once for each delivery."""
    rules(RULES)
    b = box()
    COPY.write_text("mailbox {\n\tquota = many\n}\n")
    mark = log_end(DOVECOT_LOG)
    assert filed(b, spam(b)) == ["INBOX"]
    said = log_lines(DOVECOT_LOG, "lmtp.*until it can be read", after=mark)
    assert len(said) == 1 and "nothing is purged or filed" in said[0]


# --- other settings of Dovecot ------------------------------------------------

ACL = """\
protocol lmtp {
  mail_plugins = $mail_plugins acl
}
plugin {
  acl = vfile
}
""" if is_23() else """\
protocol lmtp {
  mail_plugins {
    acl = yes
  }
}
acl_driver = vfile
"""
PREFIX = "namespace inbox {\n  prefix = INBOX.\n  separator = .\n}\n"


def test_detail_and_acl(rules, box, dovecot):
    """The sender chooses the detail, so the mark counts more."""
    rules(RULES)
    dovecot(SIEVE + ACL + "lmtp_save_to_detail_mailbox = yes\n"
            "recipient_delimiter = +\n")
    b = box()
    detailed = b.user.replace("@", "+Work@")
    with b.imap() as client:
        client.create("Work")
    assert filed(b, b.mail(), detailed) == ["Work"]
    assert filed(b, spam(b), detailed) == ["Spam"]
    acl = b.home / "Maildir/.Spam/dovecot-acl"
    acl.write_text("owner lr\n")
    shutil.chown(acl, "vmail", "vmail")
    mark = log_end(DOVECOT_LOG)
    m = spam(b)
    assert deliver(m, detailed).code == 250
    acl.unlink()
    assert m.subject in folders(b)["Work"]
    warnings(mark)


def test_prefix(rules, box, dovecot):
    """A folder's name is one below INBOX, or a whole one."""
    b, whole, junk = box(), box(), box()
    rules(RULES + for_user(whole, "folder = INBOX.Old.Spam")
          + for_user(junk, "folder = \\Junk"))
    dovecot(SIEVE + PREFIX)
    assert filed(b, spam(b)) == ["INBOX.Spam"]
    assert filed(b, spam(b, VIRUS)) == ["INBOX.Virus"]
    assert filed(whole, spam(whole)) == ["INBOX.Old.Spam"]
    assert filed(junk, spam(junk)) == ["INBOX.Junk"]


def test_without_sieve_and_without_us(rules, box, dovecot):
    rules(RULES)
    b = box()
    dovecot("")
    b.script("discard;")
    assert filed(b, spam(b)) == ["Spam"]
    assert filed(b, spam(b, VIRUS)) == ["Virus"]
    assert filed(b, b.mail()) == ["INBOX"]
    dovecot("", ours=False)
    assert filed(b, spam(b)) == ["INBOX"]
    with b.imap("Spam") as client:
        assert len(client.find("ALL")) == 1


# --- from outside -------------------------------------------------------------

def test_smtp(rules, box):
    """What the milter marks is filed; nobody else's mark is."""
    rules(RULES)
    b = box()
    mails = [b.mail(headers=[("X-Spam-Flag", "YES")]), spam(b),
             b.mail(subject="Re: [SPAM] your offer"),
             b.mail(headers=[("X-Virus", "Eicar"), SPAM])]
    for m in mails:             # one by one, as Postfix delivers in parallel
        send(m)
        assert wait_for_queue(30) == []
    names = [m.subject for m in mails]
    assert folders(b) == {"INBOX": names[1:3], "Spam": names[:1],
                          "Virus": names[3:]}
