"""test_policyd_usage - whose reports of usage are believed, and what is kept
SPDX-License-Identifier: ISC
"""
import os
import pwd
import signal
import socket

from milterd import wait_until
from policyd import Policyd, works

MAIL, OTHER = (pwd.getpwnam(name).pw_uid for name in ("mail", "www-data"))


def report(policyd, user, mailbox, octets):
    """As another user of this machine, in a process of its own."""
    os.chmod(policyd.folder, 0o755)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.connect(f"{policyd.folder}/usage.sock")
    text = (f"request=mailreeve_usage\nmailbox={mailbox}\nbytes={octets}\n"
            "messages=1\nlimit=100\n\n")
    child = os.fork()
    if child == 0:
        try:
            os.setuid(user)
            sock.send(text.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    sock.close()


def test_only_mail_users_report_and_kill_loses_nothing(tmp_path):
    policyd = Policyd(tmp_path)
    try:
        report(policyd, MAIL, "ann@example.net", 50)
        report(policyd, OTHER, "victim@example.net", 100)
        wait_until(lambda: policyd.status()["reports"].startswith(
            "1 taken, 1 refused"), "both are read")
        wait_until(lambda: policyd.status()["store_rows"].startswith(
            "1 written"), "it is written")
    finally:
        policyd.stop(signal.SIGKILL)
    os.unlink(policyd.log)              # it says "ready" of the one before
    with Policyd(tmp_path) as policyd:
        assert policyd.status()["mailboxes"] == "1"
        works(policyd)


def test_it_goes_on_without_a_store(tmp_path):
    (tmp_path / "policyd.sqlite").mkdir()
    with Policyd(tmp_path) as policyd:
        assert policyd.lines("state: .*going on from memory", timeout=60)
        works(policyd)
        report(policyd, MAIL, "ann@example.net", 50)
        wait_until(lambda: policyd.status()["mailboxes"] == "1",
                   "it is known")
        (tmp_path / "policyd.sqlite").rmdir()
        wait_until(lambda: policyd.status()["store_rows"].startswith(
            "1 written"), "it is written")
