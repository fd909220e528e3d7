"""test_list - all@ reaches every mailbox of its domain, for its logins only
SPDX-License-Identifier: ISC

Postfix has its own table of mailboxes here, so that it refuses whoever it does
not know before it asks us, and the aliases that `mailreeve setup' prints.
"""
import pathlib
import re
import subprocess

import pytest
from conftest import install, reload_postfix, run
from e2e.facts import Facts

from world import (MAILREEVE_LOG, doveadm, log_end, log_lines, queue, send,
                   wait_for_queue, where)

POLICY = pathlib.Path("/etc/mailreeve/mailreeve.conf")
TABLE = pathlib.Path("/etc/postfix/virtual")
ALL = "all@alpha.example"
ALPHA = [f"{name}@alpha.example" for name in
         ("ann", "bob", "cat", "dan", "eve")]
LIST = """
list all@* {
	senders = own-domain
}
"""
ALIASES = """\
staff@alpha.example     all@alpha.example
office@beta.example     staff@alpha.example
mixed@alpha.example     staff@alpha.example, bob@beta.example, ann@alpha.example
@gamma.example          all@alpha.example
"""


@pytest.fixture(scope="module", autouse=True)
def lists():
    """The policy has lists, and Postfix the tables for them."""
    before = {path: path.read_text() for path in
              (POLICY, TABLE, pathlib.Path("/etc/postfix/main.cf"))}
    install(before[POLICY] + LIST)
    run("mailreeve", "reload")
    lines = run("mailreeve", "setup", "postfix", "--aliases").stdout
    assert f"{ALL}\t{ALL}\n" in lines
    TABLE.write_text(before[TABLE] + ALIASES + lines)
    run("postmap", f"lmdb:{TABLE}")
    run("postconf", "virtual_mailbox_maps=lmdb:/etc/postfix/"
        "virtual_mailboxes", "smtpd_error_sleep_time=0")
    reload_postfix()
    yield
    for path, text in before.items():
        if path == POLICY:
            install(text)
        else:
            path.write_text(text)
    run("postmap", f"lmdb:{TABLE}")
    run("mailreeve", "reload")
    reload_postfix()


def login(to, who="cat@alpha.example", **how):
    return Facts(to=to, port=587, tls="yes", login=who, sender=who, **how)


def homes(outcome):
    """Everyone who has the mail, once for each time; when all is delivered."""
    assert wait_for_queue(60) == []
    return [user for user, _ in where(outcome.subject)]


REACHED = [
    (ALL, ALPHA), ("ALL@Alpha.Example", ALPHA), ("all+x@alpha.example", ALPHA),
    ('"all"@alpha.example', ALPHA), ("staff@alpha.example", ALPHA),
    ("office@beta.example", ALPHA),
    ("@relay.example:all@alpha.example", ALPHA),
    ("alpha.example!all", ALPHA), ("all%alpha.example", ALPHA),
    ("all%alpha.example@mx.lab.example", ALPHA),
    ('"all@alpha.example"', ALPHA), ("all@alpha.example.", ALPHA),
    ("all+" + "x" * 400 + "@alpha.example", ALPHA),
    ([ALL, ALL], ALPHA), ([ALL, "ann@alpha.example"], ALPHA),
    (["ann@alpha.example", ALL], ALPHA),
    ([ALL, "staff@alpha.example", "info@alpha.example"], ALPHA),
    ("mixed@alpha.example", ALPHA + ["bob@beta.example"]),
    ([ALL, "team@alpha.example"], ALPHA + ["bob@beta.example"]),
]


@pytest.fixture(scope="module")
def expanded():
    """The mails of REACHED, and everyone who has them, by subject."""
    mark = log_end(MAILREEVE_LOG)
    outcomes = [login(to).send() for to, _ in REACHED]
    assert wait_for_queue(60) == []
    log_lines(MAILREEVE_LOG, ": expand: END-OF-MESSAGE .* lists=[12] "
              "members=[456] rule=list ", 10, mark, len(REACHED))
    found = {}
    for row in doveadm("fetch", "-A", "user hdr.subject", "all"):
        found.setdefault(row["hdr.subject"], []).append(row["user"])
    return outcomes, found


