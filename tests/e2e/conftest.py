"""conftest - what the end-to-end tests share
SPDX-License-Identifier: ISC

They run in the lab's world (tests/run -k e2e), but for test_demo.py, which
starts worlds of its own on this machine.  Without Postfix (lab run -M) there
are only those that speak to a milter of their own, test_milter*.py.
"""
import glob
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))
HERE = pathlib.Path(__file__).parent
IN_WORLD = os.environ.get("container") == "lab"
POSTFIX = IN_WORLD and not os.environ.get("LAB_MILTER_ONLY")


def runs_here(name):
    if name == "test_demo.py":
        return not IN_WORLD
    if name.startswith("test_milter"):
        return IN_WORLD or "MAILREEVE_MILTER" in os.environ
    return POSTFIX


collect_ignore = [file.name for file in HERE.glob("test_*.py")
                  if not runs_here(file.name)]
POLICY = pathlib.Path("/etc/mailreeve/mailreeve.conf")
SANITIZER = "/tmp/sanitizer.*"


def run(*args, check=True, **how):
    """A command, its output as text; daemons get no pipe to keep."""
    ran = subprocess.run(args, text=True, capture_output=True,
                         stdin=subprocess.DEVNULL, **how)
    if check and ran.returncode:
        raise RuntimeError(f"{' '.join(args)}: {ran.returncode} "
                           f"{ran.stdout}{ran.stderr}")
    return ran


def until(what, timeout=10):
    """Wait until what() is true; its value."""
    end = time.monotonic() + timeout
    while not (value := what()):
        if time.monotonic() > end:
            raise TimeoutError(f"never: {what}")
        time.sleep(0.02)
    return value


class Milter:
    """The mailreeve-milter of the world."""

    @staticmethod
    def pids():
        """Without its zombies, which PID 1 of the world may leave."""
        found = []
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                text = pathlib.Path(stat).read_text()
            except OSError:
                continue
            name, _, rest = text.partition("(")[2].rpartition(")")
            if name.startswith("mailreeve-milte") and rest.split()[0] != "Z":
                found.append(int(stat.split("/")[2]))
        return found

    def kill(self, number):
        for pid in self.pids():
            os.kill(pid, number)

    def stop(self, number=signal.SIGTERM):
        self.kill(number)
        until(lambda: not self.pids(), 60)

    def start(self):
        with open("/run/lab/milter.err", "w+", encoding="utf-8") as log:
            status = subprocess.call(["mailreeve-milter", "-d"], stdout=log,
                                     stderr=log, stdin=subprocess.DEVNULL)
            log.seek(0)
            assert status == 0, log.read()

    def restart(self):
        self.stop()
        self.start()


@pytest.fixture
def milter():
    """The milter; runs again when the test is over, whatever it did."""
    m = Milter()
    yield m
    m.kill(signal.SIGCONT)
    if not m.pids():
        m.start()


def install(text):
    """Puts a policy in place, as its owner wants it: never half of it."""
    new = POLICY.with_suffix(".new")
    new.write_text(text)
    os.chown(new, 0, POLICY.stat().st_gid)
    os.chmod(new, 0o640)
    os.replace(new, POLICY)


@pytest.fixture
def policy():
    """policy(text): another policy, until the test is over."""
    before = POLICY.read_text()

    def change(text):
        install(text)
        run("mailreeve", "reload")

    yield change
    install(before)
    run("mailreeve", "reload")


@pytest.fixture
def postfix():
    """postfix(name=value...): settings of main.cf, until the test is over;
    postfix.service("26/inet", name=value...): of a service of master.cf."""
    saved = {name: pathlib.Path("/etc/postfix", name).read_text()
             for name in ("main.cf", "master.cf")}

    def reload():
        os.utime("/etc/postfix/main.cf", (time.time() - 3600,) * 2)
        run("postfix", "reload")

    def change(**settings):
        run("postconf", *(f"{n}={v}" for n, v in settings.items()))
        reload()

    def service(name, **settings):
        run("postconf", "-P", *(f"{name}/{n}={v}"
                                for n, v in settings.items()))
        reload()

    change.service = service
    yield change
    for name, text in saved.items():
        pathlib.Path("/etc/postfix", name).write_text(text)
    reload()


@pytest.fixture(scope="session", autouse=POSTFIX)
def no_mailboxes_in_postfix():
    """Postfix asks us who exists, and we ask Dovecot.  With a list of its own
    it refuses whom it does not know before it asks, in its own words."""
    run("postconf", "virtual_mailbox_maps=")
    os.utime("/etc/postfix/main.cf", (time.time() - 3600,) * 2)
    run("postfix", "reload")


@pytest.fixture(autouse=POSTFIX)
def nothing_left():
    """No test leaves mail behind for the next, nor a complaint of a
    sanitizer."""
    yield
    from world import wait_for_queue
    left = wait_for_queue(30)
    if left:
        run("postsuper", "-d", "ALL")
    complaints = glob.glob(SANITIZER)
    texts = [pathlib.Path(name).read_text() for name in complaints]
    for name in complaints:
        os.rename(name, name.replace("sanitizer", "seen-sanitizer"))
    assert not texts, "\n".join(texts)
