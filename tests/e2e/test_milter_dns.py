"""test_milter_dns - what the milter asks the DNS, and when, without Postfix
SPDX-License-Identifier: ISC
"""
import time
import uuid

import dnslib
import pytest

from milterd import Milter, wait_until
from world.logs import dns_log, dns_reset

ANN, SENDER = "<ann@net.example>", "<a@sender.example>"
PTR = ("PTR", "77.100.51.198.in-addr.arpa")
CLIENT = ("unknown", "198.51.100.77")
CORE = """\
hostname = mx.lab.example
wait = 1s
maps {
	domains = inline:{ net.example=x }
	mailboxes = inline:{ ann@net.example=x }
}
"""
CHECKS = {
    "rdns": [PTR],
    "helo_resolves": [("A", "nohelo.example"), ("AAAA", "nohelo.example")],
    "sender": [("A", "sender.example"), ("MX", "sender.example")],
    "spf": [("TXT", "nohelo.example"), ("TXT", "sender.example")],
    "mx": [("MX", "net.example")],
}


def policy(*checks, action="observe", more=""):
    """Of all these checks only some are on."""
    return CORE + "".join(
        "check %s {\n\taction = %s\n%s}\n" % (
            name, action if name in checks else "off",
            more if name in checks else "") for name in CHECKS)


def asked():
    """But for the probes of a server that was slow for a moment: the world's own
    milter has the same."""
    return sorted({(q.type, q.name) for q in dns_log()
                   if q.name != "localhost"})


def will_be_asked(questions, what="these questions"):
    """Nobody waits for what is asked ahead."""
    try:
        wait_until(lambda: asked() == sorted(questions), what)
    except AssertionError as error:
        raise AssertionError(f"{error}: {questions}, but {asked()}") from None


def settle():
    """What a stopped server found when it went on, it has answered by now."""
    last = dnslib.DNSRecord.question(f"{uuid.uuid4().hex}.invalid")
    wait_until(lambda: answers(last), "an answer of the name server")


def answers(question):
    try:
        return question.send("192.0.2.53", timeout=2)
    except TimeoutError:
        return None


def connect(milter, macros=None, client=CLIENT):
    settle()
    dns_reset()
    m = milter.client()
    m.connect(*client, macros={"{daemon_port}": "25", **(macros or {})})
    return m


def play(m, helo="nohelo.example", sender=SENDER, to=ANN, macros=None):
    m.helo(helo)
    assert m.mail(sender, macros=macros).ok
    return m.rcpt(to)


@pytest.fixture
def milter(tmp_path):
    with Milter(tmp_path, policy(*CHECKS)) as milter:
        yield milter


def test_questions_are_sent_as_soon_as_they_can_be(milter):
    m = connect(milter)
    known = [PTR]
    will_be_asked(known, "at connect")
    m.helo("nohelo.example")
    known += [*CHECKS["helo_resolves"], ("TXT", "nohelo.example")]
    will_be_asked(known, "at HELO")
    assert m.mail(SENDER).ok
    known += [*CHECKS["sender"], ("TXT", "sender.example")]
    will_be_asked(known, "at MAIL")
    assert m.rcpt(ANN).ok
    will_be_asked(known + CHECKS["mx"], "at RCPT")
    m.quit()


@pytest.mark.parametrize("check", CHECKS)
def test_only_what_somebody_wants_to_know_is_asked(tmp_path, check):
    with Milter(tmp_path, policy(check)) as milter:
        m = connect(milter)
        assert play(m).ok
        will_be_asked(CHECKS[check])
        m.quit()


def test_nothing_is_asked_where_nothing_is_on(tmp_path):
    with Milter(tmp_path, policy()) as milter:
        m = connect(milter)
        assert play(m).ok
        assert asked() == []
        m.quit()


def test_one_user_is_enough_to_ask(tmp_path):
    text = policy() + ("user ann@net.example {\n\tcheck sender {\n"
                       "\t\taction = reject\n\t}\n}\n")
    with Milter(tmp_path, text) as milter:
        m = connect(milter)
        assert play(m).ok
        will_be_asked(CHECKS["sender"])
        m.quit()


def test_trusted_clients_are_not_asked_about(milter):
    m = connect(milter, client=("unknown", "127.0.0.1"))
    assert play(m).ok
    assert asked() == []
    m.quit()


def test_nor_are_logins_from_when_they_are_known(milter):
    m = connect(milter)
    assert play(m, macros={"{auth_authen}": "ann@net.example"}).ok
    assert not {"sender.example", "net.example"} & {n for _, n in asked()}
    m.quit()


def test_nor_are_those_who_must_log_in(tmp_path):
    text = policy(*CHECKS) + "listener 587 {\n\tauth = required\n}\n"
    with Milter(tmp_path, text) as milter:
        m = connect(milter, {"{daemon_port}": "587"})
        play(m)
        assert asked() == []
        m.quit()


@pytest.mark.parametrize("require, ptr, questions, code", [
    ("name", "anything.example", [], None),
    ("name", "unknown", [PTR], 550),
    ("name", None, [PTR], 550),
    ("confirmed", "anything.example", [PTR], 550),
])
def test_what_postfix_knows_of_the_name(
        tmp_path, require, ptr, questions, code):
    text = policy("rdns", action="reject", more=f"\trequire = {require}\n")
    with Milter(tmp_path, text) as milter:
        m = connect(milter, {"{client_ptr}": ptr} if ptr else {})
        assert play(m).code == code
        assert asked() == questions
        m.quit()


def test_a_verified_name_is_both(tmp_path):
    text = policy("rdns", action="reject", more="\trequire = confirmed\n")
    with Milter(tmp_path, text) as milter:
        m = connect(milter, client=("out.example.org", CLIENT[1]))
        assert play(m).ok
        assert asked() == []
        m.quit()


def test_an_address_in_brackets_is_no_name(tmp_path):
    """What Postfix says of a client without one."""
    with Milter(tmp_path, policy("rdns", action="reject")) as milter:
        m = connect(milter, client=("[198.51.100.77]", CLIENT[1]))
        r = play(m)
        assert (r.code, r.enhanced) == (550, "5.7.25")
        assert " from unknown[198.51.100.77]: " in milter.lines(": reject: ")[0]
        m.quit()


def test_a_mail_gets_each_answer_once(tmp_path):
    """Ten recipients, and a server that fails each time: the questions of the
    first are those of all."""
    text = policy("sender", "spf", action="reject")
    with Milter(tmp_path, text) as milter:
        m = connect(milter)
        first = play(m, "addressed.example", "<a@broken.example>")
        assert (first.code, first.enhanced) == (451, "4.4.3")
        before = len(dns_log("example"))
        for _ in range(9):
            assert m.rcpt(ANN).code == 451
        assert len(dns_log("example")) == before
        m.quit()


def test_all_waiting_of_a_mail_is_bounded(tmp_path):
    text = policy(*list(CHECKS)[:4], action="reject")
    with Milter(tmp_path, text) as milter:
        m = connect(milter, client=("unknown", "198.51.100.7"))
        begin = time.monotonic()
        r = play(m, "silent.example", "<a@silent.example>")
        # rdns and helo_resolves: accept; sender and SPF: defer
        assert (r.code, r.enhanced) == (451, "4.4.3"), r
        assert m.rcpt(ANN).code == 451
        assert time.monotonic() - begin < 1.9
        m.quit()
