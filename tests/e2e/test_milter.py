"""test_milter - what the milter answers, step by step, without Postfix
SPDX-License-Identifier: ISC
"""
import re
import socket
import struct

import pytest

from milterd import (ANN, CLIENT, POLICY, SENDER, Milter, deliver,
                     negotiation, packet, receive_all, wait_until)
from world.message import mail
from world.milter import NO_REPLY, NOT_WANTED, strings

BIG = "<big@net.example>"
LIST = "\nlist all@net.example {\n\tsenders = anyone\n}\n"
NO_CONTENT = "\ncheck size {\n\taction = off\n}\n"


@pytest.fixture
def milter(tmp_path):
    with Milter(tmp_path) as milter:
        yield milter


# --- negotiation ------------------------------------------------------------

def wanted(m):
    return {name for name, bit in NOT_WANTED.items() if not m.steps & bit}


def answered(m):
    return {name for name in wanted(m) if not m.steps & NO_REPLY[name]}


ENVELOPE = {"connect", "helo", "mail", "rcpt"}


@pytest.mark.parametrize("policy, steps, actions", [
    (POLICY, ENVELOPE | {"header", "body"}, 0x100),
    (POLICY + NO_CONTENT, ENVELOPE, 0x100),
    (POLICY.replace("reject", "tag", 1) + NO_CONTENT,
     ENVELOPE | {"header"}, 0x111),
    (POLICY.replace("reject", "tag", 1), ENVELOPE | {"header", "body"}, 0x111),
    (POLICY + LIST + NO_CONTENT, ENVELOPE, 0x10c),
    ("mode = observe\n" + POLICY + LIST + NO_CONTENT, ENVELOPE, 0x100),
], ids=["content", "envelope", "tags", "all", "list", "list, observed"])
def test_it_asks_for_no_more_than_the_policy_needs(
        tmp_path, policy, steps, actions):
    with Milter(tmp_path, policy) as milter:
        m = milter.client()
        assert (m.version, m.actions) == (6, actions)
        assert wanted(m) == steps
        assert answered(m) == {"mail", "rcpt"}
        assert m.macros == {
            "connect": ["{client_ptr}", "{daemon_addr}", "{daemon_name}",
                        "{daemon_port}"],
            "helo": ["{tls_version}"],
            "mail": ["i", "{auth_authen}", "{mail_addr}", "{tls_version}"],
            "rcpt": ["i", "{rcpt_addr}"], "eom": ["i"]}
        m.quit()


@pytest.mark.parametrize("text, early", [
    ("check dnsbl {\n\taction = reject\n}\ndnsbl bl.invalid {\n}\n", True),
    ("check rdns {\n\taction = observe\n}\n", True),
    ("user ann@net.example {\n\tcheck helo_resolves {\n"
     "\t\taction = reject\n\t}\n}\n", True),
    ("check spf {\n\taction = reject\n}\n", True),
    ("check sender {\n\taction = reject\n}\n", False),
    ("check mx {\n\taction = reject\n}\n", False),
    ("authentication_results {\n\tadd = yes\n}\n", True)])
def test_it_is_told_at_once_if_it_asks_the_dns_before_mail(
        tmp_path, text, early):
    """Postfix keeps what needs no answer until something does."""
    with Milter(tmp_path, POLICY + text) as milter:
        m = milter.client()
        assert {"connect", "helo"} <= answered(m) if early else \
            not {"connect", "helo"} & answered(m)
        m.quit()


def test_an_mta_that_offers_little(milter):
    m = milter.session(steps=0, actions=0x1f)   # Sendmail of the year 2000
    assert (m.steps, m.actions) == (0, 0)
    assert deliver(m, mail("ann@net.example")).verdict == "continue"
    m.quit()


# --- the order of things ----------------------------------------------------

