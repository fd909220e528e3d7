"""test_rates - who sends more than its rate is held up, and nobody else
SPDX-License-Identifier: ISC

The milter judges, the policy daemon beside it counts.
"""
import re

import pytest
from e2e.conftest import run
from e2e.facts import Facts
from e2e.test_policyd_smtp import World
from e2e.test_smtp import ANN, BOB, CAT, DAN, NOBODY

from world import MAILREEVE_LOG, log_end, log_lines, mail, where
from world.dovecot import USERS, write_users
from world.postfix import until

WINDOW = 4
SHORT = "kitty"
RATES = f"""
rate login {{
	recipients = 3 / {WINDOW}s
}}
rate recipient {{
	messages = 2 / 1h
	action   = observe
}}
exception cat-to-dan {{
	login     = {CAT}
	recipient = {DAN}
	skip      = rate
}}
user {BOB} {{
	rate login {{
		recipients = 100 / 1h
	}}
}}
"""


def with_rates(text):
    return text + RATES


@pytest.fixture(scope="module")
def world():
    w = World()
    yield w.use(with_rates)
    w.leave()


def session(login):
    return Facts(port=465, login=login, sender=login).connect()


def rcpts(c, login, *recipients):
    """MAIL and RCPT; the last reply."""
    c.cmd(f"MAIL FROM:<{login}>")
    for to in recipients:
        c.cmd(f"RCPT TO:<{to}>")
    return c.last


def is_free(login):
    with session(login) as c:
        return rcpts(c, login, ANN).code == 250


def send_three(login):
    m = mail([ANN, f"ann+1@{ANN.partition('@')[2]}", CAT])
    with session(login) as c:
        rcpts(c, login, *m.to)
        assert c.data(m).code == 250, c.last
    return m


def test_a_login_beyond_its_rate(world):
    mark = log_end(MAILREEVE_LOG)
    send_three(CAT)
    with session(CAT) as c:
        reply = rcpts(c, CAT, ANN)
        assert c.cmd(f"RCPT TO:<{DAN}>").code == 250, c.last
    assert (reply.code, reply.enhanced) == (450, "4.7.1"), reply
    assert (f"{CAT} has sent as much as it may for now, 3 recipients in "
            f"{WINDOW}s: please try again later") in reply.text
    shown = run("mailreeve", "status", "--rates").stdout
    assert re.search(rf"^rate\.login +{re.escape(CAT)}: \d of 3 recipients in "
                     rf"{WINDOW}s, \d+%$", shown, re.M), shown
    line, = log_lines(MAILREEVE_LOG, "rule=rate.login", 10, mark)
    assert "mailreeve-policyd" in line and f"sasl_username={CAT}" in line
    line, = log_lines(MAILREEVE_LOG, "over its rate: login=", 10, mark)
    assert re.search(rf"login={CAT} recipients=\d limit=3 window={WINDOW}s;",
                     line), line
    with Facts().connect() as c:
        assert rcpts(c, "a@sender.example", ANN).code == 250
    until(lambda: is_free(CAT), 60)


@pytest.fixture
def short():
    """A short login of cat's: another name of the same account."""
    before = USERS.read_text()
    write_users(before + f"{SHORT}:{{PLAIN}}{SHORT}::::::userdb_user={CAT}\n")
    until(lambda: run("doveadm", "user", "-f", "user", SHORT,
                      check=False).stdout.strip() == CAT, 60)
    until(lambda: run("doveadm", "auth", "test", SHORT, SHORT,
                      check=False).returncode == 0, 60)
    yield SHORT
    write_users(before)


def test_a_login_spelt_short(world, short):
    until(lambda: is_free(CAT), 60)
    send_three(CAT)
    with Facts(port=465).connect() as c:
        assert c.login(short, short).code == 235, c.last
        reply = rcpts(c, CAT, ANN)
    assert (reply.code, reply.enhanced) == (450, "4.7.1"), reply


def test_a_rate_of_ones_own(world):
    send_three(BOB)
    assert is_free(BOB)
    shown = run("mailreeve", "status", "--rates", "--json").stdout
    assert f"{BOB}: 3 of 100 recipients in 1h, 3%" in shown


def test_what_is_refused_or_given_up_does_not_count(world):
    for _ in range(3):
        with Facts().connect() as c:
            rcpts(c, "a@sender.example", DAN, NOBODY)
    mark = log_end(MAILREEVE_LOG)
    for _ in range(3):
        m = mail(DAN)
        with Facts().connect() as c:
            rcpts(c, m.sender, DAN)
            assert c.data(m).code == 250
        where(m.subject, timeout=60, count=1)
    lines = log_lines(MAILREEVE_LOG, "observe: RCPT .*rule=rate.recipient", 10,
                      mark)
    assert len(lines) == 1, lines
