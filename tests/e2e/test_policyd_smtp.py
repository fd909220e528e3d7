"""test_policyd_smtp - the policy daemon behind real SMTP, alone and beside the
milter
SPDX-License-Identifier: ISC

The mails are those of test_smtp.py; Postfix is told by the lines that
`mailreeve setup postfix' prints.
"""
import pathlib
import re
import signal
import subprocess

import pytest
from e2e.conftest import POLICY, Milter, install, run
from e2e.facts import Facts
from e2e.test_smtp import (ACCEPTED, ANN, BOB, CAT, M, NOBODY, REFUSED,
                           headers_of, retry)

from world import MAILREEVE_LOG, log_end, log_lines, mail, where
from world.milter import NOT_WANTED, MilterClient
from world.postfix import pids_of, reload_postfix

MAIN_CF = pathlib.Path("/etc/postfix/main.cf")
RESTRICTIONS = ("smtpd_recipient_restrictions", "smtpd_data_restrictions",
                "smtpd_end_of_data_restrictions")
MILTERS = "smtpd_milters", "non_smtpd_milters"


class Policyd(Milter):
    """The mailreeve-policyd of the world."""

    @staticmethod
    def pids():
        return pids_of("mailreeve-policyd")

    def start(self):
        with open("/run/lab/policyd.err", "w+", encoding="utf-8") as log:
            status = subprocess.call(["mailreeve-policyd", "-d"], stdout=log,
                                     stderr=log, stdin=subprocess.DEVNULL)
            log.seek(0)
            assert status == 0, log.read()


class World:
    """A policy, the policy daemon, and Postfix's lines for it."""

    def __init__(self):
        self.policy, self.main_cf = POLICY.read_text(), MAIN_CF.read_text()
        self.policyd, self.used = Policyd(), None

    def use(self, change):
        """The policy, changed so; as long as a test wants another one."""
        if change == self.used:
            return self
        self.used = change
        install(change(self.policy))
        if not self.policyd.pids():
            self.policyd.start()
        run("mailreeve", "reload")
        MAIN_CF.write_text(self.main_cf)
        lines = run("mailreeve", "setup", "postfix", "--main-cf").stdout
        if "smtpd_milters" not in lines:
            lines += "".join(f"{name} =\n" for name in MILTERS)
        with open(MAIN_CF, "a", encoding="utf-8") as file:
            file.write(lines)
        reload_postfix()
        return self

    def leave(self):
        MAIN_CF.write_text(self.main_cf)
        reload_postfix()
        install(self.policy)
        run("mailreeve", "reload")
        self.policyd.stop()


@pytest.fixture(scope="module")
def world():
    w = World()
    yield w
    w.leave()


def judges_all(text):
    return "judge = policyd\n" + text


def judges_logins(text):
    return text.replace("listener 587 465 {",
                        "listener 587 465 {\n\tjudge = policyd", 1)


def verifies(text):
    return text.replace("size = 1M", "size = 1M\n\tverify = policyd", 1)


@pytest.fixture
def alone(world):
    return world.use(judges_all)


@pytest.fixture
def beside(world):
    return world.use(judges_logins)


@pytest.fixture
def verifying(world):
    return world.use(verifies)


def decision(mark, timeout=60):
    """The lines of the one who judged, since then: program and the rest."""
    found = log_lines(MAILREEVE_LOG, r": (accept|reject|defer): ", timeout,
                      mark)
    return [re.search(r"mailreeve-(\w+)\S*: (.*)", line).groups()
            for line in found]


def play(facts, homes, rule=None, by="policyd"):
    """As test_smtp's judge, but the text, in front of which Postfix puts words
    of its own."""
    mark = log_end(MAILREEVE_LOG)
    outcome = facts.send()
    expected = outcome.explain()
    reply = outcome.reply
    if expected["code"] is None:
        assert reply.code == 250, reply
    else:
        assert (reply.code, reply.enhanced) == (
            expected["code"], expected["enhanced"]), reply
        assert expected["text"].rpartition(" (id")[0] in reply.text
        assert rule is None or expected["rule"] == rule
    (program, line), = decision(mark)
    assert program == by, line
    if expected["code"] is not None:
        assert (f"rule={expected['rule']} at={expected['at']} "
                f"id={outcome.id}") in line
    found = where(outcome.subject, timeout=60, count=len(homes))
    assert found == [(home, "INBOX") for home in homes]
    return outcome


# --- alone -------------------------------------------------------------------

