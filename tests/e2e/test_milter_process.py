"""test_milter_process - the milter as a process: sockets, start, reload, end
SPDX-License-Identifier: ISC

MAILREEVE_ROUNDS is how often it is told to end in the middle of mails (20).
"""
import contextlib
import os
import pwd
import random
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

import pytest

from milterd import (ANN, POLICY, PROGRAM, SENDER, Milter, deliver, status_of,
                     wait_until, works)
from world.message import mail

ROUNDS = int(os.environ.get("MAILREEVE_ROUNDS", "20"))
TAGGING = POLICY.replace("reject", "tag", 1)
MEGABYTE = 1 << 20


@pytest.fixture
def milter(tmp_path):
    with Milter(tmp_path) as milter:
        yield milter


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
    ("unix:/nonexistent/milter", "cannot lock"),
    ("unix:/" + "x" * 200, "longer"), ("unix:x", "a socket is unix:/PATH"),
    ("inet:@127.0.0.1", "a socket is"), ("inet:0@127.0.0.1", "a socket is"),
    ("inet:65536", "a socket is"), ("inet:8891@no.such.invalid", "inet:8891@"),
    ("inet:8891@240.0.0.1", "cannot listen"), ("fd:99", "not a socket"),
    ("fd:1", "a socket is"), ("fd:x", "a socket is"),
    ("local:/run/x", "a socket is"), ("x", "a socket is")])
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
    start = ("import os, sys\n"
             "for fd in 3, 4: os.dup2(int(sys.argv[1]), fd)\n"
             "os.environ['LISTEN_PID'] = str(os.getpid())\n"
             "os.execv(sys.argv[2], sys.argv[2:])\n")
    with listen() as sock:
        how = {"command": [sys.executable, "-Ic", start, str(sock.fileno())],
               "pass_fds": [sock.fileno()],
               "env": {**os.environ, "LISTEN_FDS": "1"}}
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
                              stdin=subprocess.DEVNULL, timeout=60)
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


def has_ended(pid):
    try:
        return status_of(pid)["State"] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


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
        wait_until(lambda p=pid: has_ended(p), "ended")
        assert not os.path.exists(milter.control)


def test_a_daemon_leaves_no_pipe_behind(tmp_path):
    milter = Milter(tmp_path, ready=False)
    milter.stop(signal.SIGKILL)
    for path in (milter.control, milter.where[5:]):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    ran = subprocess.run([PROGRAM, "-d", "-c", "mailreeve.conf"], timeout=60,
                         capture_output=True, stdin=subprocess.DEVNULL,
                         cwd=tmp_path)        # waits until the pipes close
    assert ran.returncode == 0, ran.stderr
    os.kill(daemon_pid(milter), signal.SIGUSR1)     # the path still leads there
    wait_until(lambda: "loaded" in milter.status(), "loaded")
    assert "mistakes" not in milter.status()
    os.kill(daemon_pid(milter), signal.SIGTERM)
    wait_until(lambda: not os.path.exists(milter.control), "ended")


def test_a_daemon_without_standard_descriptors(tmp_path):
    milter = Milter(tmp_path)
    milter.stop()
    shell = 'exec 0<&- 1>&- 2>&-; exec "$0" -d -c "$1"'
    assert subprocess.call(["/bin/sh", "-c", shell, PROGRAM, milter.path],
                           timeout=60) == 0
    works(milter)
    pid = daemon_pid(milter)
    for fd in range(3):
        assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null"
    os.kill(pid, signal.SIGTERM)
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
    milter.lines(r"reloaded$", timeout=60)
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
    (POLICY + "check size {\n\taction = off\n}\n", POLICY,
     False),
    (POLICY, STRICT, True)])
def test_reload_that_needs_more_of_the_mta(tmp_path, first, second, sizes):
    """What a connection did not ask for it cannot judge."""
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
        milter.lines("stopping: [0-5] mails under way", timeout=60)
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


def test_restart_waits_for_who_has_just_come(tmp_path):
    """A client that has not begun its mail would hear 451 to it."""
    milter = Milter(tmp_path, TAGGING)
    m, wrong = milter.session(), []
    milter.process.send_signal(signal.SIGTERM)
    milter.lines("stopping: 0 mails under way", timeout=60)
    with pytest.raises(subprocess.TimeoutExpired):
        milter.process.wait(0.3)
    assert m.mail(SENDER).ok
    assert m.rcpt(ANN).ok
    finish(m, wrong)
    assert not wrong, (wrong[0], milter.text())
    assert milter.stop() == 0


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
