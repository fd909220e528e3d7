"""test_trouble - no mail is lost, whatever of ours (or of Dovecot's) is down
SPDX-License-Identifier: ISC
"""
import os
import pathlib
import signal
import subprocess

import pytest
from conftest import POLICY, install, run, until
from e2e.facts import Facts, explain

from world import (MAIL_LOG, MAILREEVE_LOG, RawSmtp, dovecot, log_end,
                   log_lines, mail, wait_for_queue, where)

ANN, BOB = "ann@alpha.example", "bob@beta.example"
NOBODY = "nobody@alpha.example"


def envelope(c, m, to=ANN):
    """MAIL and RCPT; the reply that decided."""
    reply = c.cmd(f"MAIL FROM:<{m.sender}>")
    return reply if reply.code != 250 else c.cmd(f"RCPT TO:<{to}>")


def arrives(m, to=ANN, retry=None):
    """The mail is there, once; with retry() sent again first."""
    if retry:
        with RawSmtp() as c:
            c.ehlo()
            assert envelope(c, m, to).code == 250
            assert c.data(m).code == 250
    found = where(m.subject, timeout=60)
    wait_for_queue()
    assert where(m.subject) == found == [(to, "INBOX")]


# --- the milter does not answer -------------------------------------------------------

def test_milter_is_down(milter):
    """default_action, as `mailreeve setup' prints it: tempfail."""
    m = mail(ANN)
    milter.stop()
    with RawSmtp() as c:
        c.ehlo()
        reply = c.cmd(f"MAIL FROM:<{m.sender}>")
        assert (reply.code, reply.enhanced) == (451, "4.7.1")
    milter.start()
    arrives(m, retry=True)


def test_milter_is_down_and_on_failure_is_accept(policy, postfix, milter):
    policy("on_failure = accept\n" + POLICY.read_text())
    lines = run("mailreeve", "setup", "postfix", "--main-cf").stdout
    settings = dict(line.split(" = ", 1) for line in lines.splitlines()
                    if " = " in line and line[0] != "#")
    assert "default_action=accept" in settings["smtpd_milters"]
    postfix(smtpd_milters=settings["smtpd_milters"])
    milter.stop()
    m = mail(ANN)
    arrives(m, retry=True)


def test_milter_hangs(milter, postfix):
    """Postfix gives up after command_timeout, and the sender tries again."""
    milters = run("postconf", "-h", "smtpd_milters").stdout.strip()
    assert "command_timeout=30s" in milters
    postfix(smtpd_milters=milters.replace("command_timeout=30s",
                                          "command_timeout=1s"))
    m = mail(ANN)
    with RawSmtp() as c:
        c.ehlo()
        milter.kill(signal.SIGSTOP)
        assert envelope(c, m).code // 100 == 4
    milter.kill(signal.SIGCONT)
    arrives(m, retry=True)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "content"])
def test_milter_is_killed(milter, stage):
    m = mail(ANN)
    with RawSmtp() as c:
        c.ehlo()
        steps = {"MAIL": lambda: c.cmd(f"MAIL FROM:<{m.sender}>"),
                 "RCPT": lambda: c.cmd(f"RCPT TO:<{ANN}>"),
                 "DATA": lambda: c.cmd("DATA"),
                 "content": lambda: (c.write(m + b".\r\n"), c.read())[1]}
        for name, step in steps.items():
            if name == stage:
                milter.stop(signal.SIGKILL)
            if (reply := step()).code >= 400:
                break
        assert reply.code // 100 == 4, reply
    milter.start()
    assert where(m.subject) == []
    arrives(m, retry=True)


def test_restart_in_the_middle_of_a_mail(milter):
    """SIGTERM: what is under way ends as it began, and only once."""
    m = mail(ANN)
    with RawSmtp() as c:
        c.ehlo()
        assert envelope(c, m).code == 250
        old = milter.pids()
        milter.kill(signal.SIGTERM)
        log_lines(MAILREEVE_LOG, r"stopping: 1 mails under way")
        assert c.data(m).code == 250
    until(lambda: milter.pids() != old and not milter.pids())
    milter.start()
    arrives(m)


def test_restart_costs_an_idle_session_one_451(milter):
    m = mail(ANN)
    with RawSmtp() as c:
        c.ehlo()
        c.cmd("NOOP")
        milter.restart()
        assert envelope(c, m).code // 100 == 4
    arrives(m, retry=True)


# --- reload --------------------------------------------------------------------------

STRICT = "check helo {\n\taction = reject"


def helo_code():
    return Facts(helo="client").send().reply.code


def test_reload(policy):
    """A mail is judged by one policy from first to last."""
    assert helo_code() == 550
    m = mail(ANN)
    with RawSmtp() as c:
        c.ehlo("client")
        c.cmd(f"MAIL FROM:<{m.sender}>")
        policy(POLICY.read_text().replace(STRICT, "check helo {\n"
                                          "\taction = defer"))
        assert c.cmd(f"RCPT TO:<{ANN}>").code == 550
        c.cmd("RSET")                   # the next mail: the new policy
        assert (envelope(c, m).code, c.last.enhanced) == (451, "4.5.4")
    assert helo_code() == 451


