"""test_spf_smtp - cases of the RFC 7208 suite, over real SMTP
SPDX-License-Identifier: ISC

The suite as it is in tests/data, its zones served to the milter alone: Postfix
is told by XCLIENT where the client is.  All of it, by `mailreeve spf', is in
tests/spf.
"""
import pathlib
import re
import sys

import pytest
import yaml
from conftest import POLICY

from world import (GOOD, MAILREEVE_LOG, RawSmtp, doveadm, log_end, log_lines,
                   mail, where)

TESTS = pathlib.Path(__file__).parents[1]
# no package: pyspf, which may be here, has its name
sys.path.append(str(TESTS / "spf"))
from zone import Server                                         # noqa: E402

SUITE = TESTS / "data/rfc7208-tests.yml"
DEFAULT = "DEFAULT"
ANN = "ann@alpha.example"
# by their names in the suite
CASES = """
ptr-match-implicit a-dual-cidr-ip6-match exists-ip6 mech-at-limit
macro-reverse-split-on-dash include-neutral txtonly include-ignores-exp
redirect-cancels-exp upper-macro v-macro-ip4 include-fail
redirect-after-mechanisms1 default-result mx-empty helo-domain-literal nospf
include-loop multitxt1 mech-over-limit txttimeout include-temperror
""".split()
REPLIES = {"fail": (550, "5.7.23"), "permerror": (550, "5.7.24"),
           "temperror": (451, "4.7.24")}
CHECK = f"""
wait = 3s
dns {{
	servers = %s
	timeout = 1s
}}
check spf {{
	action = reject
	permerror = reject
	default_explanation = {DEFAULT}
}}
check mx {{
	action = off
}}
authentication_results {{
	add = yes
	received_spf = yes
}}
"""


def suite():
    """{name: (zone data, test)}"""
    found = {}
    with open(SUITE, encoding="utf-8") as file:
        for scenario in filter(None, yaml.safe_load_all(file)):
            for name, test in scenario["tests"].items():
                found[name] = scenario["zonedata"], test
    return found


SUITE_TESTS = suite()


@pytest.fixture
def serve(policy, postfix):
    """serve(zone data): the milter asks that zone, whoever connects."""
    postfix(smtpd_authorized_xclient_hosts=GOOD)
    before = POLICY.read_text()
    before = before.replace("check helo {\n\taction = reject",
                            "check helo {\n\taction = off")
    servers = []

    def start(data):
        servers.append(Server(data))
        policy(before + CHECK % servers[-1].address)

    yield start
    for server in servers:
        server.close()


def session(test, m):
    """What the last command was answered."""
    address = ("IPV6:" if ":" in test["host"] else "") + test["host"]
    with RawSmtp(25, GOOD) as c:
        c.ehlo("client.example")
        assert c.cmd(f"XCLIENT ADDR={address} NAME=[UNAVAILABLE]").code == 220
        c.ehlo(test["helo"])
        assert c.cmd(f"MAIL FROM:<{test['mailfrom']}>").code == 250
        if c.cmd(f"RCPT TO:<{ANN}>").code == 250:
            c.data(m)
        reply = c.last
        c.cmd("QUIT")
        return reply


def headers_of(m):
    """{name: value, unfolded} of the delivered mail."""
    assert where(m.subject, timeout=60) == [(ANN, "INBOX")]
    (message,) = doveadm("fetch", "-u", ANN, "hdr", "subject", m.subject)
    return {name: re.sub(r"\s+", " ", value) for name, value in re.findall(
        r"(?m)^([\w-]+): (.*(?:\n[ \t].*)*)", message["hdr"])}


def identity_of(test):
    """As Authentication-Results names it."""
    helo, sender = test["helo"], test["mailfrom"]
    if not sender:
        word = helo if re.fullmatch(r"[\w.-]+", helo) else f'"{helo}"'
        return f"smtp.helo={word}"
    return "smtp.mailfrom=" + sender.partition("@")[2]


def explained(test):
    """What the reply quotes."""
    domain = test["mailfrom"].partition("@")[2]
    explanation = test.get("explanation", DEFAULT)
    return explanation if explanation == DEFAULT else \
        f"{domain} explained: {explanation}"


@pytest.mark.parametrize("name", CASES)
def test_rfc7208(serve, name):
    data, test = SUITE_TESTS[name]
    result, mark = test["result"], log_end(MAILREEVE_LOG)
    serve(data)
    m = mail(ANN, test["mailfrom"])
    reply = session(test, m)
    if result in REPLIES:
        assert (reply.code, reply.enhanced) == REPLIES[result], reply
        rule = "unsure" if result == "temperror" else result
        line, = log_lines(MAILREEVE_LOG, r"NOQUEUE: \w+: RCPT ", 5, mark)
        assert f" rule=spf.{rule} " in line
        if result == "fail":
            assert re.search(r"SPF refuses \S+: (.*) \(id ", reply.text)[1] \
                == explained(test)
        return
    assert reply.code == 250, reply
    headers = headers_of(m)
    assert headers["Authentication-Results"].split("; ")[1] == \
        f"spf={result} {identity_of(test)}"
    assert headers["Received-SPF"].startswith(
        f"{result} receiver=mx.lab.example; identity="
        f"{'mailfrom' if test['mailfrom'] else 'helo'}; client-ip=")


def test_every_result_is_among_them():
    assert len(CASES) >= 20
    assert {SUITE_TESTS[name][1]["result"] for name in CASES} == {
        "pass", "fail", "softfail", "neutral", "none", "permerror",
        "temperror"}
