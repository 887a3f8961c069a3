# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # sourced by test_docs.sh, whose variables these are
# The queue emails stands at the broker as a classic one with a job in it; the files say quorum.
# shellcheck source=tests/deploy/stages/files.sh
. "$here/stages/files.sh"
sed -i 's/name = "emails";/& type = "classic";/' config/queues/emails.cfg
warren topology apply >/dev/null 2>&1 || fail "no topology for $page"
warren publish email.welcome '{"to": "ada@example.org"}' >/dev/null
sed -i 's/ type = "classic";//' config/queues/emails.cfg
sed -i "1i drain_timeout = \"3s\"; # the queue has to be still for so long" config/warren.cfg
