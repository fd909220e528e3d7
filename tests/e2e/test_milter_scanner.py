"""test_milter_scanner - what the milter makes of scanners' headers, mode by
mode, without Postfix
SPDX-License-Identifier: ISC
"""
import pytest

from milterd import Milter
from world.message import mail

POLICY = """\
hostname = mx.lab.example
trusted = 127.0.0.1 198.51.100.7
maps {
	domains = inline:{ net.example=x }
	aliases = inline:{ out@net.example=x@far.example, { both@net.example = ann@net.example, x@far.example }, info@net.example=ann@net.example }
	mailboxes = inline:{ ann@net.example=x, plain@net.example=x }
}
check mx {
	action = off
}
scanner spam {
	header  = X-Spam-Flag: YES
	subject = [SPAM]
}
scanner virus {
	header  = X-Virus: *found*
	trust   = reinjected 127.0.0.1:10025
	subject = [VIRUS]
}
scanner relay {
	header  = X-Malware: yes*
	trust   = authserv-id relay.example
	subject = [MALWARE]
}
user plain@net.example {
	scanner spam relay {
		subject = none
	}
}
"""
ANN, PLAIN, OUT, BOTH, INFO = (f"<{name}@net.example>" for name in
                               ("ann", "plain", "out", "both", "info"))
AWAY = "198.51.100.99"                  # not trusted
FLAG = ("X-Spam-Flag", "YES")
VIRUS = ("X-Virus", "a.b found")
DKIM = ("DKIM-Signature", "v=1; d=sender.example; s=a; h=subject; b=x")
RESULTS = ("Authentication-Results", "relay.example; x-malware=yes")
BACK = {"client": "127.0.0.1", "port": "10025"}


@pytest.fixture(scope="module")
def milter(tmp_path_factory):
    with Milter(tmp_path_factory.mktemp("milter"), POLICY) as milter:
        yield milter


def changes_of(milter, headers, to=(ANN,), client=AWAY, port="25",
               address="127.0.0.1", login=None, subject="Hello"):
    m = milter.client()
    m.connect("unknown", client, macros={
        "{daemon_port}": port, "{daemon_addr}": address,
        "{daemon_name}": "smtpd"})
    m.helo("out.example.org")
    macros = {"{auth_authen}": login} if login else None
    assert m.mail("<s@sender.example>", macros=macros).ok
    for recipient in to:
        assert m.rcpt(recipient).ok
    r = m.message(mail("ann@net.example", headers=headers, subject=subject))
    m.quit()
    assert r.ok, r
    return r.changes


def marked(*names):
    return [("addheader", "X-Mailreeve", f" scanner={name}") for name in names]


def tagged(subject):
    return [("chgheader", 1, "Subject", f" {subject}")]


SPAM = marked("spam") + tagged("[SPAM] Hello")

