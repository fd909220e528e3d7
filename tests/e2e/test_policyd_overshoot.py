"""test_policyd_overshoot - 50 sessions at once for one mailbox: what fits is
accepted and delivered, all others hear it from SMTP, and nobody gets a bounce
SPDX-License-Identifier: ISC

With MAILREEVE_ROUNDS beyond 100 (tests/run --full) in the true figures: 50 mails
of 19 MB into 100 MB.
"""
import os
import signal
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
from e2e.conftest import run
from e2e.facts import Facts
from e2e.test_policyd_quota import M, report, reports, wait_until
from e2e.test_policyd_smtp import World
from quotas import boxes, plugin                                # noqa: F401

from world import MAIL_LOG, log_end, log_lines, wait_for_queue

FULL = int(os.environ.get("MAILREEVE_ROUNDS", "1")) > 100
SCALE = M if FULL else 10240            # of the figures' megabytes
SESSIONS, FIT = 50, 5
SIZE, ROOM = 19 * SCALE, 100 * SCALE
SECONDS = 600 if FULL else 60


@pytest.fixture
def world():
    w = World()
    yield w
    w.leave()


@pytest.fixture
def box(boxes, world):                                          # noqa: F811
    taken = boxes.take()
    world.use(holds(taken, ROOM))
    return taken


def holds(box, room):                                           # noqa: F811
    """A policy by which it does."""
    return lambda text: f"""judge = policyd
{text}
check quota {{
	action = reject
}}
user {box.user} {{
	message {{
		size = 25M
	}}
	mailbox {{
		quota        = {room}
		warn_command = /bin/true
	}}
}}
"""


def send(m):
    """The last reply.  No SIZE=: so only the end knows."""
    with Facts().connect() as c:
        c.sock.settimeout(SECONDS)
        c.cmd(f"MAIL FROM:<{m.sender}>")
        assert c.cmd(f"RCPT TO:<{m.to[0]}>").code == 250, c.last
        return c.data(m)


def is_told(box):                                               # noqa: F811
    before = reports()
    report(box.user, 0)
    wait_until(lambda: reports() > before, "it is read")


def test_fifty_sessions(box):
    mark = log_end(MAIL_LOG)
    is_told(box)
    with ThreadPoolExecutor(SESSIONS) as pool:
        replies = list(pool.map(send, [box.mail(SIZE)] * SESSIONS))
    late = [r for r in replies if r.code != 250]
    assert {(r.code, r.enhanced) for r in late} == {(452, "4.2.2")}, late
    assert len(replies) - len(late) == FIT
    assert wait_for_queue(SECONDS) == []
    assert len(box.sizes()) == FIT
    for status in "bounced", "deferred":
        assert not log_lines(MAIL_LOG, f"status={status}", 0, mark, 0)


def kill_and_start(policyd):
    """Its threads, and so its locks, are there longer than its name."""
    for pid in policyd.pids():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not policyd.pids(), "it is gone")

    def starts():
        try:
            policyd.start()
        except AssertionError as error:
            assert "must end first" in str(error)
            return False
        return True
    wait_until(starts, "its locks are gone")


def test_killed_in_the_middle(box, world):
    """What Postfix accepted meanwhile may not fit; it waits for room, and none
    of it is lost."""
    mark = log_end(MAIL_LOG)
    is_told(box)
    with ThreadPoolExecutor(SESSIONS) as pool:
        sent = [pool.submit(send, box.mail(SIZE)) for _ in range(SESSIONS)]
        for done, _ in enumerate(as_completed(sent)):
            if done in (2, SESSIONS // 2):
                kill_and_start(world.policyd)
    replies = [s.result() for s in sent]
    accepted = sum(r.code == 250 for r in replies)
    late = [r for r in replies if r.code not in (250, 452, 451)]
    assert late == [] and accepted >= FIT, replies
    world.use(holds(box, 2 * SESSIONS * SIZE))
    wait_until(lambda: flushed() == [], "all is delivered", SECONDS)
    assert len(box.sizes()) == accepted
    assert not log_lines(MAIL_LOG, "status=bounced", 0, mark, 0)


def flushed():
    run("postqueue", "-f")
    return wait_for_queue(SECONDS)
