#!/bin/bash
# build.sh - PID 1 of a world of tests/lab build: /src -> /build -> /out
# SPDX-License-Identifier: ISC
# usage: build.sh [MESON_OPTION...]
#
# No network, the source read-only: a build that downloads or that writes
# beside its source fails here.
set -eu
. /tests/world/common.sh
umount -l /old

need meson=meson ninja=ninja-build cc=build-essential
[ -e /src/meson.build ] || die "no meson.build beside tests"
if [ ! -e /build/build.ninja ]; then
	# a configuration that failed leaves half of one
	find /build -mindepth 1 -delete
	meson setup --prefix=/usr --sysconfdir=/etc --localstatedir=/var \
		--buildtype=release --wrap-mode=nodownload "$@" /build /src >&2
fi
ninja -C /build >&2
find /out -mindepth 1 -delete
DESTDIR=/out meson install -C /build --no-rebuild --quiet >&2
: >/out/.lab-build
