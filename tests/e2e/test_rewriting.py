"""test_rewriting - spellings that Postfix turns into an address of ours
SPDX-License-Identifier: ISC

A rule of dan@alpha.example must hold for each of them.
"""
import pytest

from world import RawSmtp


@pytest.mark.parametrize("spelling", [
    "dan@alpha.example", "DAN@Alpha.Example", "dan+box@alpha.example",
    "alpha.example!dan", "dan%alpha.example",
    "dan%alpha.example@mx.lab.example", "dan%alpha.example@[192.0.2.1]",
    '"dan@alpha.example"', "@a.example,@b.example:dan@alpha.example",
    "dan+" + "x" * 400 + "@alpha.example"])
def test_limit_holds_for(spelling):
    c = RawSmtp(25)
    c.ehlo("out.sender.example")
    assert c.cmd("MAIL FROM:<someone@sender.example> SIZE=200000").code == 250
    reply = c.cmd(f"RCPT TO:<{spelling}>")
    assert (reply.code, reply.enhanced) == (552, "5.3.4"), reply
