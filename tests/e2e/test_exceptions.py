"""test_exceptions - every exception is heeded by every check, and counted
SPDX-License-Identifier: ISC

A mail that a check refuses is sent under an exception for each condition that
can hold for it (a login is never asked about its host, a nameless client has no
name): first for somebody else, then for this mail.  A check without such a mail
fails.
"""
import datetime
import json
import re
import time

import pytest
from e2e.conftest import run
from e2e.facts import Facts

from world import mail, wait_for_queue, where
from world.mailbox import doveadm, wait_for

POLICY = """\
hostname = mx.lab.example
maps {
	domains   = lmdb:/etc/postfix/virtual_domains
	aliases   = lmdb:/etc/postfix/virtual
	mailboxes = userdb:/run/dovecot/mailreeve-userdb
}
dns {
	servers = 192.0.2.53
}
"""
ANN = "ann@alpha.example"
LISTS = "dnsbl dnsbl.example {\n\tcodes = 127.0.0.2\n}\n"
# A check, a policy for it, a mail that it refuses, the name that Postfix has
# verified of its client.
OUT, STRANGER, NAMELESS, LISTED = (
    ("198.51.100.7", "out.sender.example"),
    ("203.0.113.25", "mx.remote.example"),
    ("203.0.113.9", None),
    ("198.51.100.66", "listed.remote.example"))


def on(check, more=""):
    return f"check {check} {{\n\taction = reject\n{more}}}\n"


def frm(client, **facts):
    return client[1], Facts(source=client[0], **facts)


def login(**facts):
    return None, Facts(port=587, tls="yes", login=ANN, sender=ANN, **facts)


MAILS = {
    "auth": [("listener 587 {\n\tauth = refuse\n}\n", login()),
             ("listener 25 {\n\tauth = required\n}\n", frm(OUT))],
    "tls": [("listener 587 {\n\ttls = TLSv1.3\n}\n" + on("tls"),
             (None, Facts(port=587, tls="TLSv1.2", login=ANN, sender=ANN))),
            ("listener 25 {\n\ttls = yes\n}\n" + on("tls"), frm(OUT))],
    "helo": [(on("helo"), frm(OUT, helo="client"))],
    "helo_resolves": [(on("helo_resolves"),
                       frm(OUT, helo="nobody.remote.example"))],
    "sender": [(on("sender"), frm(OUT, sender="a@nobody.remote.example"))],
    "rdns": [(on("rdns"), frm(NAMELESS))],
    "spf": [(on("spf"), frm(STRANGER))],
    "list": [("list all@* {\n}\n", frm(OUT, to="all@alpha.example")),
             ("list all@* {\n}\n", (None, Facts(
                 port=587, tls="yes", login="bob@beta.example",
                 sender="bob@beta.example", to="all@alpha.example")))],
    "dnsbl": [(LISTS + on("dnsbl"), frm(LISTED))],
    "mx": [(on("mx", "\tnames = mx.nowhere.example\n"), frm(OUT))],
    "recipient": [(on("recipient"), frm(OUT, to="nobody@alpha.example")),
                  (on("recipient"), login(to="nobody@alpha.example"))],
    "size": [("message {\n\tsize = 2K\n}\n", how) for how in (
        frm(OUT, size=4096), frm(OUT, size=4096, declared=4096),
        login(size=4096), login(size=4096, declared=4096))],
}


def answer(facts):
    """The reply that decides; only what is asked at the end of a mail gets
    one."""
    with facts.connect() as c:
        size = f" SIZE={facts.declared}" if facts.declared else ""
        if (c.cmd(f"MAIL FROM:<{facts.sender}>{size}").code == 250 and
                c.cmd(f"RCPT TO:<{facts.to}>").code == 250 and facts.size):
            c.data(mail([facts.to], facts.sender, size=facts.size))
        last = c.last
        c.cmd("QUIT")
    return last


def conditions(name, facts):
    """Those that can hold for the mail: setting, its value, another."""
    yield "client", facts.source, "192.0.2.99"
    if name:
        yield "client_name", "*" + name[3:], "other.example"
    yield "helo", facts.helo, "other.example"
    yield "sender", facts.sender, "<>"
    yield "recipient", facts.to, "other@alpha.example"
    if facts.login:
        yield "login", facts.login, "@gamma.example"


def exception(name, check, **settings):
    lines = "".join(f"\t{n} = {v}\n" for n, v in settings.items())
    return f"exception {name} {{\n{lines}\tskip = {check}\n}}\n"


def exceptions(*args):
    return json.loads(run("mailreeve", "exceptions", "--json", *args).stdout)


def test_every_check_has_a_mail():
    checks = {line.split()[1].partition(".")[0]
              for line in run("mailreeve", "settings").stdout.splitlines()
              if line.startswith("check ")}
    # the policy daemon knows: test_rates.py, test_policyd_quota.py
    assert checks == set(MAILS) | {"rate", "quota"}


@pytest.mark.parametrize("check", MAILS)
def test_every_condition(check, policy):
    for text, (name, facts) in MAILS[check]:
        for setting, ours, others in conditions(name, facts):
            policy(POLICY + text + exception(
                "other", check, **{setting: others}))
            refused = answer(facts)
            assert refused.code >= 500, (check, facts, setting, refused)
            policy(POLICY + text + exception(
                f"{check}-{setting}-{facts.port}-{facts.declared}", check,
                **{setting: ours}))
            taken = answer(facts)
            assert taken.code == 250, (check, facts, setting, taken)
            counted, = exceptions()
            assert counted["mails"] == 1, counted


