"""test_recipients - does the policy know where Postfix really delivers?
SPDX-License-Identifier: ISC

A corpus of addresses is sent through a Postfix that knows nothing of us, on port
26 and with tables of its own.  What is expected comes from its answers, its log
and Dovecot's mailboxes, of the same run; `mailreeve explain' has to say the same.
"""
import pathlib
import re

import pytest
from conftest import reload_postfix, run
from e2e.facts import explain

from world import (MAIL_LOG, RawSmtp, doveadm, log_end, log_lines, mail,
                   wait_for_queue, where)

HOSTED = ("alpha", "beta", "gamma", "delta", "utf", "other")
CORPUS = pathlib.Path("/etc/postfix/corpus")

# Beside those of the world.  Mail to utf.example is thrown away, as Dovecot's
# LMTP does not speak SMTPUTF8.
ALIASES = """\
"q x"@alpha.example     ann@alpha.example
.dot@alpha.example      ann@alpha.example
UPPER@Alpha.Example     Bob@Alpha.Example
spec+x@alpha.example    bob@alpha.example
spec@alpha.example      ann@alpha.example
ext@alpha.example       ann+box@alpha.example
wide@alpha.example      ann@alpha.example, bob@alpha.example cat@alpha.example
twice@alpha.example     ann@alpha.example, ANN@alpha.example, info@alpha.example
deep1@alpha.example     deep2@beta.example
deep2@beta.example      deep3@gamma.example, dan@alpha.example
deep3@gamma.example     eve@alpha.example, deep4@alpha.example
deep4@alpha.example     bob@gamma.example
self@alpha.example      self@alpha.example
bob@gamma.example       bob@gamma.example
eve@gamma.example       eve@gamma.example, ann@gamma.example
cat@gamma.example       ann@gamma.example, cat@gamma.example
both@alpha.example      ann@alpha.example, someone@remote.example
far1@alpha.example      far2@remote.example
far2@remote.example     bob@alpha.example
afar@alpha.example      someone+x@remote.example, other@remote.example
dead@alpha.example      nobody@alpha.example
half@alpha.example      nobody@alpha.example, ann@alpha.example
under@alpha.example     ann@sub.alpha.example
phrase@alpha.example    "Ann, A." <ann@alpha.example>
comment@alpha.example   ann@alpha.example (is there), bob@alpha.example
route@alpha.example     @relay.example:ann@alpha.example
percent@alpha.example   ann%beta.example
todomain@alpha.example  @beta.example
dan+away@beta.example   ann@beta.example
loop3@alpha.example     loop4@beta.example
loop4@beta.example      loop5@gamma.example
loop5@gamma.example     loop3@alpha.example
loopy@alpha.example     ann@alpha.example, loopy2@alpha.example
loopy2@alpha.example    loopy@alpha.example
grow@alpha.example      grow+x@alpha.example
ann@other.example       ann@alpha.example
sales@other.example     bob@alpha.example, sales@remote.example
two@other.example       ann@other.example
lost@other.example      nobody@other.example
j\u00fcrgen@alpha.example  ann@alpha.example
\u00e4lias@utf.example     j\u00fcrgen@utf.example
m\u00fcll@utf.example      ann@alpha.example, ren\u00e9+x@utf.example
"""
UTF = ("j\u00fcrgen@utf.example", "ren\u00e9@utf.example", "\u540d@utf.example",
       "plain@utf.example")
POLICY = """\
hostname = mx.lab.example
maps {
	domains   = lmdb:/etc/postfix/corpus_domains
	aliases   = lmdb:/etc/postfix/corpus
	mailboxes = userdb:/run/dovecot/mailreeve-userdb lmdb:/etc/postfix/corpus_utf
}
check recipient {
	action = reject
}
"""


def keys(text):
    return re.findall(r'^("[^"]*"@\S+|[^#@\s]\S*)', text, re.M)


