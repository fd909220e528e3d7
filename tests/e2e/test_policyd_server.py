"""test_policyd_server - connections of the policy daemon: broken, slow, many
SPDX-License-Identifier: ISC
"""
import os
import random
import resource
import signal
import socket
import threading
import time

import pytest

from milterd import stopped, wait_until
from policyd import ALONE, Policyd, works
from world.policy import ATTRIBUTES, PolicyClient, instance, request

REQUEST = request(protocol_state="RCPT", instance="1")
ENDED = r"the connection of process \d+ of uid \d+ is ended: "


@pytest.fixture(scope="module")
def policyd(tmp_path_factory):
    with Policyd(tmp_path_factory.mktemp("policyd")) as running:
        yield running


def connections(policyd):
    return int(policyd.status()["connections"])


BROKEN = {
    "no request": (b"recipient=a@b\n\n", "a broken request"),
    "another request": (b"request=junk\n\n", "a broken request"),
    "an empty line": (b"\n", "a broken request"),
    "no =": (b"request=smtpd_access_policy\nrecipient\n\n", "a broken request"),
    "NUL": (REQUEST.replace(b"ann@", b"a\0n@"), "a broken request"),
    "twice": (b"sender=x@y\n" + REQUEST, "a broken request"),
    "milter": (b"\0\0\0\x0dO\0\0\0\x06\0\0\1\xff\0\x1f\xff\xff" * 9 + b"\n\n",
               "a broken request"),
    "http": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + b"\n\n",
             "a broken request"),
    "binary": (bytes(range(256)) * 20 + b"\n\n", "a broken request"),
    "huge": (b"x" * (1 << 20), "a request that does not end"),
    "huge lines": (b"a=b\n" * (1 << 18), "a request that does not end"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_ends_its_connection(policyd, what):
    octets, why = BROKEN[what]
    before = len(policyd.lines(ENDED + why))
    with policyd.client() as other, policyd.client() as p:
        assert other.rcpt("other") == "DUNNO"
        try:
            p.send(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass                        # it did not read to the end
        assert p.receive() is None
        policyd.lines(ENDED + why, timeout=60, count=before + 1)
        assert other.rcpt("other") == "DUNNO"
    works(policyd)


def test_64_kilobytes_are_taken(policyd):
    with policyd.client() as p:
        line = b"unknown=" + b"x" * (1 << 15) + b"\n"
        rest = (1 << 16) - 1 - len(line) - len(REQUEST) - len("more=\n")
        p.send(line + b"more=" + b"y" * rest + b"\n" + REQUEST)
        assert p.receive() == "DUNNO"


def test_many_requests_at_once_and_in_pieces(policyd):
    with policyd.client() as p:
        p.send(REQUEST * 50)
        assert [p.receive() for _ in range(50)] == ["DUNNO"] * 50
        for i in range(len(REQUEST)):
            p.send(REQUEST[i:i + 1])
        assert p.receive() == "DUNNO"
        p.send(REQUEST + REQUEST[:20])
        assert p.receive() == "DUNNO"
        p.send(REQUEST[20:])
        assert p.receive() == "DUNNO"


def test_any_order_and_unknown_attributes(policyd):
    lines = request(protocol_state="RCPT", instance="x",
                    recipient="no@net.example").splitlines()[:-1]
    with policyd.client() as p:
        p.send(b"\n".join([b"compatibility_level=3.6", *reversed(lines),
                           b"mail_version=3.10.4", b"", b""]))
        assert p.receive().startswith("550 5.1.1 ")


def test_half_closed_gets_its_answers(policyd):
    p = policyd.client()
    p.send(REQUEST * 3)
    p.sock.shutdown(socket.SHUT_WR)
    assert [p.receive() for _ in range(4)] == ["DUNNO"] * 3 + [None]
    p.sock.close()
    p = policyd.client()
    p.send(REQUEST[:-1])
    p.sock.shutdown(socket.SHUT_WR)
    assert p.receive() is None
    policyd.lines(ENDED + "it ended amid a request", timeout=60)


def test_slow_and_deaf_ones_are_given_up(policyd):
    """All at once, as each takes ten seconds."""
    slow, trickle, deaf = (policyd.client(timeout=60) for _ in range(3))
    before = len(policyd.lines(ENDED + "it did not go on in time"))
    slow.send(REQUEST[:100])
    deaf.sock.settimeout(0.5)
    try:
        while True:                     # until nobody takes any more
            deaf.send(REQUEST * 20)
    except TimeoutError:
        pass
    start = time.monotonic()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while time.monotonic() < start + 60:
            trickle.send(b"x")
            works(policyd)
            time.sleep(0.001)   # it is to be too slow, not too long
    assert slow.receive() is None
    policyd.lines(ENDED + "it did not go on in time", timeout=60,
                  count=before + 3)
    for p in (slow, trickle, deaf):
        p.sock.close()
    wait_until(lambda: connections(policyd) == 0, "all are gone")


def kilobytes(pid):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("RssAnon"):
                return int(line.split()[1])


@pytest.fixture
def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield min(hard, 20000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_5000_idle_connections(policyd, descriptors):
    works(policyd)
    before, threads = kilobytes(policyd.pid), policyd.status()["threads"]
    n = min(5000, descriptors - 500)
    idle = []
    for i in range(n):
        idle.append(policyd.client())
        if i % 50 == 0:
            assert idle[-1].ask(protocol_state="CONNECT") == "DUNNO"
    wait_until(lambda: connections(policyd) == n, "all are there")
    works(policyd)
    for p in idle[::500]:
        assert p.rcpt("idle") == "DUNNO"
    assert int(policyd.status()["threads"]) <= int(threads) + 4
    if not policyd.sanitized():
        assert (kilobytes(policyd.pid) - before) * 1024 / n < 1024
    for p in idle:
        p.sock.close()
    wait_until(lambda: connections(policyd) == 0, "all are gone")
    works(policyd)


def test_too_many_connections(tmp_path):
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (600, 600))
    with Policyd(tmp_path, preexec_fn=limit) as policyd:
        there = [policyd.client() for _ in range(340)]
        wait_until(lambda: connections(policyd) == 340, "they are there")
        more = [policyd.client() for _ in range(20)]
        wait_until(lambda: connections(policyd) == 344, "as many as can be")
        assert more[-1].receive() is None
        policyd.lines("more are turned away", timeout=60)
        assert there[0].rcpt("1") == "DUNNO"
        for p in there + more:
            p.sock.close()
        wait_until(lambda: connections(policyd) == 0, "all are gone")
        works(policyd)


SLOW = ALONE + """\
wait = 3s
dns {
	servers = 192.0.2.9
	timeout = 2s
}
check sender {
	action = reject
	unsure = accept
}
check mx {
	action = off
}
"""


@pytest.mark.skipif(os.environ.get("container") != "lab",
                    reason="nobody must answer at that address")
def test_parallel_requests_that_wait_do_not_hold_up_others(tmp_path):
    with Policyd(tmp_path, SLOW) as policyd:
        took = []

        def ask(n):
            with policyd.client() as p:
                start = time.monotonic()
                answer = p.rcpt(instance(), sender=f"a@d{n}.example.org")
                took.append((time.monotonic() - start, answer))

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(60)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        with policyd.client() as p:
            asked = time.monotonic()
            assert p.rcpt("x", sender="").startswith("DUNNO")
            assert time.monotonic() - asked < 1.5
        for thread in threads:
            thread.join()
        assert {answer for _, answer in took} == {"DUNNO"}
        # one after the other it would be two minutes
        assert time.monotonic() - start < 20
        most = int(policyd.status()["threads"])
        assert 30 < most <= 70
        wait_until(lambda: int(policyd.status()["threads"]) < 10,
                   "threads that are not needed end", 40)
        works(policyd)


@pytest.mark.skipif(os.environ.get("container") != "lab",
                    reason="nobody must answer at that address")
def test_no_answer_waits_for_the_next_request(tmp_path):
    """One thread has both, and answers are held while there are requests."""
    with Policyd(tmp_path, SLOW) as policyd, policyd.client() as quick, \
            policyd.client() as slow:
        for p in (quick, slow):
            assert p.rcpt(instance(), sender="") == "DUNNO"
        with stopped(policyd.pid):
            quick.send(request(protocol_state="RCPT", instance=instance(),
                               sender=""))
            slow.send(request(protocol_state="RCPT", instance=instance(),
                              sender="a@slow.example.org"))
        start = time.monotonic()
        assert quick.receive() == "DUNNO"
        assert time.monotonic() - start < 0.5
        assert slow.receive() == "DUNNO"
        assert time.monotonic() - start > 1.5


def test_several_sockets(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = [f"unix:{tmp_path}/a", f"inet:{port}@127.0.0.1"]
    with Policyd(tmp_path, where=" ".join(places)) as policyd:
        for place in places:
            with PolicyClient(place) as p:
                assert p.rcpt("1") == "DUNNO"
        with PolicyClient(places[1]) as p:
            p.send(b"\n")
            assert p.receive() is None
        policyd.lines(r"the connection of \[127.0.0.1\] is ended", timeout=60)
        with PolicyClient(places[0]) as one, PolicyClient(places[1]) as other:
            assert one.rcpt("2", helo_name="x y").startswith("550")
            # one mail, whichever connection
            assert other.rcpt("2", recipient="no@net.example",
                              helo_name="ignored").startswith("550 5.5.4")


def test_reload_in_the_midst_and_a_broken_file(policyd):
    with policyd.client() as p:
        assert p.rcpt("before") == "DUNNO"
        policyd.write(ALONE.replace("size = 1M", "size = 1K"))
        policyd.reload()
        # a mail is judged by the policy that it began with
        assert p.end("before", size=5000) == "DUNNO"
        assert p.rcpt("after", size=5000).startswith("552 5.3.4")
        policyd.write("nonsense\n")
        policyd.reload()
        assert p.rcpt("later", size=5000).startswith("552 5.3.4")
        policyd.write(ALONE)
        policyd.reload()
    works(policyd)


def test_reload_warns_of_what_needs_a_restart(policyd):
    before = policyd.own
    policyd.own += "\thold = 5m\n"
    policyd.write(ALONE)
    policyd.reload()
    policyd.own = before.replace("usage.sock", "other.sock")
    policyd.write(ALONE)
    policyd.reload()
    assert policyd.lines(r"warning: policyd { hold } changed: restart "
                         "mailreeve-policyd")
    assert policyd.lines(r"warning: policyd { usage, hold } changed: restart")
    policyd.own = before
    policyd.write(ALONE)
    policyd.reload()
    works(policyd)


def test_term_ends_and_kill_leaves_a_stale_socket(tmp_path):
    path = tmp_path / "socket"

    def start(name):
        folder = tmp_path / name
        folder.mkdir()
        return Policyd(folder, where=f"unix:{path}",
                       control=tmp_path / "control")

    policyd = start("one")
    p = policyd.client()
    assert p.rcpt("1") == "DUNNO"
    assert policyd.stop() == 0
    assert not path.exists()
    assert p.receive() is None
    policyd = start("two")
    p = policyd.client()
    p.send(REQUEST[:50])
    policyd.stop(signal.SIGKILL)
    assert p.receive() is None
    assert path.exists()
    with start("three") as policyd:
        works(policyd)


ODD = ("", "<>", "@", "a@", "@b", "%", "!", "!!!", "%%%@[", "unknown", "::1",
       "999.1.1.1", "-1", "9" * 30, "\xff\xfe", "a" * 5000, "<" * 300 + "@x",
       '"a b"@net.example', "net.example!ann", "RCPT", "END-OF-MESSAGE", "DATA",
       "EHLO", "\r", "\t\x01", "TLSv1.3", "{x}", "%s%n", "x y", "ann@net.example",
       "ann+" + "x" * 900 + "@net.example", "xn--" + "a" * 70 + ".example")


def test_odd_values_get_an_answer(policyd):
    """A thousand requests, the same in each run."""
    dice = random.Random(7)
    answers = set()
    with policyd.client() as p:
        for _ in range(1000):
            told = {name: dice.choice(ODD) for name in
                    dice.sample(ATTRIBUTES, dice.randint(0, 12))}
            told["instance"] = dice.choice(("", "odd1", "odd2"))
            told["protocol_state"] = dice.choice(
                ("RCPT", "RCPT", "DATA", "END-OF-MESSAGE", "x"))
            answers.add(p.ask(**{**told, "request": "smtpd_access_policy"})
                        .split(" ")[0])
    assert {"DUNNO", "550"} <= answers <= {"DUNNO", "550", "552", "452",
                                           "450", "451"}
    works(policyd)


def test_random_octets_among_good_ones(policyd):
    """From several at once; nobody else notices."""
    def harm():
        for n in range(40):
            with policyd.client() as p:
                try:
                    p.send(os.urandom(3000) + b"\n\n" * (n % 2))
                    p.sock.shutdown(socket.SHUT_WR)
                    p.receive()
                except OSError:
                    pass

    threads = [threading.Thread(target=harm) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        works(policyd)
    wait_until(lambda: connections(policyd) == 0, "all are gone")