def test_reload_of_a_broken_policy(policy):
    good = POLICY.read_text()
    install(good.replace(STRICT, "check helo {\n\taction = regect"))
    ran = run("mailreeve", "reload", check=False)
    assert ran.returncode == 2
    assert 'did you mean "reject"' in ran.stderr and "^" in ran.stderr
    assert helo_code() == 550
    # and if somebody tells the milter itself
    mark = log_end(MAILREEVE_LOG)
    for pid in run("pidof", "mailreeve-milter").stdout.split():
        os.kill(int(pid), signal.SIGUSR1)
    log_lines(MAILREEVE_LOG, "the running policy stays", after=mark)
    assert helo_code() == 550
    assert "regect" in run("mailreeve", "status", check=False).stdout


def test_reload_a_hundred_times_under_load(policy):
    """No session notices."""
    text = POLICY.read_text()
    load = subprocess.Popen(
        ["smtp-source", "-s", "4", "-m", "300", "-l", "1000", "-f",
         "a@sender.example", "-t", ANN, "-M", "client.example",
         "inet:192.0.2.1:25"], stdin=subprocess.DEVNULL)
    for n in range(100):
        policy(text + f"\n# {n}\n")
    assert load.wait(60) == 0


# --- Dovecot is down -------------------------------------------------------------------

@pytest.fixture
def no_dovecot():
    dovecot.stop()
    yield
    dovecot.start()
    until(lambda: run("doveadm", "user", "ann@alpha.example",
                      check=False).returncode == 0)


def test_nobody_is_unknown_while_dovecot_is_down(no_dovecot):
    for to in (ANN, NOBODY, "info@alpha.example", "x@delta.example",
               "ann+x@alpha.example"):
        outcome = Facts(to=to).send()
        assert (outcome.reply.code, outcome.reply.enhanced) == (451, "4.3.0")
        assert outcome.differences(outcome.explain()) == []
        assert "try again later" in outcome.text
    # what Dovecot need not be asked for
    assert Facts(to="someone@remote.example").send().reply.code == 554
    ran = run("mailreeve", "status")
    assert "map_failing" in ran.stdout


def test_mail_goes_on_when_dovecot_is_back():
    m = mail(ANN)
    arrives(m, retry=True)


def test_mail_accepted_before_dovecot_went_waits(milter, request):
    """Accepted is accepted: it stays in the queue and arrives once."""
    m = mail(ANN)
    with RawSmtp() as c:
        c.ehlo()
        assert envelope(c, m).code == 250
        assert c.cmd("DATA").code == 354
        request.getfixturevalue("no_dovecot")
        c.write(m + b".\r\n")
        assert c.read().code == 250
    left, = wait_for_queue()
    assert left["queue_name"] == "deferred"
    dovecot.start()

    def delivered():
        run("postqueue", "-f")
        return where(m.subject)
    assert until(delivered, 20) == [(ANN, "INBOX")]
    dovecot.stop()              # as the fixture expects


# --- local submission, loops ------------------------------------------------------------

def submit(m, sender, *to):
    subprocess.run(["sendmail", "-f", sender, *to],
                   input=m.replace(b"\r\n", b"\n"), check=True)


def bounce_of(m, user):
    """The text of the bounce that `user' got."""
    def found():
        return subprocess.run(
            ["doveadm", "-f", "pager", "fetch", "-u", user, "text", "from",
             "MAILER-DAEMON", "text", m.subject], check=True,
            capture_output=True, text=True).stdout
    return " ".join(until(found, 20).split())


def test_sendmail():
    """No port, no HELO, one verdict: at the end of the mail."""
    mark = log_end(MAILREEVE_LOG)
    m = mail([ANN, "info@alpha.example"])
    submit(m, BOB, ANN, "info@alpha.example")
    assert where(m.subject, timeout=60) == [(ANN, "INBOX")]
    log_lines(MAILREEVE_LOG, ": accept: END-OF-MESSAGE from ", after=mark)
    assert wait_for_queue() == []


@pytest.mark.parametrize("to, size, text", [
    ([NOBODY], None, f"<{NOBODY}> does not exist here: please check the "
     "address (id "),
    ([ANN, NOBODY], None, f"<{NOBODY}> does not exist here: please check the "
     "address (id "),
    ([ANN], 2 << 20, f"This mail has 2.1 MB, <{ANN}> takes 1 MB"),
    ([BOB, ANN], 2 << 20, f"This mail has 2.1 MB, <{ANN}> takes 1 MB"),
], ids=["unknown", "one of two unknown", "too big", "too big for one of two"])
def test_sendmail_refused(to, size, text):
    """It comes back to its sender with our text, and nothing stays behind."""
    m = mail(to, size=size)
    submit(m, "cat@alpha.example", *to)
    bounce = bounce_of(m, "cat@alpha.example")
    assert wait_for_queue() == []
    assert text in bounce, bounce
    assert {user for user, _ in where(m.subject)} & set(to) == set()


def test_alias_loop():
    """Postfix takes it and then gives up on it; we say so at once, and never
    that nobody is there."""
    for to in ("loop1@alpha.example", "loop2@alpha.example"):
        outcome = Facts(to=to).send()
        assert (outcome.reply.code, outcome.reply.enhanced) == (451, "4.3.0")
        assert outcome.differences(outcome.explain()) == []


def test_alias_to_elsewhere():
    """An alias that leads to another host is not unknown."""
    mark = log_end(MAIL_LOG)
    assert Facts(to="out@alpha.example").send().reply.code == 250
    log_lines(MAIL_LOG, "to=<someone@remote.example>.*status=deferred", 20,
              mark)
    assert explain("--client", "198.51.100.7", "--helo", "client.example",
                   "--from", "a@sender.example", "--rcpt",
                   "out@alpha.example")["verdict"] == "accept"