def addresses():
    """Every address of the tables, and what people make of them."""
    found = keys(pathlib.Path("/etc/postfix/virtual_mailboxes").read_text() +
                 pathlib.Path("/etc/postfix/virtual").read_text() + ALIASES)
    found += UTF
    for address in ("ann@alpha.example", "info@alpha.example",
                    "team@alpha.example", "chain1@alpha.example",
                    "deep1@alpha.example", "both@alpha.example",
                    "ann@other.example", "ext@alpha.example"):
        local, _, domain = address.partition("@")
        found += [f"{local}+detail@{domain}", f"{local.upper()}@{domain}",
                  f"{local}@{domain.upper()}", f'"{local}"@{domain}',
                  f'"{local}+a b"@{domain}', f"{local}+@{domain}",
                  f"{local}+a+b@{domain}", f"{local}-x@{domain}",
                  f"{local}.@{domain}", f"{local}@{domain}."]
    for domain in HOSTED:
        found += [f"{local}@{domain}.example" for local in
                  ("nobody", "nobody+ann", "+ann", "a.b", "root",
                   "postmaster", "ann%beta.example", "ann=beta", "-ann",
                   "x" * 64)]
    found += ["@alpha.example,@beta.example:ann@alpha.example",
              "@alpha.example:Team+x@alpha.example",
              "spec+y@alpha.example", "Spec+X@alpha.example",
              "dan+away@beta.example", "dan+home@beta.example",
              "todomain+x@alpha.example", "under+x@alpha.example",
              '"q x+y"@alpha.example', '"Q X"@alpha.example',
              '"ann"+x@alpha.example', '"a\\nn"@alpha.example',
              "nobody@sub.alpha.example", "ann@remote.example",
              "ann@mx.lab.example", "root@localhost",
              "J\u00fcrgen@utf.example", "J\u00dcRGEN@utf.example",
              "j\u00fcrgen+\u00e9@utf.example", "\u00c4lias@utf.example",
              "j\u00fcrgen+x@alpha.example", "J\u00dcRGEN@alpha.example",
              "\u00f6de@alpha.example", "\u00f6de@utf.example",
              '"\u540d"@utf.example', "Plain+\u540d@utf.example"]
    return list(dict.fromkeys(found))


class Delivery:
    """What Postfix says to an address, and makes of it."""

    def __init__(self, address):
        m = mail("undisclosed@sender.example")
        self.subject, self.queue_id, self.homes = m.subject, None, []
        with RawSmtp(26) as c:
            c.ehlo()
            c.cmd(f"MAIL FROM:<{m.sender}> SMTPUTF8")
            if c.cmd(f"RCPT TO:<{address}>").code == 250:
                c.data(m)
            self.code = c.last.code
            if self.code == 250:
                self.queue_id = re.search(r"queued as (\w+)", c.last.text)[1]

    def ends(self, log):
        """(address, is it in a mailbox) of all that was not refused at the next
        hop, other than for not speaking SMTPUTF8."""
        if not self.queue_id:
            return set()
        return {(to.lower(), relay != "none" and why == "sent")
                for to, relay, why in re.findall(
                    rf" {self.queue_id}: to=<(.*?)>,.* relay=(\S+?)[\[,].* "
                    r"status=(sent|bounced \(SMTPUTF8)", log)}


def settings():
    """Of the Postfix that is asked."""
    virtual = "lmdb:/etc/postfix/virtual"
    mine = f"lmdb:{CORPUS}"
    return [f"virtual_alias_maps={mine}", "virtual_alias_domains=other.example",
            f"virtual_mailbox_domains={virtual}_domains utf.example",
            f"virtual_mailbox_maps={virtual}_mailboxes {mine}_utf",
            "transport_maps=inline:{ utf.example=discard:, "
            "remote.example=discard:, sub.alpha.example=discard: }",
            "relay_domains=remote.example, sub.alpha.example",
            "enable_long_queue_ids=yes"]


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory):
    """({address: Delivery}, policy), when all of it has gone its way."""
    saved = {name: pathlib.Path("/etc/postfix", name).read_text()
             for name in ("main.cf", "master.cf")}
    policy = tmp_path_factory.mktemp("policy") / "corpus.conf"
    policy.write_text(POLICY)
    CORPUS.write_text(
        pathlib.Path("/etc/postfix/virtual").read_text() + ALIASES)
    for name, lines in (("utf", UTF),
                        ("domains", [f"{name}.example" for name in HOSTED])):
        CORPUS.with_name(f"corpus_{name}").write_text(
            "".join(f"{line} x\n" for line in lines))
    run("postmap", *(f"lmdb:{CORPUS}{name}" for name in
                     ("", "_utf", "_domains")))
    run("postconf", *settings())
    run("postconf", "-P", "26/inet/smtpd_milters=",
        "26/inet/smtpd_reject_unlisted_recipient=yes",
        "26/inet/smtpd_error_sleep_time=0")
    reload_postfix()
    mark = log_end(MAIL_LOG)
    found = {one: Delivery(one) for one in addresses()}
    wait_for_queue(60)
    for row in doveadm("fetch", "-A", "user hdr.subject", "all"):
        for one in found.values():
            if one.subject == row["hdr.subject"]:
                one.homes.append(row["user"])
    log = "\n".join(log_lines(MAIL_LOG, " to=<", after=mark))
    yield found, policy, log
    for name, text in saved.items():
        pathlib.Path("/etc/postfix", name).write_text(text)
    reload_postfix()


