"""test_milter_control - what mailreeve status and reload talk to
SPDX-License-Identifier: ISC
"""
import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

from milterd import ANN, POLICY, SENDER, Milter, receive_all, works


@pytest.fixture
def milter(tmp_path):
    with Milter(tmp_path) as milter:
        yield milter


def test_status(milter):
    milter.write(POLICY + "exception old {\n\tclient = 192.0.2.1\n"
                 "\tskip = helo\n\tuntil = 2020-01-31\n}\n")
    milter.reload()
    m = milter.session(helo="localname")
    assert m.mail(SENDER).ok
    assert m.rcpt(ANN).code == 550
    state = milter.status()
    assert state["pid"] == str(milter.pid)
    assert state["policy"] == milter.path
    for when in ("started", "loaded"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", state[when])
    assert (state["sessions"], state["transactions"]) == ("1", "1")
    assert state["count.reject.helo.not_qualified"] == "1"
    assert re.match(r"old at .*:\d+$", state["exception_expired"])
    m.quit()


def test_status_names_maps_that_fail(tmp_path):
    policy = POLICY.replace("mailboxes = inline:{ ann@net.example=x, "
                            "big@net.example=x }",
                            f"mailboxes = userdb:{tmp_path}/nobody-there")
    with Milter(tmp_path, policy) as milter:
        assert f"userdb:{tmp_path}/nobody-there: " in (
            milter.status()["map_failing"])
        m = milter.session()
        assert m.mail(SENDER).ok
        assert m.rcpt(ANN).code // 100 == 4
        m.quit()


def test_status_names_dns_servers(milter):
    def dns(lines):
        return [line.partition("=")[2] for line in lines
                if line.startswith("dns_server=")]

    servers = "dns {\n\tservers = 192.0.2.53 [2001:db8::53]:5353\n%s}\n"
    for change in ("", "\tcache = 1M\n"):
        milter.write(POLICY + servers % change)
        milter.reload()
        assert dns(milter.ask()) == ["192.0.2.53: not asked yet",
                                     "[2001:db8::53]:5353: not asked yet"]
    assert milter.status()["dns_cache"].endswith("of 1048576 octets")


def test_control_takes_no_nonsense(milter):
    for request in (b"", b"\n", b"\0\n", b"status \n", b"STATUS\n",
                    b"quit\nstatus\n", b"x" * 60000 + b"\n", b"\xff\xfe\n",
                    b"%s%n\n"):
        got = milter.ask(request + (b"\n" if not request else b""))
        assert got == ["error=ask for status, rates, exceptions or reload"], request
    got = milter.ask(b"x" * 70000)
    assert got == ["error=the request is too long"]
    got = milter.ask(b"status\n" + b"y" * 20000)
    assert got[0] == "ok"


def test_control_serves_some_while_others_dawdle(milter):
    slow = []
    for i in range(200):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(milter.control)
        with contextlib.suppress(BrokenPipeError):
            sock.send(b"stat"[:i % 5])
        slow.append(sock)
    start = time.monotonic()
    works(milter)
    assert time.monotonic() - start < 5 # mail does not notice
    for sock in slow[:190]:
        sock.close()
    assert milter.status()["state"] == "running"
    start = time.monotonic()
    for sock in slow[190:]:
        sock.settimeout(10)
        assert receive_all(sock) == b""         # dropped after a second
        sock.close()
    assert time.monotonic() - start < 5


def test_control_from_many_at_once(milter):
    got = []
    threads = [threading.Thread(target=lambda: got.append(milter.status()))
               for _ in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(got) == 100 and all("pid" in g for g in got)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_control_reload_is_not_for_everybody(milter):
    os.chmod(milter.control, 0o666)
    folder = os.path.dirname(milter.control)
    while folder not in ("/", "/tmp"):
        os.chmod(folder, 0o755)
        folder = os.path.dirname(folder)
    ask = ("import socket,sys;s=socket.socket(socket.AF_UNIX);"
           f"s.connect({milter.control!r});s.send(sys.argv[1].encode());"
           "print(s.recv(99999).decode())")

    def as_nobody(request):
        return subprocess.run([sys.executable, "-I", "-c", ask, request],
                              user="nobody", text=True, capture_output=True,
                              check=True, cwd="/").stdout
    assert as_nobody("reload\n").startswith("error=only root")
    assert as_nobody("status\n").startswith("ok\n")
    assert not milter.lines(r"reloaded$")
