"""test_many_users - one process serves many, and each has what is his
SPDX-License-Identifier: ISC

lmtp delivers to many users in one transaction, doveadm -A goes from one to the
next: the limit, the rules and the trouble of one are nobody else's.
"""
import contextlib
import re
import shutil
import socket
import socketserver
import threading

import pytest
from conftest import run

from world import doveadm
from world.dovecot import Boxes, Lmtp
from world.load import message
from world.message import Mail
from world.seed import DAY, seed

K = 1024
POLICY = """\
hostname = mx.lab.example
maps {
	domains   = lmdb:/etc/postfix/virtual_domains
	aliases   = lmdb:/etc/postfix/virtual
	mailboxes = userdb:/run/dovecot/auth-userdb
}
keep {
	share = 100%
}
"""


def user(box, text):
    return f"user {box.user} {{\n{text}}}\n"


def mailbox(quota):
    return f"\tmailbox {{\n\t\tquota = {quota}\n" \
           "\t\twarn_command = /bin/true\n\t}\n"


@pytest.fixture(scope="module")
def boxes():
    users = Boxes(12)
    yield users
    users.remove()


@pytest.fixture
def some(boxes, policy):                                        # noqa: F811
    """Small, large, without a limit of his own."""
    small, large, other = boxes.take(), boxes.take(), boxes.take()
    policy(POLICY + mailbox("20K").replace("\t", "", 1) +
           user(small, mailbox("10K")) +
           user(large, mailbox("1M") +
                "\tpurge Trash {\n\t\tafter = 3d\n\t}\n"))
    return small, large, other


def deliver(client, users, size):
    m = Mail(message("one", size))
    m.sender, m.to = "someone@sender.example", [one.user for one in users]
    client.envelope(m)
    first = client.data(m)
    return [reply.code for reply in
            [first, *(client.read() for _ in users[1:])]]


def test_one_transaction_of_lmtp(some):
    """In whichever order they are named."""
    small, large, other = some
    with Lmtp() as client:
        assert deliver(client, [small, large, other], 6000) == [250] * 3
        assert deliver(client, [large, small, other], 6000) == [250, 452, 250]
        assert deliver(client, [other, small, large], 6000) == [250, 452, 250]
        assert deliver(client, [small, other, large], 6000) == [452, 452, 250]
        # the small one still has room for a small mail
        assert deliver(client, [large, other, small], 1000) == [250, 250, 250]
    assert [len(one.sizes()) for one in some] == [2, 5, 4]


def test_trouble_of_one(some):
    """A user's file that cannot be had spoils only his own mail, if any."""
    small, large, other = some
    with Lmtp() as client:
        assert deliver(client, some, 4000) == [250] * 3
        usage = large.home / "Maildir/mailreeve.usage"
        usage.unlink()
        usage.mkdir()
        try:
            assert deliver(client, [large, small, other], 4000) == [250] * 3
            assert deliver(client, [large, small, other], 4000) == [
                250, 452, 250]
        finally:
            usage.rmdir()


def test_doveadm_quota(some):
    for one in some:
        one.fill(5000)
    limits = {row["username"]: (int(row["used"]), int(row["limit"]))
              for row in doveadm("mailreeve", "quota", "-A")}
    shown = {row["username"]: int(row["limit"])
             for row in doveadm("quota", "get", "-A")
             if row["type"] == "STORAGE"}
    for one, limit in zip(some, (10, 1024, 20)):
        assert limits[one.user] == (5000, limit * K)
        assert shown[one.user] == limit


def test_doveadm_purge(some):
    """A rule of one user is no rule for the others, and a mailbox that cannot
    be opened ends nobody else's purge."""
    small, large, other = some
    for one in some:
        seed(one.user, "Trash", [5 * DAY] * 2)
    shutil.rmtree(small.home)
    small.home.write_text("no directory\n")
    run("mailreeve", "clock", "--clock-ok")
    said = run("doveadm", "mailreeve", "purge", "-n", "-A", check=False)
    assert re.findall(r"(\S+@\S+) Trash +2 ", said.stdout) == [large.user]
    run("doveadm", "mailreeve", "purge", "-A", check=False)
    assert [len(one.sizes()) for one in (large, other)] == [0, 2]
    small.home.unlink()


class Asked(socketserver.StreamRequestHandler):
    """A connection to Dovecot's user database.  The first list that it is asked
    for ends in an error, as lists of 2.4.1 do now and then."""

    def handle(self):
        with socket.socket(socket.AF_UNIX) as real:
            real.connect("/run/dovecot/auth-userdb")
            threading.Thread(target=self.answer, args=(real,),
                             daemon=True).start()
            for line in self.rfile:
                if line.startswith(b"LIST\t") and not self.server.lists:
                    number = line.split()[1]
                    self.server.lists.append(number)
                    self.wfile.write(b"LIST\t%s\tann@alpha.example\n"
                                     b"DONE\t%s\tfail\n" % (number, number))
                else:
                    real.sendall(line)
            real.shutdown(socket.SHUT_RDWR)

    def answer(self, real):
        with contextlib.suppress(OSError):      # the client has gone
            while data := real.recv(65536):
                self.wfile.write(data)


def purged(*options):
    """The number of users of which a purge thinks."""
    ran = run("doveadm", *options, "mailreeve", "purge", "-n", "-A")
    return int(re.search(r" users=(\d+) not_due=0 ", ran.stderr)[1])


def test_a_list_that_ends_in_an_error(policy, tmp_path):
    """It is asked for again, and nobody is left out."""
    policy(POLICY)
    path = str(tmp_path / "userdb")
    with socketserver.ThreadingUnixStreamServer(path, Asked) as userdb:
        userdb.daemon_threads, userdb.lists = True, []
        threading.Thread(target=userdb.serve_forever, daemon=True).start()
        assert purged("-o", f"auth_socket_path={path}") == purged() > 1
        assert userdb.lists
        userdb.shutdown()


def test_a_long_list(policy):
    """Stock 2.4.1 stops after 2,000 users or so: "User listing returned
    failure"; here that is said at most, and tried again."""
    policy(POLICY)
    many = Boxes(4000)
    ran = run("doveadm", "mailreeve", "purge", "-n", "-A")
    assert re.search(r" users=40\d\d not_due=0 ", ran.stderr), ran.stderr
    many.remove()
