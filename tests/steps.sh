# steps.sh - the steps of tests/run, each a function step_NAME
# SPDX-License-Identifier: ISC
# Sourced by tests/run, which has their table; works in the tree's top with
# $work, a directory of its own, and $full.
# shellcheck shell=bash disable=SC2154

# "skip WHY...": the step cannot run here.
skip() {
	echo "$*"
	exit 77
}

step_packages() {
	packaging/install-deps packaging/packages tests/packages.lab \
		tests/packages.run ${full:+tests/packages.full}
}

# build VARIANT MESON_OPTION...  a kept build directory of this machine's own
build() {
	local dir=$work/$1

	shift
	if [ ! -e "$dir/build.ninja" ]; then
		rm -rf "$dir"
		meson setup --wrap-mode=nodownload "$@" "$dir" .
	fi
	ninja -C "$dir"
}

# layer VARIANT [-r ROOT] [-- MESON_OPTION...]  built by and for the lab
layer() {
	local variant=$1

	shift
	if [ "${1-}" = -r ]; then
		tests/lab build -r "$2" "$work/layer-$variant" "${@:3}"
	else
		tests/lab build "$work/layer-$variant" "$@"
	fi
}

step_build() { build plain --werror; }

step_unit() { meson test -C "$work/plain" --no-rebuild --print-errorlogs; }

step_layer() { layer plain; }

step_cases() { MAILREEVE=$work/plain/cli/mailreeve tests/cases/run; }

step_layers() { tests/style/layers -b "$work/plain"; }

step_selftest() { tests/style/selftest; }

step_manual() { tests/style/manual "$work/plain"; }

step_contributing() { tests/style/contributing; }

# pytest in the world: e2e LAYER [LAB_OPTION]... [-- PYTEST_OPTION]...
e2e() {
	local layer=$1 lab=()

	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		lab+=("$1")
		shift
	done
	[ $# -eq 0 ] || shift
	tests/lab run "${lab[@]}" -l "$layer" -p tests/e2e/policy.conf \
		python3 -m pytest -q -rfEs --durations=5 /tests/e2e "$@"
}

step_smoke() { e2e "$work/layer-plain" -- -k smoke; }

step_world() { tests/world/selftest-host / ${full:+bookworm trixie}; }

step_e2e() { e2e "$work/layer-plain"; }

step_demo() {
	# on this machine: it starts labs of its own
	python3 -m pytest -q -rfEs -p no:cacheprovider tests/e2e/test_demo.py
}

# --- sanitizers ---------------------------------------------------------------

# What they find goes to files, which tests/e2e/conftest.py looks for: daemons
# have no standard error.  Their options come by a script in the program's
# place, as the lab starts programs in a clean environment.
wrap() {
	local layer=$work/layer-$1 options=$2 program name

	for program in usr/sbin/mailreeve-milter usr/bin/mailreeve; do
		name=$(basename $program)
		mkdir -p "$layer/usr/lib/mailreeve"
		mv "$layer/$program" "$layer/usr/lib/mailreeve/$name"
		printf '#!/bin/sh\n%s\nexec %s /usr/lib/mailreeve/%s "$@"\n' \
			"$options" "setarch -R" "$name" >"$layer/$program"
		chmod 755 "$layer/$program"
	done
}

# Without --werror: gcc sees ghosts in what the sanitizers add.
asan=(-Db_sanitize='address,undefined' -Db_lundef=false -Ddebug=true)
tsan=(-Db_sanitize=thread -Db_lundef=false -Ddebug=true)

step_asan() {
	build asan "${asan[@]}"
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		meson test -C "$work/asan" --no-rebuild --print-errorlogs
}

step_e2e_asan() {
	layer asan -- "${asan[@]}"
	wrap asan 'export ASAN_OPTIONS=log_path=/tmp/sanitizer:detect_leaks=0
export UBSAN_OPTIONS=log_path=/tmp/sanitizer:print_stacktrace=1'
	e2e "$work/layer-asan"
}

step_tsan() {
	build tsan "${tsan[@]}"
	# gcc 12's cannot place itself where newer kernels scatter addresses
	TSAN_OPTIONS=halt_on_error=1 setarch -R \
		meson test -C "$work/tsan" --no-rebuild --print-errorlogs
}

step_e2e_tsan() {
	layer tsan -- "${tsan[@]}"
	wrap tsan 'export TSAN_OPTIONS=log_path=/tmp/sanitizer'
	e2e "$work/layer-tsan" -- -k 'parallel or reload or restart'
}

# --- clean releases -----------------------------------------------------------

# release bookworm|trixie  a root of it and a layer built in it
release() {
	tests/lab root "$1"
	layer "$1" -r "$1"
}

step_root_12() { release bookworm; }
step_root_13() { release trixie; }
step_e2e_12() { e2e "$work/layer-bookworm" -r bookworm; }
step_e2e_13() { e2e "$work/layer-trixie" -r trixie; }

step_install_12() { tests/e2e/test_install.sh bookworm; }
step_install_13() { tests/e2e/test_install.sh trixie; }

# --- long ones ----------------------------------------------------------------

step_fuzz() {
	local program name found broken='' seconds=60

	CC=clang build fuzz -Dfuzz=true -Db_sanitize=address,undefined \
		-Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link
	for program in "$work"/fuzz/tests/fuzz/fuzz_*; do
		[ -f "$program" ] && [ -x "$program" ] || continue
		name=$(basename "$program")
		mkdir -p "$work/corpus/$name"
		echo "$name"
		"$program" -max_total_time=$seconds -timeout=10 \
			-rss_limit_mb=1024 -print_final_stats=1 \
			-artifact_prefix="$work/corpus/$name-" \
			"$work/corpus/$name" tests/fuzz/corpus/"${name#fuzz_}" &&
			echo "1 passed" || { echo "1 failed" && broken=yes; }
	done
	# the log may be all that is left of this machine
	for found in "$work"/corpus/fuzz_*-*; do
		[ ! -f "$found" ] || [ -z "$broken" ] || {
			echo "$found"
			base64 "$found"
		}
	done
	[ -z "$broken" ]
}

step_bench() { tests/bench/run; }
