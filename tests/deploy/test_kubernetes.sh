#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `warren generate kubernetes` and `warren config check --kubernetes`: what is written is valid by the schemas
# of its kinds, rendered by an old kubectl, follows from the configuration by the formulas of
# docs/kubernetes.md, and is what deploy/kubernetes has; and what was changed by hand is found.
# shellcheck source=tests/support/lib.sh disable=SC2016
. "$1/tests/support/lib.sh"
# shellcheck source=tests/support/observe.sh
. "$1/tests/support/observe.sh"
cd "$work" || exit 1
unset WARREN_CONFIG
shipped=$root/deploy/kubernetes config=$root/deploy/config/warren.cfg
kubectl=$("$root/tests/support/kubectl") || bail_out "no kubectl"
node=$("$root/tests/support/node") || bail_out "no validators"

pick()
{
    "$root/tests/deploy/pick.py" "$@"
}

judge()
{
    run node "$node/manifests.mjs" "$@"
}

# --- what is shipped ------------------------------------------------------------------------------------

run "$WARREN" generate kubernetes -c "$config" -o one
assert_status 0 "manifests are generated"
run diff -r one "$shipped"
assert_eq "$out" "" "deploy/kubernetes is what comes out for deploy/config"
run "$WARREN" generate kubernetes -c "$config" -o one
assert_status 0 "they may be written again"
run diff -r one "$shipped"
assert_eq "$out" "" "and are the same"
run "$WARREN" generate kubernetes --config "${config%/*}" -o folder
assert_status 0 "the folder may be named instead of its warren.cfg"
run diff -r folder "$shipped"
assert_eq "$out" "" "which makes no difference"
run env WARREN_CONFIG="${config%/*}/" "$WARREN" config check --kubernetes folder
assert_status 0 "other commands and \$WARREN_CONFIG take one, too"
run yamllint --strict -c "$root/tests/deploy/yamllint.yml" one
assert_eq "$out" "" "yamllint has nothing to say"
for overlay in overlays/dev overlays/prod overlays/keda rabbitmq rabbitmq/topic-permissions; do
    name=${overlay##*/}
    "$kubectl" kustomize "one/$overlay" >"$name.yml" 2>err
    assert_eq "$? $(cat err)" "0 " "kubectl of 1.20 renders $overlay"
    # A newer one, where there is one, makes the same of it.
    if newer=$(command -v kubectl) && "$newer" kustomize "one/$overlay" >newer.yml 2>/dev/null; then
        cmp -s "$name.yml" newer.yml
        assert_eq $? 0 "and another one makes the same of it"
    fi
done
judge dev.yml prod.yml keda.yml rabbitmq.yml topic-permissions.yml
assert_status 0 "they are valid: ${out:0:70}…"
judge one/samples/*.yaml
assert_status 0 "so are the samples"
for file in one dev.yml prod.yml keda.yml; do
    run "$WARREN" config check -c "$config" --kubernetes "$file"
    assert_status 0 "configuration and manifests agree: $file"
    assert_contains "$err" " agree" "and it says so"
done
run "$WARREN" config check -c "$config" --kubernetes - -o json
assert_status 7 "nothing on standard input is no worker"
assert_contains "$out" '0 objects, none a worker' "says its JSON"

# --- the validators themselves ---------------------------------------------------------------------------

changes=0 wants=()
while IFS=$'\t' read -r file was is want; do
    ((++changes))
    sed "0,/$was/s//$is/" "$file" >"broken-$changes.yml"
    cmp -s "$file" "broken-$changes.yml" && fail "a change is made" "nothing like $was in $file" "$is"
    wants+=("$want")
done < <(sed 's/ | /\t/g' <<'CHANGES'
prod.yml | livenessProbe: | livenesProbe: | livenesProbe is unknown
prod.yml | terminationGracePeriodSeconds: 40 | terminationGracePeriodSeconds: 40s | terminationGracePeriodSeconds
prod.yml | maxUnavailable: 1 | maxUnavailabel: 1 | maxUnavailabel is unknown
prod.yml | policyTypes: | policyType: | policyType is unknown
prod.yml | podMetricsEndpoints: | podMetricEndpoints: | podMetric
prod.yml |   expr: |   expression: | expr
keda.yml | value: "50" | value: 50 | string
keda.yml | cooldownPeriod: | coolDownPeriod: | coolDownPeriod is unknown
keda.yml | secretTargetRef: | secretTargetRefs: | secretTargetRefs is unknown
keda.yml | stabilizationWindowSeconds: | stabilizationSeconds: | stabilizationSeconds is unknown
rabbitmq.yml | advancedConfig: | advanceConfig: | advanceConfig is unknown
rabbitmq.yml | priority: 1000000 | priority: high | priority is a string
rabbitmq.yml |   permissions: |   permission: | permissions is missing
CHANGES
)
judge broken-*.yml
assert_status 1 "manifests with mistakes are refused"
for ((i = 1; i <= changes; i++)); do
    grep -F "broken-$i.yml:" <<<"$out" | grep -qF "${wants[i - 1]}" ||
        fail "a mistake is seen: ${wants[i - 1]}" "$(grep -F "broken-$i.yml:" <<<"$out")" "a line with it"
done
ok "the validators see each of $changes mistakes"

# --- what follows from what ------------------------------------------------------------------------------

# Rules and broker settings are those of other files.
/usr/bin/python3 - one <<'PYTHON'
import sys, yaml
for part in ("monitoring/prometheusrule", "rabbitmq/alerts"):
    with open(f"{sys.argv[1]}/{part}.yaml") as file, open(part.split("/")[0] + ".rules.yml", "w") as out:
        yaml.safe_dump(yaml.safe_load(file)["spec"], out)
PYTHON
for name in monitoring rabbitmq; do
    run "$promtool" check rules "$name.rules.yml"
    assert_status 0 "promtool checks the rules of $name"
    [[ $name == monitoring ]] && options=() || options=(--rabbitmq)
    "$WARREN" generate alerts -c "$config" "${options[@]}" >alerts.yml
    run /usr/bin/python3 -c 'import sys, yaml; sys.exit(yaml.safe_load(open(sys.argv[1])) != yaml.safe_load(open(sys.argv[2])))' \
        alerts.yml "$name.rules.yml"
    assert_status 0 "they are those of \`warren generate alerts ${options[*]}\`"
done
"$WARREN" generate dashboard -c "$config" >board.json
assert_eq "$(pick prod.yml ConfigMap warren-dashboard data.warren~json)" "$(cat board.json)" "the dashboard is the command's"
settings=$(pick rabbitmq.yml RabbitmqCluster - spec.rabbitmq.additionalConfig | grep -v '^#' | grep .)
assert_eq "$settings" "$(grep -vE '^(#|definitions\.|listeners\.|$)' "$root/deploy/rabbitmq/rabbitmq.conf")" \
    "the cluster has the settings of deploy/rabbitmq"
assert_eq "$(pick rabbitmq.yml RabbitmqCluster - spec.rabbitmq.advancedConfig)" "$(cat "$root/deploy/rabbitmq/advanced.config")" \
    "and the one of advanced.config"

# The numbers, reckoned here once more: grace, tries, memory, cooldown.
mkdir queues
numbers()
{
    local pod=spec.template.spec
    rm -rf two
    run "$WARREN" generate kubernetes -c warren.cfg -o two "$@"
    ((status == 0)) || fail "manifests for $*" "$err" "exit 0"
    "$WARREN" config check -c warren.cfg --kubernetes two >/dev/null 2>&1 || fail "they agree" "$("$WARREN" config check -c warren.cfg --kubernetes two 2>&1)" "agree"
    judge two/base/*.yaml two/overlays/keda/*.yaml two/rabbitmq/*.yaml two/samples/*.yaml
    ((status == 0)) || fail "they are valid" "$out" "exit 0"
    printf '%s %s %s %s:' "$(pick two/base/deployment.yaml Deployment - $pod.terminationGracePeriodSeconds)" \
        "$(pick two/base/deployment.yaml Deployment - $pod.containers.0.startupProbe.failureThreshold)" \
        "$(pick two/base/deployment.yaml Deployment - $pod.containers.0.resources.limits.memory)" \
        "$(pick two/overlays/keda/scaledobject.yaml ScaledObject - spec.cooldownPeriod)"
    sed -n "s/^ *queueName: / /p; s/^ *value: '/=/p" two/overlays/keda/scaledobject.yaml | tr -d "'\n"
}
cat >warren.cfg <<'CFG'
http: { listen = "0.0.0.0:9400"; };
broker: { url = "amqps://rabbitmq"; };
CFG
cat >queues/a.cfg <<'CFG'
queue: { name = "a"; jobs: ( { type = "t"; concurrency = 4; timeout = "10s"; } ); };
CFG
# 25 + 10; (300 + 30) / 5; 32 + 2 * 16 + 4 * 4 = 80, to 96; 300; 4 * 60 / 1
assert_eq "$(numbers)" "35 66 96Mi 300: a=240" "defaults and four threads"
# 4 * 60 / 0.25; 4 * 30 / 8
assert_eq "$(numbers --mean a=250ms)" "35 66 96Mi 300: a=960" "with a mean that was measured"
assert_eq "$(numbers --mean a=8s --target 30s --job-memory 100MiB)" "35 66 480Mi 300: a=15" "with a target and large handlers"
cat >warren.cfg <<'CFG'
http: { listen = "*:8080"; };
threads = 6;
drain_timeout = "1500ms";
broker: { url = "amqps://rabbitmq"; connect_wait = "0s"; };
limits: { body = "16MiB"; };
CFG
cat >queues/a.cfg <<'CFG'
queues: ( { name = "a"; prefetch = 10; jobs: ( { type = "t"; concurrency = 100; }, { type = "u"; timeout = "1h"; } ); },
          { name = "b"; jobs: ( { type = "v"; concurrency = 2; timeout = "20ms"; isolate = true; },
                                { type = "w"; concurrency = 3; timeout = "1s"; hard_timeout = "2h"; } ); } );
CFG
# 2 + 10; 30 / 5; 32 + 2 * (160 + 32 + 48) + 6 * 4 = 536, to 544; 7200 + 60;
# a: 6 * 60 / 360; b.v: 2 * 60 / 0.002; b: 3 * 60 / 0.1
assert_eq "$(numbers)" "12 6 544Mi 7260: a=1 b.v=60000 b=1800" "isolated types, a fixed prefetch, jobs without a timeout"
assert_eq "$(pick two/base/networkpolicy.yaml NetworkPolicy - spec.ingress.0.ports.0.port)" 8080 "the port is that of http.listen"

# What a pod's environment must have is told, and looked for.
cat >warren.cfg <<'CFG'
# ${env:COMMENT}
http: { listen = "0.0.0.0:9400"; }; // "${env:REMARK}"
broker: { url = "amqps://${env:NEEDED_HOST}"; user = "${env:NOT_NEEDED:-u}"; connection_name = "$${env:PLAIN} # ${env:NEEDED_HOST}"; };
CFG
NEEDED_HOST=rabbit "$WARREN" generate kubernetes -c warren.cfg -o two 2>err
assert_eq "$(grep -c 'note: ' err)" 1 "one variable is needed"
assert_contains "$(cat err)" 'asks for ${env:NEEDED_HOST}' "and named"
NEEDED_HOST=rabbit "$WARREN" config check -c warren.cfg --kubernetes two >out 2>&1
assert_contains "$(cat out)" "Deployment/warren: env: got no NEEDED_HOST, want NEEDED_HOST" "pods without it are found"
assert_eq "$(grep -c ": got " out)" 3 "in the Deployment, the Job and the sample"

# Names and texts that YAML, JSON and regular expressions have to quote come back as they were.
printf 'http: { listen = "0.0.0.0:9400"; };\nnamespace = "shop.eu";\nbroker: { url = "amqp://10.0.0.7,rabbit.mq.svc:5673/a%%2fb"; allow_plaintext = true; };\n' >warren.cfg
printf '  # CR\r\n\n\tqueue: { name = "o\\"d. {{x}} \xc3\xa9:"; exchange = "own.ex"; jobs: ( { type = "t"; timeout = "5s"; } ); }; \n# \xe2\x80\xa8' >queues/a.cfg
printf ' \n  queue: { name = "yes"; jobs: ( { type = "u"; timeout = "5s"; } ); };   \n\n\n' >queues/b.cfg
assert_contains "$(numbers)" '"o\"d. {{x}} é:"=120' "odd names and texts are valid"
for name in a b; do
    pick two/base/config.yaml ConfigMap - "data.queues~$name~cfg" >got
    cmp -s got "queues/$name.cfg"
    assert_eq $? 0 "queues/$name.cfg is in the ConfigMap byte for byte"
done
assert_contains "$(pick two/rabbitmq/permissions.yaml Permission warren-worker spec.permissions.read)" \
    'shop\.eu\.(jobs|dead|' "rights are for the namespace"
assert_contains "$(pick two/rabbitmq/permissions.yaml Permission warren-worker spec.permissions.read)" \
    '(o"d\. \{\{x\}\} é:|own\.ex|yes)(\..+)?' "and for the queues, and a worker that declares has those of exchanges, too"
assert_contains "$(cat two/base/networkpolicy.yaml)" "cidr: '10.0.0.7/32'" "an address may be talked to"
assert_contains "$(cat two/base/networkpolicy.yaml)" "kubernetes.io/metadata.name: mq" "and a service in its namespace"
assert_eq "$(pick two/overlays/keda/scaledobject.yaml ScaledObject - spec.triggers.0.metadata.vhostName)" a/b "the vhost is the URL's"
assert_eq "$(pick two/rabbitmq/vhost.yaml Vhost - spec.name)" a/b "and is made, since it isn't /"
assert_contains "$(cat two/rabbitmq/kustomization.yaml)" "- vhost.yaml" "with the others"
[[ ! -e one/rabbitmq/vhost.yaml ]] || fail "/ is there anyway" "$(cat one/rabbitmq/vhost.yaml)" "no file"

# What selects has something to select: metrics of both kinds of workers, names from wherever they come.
assert_eq "$(pick prod.yml PodMonitor warren spec.selector.matchExpressions.0.values)" '["worker", "long-worker"]' "both kinds of workers are looked at"
for row in "prod.yml Deployment worker spec.template" "one/samples/scaledjob.yaml ScaledJob long-worker spec.jobTargetRef.template"; do
    read -r file kind component template <<<"$row"
    assert_eq "$(pick "$file" "$kind" - "$template.metadata.labels.app~kubernetes~io/component")" "$component" "a $kind is one of them"
    assert_eq "$(pick "$file" "$kind" - "$template.spec.containers.0.ports.0.name")" http "with the port"
done
assert_eq "$(pick prod.yml NetworkPolicy warren spec.egress.0.to.0.namespaceSelector.matchExpressions.0.values)" '["kube-system", "openshift-dns"]' \
    "names are asked for in both places"
assert_contains "$(pick prod.yml NetworkPolicy warren spec.egress.0)" 169.254.20.10/32 "and on the node"
assert_contains "$(pick prod.yml NetworkPolicy warren spec.egress.0.ports)" 5353 "on both ports"

# The pod deletion cost: a token, and the rights to look at pods and mark them.
run "$WARREN" generate kubernetes -c "$config" -o cost --deletion-cost
"$kubectl" kustomize cost/overlays/dev >cost.yml
judge cost.yml
assert_status 0 "manifests with the deletion cost are valid"
assert_eq "$(pick cost.yml Role - rules)" '[{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]' "its role can patch pods and do nothing else"
assert_eq "$(pick cost.yml RoleBinding - subjects.0.namespace)" warren-dev "for the account of the overlay's namespace"
assert_eq "$(pick cost.yml Deployment - spec.template.spec.automountServiceAccountToken)" true "which has a token"
assert_eq "$(pick dev.yml Deployment - spec.template.spec.automountServiceAccountToken)" false "as it has not without"

# --- what doesn't agree is found -------------------------------------------------------------------------

"$kubectl" kustomize one/overlays/keda >all.yml
{ echo ---; cat one/samples/secret.yaml; } >>all.yml
run "$WARREN" config check -c "$config" --kubernetes all.yml
assert_status 0 "with the Secrets it agrees, too"
found=0 changes=0
while IFS=$'\t' read -r was is want; do
    ((++changes))
    sed "0,/$was/s//$is/" all.yml >wrong.yml
    cmp -s all.yml wrong.yml && fail "a change is made" "nothing like $was" "$is"
    run "$WARREN" config check -c "$config" --kubernetes wrong.yml
    if ((status == 7)) && [[ $out == *"$want"* && $out == *": got "* ]]; then ((++found)); else fail "a mistake is found: $is" "$status $out" "7 $want"; fi
done < <(sed 's/ | /\t/g' <<'CHANGES'
terminationGracePeriodSeconds: 40 | terminationGracePeriodSeconds: 34 | got 34, want 35 or more (drain_timeout 30 s + 5 s)
terminationGracePeriodSeconds: 40 | terminationGracePeriodSeconds: "40" | got "40", want 35
terminationGracePeriodSeconds: 40 | activeDeadlineSeconds: 40 | got none, which is 30
path: \/livez | path: \/readyz | livenessProbe.httpGet.path: got /readyz, want /livez
path: \/startupz | path: \/ | startupProbe.httpGet.path
containerPort: 9400 | containerPort: 9401 | want 9400, the port of http.listen
port: http | port: web | httpGet.port: got "web"
readinessProbe: | readinesProbe: | readinessProbe: got none
failureThreshold: 66 | failureThreshold: 59 | got 295 s in all
memory: 160Mi | memory: 80Mi | got "80Mi", want 88Mi or more
mountPath: \/etc\/warren | mountPath: \/etc\/worker | want /etc/warren/warren.cfg
mountPath: \/etc\/warren | subPath: x\n          mountPath: \/etc\/warren | got the configuration by subPath
concurrency = 8 | concurrency = 9 | the file queues/10-emails.cfg of ConfigMap/warren-config: got another text
path: queues\/20-reports.cfg | path: queues\/30.cfg | no item with this path
path: queues\/20-reports.cfg | path: queues\/30.cfg | also queues/30.cfg
name: warren-config | name: warren-konfig | isn't among these manifests
mountPath: \/run\/secrets\/warren | mountPath: \/run\/secrets\/other | broker.password_file: got nothing there
path: password | path: passwort | no item with the path password
  password: change-me |   passwort: change-me | no key password
mountPath: \/var\/lib\/warren | mountPath: \/var\/lib\/worker | state_dir: got nothing there
mountPath: \/var\/lib\/warren | mountPath: \/var\/lib\/warren\/state | state_dir: got a volume right there
protocol: http | protocol: amqp | protocol: got amqp, want http
mode: QueueLength | mode: MessageRate | mode: got MessageRate
value: "50" | value: "60" | got 60, want 50 (10 threads * target 60s / mean 12s)
value: "50" | value: 50 | KEDA takes no number
queueName: emails | queueName: email | none for queue emails
queueName: emails | queueName: email | got queue email,
vhostName: \/ | vhostName: \/shop | want /; it is
cooldownPeriod: 2460 | cooldownPeriod: 2400 | want more than 2400
port: 5671 | port: 5672 | NetworkPolicy, egress: got no rule that lets it through, want rabbitmq, port 5671
port: 15671 | port: 15672 | NetworkPolicy, egress: got no rule that lets it through, want rabbitmq, port 15671
app.kubernetes.io\/name: rabbitmq | app.kubernetes.io\/name: other | NetworkPolicy, egress: got no rule that lets it through, want rabbitmq, port 5671
    - port: 9400 |     - port: 9401 | NetworkPolicy, ingress: got no rule for the port, want port 9400
warren\/config-hash:  | warren\/config-hash: 0 | annotations, warren/config-hash: got 0
CHANGES
)
assert_eq "$found" "$changes" "each of $changes mistakes is found"
# Programs beside it, and workers with another configuration, are none of its business.
cat >others.yml <<'YAML'
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  template:
    spec:
      containers:
        - { name: web, image: web, command: [sh, -c, "exec httpd"] }
        - { name: other, image: other, args: [--config, /etc/other.conf] }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: second }
data: { warren.cfg: "namespace = \"second\";" }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: second }
spec:
  template:
    spec:
      containers:
        - name: worker
          image: second
          command: [/usr/bin/warren, run, -c, /etc/second/warren.cfg]
          volumeMounts: [{ name: config, mountPath: /etc/second }]
      volumes: [{ name: config, configMap: { name: second } }]
YAML
cat all.yml others.yml >with.yml
run "$WARREN" config check -c "$config" --kubernetes with.yml
assert_status 0 "others beside it don't matter $(grep ': got ' <<<"$out")"
run "$WARREN" config check -c "$config" --kubernetes others.yml
assert_contains "$out" "Deployment/second: the file warren.cfg of ConfigMap/second: got another text" "the only worker is looked at whatever it has"
run grep -cE 'Deployment/web' <<<"$out"
assert_eq "$out" 0 "what is none isn't even then"
sed 's/^        image: warren:0.1.0$/&\n        args: [--config, x]/; s/^        - warren$/        - \/bin\/sh/' all.yml >with.yml
run "$WARREN" config check -c "$config" --kubernetes with.yml
assert_status 0 "a shell around it is a worker with its ConfigMap $(grep ': got ' <<<"$out")"

# What was generated is what would be generated now, to the byte; what isn't ours isn't.
drift()
{
    local file=$1 change=$2 want=$3
    rm -rf drift
    cp -r one drift
    sed -i "$change" "drift/$file"
    run "$WARREN" config check -c "$config" --kubernetes drift
    assert_status 7 "found: $file $change"
    assert_contains "$out" "drift/$file:" "in this file"
    assert_contains "$out" "$want" "with what it is and should be"
}
drift rabbitmq/permissions.yaml 's/(emails|reports)/(emails)/' '(emails)('
drift monitoring/prometheusrule.yaml 's/WarrenJobStuck/WarrenJobStick/' 'got "- alert: WarrenJobStick", want "- alert: WarrenJobStuck"'
drift overlays/keda/scaledobject.yaml 's/queueName: reports$/queueName: report/' 'got "queueName: report", want "queueName: reports"'
drift base/networkpolicy.yaml 's/port: 5671/port: 5670/' 'got "port: 5670", want "port: 5671"'
drift base/poddisruptionbudget.yaml '$d' 'got the end of the file, want "'
drift base/kustomization.yaml '/^# With/d' 'no line "# With: {…}"'
sed -i 1d drift/base/*.yaml
run "$WARREN" config check -c "$config" --kubernetes drift
assert_status 0 "files without the mark are somebody's own"
mkdir -p changed
cp -r "${config%/*}/." changed
sed -i 's/^    url = .*/    url = "amqps:\/\/10.1.2.3:5999";/' changed/warren.cfg
run "$WARREN" config check -c changed --kubernetes one
assert_contains "$out" "NetworkPolicy, egress: got no rule that lets it through, want 10.1.2.3, port 5999" "another broker is found"
assert_contains "$out" "one/base/networkpolicy.yaml:" "in the file, too"
run "$WARREN" generate kubernetes -c changed -o named --mean emails=1s --replicas 3 --max-replicas 30 --name mail --namespace mails --image 'r/m:1' --deletion-cost
run "$WARREN" config check -c changed --kubernetes named
assert_status 0 "the check knows what the command line said"
sed -i 's/name = "emails"/name = "letters"/' changed/queues/10-emails.cfg
run "$WARREN" config check -c changed --kubernetes named
assert_status 7 "a queue that has another name now is found"
for file in base/config overlays/keda/scaledobject rabbitmq/permissions; do
    assert_contains "$out" "named/$file.yaml:" "in $file.yaml"
done
echo 'key: &a [1]
other: *a' >wrong.yml
run "$WARREN" config check -c "$config" --kubernetes wrong.yml
assert_status 1 "an alias is refused"
assert_contains "$err" "wrong.yml:2: an alias" "with its line"
echo '{ "kind": ' >wrong.yml
run "$WARREN" config check -c "$config" --kubernetes wrong.yml
assert_status 1 "so is what is no YAML"
run "$WARREN" config check -c "$config" --kubernetes nowhere
assert_status 4 "a file that isn't there is not found"

# --- what can't work in a pod is refused, and nothing written --------------------------------------------

refuse()
{
    local line=$1 want=$2
    shift 2
    printf 'http: { listen = "0.0.0.0:1"; };\nbroker: { url = "amqps://rabbitmq"; };\n' >warren.cfg
    [[ $line == http:* ]] && sed -i 1d warren.cfg
    [[ $line == broker:* ]] && sed -i 2d warren.cfg
    printf '%s\n' "$line" >>warren.cfg
    rm -rf three
    run "$@" "$WARREN" generate kubernetes -c warren.cfg -o three
    assert_status 7 "refused: $line"
    assert_contains "$err" "$want" "and it says why"
    [[ ! -e three ]] || fail "nothing is written" "$(ls three)" "no folder"
}
echo s3cret >password
while IFS=$'\t' read -r line want; do
    refuse "$line" "$want" env
done < <(sed 's/ | /\t/' <<'CONFIGURATIONS'
http: { listen = "none"; }; | http.listen: got "none"
http: { listen = "127.0.0.1:9400"; }; | http.listen: got "127.0.0.1:9400"
plugins = ["handlers.so"]; | plugins: got
state_dir = "state"; | state_dir: got
state_dir = "/state"; | state_dir: got /state
queues = "nothing"; | nothing
broker: { url = "memory:"; }; | broker.url: got memory:
broker: { allow_plaintext = true; }; | broker.url: got amqp://localhost, want a host that pods can reach
broker: { url = "amqps://rabbitmq,127.0.0.1"; }; | broker.url: got amqps://rabbitmq,127.0.0.1
broker: { url = "amqps://rabbitmq"; password_file = "password"; }; | broker.password_file: got
broker: { url = "amqps://rabbitmq"; password = "s3cret"; }; | warren.cfg: broker.password: got a password in the file itself, want none; say ${env:NAME}
broker: { url = "amqps://rabbitmq"; password = "s3" /* and */ "cret"; }; | warren.cfg: broker.password: got
broker: { url = "amqps://rabbitmq"; password = "${env:NO_SUCH_PASSWORD:-s3cret}"; }; | warren.cfg: broker.password: got
broker: { url = "amqps://me:s3cret@rabbitmq"; }; | warren.cfg: broker.url: got a URL with a password
broker: { url = "amqps://me:s\x33cret@rabbitmq"; }; | warren.cfg: broker.url: got a URL with a password
broker: { url = "amqps://rabbitmq"; management_url = "https://me:s3cret@rabbitmq:15671"; }; | warren.cfg: broker.management_url: got a URL with a password
broker: { url = "amqps://rabbitmq"; password = "${file:password}"; }; | broker.password: got password, in the configuration's folder
broker: { url = "amqps://rabbitmq"; user = "${file:/etc/hostname}"; }; | broker.user: got /etc/hostname, want a path such as /run/secrets/warren/username
broker: { url = "amqps://rabbitmq"; user_file = "/run/a/one"; tls: { ca_file = "/run/b/username"; }; }; | broker.tls.ca_file: got /run/b/username, want another name than that of /run/a/one
broker: { url = "amqps://rabbitmq"; tls: { cert_file = "/run/a/tls"; key_file = "/run/b/tls"; }; }; | broker.tls.key_file: got /run/b/tls, want another name than that of /run/a/tls
broker: { url = "amqps://rabbitmq"; tls: { cert_file = "/etc/ssl/tls.crt"; key_file = "/run/tls.key"; }; }; | broker.tls.cert_file: got /etc/ssl/tls.crt
broker: { url = "amqps://rabbitmq"; tls: { cert_file = "/etc/ssl/tls.crt"; key_file = "/run/tls.key"; }; }; | broker.tls.key_file: got /run/tls.key
CONFIGURATIONS
)
# Nor does this machine's environment say anything that a pod's won't.
refuse 'broker: { allow_plaintext = false; };' 'broker.url: got amqp://localhost' env WARREN_AMQP_URL=amqps://here
refuse 'broker: { url = "${env:NO_SUCH_URL:-amqps://localhost}"; };' 'broker.url: got amqps://localhost' env NO_SUCH_URL=amqps://here
# Limits are told.
many=$(for i in {1..65}; do printf '${env:V%s:-}' "$i"; done)
refuse "broker: { url = \"amqps://rabbitmq$many\"; };" "warren.cfg: broker.url: got one more \${env:}, want 64"
run "$WARREN" config check -c warren.cfg --kubernetes one
assert_status 7 "the check refuses it, too"
assert_contains "$out" "broker.url: got one more" "in the same words"

many=$(for i in {1..16}; do printf '10.0.0.%s,' "$i"; done)
printf 'http: { listen = "0.0.0.0:1"; };\nbroker: { url = "amqps://%s"; management_url = "https://10.0.0.17"; };\ntrace: { endpoint = "http://10.0.0.18:4318"; };\n' "${many%,}" >warren.cfg
run "$WARREN" generate kubernetes -c warren.cfg -o two
assert_eq "$status $(grep -c "cidr: .10\." two/base/networkpolicy.yaml)" "0 18" "as many hosts as a configuration may have are let through"

# Secrets that are taken from elsewhere are fine: each file is a key of the Secret.
mkdir -p "$work/secrets/a" "$work/secrets/b"
echo me >"$work/secrets/a/name"
echo s3cret >"$work/secrets/b/name"
cat >warren.cfg <<CFG
http: { listen = "0.0.0.0:9400"; };
broker: { url = "amqps://\${env:NO_SUCH_USER:-me}:\${env:NEEDED}@rabbitmq"; user = "\${file:$work/secrets/a/name}";
    password = "\${file:$work/secrets/b/name}"; tls: { ca_file = "/etc/ssl/certs/ca-certificates.crt"; }; };
CFG
mkdir deep
mv warren.cfg queues deep
run env NEEDED=s3cret "$WARREN" generate kubernetes -c deep -o two
assert_status 0 "secrets that are taken from elsewhere are fine"
run grep -rn s3cret two
assert_eq "$out" "" "and no manifest has them"
judge two/base/*.yaml two/samples/*.yaml
assert_status 0 "they are valid"
assert_eq "$(pick two/base/deployment.yaml Deployment - spec.template.spec.volumes.1.secret.items)" \
    '[{"key": "username", "path": "name"}]' "the user's key is the operators', its path is ours"
assert_eq "$(pick two/base/deployment.yaml Deployment - spec.template.spec.volumes.2.secret.items)" \
    '[{"key": "password", "path": "name"}]' "so is the password's"
assert_eq "$(pick two/samples/secret.yaml Secret warren-broker stringData | tr -d '"{}')" \
    "username: warren-worker, password: change-me" "the sample has these keys"
assert_eq "$(grep -rc /etc/ssl two/base/deployment.yaml)" 0 "nothing is mounted over the image's certificates"
sed '/name: NO/!s|^\( *\)env:|&\n\1  - name: NEEDED\n\1    value: x|' two/base/deployment.yaml >with.yml
sed 's|^\( *\)resources:|\1env:\n\1  - name: NEEDED\n\1    value: x\n&|' two/base/topology.yaml >job.yml
cat with.yml <(echo ---) job.yml <(echo ---) two/base/config.yaml >all.yml
run env NEEDED=s3cret "$WARREN" config check -c deep --kubernetes all.yml
assert_status 0 "the check agrees $(grep ': got ' <<<"$out")"
mv deep/queues .
printf 'http: { listen = "0.0.0.0:1"; };\nbroker: { url = "amqps://rabbitmq"; };\n' >warren.cfg
mv queues/b.cfg "queues/b c.cfg"
run "$WARREN" generate kubernetes -c warren.cfg -o three
assert_contains "$err" "queues/b c.cfg: got a name that no ConfigMap can hold" "a name that no key can be is refused"
mkdir none
run env -C none "$WARREN" generate kubernetes
assert_status 2 "a configuration is needed"

# All or nothing: what can't be written as a whole leaves the folder as it was.
cp -r one before
run bash -c 'trap "" XFSZ; ulimit -f 16; exec "$@"' - "$WARREN" generate kubernetes -c "$config" -o one --name other
assert_status 1 "a disk that is full is an error"
run diff -r one before
assert_eq "$out$(compgen -G '*.new-*')" "" "and nothing has changed"

# Files of others stay.
echo mine >one/base/mine
run "$WARREN" generate kubernetes -c "$config" -o one
assert_status 5 "a folder with files of others is refused"
assert_contains "$err" "one/base/mine" "and they are named"
echo changed >one/base/config.yaml
run "$WARREN" generate kubernetes -c "$config" -o one --force
assert_status 0 "--force writes"
assert_eq "$(cat one/base/mine)" mine "theirs stay"
rm one/base/mine
run diff -r one "$shipped"
assert_eq "$out" "" "and ours are as they should be"
run "$WARREN" generate kubernetes -c "$config" -o one --deletion-cost
[[ -e one/base/role.yaml ]] || fail "a file comes" "no role.yaml" "one"
run "$WARREN" generate kubernetes -c "$config" -o one
[[ ! -e one/base/role.yaml ]] || fail "a file of ours that isn't written any more is gone" "role.yaml" "nothing"
assert_eq "$(compgen -G '*.new-*')" "" "nothing is left beside them"
finish
