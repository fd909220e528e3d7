"""test_milter_process - the milter as a process: sockets, signals, reload,
the control socket, memory
SPDX-License-Identifier: ISC

MAILREEVE_ROUNDS is how often it is told to end in the middle of mails (20).
"""
import contextlib
import os
import pwd
import random
import re
import resource
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time

import pytest

from milterd import (POLICY, PROGRAM, Milter, negotiation, packet,
                     receive_all, status_of, wait_until)
from world.message import mail
from world.milter import strings

SENDER, ANN, BIG = "<s@example.org>", "<ann@net.example>", "<big@net.example>"
ROUNDS = int(os.environ.get("MAILREEVE_ROUNDS", "20"))
TAGGING = POLICY.replace("reject", "tag", 1)
MEGABYTE = 1 << 20


@pytest.fixture
def milter(tmp_path):
    with Milter(tmp_path) as milter:
        yield milter


def deliver(m, message=None):
    assert m.mail(SENDER).ok
    assert m.rcpt(ANN).ok
    return m.message(message or mail("ann@net.example"))


def works(milter):
    m = milter.session()
    assert deliver(m).ok
    m.quit()


def listen(family=socket.AF_INET, address=("127.0.0.1", 0)):
    sock = socket.socket(family)
    sock.bind(address)
    sock.listen(64)
    sock.set_inheritable(True)
    return sock


def free_port(family, host):
    with listen(family, (host, 0)) as sock:
        return sock.getsockname()[1]


# --- sockets ----------------------------------------------------------------

def test_a_unix_socket_is_for_its_group(tmp_path):
    os.chmod(tmp_path, 0o2750)
    with contextlib.suppress(PermissionError):
        os.chown(tmp_path, -1, 12345)
        os.chmod(tmp_path, 0o2750)
    with Milter(tmp_path) as milter:
        for path in (milter.where[5:], milter.control):
            info = os.stat(path)
            assert stat.S_IMODE(info.st_mode) == 0o660
            assert info.st_gid == os.stat(tmp_path).st_gid
    assert not os.path.exists(milter.where[5:])
    assert not os.path.exists(milter.control)


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(tmp_path):
    with Milter(tmp_path) as first:
        before = os.stat(first.where[5:]).st_ino
        second = Milter(tmp_path, ready=False)
        assert second.process.wait(20) == 1
        assert "is served by another process" in second.text()
        third = Milter(tmp_path, ready=False, control=f"{tmp_path}/other")
        assert third.process.wait(20) == 1
        assert os.stat(first.where[5:]).st_ino == before
        works(first)
        first.process.kill()
        first.process.wait()
        assert os.path.exists(first.where[5:])
        os.truncate(first.log, 0)
        with Milter(tmp_path) as fourth:
            works(fourth)
        first.process.returncode = 0


def test_what_is_not_a_socket_stays(tmp_path):
    (tmp_path / "milter").write_text("precious")
    milter = Milter(tmp_path, ready=False)
    assert milter.process.wait(20) == 1
    assert "is there and is not a socket" in milter.text()
    assert (tmp_path / "milter").read_text() == "precious"


@pytest.mark.parametrize("where, why", [
    ("unix:/nonexistent/milter", "cannot lock"), ("unix:" + "x" * 200, "longer"),
    ("inet:@127.0.0.1", "no port"), ("inet:0@127.0.0.1", "no port"),
    ("inet:65536", "no port"), ("inet:8891@no.such.invalid", "inet:8891@"),
    ("inet:8891@192.0.2.99", "cannot listen"), ("fd:99", "not a socket"),
    ("fd:1", "no descriptor"), ("fd:x", "no descriptor"),
    ("local:/run/x", "write unix:PATH"), ("x", "write unix:PATH")])
def test_a_socket_that_cannot_be(tmp_path, where, why):
    milter = Milter(tmp_path, where=where, ready=False)
    assert milter.process.wait(20) in (1, 2)
    assert why in milter.text(), milter.text()
    assert not os.path.exists(milter.control)