def test_a_mail_and_its_log_line(milter):
    m = milter.session()
    assert m.mail(SENDER, "SIZE=500").verdict == "continue"
    assert m.rcpt(ANN).verdict == "continue"
    assert m.rcpt(BIG, macros={"i": "4Xyz"}).verdict == "continue"
    assert milter.status()["transactions"] == "1"
    message = mail("ann@net.example", size=700)
    assert m.message(message, {"i": "4Xyz"}).verdict == "continue"
    line, = milter.lines(": accept: ")
    assert re.search(
        r": 4Xyz: accept: \S+ from out\.example\.org\[198\.51\.100\.7\]; "
        r"from=<s@example\.org> to=<ann@net\.example> "
        r"helo=<out\.example\.org> size=700 nrcpt=2 id=[0-9A-Z]{8}$",
        line), line
    state = milter.status()
    assert (state["transactions"], state["sessions"]) == ("0", "1")
    assert state["count.accept"] == "1"
    m.quit()
    wait_until(lambda: milter.status()["sessions"] == "0", "closed")


def test_refusals_carry_code_text_and_place(milter):
    m = milter.session()
    r = m.mail(SENDER, "SIZE=2097153")
    assert (r.code, r.enhanced) == (552, "5.3.4"), r
    assert m.mail(SENDER, "SIZE=2097152").ok
    r = m.rcpt(ANN)
    assert (r.code, r.enhanced) == (552, "5.3.4"), r
    assert m.rcpt(BIG).ok
    m.abort()
    assert m.mail(SENDER).ok
    r = m.rcpt("<nobody@net.example>")
    assert (r.code, r.enhanced) == (550, "5.1.1"), r
    lines = milter.lines(": reject: ")
    assert ["MAIL from", "RCPT from", "RCPT from"] == [
        re.search(r"NOQUEUE: reject: (\w+ from)", x)[1] for x in lines]
    for line in lines:
        assert re.search(r"rule=(size|recipient)\.\w+ "
                         r"at=(default|\S+:\d+) id=", line)
    m.abort()
    assert deliver(m, mail("ann@net.example")).ok
    m.quit()


def test_a_name_without_a_domain_is_refused_at_rcpt(milter):
    m = milter.session(helo="localname")
    assert m.mail(SENDER).ok
    r = m.rcpt(ANN)
    assert (r.code, r.enhanced) == (550, "5.5.4"), r
    m.quit()


def test_all_at_once(milter):
    """Postfix does not wait for steps without a reply; this waits for none."""
    def dialogue(helo):
        return [(b"C", strings("a.example.org") + b"4" +
                 struct.pack("!H", 9) + strings("198.51.100.7")),
                (b"H", strings(helo)), (b"M", strings(SENDER)),
                (b"R", strings(ANN)), (b"R", strings("<x@net.example>")),
                (b"L", strings("Subject", " x")), (b"B", b"hello\r\n" * 9000),
                (b"E", b""), (b"M", strings("<>")), (b"A", b""),
                (b"M", strings(SENDER)), (b"R", strings(BIG)), (b"Q", b"")]

    octets = negotiation() + b"".join(
        (packet(b"D", b"C" + strings("{daemon_port}", "25")) if c == b"C"
         else b"") + packet(c, o) for c, o in dialogue("out.example.org"))
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(milter.where[5:])
        sock.sendall(octets)
        got = receive_all(sock)
    replies = []
    while got:
        size, = struct.unpack("!I", got[:4])
        replies.append(got[4:5].decode())
        got = got[4 + size:]
    assert replies == list("Occycccc")


def test_abort_rset_and_a_second_mail(milter):
    m = milter.session()
    for _ in range(3):
        assert m.mail(SENDER).ok
        assert m.rcpt(ANN).ok
        m.abort()
    wait_until(lambda: milter.status()["transactions"] == "0", "aborted")
    for _ in range(3):                  # MAIL without RSET
        assert m.mail(SENDER).ok
    m.header("Subject", " lost")
    assert milter.status()["transactions"] in "01"
    assert deliver(m, mail("ann@net.example", size=800)).ok
    assert re.search("size=800 ", milter.lines(": accept: ")[0])
    m.mail(SENDER)
    m.rcpt(ANN)
    m.header("Subject", " cut off")
    m.sock.close()
    wait_until(lambda: milter.status()["sessions"] == "0", "closed")
    assert milter.status()["transactions"] == "0"


