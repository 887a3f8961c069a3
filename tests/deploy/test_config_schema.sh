#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The JSON Schema of the configuration, judged by ajv: what `warren config show -o json` writes fits it,
# of the defaults, the shipped files, the examples, and a configuration in which no option is at its
# default; a table of mistakes doesn't. No broker.
# shellcheck source=tests/support/lib.sh
. "$1/tests/support/lib.sh"
node=$("$root/tests/support/node") || bail_out "no packages for node"
unset WARREN_CONFIG WARREN_AMQP_URL

# show NAME [OPTION...]: what is in effect, as $work/NAME.json.
show()
{
    local name=$1
    shift
    run "$WARREN" config show -o json "$@"
    cp "$work/out" "$work/$name.json"
    assert_status 0 "the configuration of $name is shown"
}

run "$WARREN" config schema
assert_status 0 "the schema is written"
cp "$work/out" "$work/warren.schema.json"
run cmp "$work/warren.schema.json" "$root/config/warren.schema.json"
assert_status 0 "and is the one that is shipped"

mkdir "$work/init"
cp "$root/tests/support/odd.cfg" "$work/odd.cfg"
(cd "$work/init" && "$WARREN" config init --full >/dev/null 2>&1)
cd "$work" || exit 1
show defaults
show shipped --config "$root/config/warren.cfg"
show files --config "$root/bin/examples/files/warren.cfg"
show hello --config "$root/bin/examples/hello/warren.cfg"
show init --config "$work/init/config/warren.cfg"
show odd --config "$work/odd.cfg"
run node "$node/config_schema.mjs" warren.schema.json {defaults,shipped,files,hello,init,odd}.json
assert_status 0 "ajv is content: ${out//$'\n'/; }"
assert_contains "$out" "6 configurations fit, 45 mistakes don't" "with all that was shown"

# It would say so.
sed 's/"heartbeat": "6s"/"heartbeat": "soon"/' odd.json >wrong.json
run node "$node/config_schema.mjs" warren.schema.json wrong.json
assert_status 1 "a wrong value is an error"
assert_contains "$out" "wrong.json: /broker/heartbeat: must match pattern" "and named"
sed 's/"additionalProperties": false/"additionalPropertys": false/' warren.schema.json >wrong.schema.json
run node "$node/config_schema.mjs" wrong.schema.json odd.json
assert_status 1 "a wrong schema is an error"
assert_contains "$err" 'unknown keyword: "additionalPropertys"' "and named"
finish