def latencies(milter, rounds=30):
    """Of the end of a mail that gets a header: several small writes."""
    m = milter.session(helo="localname")
    found = sorted(deliver(m).ms for _ in range(rounds))
    m.quit()
    return found


@pytest.mark.parametrize("kind, family, host", [
    ("inet", socket.AF_INET, "127.0.0.1"), ("inet6", socket.AF_INET6, "::1")])
def test_tcp_without_the_40_ms(tmp_path, kind, family, host):
    try:
        port = free_port(family, host)
    except OSError:
        pytest.skip(f"no {kind} here")
    with Milter(tmp_path, TAGGING, f"{kind}:{port}@{host}") as milter:
        milter.where = f"inet:{port}@{host}"
        found = latencies(milter)
        print(f"{kind}: end of mail with a header, median "
              f"{found[15]:.2f} ms, most {found[-1]:.2f} ms")
        assert found[15] < 20
        again = Milter(tmp_path, control=f"{tmp_path}/other", ready=False,
                       where=f"{kind}:{port}@[{host}]")
        assert again.process.wait(20) == 1
        assert "Address already in use" in again.text()


def test_tcp_is_free_again_at_once(tmp_path):
    port = free_port(socket.AF_INET, "127.0.0.1")
    for _ in range(3):
        with Milter(tmp_path, where=f"inet:{port}") as milter:
            milter.where = f"inet:{port}@127.0.0.1"
            m = milter.session()
            assert deliver(m).ok
            milter.stop()               # while the client is still there
        os.truncate(milter.log, 0)


@pytest.mark.parametrize("family, address", [
    (socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET6, ("::1", 0)),
    (socket.AF_UNIX, None)])
def test_a_passed_socket(tmp_path, family, address):
    with listen(family, address or f"{tmp_path}/passed") as sock:
        fd = sock.fileno()
        with Milter(tmp_path, TAGGING, f"fd:{fd}", pass_fds=[fd]) as milter:
            milter.where = (f"unix:{tmp_path}/passed" if address is None else
                            f"inet:{sock.getsockname()[1]}@{address[0]}")
            assert latencies(milter)[15] < 20
        # it still listens: who comes now waits for the next
        with socket.socket(family) as client:
            client.connect(sock.getsockname())
        assert address or os.path.exists(f"{tmp_path}/passed")


def test_what_systemd_passes_comes_first(tmp_path):
    shell = 'exec 3<&$FD 4<&$FD; LISTEN_PID=$$ exec "$@"'
    with listen() as sock:
        how = {"command": ["/bin/sh", "-c", shell, "sh"],
               "pass_fds": [sock.fileno()],
               "env": {**os.environ, "FD": str(sock.fileno())}}
        how["env"]["LISTEN_FDS"] = "1"
        with Milter(tmp_path, **how) as milter:
            if os.path.exists(milter.where[5:]):
                pytest.skip("built without libsystemd")
            milter.where = f"inet:{sock.getsockname()[1]}@127.0.0.1"
            works(milter)
        how["env"]["LISTEN_FDS"] = "2"
        milter = Milter(tmp_path, ready=False, **how)
        assert milter.process.wait(20) == 1
        assert "systemd passed 2 sockets" in milter.text()


def test_systemd_is_told(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"{tmp_path}/notify")
        told.settimeout(20)
        env = {**os.environ, "NOTIFY_SOCKET": f"{tmp_path}/notify"}
        with Milter(tmp_path, env=env) as milter:
            told.settimeout(1)
            try:
                assert told.recv(999).startswith(b"READY=1\nSTATUS=")
            except TimeoutError:
                pytest.skip("built without libsystemd")
            milter.reload()
            assert re.match(rb"RELOADING=1\nMONOTONIC_USEC=\d+", told.recv(999))
            assert told.recv(999).startswith(b"READY=1")
            milter.stop()
            assert told.recv(999).startswith(b"STOPPING=1")