def test_several_conditions_must_all_hold(policy):
    both = {"client": OUT[0], "sender": "@sender.example"}
    facts = Facts(helo="client")
    policy(POLICY + on("helo") + exception("both", "helo", **both))
    assert answer(facts).code == 250
    both["sender"] = "@other.example"
    policy(POLICY + on("helo") + exception("both", "helo", **both))
    assert answer(facts).code == 550


def test_a_mail_counts_once(policy):
    """Whatever checks it passed, and for however many recipients; and a reload
    forgets nothing."""
    text = POLICY + on("helo") + on("spf") + exception(
        "once", "all", client=OUT[0])
    policy(text)
    facts = Facts(helo="client")
    for count in (1, 2):
        facts.to = [ANN, "bob@beta.example"]
        assert facts.send().reply.code == 250
        used, = exceptions()
        assert used["mails"] == count
        policy(text + "\n")
    assert time.time() - 60 < used["last"] <= time.time() + 1


def test_a_sender_by_any_spelling(policy):
    for sender, pattern in (("", "<>"), ("Ann+x@Sender.Example",
                                         "ann@sender.example"),
                            ("ann+x@sender.example", "ann+*@sender.example")):
        policy(POLICY + on("helo") + exception("s", "helo", sender=pattern))
        assert answer(Facts(helo="client", sender=sender)).code == 250
        assert answer(Facts(helo="client", sender="bob@sender.example")
                      ).code == 550


def test_a_recipient_by_any_spelling(policy):
    policy(POLICY + on("helo") + exception("r", "helo", recipient=ANN))
    facts = Facts(helo="client", to="Ann+x@ALPHA.example")
    assert answer(facts).code == 250
    facts.to = "bob@beta.example"
    assert answer(facts).code == 550


def test_no_tag(policy):
    tag = "check helo {\n\taction = tag\n}\n"
    for text, tagged in ((tag, True),
                         (tag + exception("t", "helo", helo="client"), False)):
        policy(POLICY + text)
        subject = Facts(helo="client").send().subject
        wait_for(ANN, "INBOX", "subject", subject)
        [row] = doveadm("fetch", "-u", ANN, "hdr", "subject", subject)
        assert ("X-Mailreeve: " in row["hdr"]) == tagged, row


def test_sendmail(policy):
    """One answer, at the end of the mail."""
    size = POLICY + "message {\n\tsize = 2K\n}\n"
    for text, taken in ((size, False), (size + exception(
            "local", "size", client="127.0.0.1"), True)):
        policy(text)
        m = mail([ANN], "cat@alpha.example", size=4096)
        run("sendmail", "-i", "-f", m.sender, ANN,
            input=m.replace(b"\r\n", b"\n").decode())
        assert wait_for_queue() == []
        assert ((ANN, "INBOX") in where(m.subject)) == taken


DAY = datetime.timedelta(days=1)


def test_the_list(policy, milter):
    today = datetime.date.today()
    policy(POLICY + on("helo") +
           exception("old", "helo", helo="old", until=today - DAY) +
           exception("last", "all", client=OUT[0], until=today,
                     reason="until tonight") +
           exception("soon", "helo", helo="soon", until=today + 3 * DAY) +
           exception("far", "helo spf", login="@beta.example",
                     until=today + 300 * DAY))
    assert answer(Facts(helo="old", source=STRANGER[0])).code == 550
    assert answer(Facts(helo="client")).code == 250
    assert answer(Facts(helo="client")).code == 250
    ran = run("mailreeve", "exceptions")
    assert ran.stderr == ""
    blocks = re.sub(" +", " ", ran.stdout).split("\n\n")
    assert [b.split()[0] for b in blocks[:4]] == ["old", "last", "soon", "far"]
    assert f"until {today - DAY}: over, it does nothing any more" in blocks[0]
    assert f"until {today}: the last day" in blocks[1]
    assert "reason until tonight" in blocks[1]
    assert "client 198.51.100.7" in blocks[1]
    assert "used by 2 mails since 20" in blocks[1]
    assert f"until {today + 3 * DAY}: 4 days left" in blocks[2]
    assert "used by no mail since 20" in blocks[2]
    assert "skip helo spf" in blocks[3]
    assert blocks[4] == ("4 exceptions, 3 unused, 2 expiring within 14 days, "
                         "1 expired\n")
    assert [(e["name"], e["state"], e["mails"]) for e in exceptions()] == [
        ("old", "expired", 0), ("last", "expiring", 2), ("soon", "expiring", 0),
        ("far", "holds", 0)]
    assert [e["name"] for e in exceptions("--unused")] == [
        "old", "soon", "far"]
    assert [e["name"] for e in exceptions("--expiring", "--days", "2")] == [
        "old", "last"]
    milter.stop()
    ran = run("mailreeve", "exceptions", check=False)
    assert ran.returncode == 75
    assert "the milter does not say how often they were used" in ran.stderr
    assert "used    unknown" in ran.stdout
    assert ran.stdout.endswith(
        "4 exceptions, 2 expiring within 14 days, 1 expired\n")
    milter.start()


def test_none(policy):
    policy(POLICY)
    assert run("mailreeve", "exceptions").stdout == (
        "0 exceptions, 0 unused, 0 expiring within 14 days, 0 expired\n")
    assert exceptions() == []


@pytest.mark.parametrize("args, message", [
    (["--days", "x"], '--days wants a number of days, not "x"'),
    (["--days", "-1"], '--days wants a number of days, not "-1"'),
    (["partner"], "partner"),
])
def test_misuse(args, message):
    ran = run("mailreeve", "exceptions", *args, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr
