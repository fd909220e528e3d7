"""conftest - what the end-to-end tests share
SPDX-License-Identifier: ISC

They run in the lab's world (tests/run -k e2e), but for test_demo.py, which
starts worlds of its own on this machine; and test_purge*.py, which want one
whose clock can be moved (lab run -t).  Without Postfix (lab run -M) there
are only those that speak to a daemon of their own, test_milter*.py and
test_policyd_server.py.
"""
import glob
import os
import pathlib
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))
from world.postfix import pids_of, reload_postfix, until        # noqa: E402

HERE = pathlib.Path(__file__).parent
IN_WORLD = os.environ.get("container") == "lab"
POSTFIX = IN_WORLD and not os.environ.get("LAB_MILTER_ONLY")


def runs_here(name):
    if name == "test_demo.py":
        return not IN_WORLD
    if name == "test_valgrind.py":
        return POSTFIX and "VALGRIND" in os.environ
    if name.startswith("test_purge"):
        return POSTFIX and bool(os.environ.get("LAB_TIME"))
    if name.startswith("test_milter"):
        return IN_WORLD or "MAILREEVE_MILTER" in os.environ
    if name == "test_policyd_server.py":
        return IN_WORLD or "MAILREEVE_POLICYD" in os.environ
    return POSTFIX


collect_ignore = [file.name for file in HERE.glob("test_*.py")
                  if not runs_here(file.name)]
POLICY = pathlib.Path("/etc/mailreeve/mailreeve.conf")
SANITIZER = "/tmp/sanitizer.*"
SEEN_SANITIZER = SANITIZER.replace("/sanitizer", "/seen-sanitizer")
# Where one failure is one too many: mail lost or twice, a limit overshot.
ONCE = {"test_policyd_overshoot", "test_purge_kill", "test_quota_overshoot",
        "test_quota_trouble", "test_quota_waiting"}


def pytest_collection_modifyitems(items):
    """A test that fails may have a second try (tests/steps.sh says where), but
    not these."""
    for item in items:
        if item.module.__name__ in ONCE:
            item.add_marker(pytest.mark.flaky(reruns=0))


def pytest_terminal_summary(terminalreporter):
    """Why a test wanted a second try is not forgotten if that goes well."""
    failed = {report.nodeid for outcome in ("failed", "error")
              for report in terminalreporter.getreports(outcome)}
    for report in terminalreporter.getreports("rerun"):
        if report.nodeid in failed:
            continue
        terminalreporter.section(f"first try of {report.nodeid}")
        terminalreporter.line(report.longreprtext)


def pytest_sessionfinish(session):
    """A second try does not take back what a sanitizer said."""
    if glob.glob(SEEN_SANITIZER):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def run(*args, check=True, **how):
    """A command, its output as text; daemons get no pipe to keep."""
    if "input" not in how:
        how["stdin"] = subprocess.DEVNULL
    ran = subprocess.run(args, text=True, capture_output=True, **how)
    if check and ran.returncode:
        raise RuntimeError(f"{' '.join(args)}: {ran.returncode} "
                           f"{ran.stdout}{ran.stderr}")
    return ran


class Milter:
    """The mailreeve-milter of the world."""

    @staticmethod
    def pids():
        return pids_of("mailreeve-milter")

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
    """postfix(name=value...): settings of main.cf, until the test is over."""
    main_cf = pathlib.Path("/etc/postfix/main.cf")
    before = main_cf.read_text()

    def change(**settings):
        run("postconf", *(f"{n}={v}" for n, v in settings.items()))
        reload_postfix()

    yield change
    main_cf.write_text(before)
    reload_postfix()


@pytest.fixture(scope="session", autouse=POSTFIX)
def no_mailboxes_in_postfix():
    """Postfix asks us who exists, and we ask Dovecot.  With a list of its own
    it refuses whom it does not know before it asks, in its own words."""
    run("postconf", "virtual_mailbox_maps=")
    reload_postfix()


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
        os.rename(name, name.replace("/sanitizer", "/seen-sanitizer"))
    assert not texts, "\n".join(texts)
