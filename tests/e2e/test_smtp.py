"""test_smtp - each rule over real SMTP: reply, log line, place, and explain
SPDX-License-Identifier: ISC
"""
import concurrent.futures
import re

import pytest
from e2e.facts import ID, Facts, explain

from world import (GOOD6, MAIL_LOG, MAILREEVE_LOG, RawSmtp, log_end, log_lines,
                   mail, wait_for, wait_for_queue, where)

ANN, BOB, CAT, DAN = ("ann@alpha.example", "bob@beta.example",
                      "cat@gamma.example", "dan@alpha.example")
M = 1024 * 1024
NOBODY = "nobody@alpha.example"


def judge(facts, homes, code=250, enhanced=None, text=None, rule=None):
    """Sends, and compares with what is wanted, with explain, with the log."""
    mark = log_end(MAILREEVE_LOG)
    outcome = facts.send()
    expected = outcome.explain()
    assert outcome.differences(expected) == [], outcome.reply
    if code == 250:
        assert (outcome.reply.code, expected["rule"]) == (250, rule)
        log_lines(MAILREEVE_LOG, ": accept: END-OF-MESSAGE .* size=", 5, mark)
        found = where(outcome.subject, timeout=60, count=len(homes))
    else:
        assert (outcome.reply.code, outcome.reply.enhanced, outcome.text) == (
            code, enhanced, text)
        assert (expected["code"], expected["enhanced"], expected["rule"]) == (
            code, enhanced, rule)
        line, = log_lines(MAILREEVE_LOG, rf"rule={re.escape(rule)} at=\S+ "
                          rf"id={outcome.id}$", 5, mark)
        assert f"{code} {enhanced} {text}" in line
        assert f" at={expected['at']} " in line
        assert f"from=<{facts.sender}>" in line
        found = where(outcome.subject)
    assert found == [(home, "INBOX") for home in homes]
    return outcome


@pytest.mark.parametrize("to", [ANN, NOBODY])
def test_smoke(to):
    if to == ANN:
        judge(Facts(), [ANN])
    else:
        judge(Facts(to=to), [], *UNKNOWN(to))


# --- every rule ----------------------------------------------------------------------

def UNKNOWN(to):
    return (550, "5.1.1", f"<{to}> does not exist here: please check the "
            "address", "recipient.unknown")


def TOO_BIG(size, to, limit, files):
    return (552, "5.3.4", f"This mail has {size}, {to} takes {limit}, which is "
            f"about {files} of attached files: send a link instead",
            "size.too_big")


NOT_QUALIFIED = (550, "5.5.4", 'Your mail server introduces itself as "client" '
                 "without a domain: please set its full name, like "
                 "mail.example.org", "helo.not_qualified")
LOG_IN = (530, "5.7.0", "Please log in: switch on authentication for the "
          "outgoing server in your mail program", "auth.required")
ENCRYPT = (530, "5.7.0", "Please switch on encryption (SSL/TLS or STARTTLS) "
           "for the outgoing server in your mail program", "tls.required")

ACCEPTED = {
    "plain": (Facts(), [ANN]),
    "bounce": (Facts(sender=""), [ANN]),
    "from a nameless client": (Facts(source="203.0.113.9"), [ANN]),
    "by IPv6": (Facts(source=GOOD6), [ANN]),
    "alias": (Facts(to="info@alpha.example"), [ANN]),
    "chain of aliases": (Facts(to="chain1@alpha.example"), [ANN]),
    "two targets": (Facts(to="team@alpha.example"), [ANN, BOB]),
    "catch-all": (Facts(to="whoever@delta.example"), [ANN]),
    "detail": (Facts(to="ann+lists@alpha.example"), [ANN]),
    "capitals": (Facts(to="Ann@ALPHA.Example"), [ANN]),
    "several recipients": (Facts(to=[ANN, BOB, "info@alpha.example"]),
                           [ANN, BOB]),
    "literal": (Facts(helo="[198.51.100.7]"), [ANN]),
    "trusted client, bad name": (Facts(source="127.0.0.1", helo="client"),
                                 [ANN]),
    "exception": (Facts(source="203.0.113.77", helo="scanner"), [ANN]),
    "limit": (Facts(size=M, declared=M), [ANN]),
    "limit, not declared": (Facts(size=M), [ANN]),
    "too big by its word, not in truth": (Facts(size=3 * M, to=BOB,
                                                declared=M), [BOB]),
    "group's limit": (Facts(to=BOB, size=3 * M, declared=3 * M), [BOB]),
    "587": (Facts(port=587, tls="yes", login=CAT, sender=CAT), [ANN]),
    "465": (Facts(port=465, login=CAT, sender=CAT), [ANN]),
    "587, bad name": (Facts(port=587, tls="yes", login=CAT, helo="laptop"),
                      [ANN]),
    "26, without a login": (Facts(port=26), [ANN]),
}

