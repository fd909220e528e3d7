"""policy.py - a policy delegation client, as Postfix's smtpd is one
SPDX-License-Identifier: ISC
"""
import itertools
import os
import socket

# What Postfix 3.7 sends, in its order; 3.10 sends two more.
ATTRIBUTES = (
    "request protocol_state protocol_name client_address client_name "
    "client_port reverse_client_name server_address server_port helo_name "
    "sender recipient recipient_count queue_id instance size etrn_domain "
    "stress sasl_method sasl_username sasl_sender ccert_subject ccert_issuer "
    "ccert_fingerprint ccert_pubkey_fingerprint encryption_protocol "
    "encryption_cipher encryption_keysize policy_context").split()
SESSION = {
    "request": "smtpd_access_policy", "protocol_name": "ESMTP",
    "helo_name": "out.example.org", "client_address": "198.51.100.7",
    "client_name": "out.example.org", "reverse_client_name": "out.example.org",
    "client_port": "25001", "server_address": "192.0.2.1", "server_port": "25",
    "recipient_count": "0", "size": "0", "encryption_keysize": "0",
    "sender": "s@example.org", "recipient": "ann@net.example"}
numbers = itertools.count()


def instance():
    """A mail's name, as Postfix makes them."""
    return f"{os.getpid():x}.5fbf.{next(numbers):x}.0"


def request(**told):
    """The octets of a request; every attribute is there."""
    values = {**dict.fromkeys(ATTRIBUTES, ""), **SESSION, **told}
    return "".join(f"{name}={value}\n" for name, value in
                   values.items()).encode() + b"\n"


class PolicyClient:
    """One connection.

        p = PolicyClient("unix:/var/spool/postfix/mailreeve/policy.sock")
        assert p.ask(protocol_state="RCPT", instance="1") == "DUNNO"
    """

    def __init__(self, address, timeout=60):
        kind, _, where = address.partition(":")
        if kind == "unix":
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(where)
        else:
            port, _, host = where.partition("@")
            self.sock = socket.create_connection(
                (host.strip("[]"), int(port)), timeout)
        self.there = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, octets):
        self.sock.sendall(octets)

    def receive(self):
        """An action; None: the connection has ended."""
        while b"\n\n" not in self.there:
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                assert not self.there, self.there
                return None
            self.there += more
        answer, _, self.there = self.there.partition(b"\n\n")
        assert answer.startswith(b"action=") and b"\n" not in answer, answer
        return answer.decode()[len("action="):]

    def ask(self, **told):
        self.send(request(**told))
        return self.receive()

    def rcpt(self, mail, **told):
        return self.ask(protocol_state="RCPT", instance=mail, **told)

    def end(self, mail, **told):
        return self.ask(protocol_state="END-OF-MESSAGE", instance=mail, **told)
