# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # sourced by test_docs.sh, whose variables these are
# The worker of `workers`, and eight letters that died while the mail server was down; it is up again.
# shellcheck source=tests/deploy/stages/workers.sh
. "$here/stages/workers.sh"
touch down
warren publish email.welcome '{"to": "ada@example.org"}' --id 0190d8a2-7c1e-7b3a-9f00-2b1d6c9e4f11 >/dev/null
for number in 1 2 3 4 5 6 7; do echo "{\"to\": \"guest$number@example.org\"}"; done |
    warren publish email.welcome --lines >/dev/null
eight_are_dead()
{
    [[ $(warren dead list emails -o jsonl | wc -l) == 8 ]]
}
wait_for 30 eight_are_dead || fail "no dead letters for $page"
rm down