def test_a_session_after_another_on_one_connection(milter):
    """QUIT_NC and a second connect: libmilter knows no new negotiation then,
    so nothing is accepted on hearsay."""
    m = milter.session()
    assert deliver(m, mail("ann@net.example")).ok
    m.quit_new()
    m.connect("other.example.org", "198.51.100.8")
    m.helo("other.example.org")
    assert m.mail(SENDER).verdict == "tempfail"
    m.quit()


def test_a_login_is_not_judged_as_a_stranger(milter):
    m = milter.session(helo="localname")
    assert m.mail(SENDER, macros={"{auth_authen}": "ann@net.example"}).ok
    assert m.rcpt(ANN).ok
    assert m.message(mail("ann@net.example")).ok
    assert "sasl_username=ann@net.example" in milter.lines(": accept:")[0]
    # libmilter keeps a step's macros until it gets new ones
    assert m.mail(SENDER, macros={"{tls_version}": "TLSv1.3"}).ok
    assert m.rcpt(ANN).code == 550
    m.quit()


# --- lists -------------------------------------------------------------------

def test_members_come_before_the_list_goes(tmp_path):
    with Milter(tmp_path, POLICY + LIST) as milter:
        m = milter.session()
        reply = deliver(m, to=("<ALL+x@net.example>",))
        assert reply.ok
        assert reply.changes == [
            ("addrcpt", ANN.strip("<>")), ("addrcpt", "big@net.example"),
            ("delrcpt", "<ALL+x@net.example>"),
            ("delrcpt", "all+x@net.example")]
        m.quit()


def test_an_mta_that_lets_us_add_nobody(tmp_path):
    """The mail is deferred, and nobody is dropped."""
    with Milter(tmp_path, POLICY + LIST) as milter:
        m = milter.session(actions=0x100)
        reply = deliver(m, to=("<all@net.example>",))
        assert (reply.code, reply.changes) == (451, [])
        assert deliver(m, to=(ANN,)).ok
        m.quit()


def test_a_list_that_comes_with_a_reload(milter):
    """A connection that was not asked for recipients goes on without."""
    m = milter.session()
    milter.write(POLICY + LIST)
    milter.reload()
    assert m.mail(SENDER).ok
    assert m.rcpt("<all@net.example>").code == 550
    m.quit()
    m = milter.session()
    assert deliver(m, to=("<all@net.example>",)).ok
    m.quit()


# --- sendmail(1) ------------------------------------------------------------

def local(milter, macros=None):
    m = milter.client()
    m.connect("localhost", "127.0.0.1", macros)
    m.helo("localhost")
    return m


@pytest.mark.parametrize("macros", [None, {"{daemon_port}": "0"}])
def test_local_mail_gets_one_answer_at_its_end(milter, macros):
    m = local(milter, macros)           # Postfix says 0
    assert m.mail(SENDER).ok
    assert m.rcpt(ANN).ok
    assert m.rcpt("<nobody@net.example>").ok
    r = m.message(mail("ann@net.example"))
    assert (r.code, r.enhanced) == (550, "5.1.1"), r
    assert len(milter.lines(": reject: ")) == 1
    assert deliver(m, mail("ann@net.example")).ok
    m.quit()


def test_a_client_on_this_host_is_not_local(milter):
    m = milter.session(client=("localhost", "127.0.0.1"))
    assert m.mail(SENDER).ok
    assert m.rcpt("<nobody@net.example>").code == 550
    m.quit()


# --- sizes ------------------------------------------------------------------

@pytest.mark.parametrize("octets, code", [
    (1 << 20, None), ((1 << 20) + 1, 552), ((1 << 21) + 1, 552)])
def test_the_true_size_at_the_end(milter, octets, code):
    m = milter.session()
    r = deliver(m, mail("ann@net.example", size=octets))
    assert r.code == code, r
    if code is None:
        assert f" size={octets} " in milter.lines(": accept: ")[0]
    m.quit()


def test_folded_headers_count_with_crlf(milter):
    m = milter.session()
    text = (b"Subject: a\r\n folded\r\n\tone\r\nX-Empty:\r\nX-None:x\r\n"
            b"X-Spaces:   y \r\n\r\nbody\r\n")
    assert deliver(m, text).ok
    assert f" size={len(text)} " in milter.lines(": accept: ")[0]
    m.quit()


