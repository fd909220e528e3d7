"""test_scanner - [SPAM] and [VIRUS] beside a real rspamd and SpamAssassin
SPDX-License-Identifier: ISC
"""
import pathlib
import subprocess

import pytest
from e2e import scanners
from e2e.scanners import (BOTH, EICAR, FILTER, GTUBE, GTUBE_HEADER, LAB_SPAM,
                          RELAY, RSPAMD, SPAMASS)

from world import RawSmtp, mail, wait_for, zone_add, zone_reset
from world.postfix import until

ANN, OUT = "ann@alpha.example", "out@alpha.example"
POLICY = """\
hostname = mx.lab.example
maps {
	domains   = lmdb:/etc/postfix/virtual_domains
	aliases   = lmdb:/etc/postfix/virtual
	mailboxes = userdb:/run/dovecot/mailreeve-userdb
}
"""
SPAM = """\
scanner spam {
	header  = X-Spam-Flag: YES
	subject = [SPAM]
	trust   = %s
}
"""
BEFORE = POLICY + SPAM % "before" + """\
scanner rspamd {
	header  = X-Spam: Yes
	subject = [SPAM]
}
scanner virus {
	header  = X-Virus: *
	subject = [VIRUS]
}
"""
REINJECTED = BEFORE.replace("before", "reinjected 127.0.0.1:10025")
# what Postfix itself passes on comes from its smtp_bind_address
FROM_RELAY = POLICY.replace("maps", "trusted = 127.0.0.1 192.0.2.1\nmaps", 1) + """\
scanner relay {
	header  = X-Malware: found
	trust   = authserv-id relay.lab.example
	subject = [VIRUS]
}
"""
DATE = ("Date", "Thu, 26 Nov 2026 03:36:09 +0000")
YES, NO = ("X-Spam-Flag", "YES"), ("X-Spam-Flag", "NO")
RESULTS = ("Authentication-Results", "relay.lab.example; x-malware=found")


@pytest.fixture(scope="module", autouse=True)
def running():
    all_of_them = scanners.Scanners()
    try:
        all_of_them.start_all()
        print("seconds:", all_of_them.seconds)
        yield
    finally:
        all_of_them.stop()


def send(m, port, to):
    with RawSmtp(port=port) as c:
        c.ehlo()
        c.pipeline(f"MAIL FROM:<{m.sender}>", *(f"RCPT TO:<{r}>" for r in to))
        reply = c.data(m)
    assert reply.code == 250, reply


def message_id(m):
    return m.partition(b"Message-ID: <")[2].partition(b">")[0].decode()


class Arrived:
    """What a mailbox has: the headers of a mail, whole lines, unfolded."""

    def __init__(self, m, user=ANN):
        client, uids = wait_for(user, "INBOX", "HEADER", "Message-ID",
                                message_id(m), timeout=60)
        head = client.uid("fetch", uids[-1], "(BODY.PEEK[HEADER])")[1][0][1]
        client.logout()
        self.lines = head.decode("utf-8", "surrogateescape")

    def values(self, name):
        """As they stand behind the colon and its blank, lines split by LF."""
        lines = self.lines.replace("\r\n", "\n")
        values = []
        for line in lines.split("\n"):
            if line[:1] in (" ", "\t") and values:
                values[-1][1] += "\n" + line
            elif ":" in line:
                values.append(list(line.split(": ", 1)) if ": " in line
                              else [line.rstrip(":"), ""])
        return [v for n, v in values if n.lower() == name.lower()]

    @property
    def marks(self):
        return self.values("X-Mailreeve")


def through(port, body, headers=(), subject="A test"):
    m = mail(ANN, headers=[DATE, *headers], subject=subject,
             body=body.encode() + b"\r\n")
    send(m, port, [ANN])
    return Arrived(m)


