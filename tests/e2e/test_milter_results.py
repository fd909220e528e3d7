"""test_milter_results - Authentication-Results and Received-SPF, without Postfix
SPDX-License-Identifier: ISC
"""
import pytest

from milterd import Milter, deliver
from world.logs import dns_log, dns_reset
from world.message import mail

NAME = "Authentication-Results"
POLICY = """\
hostname = mx.lab.example
maps {
	domains = inline:{ net.example=x }
	mailboxes = inline:{ ann@net.example=x }
}
check mx {
	action = off
}
check size {
	action = off
}
authentication_results {
	add = yes
}
"""
FORGED = [(NAME, "mx.lab.example; spf=pass smtp.mailfrom=bank.example"),
          (NAME, "other.example; spf=pass smtp.mailfrom=bank.example"),
          ("authentication-RESULTS", "(x) MX.lab.example 1; none"),
          (NAME, "mx.lab.example.org; none"),
          ("Received", "from mx.lab.example"), (NAME, "(what"),
          (NAME, "mx.lab.example")]


@pytest.fixture
def milter(tmp_path):
    with Milter(tmp_path, POLICY) as milter:
        yield milter


def results(milter, client, sender="<a@sender.example>",
            helo="out.sender.example", name="unknown", macros=None,
            headers=()):
    """What was changed in the mail."""
    m = milter.session(helo=helo, client=(name, client))
    assert m.mail(sender, macros=macros).ok
    assert m.rcpt("<ann@net.example>").ok
    r = m.message(mail("ann@net.example", headers=list(headers)))
    m.quit()
    assert r.ok, r
    return r.changes


def added(spf, iprev, address):
    return [("insheader", 0, NAME, f" mx.lab.example;\n\tspf={spf};\n\t"
             f"iprev={iprev} policy.iprev={address}")]


@pytest.mark.parametrize("client, how, spf, iprev", [
    ("198.51.100.7", {}, "pass smtp.mailfrom=sender.example", "pass"),
    ("198.51.100.8", {}, "fail smtp.mailfrom=sender.example", "fail"),
    ("198.51.100.9", {}, "fail smtp.mailfrom=sender.example", "temperror"),
    ("203.0.113.9", {"sender": "<a@soft.example>"},
     "softfail smtp.mailfrom=soft.example", "permerror"),
    ("198.51.100.7", {"sender": "<a@neutral.example>", "name": "any.example"},
     "neutral smtp.mailfrom=neutral.example", "pass"),
    ("198.51.100.7", {"sender": "<>"},
     "none smtp.helo=out.sender.example", "pass"),
    ("198.51.100.7", {"helo": "nohelo.example"},
     "fail smtp.helo=nohelo.example", "pass"),
    ("198.51.100.7", {"sender": "<a@broken.example>"},
     "temperror smtp.mailfrom=broken.example", "pass"),
    ("198.51.100.7", {"sender": "<a@wrong.example>"},
     "permerror smtp.mailfrom=wrong.example", "pass"),
    ("198.51.100.7", {"sender": "<>", "helo": 'a"b; spf=pass'},
     r'none smtp.helo="a\"b; spf=pass"', "pass"),
    ("198.51.100.7", {"sender": "<root>"}, 'none smtp.mailfrom=""', "pass"),
])
def test_what_was_found(milter, client, how, spf, iprev):
    assert results(milter, client, **how) == added(spf, iprev, client)


def test_an_address_of_ipv6_is_quoted(milter):
    assert results(milter, "2001:db8:c::7") == added(
        "pass smtp.mailfrom=sender.example", "pass", '"2001:db8:c::7"')


def test_forged_ones_are_removed_from_the_last(milter):
    changes = results(milter, "198.51.100.7", headers=FORGED)
    assert changes[:-1] == [("chgheader", i, NAME, "") for i in (6, 5, 3, 1)]
    assert changes[-1][:3] == ("insheader", 0, NAME)


def test_a_login_gets_none_but_may_not_forge(milter):
    changes = results(milter, "198.51.100.7", headers=FORGED,
                      macros={"{auth_authen}": "ann@net.example"})
    assert changes == [("chgheader", i, NAME, "") for i in (6, 5, 3, 1)]


def test_a_trusted_client_is_believed(milter):
    assert results(milter, "127.0.0.1", headers=FORGED) == []


LISTS = """\
check dnsbl {
	action = observe
}
dnsbl one.lists.example {
}
dnswl better.lists.example {
}
dnswl good {
	zone = good.lists.example
	codes = 127.0.*.1..3
}
dnswl refusing.lists.example {
}
"""


@pytest.mark.parametrize("client, better, good", [
    ("198.51.100.20", "none", "pass policy.ip=127.0.5.1"),
    ("198.51.100.21", "pass policy.ip=127.0.5.1", "none"),
    ("198.51.100.23", "none", "none policy.ip=127.0.5.0"),
    ("198.51.100.32", "none", "temperror"),
])
def test_what_lists_of_good_senders_say(tmp_path, client, better, good):
    """But those that are taken out, as one that refuses us is."""
    with Milter(tmp_path, POLICY + LISTS) as milter:
        (_, _, _, value), = results(milter, client)
        said = [part.strip() for part in value.split(";")[3:]]
        expected = []
        for zone, what in ("better.lists.example", better), ("good", good):
            word, _, code = what.partition(" ")
            expected.append(f"dnswl={word} dns.zone={zone} {code}".strip())
        assert said == expected