@pytest.mark.parametrize("parameter, code", [
    ("SIZE=2097153", 552), ("size=2097153", 552), ("Size=0002097153", 552),
    ("SIZE=99999999999999999999999999", 552),
    ("SIZE=18446744073709551616", 552),
    ("SIZE=", None), ("SIZE=-1", None), ("SIZE=2097153x", None),
    ("SIZE=0x7fffffff", None), ("SIZE", None), ("XSIZE=2097153", None),
    ("SIZE= 2097153", None)])
def test_what_counts_as_a_declared_size(milter, parameter, code):
    m = milter.session()
    assert m.mail(SENDER, "BODY=8BITMIME", parameter).code == code
    m.quit()


def test_mixed_sizes_are_deferred_once_and_then_split(milter):
    m = milter.session()
    message = mail("ann@net.example", size=3 << 19)
    r = deliver(m, message, to=(ANN, BIG))
    assert (r.code, r.enhanced) == (452, "4.5.3"), r
    assert m.mail(SENDER).ok
    assert m.rcpt(ANN).ok
    r = m.rcpt(BIG)
    assert (r.code, r.enhanced) == (452, "4.5.3"), r
    assert m.message(message).code == 552
    assert deliver(m, message, to=(BIG,)).ok
    m.quit()


# --- tags and texts -----------------------------------------------------------

TAGGING = POLICY.replace("reject", "tag", 1)


def test_a_tag_replaces_forged_ones(tmp_path):
    with Milter(tmp_path, TAGGING) as milter:
        m = milter.session(helo="localname")
        forged = mail("ann@net.example", headers=[
            ("X-Mailreeve", "one"), ("Received", "x"), ("x-mailREEVE", "two"),
            ("X-Mailreeve", "three")])
        r = deliver(m, forged)
        assert r.ok
        name = "X-Mailreeve"
        assert r.changes[:3] == [("chgheader", i, name, "") for i in (3, 2, 1)]
        (how, what, value), = r.changes[3:]
        assert (how, what) == ("addheader", name)
        assert re.fullmatch(r" ?helo\.not_qualified; id=[0-9A-Z]{8}", value)
        assert value[0] == " "          # Postfix keeps leading blanks
        assert re.search(r": tag: RCPT from .* rule=helo\.not_qualified at=",
                         milter.lines(": tag: ")[0])
        m.quit()
        m = milter.session()
        assert [c[0] for c in deliver(m, forged).changes] == 3 * ["chgheader"]
        assert deliver(m, mail("ann@net.example")).changes == []
        m.quit()


def test_observe_refuses_nothing_and_says_so(tmp_path):
    with Milter(tmp_path, "mode = observe\n" + POLICY) as milter:
        m = milter.session(helo="localname")
        assert deliver(m, mail("ann@net.example"),
                       to=("<nobody@net.example>",)).ok
        m.quit()
        assert milter.status()["mode"] == "observe"
        for rule in ("helo.not_qualified", "recipient.unknown"):
            assert milter.lines(rf": observe: RCPT from .*rule={rule} at=")


def test_percent_signs_and_control_octets(milter):
    m = milter.session(helo="100%s%n\r\n\x01\x7f")
    assert m.mail("<a\r\nb@example.org>").ok
    r = m.rcpt(ANN)
    assert r.code == 550
    assert "100%%s%%n????" in r.text, r.text    # undone by the MTA
    m.quit()
    line, = milter.lines(": reject: ")
    assert "100%s%n" in line and "a??b@example.org" in line, line


# --- what nobody should send ------------------------------------------------

