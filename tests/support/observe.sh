# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# For the tests of what a worker shows to Prometheus: sourced after lib.sh, in the test's own folder.
#
#     observe_ready                      # $promtool and $prometheus, ./plugin.so
#     start_worker config/warren.cfg     # $child; its address in $address
#     scrape text scrape.txt
root=${root:?source lib.sh first}
tools=$("$root/tests/support/prometheus") || bail_out "no promtool"
promtool=$tools/promtool prometheus=$tools/prometheus

observe()
{
    /usr/bin/python3 "$root/tests/support/observe.py" "$@"
}

build_plugin()
{
    "${CC:-cc}" -shared -fPIC -I"$root/lib/include" "$root/tests/support/load_plugin.c" -o plugin.so ||
        bail_out "no plugin"
}

# The address of a worker, once it says it.
has_address()
{
    address=$(sed -n 's/.*"event":"http.listen",.*"address":"\([^"]*\)".*/\1/p' background.err)
    [[ -n $address ]] && curl -sf "http://$address/readyz" >/dev/null
}

# start_worker CONFIG: with the plugin's handlers; its pid in $child, its place in $address.
start_worker()
{
    start_in_background env --default-signal "$WARREN" run -c "$1" --plugin ./plugin.so
    wait_for 30 has_address || bail_out "no worker: $(cat background.err)"
}

# scrape openmetrics|text FILE
scrape()
{
    local accept='text/plain;version=0.0.4'
    [[ $1 == text ]] || accept='application/openmetrics-text;version=1.0.0'
    curl -sSf -H "Accept: $accept" "http://$address/metrics" >"$2"
}
