#!/usr/bin/python3
"""ports.py - wait until every service of the world answers, at most 30 s
SPDX-License-Identifier: ISC
"""
import socket
import ssl
import sys
import time

MX, SPOOL = "192.0.2.1", "/var/spool/postfix/private/"
TLS = ssl.create_default_context(cafile="/etc/ssl/lab/ca.pem")


def banner(port):
    with socket.create_connection((MX, port), 2) as sock:
        sock.settimeout(10)
        if port in (465, 993, 995):
            sock = TLS.wrap_socket(sock, server_hostname=MX)
        return sock.recv(100)


def unix_banner(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(path)
        return sock.recv(100)


def wait(name, test, what, end):
    while True:
        try:
            if test(what):
                return
            error = "closed"
        except OSError as e:
            error = e
        if time.monotonic() > end:
            sys.exit(f"lab: {name} does not answer: {error}"
                     " (lab run -o DIR keeps the logs)")
        time.sleep(0.02)


def main():
    end = time.monotonic() + 30
    for port in (25, 26, 465, 587, 110, 143, 993, 995):
        wait(f"port {port}", banner, port, end)
    wait("LMTP", unix_banner, SPOOL + "dovecot-lmtp", end)
    wait("SASL", unix_banner, SPOOL + "auth", end)


main()
