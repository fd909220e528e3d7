"""world - what tests in tests/lab's world use to talk to it
SPDX-License-Identifier: ISC

    from world import *
    m = mail("ann@alpha.example", size=1000)
    send(m)
    assert where(m.subject, timeout=10) == [("ann@alpha.example", "INBOX")]
"""
from world.logs import (DOVECOT_LOG, MAIL_LOG, MAILREEVE_LOG, dns_log,
                        dns_reset, log_end, log_lines, queue, wait_for_queue,
                        zone_add, zone_reset)
from world.mailbox import Imap, doveadm, fetch_subjects, wait_for, where
from world.message import Mail, mail
from world.milter import MilterClient
from world.smtp import (BROKEN, GOOD, GOOD6, MX, MX6, NAMELESS, TLS,
                        UNCONFIRMED, RawSmtp, password, send, smtp)

__all__ = [
    "BROKEN", "DOVECOT_LOG", "GOOD", "GOOD6", "Imap", "MAILREEVE_LOG",
    "MAIL_LOG", "MX", "MX6", "Mail", "MilterClient", "NAMELESS", "RawSmtp",
    "TLS", "UNCONFIRMED", "dns_log", "dns_reset", "doveadm", "fetch_subjects",
    "log_end", "log_lines", "mail", "password", "queue", "send", "smtp",
    "wait_for", "wait_for_queue", "where", "zone_add", "zone_reset",
]