REFUSED = {
    "not qualified": (Facts(helo="client"), NOT_QUALIFIED),
    "invalid name": (Facts(helo="mail_server!.example"), (
        550, "5.5.4", 'Your mail server introduces itself as '
        '"mail_server!.example", which is not a valid host name: please set '
        "its name", "helo.invalid")),
    "address without brackets": (Facts(helo="198.51.100.7"), (
        550, "5.5.4", 'Your mail server introduces itself as "198.51.100.7", '
        "which is not a valid host name: please set its name",
        "helo.invalid")),
    "unknown": (Facts(to=NOBODY), UNKNOWN(NOBODY)),
    "unknown, by IPv6": (Facts(to=NOBODY, source=GOOD6), UNKNOWN(NOBODY)),
    "unknown with detail": (Facts(to="nobody+ann@alpha.example"),
                            UNKNOWN("nobody+ann@alpha.example")),
    "unknown, from a trusted client": (Facts(to=NOBODY, source="127.0.0.1"),
                                       UNKNOWN(NOBODY)),
    "unknown, logged in": (Facts(to=NOBODY, port=587, tls="yes", login=ANN),
                           UNKNOWN(NOBODY)),
    "larger than anybody takes": (Facts(declared=7 * M // 2), TOO_BIG(
        "3.5 MB", "this server", "3 MB", "2 MB")),
    "an octet too much": (Facts(size=M + 1, declared=M + 1), TOO_BIG(
        "1.1 MB", f"<{ANN}>", "1 MB", "748.3 KB")),
    "an octet too much, not declared": (Facts(size=M + 1), TOO_BIG(
        "1.1 MB", f"<{ANN}>", "1 MB", "748.3 KB")),
    "an octet too much, a lie": (Facts(size=M + 1, declared=500), TOO_BIG(
        "1.1 MB", f"<{ANN}>", "1 MB", "748.3 KB")),
    "user's limit": (Facts(to=DAN, size=200_000, declared=200_000), TOO_BIG(
        "195.3 KB", f"<{DAN}>", "100 KB", "73.1 KB")),
    "login's limit": (Facts(to=BOB, port=465, login=DAN, size=200_000), (
        552, "5.3.4", "This mail has 195.3 KB, you may send 100 KB, which is "
        "about 73.1 KB of attached files: send a link instead",
        "size.too_big_to_send")),
    "587, no login": (Facts(port=587, tls="yes"), LOG_IN),
    "465, no login": (Facts(port=465), LOG_IN),
    "587, trusted, no login": (Facts(port=587, tls="yes",
                                     source="127.0.0.1"), LOG_IN),
    "587, login without TLS": (Facts(port=587, login=ANN), ENCRYPT),
    "domain's TLS": (Facts(port=587, tls="TLSv1.2", login=CAT), (
        550, "5.7.1", "TLSv1.2 is out of date here: please update your mail "
        "program or system, it has to use TLSv1.3 or newer", "tls.too_old")),
    "25, login": (Facts(port=25, tls="yes", login=ANN), (
        550, "5.7.1", "This port is for other mail servers: please use the "
        "submission port, mostly 587, for the outgoing server in your mail "
        "program", "auth.refused")),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name):
    judge(*ACCEPTED[name])


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    facts, want = REFUSED[name]
    judge(facts, [], *want)


def test_observe_accepts_and_logs():
    mark = log_end(MAILREEVE_LOG)
    judge(Facts(to="ann@beta.example", helo="client"), ["ann@beta.example"])
    log_lines(MAILREEVE_LOG, "observe: RCPT from .* rule=helo.not_qualified",
              5, mark)


def headers_of(user, subject, name):
    client, uids = wait_for(user, "INBOX", "SUBJECT", subject)
    text = client.uid("fetch", uids[-1],
                      f"(BODY[HEADER.FIELDS ({name})])")[1][0][1]
    client.logout()
    return [line.partition(": ")[2] for line in
            re.sub(r"\r\n[ \t]+", " ", text.decode()).split("\r\n") if line]


def test_tag_adds_a_header():
    outcome = judge(Facts(to=CAT, helo="client"), [CAT],
                    rule="helo.not_qualified")
    tag, = headers_of(CAT, outcome.subject, "X-Mailreeve")
    assert re.fullmatch(r"helo\.not_qualified; id=\w{8}", tag)