@pytest.mark.parametrize("n", range(len(REACHED)))
def test_expanded(expanded, n):
    """To each mailbox of the domain once: also the sender's own copy, and who
    is addressed directly, too, or by way of an alias."""
    outcome, (_, homes) = expanded[0][n], REACHED[n]
    assert outcome.reply.code == 250, outcome.reply
    assert sorted(expanded[1][outcome.subject]) == sorted(homes)


def test_explained():
    expected = login(ALL).send().explain()
    assert expected["recipients"][0]["members"] == ALPHA
    assert wait_for_queue(60) == []


OUTSIDE = {
    "from outside": Facts(),
    "as the domain's own": Facts(sender="ann@alpha.example"),
    "from localhost": Facts(source="127.0.0.1"),
    "from localhost, as postmaster": Facts(source="127.0.0.1", sender=""),
    "on port 26": Facts(port=26),
    "by a login of another domain": login("", "ann@beta.example"),
}
FORMS = [ALL, "ALL@Alpha.Example", "all+x@alpha.example",
         '"all"@alpha.example', "@relay.example:all@alpha.example",
         "staff@alpha.example", "office@beta.example", "mixed@alpha.example",
         "whoever@gamma.example", "alpha.example!all", "all%alpha.example",
         "all%alpha.example@mx.lab.example", '"all@alpha.example"',
         "all@alpha.example.", "all+" + "x" * 400 + "@alpha.example"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_refused(name):
    """550 5.7.2 for each form, at RCPT; nobody gets anything."""
    facts = OUTSIDE[name]
    facts.to = FORMS
    outcome = facts.send()
    assert [(r.code, r.enhanced) for r in outcome.rcpts] == \
        [(550, "5.7.2")] * len(FORMS), outcome.rcpts
    assert [r["rule"] for r in outcome.explain()["recipients"]
            if r["address"] in FORMS[:9]] == ["list.outside"] * 9
    assert where(outcome.subject) == []


def test_others_of_a_refused_mail():
    """The list is refused alone."""
    outcome = Facts(to=[ALL, "ann@alpha.example"]).send()
    assert [r.code for r in outcome.rcpts] == [550, 250]
    assert homes(outcome) == ["ann@alpha.example"]


def test_sendmail():
    """One answer for the whole mail: it goes back to its sender."""
    subject = "to all by sendmail"
    text = f"From: ann@alpha.example\nTo: {ALL}\nSubject: {subject}\n\nHi\n"
    subprocess.run(["sendmail", "-f", "eve@alpha.example", ALL], input=text,
                   text=True, check=True)
    log_lines("/var/log/mail.log", r"milter-reject: END-OF-MESSAGE .* 5\.7\.2",
              20)
    wait_for_queue(60)
    assert where(subject) == []
    bounce = doveadm("fetch", "-u", "eve@alpha.example", "text", "mailbox",
                     "INBOX", "header", "subject", "Undelivered")
    assert "5.7.2" in bounce[-1]["text"]


def test_trusted(policy):
    """Whom the policy trusts, if the list says so."""
    policy(POLICY.read_text().replace("senders = own-domain",
                                      "senders = own-domain trusted"))
    outcome = Facts(to=ALL, source="127.0.0.1").send()
    assert outcome.reply.code == 250, outcome.reply
    assert homes(outcome) == ALPHA


def add_lists(policy, more=""):
    """One with members of its own, and one without any."""
    policy(POLICY.read_text() + """
list some@alpha.example {
	members = inline:{ ann@alpha.example=x, Bob=x, gone@alpha.example=x, all@alpha.example=x, ann@beta.example=x }
}
list nobody@alpha.example {
	members = inline:{ gone@alpha.example=x }
}
""" + more)
    if "nobody@" not in TABLE.read_text():
        TABLE.write_text(TABLE.read_text() + "".join(
            f"{name}@alpha.example {name}@alpha.example\n"
            for name in ("some", "nobody")))
        run("postmap", f"lmdb:{TABLE}")


def test_members(policy):
    """A table of its own: only who has a mailbox there, and none is refused."""
    add_lists(policy)
    outcome = login(["some@alpha.example", "nobody@alpha.example"]).send()
    assert [(r.code, r.enhanced) for r in outcome.rcpts[1:]] == [
        (550, "5.2.4")]
    assert homes(outcome) == ["ann@alpha.example", "bob@alpha.example"]


def test_nobody_beside_others(policy):
    """Where the rule lets such a list pass, the others get their mail, and the
    sender is told of the list; the log has no mail for both."""
    add_lists(policy, "check list {\n\taction = observe\n}\n")
    mark = log_end(MAILREEVE_LOG)
    outcome = login(["nobody@alpha.example"]).send()
    assert (outcome.reply.code, outcome.reply.enhanced) == (550, "5.2.4")
    refused, = log_lines(MAILREEVE_LOG, ": reject: END-OF-MESSAGE .*"
                         r"rule=list\.empty ", after=mark)
    assert not log_lines(MAILREEVE_LOG, r": accept: END-OF-MESSAGE ",
                         timeout=0, after=mark), refused
    outcome = login(["nobody@alpha.example", "some@alpha.example",
                     "eve@alpha.example"], "dan@alpha.example").send()
    assert outcome.reply.code == 250, outcome.reply
    assert homes(outcome) == [f"{name}@alpha.example"
                              for name in ("ann", "bob", "eve")]
    bounce = doveadm("fetch", "-u", "dan@alpha.example", "text", "mailbox",
                     "INBOX", "header", "subject", "Undelivered")
    assert "nobody@alpha.example" in bounce[-1]["text"]


@pytest.mark.parametrize("trouble", ("broken table", "too many"))
def test_members_unknown(policy, trouble):
    """Deferred, whatever the rule says: nobody is dropped."""
    setting = {"broken table": "members = texthash:/nowhere",
               "too many": "most = 4"}[trouble]
    text = POLICY.read_text().replace(
        "senders = own-domain", f"senders = own-domain\n\t{setting}")
    for rule, last in (("", "RCPT"),
                       ("check list {\n\tunsure = accept\n}\n", "EOM")):
        policy(text + rule)
        outcome = login(ALL).send()
        assert (outcome.reply.code, outcome.reply.enhanced) == (451, "4.3.0")
        assert (outcome.rcpts[0].code == 250) == (last == "EOM")
        assert where(outcome.subject) == []
        assert queue() == []


def test_observed(policy):
    """Nothing is changed: the mail goes where Postfix's tables lead it, here
    back, as nobody has the list's own mailbox."""
    policy("mode = observe\n" + POLICY.read_text())
    mark = log_end(MAILREEVE_LOG)
    outcome = Facts(to="staff@alpha.example", sender="eve@beta.example").send()
    assert outcome.reply.code == 250
    log_lines(MAILREEVE_LOG, r"observe: RCPT .* rule=list\.outside ",
              after=mark)
    log_lines(MAILREEVE_LOG, r"observe: expand: END-OF-MESSAGE .* members=5 ",
              after=mark)
    assert homes(outcome) == []
    assert run("mailreeve", "show", ALL).stdout.count("the list")


def test_rule_observed(policy):
    """Only who may write is watched: the list works, for everybody."""
    policy(POLICY.read_text() + "check list {\n\taction = observe\n}\n")
    mark = log_end(MAILREEVE_LOG)
    outcome = Facts(to=ALL).send()
    assert outcome.reply.code == 250, outcome.reply
    log_lines(MAILREEVE_LOG, r"observe: RCPT .* rule=list\.outside ",
              after=mark)
    assert homes(outcome) == ALPHA


def test_dovecot_away(policy):
    """Whether an address is a list is known without Dovecot: strangers are
    refused for good, logins are asked to come again."""
    text = POLICY.read_text().replace(
        "userdb:/run/dovecot/mailreeve-userdb", "userdb:/run/nobody")
    assert text != POLICY.read_text()
    policy(re.sub(r"check recipient \{\n\taction = reject",
                  "check recipient {\n\taction = off", text))
    outcome = Facts(to=[ALL, "info@alpha.example"]).send()
    assert [r.code for r in outcome.rcpts] == [550, 250]
    assert homes(outcome) == ["ann@alpha.example"]
    assert login(ALL).send().reply.code == 451
    # a list and a mailbox, and a rule that lets what is unsure pass
    policy(re.sub(r"check recipient \{\n\taction = reject",
                  "check recipient {\n\taction = off", text) +
           "check list {\n\tunsure = accept\n}\n")
    outcome = login("mixed@alpha.example").send()
    assert (outcome.reply.code, outcome.reply.enhanced) == (451, "4.3.0")
    assert outcome.rcpts[0].code == 250
