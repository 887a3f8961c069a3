# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # sourced by test_docs.sh, whose variables these are
# A configuration with the queue emails, as the pages for operators speak of it.
mkdir -p config/queues
cat >config/warren.cfg <<'CFG'
control: { enabled = true; heartbeat = "1s"; };
log: { format = "text"; };
CFG
cat >config/queues/emails.cfg <<'CFG'
queue: {
    name = "emails";
    retry: { attempts = 1; };
    jobs: ( { type = "email.welcome"; concurrency = 4; timeout = "1s"; },
            { type = "email.digest"; concurrency = 4; timeout = "1s"; },
            { type = "letter.print"; timeout = "1s"; } );
};
CFG
cat >config/queues/letters.cfg <<'CFG'
queue: { name = "letters"; jobs: ( { type = "letter.print"; timeout = "1s"; } ); };
CFG
