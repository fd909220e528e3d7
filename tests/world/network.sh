# network.sh - the world's addresses and names
# SPDX-License-Identifier: ISC
# Sourced, not run.
# shellcheck shell=bash

# The documentation addresses on the world's own loopback.
network() {
	local net

	mount -o remount,bind,rw /proc/sys/net
	hostname mx.lab.example
	ip link set lo up
	# whole networks, of which a client or a server may bind any address
	for net in 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32; do
		ip route add local $net dev lo
	done
	# Real addresses too: without them a source would be chosen at random.
	# IPv6 needs the switch below to bind any other one, IPv4 does not.
	ip addr add 192.0.2.1/32 dev lo
	ip addr add 2001:db8::1/128 dev lo nodad
	echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind
	# what systemd sets; 10, the kernel's own, makes syslog(3) wait
	echo 512 >/proc/sys/net/unix/max_dgram_qlen
}

# The name server and the resolver's files.
names() {
	printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts
	sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf
	rm -f /etc/resolv.conf # it may be a link to nowhere
	printf 'nameserver 192.0.2.53\noptions timeout:2 attempts:1\n' \
		>/etc/resolv.conf
	ln -sf /usr/share/zoneinfo/UTC /etc/localtime
	cp /tests/world/zone /run/lab/zone
	start dns /tests/world/dns.py 192.0.2.53 /run/lab/zone /var/log/dns.log
}
