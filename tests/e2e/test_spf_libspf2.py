"""test_spf_libspf2 - the second SPF evaluator, which is trusted with nothing
SPDX-License-Identifier: ISC
"""
import subprocess

import pytest
from conftest import run
from e2e.facts import Facts

from world import GOOD, MAILREEVE_LOG, UNCONFIRMED, log_end, log_lines
from world.postfix import pids_of, until

WORKER = "/usr/libexec/mailreeve/spf_worker"
HELO = "out.sender.example"
SPF = """
check spf {
	action = reject
	engine = libspf2
}
"""


@pytest.fixture
def libspf2(policy):
    """The policy before it."""
    with open("/etc/mailreeve/mailreeve.conf") as file:
        before = file.read()
    policy(before + SPF)
    return before


def send(sender, source=GOOD):
    outcome = Facts(source=source, helo=HELO, sender=sender).send()
    return outcome.reply.code, outcome.reply.enhanced, outcome.text


def test_results(libspf2):
    assert send("a@sender.example")[0] == 250
    assert send("a@sender.example", UNCONFIRMED)[:2] == (550, "5.7.23")
    assert send("a@soft.example")[0] == 250
    assert send("a@wrong.example")[0] == 250        # permerror, which is off
    assert send("a@halfbroken.example")[:2] == (451, "4.7.24")


def test_what_breaks_it(libspf2):
    """That one mail waits, where libspf2 is not mended; the next one does not."""
    mark = log_end(MAILREEVE_LOG)
    code, enhanced, _ = send("a@crash.example")
    if code == 451:
        assert enhanced == "4.7.24"
        log_lines(MAILREEVE_LOG, r'why="[^"]*libspf2 crashed, or did what it '
                  'may not" rule=spf.unsure', 5, mark)
    else:
        assert (code, enhanced) == (550, "5.7.23")
    assert send("a@many.example")[0] == 250         # permerror
    assert send("a@sender.example")[0] == 250
    assert send("a@sender.example", UNCONFIRMED)[0] == 550


def test_the_zygote_is_killed(libspf2):
    """And comes back with the next mail."""
    assert send("a@sender.example")[0] == 250
    until(lambda: len(pids_of("spf_worker")) == 1)
    zygote, = pids_of("spf_worker")
    subprocess.run(["kill", "-9", str(zygote)], check=True)
    assert send("a@sender.example")[0] == 250
    until(lambda: pids_of("spf_worker") not in ([], [zygote]))


def test_it_ends_with_the_policy(libspf2, policy):
    assert send("a@sender.example")[0] == 250
    until(lambda: len(pids_of("spf_worker")) == 1)  # the worker has ended
    policy(libspf2)
    until(lambda: pids_of("spf_worker") == [])


def test_it_cannot_do_anything_else():
    ran = subprocess.run([WORKER, "--self-test"], text=True,
                         capture_output=True, stdin=subprocess.DEVNULL)
    assert ran.returncode == 0, ran
    assert [line.split()[:2] for line in ran.stdout.splitlines()] == [
        ["ok", name] for name in ("open", "socket", "execve", "kill", "fork")]
    ran = subprocess.run([WORKER], text=True, capture_output=True,
                         stdin=subprocess.DEVNULL)
    assert ran.returncode == 64 and ran.stderr.startswith("usage: ")


@pytest.mark.parametrize("sender, first, second", [
    ("a@sender.example", "pass", None),
    ("a@explained.example", "fail", True),
    ("a@nothing.example", "none", None)])
def test_by_hand(sender, first, second):
    ran = run("mailreeve", "spf", "--engine", "libspf2", "--ip", GOOD,
              "--helo", HELO, "--from", sender, check=False)
    lines = ran.stdout.splitlines()
    assert lines[0].split()[0] == first and "libspf2" in lines[0], ran
    assert (len(lines) == 2) == bool(second), ran
