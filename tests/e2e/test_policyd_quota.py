"""test_policyd_quota - a full mailbox is refused at RCPT, wherever the mail comes
from, and parallel mails never share the same room
SPDX-License-Identifier: ISC

Reports of usage are sent by root here, as Dovecot's plugin sends them.
"""
import os
import re
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from e2e.conftest import run
from e2e.facts import Facts
from e2e.test_list import ALL, ALPHA, TABLE, login
from e2e.test_policyd_smtp import World
from e2e.test_smtp import ANN, BOB, CAT, DAN
from milterd import Milter, wait_until
from policyd import Policyd

from world.policy import instance

K, M = 1024, 1024 * 1024
USAGE = "/run/mailreeve/usage.sock"
QUOTA = """
mailbox {
	quota = 100M
	full  = defer
}
check quota {
	action = reject
}
"""


def report(mailbox, octets, saved=0, path=USAGE):
    text = (f"request=mailreeve_usage\nmailbox={mailbox}\nbytes={octets}\n"
            "messages=1\nlimit=0\n")
    text += f"saved={saved}\n" if saved else ""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(path)
        sock.send(f"{text}\n".encode())


def taken(status):
    return int(status["reports"].split()[0])


# --- over SMTP ---------------------------------------------------------------

@pytest.fixture(scope="module")
def world():
    w = World()
    yield w
    w.leave()


def milter_judges(text):
    return text + QUOTA


def policyd_judges(text):
    return "judge = policyd\n" + text + QUOTA


def reports():
    """How many the world's policy daemon has taken."""
    lines = run("mailreeve", "status").stdout.splitlines()
    return next(int(line.split()[1]) for line in lines
                if re.match(r"\s*reports\b", line))


def fill():
    """Ann is full, Bob nearly; of the others nothing was said."""
    before = reports()
    report(ANN, 100 * M)
    report(BOB, 100 * M - 500 * K)
    wait_until(lambda: reports() >= before + 2, "both are read")


def rcpt(to, size=None, facts=Facts(sender="s@sender.example")):
    with facts.connect() as c:
        size = f" SIZE={size}" if size else ""
        assert c.cmd(f"MAIL FROM:<{facts.sender}>{size}").code == 250, c.last
        return c.cmd(f"RCPT TO:<{to}>")


def becomes(to, size, want, fill=fill, **how):
    """The reply, soon: the milter takes the mail if the policy daemon does not
    say within 50 ms how full the mailbox is, and asks again a second later; and
    Dovecot may still report what a test before has delivered."""
    def says():
        reply = rcpt(to, size, **how)
        if f"{reply.code} {reply.enhanced}" == want:
            return True
        fill()
        return False
    wait_until(says, f"{want} for {to}, {size}")


# who, SIZE= and whether there is room
ROOM = [(ANN, None, False), ("ann+lists@alpha.example", None, False),
        ("ANN@Alpha.Example", 1000, False),
        ("info@alpha.example", None, False),
        ("chain1@alpha.example", None, False),
        ("whoever@delta.example", None, False),
        ("team@alpha.example", None, True),      # Bob has room
        ("team@alpha.example", 600 * K, False),
        (BOB, None, True), (BOB, 400 * K, True), (BOB, 600 * K, False),
        (CAT, 600 * K, True), (DAN, None, True),
        ("out@alpha.example", 600 * K, True)]


@pytest.mark.parametrize("judge", [milter_judges, policyd_judges])
def test_where_it_will_really_land(world, judge):
    world.use(judge)
    fill()
    for to, size, room in ROOM:
        becomes(to, size, "250 2.1.5" if room else "452 4.2.2")
    assert f"The mailbox of <{ANN}> is full" in rcpt(ANN).text


def refused_for_good(text):
    return policyd_judges(text).replace("= defer", "= reject").replace(
        "check quota {", "check quota {\n\ttargets = any")


def test_for_good_and_any(world):
    world.use(refused_for_good)
    fill()
    for to, size, want in [(ANN, None, "552 5.2.2"),
                           ("team@alpha.example", None, "552 5.2.2"),
                           (BOB, 600 * K, "552 5.2.2"),
                           # fits, but perhaps not with its new headers
                           (BOB, 499 * K, "452 4.2.2"),
                           (BOB, 400 * K, "250 2.1.5")]:
        becomes(to, size, want)


def info_is_excepted(text):
    return milter_judges(text) + ("exception info {\n\trecipient = "
                                  "info@alpha.example\n\tskip = quota\n}\n")


def test_an_exception(world):
    world.use(info_is_excepted)
    fill()
    becomes("chain1@alpha.example", None, "452 4.2.2")
    becomes("info@alpha.example", None, "250 2.1.5")    # Ann, too


@pytest.fixture
def all_exists():
    """To Postfix, by the identity alias that `mailreeve setup' prints."""
    before = TABLE.read_text()
    TABLE.write_text(f"{before}{ALL}\t{ALL}\n")
    run("postmap", f"lmdb:{TABLE}")
    yield
    TABLE.write_text(before)
    run("postmap", f"lmdb:{TABLE}")


def has_a_list(text):
    return milter_judges(text) + "list all@* {\n\tsenders = own-domain\n}\n"


def has_a_list_and_any(text):
    return has_a_list(text).replace("check quota {",
                                    "check quota {\n\ttargets = any")


def test_a_list(world, all_exists):
    """It leads to its members."""
    def fill_all():
        before = reports()
        for member in ALPHA:
            report(member, 100 * M)
        wait_until(lambda: reports() >= before + len(ALPHA), "all are read")

    def all_but_ann():
        report(ANN, 100 * M)
        for member in ALPHA[1:]:
            report(member, 0)

    how = {"facts": login(ALL)}
    world.use(has_a_list)
    becomes(ALL, None, "452 4.2.2", fill_all, **how)
    becomes("all+x@alpha.example", 1000, "452 4.2.2", fill_all, **how)
    becomes(ALL, None, "250 2.1.5", all_but_ann, **how)
    world.use(has_a_list_and_any)
    becomes(ALL, None, "452 4.2.2", all_but_ann, **how)


