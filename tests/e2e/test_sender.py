"""test_sender - what the DNS says of senders, over real SMTP, and by explain
SPDX-License-Identifier: ISC
"""
import re

import pytest
from e2e.facts import Facts

from world import (BROKEN, GOOD, GOOD6, MAILREEVE_LOG, NAMELESS, UNCONFIRMED,
                   dns_log, dns_reset, doveadm, log_end, log_lines, mail)
from world import send as world_send
from world import where

HELO, SENDER = "out.sender.example", "someone@sender.example"
ANN = "ann@alpha.example"
ALL = """
check rdns {
	action = reject
%s}
check helo_resolves {
	action = reject
}
check sender {
	action = reject
}
check spf {
	action = reject
}
"""


@pytest.fixture
def all_on(policy):
    """all_on(text): the checks are on, with more settings of rdns."""
    with open("/etc/mailreeve/mailreeve.conf") as file:
        before = file.read()

    def change(rdns="", more=""):
        policy(before + ALL % rdns + more)

    change()
    return change


def send(source=GOOD, helo=HELO, sender=SENDER, **facts):
    """The reply; explain says the same, and the log the rule."""
    mark = log_end(MAILREEVE_LOG)
    outcome = Facts(source=source, helo=helo, sender=sender, **facts).send()
    expected = outcome.explain()
    assert outcome.differences(expected) == [], outcome.reply
    if outcome.reply.code == 250:
        assert where(outcome.subject, timeout=60) == [(ANN, "INBOX")]
        return 250, None, None, ""
    line, = log_lines(MAILREEVE_LOG, rf"NOQUEUE: \w+: RCPT .* at=\S+ "
                      rf"id={outcome.id}$", 5, mark)
    rule = re.search(r" rule=(\S+) ", line)[1]
    assert (rule, re.search(r" at=(\S+) ", line)[1]) == (
        expected["rule"], expected["at"])
    return outcome.reply.code, outcome.reply.enhanced, rule, outcome.text


@pytest.mark.parametrize("source", [GOOD, GOOD6])
def test_an_honest_server(all_on, source):
    assert send(source)[0] == 250


@pytest.mark.parametrize("facts, want, text", [
    ({"source": NAMELESS}, (550, "5.7.25", "rdns.missing"),
     f"Your mail server {NAMELESS} has no name in the DNS: please ask its "
     "provider for a PTR record"),
    ({"helo": "nowhere.example"}, (550, "5.7.1", "helo_resolves.unknown"),
     "Your mail server introduces itself as nowhere.example, which has no "
     "address in the DNS: please correct that name"),
    ({"sender": "a@nowhere.example"}, (550, "5.1.8", "sender.unknown"),
     "The domain of <a@nowhere.example> has no MX or address in the DNS: "
     "please correct the sender"),
    ({"sender": "a@nullmx.example"}, (550, "5.7.27", "sender.null_mx"),
     "The domain of <a@nullmx.example> takes no mail (RFC 7505): please use a "
     "sender that can get replies"),
    ({"sender": "a@broken.example"}, (451, "4.4.3", "sender.unsure"),
     "The domain of <a@broken.example> cannot be looked up just now: please "
     "try again later"),
    ({"sender": "a@halfbroken.example"}, (451, "4.7.24", "spf.unsure"),
     "SPF cannot be checked, as the DNS does not answer: please try again "
     "later"),
    ({"source": UNCONFIRMED}, (550, "5.7.23", "spf.fail"),
     f"SPF refuses {UNCONFIRMED}: sender.example lets only other servers send "
     "its mail, please use those"),
    ({"sender": "a@explained.example"}, (550, "5.7.23", "spf.fail"),
     f"SPF refuses {GOOD}: explained.example explained: 100% of it is sent by "
     f"us, none by {GOOD}"),
    ({"sender": "", "helo": "nohelo.example"}, (550, "5.7.23", "spf.fail"),
     f"SPF refuses {GOOD}: nohelo.example lets only other servers send its "
     "mail, please use those"),
    ({"helo": "nohelo.example"}, (550, "5.7.23", "spf.fail"),
     f"SPF refuses {GOOD}: nohelo.example lets only other servers send its "
     "mail, please use those"),
], ids=lambda value: value[2] if isinstance(value, tuple) else "")
def test_what_is_refused(all_on, facts, want, text):
    assert send(**facts) == (*want, text)


