#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The Debian packages: the documented command builds them, lintian finds nothing, each file that
# `cmake --install` knows is in exactly one of them, and they depend on what they need. No broker.
. "$1/tests/support/lib.sh"
. "$root/tests/support/built_packages.sh"

# package NAME: its file.
package()
{
    local files=("$packages/$1"_*.deb)
    printf '%s\n' "${files[0]}"
}

# paths NAME: what it installs, without folders.
paths()
{
    dpkg-deb --fsys-tarfile "$(package "$1")" | tar -t | sed -n 's|^\./\(.*[^/]\)$|/\1|p'
}

# has NAME PATTERN WHAT: a file of the package is like that.
has()
{
    if grep -qE "^$2\$" <<<"${list[$1]}"; then ok "$3"; else
        fail "$3" "${list[$1]}" "a path like $2"
    fi
}

field()
{
    dpkg-deb -f "$(package "$1")" "$2"
}

control_file()
{
    dpkg-deb --ctrl-tarfile "$(package "$1")" | tar -xO "./$2"
}

build_packages
names=(libwarren0 libwarren-dev warren warren-doc warren-dbgsym)
assert_eq "$(cd "$packages" && for file in *.deb; do echo "${file%%_*}"; done | sort | paste -sd' ')" \
    "$(printf '%s\n' "${names[@]}" | sort | paste -sd' ')" "these packages are built, and no other"
version=$(field libwarren0 Version)
declare -A list
for name in "${names[@]}"; do
    list[$name]=$(paths "$name")
    assert_eq "$(field "$name" Version)" "$version" "$name has the version of all"
    has "$name" "/usr/share/doc/$name/copyright" "and a licence"
    has "$name" "/usr/share/doc/$name/changelog.Debian.gz" "and a changelog"
done

run lintian --allow-root --fail-on error,warning "$packages"/*.deb
assert_status 0 "lintian finds no error and no warning"
assert_eq "$out" "" "and says nothing"
run lintian --allow-root --display-info "$packages"/*.deb
assert_eq "$(grep unused-override <<<"$out")" "" "no override is for nothing"

# --- what is where --------------------------------------------------------------------------------

assert_eq "$(printf '%s\n' "${list[@]}" | sort | uniq -d)" "" "no file is in two packages"
run env DESTDIR="$work/installed" cmake --install "$root/build/package"
assert_status 0 "cmake --install"
# Under the names that finish.cmake gives them.
(cd "$work/installed" && find . ! -type d | sed -E -e 's|^\.||' -e 's|zsh/site-functions|zsh/vendor-completions|' \
    -e 's|^/usr/share/man/.*|&.gz|' -e 's|/changelog(\.Debian)?$|&.gz|' | sort) >"$work/all"
printf '%s\n' "${list[@]}" | grep -v '^/usr/lib/debug/' | sort >"$work/packed"
run diff "$work/all" "$work/packed"
assert_eq "$out" "" "all $(wc -l <"$work/all") files that it installs are packed, and no other"

has libwarren0 '/usr/lib/[a-z0-9_]+-linux-gnu[a-z0-9]*/libwarren\.so\.0' "the library is in the folder of its architecture"
has libwarren-dev '/usr/lib/[^/]+/libwarren\.so' "the linker's name of it is in libwarren-dev"
for part in 'libwarren\.a' 'pkgconfig/warren\.pc' 'cmake/Warren/WarrenConfig\.cmake'; do
    has libwarren-dev "/usr/lib/[^/]+/$part" "and so is ${part//\\/}"
