#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every YAML file of the repository is well formed, by yamllint. No broker.
# shellcheck source=tests/support/lib.sh
. "$1/tests/support/lib.sh"
rules=$root/tests/deploy/yamllint.yml

mapfile -d '' files < <(find "$root/deploy" "$root/tests" "$root/config" \( -name '*.yml' -o -name '*.yaml' \) -print0 | sort -z)
((${#files[@]} > 0)) || bail_out "no YAML file in $root"
run yamllint --strict -c "$rules" "${files[@]}"
assert_status 0 "yamllint is content with ${#files[@]} files"
assert_eq "$out$err" "" "and silent"

# It would say so.
printf 'key: 1\nkey: 2\n' >"$work/twice.yml"
run yamllint --strict -c "$rules" "$work/twice.yml"
assert_contains "$out" 'duplication of key "key"' "a key that stands twice is found"
finish