@pytest.mark.parametrize("facts", [
    {"sender": "a@addressed.example"}, {"sender": "a@addressed6.example"},
    {"sender": "a@soft.example"}, {"sender": "a@neutral.example"},
    {"sender": "a@wrong.example"}, {"sender": ""},
    {"helo": "mailonly.example"}, {"helo": f"[{GOOD}]"},
    {"source": BROKEN, "sender": "a@soft.example"},
], ids=lambda facts: "-".join(facts.values()))
def test_what_is_not(all_on, facts):
    assert send(**facts)[0] == 250


def test_an_unconfirmed_name(all_on):
    """Postfix says its {client_ptr}, so that nobody asks again."""
    dns_reset()
    assert send(UNCONFIRMED, sender="a@soft.example")[0] == 250
    reverse = "8.100.51.198.in-addr.arpa"
    at_first = [q for q in dns_log(reverse) if q.type == "PTR"]
    all_on("\trequire = confirmed\n")
    assert send(UNCONFIRMED, sender="a@soft.example")[:3] == (
        550, "5.7.25", "rdns.unconfirmed")
    # Postfix, and explain
    assert len(at_first) == 2, at_first


def test_without_postfix_looking(all_on, postfix):
    postfix(smtpd_peername_lookup="no")
    all_on("\trequire = confirmed\n")
    assert send()[0] == 250
    assert send(NAMELESS)[2] == "rdns.missing"
    assert send(UNCONFIRMED)[2] == "rdns.unconfirmed"


def test_logins_are_never_asked(all_on):
    assert send(NAMELESS, "nowhere.example", "a@nowhere.example", login=ANN,
                port=587, tls="yes")[0] == 250


def test_a_mail_for_the_postmaster(all_on):
    """exempt: somebody who was wrongly refused can reach a person."""
    facts = Facts(source=NAMELESS, helo="nowhere.example", sender=SENDER,
                  to="postmaster@alpha.example")
    assert "rdns" not in facts.send().reply.text


def test_observed_is_delivered_and_logged(policy):
    with open("/etc/mailreeve/mailreeve.conf") as file:
        policy("mode = observe\n" + file.read() + ALL % "")
    mark = log_end(MAILREEVE_LOG)
    assert send(NAMELESS, "nowhere.example", "a@nowhere.example")[0] == 250
    for rule in ("rdns.missing", "helo_resolves.unknown", "sender.unknown"):
        assert log_lines(MAILREEVE_LOG, rf": observe: .* rule={rule} ", 5,
                         mark)


def test_the_mx_of_a_hosted_domain(policy):
    """By default it is observed, whatever else the policy says."""
    with open("/etc/mailreeve/mailreeve.conf") as file:
        before = file.read()
    moved = before.replace("hostname = mx.lab.example",
                           "hostname = another.lab.example")
    assert moved != before
    mark = log_end(MAILREEVE_LOG)
    assert send()[0] == 250
    assert not log_lines(MAILREEVE_LOG, r"rule=mx\.", 0, mark, 0)
    policy(moved)
    assert send()[0] == 250
    line, = log_lines(MAILREEVE_LOG, r": observe: .* rule=mx\.", 5, mark)
    assert ": mx.lab.example; " in line and "rule=mx.elsewhere at=default" in line
    policy(moved + "check mx {\n\taction = reject\n\tnames = *.LAB.example\n}\n")
    assert send()[0] == 250
    policy(moved + "check mx {\n\taction = defer\n}\n")
    assert send()[:3] == (450, "4.1.2", "mx.elsewhere")


def test_authentication_results(policy):
    """On top of a delivered mail, and what claimed to be ours is gone."""
    name = "Authentication-Results"
    with open("/etc/mailreeve/mailreeve.conf") as file:
        policy(file.read() + "authentication_results {\n\tadd = yes\n}\n")
    m = mail(ANN, SENDER, headers=[
        (name, "mx.lab.example; spf=pass smtp.mailfrom=bank.example"),
        (name, "else.example; dkim=pass header.d=bank.example"),
        (name, "MX.LAB.example 1; iprev=pass policy.iprev=192.0.2.7")])
    world_send(m, source=UNCONFIRMED, helo=HELO)
    assert where(m.subject, timeout=60) == [(ANN, "INBOX")]
    (message,) = doveadm("fetch", "-u", ANN, "hdr", "subject", m.subject)
    text = message["hdr"]
    found = [re.sub(r"\s+", " ", value) for value in re.findall(
        rf"(?m)^{name}: (.*(?:\n[ \t].*)*)", text)]
    assert found == [
        "mx.lab.example; spf=fail smtp.mailfrom=sender.example; "
        f"iprev=fail policy.iprev={UNCONFIRMED}",
        "else.example; dkim=pass header.d=bank.example"]
    assert text.index(name) < text.index("Received: from " + HELO)