CASES = {
    "nothing": ([], {}, []),
    "found": ([FLAG], {}, SPAM),
    "not found": ([("X-Spam-Flag", "NO")], {}, []),
    "another name": ([("X-Spam-Flags", "YES")], {}, []),
    "case, blanks and folding": ([("x-spam-FLAG", " \r\n\tyes ")], {}, SPAM),
    "the value is the whole one": ([("X-Spam-Flag", "YES, no")], {}, []),
    "one of several": ([("X-Spam-Flag", "NO"), FLAG, FLAG], {}, SPAM),
    "from a login": ([FLAG], {"login": "ann@net.example"}, SPAM),
    # of several Subjects the first
    "two subjects": ([FLAG, ("Subject", "First")], {},
                     marked("spam") + tagged("[SPAM] First")),
    "already tagged": ([FLAG], {"subject": "=?utf-8?q?=5BSPAM=5D_x?="},
                       marked("spam")),
    # whose recipients want what
    "nobody wants a tag": ([FLAG], {"to": [PLAIN]}, marked("spam")),
    "somebody wants a tag": ([FLAG], {"to": [PLAIN, ANN]}, SPAM),
    # signed and forwarded
    "signed": ([FLAG, DKIM], {}, SPAM),
    "signed, to an alias of ours": ([FLAG, DKIM], {"to": [INFO]}, SPAM),
    "forwarded": ([FLAG], {"to": [OUT]}, SPAM),
    "signed and forwarded": ([FLAG, DKIM], {"to": [OUT]}, marked("spam")),
    "sealed and forwarded": ([FLAG, ("arc-message-signature", "i=1")],
                             {"to": [OUT]}, marked("spam")),
    "signed and kept, too": ([DKIM, FLAG], {"to": [BOTH]}, marked("spam")),
    "signed, one forwarded": ([FLAG, DKIM], {"to": [ANN, OUT]},
                              marked("spam")),
    "signed, not ours": ([FLAG, DKIM], {"to": ["<x@far.example>"]},
                         marked("spam")),
    # forged marks
    "forged marks": ([("X-Mailreeve", "scanner=spam"), FLAG,
                      ("x-mailreeve", "scanner=virus")], {},
                     [("chgheader", i, "X-Mailreeve", "") for i in (2, 1)] +
                     SPAM),
    # behind a content filter
    "in front of the filter": ([VIRUS, ("X-Virus", "clean"), VIRUS], {}, [
        ("chgheader", i, "X-Virus", "") for i in (3, 1)]),
    "from a trusted client, elsewhere": (
        [VIRUS], {"client": "127.0.0.1"}, [("chgheader", 1, "X-Virus", "")]),
    "behind the filter": ([VIRUS], BACK,
                          marked("virus") + tagged("[VIRUS] Hello")),
    "there, from somebody else": ([VIRUS], {"port": "10025"},
                                  [("chgheader", 1, "X-Virus", "")]),
    "at another address": ([VIRUS], {**BACK, "address": "192.0.2.1"},
                           [("chgheader", 1, "X-Virus", "")]),
    "at an unknown one": ([VIRUS], {**BACK, "address": ""},
                          [("chgheader", 1, "X-Virus", "")]),
    "marks of the first pass stay": (
        [("X-Mailreeve", "scanner=spam"), FLAG, VIRUS],
        {**BACK, "subject": "[SPAM] Hello"},
        marked("virus") + tagged("[VIRUS] [SPAM] Hello")),
    "a third pass changes nothing": (
        [("X-Mailreeve", "scanner=spam"), FLAG, VIRUS,
         ("X-Mailreeve", "scanner=virus")],
        {**BACK, "subject": "[VIRUS] [SPAM] Hello"}, []),
    # what a relay of ours says
    "a relay": ([RESULTS], {"client": "198.51.100.7"},
                marked("relay") + tagged("[MALWARE] Hello")),
    "a relay, among results": (
        [("Authentication-Results", "(a) Relay.Example 1; spf=pass (b; c) "
          'smtp.mailfrom="a;b"; X-Malware / 1 = YES-it-is reason="a (b"')],
        {"client": "198.51.100.7"},
        marked("relay") + tagged("[MALWARE] Hello")),
    "a relay, nothing found": (
        [("Authentication-Results", "relay.example; x-malware=no")],
        {"client": "198.51.100.7"}, []),
    "another relay": (
        [("Authentication-Results", "relay.example.org; x-malware=yes")],
        {"client": "198.51.100.7"}, []),
    "a relay's header alone": ([("X-Malware", "yes")],
                               {"client": "198.51.100.7"}, []),
    "a property, no result": (
        [("Authentication-Results", 'relay.example; spf=pass x-malware=yes')],
        {"client": "198.51.100.7"}, []),
    "in a comment, in quotes": (
        [("Authentication-Results",
          'relay.example; spf=pass (; x-malware=yes)'),
         ("Authentication-Results",
          'relay.example; spf=pass smtp.helo="; x-malware=yes"')],
        {"client": "198.51.100.7"}, []),
    "not to be parsed": (
        [("Authentication-Results", "relay.example; x-malware=yes; =")],
        {"client": "198.51.100.7"}, []),
    "forged results": ([RESULTS, ("Authentication-Results", "a.example; none")],
                       {}, [("chgheader", 1, "Authentication-Results", "")]),
    "a login at a relay": ([RESULTS], {"client": "198.51.100.7",
                                       "login": "ann@net.example"},
                           [("chgheader", 1, "Authentication-Results", "")]),
    "several scanners": (
        [FLAG, RESULTS], {"client": "198.51.100.7"},
        marked("spam", "relay") + tagged("[SPAM] [MALWARE] Hello")),
}


@pytest.mark.parametrize("name", CASES)
def test_scanner(milter, name):
    headers, how, want = CASES[name]
    assert changes_of(milter, headers, **how) == want


def test_a_mail_without_a_subject(milter):
    m = milter.session()
    assert m.mail("<s@sender.example>").ok
    assert m.rcpt(ANN).ok
    r = m.message(b"X-Spam-Flag: YES\r\nFrom: s@sender.example\r\n\r\nx\r\n")
    m.quit()
    assert r.changes == marked("spam") + [("addheader", "Subject", " [SPAM]")]


def test_too_many_forged(milter):
    m = milter.session(client=("unknown", AWAY))
    assert m.mail("<s@sender.example>").ok
    assert m.rcpt(ANN).ok
    r = m.message(mail("ann@net.example", headers=101 * [VIRUS]))
    m.quit()
    assert (r.code, r.enhanced) == (550, "5.6.0"), r


def test_too_many_forged_observed(tmp_path):
    """It is let in, and at most so many are deleted."""
    with Milter(tmp_path, "mode = observe\n" + POLICY) as milter:
        m = milter.session(client=("unknown", AWAY))
        assert m.mail("<s@sender.example>").ok
        assert m.rcpt(ANN).ok
        r = m.message(mail("ann@net.example", headers=101 * [
            ("X-Mailreeve", "scanner=spam")]))
        m.quit()
        assert r.ok, r
        assert len(r.changes) <= 100
        milter.lines(r"more than 100 headers .*\(mode = observe\)")


def test_log_and_counts(milter):
    before = int(milter.status().get("count.tag.scanner.spam", 0))
    changes_of(milter, [FLAG, DKIM], to=[ANN, OUT])
    line = milter.lines(r"tag: END-OF-MESSAGE .*<out@net\.example>", 20)[-1]
    assert ("X-Spam-Flag: YES; the Subject stays, as the mail is signed and "
            "goes to another server for <out@net.example>; ") in line
    assert " rule=scanner.spam at=" in line
    assert int(milter.status()["count.tag.scanner.spam"]) == before + 1


def test_observe(tmp_path):
    with Milter(tmp_path, "mode = observe\n" + POLICY) as milter:
        assert changes_of(milter, [FLAG, VIRUS, RESULTS]) == []
        milter.lines(r"observe: END-OF-MESSAGE .*: X-Spam-Flag: YES; "
                     r".*rule=scanner\.spam", 20)
        assert milter.status()["count.observe.scanner.spam"] == "1"


def test_no_headers_are_asked_for_without_a_scanner(tmp_path):
    with Milter(tmp_path, POLICY.partition("scanner spam")[0]) as milter:
        m = milter.session()
        assert m.actions == 0x100
        m.quit()
