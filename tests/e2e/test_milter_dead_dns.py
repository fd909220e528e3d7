"""test_milter_dead_dns - many sessions at once while the DNS is dead or slow
SPDX-License-Identifier: ISC

How long they take tests/bench/run tells; here nobody may be much beyond the
deadline.
"""
import socket

import pytest

from milterd import Milter, wait_until
from world.crowd import CHECKS, Crowd, Member
from world.logs import zone_add, zone_reset

ANN = "<ann@net.example>"
CORE = """\
hostname = mx.lab.example
maps {
	domains = inline:{ net.example=x }
	mailboxes = inline:{ ann@net.example=x }
}
"""
WAIT, TIMEOUT = 8, 5            # seconds, by default
MORE = 1.5                      # for 100 clients in Python on a busy machine
CLOSED = "127.0.0.1:5454"


@pytest.fixture
def silent():
    """A DNS server that hears and says nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield "127.0.0.1:%d" % sock.getsockname()[1]


@pytest.fixture
def zone():
    """zone(text): more of it, until the test is over."""
    yield zone_add
    zone_reset()


def start(folder, server=None, wait=WAIT):
    text = f"{CORE}wait = {wait}s\n{CHECKS}"
    if server:
        text += f"dns {{\n\tservers = {server}\n}}\n"
    return Milter(folder, text)


def play(crowd, what):
    crowd.play()
    print(f"{what}: {len(crowd.took)} sessions, slowest {crowd.slowest:.2f} s, "
          f"median {crowd.median:.2f} s")
    return crowd


@pytest.mark.parametrize("how", ["closed", "silent"])
def test_a_crowd_while_all_servers_are_dead(tmp_path, silent, how):
    with start(tmp_path, {"closed": CLOSED, "silent": silent}[how]) as milter:
        crowd = play(Crowd(milter.where, ANN), how)
        assert {r.code for r in crowd.replies} == {451}
        assert crowd.slowest < TIMEOUT + MORE
        again = play(Crowd(milter.where, ANN), f"{how}, set aside")
        assert {r.code for r in again.replies} == {451}
        assert again.slowest < MORE


def test_a_crowd_while_each_answer_takes_3_s(tmp_path, zone):
    """libmilter would park most of them behind the first: the last one had its
    answer after 76 s.  1,600 questions are under way at once: with 1,024
    sockets half of the mails were deferred."""
    with start(tmp_path) as milter:
        crowd = Crowd(milter.where, ANN)
        zone(f"{crowd.zone()};!delay 3000 .")
        play(crowd, "3 s an answer")
        codes = [r.code for r in crowd.replies]
        assert set(codes) <= {None, 451}
        assert codes.count(None) >= 90
        assert crowd.slowest < WAIT + MORE
        # those who waited beside each other are done, and so are the threads
        wait_until(lambda: milter.status()["sessions"] == "0", "all gone")


def test_a_few_do_not_wait_for_each_other(tmp_path, zone):
    """Ten need only two rounds of questions."""
    with start(tmp_path) as milter:
        crowd = Crowd(milter.where, ANN, 10)
        zone(f"{crowd.zone()};!delay 1000 .")
        play(crowd, "1 s an answer")
        assert {r.code for r in crowd.replies} == {None}
        assert crowd.slowest < 2 + MORE


# --- a session of several mails

def test_the_breaker_spares_the_second_mail(tmp_path, silent):
    """Five mails of one session, each from elsewhere, and no DNS."""
    with start(tmp_path, silent) as milter:
        took, replies = Member(milter.where, ANN).play(
            senders=[f"<a@d{i}.crowd.example>" for i in range(5)])
        print("five mails, no DNS:", [f"{t:.2f}" for t in took])
        assert [r.code for r in replies] == [451] * 5
        assert took[0] < TIMEOUT + MORE
        assert sum(took) < TIMEOUT + MORE


def test_a_mail_does_not_pay_for_those_before_it(tmp_path, zone):
    """The DNS is well, but the domains of four mails are dead.  Each of them
    waits for itself; the fifth is as good as it would be alone."""
    with start(tmp_path, wait=1) as milter:
        member = Member(milter.where, ANN)
        zone(f"{member.zone()};!timeout dead.example.")
        took, replies = member.play(
            senders=[f"<a@d{i}.dead.example>" for i in range(4)] +
            [f"<a@{member.name}>"])
        print("four dead domains and a good one:", [f"{t:.2f}" for t in took])
        assert [r.code for r in replies] == [451] * 4 + [None]
        assert max(took) < 1 + MORE / 3
