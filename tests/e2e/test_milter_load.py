"""test_milter_load - many connections, large mails, and what they cost
SPDX-License-Identifier: ISC
"""
import contextlib
import random
import resource
import socket
import struct
import threading
import time

import pytest

from milterd import (ANN, POLICY, SENDER, Milter, deliver, negotiation, packet,
                     status_of, wait_until, works)
from world.milter import strings

MEGABYTE = 1 << 20


@pytest.fixture
def milter(tmp_path):
    with Milter(tmp_path) as milter:
        yield milter


@contextlib.contextmanager
def many_descriptors(wanted=8192):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        pytest.skip(f"only {hard} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident(milter, name="VmRSS"):
    return int(status_of(milter.pid)[name])


def test_2000_idle_connections(milter):
    with many_descriptors(), contextlib.ExitStack() as stack:
        before = resident(milter)
        for _ in range(2000):
            stack.enter_context(milter.session())
        wait_until(lambda: milter.status()["sessions"] == "2000", "2000 open")
        state = status_of(milter.pid)
        print(f"2,000 idle connections: {before} KB before, "
              f"{state['VmRSS']} KB with them (RssAnon {state['RssAnon']}), "
              f"{state['Threads']} threads")
        works(milter)
        if not milter.sanitized():
            assert int(state["VmRSS"]) < 30 * 1024
    wait_until(lambda: milter.status()["sessions"] == "0", "closed")


# Each holds a worker of libmilter, whose pool may park others behind it: so it
# must be there all the time, but need work only when they are gone.
def test_2000_half_messages(milter):
    start = negotiation() + packet(b"M", strings(SENDER))
    with many_descriptors(), contextlib.ExitStack() as stack:
        for i in range(2000 if not milter.sanitized() else 300):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(milter.where[5:])
            sock.sendall(start + packet(b"R", strings(ANN))[:i % 20])
        state = status_of(milter.pid)
        print(f"2,000 half messages: {state['VmRSS']} KB, "
              f"{state['Threads']} threads")
        assert milter.status()["state"] == "running"
    wait_until(lambda: milter.status()["sessions"] == "0", "closed", 60)
    works(milter)


def test_parallel_sessions_of_25_megabytes(tmp_path):
    policy = POLICY.replace("size = 1M", "size = 25M")
    with Milter(tmp_path, policy) as milter:
        wrong, chunk = [], b"x" * 76 + b"\r\n"
        before = resident(milter)

        def send():
            m = milter.session()
            try:
                assert m.mail(SENDER).ok
                assert m.rcpt(ANN).ok
                m.header("Subject", " large")
                piece = packet(b"B", (chunk * 841)[:65535])
                for _ in range(25 * MEGABYTE // 65535):
                    m.sock.sendall(piece)
                assert m.eom().ok
                m.quit()
            except Exception as problem:        # told by the main thread
                wrong.append(problem)

        start = time.monotonic()
        threads = [threading.Thread(target=send) for _ in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong, wrong[0]
        state = status_of(milter.pid)
        print(f"20 x 25 MB at once: {before} KB before, at most "
              f"{state['VmHWM']} KB, {time.monotonic() - start:.1f} s, "
              f"{state['Threads']} threads")
        if not milter.sanitized():
            assert int(state["VmHWM"]) < 10 * 1024
        size = 400 * 65535 + len("Subject: large\r\n\r\n")
        assert f" size={size} " in milter.lines(": accept: ")[0]


def test_memory_does_not_grow_with_mails(milter):
    """Sessions, refusals and aborted mails leave nothing behind."""
    def rounds(n):
        for _ in range(n):
            m = milter.session()
            assert deliver(m).ok
            assert m.mail(SENDER).ok
            assert m.rcpt("<nobody@net.example>").code == 550
            assert m.mail(SENDER).ok
            m.rcpt(ANN)
            m.abort()
            m.quit()
        return resident(milter, "RssAnon")

    before = rounds(500)
    after = rounds(3000)
    print(f"10,500 mails in 3,500 sessions: {before} KB, then {after} KB")
    if not milter.sanitized():
        assert after - before < 512


def test_many_recipients(milter):
    m = milter.session()
    assert m.mail(SENDER).ok
    step = packet(b"R", strings("<nobody@other.example>"))
    for _ in range(20):
        m.sock.sendall(step * 500)
        for _ in range(500):
            assert m.receive()[0] == "c"
    r = m.rcpt(ANN)
    assert (r.code, r.enhanced) == (452, "4.5.3")
    print(f"10,000 recipients: {resident(milter)} KB")
    m.quit()
    works(milter)


def test_parallel_sessions_that_come_and_go(milter):
    """Faults included: half of the clients hang up somewhere."""
    wrong = []

    def client(seed):
        chance = random.Random(seed)
        try:
            for _ in range(40):
                m = milter.session()
                m.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  struct.pack("ii", 1, 0))
                for step in (lambda: m.mail(SENDER), lambda: m.rcpt(ANN),
                             lambda: m.header("Subject", " x"),
                             lambda: m.body(b"x" * 100000), m.eom):
                    if chance.random() < 0.1:
                        break
                    step()
                m.sock.close()
        except Exception as problem:            # told by the main thread
            wrong.append(problem)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, wrong[0]
    wait_until(lambda: milter.status()["sessions"] == "0", "closed")
    assert milter.status()["transactions"] == "0"
    works(milter)