BEFORE_US = {
    "rspamd": (RSPAMD, GTUBE_HEADER, [("X-Spam", "No")], ["rspamd"],
               "[SPAM] A test"),
    "rspamd, nothing": (RSPAMD, "hello", [], [], "A test"),
    # it strips all, whatever it found
    "rspamd, forged": (RSPAMD, "hello", 2 * [("X-Spam", "Yes")], [], "A test"),
    "virus": (RSPAMD, EICAR, [], ["virus"], "[VIRUS] A test"),
    "virus, forged": (RSPAMD, "hello", 2 * [("X-Virus", "x")], [], "A test"),
    "spamass-milter": (SPAMASS, GTUBE, [], ["spam"], "[SPAM] A test"),
    "spamass-milter, nothing": (SPAMASS, "hello", [], [], "A test"),
    # it strips the first
    "spamass-milter, forged": (SPAMASS, "hello", [YES], [], "A test"),
    "spamass-milter, hidden": (SPAMASS, GTUBE, [NO, NO], ["spam"],
                               "[SPAM] A test"),
}
BEHIND_A_FILTER = {
    "found": (FILTER, GTUBE, [], ["spam"], "[SPAM] A test"),
    "hidden": (FILTER, GTUBE, [NO, NO], ["spam"], "[SPAM] A test"),
    "nothing": (FILTER, "hello", [], [], "A test"),
    "forged": (FILTER, "hello", [YES, ("X-Other", "x"), YES], [], "A test"),
    # the mark and the tag of the first pass stay
    "two scanners": (BOTH, f"{EICAR}\r\n{LAB_SPAM}", [YES], ["virus", "spam"],
                     "[SPAM] [VIRUS] A test"),
    "the second finds nothing": (BOTH, EICAR, [YES], ["virus"],
                                 "[VIRUS] A test"),
}
FROM_A_RELAY = {
    "found": (RELAY, EICAR, [], ["relay"], "[VIRUS] A test"),
    "nothing": (RELAY, "hello", [], [], "A test"),
    "forged": (25, "hello", [RESULTS], [], "A test"),
}


def judge(port, body, headers, marks, subject):
    got = through(port, body, headers)
    assert got.marks == [f"scanner={mark}" for mark in marks], got.lines
    assert got.values("Subject") == [subject], got.lines
    return got


@pytest.mark.parametrize("name", BEFORE_US)
def test_before(policy, name):
    policy(BEFORE)
    judge(*BEFORE_US[name])


def test_before_with_header_checks(policy, postfix):
    """What spamass-milter leaves, Postfix takes away before it scans."""
    rules = pathlib.Path("/etc/postfix/from-outside")
    rules.write_text("/^X-Spam-Flag:/ IGNORE\n")
    policy(BEFORE)
    postfix(header_checks=f"regexp:{rules}")
    got = judge(SPAMASS, "hello", [YES, YES], [], "A test")
    assert got.values("X-Spam-Flag") == []
    judge(SPAMASS, GTUBE, [NO, YES], ["spam"], "[SPAM] A test")


@pytest.mark.parametrize("name", BEHIND_A_FILTER)
def test_reinjected(policy, name):
    policy(REINJECTED)
    got = judge(*BEHIND_A_FILTER[name])
    found = "spam" in BEHIND_A_FILTER[name][3]
    assert [v for v in got.values("X-Spam-Flag") if v == "YES"] == \
        found * ["YES"], got.lines


@pytest.mark.parametrize("name", FROM_A_RELAY)
def test_authserv_id(policy, name):
    policy(FROM_RELAY)
    got = judge(*FROM_A_RELAY[name])
    found = FROM_A_RELAY[name][3] == ["relay"]
    assert len(got.values("Authentication-Results")) == found, got.lines


