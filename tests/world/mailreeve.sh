# mailreeve.sh - our own programs in the world, if a layer brought them
# SPDX-License-Identifier: ISC
# Sourced by start.sh (which has `start' and `die').
# shellcheck shell=bash
#
# The packages' scripts and tmpfiles do on a real machine what is done here.

mailreeve_here() { [ -e /usr/sbin/mailreeve-milter ]; }

# Users, directories, modes.
mailreeve_files() {
	mailreeve_here || return 0
	if [ -e /usr/lib/sysusers.d/mailreeve.conf ] &&
		command -v systemd-sysusers >/dev/null; then
		systemd-sysusers mailreeve.conf
	fi
	getent group mailreeve >/dev/null || groupadd --system mailreeve
	getent passwd mailreeve >/dev/null ||
		useradd --system -g mailreeve -d /var/lib/mailreeve \
			-s /usr/sbin/nologin mailreeve
	# chrooted smtpd must reach the socket: group postfix, setgid
	install -d -o mailreeve -g postfix -m 2750 /var/spool/postfix/mailreeve
	install -d -o mailreeve -g mailreeve -m 755 \
		/run/mailreeve /var/lib/mailreeve
	if [ -e /etc/mailreeve/mailreeve.conf ]; then
		chown root:mailreeve /etc/mailreeve/mailreeve.conf
		chmod 640 /etc/mailreeve/mailreeve.conf
	fi
}

# The lines that an admin would be told to add, exactly as printed.
mailreeve_settings() {
	mailreeve_here || return 0
	[ -e /etc/mailreeve/mailreeve.conf ] ||
		die "mailreeve is in the world, but no policy: give one by -p"
	mailreeve_publish
	mailreeve_setup postfix --main-cf /etc/postfix/main.cf
	mailreeve_setup dovecot --conf /etc/dovecot/local.conf
}

# The copy that Dovecot's plugin reads, and the mark without which it does not
# purge; 75: there is no milter yet to be told.  A policy with a mistake is the
# milter's to complain of.
mailreeve_publish() {
	mailreeve reload >/dev/null 2>&1 || :
	mailreeve clock --advance >/dev/null 2>&1 || :
}

mailreeve_setup() {
	local lines

	lines=$(mailreeve setup "$1" "$2") ||
		die "mailreeve setup $1 $2: exit status $?"
	printf '\n# mailreeve setup %s\n%s\n' "$1" "$lines" >>"$3"
}

mailreeve_start() {
	mailreeve_here || return 0
	start mailreeve-milter mailreeve-milter -d
	! grep -q 'mailreeve/policy\.sock' /etc/postfix/main.cf ||
		start mailreeve-policyd mailreeve-policyd -d
}
