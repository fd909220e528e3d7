"""test_cli_scanner - what check, show and explain say of scanners
SPDX-License-Identifier: ISC
"""
import subprocess

import pytest

MAPS = """\
hostname = mx.lab.example
maps {
	domains = inline:{ net.example=x }
	aliases = inline:{ out@net.example=x@far.example }
	mailboxes = inline:{ ann@net.example=x }
}
"""
SPAM = """\
scanner spam {
	header  = X-Spam-Flag: YES
	subject = [SPAM]
}
"""
BEHIND = SPAM.replace("YES", "YES\n\ttrust = reinjected 127.0.0.1:10025")


@pytest.fixture
def mailreeve(tmp_path):
    """mailreeve(policy, verb, ...): the exit status, and what it says."""
    def run(text, verb, *args):
        path = tmp_path / "mailreeve.conf"
        path.write_text(text)
        ran = subprocess.run(["mailreeve", verb, "-c", path, *args], text=True,
                             capture_output=True, stdin=subprocess.DEVNULL)
        return ran.returncode, ran.stdout + ran.stderr
    return run


def scanner(*lines, name="spam"):
    return f"scanner {name} {{\n" + "".join(f"{line}\n" for line in lines) + \
        "}\n"


HEADER = "header = X-Spam-Flag: YES"

MISTAKES = {
    "no header": (scanner("subject = [SPAM]"),
                  "scanner spam has no header at the top of the file"),
    "no value": (scanner("header = X-Spam-Flag:"),
                 "a scanner's header is NAME: VALUE"),
    "no colon": (scanner("header = X-Spam-Flag YES"),
                 "a scanner's header is NAME: VALUE"),
    "a blank in the name": (scanner("header = X Spam: YES"),
                            "a scanner's header is NAME: VALUE"),
    "somebody's header": (scanner("header = subject: *"),
                          "subject is no header of a scanner's own"),
    "the mark": (scanner("header = X-Mailreeve: *"),
                 "X-Mailreeve is no header of a scanner's own"),
    "no trust": (scanner(HEADER, "trust = behind"), "trust is before, reinj"),
    "no port": (scanner(HEADER, "trust = reinjected 127.0.0.1"),
                "trust is before, reinj"),
    "no address": (scanner(HEADER, "trust = reinjected 10025"),
                   "is not ADDRESS, ADDRESS:PORT or"),
    "no name": (scanner(HEADER, "trust = authserv-id"), "trust is before, re"),
    "our own name": (scanner(HEADER, "trust = authserv-id MX.lab.example"),
                     "is this server itself"),
    "two kinds of trust": (
        SPAM + scanner("header = x-spam-flag: NO",
                       "trust = reinjected 127.0.0.1:10025", name="other"),
        "scanner spam trusts the header x-spam-flag in another way"),
    "a bad name": (scanner(HEADER, name="Spam"), "a scanner's name is of a-z"),
    "octets": (scanner(HEADER, "subject = [SPÄM]"), "1 to 40 printable ASCII"),
    "too long": (scanner(HEADER, "subject = " + 41 * "x"), "1 to 40 printable"),
    "below the top": (
        SPAM + f"domain net.example {{\n{scanner(HEADER)}}}\n",
        "header and trust stand at the top of the file"),
    "only below the top": (
        f"domain net.example {{\n{scanner('folder = x', name='b')}}}\n",
        "scanner b is not at the top of the file"),
    "too many": ("".join(scanner(HEADER, name=f"s{i}") for i in range(33)),
                 "32 scanners are the most"),
}
WARNINGS = {
    "nothing wanted": (MAPS + scanner(HEADER), "nothing comes of scanner spam"),
    "no maps": ("hostname = mx.lab.example\n" + SPAM,
                "signed mail keeps its Subject"),
    "everybody's port": (MAPS + BEHIND.replace("10025", "25"),
                         "mail from everybody comes in at port 25"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(mailreeve, name):
    text, said = MISTAKES[name]
    status, output = mailreeve(MAPS + text, "check")
    assert status == 2 and output.count("error:") == 1, output
    assert said in output


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(mailreeve, name):
    text, said = WARNINGS[name]
    status, output = mailreeve(text, "check")
    assert status == 0 and output.count("warning:") == 1, output
    assert said in output


def test_nothing_to_say(mailreeve):
    for text in (SPAM, BEHIND, scanner(HEADER, "folder = Spam")):
        status, output = mailreeve(MAPS + text, "check")
        assert status == 0 and ", 0 warnings" in output, output


def explain(mailreeve, policy, *args, to="ann@net.example", **how):
    how = {"client": "198.51.100.7", "helo": "out.example.org",
           "from": "s@example.org", **how}
    status, output = mailreeve(
        MAPS + policy, "explain", "--rcpt", to,
        *(part for name in how for part in ("--" + name, how[name])),
        *(part for header in args for part in ("--header", header)))
    assert status == 0, output
    return output


def test_explain(mailreeve):
    mail = ["X-Spam-Flag: yes", "Subject: Hello", "DKIM-Signature: v=1"]
    output = explain(mailreeve, SPAM, *mail)
    assert "adds the header X-Mailreeve: scanner=spam\n" in output
    assert "changes the Subject: [SPAM] Hello\n" in output
    output = explain(mailreeve, SPAM, *mail, to="out@net.example")
    assert "adds the header X-Mailreeve: scanner=spam\n" in output
    assert "changes the Subject" not in output
    assert "the mail is signed and goes to another server" in output
    assert "scanner" not in explain(mailreeve, SPAM, *mail[1:])
    assert "adds the header" not in explain(
        mailreeve, "mode = observe\n" + SPAM, *mail)


def test_explain_behind_a_filter(mailreeve):
    for how, found in (({}, False), ({"port": "10025"}, False),
                       ({"port": "127.0.0.1:10025"}, True),
                       ({"port": "[::1]:10025"}, False)):
        output = explain(mailreeve, BEHIND, "X-Spam-Flag: YES",
                         client="127.0.0.1", **how)
        assert ("scanner=spam" in output) == found, how
    assert "scanner=spam" not in explain(
        mailreeve, BEHIND, "X-Spam-Flag: YES", port="127.0.0.1:10025")


def test_show(mailreeve):
    text = MAPS + SPAM + "domain net.example {\n\tscanner spam {\n" \
        "\t\tsubject = none\n\t}\n}\n"
    for address, value, rung in (("ann@net.example", "none", "domain"),
                                 ("x@other.example", "[SPAM]", "global")):
        output = mailreeve(text, "show", address)[1]
        row, = [line.split() for line in output.splitlines()
                if line.startswith("scanner spam.subject ")]
        assert row[2:4] == [value, rung], row