done
for header in "$root"/lib/include/warren/*.h; do
    has libwarren-dev "/usr/include/warren/$(basename "$header")" "and $(basename "$header")"
done
has warren '/usr/bin/warren' "the command is in warren"
for page in warren.1 warren-run.1 warren.cfg.5; do
    has warren "/usr/share/man/man${page##*.}/$page.gz" "with $page"
done
for unit in "$root"/deploy/systemd/*.service; do
    [[ ! -e $unit ]] || has warren "(/usr)?/lib/systemd/system/$(basename "$unit")" "with $(basename "$unit")"
done
has warren '/usr/share/doc/warren/examples/hello/plugin\.c' "and the plugin of the docs"
for page in "$root"/docs/*.md; do
    has warren-doc "/usr/share/doc/warren-doc/$(basename "$page")" "$(basename "$page") is in warren-doc"
done

# --- what is in them ------------------------------------------------------------------------------

for name in "${names[@]}"; do dpkg-deb -x "$(package "$name")" "$work/together"; done

# Links, as they will lead when all packages are installed; Debian's own files are not ours to see.
strays()
{
    local link target
    find "$work/together" -type l -printf '%P\n' | sort | while read -r link; do
        target=$(readlink "$work/together/$link")
        if [[ $target == /* ]]; then
            [[ $target == /usr/* && -e $work/together$target ]] || echo "/$link -> $target"
        elif [[ ! -e $work/together/$link ]]; then
            echo "/$link -> $target"
        fi
    done
}
assert_eq "$(strays)" "" "no link leads to nowhere, or out of /usr"
# Whoever a script of the reference names.
holders()
{
    find "$work/together/usr/share/doc/warren-doc" -name '*.js' -exec sed -nE \
        's/.*(Copyright|\([cC]\)) +(\([cC]\) +)?([0-9]+[^ ]* +)?(by +)?([A-Za-z]+( [a-z]+)? [A-Z][a-z]+).*/\5/p' {} + | sort -u
}
missing=$(holders | grep -vFf <(sed -nE '/^Copyright/,/^License/s/^([A-Za-z]+:)? *([0-9-]+ )?([^,]*).*/\3/p' \
    "$work/together/usr/share/doc/warren-doc/copyright" | sed 's/ and other.*//'))
assert_eq "$missing" "" "whose script comes along with the reference, has his name in the copyright file"
assert_contains "$(holders)" "Dimitri van Heesch" "(there are such scripts)"

# Pages are looked at unpacked; what a debugger reads, too.
find "$work/together" -type f -name '*.gz' -exec gzip -d {} +
find "$work/together" -type f -name '*.debug' -exec objcopy --decompress-debug-sections {} \;
assert_eq "$(grep -rlFa -e "$root" "$work/together" | sed "s|^$work/together||")" "" "no file has the path of the sources"

# --- what they need -------------------------------------------------------------------------------

assert_contains "$(field libwarren0 Depends)" 'librabbitmq4 (>= ' "the library's needs are those of its symbols"
assert_lacks "$(field libwarren0 Depends)" 'libcurl' "libcurl is loaded only when it is wanted"
for name in libwarren-dev warren; do
    assert_contains "$(field "$name" Depends)" "libwarren0 (= $version)" "$name goes with the library of its build"
done
for library in librabbitmq-dev libjson-c-dev libconfig-dev libssl-dev libmicrohttpd-dev; do
    assert_contains "$(field libwarren-dev Depends)" "$library" "the archive's users have $library"
done
assert_contains "$(field warren Depends)" 'libncursesw6' "the command has what it is linked to"
assert_contains "$(field warren Recommends)" procps "and the unit its /bin/kill"
assert_eq "$(field warren-doc Architecture)" all "pages are for all architectures"
assert_eq "$(control_file libwarren0 triggers)" 'activate-noawait ldconfig' "the loader's cache is renewed"
assert_eq "$(control_file libwarren0 symbols)" "$(cat "$root/deploy/packages/library/symbols")" "dpkg learns the symbols"
assert_eq "$(control_file libwarren0 shlibs)" "libwarren 0 libwarren0 (>= ${version%-*})" "and this version, where they don't matter"

# --- symbols aside --------------------------------------------------------------------------------

for name in libwarren0 warren warren-dbgsym; do dpkg-deb -x "$(package "$name")" "$work/root"; done
library=$(find "$work/root" -name 'libwarren.so.*.*.*')
for file in "$library" "$work/root/usr/bin/warren"; do
    name=$(basename "$file")
    id=$(readelf -n "$file" | sed -n 's/.*Build ID: //p')
    run readelf -SW "$work/root/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug"
    assert_contains "$out" '.debug_info' "the debugger finds $name's symbols by its build ID"
    run readelf -SW "$file"
    assert_lacks "$out" '.debug_' "$name itself is stripped"
    assert_lacks "$out" '.symtab' "of all that only a debugger reads"
done
finish