def test_setup_places_it(alone):
    lines = run("postconf", *RESTRICTIONS, *MILTERS).stdout
    service = ("check_policy_service { unix:mailreeve/policy.sock, "
               "timeout=30s, { default_action = 451 4.3.0 ")
    assert lines.count(service) == 2
    assert "\nsmtpd_milters =\n" in lines
    again = run("mailreeve", "setup", "postfix", "--main-cf").stdout
    assert again.count(service) == 2, again


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(alone, name):
    play(*ACCEPTED[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused(alone, name):
    facts, want = REFUSED[name]
    play(facts, [], want[3])


@pytest.mark.parametrize("spelling", ["alpha.example!nobody",
                                      "nobody%alpha.example",
                                      "nobody%alpha.example@mx.lab.example",
                                      '"nobody"@alpha.example',
                                      "@x.example:nobody@alpha.example"])
def test_however_the_recipient_is_spelt(alone, spelling):
    with Facts().connect() as c:
        c.cmd("MAIL FROM:<a@sender.example>")
        reply = c.cmd(f"RCPT TO:<{spelling}>")
    assert (reply.code, reply.enhanced) == (550, "5.1.1"), reply


def test_a_tag_once(alone):
    with Facts(helo="client").connect() as c:
        m = mail([CAT, "cat+x@gamma.example"])
        c.cmd(f"MAIL FROM:<{m.sender}>")
        for to in m.to:
            assert c.cmd(f"RCPT TO:<{to}>").code == 250
        assert c.data(m).code == 250
    where(m.subject, timeout=60, count=1)
    tag, = headers_of(CAT, m.subject, "X-Mailreeve")
    assert re.fullmatch(r"helo\.not_qualified; id=\w{8}", tag)


def test_a_mail_that_some_take_is_split(alone):
    m = mail([BOB, ANN], sender="split2@sender.example", size=2 * M)
    answers = retry(m, [BOB, ANN])
    assert all(a[0] == (452, "4.5.3") for a in answers.values()), answers
    assert answers[BOB][-1][0] == 250
    assert answers[ANN][-1] == (552, "5.3.4")
    assert where(m.subject, timeout=60) == [(BOB, "INBOX")]


def test_chunks_count_the_same(alone):
    """BDAT (RFC 3030)."""
    for size, code in ((M, 250), (M + 1, 552)):
        m = mail(ANN, size=size)
        with Facts().connect() as c:
            c.pipeline("MAIL FROM:<a@sender.example>", f"RCPT TO:<{ANN}>")
            c.write(b"BDAT %d LAST\r\n" % len(m) + m)
            assert c.read().code == code, c.last


def test_a_restart_is_not_noticed(alone):
    with Facts().connect() as c:
        m = mail(ANN)
        c.cmd(f"MAIL FROM:<{m.sender}>")
        assert c.cmd(f"RCPT TO:<{ANN}>").code == 250
        alone.policyd.stop(signal.SIGKILL)
        alone.policyd.start()
        assert c.data(m).code == 250
        large = mail(ANN, size=M + 1)
        c.cmd(f"MAIL FROM:<{m.sender}>")
        assert c.cmd(f"RCPT TO:<{ANN}>").code == 250
        alone.policyd.restart()
        assert c.data(large).code == 552


def test_nobody_answers(alone):
    """on_failure = tempfail: as setup says."""
    alone.policyd.stop()
    with Facts().connect() as c:
        c.cmd("MAIL FROM:<a@sender.example>")
        reply = c.cmd(f"RCPT TO:<{ANN}>")
        assert (reply.code, reply.enhanced) == (451, "4.3.0"), reply
        assert "try again later" in reply.text
        alone.policyd.start()
        assert c.cmd(f"RCPT TO:<{ANN}>").code == 250


def test_status_and_reload(alone):
    mark = log_end(MAILREEVE_LOG)
    run("mailreeve", "reload")
    assert len(log_lines(MAILREEVE_LOG, "policy .* reloaded", 10, mark,
                         count=2)) == 2
    text = run("mailreeve", "status").stdout
    assert text.startswith("mailreeve-milter:\n")
    assert "\n\nmailreeve-policyd:\n" in text


# --- beside the milter --------------------------------------------------------------

def test_each_mail_has_one_judge(beside):
    assert "check_policy_service" in run("postconf", *RESTRICTIONS).stdout
    assert "milter.sock" in run("postconf", "smtpd_milters").stdout
    play(Facts(), [ANN], by="milter")
    play(Facts(to=NOBODY), [], by="milter")
    play(Facts(size=M + 1), [], by="milter")
    play(Facts(port=465, login=CAT, sender=CAT), [ANN], by="policyd")
    play(Facts(port=465, login=CAT, sender=CAT, size=M + 1), [], by="policyd")
    play(Facts(port=465), [], by="policyd")
    mark = log_end(MAILREEVE_LOG)
    subject = mail(ANN).subject
    subprocess.run(["sendmail", "-i", "-f", "a@alpha.example", ANN], check=True,
                   input=f"Subject: {subject}\n\nhi\n".encode())
    (program, _), = decision(mark)
    assert program == "milter"
    where(subject, timeout=60, count=1)


def test_the_milter_needs_no_body(verifying):
    m = MilterClient("unix:/var/spool/postfix/mailreeve/milter.sock")
    assert m.steps & NOT_WANTED["body"]
    m.quit()
    play(Facts(), [ANN], by="milter")
    play(Facts(to=NOBODY), [], by="milter")
    play(Facts(declared=7 * M // 2), [], by="milter")
    play(Facts(size=M), [ANN], by="milter")
    play(Facts(size=M + 1), [], by="policyd")
    play(Facts(to=BOB, size=3 * M), [BOB], by="milter")
    m = mail([BOB, ANN], sender="split3@sender.example", size=2 * M)
    answers = retry(m, [BOB, ANN])
    assert answers[BOB][-1][0] == 250
    assert answers[ANN][-1] == (552, "5.3.4")
    assert where(m.subject, timeout=60) == [(BOB, "INBOX")]
