#!/bin/bash
# enter.sh - in new namespaces, on the old root: put the new root together
# SPDX-License-Identifier: ISC
# usage: enter.sh COMMAND [ARG]...  (with LAB_* from tests/lab; COMMAND becomes
# PID 1 in the new root)
#
# pivot_root, not chroot: a chroot forbids user namespaces, and with them
# systemd's PrivateUsers=.
set -eu
tests=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
. "$tests/world/common.sh"
new=/mnt/root

# Copied, not one more lower directory: those must not lie in each other.
# A directory of the root that is a link, such as /sbin, stays a link.
layers() {
	local layer

	while read -r layer; do
		if [ -d "$layer" ]; then
			tar -cC "$layer" --exclude=./.lab-build .
		else
			dpkg-deb --fsys-tarfile "$layer"
		fi | tar -xC $new --no-overwrite-dir --keep-directory-symlink
	done < <(printf %s "$LAB_LAYERS")
}

show() {
	local from=$1 to=$new$2

	if [ -d "$from" ]; then
		mkdir -p "$to"
	else
		mkdir -p "$(dirname -- "$to")"
		[ -e "$to" ] || : >"$to"
	fi
	mount --bind "$from" "$to"
	[ "${3-}" != ro ] || mount -o remount,bind,ro "$to"
}

binds() {
	local from to mode

	while IFS=: read -r from to mode; do
		show "$from" "$to" "$mode"
	done < <(printf %s "$LAB_BINDS")
}

mount -t tmpfs -o mode=755 lab /mnt
mkdir /mnt/upper /mnt/work $new
mount -t overlay lab $new \
	-o "lowerdir=$LAB_ROOT,upperdir=/mnt/upper,workdir=/mnt/work"
[ -x $new/usr/bin/apt ] || die "$LAB_ROOT is not the root of a Debian"
mkdir -p $new/old
fill_root $new
layers
show "$tests" /tests ro
[ -z "$LAB_OUT" ] || show "$LAB_OUT" /var/log
binds
if [ -n "$LAB_POLICY" ]; then
	mkdir -p $new/etc/mailreeve
	cp -- "$LAB_POLICY" $new/etc/mailreeve/mailreeve.conf
fi

cd $new
pivot_root . old
exec env -i HOME=/root USER=root LANG=C.UTF-8 TERM="${TERM-dumb}" \
	PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin \
	PYTHONPATH=/tests PYTHONDONTWRITEBYTECODE=1 \
	PYTEST_ADDOPTS='-p no:cacheprovider' container=lab \
	LAB_ROOT="$LAB_ROOT" LAB_TIME="$LAB_TIME" \
	LAB_MILTER_ONLY="$LAB_MILTER_ONLY" \
	chroot . "$@"