def test_forged_tag_is_removed():
    for helo, count in (("client", 1), ("client.example", 0)):
        m = mail(CAT, headers=[("X-Mailreeve", "forged"),
                               ("x-mailreeve", "twice")])
        with RawSmtp() as c:
            c.ehlo(helo)
            c.pipeline(f"MAIL FROM:<{m.sender}>", f"RCPT TO:<{CAT}>")
            assert c.data(m).code == 250
        tags = headers_of(CAT, m.subject, "X-Mailreeve")
        assert len(tags) == count and "forged" not in str(tags)


# --- several recipients ----------------------------------------------------------------

def retry(m, to, tries=10, **facts):
    """A client that keeps to RFC 5321 section 4.5.4: tries 4xx again, until
    each recipient has its answer: {recipient: [codes]}."""
    answers = {one: [] for one in to}
    pending = list(to)
    for _ in range(tries):
        with Facts(**facts).connect() as c:
            reply = c.cmd(f"MAIL FROM:<{m.sender}>")
            replies = {one: c.cmd(f"RCPT TO:<{one}>") if reply.code == 250
                       else reply for one in pending}
            taken = [one for one in pending if replies[one].code == 250]
            if taken:
                end = c.data(m)
                replies.update({one: end for one in taken})
        for one in pending:
            answers[one].append((replies[one].code, replies[one].enhanced))
        pending = [one for one in pending if replies[one].code // 100 == 4]
        if not pending:
            return answers
    raise AssertionError(f"no answer for {pending}: {answers}")


def test_mail_that_some_take_is_split():
    """Nobody loses, nobody gets it twice, each has an own answer."""
    m = mail([BOB, ANN, DAN], sender="split@sender.example", size=2 * M)
    answers = retry(m, [BOB, ANN, DAN])
    assert all(a[0] == (452, "4.5.3") for a in answers.values()), answers
    assert answers[BOB][-1][0] == 250
    assert answers[ANN][-1] == answers[DAN][-1] == (552, "5.3.4")
    assert where(m.subject, timeout=60) == [(BOB, "INBOX")]
    wait_for_queue()
    assert where(m.subject) == [(BOB, "INBOX")]


def test_split_mail_that_nobody_would_split():
    """All take it, or none: there is nothing to split."""
    for to, code in (([BOB], 250), ([ANN, "eve@alpha.example"], 552)):
        m = mail(to, sender="whole@sender.example", size=2 * M)
        assert {a[0][0] for a in retry(m, to).values()} == {code}


def test_declared_size_is_judged_per_recipient():
    with RawSmtp() as c:
        c.ehlo()
        replies = c.pipeline(f"MAIL FROM:<a@sender.example> SIZE={2 * M}",
                             f"RCPT TO:<{ANN}>", f"RCPT TO:<{BOB}>",
                             f"RCPT TO:<{DAN}>")
        assert [r.code for r in replies] == [250, 552, 250, 552]
        m = mail(BOB, size=2 * M)
        assert c.data(m).code == 250
    assert where(m.subject, timeout=60) == [(BOB, "INBOX")]


def test_many_recipients():
    """A hundred, pipelined; each gets its own answer."""
    to = [f"u{n}@delta.example" for n in range(100)]
    for n in range(5):                  # Postfix hangs up after 20 mistakes
        to.insert(n * 20, f"x{n}@alpha.example")
    m = mail(to[1])
    mark = log_end(MAILREEVE_LOG), log_end(MAIL_LOG)
    with RawSmtp() as c:
        c.ehlo()
        replies = c.pipeline(f"MAIL FROM:<{m.sender}>",
                             *(f"RCPT TO:<{one}>" for one in to))[1:]
        assert c.data(m).code == 250
    for one, reply in zip(to, replies):
        assert reply.code == (550 if one.startswith("x") else 250), reply
        assert reply.code == 250 or f"<{one}>" in reply.text
    log_lines(MAILREEVE_LOG, ": accept: .* nrcpt=100 ", 5, mark[0])
    # Dovecot 2.4 defers some: it is all for ann, and that is too much at once
    log_lines(MAIL_LOG, r"qmgr\[.*, nrcpt=100 \(queue active\)", 10, mark[1])


# --- the protocol ------------------------------------------------------------------------

def test_pipelined_session():
    good, bad = mail(ANN), mail(NOBODY)
    with RawSmtp() as c:
        c.ehlo()
        # DATA ends a group (RFC 2920 section 3.1)
        replies = c.pipeline(
            f"MAIL FROM:<{bad.sender}>", f"RCPT TO:<{NOBODY}>", "DATA")
        replies += c.pipeline(
            "RSET", f"MAIL FROM:<{good.sender}>", f"RCPT TO:<{ANN}>",
            f"RCPT TO:<{NOBODY}>", "DATA")
        assert [r.code for r in replies] == [250, 550, 554, 250, 250, 250,
                                             550, 354]
        c.write(good + b".\r\nQUIT\r\n")
        assert [c.read().code, c.read().code] == [250, 221]
    assert where(good.subject, timeout=60) == [(ANN, "INBOX")]


def test_rset_forgets():
    m = mail(ANN)
    with RawSmtp() as c:
        c.ehlo()
        assert c.cmd(f"MAIL FROM:<a@sender.example> SIZE={2 * M}").code == 250
        assert c.cmd(f"RCPT TO:<{ANN}>").code == 552
        assert c.cmd("RSET").code == 250
        c.pipeline(f"MAIL FROM:<{m.sender}>", f"RCPT TO:<{ANN}>")
        assert c.last.code == 250
        assert c.data(m).code == 250
        # and the next mail of the session knows nothing of the last
        assert c.cmd("MAIL FROM:<>").code == 250
        assert c.cmd(f"RCPT TO:<{NOBODY}>").code == 550
    assert where(m.subject, timeout=60) == [(ANN, "INBOX")]


@pytest.mark.parametrize("names", [("client", "client.example"),
                                   ("client.example", "client")])
def test_helo_after_starttls_counts(names):
    """RFC 3207 section 4.2"""
    with RawSmtp() as c:
        c.ehlo(names[0])
        c.starttls()
        c.ehlo(names[1])
        c.cmd("MAIL FROM:<a@sender.example>")
        reply = c.cmd(f"RCPT TO:<{ANN}>")
        assert reply.code == (250 if "." in names[1] else 550)


def test_second_helo_counts():
    with RawSmtp() as c:
        c.ehlo("client")
        c.cmd("MAIL FROM:<a@sender.example>")
        assert c.cmd(f"RCPT TO:<{ANN}>").code == 550
        c.ehlo("client.example")
        c.cmd("MAIL FROM:<a@sender.example>")
        assert c.cmd(f"RCPT TO:<{ANN}>").code == 250


def test_bdat():
    """RFC 3030, and the size is the sum of the pieces."""
    small, big = mail(ANN), mail(ANN, size=M + 1)
    with RawSmtp() as c:
        assert "CHUNKING" in c.ehlo().text
        for m, code in ((small, 250), (big, 552)):
            c.pipeline(f"MAIL FROM:<{m.sender}>", f"RCPT TO:<{ANN}>")
            half = len(m) // 2
            c.write(b"BDAT %d\r\n" % half + m[:half])
            assert c.read().code == 250
            c.write(b"BDAT %d LAST\r\n" % (len(m) - half) + m[half:])
            assert c.read().code == code
    assert where(small.subject, timeout=60) == [(ANN, "INBOX")]
    assert where(big.subject) == []


def test_smtputf8():
    """RFC 6531; a reply stays ASCII (RFC 5321 section 4.2)."""
    m = mail(ANN)
    with RawSmtp() as c:
        assert "SMTPUTF8" in c.ehlo().text
        assert c.cmd("MAIL FROM:<jörg@sender.example> SMTPUTF8").code == 250
        reply = c.cmd("RCPT TO:<jürgen@alpha.example>")
        assert (reply.code, reply.enhanced) == (550, "5.1.1")
        assert reply.text.isascii() and reply.text.isprintable()
        assert c.cmd(f"RCPT TO:<{ANN}>").code == 250
        c.cmd("RSET")
        c.cmd("MAIL FROM:<a@sender.example> SMTPUTF8")
        c.cmd(f"RCPT TO:<{ANN}>")
        assert c.data(m).code == 250
    assert where(m.subject, timeout=60) == [(ANN, "INBOX")]


HOSTILE = [
    b"%s%n%x", b'"><script>alert(1)</script>', b"a\tb.example", b"x" * 1500,
    b"[IPv6:zzz]", b"a..b", b"-", b"\xff\xfe.example",
    b"a;rule=none", b"a (id AAAAAAAA)", b"\x1b[31mred", b"a\x00b", b"..",
    b"[127.0.0.1", b"a\rb",
]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda n: repr(n[:20]))
def test_hostile_helo(name):
    """One printable line to the client, one to the log, and refused."""
    mark = log_end(MAILREEVE_LOG)
    with RawSmtp() as c:
        c.write(b"EHLO " + name + b"\r\n")
        said = c.read()
        if said.code != 250:            # Postfix has seen through it
            assert said.code in (500, 501, 502)
            return
        c.pipeline("MAIL FROM:<a@sender.example>", f"RCPT TO:<{ANN}>")
        reply = c.last
    assert (reply.code, reply.enhanced) == (550, "5.5.4")
    assert len(reply.lines) == 1 and len(reply.lines[0]) <= 250
    assert reply.text.isascii() and reply.text.isprintable()
    line, = log_lines(MAILREEVE_LOG, rf"id={ID.search(reply.text)[1]}$", 5,
                      mark)
    assert line.isprintable()