SUBJECTS = {
    "encoded": ("=?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
                "[SPAM] =?utf-8?Q?Gr=C3=BC=C3=9Fe?="),
    "folded": ("=?utf-8?Q?Gr=C3=BC?=\r\n =?utf-8?Q?=C3=9Fe?=",
               "[SPAM] =?utf-8?Q?Gr=C3=BC?=\n =?utf-8?Q?=C3=9Fe?="),
    "full": ("x" * 69, "[SPAM]\n " + "x" * 69),
    "octets": ("Grüße", "[SPAM] Grüße"),
    "tagged": ("[SPAM] A test", "[SPAM] A test"),
    "tagged, encoded": ("=?utf-8?B?W1NQQU1dIHg=?=", "=?utf-8?B?W1NQQU1dIHg=?="),
    "a reply": ("Re: [SPAM] A test", "[SPAM] Re: [SPAM] A test"),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_subject(policy, name):
    subject, want = SUBJECTS[name]
    policy(BEFORE)
    got = through(RSPAMD, GTUBE_HEADER, subject=subject)
    assert got.values("Subject") == [want]


def test_no_subject(policy):
    policy(BEFORE)
    m = mail(ANN, headers=[DATE], subject="gone",
             body=GTUBE_HEADER.encode() + b"\r\n")
    without = type(m)(m.replace(b"Subject: gone\r\n", b""))
    without.sender = m.sender
    send(without, RSPAMD, [ANN])
    assert Arrived(m).values("Subject") == ["[SPAM]"]


# --- signed mail ----------------------------------------------------------------

SIGN = """
use Mail::DKIM::Signer; use Mail::DKIM::PrivateKey;
my $mail = do { local $/; <STDIN> };
my $s = Mail::DKIM::Signer->new(Algorithm => "rsa-sha256", Method => "relaxed",
    Domain => "signer.example", Selector => "s", KeyFile => $ARGV[0]);
$s->PRINT($mail); $s->CLOSE; print $s->signature->as_string, "\\r\\n", $mail;
"""
VERIFY = """
use Mail::DKIM::Verifier;
my $mail = do { local $/; <STDIN> }; $mail =~ s/\\r?\\n/\\r\\n/g;
my $v = Mail::DKIM::Verifier->new; $v->PRINT($mail); $v->CLOSE;
print $v->result;
"""


def perl(program, text, *args):
    return subprocess.run(["perl", "-e", program, *args], input=bytes(text),
                          check=True, capture_output=True).stdout


@pytest.fixture
def signer(tmp_path):
    """signer(mail): as another server signs it."""
    key = tmp_path / "key"
    subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "1024"],
                   check=True, capture_output=True)
    public = subprocess.run(
        ["openssl", "rsa", "-in", key, "-pubout", "-outform", "PEM"],
        check=True, text=True, capture_output=True).stdout.split("\n")
    zone_add('s._domainkey.signer.example. IN TXT "v=DKIM1; p=%s"\n' %
             '" "'.join(public[1:-2]))

    def sign(m):
        signed = type(m)(perl(SIGN, m, str(key)))
        signed.sender, signed.subject = m.sender, m.subject
        return signed

    yield sign
    zone_reset()


@pytest.fixture
def far():
    """A server elsewhere: the mails that it got."""
    sink = subprocess.Popen(
        ["smtp-sink", "-u", "nobody", "-d", f"{scanners.FOLDER}/got.",
         "203.0.113.25:25", "10"], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def got(m):
        texts = [path.read_bytes() for path in scanners.FOLDER.glob("got.*")]
        return [t for t in texts if message_id(m).encode() in t and
                t.endswith(b"\n")]

    yield lambda m: until(lambda: got(m), 60)[0]
    sink.terminate()
    sink.wait(60)


def test_signed_and_forwarded(policy, signer, far):
    """It keeps its Subject, so that its signature fits where it goes."""
    policy(BEFORE)
    m = signer(mail([ANN, OUT], headers=[DATE], body=GTUBE_HEADER.encode() +
                    b"\r\n"))
    assert perl(VERIFY, m) == b"pass"
    send(m, RSPAMD, [ANN, OUT])
    got = Arrived(m)
    assert got.values("Subject") == [m.subject]
    assert got.marks == ["scanner=rspamd"]
    forwarded = far(m)
    assert b"\nX-Mailreeve: scanner=rspamd" in forwarded
    assert perl(VERIFY, forwarded) == b"pass"


def test_signed_and_kept(policy, signer):
    policy(BEFORE)
    m = signer(mail(ANN, headers=[DATE], body=GTUBE_HEADER.encode() + b"\r\n"))
    send(m, RSPAMD, [ANN])
    assert Arrived(m).values("Subject") == [f"[SPAM] {m.subject}"]


def test_forwarded_but_not_signed(policy, far):
    policy(BEFORE)
    m = mail(OUT, headers=[DATE], body=GTUBE_HEADER.encode() + b"\r\n")
    send(m, RSPAMD, [OUT])
    assert b"\nSubject: [SPAM] " + m.subject.encode() in far(m)


def test_observe(policy):
    policy("mode = observe\n" + BEFORE)
    got = through(RSPAMD, GTUBE_HEADER)
    assert got.marks == [] and got.values("Subject") == ["A test"]
    assert got.values("X-Spam") == ["Yes"]
