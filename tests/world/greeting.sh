# greeting.sh - what tests/lab shell says and sets
# SPDX-License-Identifier: ISC
# Read by bash as its rc file.
# shellcheck shell=bash

PS1='lab:\w\$ '
cat <<'EOF'
A private mail world; it ends with this shell.
  server    192.0.2.1  2001:db8::1  (mx.lab.example, mail.DOMAIN)
            25 26 465 587 110 143 993 995; CA in /etc/ssl/lab/ca.pem
  clients   any of 198.51.100.0/24 203.0.113.0/24 2001:db8::/32
            198.51.100.7 has a name, .8 a wrong one, .9 SERVFAIL
            203.0.113.0/24 has none, but .25
  users     {ann,bob,cat,dan,eve}@{alpha,beta,gamma}.example, NAME-secret
  aliases   /etc/postfix/virtual; delta.example is a catch-all
  DNS       192.0.2.53; edit /run/lab/zone, it is read again
  logs      /var/log/mail.log dovecot.log mailreeve.log dns.log
  try       swaks -s 192.0.2.1 -li 198.51.100.7 -t ann@alpha.example
            python3 -c 'from world import *; print(queue())'
EOF