def test_odd_values_everywhere(milter):
    long = "x" * 20000     # a packet may have 65535 octets
    for client in (("", "198.51.100.7"), (long, "2001:db8::1"),
                   ("unknown", "0.0.0.0"), ("[198.51.100.7]", "::")):
        for helo in ("", long, "é\udcff".encode("utf-8", "replace").decode()):
            m = milter.session(helo=helo, client=client)
            for sender in ("", "<>", "<", ">", "@", long, "<" + long + "@x>",
                           "<@a,@b:c@d>", "\"a b\"@c", "<a@b@c>"):
                m.mail(sender, "=", "", "SIZE=" + long, long,
                       macros={"i": long, "{auth_authen}": long,
                               "{tls_version}": long})
                for to in ("", "<>", long, "<" + long + "@net.example>"):
                    m.rcpt(to, "", long)
                m.abort()
            m.quit()
    m = milter.session()
    assert deliver(m, mail("ann@net.example")).ok
    m.quit()


def test_families_that_are_no_address(milter):
    for family, address in ((b"U", b""), (b"L", b"\0\0/run/x\0"),
                            (b"L", b"\0\0" + b"y" * 300 + b"\0"),
                            (b"4", b"\0\0nonsense\0"), (b"6", b"\0\0"),
                            (b"?", b"\0\0z\0"), (b"4", b"")):
        m = milter.client()
        m.send("C", b"name\0" + family + address)
        try:
            m.helo("out.example.org")
            m.mail(SENDER)
            m.rcpt(ANN)
            m.quit()
        except OSError:
            m.sock.close()
    m = milter.session()
    assert deliver(m, mail("ann@net.example")).ok
    m.quit()


def test_steps_out_of_order(milter):
    steps = {"C": strings("x") + b"4\0\0" + strings("198.51.100.7"),
             "H": strings("x"), "M": strings(SENDER), "R": strings(ANN),
             "L": strings("a", "b"), "N": b"", "B": b"x", "E": b"", "A": b"",
             "U": strings("x"), "T": b"", "K": b"",
             "D": b"M" + strings("i", "1"), "O": b""}
    for negotiated in (True, False):
        for first in steps:
            for second in steps:
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.settimeout(20)
                    sock.connect(milter.where[5:])
                    octets = negotiation() if negotiated else b""
                    for step in (first, second, first, "U", "R", "B", "E",
                                 second, "Q"):
                        octets += packet(step.encode(), steps.get(step, b""))
                    sock.sendall(octets)
                    receive_all(sock)
    wait_until(lambda: milter.status()["sessions"] == "0", "closed")
    assert milter.status()["transactions"] == "0"
    m = milter.session()
    assert deliver(m, mail("ann@net.example")).ok
    m.quit()


def test_garbage_and_huge_lengths(milter):
    start = negotiation()
    body = start + packet(b"M", strings(SENDER)) + packet(b"R", strings(ANN))
    for octets in (b"\0", b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xffM",
                   b"GET / HTTP/1.0\r\n\r\n", bytes(range(256)) * 40,
                   packet(b"O"), packet(b"O", b"\0" * 12),
                   packet(b"O", b"\xff" * 12), packet(b"O", b"x" * 70000),
                   start + packet(b"M"), start + packet(b"M", b"\0" * 9000),
                   start + packet(b"M", b"no end"), start + packet(b"\0"),
                   start + b"\0\x10\0\0B" + b"x" * 70000,
                   start + packet(b"D", b"M" + b"\0" * 9999),
                   start + packet(b"D", b"?"), start + packet(b"H"),
                   body + packet(b"L", b"no value"),
                   body + packet(b"L", b"\0\0"), body + packet(b"E", b"x" * 99),
                   start[:3], start[:9], body[:-3]):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(milter.where[5:])
            try:
                sock.sendall(octets)
                sock.shutdown(socket.SHUT_WR)
                receive_all(sock)
            except BrokenPipeError:
                pass
    wait_until(lambda: milter.status()["transactions"] == "0", "closed")
    m = milter.session()
    assert deliver(m, mail("ann@net.example")).ok
    m.quit()


def test_clients_are_told_apart(milter):
    """Interleaved: no fact of one connection in another's decision."""
    names = ["localname", "out.example.org"] * 10
    sessions = [milter.session(helo=name, client=(CLIENT[0], f"198.51.100.{i}"))
                for i, name in enumerate(names)]
    for m in sessions:
        assert m.mail(SENDER).ok
    codes = [m.rcpt(ANN).code for m in sessions]
    assert codes == [550, None] * 10
    for m in sessions:
        m.quit()