def test_xclient(postfix):
    """A second connect event: another client, and no login any more."""
    postfix(smtpd_authorized_xclient_hosts="198.51.100.200")
    with RawSmtp(587, "198.51.100.200") as c:
        c.ehlo("scanner")
        c.starttls()
        assert "XCLIENT" in c.ehlo("scanner").text
        assert c.login(ANN).code == 235
        c.pipeline("MAIL FROM:<ann@alpha.example>", f"RCPT TO:<{ANN}>")
        assert c.last.code == 250
        c.cmd("RSET")
        assert c.cmd("XCLIENT ADDR=203.0.113.9 NAME=[UNAVAILABLE]").code == 220
        c.ehlo("scanner")
        c.pipeline("MAIL FROM:<ann@alpha.example>", f"RCPT TO:<{ANN}>")
        assert (c.last.code, c.last.enhanced) == (530, "5.7.0")
    for address, code in (("203.0.113.77", 250), ("203.0.113.9", 550),
                          ("IPv6:2001:db8:c::7", 550), ("127.0.0.1", 250)):
        with RawSmtp(25, "198.51.100.200") as c:
            c.ehlo("scanner")
            assert c.cmd(f"XCLIENT ADDR={address}").code == 220
            c.ehlo("scanner")
            c.pipeline("MAIL FROM:<a@sender.example>", f"RCPT TO:<{ANN}>")
            assert c.last.code == code, address