SPF = "Received-SPF"
BOTH = POLICY.replace("add = yes", "add = yes\n\treceived_spf = yes")
ONLY_SPF = POLICY.replace("add = yes", "received_spf = yes")
FORGED_SPF = [(SPF, "pass receiver=mx.lab.example; client-ip=192.0.2.9"),
              (SPF, "pass receiver=other.example; helo=a.example"),
              ("received-spf", "pass (x) client-ip=192.0.2.9"),
              (NAME, "mx.lab.example; none"),
              (SPF, 'pass receiver="MX.lab.example"')]


@pytest.mark.parametrize("client, how, result, pairs", [
    ("198.51.100.7", {}, "pass", ["identity=mailfrom",
     "client-ip=198.51.100.7", "helo=out.sender.example",
     'envelope-from="a@sender.example"']),
    ("2001:db8:c::7", {}, "pass", ["identity=mailfrom",
     'client-ip="2001:db8:c::7"', "helo=out.sender.example",
     'envelope-from="a@sender.example"']),
    ("198.51.100.7", {"sender": "<>", "helo": 'a"b.'}, "none",
     ["identity=helo", "client-ip=198.51.100.7", r'helo="a\"b."']),
    ("198.51.100.7", {"helo": "nohelo.example"}, "fail",
     ["identity=helo", "client-ip=198.51.100.7", "helo=nohelo.example",
      'envelope-from="a@sender.example"']),
    ("198.51.100.7", {"sender": "<a@wrong.example>"}, "permerror",
     ["identity=mailfrom", "client-ip=198.51.100.7",
      "helo=out.sender.example", 'envelope-from="a@wrong.example"',
      'problem="']),
])
def test_received_spf(tmp_path, client, how, result, pairs):
    with Milter(tmp_path, ONLY_SPF) as milter:
        (*what, value), = results(milter, client, **how)
        assert what == ["insheader", 0, SPF]
        begin, *said = [part.strip() for part in value.split(";")]
        assert begin == f"{result} receiver=mx.lab.example"
        assert said[:len(pairs) - 1] == pairs[:-1]
        assert ";".join(said[len(pairs) - 1:]).startswith(pairs[-1])


def test_received_spf_asks_nothing_else(tmp_path):
    """Only the other header tells of the client's name."""
    with Milter(tmp_path, ONLY_SPF) as milter:
        dns_reset()
        results(milter, "198.51.100.7")
        # the world's own milter may probe the same server
        assert {q.type for q in dns_log() if q.name != "localhost"} == {"TXT"}


def test_both_headers(tmp_path):
    """Each name has its own numbers."""
    with Milter(tmp_path, BOTH) as milter:
        changes = results(milter, "198.51.100.7", headers=FORGED_SPF)
        assert [change[:3] for change in changes] == [
            ("chgheader", 4, SPF), ("chgheader", 3, SPF),
            ("chgheader", 1, SPF), ("insheader", 0, SPF),
            ("chgheader", 1, NAME), ("insheader", 0, NAME)]
        changes = results(milter, "198.51.100.7", headers=FORGED_SPF,
                          macros={"{auth_authen}": "ann@net.example"})
        assert [change[0] for change in changes] == 4 * ["chgheader"]
        assert results(milter, "127.0.0.1", headers=FORGED_SPF) == []


def test_one_header_does_not_touch_the_other(milter):
    changes = results(milter, "198.51.100.7", headers=FORGED_SPF)
    assert [change[:3] for change in changes] == [
        ("chgheader", 1, NAME), ("insheader", 0, NAME)]


def test_another_name(tmp_path):
    text = POLICY.replace("add = yes", "add = yes\n\tauthserv_id = net.example")
    with Milter(tmp_path, text) as milter:
        changes = results(milter, "198.51.100.7", headers=FORGED)
        assert [c[:2] for c in changes] == [("chgheader", 5), ("insheader", 0)]
        assert changes[1][3].startswith(" net.example;\n\tspf=pass ")


def test_nothing_without_the_setting(tmp_path):
    with Milter(tmp_path, POLICY.replace("yes", "no")) as milter:
        m = milter.session()
        assert m.actions == 0x100
        assert deliver(m, mail("ann@net.example", headers=FORGED)).changes == []
        m.quit()


def test_too_many_of_them(milter):
    m = milter.session()
    assert m.mail("<a@sender.example>").ok
    assert m.rcpt("<ann@net.example>").ok
    r = m.message(mail("ann@net.example", headers=101 * [FORGED[0]]))
    assert (r.code, r.enhanced) == (550, "5.6.0"), r
    m.quit()