# --- start ------------------------------------------------------------------

def test_mistakes_are_shown_and_end_it(tmp_path):
    milter = Milter(tmp_path, "mesage {\n}\nhostname\n", ready=False)
    assert milter.process.wait(20) == 2
    assert f"{milter.path}:1:1: error: " in milter.text()
    assert "2 " in milter.text().splitlines()[-1], milter.text()


def test_options():
    def run(*args):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=20)
    assert re.match(r"mailreeve-milter \d+\.\d+", run("--version").stdout)
    assert run("--help").stdout.startswith("usage: mailreeve-milter ")
    for wrong in (["-x"], ["-c"], ["--nonsense"], ["operand"]):
        ran = run(*wrong)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert "usage: " in ran.stderr
    ran = run("-c", "/nonexistent")
    assert ran.returncode == 2 and "/nonexistent" in ran.stderr


def daemon_pid(milter):
    return int(milter.status()["pid"])


def test_a_daemon_returns_when_it_can_answer(tmp_path):
    for _ in range(5):
        milter = Milter(tmp_path, args=["-d"], ready=False)
        assert milter.process.wait(20) == 0
        works(milter)
        pid = daemon_pid(milter)
        assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert os.getsid(pid) == pid
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda p=pid: not os.path.exists(f"/proc/{p}") or
                   status_of(p)["State"] == "Z", "ended")
        assert not os.path.exists(milter.control)


def test_a_daemon_leaves_no_pipe_behind(tmp_path):
    milter = Milter(tmp_path, ready=False)
    milter.stop(signal.SIGKILL)
    for path in (milter.control, milter.where[5:]):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    ran = subprocess.run([PROGRAM, "-d", "-c", "mailreeve.conf"], timeout=20,
                         capture_output=True, stdin=subprocess.DEVNULL,
                         cwd=tmp_path)        # waits until the pipes close
    assert ran.returncode == 0, ran.stderr
    os.kill(daemon_pid(milter), signal.SIGUSR1)     # the path still leads there
    wait_until(lambda: "loaded" in milter.status(), "loaded")
    assert "mistakes" not in milter.status()
    os.kill(daemon_pid(milter), signal.SIGTERM)
    wait_until(lambda: not os.path.exists(milter.control), "ended")


