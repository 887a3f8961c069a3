# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # sourced by test_docs.sh, whose variables these are
# A page that begins in a checkout: its examples, and a broker that is started already.
mkdir -p deploy/dev bin
ln -sfnT "$root/bin/examples" bin/examples
ln -sfnT "$root/config" config
printf '#!/bin/sh\necho "%s"\n' "$url" >deploy/dev/broker
chmod +x deploy/dev/broker
