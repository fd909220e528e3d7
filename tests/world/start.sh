#!/bin/bash
# start.sh - PID 1 of the world: start everything, then run the command
# SPDX-License-Identifier: ISC
# usage: start.sh COMMAND [ARG]...  (tests/lab run)
#
# Network, names and log come first, then Dovecot, our milter (it asks Dovecot
# for users), Postfix (it asks the milter).
set -eu
world=/tests/world
. $world/common.sh
. $world/network.sh
. $world/mailreeve.sh

# What the root must hold, by a file of each package.
check_root() {
	local file package missing=''

	while read -r file package; do
		[ -e "/usr/$file" ] || missing+=" $package"
	done <<-'EOF'
		bin/ip iproute2
		bin/openssl openssl
		bin/python3 python3
		lib/python3/dist-packages/dnslib python3-dnslib
		lib/postfix/sbin/smtpd postfix
		lib/postfix/postfix-lmdb.so postfix-lmdb
		sbin/dovecot dovecot-core
		lib/dovecot/imap dovecot-imapd
		lib/dovecot/pop3 dovecot-pop3d
		lib/dovecot/lmtp dovecot-lmtpd
	EOF
	[ -z "$LAB_TIME" ] || [ -e /usr/bin/cc ] || missing+=' gcc libc6-dev'
	[ -z "$missing" ] || die "missing in the root $LAB_ROOT:$missing" \
		"(chroot $LAB_ROOT apt-get install" \
		"--no-install-recommends$missing)"
}

clock() {
	head -c 4096 /dev/zero >/run/lab/clock
	cc -O2 -shared -fPIC -o /usr/lib/labclock.so $world/clock.c
	echo /usr/lib/labclock.so >/etc/ld.so.preload
	$world/clock.py -4000d # so that the certificates are old enough
}

certificates() {
	local name san
	local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes
		-days 8000)

	mkdir -p /etc/ssl/lab
	cd /etc/ssl/lab
	# Python 3.13 insists on the CA's key usage
	openssl req -x509 "${key[@]}" -subj '/CN=Lab CA' -out ca.pem \
		-addext keyUsage=critical,keyCertSign,cRLSign \
		-keyout ca.key 2>/dev/null
	for name in mx.lab mail.alpha mail.beta mail.gamma; do
		name=$name.example san=DNS:$name
		# by address too, so that clients need no DNS question
		[ $name != mx.lab.example ] ||
			san+=,IP:192.0.2.1,IP:2001:db8::1,IP:127.0.0.1,IP:::1
		openssl req -x509 "${key[@]}" -subj "/CN=$name" \
			-addext "subjectAltName=$san" \
			-addext basicConstraints=critical,CA:FALSE \
			-CA ca.pem -CAkey ca.key \
			-keyout $name.key -out $name.crt 2>/dev/null
		cat $name.key $name.crt >$name.pem
	done
	chmod 600 ./*.key ./mx.*.pem ./mail.*.pem
	cd /
}

postfix_files() {
	local f

	cd /etc/postfix
	cp $world/conf/postfix-main.cf main.cf
	cat master.cf.proto $world/conf/postfix-master.cf >master.cf
	cp $world/conf/virtual virtual
	printf '%s.example x\n' alpha beta gamma delta >virtual_domains
	sed 's/:.*/ x/' $world/conf/users >virtual_mailboxes
	for f in /etc/ssl/lab/mail.*.pem; do
		echo "$(basename "$f" .pem) $f"
	done >sni
	echo 'postmaster: root' >/etc/aliases
	# Postfix waits while main.cf or a map's source is only seconds old
	touch -d -1hour main.cf virtual* sni /etc/aliases
	postmap lmdb:virtual lmdb:virtual_domains lmdb:virtual_mailboxes
	postmap -F lmdb:sni
	postalias lmdb:/etc/aliases
	# Debian 13 makes it at Postfix's first start; Dovecot needs it earlier
	install -d -o postfix -m 700 /var/spool/postfix/private
	cd /
}

dovecot_files() {
	local suffix

	getent group vmail >/dev/null || groupadd -g 5000 vmail
	getent passwd vmail >/dev/null ||
		useradd -u 5000 -g vmail -d /var/vmail vmail
	install -d -o vmail -g vmail /var/vmail
	install -m 640 -g dovecot $world/conf/users /etc/dovecot/users
	case $(dovecot --version) in
	2.3.*) cp $world/conf/dovecot-2.3.conf /etc/dovecot/local.conf ;;
	*) cp $world/conf/dovecot-2.4.conf /etc/dovecot/local.conf ;;
	esac
	# the file that Debian's 10-ssl.conf names is missing where ssl-cert is
	for suffix in pem:crt key:key; do
		cp --remove-destination \
			/etc/ssl/lab/mx.lab.example.${suffix#*:} \
			/etc/dovecot/private/dovecot.${suffix%:*}
	done
	# no system users: else every login first waits for PAM
	sed -i 's/^!include auth-system/#&/' /etc/dovecot/conf.d/10-auth.conf
	# Debian 13 drops the domain in LMTP; local.conf comes too late for that
	sed -i 's/^ *auth_username_format/#&/' /etc/dovecot/conf.d/20-lmtp.conf
}

postfix_start() {
	touch -d -1hour /etc/postfix/main.cf # mailreeve_settings wrote to it
	# on Debian 12 the unit fills the chroot, on 13 "postfix start"
	if grep -qs configure-instance \
		/lib/systemd/system/postfix@.service; then
		/usr/lib/postfix/configure-instance.sh -
	fi
	postfix start
}

umount -l /old
check_root
network
[ -z "$LAB_TIME" ] || clock
names
start log $world/devlog.py
if [ -n "$LAB_MILTER_ONLY" ]; then
	[ -z "$LAB_TIME" ] || $world/clock.py "$LAB_TIME"
	mailreeve_files
else
	certificates
	[ -z "$LAB_TIME" ] || $world/clock.py "$LAB_TIME"
	postfix_files
	dovecot_files
	mailreeve_files
	mailreeve_settings
	start dovecot dovecot
	mailreeve_start
	start postfix postfix_start
	$world/ports.py
fi
"$@" # then PID 1 ends, and with it everything else