def is_hosted(address):
    domain = address.rpartition("@")[2].rstrip(".").lower()
    return domain in [f"{name}.example" for name in HOSTED]


def without_detail(address):
    local, _, domain = address.rpartition("@")
    return f"{local.split('+')[0]}@{domain}"


def test_tables_that_change():
    """A new alias counts as soon as Postfix has it."""
    table = pathlib.Path("/etc/postfix/virtual")
    before = table.read_text()
    try:
        table.write_text(before + "new@alpha.example eve@alpha.example\n")
        run("postmap", "lmdb:/etc/postfix/virtual")
        mark = log_end(MAIL_LOG)
        m = mail("new@alpha.example")
        with RawSmtp() as c:
            c.ehlo()
            c.cmd(f"MAIL FROM:<{m.sender}>")
            assert c.cmd("RCPT TO:<new@alpha.example>").code == 250
            c.data(m)
        assert where(m.subject, timeout=60) == [("eve@alpha.example",
                                                 "INBOX")]
        log_lines(MAIL_LOG, "orig_to=<new@alpha.example>", after=mark)
    finally:
        table.write_text(before)
        run("postmap", "lmdb:/etc/postfix/virtual")
    with RawSmtp() as c:
        c.ehlo()
        c.cmd("MAIL FROM:<a@sender.example>")
        assert c.cmd("RCPT TO:<new@alpha.example>").code == 550


@pytest.mark.parametrize("address", addresses() if pathlib.Path(
    "/etc/postfix/virtual_mailboxes").exists() else [])
def test_as_postfix(deliveries, address):
    found, policy, log = deliveries
    one = found[address]
    if one.code in (501, 553, 554):
        return                          # its form is refused, not who it is
    said = explain("--client", "198.51.100.7", "--helo", "client.example",
                   "--from", "a@sender.example", "--rcpt", address,
                   policy=policy)
    recipient, = said["recipients"]
    if recipient["mailboxes"] is None and said["verdict"] == "accept":
        assert not is_hosted(address)
        return                          # not ours to judge
    verdict = {2: "accept", 4: "defer", 5: "reject"}[one.code // 100]
    ends = one.ends(log)
    if verdict == "accept" and not ends:
        verdict = "reject"              # what Postfix finds out too late
    assert said["verdict"] == verdict, (one.code, said["rule"], ends)
    if verdict == "accept":
        away = {to for to, _ in ends if not is_hosted(to)}
        home = {without_detail(to) for to, delivered in ends
                if is_hosted(to) and not delivered}
        assert sorted(one.homes + list(home)) == \
            sorted(recipient["mailboxes"]), ends
        assert away == set(recipient["remotes"]), ends


def test_of_all_kinds(deliveries):
    """The corpus has what it is for, by what Postfix did with it."""
    found, _, log = deliveries
    codes = [one.code // 100 for one in found.values()]
    ends = [one.ends(log) for one in found.values()]
    assert len(found) > 200
    assert min(codes.count(2), codes.count(5)) > 50 and codes.count(4) >= 6
    assert sum(len(end) > 1 for end in ends) > 20
    assert sum(any("@remote.example" in to for to, _ in end)
               for end in ends) > 8
    assert sum(any("@utf.example" in to for to, _ in end) for end in ends) > 6