# --- a policy daemon of our own ----------------------------------------------

BOXES = """\
hostname = mx.test.example
maps {
	domains = inline:{ net.example=x }
	mailboxes = inline:{ ann@net.example=x, big@net.example=x }
}
message {
	size = 25M
}
mailbox {
	quota = 200M
}
check quota {
	action = reject
}
"""
ALONE = "judge = policyd\n" + BOXES


class Booking(Policyd):
    own = Policyd.own + "\thold = 3s\n"

    def report(self, octets, saved=0):
        before = taken(self.status())
        report("ann@net.example", octets, saved, f"{self.folder}/usage.sock")
        wait_until(lambda: taken(self.status()) == before + 1, "it is read")

    def bookings(self):
        return int(self.status()["bookings"].split(",")[0])

    def one(self, size, declared=0):
        """A mail; the action that ends it."""
        name = instance()
        with self.client() as p:
            action = p.rcpt(name, size=str(declared))
            if action == "DUNNO":
                action = p.end(name, size=str(size), recipient_count="1")
        return action

    def storm(self, n, size):
        """Of that many at once the number that is accepted; all others are
        asked to come again."""
        with ThreadPoolExecutor(n) as pool:
            actions = list(pool.map(lambda _: self.one(size), range(n)))
        late = [a for a in actions if a != "DUNNO"]
        assert all(a.startswith("452 4.2.2 ") for a in late), late
        return n - len(late)


def test_fifty_mails_of_19_mb_into_100_mb(tmp_path):
    with Booking(tmp_path, ALONE) as policyd:
        policyd.report(100 * M)
        with policyd.client() as p:             # RCPT alone books nothing
            for _ in range(50):
                assert p.rcpt(instance(), size=str(19 * M)) == "DUNNO"
        assert policyd.bookings() == 0
        assert policyd.storm(50, 19 * M) == 5
        assert policyd.bookings() == 5
        # as they are saved, each with some headers more
        for n in range(1, 6):
            policyd.report(100 * M + n * (19 * M + 900), 19 * M + 900)
            assert policyd.bookings() == 5 - n
        assert policyd.one(19 * M).startswith("452 4.2.2 ")
        assert policyd.one(4 * M) == "DUNNO"


def test_what_is_not_saved_is_let_go(tmp_path):
    with Booking(tmp_path, ALONE) as policyd:
        policyd.report(190 * M)
        assert policyd.storm(20, 4 * M) == 2
        assert policyd.one(4 * M).startswith("452 4.2.2 ")
        wait_until(lambda: policyd.bookings() == 0, "they expire")
        assert policyd.storm(20, 4 * M) == 2


def test_whose_own_quota_is_not_to_be_had(tmp_path):
    """Unsure at RCPT, and at the end as well."""
    with Booking(tmp_path, ALONE.replace(
            "big@net.example=x }",
            "big@net.example=x } userdb:/run/lab/nobody")) as policyd:
        policyd.report(200 * M)
        assert policyd.one(4 * M, declared=4 * M) == "DUNNO"
        assert policyd.lines("accept: END-OF-MESSAGE")


def test_killed_in_the_middle(tmp_path):
    """What it knew is there again, nobody is kept out for good, and the ends of
    mails that it knows nothing of are judged."""
    policyd = Booking(tmp_path, ALONE)
    try:
        policyd.report(195 * M)
        wait_until(lambda: policyd.status()["store_rows"].startswith(
            "1 written"), "it is written")
        assert policyd.storm(5, 4 * M) == 1
        with policyd.client() as p:
            assert p.rcpt("halfway") == "DUNNO"
    finally:
        policyd.stop(signal.SIGKILL)
    os.unlink(policyd.log)
    with Booking(tmp_path, ALONE) as policyd:
        assert policyd.status()["mailboxes"] == "1"
        assert policyd.bookings() == 0
        with policyd.client() as p:
            assert p.end("halfway", size=str(6 * M),
                         recipient_count="1").startswith("452 4.2.2 ")
        assert policyd.storm(5, 4 * M) == 1


def test_the_milter_without_the_policy_daemon(tmp_path):
    """Nobody is kept waiting by a policy daemon that is away, or stuck."""
    folders = tmp_path / "milter", tmp_path / "policyd"
    for folder in folders:
        folder.mkdir()
    text = BOXES + f"policyd {{\n\tquery = {folders[1]}/query.sock\n}}\n"

    seconds = []

    def ask(milter):
        begin = time.monotonic()
        with milter.client() as m:
            m.connect("out.example.org", "198.51.100.7")
            m.helo("out.example.org")
            m.mail("<s@example.org>")
            reply = m.rcpt("<ann@net.example>")
        seconds.append(time.monotonic() - begin)
        return reply.code

    with Milter(folders[0], text) as milter:
        assert ask(milter) is None           # it never was there
        policyd = Booking(folders[1], BOXES)
        try:
            policyd.report(200 * M)
            wait_until(lambda: ask(milter) == 452, "it is asked")
            policyd.process.send_signal(signal.SIGSTOP)
            # others of its threads may answer for a moment
            wait_until(lambda: ask(milter) is None, "it is stopped")
            assert max(seconds) < 5, seconds
            policyd.process.send_signal(signal.SIGCONT)
            wait_until(lambda: ask(milter) == 452, "it is asked again")
        finally:
            policyd.stop(signal.SIGKILL)
        assert ask(milter) is None
