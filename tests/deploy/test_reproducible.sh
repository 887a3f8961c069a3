#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The same source makes the same packages, byte for byte: built here, and once more in another folder,
# at another time, by somebody with another umask, home, locale and time zone. No broker.
. "$1/tests/support/lib.sh"
. "$root/tests/support/built_packages.sh"

sums()
{
    (cd "$1" && sha256sum ./*.deb)
}

elsewhere=$work/elsewhere/somebody-else/and-a-longer-name
build_packages
(
    umask 077
    mkdir -p "$elsewhere" "$work/home"
    tar -C "$root" --exclude=./build --exclude=./.git -c . | tar -C "$elsewhere" -x --no-same-permissions
)
# shellcheck disable=SC2016 # for the inner shell
run env -u SOURCE_DATE_EPOCH CCACHE_DISABLE=1 HOME="$work/home" LC_ALL=C TZ=Pacific/Kiritimati \
    faketime -f '+400d' bash -c 'umask 077; exec "$1/deploy/packages/build"' sh "$elsewhere"
assert_status 0 "they are built elsewhere, in more than a year"
assert_eq "$(sums "$elsewhere/build/package/packages")" "$(sums "$packages")" "and are the same"

# The date they have is said once, and may be another.
# shellcheck disable=SC2016
run env SOURCE_DATE_EPOCH=1700000000 bash -c 'cd "$1" && umask 022 && cpack --preset package' sh "$elsewhere"
assert_status 0 "SOURCE_DATE_EPOCH is taken"
run dpkg-deb -c "$elsewhere"/build/package/packages/libwarren0_*.deb
assert_eq "$(awk '{ print $4 }' <<<"$out" | sort -u)" 2023-11-14 "for the date of every file"
finish