def test_parallel_sessions():
    """Twenty at once, each with its own facts: none sees another's."""
    def session(n):
        good = mail(ANN, sender=f"p{n}@sender.example")
        helo = "client" if n % 2 else f"client{n}.example"
        with Facts(helo=helo).connect() as c:
            for _ in range(5):
                c.pipeline(f"MAIL FROM:<{good.sender}>",
                           f"RCPT TO:<x{n}@alpha.example>")
                assert c.last.code == 550
                if n % 2:
                    assert '"client"' in c.last.text, c.last
                else:
                    assert f"<x{n}@alpha.example>" in c.last.text, c.last
                yield ID.search(c.last.text)[1]
                c.cmd("RSET")
            c.pipeline(f"MAIL FROM:<{good.sender}>", f"RCPT TO:<{ANN}>")
            assert c.last.code == (550 if n % 2 else 250)
            if n % 2 == 0:
                assert c.data(good).code == 250
                assert where(good.subject, timeout=60) == [(ANN, "INBOX")]

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        ids = [one for many in
               pool.map(lambda n: list(session(n)), range(20)) for one in many]
    assert len(ids) == len(set(ids)) == 100


def test_explain_needs_no_milter():
    """The same verdict for several recipients, in their order."""
    expected = explain("--client", "198.51.100.7", "--helo", "client.example",
                       "--from", "a@sender.example", "--rcpt", ANN,
                       "--rcpt", NOBODY, "--rcpt", BOB)
    assert [r["verdict"] for r in expected["recipients"]] == [
        "accept", "reject", "accept"]
    assert expected["recipients"][2]["mailboxes"] == [BOB]


@pytest.mark.parametrize("said", [
    "<joe@bank.example(x@sender.example>", "<joe@bank.example (x)>",
    "joe@bank.example(x@sender.example)"])
def test_the_sender_is_whom_postfix_takes_it_for(said):
    """What looks like a comment is none of it, and speaks for nobody."""
    mark = log_end(MAILREEVE_LOG)
    with Facts().connect() as c:
        assert c.cmd(f"MAIL FROM:{said}").code == 250, c.last
        assert c.cmd(f"RCPT TO:<{NOBODY}>").code == 550
    log_lines(MAILREEVE_LOG, "RCPT from .* from=<joe@bank.example> to=<",
              after=mark)