def test_a_daemon_that_cannot_start_says_so(tmp_path):
    for policy, where, status in (("nonsense = 1\n", None, 2),
                                  (POLICY, "unix:/nonexistent/x", 1)):
        milter = Milter(tmp_path, policy, where, args=["-d"], ready=False)
        assert milter.process.wait(20) == status
        assert milter.text()
        os.truncate(milter.log, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_becomes_somebody_else(tmp_path):
    nobody = pwd.getpwnam("nobody")
    os.chown(tmp_path, nobody.pw_uid, nobody.pw_gid)
    for folder in list(tmp_path.parents)[:-2]:
        os.chmod(folder, 0o755)
    with Milter(tmp_path, user="nobody") as milter:
        works(milter)
        with open(f"/proc/{milter.pid}/status") as file:
            ids = dict(re.findall(r"(Uid|Gid|Groups):\s*(.*)", file.read()))
        assert set(ids["Uid"].split()) == {str(nobody.pw_uid)}
        assert set(ids["Gid"].split()) == {str(nobody.pw_gid)}
        assert ids["Groups"].split() in ([], [str(nobody.pw_gid)])
        assert os.stat(milter.where[5:]).st_uid == nobody.pw_uid
        os.chmod(milter.path, 0o600)            # readable by root only
        milter.reload()
        assert "mistake" in milter.status()
        assert milter.ask(b"reload\n")[0].startswith("error=")
    os.truncate(milter.log, 0)
    again = Milter(tmp_path, user="no-such-user", ready=False)
    assert again.process.wait(20) == 1
    assert "no system user no-such-user" in again.text()


# --- reload -----------------------------------------------------------------

STRICT = POLICY.replace("domains = inline:{ net.example=x }",
                        "domains = inline:{ net.example=x, other.example=x }")
BROKEN = POLICY + "mesage {\n\tsize = 1M\n}\n"


def codes(milter, to="<ann@other.example>"):
    m = milter.session()
    m.mail(SENDER)
    code = m.rcpt(to).code
    m.quit()
    return code


@pytest.mark.parametrize("how", [signal.SIGUSR1, signal.SIGHUP])
def test_reload_takes_the_new_policy(milter, how):
    assert codes(milter) is None
    begun = milter.session()
    assert begun.mail(SENDER).ok
    milter.write(STRICT)
    milter.process.send_signal(how)
    milter.lines(r"reloaded$", timeout=20)
    assert codes(milter) == 550
    assert begun.rcpt("<ann@other.example>").ok     # a mail has one policy
    begun.abort()
    assert begun.mail(SENDER).ok
    assert begun.rcpt("<ann@other.example>").code == 550
    begun.quit()


def test_reload_of_a_broken_policy_keeps_the_running_one(milter):
    loaded = milter.status()["loaded"]
    milter.write(BROKEN)
    milter.reload()
    assert codes(milter) is None
    line, = milter.lines(r"error: \S+/mailreeve\.conf:\d+:1: ")
    assert re.search(r"mesage", line)
    state = milter.status()
    assert state["mistakes"] == "1" and "mesage" in state["mistake"]
    assert state["loaded"] == loaded
    assert milter.ask(b"reload\n")[0] == (
        "error=the policy has mistakes, the running one stays")
    os.unlink(milter.path)
    milter.reload()
    assert codes(milter) is None
    milter.write(STRICT)
    assert milter.ask(b"reload\n") == ["ok"]
    assert "mistakes" not in milter.status()
    assert codes(milter) == 550


def test_reload_warns_of_what_needs_a_restart(milter):
    milter.where += "2"
    milter.write(POLICY)
    milter.where = milter.where[:-1]
    milter.reload()
    assert milter.lines("warning: .*restart mailreeve-milter")
    works(milter)


@pytest.mark.parametrize("first, second, sizes", [
    (POLICY + "check size {\n\taction = off\n\tsplit = off\n}\n", POLICY, False),
    (POLICY, STRICT, True)])
def test_reload_that_needs_more_of_the_mta(tmp_path, first, second, sizes):
    """What a connection did not ask for it cannot judge: it keeps its policy."""
    with Milter(tmp_path, first) as milter:
        old = milter.session()
        milter.write(second)
        milter.reload()
        new = milter.session()
        big = mail("ann@net.example", size=MEGABYTE + 1)
        assert deliver(old, big).code == (552 if sizes else None)
        assert deliver(new, big).code == 552
        old.quit()
        new.quit()


def test_parallel_sessions_and_reload(milter):
    """Good and broken policies under load: every answer fits one of them."""
    wrong, stop = [], threading.Event()

    def client():
        try:
            while not stop.is_set():
                m = milter.session()
                for _ in range(3):
                    assert m.mail(SENDER).ok
                    a = m.rcpt("<ann@other.example>").code
                    b = m.rcpt("<bob@other.example>").code
                    assert a == b and a in (None, 550), (a, b)
                    assert m.rcpt(ANN).ok
                    assert m.message(mail("ann@net.example")).ok
                m.quit()
        except Exception as problem:            # told by the main thread
            wrong.append(problem)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for t in threads:
        t.start()
    try:
        for i in range(30):
            milter.write((POLICY, STRICT, BROKEN)[i % 3])
            milter.reload()
            assert milter.status()["state"] == "running"
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not wrong, wrong[0]
    assert len(milter.lines(r"reloaded$")) == 20


# --- the end ------------------------------------------------------------------

def finish(m, wrong):
    """The rest of a mail whose RCPT was answered."""
    try:
        assert m.message(mail("ann@net.example", size=20000)).ok
    except Exception as problem:                # told by the main thread
        wrong.append(problem)


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_restart_in_the_middle_of_mails(tmp_path, kind):
    """Told to end, again and again, in several ways: what is under way is
    finished, nobody new is taken, and its exit status is 0."""
    for i in range(ROUNDS):
        where = None
        if kind == "inet":
            where = f"inet:{free_port(socket.AF_INET, '127.0.0.1')}@127.0.0.1"
        milter = Milter(tmp_path, TAGGING, where)
        sessions = [milter.session() for _ in range(5)]
        for m in sessions:
            assert m.mail(SENDER).ok
            assert m.rcpt(ANN).ok
        for number in random.choice((
                [signal.SIGTERM], [signal.SIGTERM] * 3, [signal.SIGINT] * 2,
                [signal.SIGUSR1, signal.SIGTERM, signal.SIGHUP,
                 signal.SIGTERM, signal.SIGINT])):
            milter.process.send_signal(number)
        milter.lines("stopping: [0-5] mails under way", timeout=20)
        wrong = []
        threads = [threading.Thread(target=finish, args=(m, wrong))
                   for m in sessions[1:]]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong, (i, wrong[0], milter.text())
        with pytest.raises(OSError):
            milter.client()
        assert milter.process.poll() is None
        assert milter.status()["state"] == "stopping"
        finish(sessions[0], wrong)
        assert not wrong, (i, wrong[0], milter.text())
        assert milter.stop() == 0
        os.truncate(milter.log, 0)


def test_restart_with_only_idle_clients_is_quick(tmp_path):
    milter = Milter(tmp_path)
    idle = [milter.session() for _ in range(20)]
    start = time.monotonic()
    assert milter.stop() == 0
    assert time.monotonic() - start < 5
    for m in idle:
        m.sock.close()


def test_restart_waits_for_no_mail_longer_than_20_s(tmp_path):
    milter = Milter(tmp_path)
    m = milter.session()
    assert m.mail(SENDER).ok
    start = time.monotonic()
    assert milter.stop(seconds=40) == 0
    assert 19 < time.monotonic() - start < 30
    assert milter.lines("1 mails were still under way")
    m.sock.close()


# --- the control socket -------------------------------------------------------

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
        assert codes(milter, ANN) // 100 == 4


def test_control_takes_no_nonsense(milter):
    for request in (b"", b"\n", b"\0\n", b"status \n", b"STATUS\n",
                    b"quit\nstatus\n", b"x" * 60000 + b"\n", b"\xff\xfe\n",
                    b"%s%n\n"):
        got = milter.ask(request + (b"\n" if not request else b""))
        assert got == ["error=ask for status or reload"], request
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


# --- many and large -----------------------------------------------------------

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


def test_2000_half_messages(milter):
    start = negotiation() + packet(b"M", strings(SENDER))
    with many_descriptors(), contextlib.ExitStack() as stack:
        for i in range(2000 if not milter.sanitized() else 300):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.connect(milter.where[5:])
            sock.sendall(start + packet(b"R", strings(ANN))[:i % 20])
        works(milter)
        state = status_of(milter.pid)
        print(f"2,000 half messages: {state['VmRSS']} KB, "
              f"{state['Threads']} threads")
        assert milter.status()["state"] == "running"
    wait_until(lambda: milter.status()["sessions"] == "0", "closed", 60)


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


def test_many_recipients(milter):
    m = milter.session()
    assert m.mail(SENDER).ok
    step = packet(b"R", strings("<nobody@other.example>"))
    for _ in range(100):
        m.sock.sendall(step * 500)
        for _ in range(500):
            assert m.receive()[0] == "c"
    r = m.rcpt(ANN)
    assert (r.code, r.enhanced) == (452, "4.5.3")
    print(f"50,000 recipients: {resident(milter)} KB")
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
